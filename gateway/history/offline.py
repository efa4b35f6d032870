"""What is done to a history while no gateway runs: readings are brought back from a file, or out of a damaged database.

Both only add: a reading that is there already, by its boot and number, is passed over.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from drivers.api import Value
from gateway.history.block import SIZE, Points, unpack
from gateway.history.head import Series, encoded
from gateway.history.keep import roll
from gateway.history.past import Span, parts_of
from gateway.history.question import HistoryError
from gateway.history.rescue import before_damage
from gateway.history.store import FOREVER, Store, unbatched
from gateway.history.succession import same

Tell = Callable[[int], None]  # how many readings are done
Read = Callable[[Path], Iterator["Row"]]
Row = tuple[str, str, str, int, int, int, int, Value, bool, int | None]
# name, kind, unit, digits, boot, ms, seq, value, suspect, offset of the wall clock in milliseconds


def add(store: Store, rows: Iterable[Row], tell: Tell) -> int:
    """Store *rows*, which stand together by name and boot, in their order.  How many were new."""
    added = seen = 0
    touched: dict[int, set[int]] = {}
    for (name, kind, unit, digits, boot), run in groupby(rows, key=lambda row: row[:5]):
        series = same(store, Series(0, name, kind, unit, digits, FOREVER))
        while part := [row for _, row in zip(range(SIZE), run, strict=False)]:
            seen += len(part)
            with store.writing():
                for statement, values in store.queue:
                    store.db.execute(statement, values)
                count = put(store, series, boot, part)
            store.queue.clear()
            if count:
                added += count
                touched.setdefault(boot, set()).add(series.id)
            tell(seen)
        store.boot = max(store.boot, boot)
    store.rolled.clear()
    for boot, among in touched.items():
        deque(roll(store, boot, None, among), 0)  # hours that were made without these
    with store.writing():
        store.db.execute("INSERT OR REPLACE INTO kept VALUES ('gateway', 'boot', ?)", (b"%d" % store.boot,))
    return added


def put(store: Store, series: Series, boot: int, rows: list[Row]) -> int:
    """One block of what is not there yet."""
    there: set[int] = set()
    for _, points, begin, end in parts_of(store, series, Span(boot, rows[0][5], rows[-1][5] + 1, None), False):
        there.update(points.more()[0][begin:end])
    fresh = [row for row in rows if row[6] not in there]
    if not fresh:
        return 0
    for row in fresh:
        learn(store, boot, row[5], row[9])
    kept = [kept_as(series, row[7]) for row in fresh]
    values, words = encoded(kept)
    suspects = {at for at, row in enumerate(fresh) if row[8]}
    points = Points(boot, 0, [row[5] for row in fresh], 0, values, words, ([row[6] for row in fresh], suspects))
    store.add(series, points, merge=False)
    return len(fresh)


def learn(store: Store, boot: int, ms: int, offset: int | None) -> None:
    """The wall clock of a boot, as far as it is not known."""
    known = store.segments.get(boot, [])
    if offset is None:
        if boot not in store.floors:
            before = max((each for each in {*store.segments, *store.floors} if each < boot), default=0)
            store.floors[boot] = store.floor_ms(before)
            put = "INSERT OR REPLACE INTO kept VALUES ('floor', ?, ?)"
            store.db.execute(put, (str(boot), b"%d" % store.floors[boot]))
    elif not known or abs(offset - known[at := store.segment(boot, ms)][1]) > 1:
        if known and at + 1 < len(known) and abs(offset - known[at + 1][1]) <= 1:  # that one began earlier
            store.db.execute("DELETE FROM segment WHERE boot=? AND since=?", (boot, known.pop(at + 1)[0]))
        since = ms if known else 0
        store.segments[boot] = sorted([*known, (since, offset)])
        store.db.execute("INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", (boot, since, offset))


def kept_as(series: Series, value: Value) -> int | float | str:
    return value if isinstance(value, str) else round(value * 10**series.digits)


# From a file that `gateway export` wrote


def lines(path: Path) -> Iterator[Row]:
    """The readings in a file of JSON lines.  Raises HistoryError, with the line, at the first that is none."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                data = json.loads(line)
                yield row(data)
            except (ValueError, KeyError, TypeError) as error:
                raise HistoryError(
                    f"{path}:{number}: no reading as `gateway export --json` writes it: {error}"
                ) from None


def row(data: dict[str, Any]) -> Row:
    ms, time = round(data["monotonic"] * 1000), data["time"]
    wall = None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)
    offset = None if wall is None else wall - ms
    key = data["name"], data["kind"], data["unit"], int(data["digits"])
    return *key, data["boot"], ms, data["seq"], data["value"], data["quality"] == "suspect", offset


# From a damaged database


def salvaged(path: Path) -> Iterator[Row]:
    """What can be read of the database at *path*: blocks and the log, each row by itself."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        series = {each[0]: Series(*each) for each in readable(db, "series", "id, name, kind, unit, digits, keeps")}
        offsets: dict[int, list[tuple[int, int]]] = {}
        for boot, since, offset in before_damage(db, "SELECT boot, since, offset FROM segment ORDER BY boot, since"):
            offsets.setdefault(boot, []).append((since, offset))
        for _, number, boot, data in readable(db, "block", "id, series, boot, data"):
            try:
                points = unpack(data, boot)
                seqs, suspects = points.more()
            except (ValueError, zlib.error):
                continue  # this block is what was damaged
            if (of := series.get(number)) is not None:
                for at, (ms, value) in enumerate(zip(points.ms, points.values, strict=True)):
                    shown = points.words[int(value)] if points.words else (points.base + value) / 10**of.digits
                    yield rowed(of, boot, points.origin + ms, seqs[at], shown, at in suspects, offsets)
        for _, boot, data in readable(db, "log", "id, boot, data"):
            try:
                batch = sorted(unbatched(data))
            except (ValueError, TypeError):
                continue
            for number, ms, seq, kept, suspect in batch:
                if (of := series.get(number)) is not None:
                    told = kept if isinstance(kept, str) else kept / 10**of.digits
                    yield rowed(of, boot, ms, seq, told, suspect, offsets)
    finally:
        db.close()


def rowed(
    of: Series, boot: int, ms: int, seq: int, value: Value, suspect: bool, offsets: dict[int, list[tuple[int, int]]]
) -> Row:
    known = offsets.get(boot, [])
    offset = next((each for since, each in reversed(known) if since <= ms), known[0][1] if known else None)
    return of.name, of.kind, of.unit, of.digits, boot, ms, seq, value, suspect, offset


def readable(db: sqlite3.Connection, table: str, columns: str) -> Iterator[Any]:
    """The rows of *table*, in both directions until one cannot be read: what is between two damaged pages is left."""
    seen = -1
    for order, beyond in ("ASC", ">"), ("DESC", "<"):
        at = -1 if order == "ASC" else 2**62
        while True:
            try:
                found = db.execute(
                    f"SELECT {columns} FROM {table} WHERE id {beyond} ? ORDER BY id {order} LIMIT 1", (at,)
                ).fetchone()
            except sqlite3.Error:
                break
            if found is None or (order == "DESC" and found[0] <= seen):
                return
            at = found[0]
            seen = max(seen, at) if order == "ASC" else seen
            yield found
