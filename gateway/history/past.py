"""Where readings lie in a store: spans of boots, blocks, and what is newer than both.  Nothing is kept here."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.history.block import Points, unpack
from gateway.history.head import Head, Series
from gateway.history.question import Deed, Event, HistoryError, Question
from gateway.history.store import Store

R = TypeVar("R")
Answering = Generator[None, None, R]


@dataclass(frozen=True, slots=True)
class Span:
    """Milliseconds of a boot from *start* on and before *stop*; Unix time is *offset* above them."""

    boot: int
    start: int
    stop: int
    offset: int | None
    since: int = 0


def spans(store: Store, question: Question) -> list[Span]:
    """Where the wall times of *question* lie, in the order of boots.  A boot that never learned the time stands behind
    the last that was known before it; in no bucket has it a place."""
    start, end = round(question.start * 1000), round(question.end * 1000)
    if question.running:
        return [Span(store.boot, start, end, None)]
    found = []
    for boot in sorted({*store.segments, *store.floors}):
        if segments := store.segments.get(boot):
            for at, (since, offset) in enumerate(segments):
                begin = max(start - offset, since if at else 0)
                stop = min(end - offset, segments[at + 1][0] if at + 1 < len(segments) else end - offset)
                if begin < stop:
                    found.append(Span(boot, begin, stop, offset, since))
        elif question.step is None and start <= store.floors[boot] < end:
            found.append(Span(boot, 0, 2**62, None))
    return found


def empty(store: Store, series: Series, span: Span) -> bool:
    """Whether it is sure that nothing of *series* is in *span*: its boot ended before."""
    return span.boot != store.boot and store.end(series.id, span.boot) < span.start


def blocks(store: Store, series: int, span: Span, more: str = "n") -> Iterator[Any]:
    """Columns of the blocks that may hold readings of *span*: start, stop, block, and *more*."""
    before = "SELECT start FROM span WHERE series=? AND boot=? AND start<? ORDER BY start DESC LIMIT 1"
    row = store.db.execute(before, (series, span.boot, span.start)).fetchone()
    asked = (
        f"SELECT start, stop, block, {more} FROM span "
        "WHERE series=? AND boot=? AND start>=? AND start<? ORDER BY start, seq"
    )
    return store.db.execute(asked, (series, span.boot, row[0] if row else span.start, span.stop))


def whole(store: Store, number: object, boot: int, rest: bool = False) -> Points | None:
    """The points of the block called *number*, as ``unpack`` gives them; None when it is damaged, which is counted."""
    row = store.db.execute("SELECT data FROM block WHERE id=?", (number,)).fetchone()
    try:
        return unpack(row[0], boot, rest) if row else None
    except ValueError:
        store.damaged += 1
        return None


def heads(store: Store, series: int) -> Iterator[Head]:
    return (head for head in store.every() if head.series.id == series)


def parts_of(store: Store, series: Series, span: Span, backwards: bool) -> Iterator[tuple[Series, Points, int, int]]:
    """Runs of readings of one series in *span*.  Those of several series are merged by their first reading: they do
    not overlap but where somebody changes the kind of a key to and fro."""
    if empty(store, series, span):
        return
    found: list[Any] = [*blocks(store, series.id, span)]
    found += [head for head in heads(store, series.id) if head.boot == span.boot]
    for each in reversed(found) if backwards else found:
        if isinstance(each, Head):
            points: Points | None = each.points(each.find(span.start), each.find(span.stop))
        else:
            points = whole(store, each[2], span.boot, rest=True)
        if points:
            begin, end = points.find(span.start), points.find(span.stop)
            if begin < end:
                yield series, points, begin, end


def events(store: Store, question: Question, devices: tuple[str, ...]) -> tuple[Event, ...]:
    """What happened to *devices*, or to all; of too much the newest."""
    chosen = f"device IN ({', '.join('?' * len(devices))})" if devices else "1"
    rows = newest(store, "event", "device, what, text, count", question, chosen, devices)
    return tuple(Event(boot, ms, wall, *rest) for boot, ms, wall, *rest in rows)


def deeds(store: Store, question: Question) -> tuple[tuple[float | None, Deed], ...]:
    """Who wrote what; of too much the newest."""
    rows = newest(store, "deed", "who, origin, interface, name, old, new, result", question)
    return tuple((wall, Deed(*rest)) for _, _, wall, *rest in rows)


def newest(
    store: Store, table: str, more: str, question: Question, chosen: str = "1", with_: tuple[str, ...] = ()
) -> list[Any]:
    """The last rows of *table* that *question* asks for: boot, millisecond, Unix time, and *more*.  Those that wait for
    the next commit are there, too: that comes first, or they go on waiting, for room on the disk."""
    if store.queue:
        with suppress(HistoryError):
            store.commit()
    waiting = [values for statement, values in store.queue if statement.startswith(f"INSERT INTO {table} ")]
    found: list[Any] = []
    for span in reversed(spans(store, question)):
        asked = f"SELECT ms, {more} FROM {table} WHERE boot=? AND ms>=? AND ms<? AND {chosen} ORDER BY id DESC LIMIT ?"
        offset, values = span.offset, (span.boot, span.start, span.stop, *with_, question.limit)
        mine = [row for boot, *row in reversed(waiting) if boot == span.boot and span.start <= row[0] < span.stop]
        rows = [row for row in mine if not with_ or row[1] in with_]
        rows += store.db.execute(asked, values).fetchall()
        for ms, *rest in rows[: question.limit - len(found)]:
            found.append((span.boot, ms, None if offset is None else (ms + offset) / 1000, *rest))
        if len(found) >= question.limit:
            break
    return found[::-1]
