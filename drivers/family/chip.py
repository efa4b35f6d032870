"""Both sides of the bus of a chip that a table of the ``registers`` family describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.api import (
    BadFrame,
    BadValue,
    Operation,
    Quantity,
    Sample,
    Sleep,
    Talk,
    Transfer,
    Value,
    WrongDevice,
)
from drivers.codec.checksums import Checksum
from drivers.family.layout import Layout
from drivers.family.swaying import Swaying


@dataclass(frozen=True, slots=True)
class Step:
    """Write *write*; or read register *pointer*, which must hold *expect* in the bits of *mask*; then wait."""

    write: bytes
    wait: float
    pointer: bytes = b""
    expect: bytes = b""
    mask: bytes = b""


@dataclass(frozen=True, slots=True)
class Map:
    """All that a table says of its chip."""

    layout: Layout
    init: tuple[Step, ...]
    before: tuple[Step, ...]  # each measurement
    check: tuple[Checksum, int] | None  # behind so many bytes each
    latch: bytes

    def sizes(self) -> Mapping[bytes, int]:
        """How many bytes of each register are read."""
        sizes = dict[bytes, int]()
        for field in self.layout.read:
            sizes[field.place] = max(sizes.get(field.place, 0), field.end)
        for pointer in sizes if self.check else ():
            sizes[pointer] += -sizes[pointer] % (self.check[1] + self.check[0].size) if self.check else 0
        return sizes

    def holds(self, pointer: bytes, raw: bytes, size: int) -> bytes:
        """*raw*, if it is of that size and its checksums are right."""
        if len(raw) != size:
            raise BadFrame(f"register {pointer.hex()}: {len(raw)} bytes in place of {size}: {raw.hex(' ')}")
        if self.check and self.sealed(raw) != raw:
            raise BadFrame(f"register {pointer.hex()}: checksum wrong: {raw.hex(' ')}")
        return raw

    def sealed(self, raw: bytes) -> bytes:
        """*raw* with the right checksums in it."""
        if self.check is None:
            return raw
        (kind, each), parts = self.check, []
        for at in range(0, len(raw), each + kind.size):
            data = raw[at : at + each]
            parts.append(data + kind.bytes_of(data))
        return b"".join(parts)

    def sample(self, answers: Mapping[bytes, bytes]) -> Sample:
        return self.layout.sample({f: answers[f.place][f.at : f.end] for f in self.layout.read if f.place in answers})


class Chip:
    """One chip that measures."""

    start: Callable[[], Talk[str]]

    def __init__(self, map: Map) -> None:
        self.map, self.sizes = map, map.sizes()
        self.latch = map.latch
        if map.init:
            self.start = self.begin

    def begin(self) -> Talk[str]:
        self.latch = self.map.latch
        for step in self.map.init:
            if step.expect:
                found = yield Transfer(step.pointer, len(step.expect))
                expected(step, found)
            else:
                yield Transfer(step.write)
            if step.wait:
                yield Sleep(step.wait)
        return ""

    def measure(self) -> Talk[Sample]:
        for step in self.map.before:
            yield Transfer(step.write)
            yield Sleep(step.wait)
        answers = dict[bytes, bytes]()
        for pointer, size in self.sizes.items():
            answers[pointer] = self.map.holds(pointer, (yield Transfer(pointer, size)), size)
        return self.map.sample(answers)


class Outputs(Chip):
    """One that has something to set."""

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        field = self.map.layout.by_quantity.get(quantity)
        if field is None or not field.writable:
            raise BadValue(f"{quantity.name} cannot be set")
        size = self.sizes[field.place]
        whole = field.at == 0 and field.coding and field.coding.size == size and not field.coding.bits
        if self.latch:
            old = self.latch
        elif whole:
            old = bytes(size)
        else:
            old = self.map.holds(field.place, (yield Transfer(field.place, size)), size)
        raw = field.raw(value, old[field.at : field.end])
        new = self.map.sealed(old[: field.at] + raw + old[field.end :])
        yield Transfer(field.place + new)
        self.latch = new if self.latch else b""
        return {quantity: field.value(field.number(raw))}


def expected(step: Step, found: bytes) -> None:
    """See that a register holds what tells this chip from others."""
    if len(found) != len(step.expect) or set(found) in ({0x00}, {0xFF}):
        raise BadFrame(f"register {step.pointer.hex()} is {found.hex(' ')}: the line is held, or disturbed")
    if any((a ^ b) & c for a, b, c in zip(found, step.expect, step.mask, strict=True)):
        reason = f"register {step.pointer.hex()} is {found.hex(' ')}, and this chip has {step.expect.hex(' ')}"
        raise WrongDevice(reason)


class Emulator:
    """A chip that has all registers that the table reads, with numbers that sway."""

    def __init__(self, map: Map, bases: Mapping[bytes, bytes], start: Mapping[str, Any]) -> None:
        self.map = map
        self.memory = {pointer: bytes(size) for pointer, size in map.sizes().items()}
        self.memory |= {step.pointer: step.expect for step in map.init if step.expect}
        self.memory |= bases
        if map.latch:
            self.memory = dict.fromkeys(map.sizes(), map.latch)
        self.pointer = next(iter(self.memory))
        shown = {f: bases[f.place][f.at : f.end] for f in map.layout.read if f.place in bases}
        if map.latch:
            shown |= {f: map.latch[f.at : f.end] for f in map.layout.read}
        self.swaying = Swaying(map.layout, shown, start)
        self.show(True)

    def transfer(self, write: bytes, read: int) -> bytes:
        own = [pointer for pointer in self.memory if write.startswith(pointer)]
        if own and write:
            self.pointer = max(own, key=len)
            data = write[len(self.pointer) :]
            if len(data) == len(self.memory[self.pointer]):
                self.memory[self.pointer] = data
        return self.memory[self.pointer][:read]

    def show(self, first: bool = False) -> None:
        for field, value in self.swaying.shown(first):
            old = self.memory[field.place]
            raw = field.raw(value, old[field.at : field.end])
            self.memory[field.place] = self.map.sealed(old[: field.at] + raw + old[field.end :])

    def tick(self, seconds: float) -> bytes:
        self.swaying.age += seconds
        self.show()
        return b""


def transferred(emulator: Emulator, wanted: Operation) -> bytes:
    assert isinstance(wanted, Transfer)
    return emulator.transfer(wanted.write, wanted.read)
