"""Blocks in the database: ``block`` has them packed, ``span`` what is known of each without unpacking it.  They are
added and removed here alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.history.block import SIZE, Points, Sum, pack, summed, unpack
from gateway.history.database import Database
from gateway.history.head import MOST, Series, together

ASKED = 32  # series of which the ends of all boots are remembered
SUMS = "n, total, low, high, first, last, area, held, growth"
Key = tuple[int, int, int, int, int]  # series, boot, start, seq, block


@dataclass(frozen=True, slots=True)
class Span:
    """Milliseconds of a boot from *start* on and before *stop*; Unix time is *offset* above them."""

    boot: int
    start: int
    stop: int
    offset: int | None
    since: int = 0


def add(store: Database, series: Series, points: Points) -> None:
    """Store one block, within a transaction."""
    data, sums = pack(points), () if series.textual else columns(summed(points, 0, len(points), series.keeps))
    put = "INSERT INTO block (series, boot, data) VALUES (?, ?, ?)"
    row = store.db.execute(put, (series.id, points.boot, data)).lastrowid
    place, last = points.place(0), points.place(len(points) - 1)
    head = (series.id, points.boot, place.ms, place.seq, last.ms, row, len(points))
    store.db.execute(f"INSERT INTO span VALUES ({', '.join('?' * 15)})", head + (sums or (None,) * 8))
    if (ends := store.ended.get(series.id)) is not None:
        ends[points.boot] = max(last.ms, ends.get(points.boot, 0))


def merge(store: Database, series: Series, points: Points) -> None:
    """Store one block, a small one together with the one before it, when that is not much larger: the blocks of a slow
    series grow, and none is written again too often."""
    while (last := tail(store, series.id, points.boot)) is not None:
        key, before = last
        if len(before) + len(points) > SIZE or len(before) >= 2 * len(points):
            break
        if store.segment(points.boot, before.origin + before.ms[0]) != store.segment(points.boot, points.ms[0]):
            break
        points = together(before, points)
        remove(store, [key])
    add(store, series, points)


def remove(store: Database, keys: Iterable[Key]) -> None:
    """Delete these blocks, within a transaction."""
    for *key, block in keys:
        store.db.execute("DELETE FROM span WHERE series=? AND boot=? AND start=? AND seq=?", key)
        store.db.execute("DELETE FROM block WHERE id=?", (block,))


def keys(store: Database, where: str, *values: int) -> list[Key]:
    """Those of the blocks that fit."""
    return store.db.execute(f"SELECT series, boot, start, seq, block FROM span WHERE {where}", values).fetchall()


def around(store: Database, series: int, span: Span, more: str = "n") -> Iterator[Any]:
    """Columns of the blocks that may hold readings of *span*: start, stop, block, and *more*."""
    before = "SELECT start FROM span WHERE series=? AND boot=? AND start<? ORDER BY start DESC LIMIT 1"
    row = store.db.execute(before, (series, span.boot, span.start)).fetchone()
    asked = (
        f"SELECT start, stop, block, {more} FROM span "
        "WHERE series=? AND boot=? AND start>=? AND start<? ORDER BY start, seq"
    )
    return store.db.execute(asked, (series, span.boot, row[0] if row else span.start, span.stop))


def whole(store: Database, number: int, boot: int, rest: bool = False) -> Points | None:
    """The points of the block called *number*, as ``unpack`` gives them; None when it is damaged, which is counted."""
    row = store.db.execute("SELECT data FROM block WHERE id=?", (number,)).fetchone()
    try:
        return unpack(row[0], boot, rest) if row else None
    except ValueError:
        store.damaged += 1
        return None


def tail(store: Database, series: int, boot: int) -> tuple[Key, Points] | None:
    """The last block of this series in *boot*, with its numbers: its key, and its points."""
    last = keys(store, "series=? AND boot=? ORDER BY start DESC, seq DESC LIMIT 1", series, boot)
    points = whole(store, last[0][-1], boot, rest=True) if last else None
    return None if points is None else (last[0], points)


def last_ms(store: Database, series: int, boot: int) -> int:
    """The millisecond of the last reading of *series* in *boot* that is in a block, or of which an hour is left; -1
    where there is none.  Of a thousand boots a question is about few."""
    if (ends := store.ended.get(series)) is None:
        if len(store.ended) >= ASKED:
            store.ended.clear()
        asked = "SELECT boot, max(stop) FROM {} WHERE series=? GROUP BY boot"
        ends = store.ended[series] = {}
        for table in ("hour", "span"):
            for each, stop in store.db.execute(asked.format(table), (series,)):
                ends[each] = max(stop, ends.get(each, 0))
    return ends.get(boot, -1)


def columns(made: Sum) -> tuple[float, ...]:
    """The columns of a sum behind ``n``; a whole number that SQLite has no room for becomes a float."""
    values = made.total, made.low, made.high, made.first, made.last, made.area, made.held, made.growth
    return tuple(value if isinstance(value, float) or abs(value) < MOST else float(value) for value in values)
