"""Both sides of the wire of a binary device that a table of the ``frame`` family describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from drivers.api import Ask, BadFrame, BadValue, DeviceError, Quantity, Sample, Talk, Value
from drivers.codec.checksums import CHECKSUMS, Checksum, Order
from drivers.family.layout import Coding, Field, Layout
from drivers.family.opening import Step, opened
from drivers.family.proof import Mark
from drivers.family.swaying import Swaying

LONGEST = 1024  # bytes of a frame
ORDERS: tuple[Order, ...] = ("big", "little")


@dataclass(frozen=True, slots=True)
class Check:
    """A checksum over the bytes *first* to *last*, which stands at *at*; below 0 they count from the frame's end."""

    kind: Checksum
    first: int
    last: int
    at: int
    order: Order | None

    def seal(self, frame: bytes) -> bytes:
        """*frame* with the right checksum in it."""
        at = self.at % len(frame)
        return frame[:at] + self.kind.bytes_of(frame[self.first : self.last], self.order) + frame[at + self.kind.size :]

    def told(self, frame: bytes) -> str:
        """What to write where the checksum in *frame* is right, but another; one of a single byte fits by chance."""
        at, size = self.at % len(frame), self.kind.size
        said, firsts = frame[at : at + size], (self.first, *range(5)) if size > 1 else (self.first,)
        for name, kind in CHECKSUMS.items() if self.seal(frame) != frame else ():
            for order in ORDERS if kind.size == size else ():
                for first in firsts:
                    if kind.bytes_of(frame[first : self.last], order) == said:
                        usual = "" if order == kind.order or size == 1 else f', order = "{order}"'
                        return f'checksum, as of kind = "{name}", from = {first}{usual}'
        return "checksum"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a frame begins, how long it is, how it ends."""

    start: bytes
    end: bytes
    length: int  # 0: it says it
    at: int
    counted: Coding | None
    plus: int
    check: Check | None

    def size(self, buffer: bytes) -> int:
        """How long the frame at the start of *buffer* is, 0 for "more"; BadFrame: none begins here."""
        if not self.start.startswith(buffer[: len(self.start)]):
            raise BadFrame(f"no start {self.start.hex(' ')}: {buffer[:16].hex(' ')}")
        size = self.length
        if self.counted:
            end = self.at + self.counted.size
            if len(buffer) < end:
                return 0
            number = self.counted.read(buffer[self.at : end])
            assert isinstance(number, int)
            size = number + self.plus
            if not max(end, len(self.start) + len(self.end) + 1) <= size <= LONGEST:
                raise BadFrame(f"a frame of {size} bytes: {buffer[:16].hex(' ')}")
        return size if len(buffer) >= size else 0

    def holds(self, frame: bytes) -> None:
        """BadFrame unless *frame* is whole, and what it says of itself is so."""
        if not frame or self.size(frame) != len(frame):
            raise BadFrame(f"{len(frame)} bytes are no frame: {frame[:32].hex(' ')}")
        if not frame.endswith(self.end):
            raise BadFrame(f"no end {self.end.hex(' ')}: {frame.hex(' ')}")
        if self.check and self.check.seal(frame) != frame:
            at, size = self.check.at % len(frame), self.check.kind.size
            right = self.check.seal(frame)[at : at + size].hex(" ")
            raise BadFrame(f"checksum {frame[at : at + size].hex(' ')} in place of {right}: {frame[:32].hex(' ')}")

    def marks(self, frame: bytes) -> list[Mark]:
        """What of *frame* is no field, for a drawing."""
        marks = [(0, len(self.start), "start"), (len(frame) - len(self.end), len(self.end), "end")]
        if self.counted:
            marks.append((self.at, self.counted.size, "length"))
        if self.check and frame:
            marks.append((self.check.at % len(frame), self.check.kind.size, self.check.told(frame)))
        return [mark for mark in marks if mark[1]]

    def sample(self, layout: Layout, frame: bytes) -> Sample:
        self.holds(frame)
        return layout.sample({f: frame[f.at : f.end] for f in layout.read if self.has(f, frame)})

    def shown(self, layout: Layout, frame: bytes) -> set[Field]:
        """The fields whose bytes the good *frame* has; where several have one place, those whose condition holds."""
        sample = self.sample(layout, frame)
        return {f for f in layout.read if self.has(f, frame) and (f.when is None or f.quantity in sample)}

    def has(self, field: Field, frame: bytes) -> bool:
        """Whether *field* lies in *frame*, which may be a short one, and not where its checksum or its end is."""
        at, size = (self.check.at % len(frame), self.check.kind.size) if self.check else (0, 0)
        return field.end <= len(frame) - len(self.end) and not (field.at < at + size and at < field.end)


class Talker:
    """A device that sends frames by itself."""

    start: Callable[[], Talk[str]]

    def __init__(self, shape: Shape, layout: Layout, init: tuple[Step, ...]) -> None:
        self.shape, self.layout = shape, layout
        self.buffer = b""
        if init:
            self.start = partial(opened, init)

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        self.buffer += data
        while (at := self.begins()) >= 0:
            self.buffer = self.buffer[at:]
            try:
                size = self.shape.size(self.buffer)
                if not size:
                    return
                sample = self.shape.sample(self.layout, self.buffer[:size])
            except BadFrame as error:
                self.buffer = self.buffer[1:]  # a true frame may begin inside the false one
                yield error
            except BadValue as error:
                self.buffer = self.buffer[size:]
                yield error
            else:
                self.buffer = self.buffer[size:]
                if sample:
                    yield sample

    def begins(self) -> int:
        """Where a frame may begin; -1 when that is nowhere, and then noise is dropped."""
        start = self.shape.start
        at = self.buffer.find(start)
        if at < 0:
            kept = next((n for n in range(len(start) - 1, 0, -1) if self.buffer.endswith(start[:n])), 0)
            self.buffer = self.buffer[len(self.buffer) - kept :]
        return at


class Asked:
    """A device that sends a frame when it is asked; each of *asks* in turn."""

    start: Callable[[], Talk[str]]

    def __init__(
        self, shape: Shape, layout: Layout, init: tuple[Step, ...], asks: Iterable[bytes], timeout: float
    ) -> None:
        self.shape, self.layout = shape, layout
        self.asks = tuple(Ask(ask, shape.size, timeout) for ask in asks)
        if init:
            self.start = partial(opened, init)

    def measure(self) -> Talk[Sample]:
        sample = dict[Quantity, Value]()
        for ask in self.asks:
            sample |= self.shape.sample(self.layout, (yield ask))
        return sample


class Emulator:
    """The device's side of the wire: good vectors, by what they answer, with numbers that sway.  Of one that talks, by
    nothing."""

    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        init: tuple[Step, ...],
        bases: Mapping[bytes, bytes],
        start: Mapping[str, Any],
        period: float,
    ) -> None:
        self.init = {step.ask.write: step.answer for step in init}
        self.shape, self.bases, self.period = shape, bases, period
        self.own = {ask: shape.shown(layout, base) for ask, base in bases.items()}
        first = dict[Field, bytes]()
        for ask, base in bases.items():
            first = {field: base[field.at : field.end] for field in self.own[ask]} | first
        self.swaying = Swaying(layout, first, start)
        self.waited = max(period - 1, 0.0)
        self.heard = b""

    def receive(self, data: bytes) -> bytes:
        self.heard = (self.heard + data)[-LONGEST:]
        for write, answer in self.init.items():
            if self.heard.endswith(write):
                self.heard = b""
                return answer
        answers = b""
        for ask in filter(None, self.bases):
            if count := self.heard.count(ask):
                self.heard = self.heard[self.heard.rfind(ask) + len(ask) :]
                answers += self.frame(ask) * count
        return answers

    def tick(self, seconds: float) -> bytes:
        times, self.waited = divmod(self.waited + seconds, self.period)
        self.swaying.age += seconds
        return b"".join(self.frame(b"") for _ in range(int(times))) if b"" in self.bases else b""

    def frame(self, ask: bytes) -> bytes:
        frame = self.bases[ask]
        for field, value in self.swaying.shown(True):
            if field in self.own[ask]:
                frame = frame[: field.at] + field.raw(value, frame[field.at : field.end]) + frame[field.end :]
        return self.shape.check.seal(frame) if self.shape.check else frame
