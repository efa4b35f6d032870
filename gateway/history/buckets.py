"""Readings gathered into buckets.  What a block or an hour comes to is known; only those that the edge of a bucket
cuts are unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from drivers.api import Value
from gateway.history.block import Points, Sum, grown, join, summed
from gateway.history.blocks import SUMS, Span, around, last_ms, whole
from gateway.history.head import Series
from gateway.history.past import Answering, empty, heads, parts_of, spans
from gateway.history.question import Page, Place, Question, Run
from gateway.history.store import Store

HOUR = 3_600_000
FRACTIONS = 3  # decimals of the mean of whole numbers
NEVER = 2**62
GROWING, HOLDING = ("delta", "rate"), ("twa",)  # what takes the reading before


def gathered(store: Store, question: Question, series: Sequence[Series]) -> Answering[Page]:
    """The page of buckets that *question* asks for."""
    assert question.step is not None
    step = max(1, round(question.step * 1000))
    if question.after is not None and not question.backwards:
        question = replace(question, start=(question.after.ms + step) / 1000)
    elif question.after is not None:
        question = replace(question, end=question.after.ms / 1000)
    if not question.backwards:
        made = Buckets(store, question, series, step)
        yield from made.fill()
        return made.page(made.shown())
    found: dict[int, Buckets] = {}
    end = round(question.end * 1000)
    while True:  # a window as wide as the page, and, as long as it is not full, the one before
        start = max(round(question.start * 1000), ((end - 1) // step - question.limit) * step)
        made = Buckets(store, replace(question, start=start / 1000, end=end / 1000), series, step)
        yield from made.fill()
        found.update(dict.fromkeys(made.shown(), made))
        before = replace(question, end=start / 1000)
        if len(found) > question.limit or start <= question.start * 1000:
            break
        if (last := latest(store, before, series)) is None:
            break
        end = (last // step + 1) * step
        yield
    return made.page(sorted(found, reverse=True), found)


def latest(store: Store, question: Question, series: Sequence[Series]) -> int | None:
    """When the last block or reading before the end of *question* is, in milliseconds of Unix time, or not before."""
    found: list[int] = []
    asked = "SELECT start, stop FROM span WHERE series=? AND boot=? AND start<? ORDER BY start DESC LIMIT 1"
    for span in spans(store, question):
        for each in series:
            if empty(store, each, span):
                continue
            row = store.db.execute(asked, (each.id, span.boot, span.stop)).fetchone()
            ends = [min(row[1], span.stop - 1)] if row else []
            ends += [head.ms[at - 1] for head in heads(store, each.id) if (at := head.find(span.stop))]
            found += [end + (span.offset or 0) for end in ends if end >= span.start]
    return max(found, default=None)


class Buckets:
    """The buckets of one range, by their number.  No more than the page takes are remembered."""

    def __init__(
        self, store: Store, question: Question, series: Sequence[Series], step: int, need: str | None = None
    ) -> None:
        self.store, self.question, self.series, self.step = store, question, series, step
        self.need = question.aggregate if need is None else need  # "": all of it, for an hour
        self.digits = max(each.digits for each in series)
        self.made: dict[int, Sum] = {}
        self.textual = any(each.textual for each in series)
        self.texts: dict[int, tuple[int, tuple[Place, str], tuple[Place, str]]] = {}  # how many, the first, the last
        self.before: Sum | None = None  # what came last, whose value held until the next
        self.holds = False  # in this span
        self.most = NEVER  # the first bucket that the page has no room for
        self.keeps = self.offset = self.start = 0
        self.factor = 1

    def fill(self) -> Answering[None]:
        for span in spans(self.store, self.question):
            for series in self.series:
                if self.textual:
                    yield from self.words(series, span)
                else:
                    yield from self.span(series, span)

    # One series in one span

    def span(self, series: Series, span: Span) -> Answering[None]:
        """From hours where they fit, then blocks, then the newest."""
        if empty(self.store, series, span):
            return
        self.start, self.offset, self.keeps = span.start, span.offset or 0, series.keeps
        self.factor = 10 ** (self.digits - series.digits)
        self.begin(series, span)
        at = span.start
        for start, stop, made in self.hours(series, span):
            yield
            if at < start:
                yield from self.blocks(series, span, at, start)
            self.emit((start + self.offset) // self.step, made)
            at = stop
        yield from self.blocks(series, span, at, span.stop)
        for head in heads(self.store, series.id):
            if head.boot == span.boot and (begin := head.find(at)) < (end := head.find(span.stop)):
                self.cut(head.points(begin, end), 0, end - begin)
        if self.need in HOLDING and self.before is not None and self.holds:
            self.carry(self.before, span.stop)

    def begin(self, series: Series, span: Span) -> None:
        """Look for the reading before the span, where that has a say in what comes."""
        if self.need in HOLDING or self.need in GROWING:
            before = self.scaled(last_before(self.store, series, span))
            self.holds = before is not None and before.boot == span.boot
            if before is not None or self.need in HOLDING:  # a counter may go on as another series
                self.before = before

    def hours(self, series: Series, span: Span) -> Iterator[tuple[int, int, Sum]]:
        """Hours that need no cutting: all, where the step is one of hours, or else those whose blocks are gone."""
        if span.offset is None or not self.need:  # no hour is made of itself
            return
        first = -1, 0
        if self.step % HOUR:
            asked = "SELECT boot, start FROM span WHERE series=? ORDER BY boot, start LIMIT 1"
            first = self.store.db.execute(asked, (series.id,)).fetchone() or (NEVER, 0)
            if first[0] < span.boot:
                return
        low, high = -((-span.start - span.offset) // HOUR), (span.stop + span.offset) // HOUR
        if span.boot != self.store.boot:
            high = min(high, (last_ms(self.store, series.id, span.boot) + span.offset) // HOUR + 1)
        asked = (
            f"SELECT hour, start, stop, {SUMS} FROM hour "
            "WHERE series=? AND hour>=? AND hour<? AND boot=? AND since=? ORDER BY hour"
        )
        rows = self.store.db.execute(asked, (series.id, low, high, span.boot, span.since)).fetchall()
        for hour, start, stop, *sums in rows:
            if first[0] == -1 or (span.boot, stop) < first:
                begin = max(span.start, hour * HOUR - span.offset)
                yield begin, hour * HOUR + HOUR - span.offset, Sum(span.boot, start, stop, *sums)

    def blocks(self, series: Series, span: Span, start: int, stop: int) -> Answering[None]:
        part = Span(span.boot, start, stop, span.offset)
        for count, (first, last, number, *sums) in enumerate(around(self.store, series.id, part, SUMS)):
            key = (first + self.offset) // self.step
            if key > self.most:
                return
            if first >= start and last < stop and key == (last + self.offset) // self.step:
                self.emit(key, Sum(span.boot, first, last, *sums))
            elif (points := whole(self.store, number, span.boot)) is not None:
                self.cut(points, points.find(start), points.find(stop))
            if count % 32 == 31:
                yield  # not before: what was just found may be packed anew meanwhile

    def cut(self, points: Points, begin: int, end: int) -> None:
        """Spread readings over the buckets they belong to."""
        ms, shift, step = points.ms, points.origin + self.offset, self.step
        while begin < end:
            key = (ms[begin] + shift) // step
            edge = (key + 1) * step - self.offset
            stop = end if points.origin + ms[end - 1] < edge else points.find(edge)
            self.emit(key, summed(points, begin, stop, self.keeps, self.need))
            if key > self.most:
                return
            begin = stop

    def words(self, series: Series, span: Span) -> Answering[None]:
        """First, last and count of texts, and of what else a name was that is one at times."""
        for _, points, begin, end in parts_of(self.store, series, span, False):
            yield
            for at in range(begin, end):
                key = (points.origin + points.ms[at] + (span.offset or 0)) // self.step
                one = points.place(at), word(series, points, at)
                count, first, last = self.texts.get(key, (0, one, one))
                self.texts[key] = count + 1, min(first, one), max(last, one)
            self.bound(self.texts)

    # What they come to

    def scaled(self, made: Sum | None) -> Sum | None:
        """In the unit that all series of the name share."""
        if made is not None and self.factor != 1:
            for part in ("total", "low", "high", "first", "last", "area", "growth"):
                setattr(made, part, getattr(made, part) * self.factor)
        return made

    def emit(self, key: int, made: Sum) -> None:
        """One more part of the bucket *key*."""
        if not self.need:  # an hour by itself, as a block is: whoever joins it with another looks at both ends
            self.made[key] = join(self.made[key], made, self.keeps) if key in self.made else made
            return
        if self.factor != 1:
            self.scaled(made)
        before = self.before
        if before is not None and self.need in GROWING:
            made.growth += grown(before.last, made.first)
        if before is not None and self.need in HOLDING and self.holds:
            self.carry(before, made.start)
            border = max(key * self.step - self.offset, self.start)
            until = min(made.start, before.stop + self.keeps)
            if until > border > before.stop:
                made.area, made.held = made.area + before.last * (until - border), made.held + until - border
        self.before, self.holds = made, True
        had = self.made.get(key)
        if had is None:
            self.made[key] = made
            self.bound(self.made)
            return
        growth, area, holding = had.growth + made.growth, had.area + made.area, had.held + made.held
        early, late = (made, had) if made.begun < had.begun else (had, made)
        both = self.made[key] = join(early, late, 0)
        if (early.boot, early.stop) > (late.boot, late.stop):  # two series of the name took turns
            both.boot, both.stop, both.last = early.boot, early.stop, early.last
        both.growth, both.area, both.held = growth, area, holding

    def carry(self, before: Sum, until: int) -> None:
        """The last value of a bucket held on, to the bucket's end or *until* then."""
        if before.stop < self.start:  # it was of another clock segment, and is in no bucket of this one
            return
        bucket = self.made.get((before.stop + self.offset) // self.step)
        end = ((before.stop + self.offset) // self.step + 1) * self.step - self.offset
        held = min(until, before.stop + self.keeps, end) - before.stop
        if bucket is not None and held > 0:
            bucket.area, bucket.held = bucket.area + before.last * held, bucket.held + held

    def bound(self, made: dict[int, Any]) -> None:
        """The clock may have stepped back, so what comes can still be earlier; but no more than a page is needed."""
        if len(made) > 2 * self.question.limit + 10:
            keys = sorted(made)
            self.most = keys[self.question.limit]
            for key in keys[self.question.limit + 1 :]:
                del made[key]

    # As they are shown

    def shown(self) -> list[int]:
        return sorted(self.texts or self.made)

    def page(self, keys: list[int], found: dict[int, Buckets] | None = None) -> Page:
        """Buckets as points; those of a page that goes back come from several windows."""
        question, last, kind, digits = self.question, self.series[-1], self.series[-1].kind, self.digits
        chosen = keys[: question.limit]
        times: list[int] = []
        values: list[Value] = []
        for key in chosen:
            points = [*(found[key] if found else self).values(key)]
            for at, value in reversed(points) if question.backwards else points:
                times.append(at)
                values.append(value)
        if self.need in ("mean", "twa", "rate"):
            digits, kind = digits if kind == "float" and self.need != "rate" else FRACTIONS, "float"
        elif self.need == "count" or (kind == "flag" and self.need in ("sum", "delta")):
            digits, kind = 0, "int"
        elif self.textual and not last.textual:
            digits, kind = 0, "text"
        more = Place(0, chosen[-1] * self.step, 0) if len(keys) > len(chosen) else None
        run = Run(self.store.boot, None if question.running else 0, times, values)
        unit = {"count": "", "rate": f"{last.unit}/s"}.get(self.need, "" if self.textual else last.unit)
        return Page((run,) if times else (), unit, digits, kind, more)  # type: ignore[arg-type]

    def values(self, key: int) -> Iterator[tuple[int, Value]]:
        """The bucket's beginning and value; of ``extremes`` two."""
        begin, scale = key * self.step, 10**self.digits
        if (text := self.texts.get(key)) is not None:
            count, first, last = text
            yield begin, count if self.need == "count" else (first if self.need == "first" else last)[1]
            return
        made, kind = self.made[key], self.series[-1].kind

        def shown(value: float) -> Value:
            return bool(value) if kind == "flag" else value / scale if kind == "float" else value

        match self.need:
            case "count":
                yield begin, made.n
            case "mean":
                yield begin, made.total / made.n / scale
            case "twa":
                yield begin, (made.area / made.held if made.held else made.last) / scale
            case "rate":
                yield begin, made.growth / scale / (self.step / 1000)
            case "sum":
                yield begin, made.total / scale if kind == "float" else made.total
            case "delta":
                yield begin, made.growth / scale if kind == "float" else made.growth
            case "extremes":
                yield begin, shown(made.low)
                if made.high != made.low:
                    yield begin + self.step // 2, shown(made.high)
            case need:
                yield begin, shown({"min": made.low, "max": made.high, "first": made.first, "last": made.last}[need])


def last_before(store: Store, series: Series, span: Span) -> Sum | None:
    """The last reading before *span* whose time is known, or that is of its boot."""
    for head in heads(store, series.id):
        if head.boot == span.boot and (at := head.find(span.start)):
            return alone(head.points(at - 1, at), 0)
    asked = (
        "SELECT boot, stop, block, last FROM span WHERE series=? "
        "AND (boot=? AND start<? OR boot<? AND boot IN (SELECT boot FROM segment)) "
        "ORDER BY boot DESC, start DESC, seq DESC LIMIT 1"
    )
    row = store.db.execute(asked, (series.id, span.boot, span.start, span.boot)).fetchone()
    if row is None:
        return last_hour(store, series, span)
    boot, stop, number, value = row
    if boot == span.boot and stop >= span.start:
        points = whole(store, number, boot)
        return None if points is None else alone(points, points.find(span.start) - 1)
    return Sum(boot, stop, stop, 1, first=value, last=value)


def last_hour(store: Store, series: Series, span: Span) -> Sum | None:
    """The same where the readings themselves are gone."""
    asked = "SELECT boot, stop, last FROM hour WHERE series=? AND hour<? ORDER BY hour DESC, boot DESC LIMIT 1"
    hour = (span.start + (span.offset or 0)) // HOUR
    row = store.db.execute(asked, (series.id, hour)).fetchone()
    if row is None or row[:2] >= (span.boot, span.start):
        return None
    boot, stop, value = row
    return Sum(boot, stop, stop, 1, first=value, last=value)


def alone(points: Points, at: int) -> Sum:
    value, ms = points.base + points.values[at], points.origin + points.ms[at]
    return Sum(points.boot, ms, ms, 1, first=value, last=value)


def word(series: Series, points: Points, at: int) -> str:
    """A value as a text, among which it stands."""
    number = points.base + points.values[at]
    if points.words is not None:
        return points.words[int(number)]
    if series.kind == "flag":
        return "on" if number else "off"
    return f"{number / 10**series.digits:.{series.digits}f}" if series.kind == "float" else str(number)
