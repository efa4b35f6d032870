"""What stays and what goes: hours are worked out from readings, and what is too old or too much is deleted."""

from __future__ import annotations

from collections.abc import Collection

from gateway.history.blocks import SUMS, Span, columns, keys, remove
from gateway.history.buckets import HOUR, NEVER, Buckets
from gateway.history.head import Series
from gateway.history.past import Answering, heads
from gateway.history.question import Question
from gateway.history.store import Store

# What is known of more readings stays: blocks may be gone.
PUT = f"INSERT INTO hour VALUES ({', '.join('?' * 15)}) ON CONFLICT DO UPDATE SET " + (
    ", ".join(f"{each}=excluded.{each}" for each in ("start", "stop", *SUMS.split(", "))) + " WHERE excluded.n >= n"
)
ROWS = 100_000  # of events, and as many of deeds, that are kept
FEW = 50  # blocks that go at once
WEEK = 168  # hours that go at once, where there is nothing else


def finish(store: Store) -> Answering[None]:
    """Work out what is missing of the hours of all boots before the running one: a short one may have had no time for
    those of the boot before it."""
    with store.reading():
        row = store.db.execute("SELECT data FROM kept WHERE kind='gateway' AND key='rolled'").fetchone()
    if (done := int(row[0]) if row else 0) >= store.boot - 1:
        return
    resume(store, done)
    for boot in [boot for boot in store.segments if done < boot < store.boot]:
        yield from roll(store, boot, None)
    with store.writing():
        store.db.execute("INSERT OR REPLACE INTO kept VALUES ('gateway', 'rolled', ?)", (b"%d" % (store.boot - 1),))


def roll(store: Store, boot: int, until: int | None, among: Collection[int] | None = None) -> Answering[None]:
    """Work out the hours of *boot* that are over at its millisecond *until*; None is: the boot is.  Those of a boot
    that does not know the time wait.  *among* names the series; None is all."""
    segments = store.segments.get(boot, [])
    for at, (since, offset) in enumerate(segments):
        begin, end = since if at else 0, segments[at + 1][0] if at + 1 < len(segments) else NEVER
        for series in list(store.series.values()):
            if not series.textual and (among is None or series.id in among):
                yield from hours(store, series, Span(boot, begin, end, offset, since), until)


def hours(store: Store, series: Series, span: Span, until: int | None) -> Answering[None]:
    """The hours of one series in one clock segment."""
    assert span.offset is not None
    key = series.id, span.boot, span.since
    begin = max(span.start, store.rolled.get(key, span.start))
    if until is None:  # the boot is over, and so is its last hour
        (stop,) = store.db.execute(
            "SELECT max(stop) FROM span WHERE series=? AND boot=?", (series.id, span.boot)
        ).fetchone()
        end = min(span.stop, (stop or 0) + 1)
    else:
        for head in heads(store, series.id):  # where an hour is, there is nothing that is in no block yet
            if head.boot == span.boot and len(head.ms):
                until = min(until, head.ms[0])
        end = span.stop if span.stop <= until else (until + span.offset) // HOUR * HOUR - span.offset
    if begin >= end:
        return
    made = Buckets(store, Question(series.name, 0, 0, limit=NEVER), [series], HOUR, need="")
    yield from made.span(series, Span(span.boot, begin, end, span.offset, span.since))
    rows = [
        (series.id, hour, span.boot, span.since, each.start, each.stop, each.n, *columns(each))
        for hour, each in made.made.items()
    ]
    with store.writing():
        store.db.executemany(PUT, rows)
    store.rolled[key] = end


def resume(store: Store, done: int) -> None:
    """Find out how far the hours of the boots behind *done* are."""
    asked = "SELECT series, boot, since, max(hour) FROM hour WHERE boot>? GROUP BY series, boot, since"
    with store.reading():
        for series, boot, since, hour in store.db.execute(asked, (done,)).fetchall():
            offset = dict(store.segments.get(boot, ())).get(since, 0)
            store.rolled.setdefault((series, boot, since), hour * HOUR + HOUR - offset)


def trim(store: Store, before: float | None, most: int | None) -> Answering[None]:
    """Delete readings of before *before* (Unix seconds), and the oldest while the database is larger than *most*
    bytes.  Their hours stay, as long as there is anything else to delete."""
    if before is not None:
        for boot in sorted({*store.segments, *store.floors}):
            for start, stop in old(store, boot, round(before * 1000)):
                for series in list(store.series):
                    yield
                    with store.writing():
                        where = "series=? AND boot=? AND start>=? AND start<? AND stop<?"
                        remove(store, keys(store, where, series, boot, start, stop, stop))
    with store.writing():
        for table in ("event", "deed"):
            store.db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - {ROWS}")
    while most is not None and store.size() > most:
        yield
        last = store.db.execute(f"SELECT id FROM block ORDER BY id LIMIT 1 OFFSET {FEW}").fetchone()
        with store.writing():
            if last is not None:
                remove(store, keys(store, "block<?", last[0]))
            elif not store.db.execute(f"DELETE FROM hour WHERE hour < {WEEK} + (SELECT min(hour) FROM hour)").rowcount:
                return


def old(store: Store, boot: int, before: int) -> list[tuple[int, int]]:
    """Which milliseconds of *boot* are of before *before* (milliseconds of Unix time)."""
    segments = store.segments.get(boot, [])
    if not segments:
        return [(0, NEVER)] if boot != store.boot and store.floors[boot] < before else []
    found = []
    for at, (since, offset) in enumerate(segments):
        end = segments[at + 1][0] if at + 1 < len(segments) else NEVER
        if (stop := min(end, before - offset)) > (begin := since if at else 0):
            found.append((begin, stop))
    return found
