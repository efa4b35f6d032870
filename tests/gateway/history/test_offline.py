"""What comes back from a file, or out of a damaged database: readings, their times and their hours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import iso_ms
from gateway.history import offline
from gateway.history.question import HistoryError
from gateway.history.store import Store
from tests.gateway.history.past import WALL, Past, Told

HOURLY: dict[str, Any] = {"step": 3600, "aggregate": "count"}


def exported(past: Past, path: Path, *names: str) -> Path:
    """What `gateway export --json` writes of *names*, one after the other; without them all, in the order of time."""
    told = [told for name in names for told in past.told if told.name == name] if names else past.told
    path.write_text("".join(json.dumps(line(past, each)) + "\n" for each in told))
    return path


def line(past: Past, told: Told) -> dict[str, Any]:
    (series,) = past.store.of(told.name)
    wall = past.wall(told)
    return {"name": told.name, "value": told.value, "unit": series.unit, "kind": series.kind, "digits": series.digits,
            "time": None if wall is None else iso_ms(wall), "quality": "suspect" if told.suspect else "good",
            "boot": told.boot, "seq": told.seq, "monotonic": told.ms / 1000}  # fmt: skip


def brought(store: Store, path: Path) -> int:
    return offline.add(store, offline.lines(path), lambda count: None)


def test_times_come_back_over_steps_of_the_clock(tmp_path: Path) -> None:
    """The name that comes first in the file had its first reading after a step later than the other had its own, and
    the clock was set back to what it was before."""
    past = Past()
    past.set_clock(WALL)
    for shift in (0, 7200, 0):
        past.set_clock(WALL + past.now / 1000 + shift)
        for _ in range(3):
            past.tell("attic.temperature", 20.0)
            past.tell("attic.count", 1)
    file = exported(past, tmp_path / "all.json", "attic.count", "attic.temperature")
    other = Past(tmp_path)
    assert brought(other.store, file) == 18 and brought(other.store, file) == 0
    for name in ("attic.temperature", "attic.count"):
        walls = [point.wall for point in other.ask(name, 0, 2**33).points]
        assert walls == [point.wall for point in past.ask(name, 0, 2**33).points]


@pytest.mark.parametrize("count", [1, 1500])
def test_a_boot_without_a_time_comes_back_behind_the_end_of_the_one_before(count: int, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for _ in range(100):
        past.tell("attic.temperature", 20.0, 3_600_000)
    past.commit()
    for _ in range(2):
        past.kill()
        for _ in range(count):
            past.tell("attic.temperature", 21.0)
        past.commit()
    other = Past(tmp_path)
    assert brought(other.store, exported(past, tmp_path / "all.json", "attic.temperature")) == 100 + 2 * count
    for start in (WALL + 1, WALL + 360_000, WALL + 360_001):
        asked = past.all("attic.temperature", start, WALL + 400_000)
        assert other.all("attic.temperature", start, WALL + 400_000) == asked and len(asked) >= 1


def test_hours_count_what_was_imported_into_them(tmp_path: Path) -> None:
    """A database was damaged within an hour; that hour was made of what came after, and the rest is brought back."""
    past = Past()
    past.set_clock(WALL)
    for at in range(9000):
        past.tell("attic.temperature", at / 7)
    file = exported(past, tmp_path / "all.json", "attic.temperature")
    after = Past(tmp_path)
    after.set_clock(WALL)
    after.now, after.seq = past.told[5000].ms, past.told[5000].seq
    for at in range(5001, 9000):
        after.tell("attic.temperature", at / 7)
    after.commit()
    after.store.pack(everything=True)
    after.roll()
    after.kill()
    assert brought(after.store, file) == 5001
    assert after.all("attic.temperature", 0, 2**33, **HOURLY) == past.all("attic.temperature", 0, 2**33, **HOURLY)


def test_an_hour_whose_readings_are_gone_stays_when_a_few_of_them_come_back(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    for at in range(9000):
        past.tell("attic.temperature", at / 7)
    past.commit()
    past.store.pack(everything=True)
    past.roll()
    before = past.all("attic.temperature", 0, 2**33, **HOURLY)[1:-1]
    past.kill()
    del past.told[5000:]
    file = exported(past, tmp_path / "few.json", "attic.temperature")
    for table in ("span", "block"):
        past.store.db.execute(f"DELETE FROM {table}")
    assert brought(past.store, file) == 5000
    assert past.all("attic.temperature", 0, 2**33, **HOURLY)[1 : 1 + len(before)] == before


def test_hours_of_a_boot_are_finished_by_whichever_boot_has_the_time(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    for at in range(9000):
        past.tell("attic.temperature", at / 7)
    past.commit()
    for _ in range(2):
        past.kill(finished=False)
    asked = "SELECT boot, sum(n) FROM hour GROUP BY boot"
    assert past.store.db.execute(asked).fetchall() == []
    past.kill()
    assert past.store.db.execute(asked).fetchall() == [(1, 9000)]
    past.store.db.execute("DELETE FROM hour")
    past.kill()  # boots 1 to 3 are done with
    assert past.store.db.execute(asked).fetchall() == []


@pytest.mark.parametrize("order", ["newest first", "every other", "its end first"])
def test_the_order_of_a_file_is_of_no_account(order: str, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for at in range(2500):
        if at == 1300:
            past.set_clock(WALL + past.now / 1000 + 7200)
        past.tell("attic.count", at, suspect=at % 7 == 0)
        past.tell("manual.note", f"text {at % 9}", after=0)
    lines = exported(past, tmp_path / "all.json", "attic.count", "manual.note").read_text().splitlines(True)
    parts = {"newest first": [lines[::-1]], "every other": [lines[::2], lines[1::2]],
             "its end first": [lines[1700:], lines[:1700]]}[order]  # fmt: skip
    other = Past(tmp_path)
    for part in parts:
        (tmp_path / "part.json").write_text("".join(part))
        assert brought(other.store, tmp_path / "part.json") == len(part)
        assert brought(other.store, tmp_path / "part.json") == 0
    for name in ("attic.count", "manual.note"):
        for more in ({"limit": 300}, {"limit": 300, "backwards": True}, {"step": 600, "aggregate": "last"}, HOURLY):
            assert other.all(name, 0, 2**33, **more) == past.all(name, 0, 2**33, **more)
    assert other.store.db.execute("SELECT max(n) FROM span").fetchone()[0] <= 1000


@pytest.mark.parametrize(("held", "most"), [(offline.HELD, 40), (300, 200)])
def test_a_file_in_the_order_of_time_is_stored_in_whole_blocks(
    held: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twenty series in turns, also when less is held than a block of each; and the clock is set meanwhile."""
    monkeypatch.setattr(offline, "HELD", held)
    (tmp_path / "first").mkdir()
    past, names = Past(tmp_path / "first"), [f"room{number}.temperature" for number in range(20)]
    past.set_clock(WALL)
    for at in range(700):
        if at == 350:
            past.set_clock(WALL + past.now / 1000 + 7200)
        for number, name in enumerate(names):
            past.tell(name, at / 7 + number, after=1000 * (number == 0), suspect=at % 50 == number)
    file, other, seen = exported(past, tmp_path / "all.json"), Past(tmp_path), list[int]()
    assert offline.add(other.store, offline.lines(file), seen.append) == 14_000
    assert seen == sorted(seen) and len(seen) > 10 and seen[-1] == 14_000
    assert brought(other.store, file) == 0
    assert other.store.db.execute("SELECT count(*) FROM block").fetchone()[0] <= most
    for name in names[::7]:
        for more in ({"limit": 300}, {"step": 600, "aggregate": "last"}, HOURLY):
            assert other.all(name, 0, 2**33, **more) == past.all(name, 0, 2**33, **more)


def test_what_stands_before_a_line_that_is_no_reading_is_stored(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for at in range(10):
        past.tell("attic.count", at)
        past.tell("attic.temperature", at / 4)
    file, other = exported(past, tmp_path / "all.json"), Past(tmp_path)
    file.write_text(file.read_text() + "no reading\n")
    with pytest.raises(HistoryError, match=r"all\.json:21: no reading"):
        brought(other.store, file)
    for name in ("attic.count", "attic.temperature"):
        assert other.all(name, 0, 2**33) == past.all(name, 0, 2**33)


@pytest.mark.parametrize(
    ("key", "value"),
    [("boot", "x"), ("boot", 0), ("boot", 2**70), ("seq", 1.5), ("seq", -1), ("monotonic", 1e300), ("monotonic", None),
     ("value", None), ("value", "warm"), ("value", True), ("value", 1e308), ("kind", "text"), ("kind", "flag"),
     ("kind", "banana"), ("digits", 400), ("digits", -1), ("name", 7), ("name", "attic . x"), ("unit", None),
     ("time", "yesterday"), ("quality", None)],
)  # fmt: skip
def test_a_line_that_is_no_reading_spoils_nothing(key: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for _ in range(3):
        past.tell("attic.temperature", 20.0)
    file = exported(past, tmp_path / "all.json", "attic.temperature")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[1][key] = value
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = Store(str(tmp_path / "h.db"))
    with pytest.raises(HistoryError, match=r"all\.json:2: no reading"):
        brought(store, file)
    store.close()
    store = Store(str(tmp_path / "h.db"))
    assert store.boot <= 1
    file.write_text("".join(line for line in file.read_text().splitlines(True)[::2]))
    assert brought(store, file) in (1, 2)


def test_a_file_of_any_bytes_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe{}\n")
    with pytest.raises(HistoryError, match="bytes:1: no reading"):
        brought(Store(), tmp_path / "bytes")


def test_readings_of_another_history_are_refused(tmp_path: Path) -> None:
    """Both count their starts from 1."""
    (tmp_path / "first").mkdir()
    past, other = Past(tmp_path / "first"), Past(tmp_path)
    for each, after in (past, 1000), (other, 1100):
        each.set_clock(WALL + after)
        for at in range(100):
            each.tell("attic.count", at, after)
        each.commit()
        each.store.pack(everything=True)
    before = other.all("attic.count", 0, 2**33), other.store.times()
    file = exported(past, tmp_path / "all.json", "attic.count")
    with pytest.raises(HistoryError, match="of another history"):
        brought(other.store, file)
    assert (other.all("attic.count", 0, 2**33), other.store.times()) == before


def test_what_is_saved_out_of_the_log_takes_no_block_for_each_reading(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for at in range(300):
        past.tell("attic.count", at)
        past.tell("attic.temperature", 20.0, after=0)
        past.commit()
    past.store.close()
    other = Past(tmp_path)
    assert offline.add(other.store, offline.salvaged(Path(past.store.path)), lambda count: None) == 600
    assert other.store.db.execute("SELECT count(*) FROM block").fetchone() == (2,)
    assert other.all("attic.count", 0, 2**33) == past.listed("attic.count", 0, 2**33)
