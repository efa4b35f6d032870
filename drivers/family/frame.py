"""The ``frame`` family: tables of binary devices on a serial line, that talk by themselves or are asked.  How to write
one: docs/tables.md.

A frame has a start, a length that is fixed or that it says itself, perhaps a checksum and an end:

    AA C0 | D4 04 3A 0A A1 60 | 1D | AB
    start   fields              sum  end
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from drivers.api import Ask, BadFrame, BadValue, Device, DeviceError, Driver, Sample, Serial, Talk
from drivers.codec.checksums import CHECKSUMS, Checksum, Order
from drivers.family import ABOUT, NUMBER, PORT, BadTable, Key, Problems, Table, about, take
from drivers.family.fields import Coding, Field, Layout, overlay, read_coding, read_layout
from drivers.family.opening import Step, opened, read_init
from drivers.family.proof import ERRORS, Mark, draw, hexed, judged, named
from drivers.family.swaying import Swaying

LONGEST = 1024  # bytes of a frame
TABLE = {
    **ABOUT,
    "family": Key((str,), ..., ("frame",)),
    "serial": Key((dict,), {}),
    "frame": Key((dict,)),
    "init": Key((list,), [], items=dict),
    "field": Key((dict,), {}),
    "emulator": Key((dict,), {}),
}
FRAME = {
    "start": Key((str,)),
    "end": Key((str,), ""),
    "length": Key((int, dict)),
    "check": Key((dict,), None),
    "ask": Key((str,), ""),
    "timeout": Key(NUMBER, 1.0, span=(0.01, 60)),
}
LENGTH = {
    "at": Key((int,), span=(0, LONGEST)),
    "type": Key((str,), "uint8"),
    "order": Key((str,), "big", ("big", "little")),
    "plus": Key((int,), 0, span=(-LONGEST, LONGEST)),  # what the number says and this are the whole frame's bytes
}
PLACE = (-LONGEST, LONGEST)
CHECK = {
    "kind": Key((str,), ..., tuple(CHECKSUMS)),
    "from": Key((int,), 0, span=PLACE),
    "to": Key((int,), None, span=PLACE),
    "at": Key((int,), None, span=PLACE),
    "order": Key((str,), None, ("big", "little")),
}
AT = {"at": Key((int,), None, span=(0, LONGEST))}
VECTOR = {"hex": Key((str,)), "gives": Key((dict,), {}), "error": Key((str,), "", ERRORS)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The table has said it all."""


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
            marks.append((self.check.at % len(frame), self.check.kind.size, "checksum"))
        return [mark for mark in marks if mark[1]]

    def sample(self, layout: Layout, frame: bytes) -> Sample:
        self.holds(frame)
        return layout.sample({f: frame[f.at : f.end] for f in layout.read if self.has(f, frame)})

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
    """A device that sends a frame when it is asked."""

    start: Callable[[], Talk[str]]

    def __init__(self, shape: Shape, layout: Layout, init: tuple[Step, ...], ask: bytes, timeout: float) -> None:
        self.shape, self.layout = shape, layout
        self.ask = Ask(ask, shape.size, timeout)
        if init:
            self.start = partial(opened, init)

    def measure(self) -> Talk[Sample]:
        return self.shape.sample(self.layout, (yield self.ask))


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", PORT, problems)
    said = take({} if top["frame"] is ... else top["frame"], "frame", FRAME, problems)
    shape = read_shape(said, problems)
    layout = read_layout(top, AT, locate, problems)
    ask = hexed(said["ask"], "frame.ask", problems)
    init = read_init(top["init"], None, problems)
    start = take(top["emulator"], "emulator", {"start": Key((dict,), {})}, problems)["start"]
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    if not any(not vector["error"] for vector in vectors):
        problems.append(("vector", "a frame table shows at least one good frame, which the emulator sends, too"))
    if shape and shape.length:
        for field in layout.read:
            if field.end > shape.length:
                where = f"{'quantity' if field.quantity else 'field'}.{field.name}.at"
                problems.append((where, f"ends at byte {field.end}, and the frame has {shape.length}"))
    if problems or shape is None:
        raise BadTable(problems)
    overlay(layout, start, "emulator.start", problems)
    frames = [hexed(vector["hex"], f"vector.{at}.hex", problems) for at, vector in enumerate(vectors)]
    for at, (vector, frame) in enumerate(zip(vectors, frames, strict=True)):
        decode = partial(lambda frame: named(shape.sample(layout, frame)), frame)
        problems += judged(f"vector.{at}", vector, decode, partial(draw, frame, layout.read, marks=shape.marks(frame)))
    if problems:
        raise BadTable(problems)
    base = next(frame for vector, frame in zip(vectors, frames, strict=True) if not vector["error"])
    emulator = partial(Emulator, shape, layout, init, base, start, ask, float(top["period"]) or 5.0)
    talker, asked = (
        partial(Talker, shape, layout, init),
        partial(Asked, shape, layout, init, ask, float(said["timeout"])),
    )
    make: Callable[[], Device] = asked if ask else talker
    try:
        shape.sample(layout, emulator().frame())
    except DeviceError as error:
        raise BadTable([("emulator", f"{type(error).__name__}: {error}")]) from None
    return Driver(
        name=name,
        title=top["title"],
        link=Serial(**serial),
        quantities=layout.quantities,
        period=float(top["period"]),
        settings=Settings,
        device=lambda settings: make(),
        emulator=emulator,
        documentation=about(top, guarded=shape.check is not None),
    )


def locate(said: dict[str, Any], where: str, problems: Problems) -> tuple[Any, int, str]:
    if said["at"] is None and not any(key == f"{where}.at" for key, _ in problems):
        problems.append((f"{where}.at", "is missing: the number of its first byte, from 0; or `value`, a formula"))
    if said.get("writable"):
        problems.append((f"{where}.writable", "is not for frames"))
    return None, said["at"] or 0, "uint8"


def read_shape(said: dict[str, Any], problems: Problems) -> Shape | None:
    before = len(problems)
    start = b"" if said["start"] is ... else hexed(said["start"], "frame.start", problems)
    end = hexed(said["end"], "frame.end", problems)
    if not start:
        problems.append(("frame.start", "is empty: nothing would tell where a frame begins"))
    length, at, counted, plus = said["length"], 0, None, 0
    if length is ... or said["start"] is ...:
        return None
    if isinstance(length, dict):
        taken = take(length, "frame.length", LENGTH, problems)
        counted = read_coding(taken["type"], taken["order"], None, "frame.length", problems)
        if counted and counted.kind != "uint":
            problems.append(("frame.length.type", f"{taken['type']!r} is no length: uint8, uint16 ..."))
        length, at, plus = 0, taken["at"], taken["plus"]
    elif isinstance(length, int) and not len(start) + len(end) < length <= LONGEST:
        problems.append(("frame.length", f"{length} is not above start and end, nor at most {LONGEST}"))
    check = read_check(said["check"], end, problems) if said["check"] is not None else None
    return Shape(start, end, length, at, counted, plus, check) if len(problems) == before else None


def read_check(said: Table, end: bytes, problems: Problems) -> Check | None:
    """Where nothing is said, the checksum stands right before the end and covers all before itself."""
    taken = take(said, "frame.check", CHECK, problems)
    if taken["kind"] is ...:
        return None
    kind = CHECKSUMS[taken["kind"]]
    at = -kind.size - len(end) if taken["at"] is None else taken["at"]
    return Check(kind, taken["from"], at if taken["to"] is None else taken["to"], at, taken["order"])


class Emulator:
    """The device's side of the wire: the first good vector, with numbers that sway."""

    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        init: tuple[Step, ...],
        base: bytes,
        start: Mapping[str, Any],
        ask: bytes,
        period: float,
    ) -> None:
        self.init = {step.ask.write: step.answer for step in init}
        self.shape, self.base, self.ask, self.period = shape, base, ask, period
        bases = {field: base[field.at : field.end] for field in layout.read if shape.has(field, base)}
        self.swaying = Swaying(layout, bases, start)
        self.waited = max(period - 1, 0.0)
        self.heard = b""

    def receive(self, data: bytes) -> bytes:
        self.heard = (self.heard + data)[-LONGEST:]
        for write, answer in self.init.items():
            if self.heard.endswith(write):
                self.heard = b""
                return answer
        count = self.heard.count(self.ask) if self.ask else 0
        if count:
            self.heard = self.heard[self.heard.rfind(self.ask) + len(self.ask) :]
        return self.frame() * count

    def tick(self, seconds: float) -> bytes:
        times, self.waited = divmod(self.waited + seconds, self.period)
        self.swaying.age += seconds
        return b"" if self.ask else b"".join(self.frame() for _ in range(int(times)))

    def frame(self) -> bytes:
        frame = self.base
        for field, value in self.swaying.shown(True):
            if self.shape.has(field, frame):
                frame = frame[: field.at] + field.raw(value, frame[field.at : field.end]) + frame[field.end :]
        return self.shape.check.seal(frame) if self.shape.check else frame
