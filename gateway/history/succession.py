"""One store takes over from another: one on the disk that could not be had from one in memory, or a new one from one
that is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from gateway.history.block import Points
from gateway.history.blocks import add, keys, whole
from gateway.history.file import HistoryError
from gateway.history.head import Head
from gateway.history.store import Store


def succeed(old: Store, new: Store, blocks: bool = True) -> None:
    """Have *new* go on where *old* is, with its readings: all that are in memory, and what is in its *blocks*.  The
    boot that runs is the same in both."""
    boot = old.boot
    new.begin(boot, max(old.floors.get(boot, 0), new.floor_ms()))
    new.segments[boot] = list(old.segments[boot]) if boot in old.segments else []
    for since, offset in new.segments[boot]:
        new.put("INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", boot, since, offset)
    for statement, values in old.queue:
        if "series" not in statement:
            new.put(statement, *values)
    if blocks:
        series = {number: new.same(each) for number, each in old.series.items()}
        with new.committing():
            for number, points in packed(old):
                add(new, series[number], points)
    for head in old.every():
        taken_over(new, head, boot)
    new.fresh.sort(key=lambda each: each[2])
    with suppress(HistoryError):  # it stays where it is, and the next commit tries again
        new.commit()
    new.thinned, new.lost, new.damaged = old.thinned, old.lost, old.damaged


def packed(old: Store) -> Iterator[tuple[int, Points]]:
    """Every block, as far as it can be read, and of which series it is."""
    for series, boot, _, _, block in keys(old, "1 ORDER BY series, boot, start, seq"):
        if (points := whole(old, block, boot)) is not None and series in old.series:
            yield series, points


def taken_over(new: Store, head: Head, boot: int) -> None:
    """The newest readings of one series."""
    made = Head(new.same(head.series), head.quantity, boot, head.scale)
    made.ms, made.seqs, made.values, made.suspects = head.ms[:], head.seqs[:], head.values[:], head.suspects[:]
    new.heads[head.series.name] = made
    doubtful = set(made.suspects)
    for at, (ms, seq, value) in enumerate(zip(made.ms, made.seqs, made.values, strict=True)):
        new.fresh.append((-made.number if at in doubtful else made.number, ms, seq, value))
