"""What a field of a binary table is: how its number is written, what it becomes, and all of them together."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, cast

from drivers.api import BadFrame, BadValue, Quantity, Sample, Value
from drivers.codec.bits import signed
from drivers.codec.registers import Order, ordered
from drivers.family import (
    FLAGS,
    inverse,
    scaled,
    unworded,
)
from drivers.family.formula import Formula


@dataclass(frozen=True, slots=True)
class Coding:
    """How a number, or a text, is written in *size* bytes.  *bits* are the highest and the lowest that belong to it."""

    kind: str
    size: int
    order: Order = "ABCD"
    bits: tuple[int, int] | None = None

    def read(self, raw: bytes) -> int | float | str:
        if len(raw) != self.size:
            raise BadFrame(f"{len(raw)} bytes in place of {self.size}: {raw.hex(' ')}")
        if self.kind == "text":
            try:
                return raw.rstrip(b"\0").decode("ascii").strip()
            except UnicodeDecodeError:
                raise BadValue(f"no text: {raw.hex(' ')}") from None
        raw = ordered(raw, self.order)
        if self.kind == "float":
            return cast(float, struct.unpack(">f" if self.size == 4 else ">d", raw)[0])
        if self.kind == "bcd":
            if not raw.hex().isdecimal():
                raise BadValue(f"no decimal digits: {raw.hex(' ')}")
            return int(raw.hex())
        number, width = int.from_bytes(raw, "big"), self.size * 8
        if self.bits:
            number, width = number >> self.bits[1] & (1 << self.bits[0] - self.bits[1] + 1) - 1, self.width
        return signed(number, width) if self.kind == "int" else number

    @property
    def width(self) -> int:
        return self.bits[0] - self.bits[1] + 1 if self.bits else self.size * 8

    def span(self) -> tuple[float, float]:
        """The least and the greatest number it can hold."""
        if self.kind == "bcd":
            return 0, 10 ** (2 * self.size) - 1
        if self.kind == "float":
            return -3.4e38, 3.4e38
        half = 1 << self.width - 1
        return (-half, half - 1) if self.kind == "int" else (0, 2 * half - 1)

    def write(self, value: float | int | str, old: bytes) -> bytes:
        """The bytes that hold *value*; other bits are as in *old*.  BadValue where it does not fit."""
        if self.kind == "text":
            return str(value).encode("ascii", "replace")[: self.size].ljust(self.size)
        low, high = self.span()
        if isinstance(value, str) or not low <= value <= high:
            raise BadValue(f"{value!r} is not in {low}..{high}")
        if self.kind == "float":
            return ordered(struct.pack(">f" if self.size == 4 else ">d", value), self.order)
        if self.kind == "bcd":
            return ordered(bytes.fromhex(f"{round(value):0{2 * self.size}d}"), self.order)
        number, shift = round(value) & (1 << self.width) - 1, self.bits[1] if self.bits else 0
        before = int.from_bytes(ordered(old, self.order), "big") & ~((1 << self.width) - 1 << shift) if self.bits else 0
        return ordered((before | number << shift).to_bytes(self.size, "big"), self.order)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field.  *place* is the family's own idea of where, and *at* a byte in it; a derived one has a formula."""

    name: str
    quantity: Quantity | None
    place: Any = None
    at: int = 0
    coding: Coding | None = None
    scale: float = 1
    offset: float = 0
    words: Mapping[int, str] | None = None
    absent: tuple[float, ...] = ()
    when: Formula | None = None
    formula: Formula | None = None
    writable: bool = False
    optional: bool = False  # not all devices of this kind have it
    every: int = 1  # of so many measurements, one asks for it
    zero: bytes = b""  # what sets it to 0, in its family's own form

    @property
    def end(self) -> int:
        return self.at + (self.coding.size if self.coding else 0)

    def number(self, raw: bytes) -> Any:
        """What formulas see; None where it means that there is none.  BadValue."""
        assert self.coding
        number = self.coding.read(raw)
        if isinstance(number, str):
            return number
        if number in self.absent or (isnan(number) and any(map(isnan, self.absent))):
            return None
        return number if self.words else scaled(number, self.scale, self.offset)

    def value(self, number: Any) -> Value:
        """The quantity's value, checked.  BadValue."""
        assert self.quantity
        kind, name = self.quantity.kind, self.name
        if self.words is not None:
            if number not in self.words:
                raise BadValue(f"{name} {number!r} has no word")
            number = FLAGS.get(self.words[number], self.words[number]) if kind == "flag" else self.words[number]
        elif kind in ("float", "int") and isinstance(number, str):
            try:
                number = scaled(float(number), self.scale, self.offset)
            except ValueError:
                raise BadValue(f"{name} {number!r} is no number") from None
        if kind == "flag" and number in (0, 1):
            number = bool(number)
        elif (kind == "int" and float(number).is_integer()) or (kind == "float" and isinstance(number, bool)):
            number = int(number)
        elif kind == "text" and not str(number).isprintable():
            raise BadValue(f"{name} {number!r} is no text")
        value: Value = self.quantity.check(number)
        return value

    def raw(self, value: Value, old: bytes) -> bytes:
        """The bytes that hold *value*; the bits of others are as in *old*.  BadValue where they cannot."""
        assert self.coding
        if self.words is not None:
            return self.coding.write(unworded(self.words, value, self.name), old)
        if isinstance(value, str) or self.coding.kind == "text":
            return self.coding.write(value, old)
        return self.coding.write(inverse(value, self.scale, self.offset), old)


class Layout:
    """All fields of a table, in its order: what is derived comes after what it is derived from."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self.quantities = tuple(field.quantity for field in self.fields if field.quantity)
        self.by_quantity = {field.quantity: field for field in self.fields if field.quantity}
        self.read = tuple(field for field in self.fields if field.coding)

    def sample(self, raws: Mapping[Field, bytes], old: Collection[Field] = ()) -> Sample:
        """The quantities that *raws* hold, and those derived from them.  Of *old* ones the bytes are those of an
        earlier measurement: formulas see them, and what comes of them alone is not given again.  BadFrame, BadValue."""
        scope, sample = dict[str, Any](), dict[Quantity, Value]()
        known = {field.name for field in old}
        for field in self.fields:
            if field.when and not (field.when.names <= scope.keys() and field.when(scope)):
                continue
            if field.formula:
                number = field.formula(scope) if field.formula.names <= scope.keys() else None
                if known and field.formula.names and field.formula.names <= known:
                    known.add(field.name)
            else:
                number = field.number(raws[field]) if field in raws else None
            if number is None:
                continue
            if field.quantity:
                value = field.value(number)
                if field.name not in known:
                    sample[field.quantity] = value
                number = value if isinstance(number, str) else number
            scope[field.name] = number
        return sample
