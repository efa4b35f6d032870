"""Answers questions from a store: the packed past and the newest readings together, without a seam.

An answer is a generator that yields now and then, so that a long one does not keep a commit waiting; its return value
is the page.  Memory is bounded by the page and one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from typing import Any

from drivers.api import Value
from gateway.history.block import Points
from gateway.history.blocks import Span
from gateway.history.buckets import gathered
from gateway.history.file import HistoryError
from gateway.history.head import Series
from gateway.history.past import Answering, parts_of, spans
from gateway.history.question import Page, Place, Question, Run, Textual
from gateway.history.store import Store

Part = tuple[Series, Points, int, int]  # readings from one place on and before another


def answer(store: Store, question: Question) -> Answering[Page]:
    """The page that *question* asks for.  Raises HistoryError.  When readings were packed meanwhile it begins anew."""
    while True:
        edition, steps = store.edition, attempt(store, question)
        try:
            while store.edition == edition:
                yield next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        steps.close()


def attempt(store: Store, question: Question) -> Answering[Page]:
    series = sorted(store.of(question.name), key=lambda each: each.id)
    if not series:
        raise HistoryError(f"{question.name}: no reading of it was ever kept")
    if question.step is None:
        return (yield from listed(store, question, series))
    if question.aggregate not in ("first", "last", "count"):  # a key may have been a text for a while
        series = [each for each in series if not each.textual]
        if not series:
            raise Textual(f"{question.name} is text: of a bucket there is its first, last or count, but no "
                          f"{question.aggregate}")  # fmt: skip
    return (yield from gathered(store, question, series))


def listed(store: Store, question: Question, series: Sequence[Series]) -> Answering[Page]:
    """Readings as they came.  A page ends where a name changes its kind: all of it is written alike."""
    of, place, left = series[-1], None, question.limit
    runs: list[Run] = []
    order = spans(store, question)
    for span in reversed(order) if question.backwards else order:
        if (after := question.after) is not None:
            if span.boot > after.boot if question.backwards else span.boot < after.boot:
                continue
            if span.boot == after.boot:  # or each page would unpack all that the pages before have shown
                start, stop = (span.start, after.ms + 1) if question.backwards else (after.ms, span.stop)
                span = replace(span, start=max(span.start, start), stop=min(span.stop, stop))
        for each, points, begin, end in rows(store, series, span, question.backwards):
            yield
            if after is not None:
                begin, end = beyond(points, begin, end, after, question.backwards)
            if begin >= end:
                continue
            if not left or (runs and each is not of):
                return Page(tuple(runs), of.unit, of.digits, of.kind, place)  # type: ignore[arg-type]
            taken = min(left, end - begin)
            more = taken < end - begin
            begin, end = (end - taken, end) if question.backwards else (begin, begin + taken)
            runs.append(run(each, points, begin, end, span.offset, question.backwards))
            of, left, place = each, left - taken, points.place(begin if question.backwards else end - 1)
            if more:
                return Page(tuple(runs), of.unit, of.digits, of.kind, place)  # type: ignore[arg-type]
    return Page(tuple(runs), of.unit, of.digits, of.kind)  # type: ignore[arg-type]


def rows(store: Store, series: Sequence[Series], span: Span, backwards: bool) -> Iterator[Part]:
    """Runs of readings of one series; of several, which may take turns, one reading after the other."""
    parts = [parts_of(store, each, span, backwards) for each in series]
    if len(parts) == 1:
        return parts[0]
    return merge(*(single(part, backwards) for part in parts), key=lambda one: one[1].place(one[2]), reverse=backwards)


def single(parts: Iterator[Part], backwards: bool) -> Iterator[Part]:
    for series, points, begin, end in parts:
        for at in range(end - 1, begin - 1, -1) if backwards else range(begin, end):
            yield series, points, at, at + 1


def beyond(points: Points, begin: int, end: int, after: Place, backwards: bool) -> tuple[int, int]:
    """What of a run the pages before have not shown."""
    if points.boot != after.boot:
        return begin, end
    seqs = points.more()[0]
    while not backwards and begin < end and seqs[begin] <= after.seq:
        begin += max(1, min(end - begin, points.find(after.ms) - begin))
    while backwards and begin < end and seqs[end - 1] >= after.seq:
        end -= max(1, min(end - begin, end - points.find(after.ms + 1)))
    return begin, end


def run(series: Series, points: Points, begin: int, end: int, offset: int | None, backwards: bool) -> Run:
    """Readings as they are shown."""
    origin, base, (seqs, suspects) = points.origin, points.base, points.more()
    ms: list[int] = [origin + each for each in points.ms[begin:end]]
    values = shown(series, [base + each for each in points.values[begin:end]], points.words)
    chosen, doubtful = list(seqs[begin:end]), {at - begin for at in suspects if begin <= at < end}
    if backwards:
        for column in (ms, values, chosen):
            column.reverse()
        doubtful = {end - begin - 1 - at for at in doubtful}
    return Run(points.boot, offset, ms, values, chosen, frozenset(doubtful))


def shown(series: Series, values: list[Any], words: Sequence[str] | None) -> list[Value]:
    """Kept numbers as values."""
    if words is not None:
        return [words[each] for each in values]
    if series.kind == "flag":
        return [bool(each) for each in values]
    if series.kind == "float":
        scale = 10**series.digits
        return [each / scale for each in values]
    return values
