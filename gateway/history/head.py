"""The newest readings of one series, in memory, from where they go into blocks."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from drivers.api import Quantity
from gateway.history.block import Points
from gateway.history.question import Place

MOST = 2**62  # a whole number beyond that is kept as a float


@dataclass(frozen=True, slots=True)
class Series:
    """One name with one kind of value.  Numbers are kept in units of the last of *digits* decimals: as they are shown.
    A reading holds for *keeps* milliseconds when no other follows."""

    id: int
    name: str
    kind: str
    unit: str
    digits: int
    keeps: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it another series."""
        return self.name, self.kind, self.unit, self.digits

    @property
    def textual(self) -> bool:
        return self.kind in ("choice", "text")


@dataclass(slots=True, eq=False)
class Head:
    """Readings of the running boot that are in no block yet."""

    series: Series
    quantity: Quantity | None
    boot: int
    scale: float
    ms: array[int] = field(default_factory=lambda: array("q"))
    seqs: array[int] = field(default_factory=lambda: array("q"))
    values: list[int | float | str] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)
    number: int = field(init=False)
    switch: bool = field(init=False)  # no reading of it is ever thinned out

    def __post_init__(self) -> None:
        self.number, self.switch = self.series.id, self.series.kind not in ("float", "int")

    def points(self, begin: int = 0, end: int | None = None) -> Points:
        """Some of them, or all."""
        part = slice(begin, len(self.ms) if end is None else end)
        values, words = encoded(self.values[part])
        suspects = {at - begin for at in self.suspects if begin <= at < part.stop}
        return Points(self.boot, 0, self.ms[part], 0, values, words, (self.seqs[part], suspects))

    def drop(self, count: int) -> None:
        """The oldest *count* are in a block now."""
        del self.ms[:count], self.seqs[:count], self.values[:count]
        self.suspects = [at - count for at in self.suspects if at >= count]

    def find(self, ms: int) -> int:
        return bisect_left(self.ms, ms)

    def place(self, at: int) -> Place:
        return Place(self.boot, self.ms[at], self.seqs[at])


def encoded(values: list[int | float | str]) -> tuple[array[int] | array[float], list[str] | None]:
    """A column of numbers, and the words that they stand for when they are texts."""
    if values and isinstance(values[0], str):
        words = list(dict.fromkeys(map(str, values)))
        number = {word: at for at, word in enumerate(words)}
        return array("q", [number[str(value)] for value in values]), words
    numbers: list[Any] = values
    try:
        return array("q", numbers), None
    except (OverflowError, TypeError):  # too large, or halves
        return array("d", numbers), None


def together(before: Points, after: Points) -> Points:
    """Two runs of one series as one."""
    if before.words is not None and after.words is not None:
        mine, theirs = before.words, after.words
        texts: list[int | float | str] = [mine[int(each)] for each in before.values]
        values, words = encoded(texts + [theirs[int(each)] for each in after.values])
    else:
        values, words = encoded([run.base + each for run in (before, after) for each in run.values])
    (seqs, suspects), (more, doubtful), count = before.more(), after.more(), len(before)
    ms = array("q", [run.origin + each for run in (before, after) for each in run.ms])
    all_seqs = array("q", seqs)
    all_seqs.extend(more)
    return Points(before.boot, 0, ms, 0, values, words, (all_seqs, suspects | {count + at for at in doubtful}))
