"""Both sides of the line of a unit that a table of the ``modbus`` family describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from drivers.api import BadValue, Operation, Quantity, Request, Sample, Talk, Value
from drivers.codec.modbus import BITS, Exchange, bits, pdu
from drivers.codec.modbus_slave import Slave
from drivers.codec.registers import blocks
from drivers.family.layout import Field, Layout
from drivers.family.swaying import Swaying

SPACES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}  # and the function that reads each


@dataclass(frozen=True, slots=True)
class Settings:
    """The table has said it all; the unit is chosen with its place."""


class Unit:
    """One unit.  It keeps nothing between two questions."""

    start: Callable[[], Talk[str]]

    def __init__(self, layout: Layout, line: Mapping[str, Any], init: tuple[Request, ...]) -> None:
        self.layout, self.single, self.init = layout, line["write"], init
        if init:
            self.start = self.begin
        sure, perhaps = (self.reads(line, line["gap"], False), self.reads(line, 0, True))
        self.perhaps = tuple(each for each in perhaps if not any(within(each, other) for other in sure))
        self.requests = sure + self.perhaps

    def reads(self, line: Mapping[str, Any], gap: int, optional: bool) -> tuple[Request, ...]:
        """The fewest requests for all fields that every such unit has, or for those that are *optional*."""
        return tuple(
            Request(function, *block)  # type: ignore[arg-type]  # one of the four that read
            for space, function in SPACES.items()
            for block in blocks(
                {(f.place[1], words(f)) for f in self.layout.read if f.place[0] == space and f.optional == optional},
                gap,
                BITS if function < 3 else line["most"],
            )
        )

    def begin(self) -> Talk[str]:
        for request in self.init:  # noqa: UP028  # a tuple cannot be sent the answers
            yield request
        return ""

    def measure(self) -> Talk[Sample]:
        raws = dict[Field, bytes]()
        for request in self.requests:
            try:
                raws |= cut(self.layout, request, (yield request))
            except BadValue:  # the unit has nothing there
                if request not in self.perhaps:
                    raise
                for part in self.parts(request):
                    with suppress(BadValue):
                        raws |= cut(self.layout, part, (yield part))
        return self.layout.sample(raws)

    def parts(self, request: Request) -> tuple[Request, ...]:
        """*request* once more, a field at a time: the unit may have some of what lies side by side."""
        spans = {(f.place[1], words(f)) for f in self.layout.read if SPACES[f.place[0]] == request.function}
        parts = (replace(request, address=address, count=count) for address, count in sorted(spans))
        return tuple(part for part in parts if part != request and within(part, request))


class Outputs(Unit):
    """One that has something to set."""

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        field = self.layout.by_quantity.get(quantity)
        if field is None or not field.writable:
            raise BadValue(f"{quantity.name} cannot be set")
        space, address = field.place
        if space == "coil":
            raw = field.raw(value, b"\0")
            yield Request(5, address, values=(raw[0],))
            return {quantity: field.value(field.number(raw))}
        assert field.coding
        old = b"" if field.coding.bits is None else (yield Request(3, address, words(field)))
        raw = field.raw(value, old)
        values = tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
        yield Request(6 if len(values) == 1 and self.single == 6 else 16, address, values=values)
        return {quantity: field.value(field.number(raw))}


def within(part: Request, whole: Request) -> bool:
    """Whether all that *part* reads is read by *whole*."""
    return (
        part.function == whole.function
        and whole.address <= part.address
        and part.address + part.count <= whole.address + whole.count
    )


def words(field: Field) -> int:
    """How many registers, or bits, *field* takes."""
    assert field.coding
    return 1 if SPACES[field.place[0]] < 3 else (field.coding.size + 1) // 2


def cut(layout: Layout, request: Request, data: bytes) -> Mapping[Field, bytes]:
    """The bytes of every field that lies wholly in the answer *data*."""
    raws = {}
    for field in layout.read:
        space, address = field.place
        at = address - request.address
        if SPACES[space] == request.function and 0 <= at <= at + words(field) <= request.count:
            if request.function < 3:
                raws[field] = bytes((bits(data, request.count)[at],))
            else:
                raws[field] = data[2 * at : 2 * (at + words(field))]
    return raws


class Emulator(Slave):
    """A unit that has all that the table reads, with numbers that sway."""

    def __init__(
        self,
        layout: Layout,
        requests: tuple[Request, ...],
        init: tuple[Request, ...],
        bases: Mapping[Field, bytes],
        start: Mapping[str, Any],
    ) -> None:
        self.spaces: dict[str, dict[int, int]] = {space: {} for space in SPACES}
        names = {function: space for space, function in SPACES.items()}
        for request in requests:
            own = range(request.address, request.address + request.count)
            self.spaces[names[request.function]] |= dict.fromkeys(own, 0)
        for request in init:
            self.spaces["coil" if request.function == 5 else "holding"].setdefault(request.address, 0)
        coils, inputs, holding, registers = self.spaces.values()
        super().__init__(coils=coils, inputs=inputs, holding=holding, registers=registers)
        for field, raw in bases.items():
            self.put(field, raw)
        self.swaying = Swaying(layout, bases, start)
        self.show(True)

    def put(self, field: Field, raw: bytes) -> None:
        space, address = field.place
        step = 1 if SPACES[space] < 3 else 2
        for at in range(0, len(raw), step):
            self.spaces[space][address + at // step] = int.from_bytes(raw[at : at + step], "big")

    def show(self, first: bool = False) -> None:
        for field, value in self.swaying.shown(first):
            space, address = field.place
            own = range(address, address + words(field))
            old = b"".join(self.spaces[space][each].to_bytes(1 if SPACES[space] < 3 else 2, "big") for each in own)
            self.put(field, field.raw(value, old))

    def tick(self, seconds: float) -> bytes:
        self.swaying.age += seconds
        self.show()
        return b""


def answered(emulator: Emulator, wanted: Operation) -> bytes:
    """What *emulator* answers, as the line would hand it on."""
    assert isinstance(wanted, Request)
    return Exchange(1, wanted).data(emulator.answer(pdu(wanted)))
