"""What is done to a history while no gateway runs: readings are brought back from a file, or out of a damaged database.

Both only add: a reading that is there already, by its boot and number, is passed over.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby, islice
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from drivers.api import Value
from gateway.history.block import SIZE, Points, unpack
from gateway.history.blocks import Span, around, last_ms, merge, remove, whole
from gateway.history.blocks import add as add_block
from gateway.history.database import characters
from gateway.history.head import MOST, Series, encoded
from gateway.history.keep import roll
from gateway.history.log import unbatched
from gateway.history.question import HistoryError
from gateway.history.rescue import times
from gateway.history.store import FOREVER, Store

HELD = 50_000  # readings, at most, that wait for more of their series: a block for each would take forty times the room
Tell = Callable[[int], None]  # how many readings are done
Read = Callable[[Path], Iterator["Row"]]
Key = tuple[str, str, str, int, int]  # name, kind, unit, digits, boot
Entry = tuple[int, int, Value, bool, int | None]  # ms, seq, value, suspect, offset of the wall clock in milliseconds
Row = tuple[Key, Entry]


def add(store: Store, rows: Iterable[Row], tell: Tell) -> int:
    """Store *rows*, whatever their order is.  How many were new.  When *rows* end with an error, those before it are
    there."""
    touched: dict[int, set[int]] = {}  # boot -> series of which there are more now
    added = 0
    try:
        for batch in batches(rows, tell):
            series = {key: store.same(Series(0, *key[:-1], FOREVER)) for key in batch}
            with store.committing():
                for key, entries in sorted(batch.items(), key=lambda each: each[0][-1]):
                    if count := put(store, series[key], key[-1], entries):
                        added += count
                        touched.setdefault(key[-1], set()).add(series[key].id)
            store.boot = max([store.boot, *(boot for *_, boot in batch)])
        return added
    finally:
        store.rolled.clear()
        for boot, among in touched.items():
            deque(roll(store, boot, None, among), 0)  # hours that were made without these
        with store.writing():
            store.db.execute("INSERT OR REPLACE INTO kept VALUES ('gateway', 'boot', ?)", (b"%d" % store.boot,))


def batches(rows: Iterable[Row], tell: Tell) -> Iterator[dict[Key, list[Entry]]]:
    """*rows* by series and boot: a block of one, with all of the boots before, whose end tells when this one began; or
    all that are held when they are too many.  An error with which *rows* end comes last."""
    held: dict[Key, list[Entry]] = {}
    count = seen = 0
    failed: Exception | None = None
    try:
        for seen, (key, entry) in enumerate(rows, 1):
            mine = held.setdefault(key, [])
            mine.append(entry)
            count += 1
            if len(mine) == SIZE:
                yield {each: held.pop(each) for each in list(held) if each == key or each[-1] < key[-1]}
                count = sum(map(len, held.values()))
            elif count >= HELD:
                yield held
                held, count = {}, 0
            if not seen % SIZE:
                tell(seen)
    except Exception as error:
        failed = error
    yield held
    tell(seen)
    if failed is not None:
        raise failed


def put(store: Store, series: Series, boot: int, rows: list[Entry]) -> int:
    """Store what is not there yet of *rows*, in blocks that do not overlap: one that is there and in which some of them
    belong is made anew with these.  How many were new.  Raises HistoryError when they are of another boot."""
    rows.sort(key=itemgetter(0, 1))
    span = Span(boot, rows[0][0], rows[-1][0] + 1, None)
    among = [((series.id, boot, start, seq, block), points)
             for start, stop, block, seq in around(store, series.id, span, "seq")
             if stop >= span.start and (points := whole(store, block, boot, rest=True)) is not None]  # fmt: skip
    found = [reading for _, points in among for reading in readings(points)]
    there = {seq: ms for ms, seq, _, _ in found}
    fresh = {seq: entry for entry in rows if (seq := entry[1]) not in there}
    for ms, seq, *_ in rows:
        if ms != there.get(seq, ms):
            raise HistoryError(f"{series.name}: reading {seq} of start {boot} is there already, and was at another "
                               "time: these are of another history, or from before it was begun anew")  # fmt: skip
    if not fresh:
        return 0
    for ms, seq, value, suspect, offset in fresh.values():
        learn(store, boot, ms, offset)
        found.append((ms, seq, kept_as(series, value), suspect))
    put_block = merge if last_ms(store, series.id, boot) < span.start else add_block
    remove(store, [key for key, _ in among])
    for _, segment in groupby(sorted(found, key=itemgetter(0, 1)), key=lambda each: store.segment(boot, each[0])):
        while part := list(islice(segment, SIZE)):
            times, seqs, kept, suspects = zip(*part, strict=True)
            values, words = encoded(list(kept))
            doubtful = {at for at, suspect in enumerate(suspects) if suspect}
            put_block(store, series, Points(boot, 0, times, 0, values, words, (seqs, doubtful)))
    return len(fresh)


def readings(points: Points) -> Iterator[tuple[int, int, int | float | str, bool]]:
    """Millisecond, number, value as it is kept, and whether it is suspect."""
    seqs, suspects = points.more()
    for at, (ms, value) in enumerate(zip(points.ms, points.values, strict=True)):
        kept = points.base + value if points.words is None else points.words[int(value)]
        yield points.origin + ms, seqs[at], kept, at in suspects


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
    if isinstance(value, str):
        return characters(value)
    kept = value * 10**series.digits
    return round(kept) if abs(kept) < MOST else float(kept)


# From a file that `gateway export` wrote


class Line(msgspec.Struct, frozen=True):
    """One reading as it is written."""

    name: Annotated[str, Meta(pattern=r"^\S+\.\S+$", max_length=200)]
    value: bool | int | float | str
    unit: str
    kind: Literal["float", "int", "flag", "choice", "text"]
    digits: Annotated[int, Meta(ge=0, le=20)]
    time: str | None
    quality: str
    boot: Annotated[int, Meta(ge=1, le=10**9)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    monotonic: Annotated[float, Meta(ge=0, le=1e10)]

    def row(self) -> Row:
        """Raises ValueError when its value is not of its kind, or its time none."""
        ms, value, kind = round(self.monotonic * 1000), self.value, self.kind
        if isinstance(value, str) != (kind in ("choice", "text")) or isinstance(value, bool) != (kind == "flag"):
            raise ValueError(f"{value!r} is no {kind}")
        if isinstance(value, float) and not isfinite(value * 10**self.digits):
            raise ValueError(f"{value!r} is too large")
        offset = None
        if self.time is not None:
            wall = datetime.fromisoformat(self.time)
            offset = round((wall if wall.tzinfo else wall.replace(tzinfo=UTC)).timestamp() * 1000) - ms
        key = self.name, kind, self.unit, self.digits, self.boot
        return key, (ms, self.seq, value, self.quality == "suspect", offset)


def lines(path: Path) -> Iterator[Row]:
    """The readings in a file of JSON lines.  Raises HistoryError, with the line, at the first that is none."""
    decode = msgspec.json.Decoder(Line).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield decode(line).row()
            except (msgspec.MsgspecError, ValueError, OverflowError) as error:
                raise HistoryError(
                    f"{path}:{number}: no reading as `gateway export --json` writes it: {error}"
                ) from None


# From a damaged database


def salvaged(path: Path) -> Iterator[Row]:
    """What can be read of the database at *path*: blocks and the log, each row by itself."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        series = {each[0]: Series(*each) for each in readable(db, "series", "id, name, kind, unit, digits, keeps")}
        offsets: dict[int, list[tuple[int, int]]] = {}
        for boot, since, offset in times(db):
            offsets.setdefault(boot, []).append((since, offset))
        for number, boot, ms, seq, kept, suspect in salvaged_as_kept(db):
            if (of := series.get(number)) is not None:
                value = kept if isinstance(kept, str) else kept / 10**of.digits
                yield (*of.key, boot), (ms, seq, value, suspect, offset_at(offsets.get(boot, []), ms))
    finally:
        db.close()


def offset_at(known: list[tuple[int, int]], ms: int) -> int | None:
    return next((offset for since, offset in reversed(known) if since <= ms), known[0][1] if known else None)


def salvaged_as_kept(db: sqlite3.Connection) -> Iterator[tuple[int, int, int, int, int | float | str, bool]]:
    """Series, boot, millisecond, number, value as it is kept, and whether it is suspect."""
    for _, number, boot, data in readable(db, "block", "id, series, boot, data"):
        with suppress(ValueError):  # this block is what was damaged
            for reading in readings(unpack(data, boot, rest=True)):
                yield number, boot, *reading
    for _, boot, data in readable(db, "log", "id, boot, data"):
        with suppress(ValueError, TypeError):
            for number, *rest in unbatched(data):
                yield number, boot, *rest


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
            except (sqlite3.Error, UnicodeDecodeError):
                break
            if found is None or (order == "DESC" and found[0] <= seen):
                return
            at = found[0]
            seen = max(seen, at) if order == "ASC" else seen
            yield found
