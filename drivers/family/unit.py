"""Both sides of the line of a unit that a table of the ``modbus`` family describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

from drivers.api import BadValue, NoAnswer, Operation, Quantity, Request, Sample, Talk, Value
from drivers.codec.modbus import BITS, Exchange, bits, pdu
from drivers.codec.modbus_slave import Slave
from drivers.codec.registers import blocks
from drivers.family.layout import Field, Layout
from drivers.family.swaying import Swaying

# What a unit refused, or twice in a row did not answer to, it is asked again after 20 more measurements, then 40 ...
AGAIN, DOUBLED = 10, 6
SPACES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}  # and the function that reads each


class Unit:
    """One unit, from when it is opened on."""

    start: Callable[[], Talk[str]]

    def __init__(self, layout: Layout, line: Mapping[str, Any], init: tuple[Request, ...]) -> None:
        self.layout, self.single, self.init = layout, line["write"], init
        if init:
            self.start = self.begin
        self.every = dict[Request, int]()  # of so many measurements, one asks this
        self.perhaps = set[Request]()  # what a unit need not answer
        for optional in (False, True):
            for every in sorted({field.every for field in layout.read if field.optional == optional}):
                self.plan(line, optional, every)
        self.requests = tuple(self.every)
        self.count = 0  # measurements
        self.whole = True  # the next one asks for all
        self.old = dict[Field, bytes]()  # what is not asked for each time, as it was when it was
        self.vain = dict[
            Request, tuple[int, int]
        ]()  # asked so often for nothing, and not before which measurement again

    def plan(self, line: Mapping[str, Any], optional: bool, every: int) -> None:
        """The fewest requests for all these fields, save what is read along anyway."""
        fields = [field for field in self.layout.read if (field.optional, field.every) == (optional, every)]
        for space, function in SPACES.items():
            spans = {(field.place[1], words(field)) for field in fields if field.place[0] == space}
            most = BITS if function < 3 else line["most"]
            for block in blocks(spans, 0 if optional else line["gap"], most):
                request = Request(function, *block)
                if not any(within(request, other) and often <= every for other, often in self.every.items()):
                    self.every[request] = every
                    if optional:
                        self.perhaps.add(request)

    def begin(self) -> Talk[str]:
        for request in self.init:  # noqa: UP028  # a tuple cannot be sent the answers
            yield request
        return ""

    def measure(self) -> Talk[Sample]:
        raws, seldom = dict[Field, bytes](), dict[Field, bytes]()
        for turn, request in enumerate(self.requests):
            if not self.whole and (self.count + turn) % self.every[request]:
                continue  # by its turn, so that they do not all come at once
            if request in self.perhaps:
                came = yield from self.some(request)
            else:
                came = cut(self.layout, request, (yield request))
            raws |= came
            if self.every[request] > 1:
                seldom |= dict.fromkeys(inside(self.layout, request), b"") | came
        old = {field: raw for field, raw in self.old.items() if field not in raws and field not in seldom}
        sample = self.layout.sample(old | raws, old)
        self.old = old | {field: raw for field, raw in seldom.items() if raw}
        self.count, self.whole = self.count + 1, False
        return sample

    def some(self, request: Request) -> Talk[dict[Field, bytes]]:
        """What the unit has of *request*: it may have a part of what lies side by side."""
        if (raws := (yield from self.attempt(request))) is not None:
            return raws
        spans = {(f.place[1], words(f)) for f in self.layout.read if SPACES[f.place[0]] == request.function}
        found = dict[Field, bytes]()
        for address, count in sorted(spans):
            part = replace(request, address=address, count=count)
            if part != request and within(part, request):
                found |= (yield from self.attempt(part)) or {}
        return found

    def attempt(self, request: Request) -> Talk[dict[Field, bytes] | None]:
        """What the unit has where *request* says; None for nothing.  Raises what keeps it from saying anything."""
        times, until = self.vain.get(request, (0, 0))
        if self.count < until and not self.whole:
            return None
        try:
            raws = cut(self.layout, request, (yield request))
        except BadValue:
            times = max(times, 1)
        except NoAnswer:
            if request == self.requests[0]:
                raise
            with suppress(BadValue):
                yield self.requests[0]  # is the unit there at all?
        else:
            self.vain.pop(request, None)
            return raws
        pause = AGAIN << min(times, DOUBLED) if times else 0  # the first silence may be a disturbance
        self.vain[request] = times + 1, self.count + 1 + pause
        return None


class Outputs(Unit):
    """One that has something to set."""

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        field = self.layout.by_quantity.get(quantity)
        if field is None or not quantity.writable:
            raise BadValue(f"{quantity.name} cannot be set")
        self.whole = self.whole or field.every > 1
        if field.zero:
            if value != 0:
                raise BadValue(f"{quantity.name} can be set to 0, and to nothing else")
            yield Request(field.zero[0], 0, values=tuple(field.zero[1:]))
            return {quantity: value}
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


@lru_cache(maxsize=1000)  # each request is made a thousand times a day, and a big table has a hundred fields
def inside(layout: Layout, request: Request) -> tuple[Field, ...]:
    """The fields that lie wholly in what *request* reads."""
    first, end = request.address, request.address + request.count
    return tuple(
        field
        for field in layout.read
        if SPACES[field.place[0]] == request.function
        and first <= field.place[1] <= field.place[1] + words(field) <= end
    )


def cut(layout: Layout, request: Request, data: bytes) -> dict[Field, bytes]:
    """The bytes of every field that lies wholly in the answer *data*."""
    raws = {}
    for field in inside(layout, request):
        at = field.place[1] - request.address
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
        self.zeros = {field.zero: field for field in layout.read if field.zero}
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

    def answer(self, pdu: bytes) -> bytes:
        if pdu not in self.zeros:
            return super().answer(pdu)
        self.swaying.zero(self.zeros[pdu])
        self.show()
        return pdu

    def tick(self, seconds: float) -> bytes:
        self.swaying.age += seconds
        self.show()
        return b""


def answered(emulator: Emulator, wanted: Operation) -> bytes:
    """What *emulator* answers, as the line would hand it on."""
    assert isinstance(wanted, Request)
    return Exchange(1, wanted).data(emulator.answer(pdu(wanted)))
