"""One store takes over from another: one on the disk that could not be had from one in memory, or a new one from one
that is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from gateway.history.block import Points
from gateway.history.file import HistoryError
from gateway.history.head import Head, Series
from gateway.history.past import whole
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
        with new.writing():
            for series, points in packed(old):
                new.add(same(new, series), points, merge=False)
    for head in old.every():
        taken_over(new, head, boot)
    new.fresh.sort(key=lambda each: each[2])
    with suppress(HistoryError):  # it stays where it is, and the next commit tries again
        new.commit()
    new.thinned, new.lost, new.damaged = old.thinned, old.lost, old.damaged


def packed(old: Store) -> Iterator[tuple[Series, Points]]:
    """Every block, as far as it can be read."""
    rows = old.db.execute("SELECT series, boot, block FROM span ORDER BY series, boot, start, seq").fetchall()
    for number, boot, block in rows:
        if (points := whole(old, block, boot)) is not None and number in old.series:
            yield old.series[number], points


def same(new: Store, series: Series) -> Series:
    """The series in *new* that is like *series*; made when it is not there."""
    key = series.name, series.kind, series.unit, series.digits
    for each in new.of(series.name):
        if (each.name, each.kind, each.unit, each.digits) == key:
            return each
    made = new.know(Series(new.next(), *key, series.keeps))
    values = tuple(getattr(made, each) for each in ("id", "name", "kind", "unit", "digits", "keeps"))
    put = "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)"
    if new.db.in_transaction:
        new.db.execute(put, values)
    else:
        new.put(put, *values)
    return made


def taken_over(new: Store, head: Head, boot: int) -> None:
    """The newest readings of one series."""
    made = Head(same(new, head.series), head.quantity, boot, head.scale)
    made.ms, made.seqs, made.values, made.suspects = head.ms[:], head.seqs[:], head.values[:], head.suspects[:]
    new.heads[head.series.name] = made
    doubtful = set(made.suspects)
    for at, (ms, seq, value) in enumerate(zip(made.ms, made.seqs, made.values, strict=True)):
        new.fresh.append((-made.number if at in doubtful else made.number, ms, seq, value))
