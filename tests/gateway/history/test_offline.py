"""What comes back from a file, or out of a damaged database: readings, their times and their hours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.clock import iso_ms
from gateway.history import offline
from gateway.history.store import Store
from tests.gateway.history.past import WALL, Past

HOURLY: dict[str, Any] = {"step": 3600, "aggregate": "count"}


def exported(past: Past, path: Path, *names: str) -> Path:
    """What `gateway export --json` writes of *names*."""
    with path.open("w") as file:
        for name in names:
            (series,) = past.store.of(name)
            for told in past.told:
                if told.name == name:
                    wall = past.wall(told)
                    row = {"name": name, "value": told.value, "unit": series.unit, "kind": series.kind,
                           "digits": series.digits, "time": None if wall is None else iso_ms(wall),
                           "quality": "suspect" if told.suspect else "good", "boot": told.boot, "seq": told.seq,
                           "monotonic": told.ms / 1000}  # fmt: skip
                    file.write(json.dumps(row) + "\n")
    return path


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


def test_a_boot_without_a_time_comes_back_behind_the_end_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    past = Past(tmp_path / "first")
    past.set_clock(WALL)
    for _ in range(100):
        past.tell("attic.temperature", 20.0, 3_600_000)
    past.commit()
    for _ in range(2):
        past.kill()
        past.tell("attic.temperature", 21.0)
        past.commit()
    other = Past(tmp_path)
    assert brought(other.store, exported(past, tmp_path / "all.json", "attic.temperature")) == 102
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
