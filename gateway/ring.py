"""What went over a device's wire: the last of it is kept, always, so that trouble can be looked into after it happened.

Of operations and edges that are no bytes themselves, here is what stands for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import inf
from struct import Struct
from typing import Any

from drivers.api import Ask, Edge, Operation, Read, SetLines, Transfer, Write
from gateway.handle import Chunk

RING, PIECES = 64_000, 2048  # raw bytes that a device remembers, and in how many pieces
JOINED = 0.05  # seconds in which what comes is one piece: an adapter delivers a dozen bytes at a time
OPENING = 16_384  # bytes from the beginning of a connection that are kept for themselves
HEAD = Struct("=dH??")  # of a chunk: its second, how long it is, whether it came from the device, and as the first
MOST = 4096  # bytes of one that grew
LEAST = OPENING // 100  # that each of its pieces counts for at least


Followers = dict[Callable[[Chunk], None], None]  # a set that keeps its order


class Ring:
    """The last raw bytes of a device, bounded; always on, so that trouble can be looked into after it happened.
    They lie packed: as objects, of six bytes each, they would take eight times the memory.  *followers* are those of
    the ring before, where there was one."""

    def __init__(self, monotonic: Callable[[], float], followers: Followers | None = None) -> None:
        self.monotonic = monotonic
        self.packed = bytearray()
        self.count = self.size = self.received = 0
        self.understood = 0  # bytes received when something was last understood
        self.first = bytearray()  # of the connection, as far as kept for itself
        self.opening = False
        self.spare = 0  # bytes for more of them
        self.since = self.noted = 0  # chunks before those, and all
        self.last = 0.0  # second of the last
        self.tail: int | None = None  # where in what is packed the piece begins that may grow
        self.followers: Followers = {} if followers is None else followers

    def note(self, way: str, data: bytes, exact: float = inf) -> None:
        """*data* went over the wire now, or at second *exact*, but after all that was noted before."""
        if way == "<":
            self.received += len(data)
        data, at = data[-RING:], max(self.last, min(exact, self.monotonic()))
        grows = way == "<" and exact == inf and not self.opening
        if not (grows and self.joins(data, at)):
            packed = HEAD.pack(at, len(data), way == "<", self.opening) + data
            self.noted, self.last = self.noted + 1, at
            if self.spare > 0:
                self.first += packed
                self.spare -= max(len(data), LEAST)
            self.tail = len(self.packed) if grows else None
            self.packed += packed
            self.count += 1
        self.size += len(data)
        while self.size > RING or self.count > PIECES:
            length = HEAD.unpack_from(self.packed)[1]
            del self.packed[: HEAD.size + length]
            self.count, self.size = self.count - 1, self.size - length
            if self.tail is not None:
                self.tail = None if self.tail == 0 else self.tail - HEAD.size - length
        if self.followers:
            chunk = Chunk(at, way, data, self.opening)
            for take in tuple(self.followers):
                take(chunk)

    def joins(self, data: bytes, at: float) -> bool:
        """Whether *data* has become a part of the last piece.  Whoever follows tells pieces apart by their times."""
        if self.tail is None or at - self.last > JOINED or self.followers:
            return False
        began, length, *ways = HEAD.unpack_from(self.packed, self.tail)
        if length + len(data) > MOST:
            return False
        HEAD.pack_into(self.packed, self.tail, began, length + len(data), *ways)
        self.packed += data
        return True

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        """Have *take* called with each chunk to come, until the returned function is called.  It must not raise."""
        self.followers[take] = None
        return lambda: self.followers.pop(take, None) and None

    def begin(self) -> None:
        """A connection begins.  What is said until ``begun`` is kept for as long as it lasts: nobody understands a chip
        without the calibration that it told first."""
        self.first, self.spare, self.since, self.opening = bytearray(), OPENING, self.noted, True
        self.tail = None

    def begun(self) -> None:
        self.spare, self.opening = 0, False

    def __iter__(self) -> Iterator[Chunk]:
        gone = self.noted - self.count - self.since
        return iter((*islice(unpacked(self.first), max(0, gone)), *unpacked(self.packed)))


def unpacked(data: bytearray) -> Iterator[Chunk]:
    at = 0
    while at < len(data):
        when, length, came, opening = HEAD.unpack_from(data, at)
        at += HEAD.size + length
        yield Chunk(when, "<" if came else ">", bytes(data[at - length : at]), opening)


def sent(operation: Operation) -> bytes:
    """What of *operation* goes to the device, as its ring has it: of a file of the kernel the name, and what is
    written; of lines the levels, as text."""
    match operation:
        case Transfer(write=data) | Ask(write=data):
            return data
        case Read(attribute=attribute):
            return attribute.encode()
        case Write(attribute=attribute, text=text):
            return f"{attribute} {text}".encode()
        case SetLines(levels=levels):
            return b"".join(leveled(line, level) for line, level in levels)
        case _:
            return b""


def leveled(line: str, level: bool) -> bytes:
    """A level of a GPIO line as a ring has it."""
    return f"{line} {level:d}\n".encode()


def edged(fed: Callable[[Any], object], ring: Ring) -> Callable[[Any], object]:
    """*fed*, of edges, which *ring* notes before."""

    def told(edges: Iterable[Edge]) -> None:
        for edge in edges:
            ring.note("<", leveled(edge.line, edge.level), edge.at)
        fed(edges)

    return told
