"""What a damaged database has besides readings, as far as it can be read: clock segments, jobs, who wrote what and
what happened.  It is taken over at once, because it was acknowledged; readings are many, and for `gateway history
repair`."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from gateway.clock import Segment
from gateway.history.events import DEED, EVENT
from gateway.history.store import Store


def rescue(path: str, store: Store) -> None:
    """Have *store* take over what can be read of the database at *path*, with its next commit."""
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        with suppress(sqlite3.Error):
            db.execute("PRAGMA locking_mode=EXCLUSIVE")  # no file beside it
        for boot, since, offset in times(db):
            store.learn(Segment(boot, since / 1000, offset / 1000))
        for kind, key, data in before_damage(db, "SELECT kind, key, data FROM kept WHERE kind != 'gateway'"):
            if kind == "floor":
                try:
                    store.floors[int(key)] = int(data)
                except ValueError:
                    continue
            store.put("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kind, key, data)
        for table, columns in ("event", EVENT), ("deed", DEED):
            places = ", ".join("?" * len(columns.split(",")))
            for row in before_damage(db, f"SELECT {columns} FROM {table} ORDER BY id"):
                store.put(f"INSERT INTO {table} ({columns}) VALUES ({places})", *row)
    finally:
        db.close()
    store.boot = max([store.boot, *store.segments, *store.floors])  # no later start may have one of these numbers


def times(db: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """The clock segments that can be read: boot, since, offset."""
    rows = before_damage(db, "SELECT boot, since, offset FROM segment ORDER BY boot, since")
    return [row for row in rows if all(isinstance(each, int) for each in row)]


def before_damage(db: sqlite3.Connection, asked: str) -> list[Any]:
    """The rows before the first that cannot be read, and of these the whole ones."""
    found: list[Any] = []
    with suppress(sqlite3.Error, UnicodeDecodeError):
        found.extend(row for row in db.execute(asked) if None not in row)
    return found
