"""A store that is filled by hand, beside a plain list of all that was told to it; both must say the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from drivers.api import Quantity, Value
from gateway.clock import Clock, Segment
from gateway.history.answer import answer
from gateway.history.keep import finish, roll
from gateway.history.question import Page, Question
from gateway.history.store import Store
from gateway.reading import Reading

R = TypeVar("R")
WALL = 1_790_000_371  # a Unix time that no step divides
QUANTITIES = {
    "temperature": Quantity("temperature", "°C", low=-1e6, high=1e6, digits=2),
    "count": Quantity("count", "", "int", low=0, high=2**62),
    "state": Quantity("state", "", "flag"),
    "note": Quantity("note", "", "text"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One reading as it was told; *ms* of its boot, and Unix milliseconds as they are known at the end."""

    name: str
    boot: int
    ms: int
    seq: int
    value: Value
    suspect: bool


def done(steps: Generator[Any, Any, R]) -> R:
    """Let a long work come to its end."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class Past:
    """A store in *folder*, or in memory, and the list."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.copies = folder, 0
        self.store = Store(str(folder / "0.db")) if folder else Store()
        self.told: list[Told] = []
        self.committed = 0
        self.now = self.seq = 0
        self.store.begin(1, 0)

    def tell(self, name: str, value: Value, after: int = 1000, keeps: float = 5.0, suspect: bool = False) -> None:
        """A reading, *after* milliseconds."""
        self.now, self.seq = self.now + after, self.seq + 1
        quantity = QUANTITIES[name.rpartition(".")[2]]
        at, boot = self.now / 1000, self.store.boot
        clock = Clock(boot, lambda: 0.0)
        mark: Any = "suspect" if suspect else "good"
        self.store.take([(Reading(name, quantity, value, boot, self.seq, at, clock, mark, at + keeps),)])
        shown = round(value, 2) if quantity.kind == "float" else value  # type: ignore[arg-type]  # a float
        self.told.append(Told(name, boot, self.now, self.seq, shown, suspect))

    def set_clock(self, wall: float) -> None:
        """It is *wall* now (Unix seconds)."""
        known = self.store.segments.get(self.store.boot)
        self.store.learn(Segment(self.store.boot, self.now / 1000 if known else 0.0, wall - self.now / 1000))

    def commit(self) -> None:
        self.store.commit()
        self.committed = len(self.told)

    def kill(self, finished: bool = True) -> None:
        """The process dies, and is started again: what was not committed is gone.  Of the hours those of the boots
        before are worked out, unless it is not *finished* with that."""
        assert self.folder is not None
        self.copies += 1
        before, after = self.store.path, self.folder / f"{self.copies}.db"
        for tail in ("", "-wal"):
            if Path(before + tail).exists():
                shutil.copy(before + tail, f"{after}{tail}")
        self.store.db.close()
        del self.told[self.committed :]
        self.store = Store(str(after))
        self.now = self.seq = 0
        floor = self.store.floor_ms()
        self.store.begin(self.store.boot + 1, floor)
        if finished:
            done(finish(self.store))

    def roll(self) -> None:
        done(roll(self.store, self.store.boot, self.now))

    # Asked and worked out

    def ask(self, name: str, start: float, end: float, **more: Any) -> Page:
        return done(answer(self.store, Question(name, start, end, **more)))

    def all(self, name: str, start: float, end: float, **more: Any) -> list[tuple[Any, ...]]:
        """Every page of the answer, as plain tuples."""
        found: list[tuple[Any, ...]] = []
        after = None
        while True:
            page = self.ask(name, start, end, after=after, **more)
            if more.get("step"):
                found += [(point.wall, point.value) for point in page.points]
            else:
                found += [(p.place.boot, p.place.ms, p.place.seq, p.value, p.quality == "suspect") for p in page.points]
            if (after := page.more) is None:
                return found

    def wall(self, told: Told) -> int | None:
        """Its Unix time in milliseconds; that of a boot which never knew is where it is placed."""
        segments = self.store.segments.get(told.boot)
        if not segments:
            return None
        return told.ms + segments[self.segment(told)][1]

    def segment(self, told: Told) -> int:
        """Which of its boot's clock segments it belongs to."""
        return max(0, sum(since <= told.ms for since, _ in self.store.segments[told.boot]) - 1)

    def between(self, name: str, start: float, end: float) -> Iterator[Told]:
        for told in self.told:
            wall = self.wall(told)
            if wall is None:
                inside = round(start * 1000) <= self.store.floors[told.boot] < round(end * 1000)
            else:
                inside = round(start * 1000) <= wall < round(end * 1000)
            if told.name == name and inside:
                yield told

    def listed(self, name: str, start: float, end: float) -> list[tuple[Any, ...]]:
        """What ``all`` should give."""
        return [(t.boot, t.ms, t.seq, t.value, t.suspect) for t in self.between(name, start, end)]

    def gathered(
        self, name: str, start: float, end: float, step: float, fold: Callable[[list[Told]], Value]
    ) -> list[tuple[float, Value]]:
        """Buckets, worked out the plain way."""
        buckets: dict[int, list[Told]] = {}
        for told in self.between(name, start, end):
            if (wall := self.wall(told)) is not None:
                buckets.setdefault(wall // round(step * 1000), []).append(told)
        return [(key * round(step * 1000) / 1000, fold(buckets[key])) for key in sorted(buckets)]

    def growing(self, name: str, start: float, end: float, step: float) -> list[tuple[float, Value]]:
        """How much a counter grew: each reading against the one before it, in a bucket or not, whose time is known."""
        growth: dict[tuple[int, int], int] = {}
        before: int | None = None
        for told in self.told:
            if told.name == name and self.wall(told) is not None:
                value = int(told.value)
                growth[told.boot, told.seq] = (
                    0 if before is None else value - before if value >= before else value
                )  # it fell: it began again from 0
                before = value
        return self.gathered(name, start, end, step, lambda told: sum(growth[each.boot, each.seq] for each in told))

    def weighed(self, name: str, start: float, end: float, step: float, keeps: float) -> list[tuple[float, Value]]:
        """Means over time: each value counts until the next one of its boot, *keeps* at most, and in the buckets that
        have a reading of its clock segment."""
        width, ms = round(step * 1000), round(keeps * 1000)
        mine = [told for told in self.told if told.name == name]
        inside = {(each.boot, each.seq) for each in self.between(name, start, end)}
        own: dict[tuple[int, int, int], float] = {}  # boot, segment, bucket -> its last value
        areas: dict[tuple[int, int, int], list[float]] = {}
        for told in mine:
            if (told.boot, told.seq) in inside and (wall := self.wall(told)) is not None:
                own[told.boot, self.segment(told), wall // width] = float(told.value)
        for at, told in enumerate(mine):
            after = mine[at + 1].ms if at + 1 < len(mine) and mine[at + 1].boot == told.boot else told.ms + ms
            segments = self.store.segments.get(told.boot, [])
            for number, (since, offset) in enumerate(segments):
                begin = max(told.ms, since if number else 0, round(start * 1000) - offset)
                stop = min(after, told.ms + ms, round(end * 1000) - offset,
                           segments[number + 1][0] if number + 1 < len(segments) else 2**62)  # fmt: skip
                while begin < stop:
                    key = (begin + offset) // width
                    edge = min(stop, (key + 1) * width - offset)
                    if (told.boot, number, key) in own:
                        sums = areas.setdefault((told.boot, number, key), [0.0, 0.0])
                        sums[:] = sums[0] + float(told.value) * (edge - begin), sums[1] + edge - begin
                    begin = edge
        found: dict[int, tuple[float, float, float]] = {}
        for place in sorted(own):
            more, longer = areas.get(place, [0.0, 0.0])
            area, held, _ = found.get(place[2], (0.0, 0.0, 0.0))
            found[place[2]] = area + more, held + longer, own[place]
        return [(key * width / 1000, area / held if held else last)
                for key, (area, held, last) in sorted(found.items())]  # fmt: skip
