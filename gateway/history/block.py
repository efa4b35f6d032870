"""How readings of one series lie in a block: columns of whole numbers, each as narrow as it can be, then deflated.

A column of numbers is kept as what stands above the smallest of it, in 1, 2, 4 or 8 bytes, all first bytes first and
so on: neighbours are alike then, and zlib finds that.  Unpacking is a few copies per column; whatever is summed or
compared after that is done by C.  Pure functions: no file, no clock.
"""

from __future__ import annotations

import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import gt, mul, sub
from struct import Struct

from gateway.history.question import Place

SIZE = 1000  # readings of a block, at most
WIDE = 2**53  # numbers beyond that are kept as they are, not as decimals
HEAD = Struct("<qc")  # the smallest, and the type code of what stands above it
LENGTHS = Struct("<II")
WIDTHS = {"B": 1 << 8, "H": 1 << 16, "I": 1 << 32}


def packed(column: Sequence[int] | Sequence[float]) -> bytes:
    """A column of whole numbers, or of floats where one of it is no whole number."""
    if isinstance(column, array) and column.typecode == "d":
        return HEAD.pack(0, b"d") + planes(column)
    low = min(column)
    spread = max(column) - low
    code = next((code for code, limit in WIDTHS.items() if spread < limit), "Q")
    above = array(code, [each - low for each in column]) if low else array(code, column)
    return HEAD.pack(int(low), code.encode()) + planes(above)


def planes(numbers: array[int] | array[float]) -> bytes:
    raw, width = numbers.tobytes(), numbers.itemsize
    return b"".join([raw[at::width] for at in range(width)])


def unpacked(data: bytes | memoryview, count: int, at: int) -> tuple[int, array[int], int]:
    """The smallest number of the column of *count* that begins at *at*, what stands above it, and where it ends."""
    low, code = HEAD.unpack_from(data, at)
    numbers: array[int] = array(code.decode())
    width, at = numbers.itemsize, at + HEAD.size
    end = at + count * width
    if width == 1:
        numbers.frombytes(data[at:end])
    else:
        raw = bytearray(count * width)
        for plane in range(width):
            raw[plane::width] = data[at + plane * count : at + (plane + 1) * count]
        numbers.frombytes(raw)
    return low, numbers, end


@dataclass(slots=True)
class Points:
    """Readings of one series and one boot in their order.  ``ms`` are counted from *origin*, ``values`` from *base*;
    *values* of texts are numbers in *words*.  ``rest`` holds what few ask for: see ``seqs`` and ``suspects``."""

    boot: int
    origin: int
    ms: Sequence[int]
    base: int
    values: Sequence[int] | Sequence[float]
    words: Sequence[str] | None
    rest: bytes | tuple[Sequence[int], set[int]]

    def __len__(self) -> int:
        return len(self.ms)

    def find(self, ms: int) -> int:
        """How many of them are before *ms*."""
        return bisect_left(self.ms, ms - self.origin)

    def more(self) -> tuple[Sequence[int], set[int]]:
        """The number of each reading, and at which places stand those that are suspect."""
        if isinstance(self.rest, bytes):
            data = zlib.decompress(self.rest)
            low, above, at = unpacked(data, len(self.ms), 0)
            suspects: array[int] = array("H")
            suspects.frombytes(data[at:])
            self.rest = [low + each for each in above] if low else above, set(suspects)
        return self.rest

    def place(self, at: int) -> Place:
        return Place(self.boot, self.origin + self.ms[at], self.more()[0][at])


def pack(points: Points) -> bytes:
    """The block of *points*."""
    seqs, suspects = points.more()
    words = json.dumps(points.words, ensure_ascii=False).encode() if points.words is not None else b""
    much = zlib.compress(packed(points.ms) + packed(points.values) + words, 6)
    little = zlib.compress(packed(seqs) + array("H", sorted(suspects)).tobytes(), 6)
    return LENGTHS.pack(len(points.ms), len(much)) + much + little


def unpack(data: bytes, boot: int, rest: bool = False) -> Points:
    """The points of a block; with their numbers at once, if the *rest* is wanted.  Raises ValueError when it is
    damaged."""
    try:
        count, size = LENGTHS.unpack_from(data)
        much = zlib.decompress(data[LENGTHS.size : LENGTHS.size + size])
        origin, ms, at = unpacked(much, count, 0)
        base, values, at = unpacked(much, count, at)
        words = json.loads(much[at:]) if at < len(much) else None
        points = Points(boot, origin, ms, base, values, words, data[LENGTHS.size + size :])
        if rest:
            points.more()
    except (zlib.error, LookupError, ValueError, OverflowError) as error:
        raise ValueError(f"a damaged block: {error}") from None
    except Exception as error:  # struct.error is an Exception of its own
        raise ValueError(f"a damaged block: {error!r}") from None
    return points


@dataclass(slots=True)
class Sum:
    """What a run of readings comes to.  It is joined with the next without looking at the readings again.
    *start* and *stop* are when the first and the last were, in milliseconds of *boot*, but *start* of the boot *since*
    where several were joined; *area* is the sum of each value
    times the milliseconds it held until the next, which were *held* together; *growth* is how much a counter grew."""

    boot: int
    start: int
    stop: int
    n: int
    total: float = 0
    low: float = 0
    high: float = 0
    first: float = 0
    last: float = 0
    area: float = 0
    held: float = 0
    growth: float = 0
    since: int | None = None

    @property
    def begun(self) -> tuple[int, int]:
        """The boot and the millisecond of its first reading."""
        return self.boot if self.since is None else self.since, self.start


def summed(points: Points, begin: int, end: int, keeps: int, need: str = "") -> Sum:
    """What the readings from place *begin* on and before *end* (at least one) come to; only what the aggregate *need*
    takes, unless it is empty.  A reading holds for *keeps* milliseconds at most."""
    ms, base, origin, n = points.ms, points.base, points.origin, end - begin
    values = points.values if n == len(points.values) else points.values[begin:end]
    first, last = base + values[0], base + values[-1]
    made = Sum(points.boot, origin + ms[begin], origin + ms[end - 1], n, first=first, last=last)
    if need in ("", "mean", "sum"):
        made.total = base * n + sum(values)
    if need in ("", "min", "extremes"):
        made.low = base + min(values)
    if need in ("", "max", "extremes"):
        made.high = base + max(values)
    if need in ("", "twa") and n > 1:
        gaps: Sequence[int] = list(map(sub, ms[begin + 1 : end], ms[begin : end - 1]))
        if max(gaps) > keeps:
            gaps = [min(gap, keeps) for gap in gaps]
        made.held = sum(gaps)
        made.area = base * made.held + sum(map(mul, values, gaps))
    if need in ("", "delta", "rate") and n > 1:
        made.growth = last - first
        if any(map(gt, values, values[1:])):  # it fell: it began again, at 0
            steps = zip(values, values[1:], strict=False)
            made.growth = sum(after - before if after >= before else base + after for before, after in steps)
    return made


def join(before: Sum, after: Sum, keeps: int) -> Sum:
    """Both together.  Across the start of a boot nobody knows how long the last value held."""
    held = min(after.start - before.stop, keeps) if before.boot == after.boot else 0
    return Sum(
        after.boot,
        before.start,
        after.stop,
        before.n + after.n,
        before.total + after.total,
        min(before.low, after.low),
        max(before.high, after.high),
        before.first,
        after.last,
        before.area + after.area + before.last * held,
        before.held + after.held + held,
        before.growth + after.growth + grown(before.last, after.first),
        before.begun[0],
    )


def grown(before: float, after: float) -> float:
    """How much a counter grew from one reading to the next; one that fell began again at 0."""
    return after - before if after >= before else after
