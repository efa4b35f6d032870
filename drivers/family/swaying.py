"""The numbers of an emulated device whose fields a table describes.

Those that a vector shows come from there, others from the middle of their range, unless ``[emulator.start]`` says
otherwise.  What is measured sways by 2 % within its limits, what is counted goes up, and what is set, or is a whole
number by which a device says what it is or what it does, stays, and so does what is seldom asked for.  Of a device
that has flags only they turn, each in its own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.api import BadValue, Value
from drivers.emulation import sway
from drivers.family import scaled
from drivers.family.layout import Field, Layout

COUNTED = ("energy", "reactive_energy", "apparent_energy", "volume", "count", "rain")
USUAL = {"temperature": 21.5, "humidity": 45.0, "pressure": 1013.2, "frequency": 50.0, "power_factor": 0.97}


def reachable(field: Field) -> tuple[float, float]:
    """The least and the greatest value that both the quantity and its bytes can have."""
    assert field.quantity and field.coding
    ends = sorted(scaled(end, field.scale, field.offset) for end in field.coding.span())
    return max(ends[0], field.quantity.low), min(ends[1], field.quantity.high)


def begins(field: Field, base: bytes | None, start: Mapping[str, Any]) -> Value:
    """What *field* shows at first."""
    quantity = field.quantity
    assert quantity
    if quantity.name in start:
        value: Value = start[quantity.name]
        return value
    if base is not None:
        try:
            number = field.number(base)
            if number is not None:
                return field.value(number)
        except BadValue:
            pass
    if quantity.kind == "flag":
        return False
    if quantity.kind in ("choice", "text"):
        return (*quantity.choices, "x")[0]
    low, high = reachable(field)
    usual = next((USUAL[name] for name in USUAL if quantity.name.startswith(name)), (low + high) / 2)
    value = min(max(usual, low), high)
    return int(value) if quantity.kind == "int" else value


def sways(field: Field, value: Value) -> bool:
    """Whether what *field* shows changes by itself, from *value* on."""
    assert field.quantity
    code = field.quantity.kind == "int" and not field.quantity.name.startswith(COUNTED)
    return not (field.writable or field.every > 1 or code or field.words is not None or isinstance(value, str | bool))


class Swaying:
    """What all fields with a place show, as time goes by.  *bases* are the bytes of vectors, by field."""

    def __init__(self, layout: Layout, bases: Mapping[Field, bytes], start: Mapping[str, Any]) -> None:
        self.fields = tuple(field for field in layout.read if field.quantity)
        self.start = {field: begins(field, bases.get(field), start) for field in self.fields}
        self.age = 0.0
        self.sways = tuple(field for field, value in self.start.items() if sways(field, value))
        flags = (field for field, value in self.start.items() if isinstance(value, bool) and not field.writable)
        self.turns = () if self.sways else tuple(flags)  # or nothing of the device would ever move

    def shown(self, first: bool = False) -> list[tuple[Field, Value]]:
        """What changes by itself, and at *first* all else, too."""
        still = {field: value for field, value in self.start.items() if first}
        moved = {field: self.moved(field, float(self.start[field])) for field in self.sways}
        turned = {
            field: bool(self.start[field]) ^ bool(self.age // (60 * at) % 2) for at, field in enumerate(self.turns, 1)
        }
        return list((still | moved | turned).items())

    def zero(self, field: Field) -> None:
        """Let what is counted begin again."""
        self.start[field] = 0.0
        self.start[field] = -self.moved(field, 0.0)

    def moved(self, field: Field, value: float) -> float:
        assert field.quantity
        low, high = reachable(field)
        if field.quantity.name.startswith(COUNTED):
            now = value + self.age * max(abs(field.scale), 0.001) / 10
        else:
            step = abs(field.scale) if field.coding and field.coding.kind != "float" else 0
            now = sway(self.age, value, max(abs(value) / 50, 2 * step), 60)
        return min(max(now, low), high)
