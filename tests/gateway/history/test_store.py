"""The store where something is wrong: the file, the disk, the process that dies, the schema."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.history import file, store
from gateway.history.block import SIZE
from gateway.history.events import add_deed, add_event, deeds, events
from gateway.history.file import PAGE, VERSION, Damaged, connect, set_aside
from gateway.history.keep import roll, trim
from gateway.history.opening import opened
from gateway.history.question import Deed, HistoryError, Question
from gateway.history.store import Store
from tests.gateway.history.past import WALL, Past, done

NAME = "attic.temperature"


def test_what_was_committed_outlives_a_kill_and_nothing_else_is_lost(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    for at in range(2500):
        past.tell(NAME, at / 7)
        if at % 10 == 0:
            past.commit()
        if at % 1000 == 0:
            past.store.pack()
    assert len(past.told) - past.committed == 9
    past.kill()
    assert past.all(NAME, 0, 2**33) == past.listed(NAME, 0, 2**33) and len(past.told) == 2491


def test_a_kill_between_block_and_log_doubles_nothing(tmp_path: Path) -> None:
    """A row of the log stays as long as one series of it is in no block; the others must not come twice."""
    past = Past(tmp_path)
    past.set_clock(WALL)
    past.tell("pump.state", True)
    for at in range(SIZE + 5):
        past.tell(NAME, at / 7)
    past.commit()
    past.store.pack()
    assert past.store.db.execute("SELECT count(*) FROM block").fetchone() == (1,)
    assert past.store.db.execute("SELECT count(*) FROM log").fetchone() == (1,)
    past.kill()
    assert past.all(NAME, 0, 2**33) == past.listed(NAME, 0, 2**33)


def test_a_full_disk_costs_nothing_when_it_has_room_again() -> None:
    past = Past()
    past.set_clock(WALL)
    past.commit()
    pages = past.store.db.execute("PRAGMA page_count").fetchone()[0]
    past.store.db.execute(f"PRAGMA max_page_count={pages + 1}")
    for at in range(5000):
        past.tell(NAME, at * 3.14159)
    with pytest.raises(HistoryError, match="cannot be written: the disk is full"):
        past.commit()
    past.store.pack()  # waits
    assert past.all(NAME, 0, 2**33, limit=9000) == past.listed(NAME, 0, 2**33)
    past.store.db.execute("PRAGMA max_page_count=100000")
    past.tell(NAME, 1.0)
    past.commit()
    past.store.pack()
    assert past.all(NAME, 0, 2**33, limit=9000) == past.listed(NAME, 0, 2**33) and not past.store.lost


def test_what_happened_is_told_while_the_disk_is_full() -> None:
    past = Past()
    past.set_clock(WALL)

    def happen(at: int) -> None:
        add_event(past.store, 1, at, f"d{at % 2}", "lost", "x" * 3000)
        add_deed(past.store, 1, at, Deed("w", "o", "i", f"n{at}", "", "", "OK"))

    for at in range(4):
        happen(at)
    past.commit()
    pages = past.store.db.execute("PRAGMA page_count").fetchone()[0]
    past.store.db.execute(f"PRAGMA max_page_count={pages}")
    for at in range(4, 9):
        happen(at)
    with pytest.raises(HistoryError, match="the disk is full"):
        past.commit()
    everything = Question("", 0, 2**33)
    assert [deed.name for _, deed in deeds(past.store, everything)] == [f"n{at}" for at in range(9)]
    assert [event.ms for event in events(past.store, everything, ())] == list(range(9))
    assert [event.ms for event in events(past.store, everything, ("d1",))] == [1, 3, 5, 7]
    assert [event.ms for event in events(past.store, replace(everything, limit=6), ())] == list(range(3, 9))


def test_what_can_never_be_written_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "UNSAVED", 1000)
    past = Past()
    past.set_clock(WALL)
    past.commit()
    past.store.db.execute("PRAGMA query_only=1")
    for at in range(3000):
        past.tell(NAME, float(at))
        with pytest.raises(HistoryError, match="read-only"):
            past.commit()
    assert len(past.store.fresh) <= 1000 and past.store.lost == 3000 - len(past.store.fresh)
    newest = past.listed(NAME, 0, 2**33)[-len(past.store.fresh) :]
    assert past.all(NAME, 0, 2**33, limit=9000) == newest


def test_what_no_reading_can_do_without_outlives_a_long_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "UNSAVED", 100)
    past = Past(tmp_path)
    past.store.db.execute("PRAGMA query_only=1")
    past.set_clock(WALL)
    past.tell(NAME, 20.0)
    put = "INSERT INTO event (boot, ms, device, what, text, count) VALUES (1, ?, 'attic', 'NoAnswer', '', 1)"
    for at in range(500):
        past.store.put(put, at)
        with pytest.raises(HistoryError, match="read-only"):
            past.commit()
    assert len(past.store.queue) <= 102
    past.store.db.execute("PRAGMA query_only=0")
    past.commit()
    past.kill()
    assert past.all(NAME, 0, 2**33) == past.listed(NAME, 0, 2**33) and len(past.told) == 1


def test_a_reading_of_no_known_series_keeps_nobody_from_starting(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.tell(NAME, 20.0)
    past.tell("pump.state", True)
    past.commit()
    past.store.db.execute("DELETE FROM series WHERE name=?", (NAME,))
    past.kill()
    assert len(past.all("pump.state", 0, 2**33)) == 1 and past.store.damaged == 1


def test_a_database_in_use_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    code = (
        "import sys; from gateway.history.store import Store\n"
        f"store = Store({str(path)!r}); store.begin(1, 0); print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"1\n"
        with pytest.raises(HistoryError, match="h.db is in use by another process"):
            Store(str(path))
        other.kill()
    Store(str(path)).close()


def test_a_damaged_file_is_set_aside_and_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(Damaged, match=r"h\.db is damaged"):
        Store(str(path))
    aside = Path(set_aside(str(path)))
    assert aside.name.startswith("h.db.damaged-") and aside.read_bytes() == b"no database at all" * 500
    Store(str(path)).close()
    path.write_bytes(b"and again")
    second = Path(set_aside(str(path)))  # within the same second
    assert second.read_bytes() == b"and again" and aside.read_bytes() == b"no database at all" * 500


@pytest.mark.parametrize("table", ["series", "span", "block", "kept", "log", "segment"])
def test_damage_is_found_wherever_it_is(table: str, tmp_path: Path) -> None:
    """With readings in the log, which have to be put beside those in blocks."""
    past = Past(tmp_path)
    past.set_clock(WALL)
    for at in range(1100):
        past.tell(NAME, float(at))
    past.commit()
    past.store.pack()
    (page,) = past.store.db.execute("SELECT rootpage FROM sqlite_master WHERE name=?", (table,)).fetchone()
    past.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    past.store.db.close()
    with open(past.store.path, "r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)
    store, why = opened(past.store.path)
    assert "0.db is damaged" in why and store.path == past.store.path
    store.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE kept SET data='soon' WHERE kind='floor'", "UPDATE kept SET data=x'e4' WHERE key='boot'",
     "UPDATE series SET name=CAST(x'ff' AS TEXT)", "UPDATE segment SET since='late'"],
)  # fmt: skip
def test_what_makes_no_sense_is_damage_and_keeps_nobody_from_starting(statement: str, tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    past.tell(NAME, 1.0)
    past.commit()
    past.store.db.execute(statement)
    past.store.db.close()
    store, why = opened(past.store.path)
    assert "0.db is damaged" in why and store.path == past.store.path
    store.commit()
    store.close()


def test_a_folder_that_cannot_be_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="file/h.db: Not a directory|File exists"):
        Store(str(tmp_path / "file" / "h.db"))


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    db = connect(str(path))
    db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.close()
    with pytest.raises(HistoryError, match="written by a newer version"):
        Store(str(path))


def test_a_failed_upgrade_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h.db"
    Store(str(path)).close()
    monkeypatch.setattr(file, "VERSION", VERSION + 1)  # whose file is not there
    with pytest.raises(FileNotFoundError):
        Store(str(path))
    monkeypatch.undo()
    Store(str(path)).close()


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_earlier_schema_is_brought_up(version: int, tmp_path: Path) -> None:
    """A database as that version made it, with a row in each table, becomes one of today with the same rows."""
    path = tmp_path / "h.db"
    db = sqlite3.connect(path)
    for step in range(1, version + 1):
        db.executescript((files("gateway.history") / "schema" / f"{step}.sql").read_text())
    db.execute(f"PRAGMA user_version={version}")
    db.execute("INSERT INTO series VALUES (1, 'attic.temperature', 'float', '°C', 2, 5000)")
    db.execute("INSERT INTO segment VALUES (3, 0, 1790000000000)")
    db.execute("INSERT INTO kept VALUES ('job', '1', x'7b7d')")
    db.execute("INSERT INTO event VALUES (1, 3, 5, 'attic', 'lost', 'gone', 1)")
    db.commit()
    db.close()
    opened = Store(str(path))
    assert opened.series[1].name == NAME and opened.segments == {3: [(0, 1790000000000)]} and opened.boot == 3
    assert opened.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert opened.db.execute("SELECT kind, key FROM kept").fetchall() == [("job", "1")]
    assert opened.db.execute("SELECT what FROM event").fetchall() == [("lost",)]


@pytest.mark.parametrize("good", [True, False])
def test_an_upgrade_keeps_every_reading_or_changes_nothing(
    good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A next schema that rewrites the blocks' table, over a file with blocks and a log that nobody packed."""
    past = Past(tmp_path)
    past.set_clock(WALL)
    for at in range(SIZE + 500):
        past.tell(NAME, at / 7)
        past.tell("pump.note", f"number {at % 7}")
    past.commit()
    past.store.pack()
    past.tell(NAME, 1.0)
    past.commit()
    later = tmp_path / "schema"
    later.mkdir()
    rewriting = (
        "ALTER TABLE block RENAME TO before;\n"
        "CREATE TABLE block (id INTEGER PRIMARY KEY, series INTEGER, boot INTEGER, data BLOB);\n"
        "INSERT INTO block SELECT id, series, boot, data FROM before;\nDROP TABLE before;\n"
    )
    (later / f"{VERSION + 1}.sql").write_text(rewriting + ("" if good else "INSERT INTO nowhere VALUES (1);\n"))
    with monkeypatch.context() as patch:
        patch.setattr(file, "VERSION", VERSION + 1)
        patch.setattr(file, "files", lambda package: tmp_path)
        if good:
            past.kill()
        else:
            past.store.db.close()
            with pytest.raises(HistoryError, match="no such table: nowhere"):
                Store(past.store.path)
    if not good:
        past.store = Store(str(tmp_path / "0.db"))
    assert past.store.db.execute("PRAGMA user_version").fetchone() == (VERSION + good,)
    for name in (NAME, "pump.note"):
        assert past.all(name, 0, 2**33) == past.listed(name, 0, 2**33)
    assert past.store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_blocks_of_a_slow_series_grow() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(800):
        past.tell(NAME, float(at), 60_000)
        if at % 15 == 14:
            past.commit()
            past.store.pack(everything=True)
    past.commit()
    past.store.pack(everything=True)
    sizes = [row[0] for row in past.store.db.execute("SELECT n FROM span ORDER BY start")]
    assert len(sizes) <= 8 and sum(sizes) == 800
    assert past.all(NAME, 0, 2**33) == past.listed(NAME, 0, 2**33)


def test_readings_go_by_age_and_their_hours_stay() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(20_000):
        past.tell(NAME, float(at))
    past.commit()
    past.store.pack(everything=True)
    past.roll()
    before = past.all(NAME, WALL, WALL + 20_000, step=7200, aggregate="mean")
    done(trim(past.store, WALL + 10_000, None))
    left = past.all(NAME, 0, 2**33, limit=30_000)
    assert 10_000 <= len(left) <= 10_000 + SIZE
    after = past.all(NAME, WALL, WALL + 20_000, step=7200, aggregate="mean")
    assert [at for at, _ in before] == [at for at, _ in after]
    assert after[1:] == before[1:]  # of the first bucket the part before its first whole hour is gone
    assert past.all(NAME, WALL, WALL + 20_000, step=60, aggregate="count")[0][1] > 60  # no finer than an hour any more


def test_growth_goes_on_from_hours_whose_readings_are_gone() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(8000):
        past.tell("meter.count", at, 10_000)
    past.commit()
    past.store.pack(everything=True)
    past.roll()
    done(trim(past.store, WALL + 200_000, None))
    assert not past.store.db.execute("SELECT count(*) FROM span").fetchone()[0]
    asked = dict(step=7200, aggregate="delta")
    whole = past.all("meter.count", WALL, WALL + 80_000, **asked)
    assert past.all("meter.count", WALL, WALL + 80_000, limit=3, **asked) == whole
    assert [value for _, value in whole[1:-1]] == [720] * (len(whole) - 2)


def test_readings_go_by_size() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(60_000):
        past.tell(NAME, (at * 7919 % 10007) / 7)
    past.commit()
    past.store.pack(everything=True)
    size = past.store.size()
    done(trim(past.store, None, size // 2))
    left = past.all(NAME, 0, 2**33, limit=100_000)
    assert 0 < len(left) < 50_000 and left == past.listed(NAME, 0, 2**33)[-len(left) :]
    assert past.store.size() <= size // 2


def test_thinning_keeps_one_of_many_and_every_switch() -> None:
    past = Past()
    past.set_clock(WALL)
    past.store.thin = 10_000
    for at in range(100):
        past.tell(NAME, float(at), 500)
        past.tell("pump.state", at % 2 == 0, 500)
    assert len(past.all(NAME, 0, 2**33)) == 10 and past.store.thinned == 90
    assert len(past.all("pump.state", 0, 2**33)) == 100


def test_hours_of_a_boot_without_a_time_wait() -> None:
    past = Past()
    for at in range(8000):
        past.tell(NAME, float(at))
    past.commit()
    past.store.pack(everything=True)
    done(roll(past.store, past.store.boot, past.now))
    assert past.store.db.execute("SELECT count(*) FROM hour").fetchone() == (0,)
    past.set_clock(WALL)
    past.commit()
    done(roll(past.store, past.store.boot, past.now))
    assert past.store.db.execute("SELECT count(*) FROM hour").fetchone()[0] == 2


def test_no_hour_is_made_of_what_is_in_no_block_yet() -> None:
    """Whoever asks where an hour is looks into blocks, and not among the newest."""
    past = Past()
    past.set_clock(WALL)
    for _ in range(13):
        past.tell(NAME, 20.0, 400_000)
    past.commit()
    past.roll()
    found = past.all(NAME, 0, 2**33, step=7200, aggregate="count")
    assert sum(value for _, value in found) == 13


def test_where_there_are_only_hours_the_oldest_of_them_go() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(1000):
        past.tell(NAME, float(at), 3_600_000)
    past.commit()
    past.store.pack(everything=True)
    past.roll()
    before = past.store.size()
    done(trim(past.store, None, before // 2))
    ((least, count),) = past.store.db.execute("SELECT min(hour), count(*) FROM hour").fetchall()
    assert past.store.size() <= before // 2 and 0 < count < 900
    assert least > WALL // 3600


def test_a_number_that_no_integer_holds_keeps_nothing_from_the_disk(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    for value in (999_999_999_999_999.12, 1e300, -1e18, 21.5):
        past.tell(NAME, value)
    for value in (2**70, 2**64 - 1, -(2**63), 5):
        past.tell("meter.count", value)
    past.commit()
    past.tell(NAME, float("inf"))
    del past.told[-1]
    assert past.store.lost == 1
    for packed in (False, True):
        if packed:
            past.store.pack(everything=True)
        past.kill()
        for name in (NAME, "meter.count"):
            found, wanted = past.all(name, 0, 2**33), past.listed(name, 0, 2**33)
            assert [each[3] for each in found] == pytest.approx([each[3] for each in wanted]) and len(found) == 4


def test_half_a_character_keeps_nothing_from_the_disk(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    for value in ("whole: ü😀", "half: \ud83d"):
        past.tell("pump.note", value)
    past.store.put("INSERT INTO kept VALUES ('half', ?, x'')", "\udcff")
    past.commit()
    past.store.pack(everything=True)
    past.kill()
    assert past.store.db.execute("SELECT key FROM kept WHERE kind='half'").fetchall() == [("\\udcff",)]
    assert [each[3] for each in past.all("pump.note", 0, 2**33)] == ["whole: ü😀", "half: \\ud83d"]


def test_ten_thousand_series_are_told_apart_in_no_time() -> None:
    past = Past()
    past.set_clock(WALL)
    began = time.thread_time()
    for number in range(10_000):
        past.tell(f"room{number}.temperature", 20.0, 1)
    assert time.thread_time() - began < 1
    past.commit()
    assert past.all("room7777.temperature", 0, 2**33) == past.listed("room7777.temperature", 0, 2**33)
