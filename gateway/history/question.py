"""What can be asked of the past, and what the answer is made of.  Plain data; ``store`` knows how it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from drivers.api import Value

Aggregate = Literal["mean", "min", "max", "first", "last", "count", "sum", "twa", "delta", "rate", "extremes"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


class HistoryError(Exception):
    """The history cannot do what it should, in plain words."""


class Textual(HistoryError):
    """What was to be reckoned never was a number."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a reading stands in the order of all: its boot, and its milliseconds and number within it."""

    boot: int
    ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Question:
    """The readings of one name from *start* on and before *end*, in Unix seconds; of a *running* boot that does not
    know the time yet, in seconds since its start.

    With a *step* (seconds), readings are gathered into buckets that begin at its multiples: ``mean`` is that of the
    readings, ``twa`` weighs each by the time for which it held, ``delta`` and ``rate`` (per second) are the growth of
    a counter, whose fall is a new beginning from 0; ``extremes`` keeps the lowest and the highest reading, for a
    drawing.  A bucket without a reading is left out."""

    name: str
    start: float
    end: float
    step: float | None = None
    aggregate: Aggregate = "mean"
    limit: int = 1000  # points of one page
    backwards: bool = False  # newest first
    after: Place | None = None  # the last place of the page before
    running: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One reading of the past, or one bucket, which stands at its beginning and has number 0.  *wall* is Unix time,
    None where a boot never learned it."""

    place: Place
    wall: float | None
    value: Value
    quality: str

    @property
    def monotonic(self) -> float:
        """Seconds since the start of its boot."""
        return self.place.ms / 1000


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive points of one boot as columns, in the order that was asked for.  Wall time is *offset* + ``ms``, in
    milliseconds of Unix time; *offset* is None where a boot never learned it.  Buckets have no *seqs*."""

    boot: int
    offset: int | None
    ms: Sequence[int]
    values: Sequence[Value]
    seqs: Sequence[int] = ()
    suspects: frozenset[int] = frozenset()  # places of the doubtful

    def quality(self, at: int) -> str:
        return "suspect" if at in self.suspects else "unsynced" if self.offset is None else "good"

    def points(self) -> Iterator[Point]:
        for at, (ms, value) in enumerate(zip(self.ms, self.values, strict=True)):
            place = Place(self.boot, ms, self.seqs[at] if self.seqs else 0)
            wall = None if self.offset is None else (self.offset + ms) / 1000
            yield Point(place, wall, value, self.quality(at))


@dataclass(frozen=True, slots=True)
class Page:
    """What was asked for, and the place to go on from, unless that was all.  *kind* and *digits* say how its values
    are written."""

    runs: tuple[Run, ...]
    unit: str = ""
    digits: int = 0
    kind: Literal["float", "int", "flag", "choice", "text"] = "float"
    more: Place | None = None

    def __len__(self) -> int:
        return sum(len(run.ms) for run in self.runs)

    @property
    def points(self) -> tuple[Point, ...]:
        """One by one; whoever has many of them goes through ``runs``."""
        return tuple(point for run in self.runs for point in run.points())


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a device: its life changed (*what* is the state), or it failed (*what* is the class
    of the error).  *count* is how often since the event of its kind before."""

    boot: int
    ms: int
    wall: float | None
    device: str
    what: str
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Deed:
    """One write, for the audit: who did it, through what and from where, to which name, from which value to which,
    and how it ended ("OK", or the words after ERR)."""

    who: str
    origin: str
    interface: str
    name: str
    old: str
    new: str
    result: str
