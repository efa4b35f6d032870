"""Where readings lie in a store: spans of boots, blocks, and what is newer than both."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from gateway.history.block import Points
from gateway.history.blocks import Span, around, last_ms, whole
from gateway.history.head import Head, Series
from gateway.history.question import Question
from gateway.history.store import Store

R = TypeVar("R")
Answering = Generator[None, None, R]


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
    return span.boot != store.boot and last_ms(store, series.id, span.boot) < span.start


def heads(store: Store, series: int) -> Iterator[Head]:
    return (head for head in store.every() if head.series.id == series)


def parts_of(store: Store, series: Series, span: Span, backwards: bool) -> Iterator[tuple[Series, Points, int, int]]:
    """Runs of readings of one series in *span*.  Those of several series are merged by their first reading: they do
    not overlap but where somebody changes the kind of a key to and fro."""
    if empty(store, series, span):
        return
    found: list[Any] = [*around(store, series.id, span)]
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
