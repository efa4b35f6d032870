"""Fields of binary tables: where a number lies, how it is written there, and what it becomes.

The one notation of the families ``modbus``, ``registers`` and ``frame``; docs/tables.md teaches it.  A field is a
quantity, or a helper under ``[field.NAME]`` that formulas and conditions use and nobody sees.  A number goes through
type, order and bits, then it may be one that means "nothing"; then scale and offset, or its word.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, cast

from drivers.api import BadFrame, BadValue, Quantity, Sample, Value
from drivers.codec.bits import signed
from drivers.codec.registers import Order, ordered
from drivers.family import (
    FIELD,
    FLAGS,
    QUANTITY,
    Key,
    Problems,
    Table,
    inverse,
    nearest,
    quantity,
    scaled,
    take,
    worded,
)
from drivers.family.formula import Formula, formula

TYPES = re.compile(r"(u?int)(8|16|24|32|40|48|56|64)|(float)(32|64)|(bcd)([2468]|1[0246])|(text)([1-9]|[1-5]\d|6[0-4])")
TYPICAL = ("uint8", "int8", "uint16", "int16", "uint24", "uint32", "int32", "float32", "float64", "bcd4", "text8")
OWN = {**QUANTITY, "writable": Key((bool,), False)}
ORDERS: dict[str, Order] = {
    "big": "ABCD",
    "little": "DCBA",
    "ABCD": "ABCD",
    "CDAB": "CDAB",
    "BADC": "BADC",
    "DCBA": "DCBA",
}


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
            shown = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
            return self.coding.write(next(number for number, word in self.words.items() if word == shown), old)
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

    def sample(self, raws: Mapping[Field, bytes]) -> Sample:
        """The quantities that *raws* hold, and those derived from them.  BadFrame, BadValue."""
        scope, sample = dict[str, Any](), dict[Quantity, Value]()
        for field in self.fields:
            if field.when and not (field.when.names <= scope.keys() and field.when(scope)):
                continue
            if field.formula:
                number = field.formula(scope) if field.formula.names <= scope.keys() else None
            else:
                number = field.number(raws[field]) if field in raws else None
            if number is None:
                continue
            scope[field.name] = number
            if field.quantity:
                sample[field.quantity] = field.value(number)
        return sample


Locate = Callable[
    [dict[str, Any], str, Problems], tuple[Any, int, str]
]  # place, byte in it, and the type if none is said


def read_layout(top: Mapping[str, Any], places: Mapping[str, Key], locate: Locate, problems: Problems) -> Layout:
    """The fields that ``[field]`` and ``[quantity]`` of a table declare.  *places* are the family's keys for where
    one lies, and *locate* makes sense of them."""
    fields: list[Field] = []
    if not isinstance(top["quantity"], dict) or not top["quantity"]:
        problems.append(("quantity", "is missing: a table declares at least one"))
    for table in ("field", "quantity"):
        for name, spec in (top[table] if isinstance(top[table], dict) else {}).items():
            where = f"{table}.{name}"
            if not isinstance(spec, dict):
                problems.append((where, f"{spec!r} is no table"))
                continue
            keys = {**places, **FIELD, **(OWN if table == "quantity" else {})}
            fields.append(read_field(name, where, take(spec, where, keys, problems), places, locate, problems))
    names = [field.name for field in fields]
    problems += [(f"quantity.{name}", "there is a field of that name") for name in set(names) if names.count(name) > 1]
    for at, field in enumerate(fields):
        where = f"{'quantity' if field.quantity else 'field'}.{field.name}"
        for key, needed in (("value", field.formula), ("when", field.when)):
            for name in sorted((needed.names if needed else frozenset()) - set(names[:at])):
                later = (
                    " stands further down; put it before" if name in names else f" is no field{nearest(name, names)}"
                )
                problems.append((f"{where}.{key}", f"`{name}`{later}"))
    return Layout(fields)


def read_field(
    name: str, where: str, said: dict[str, Any], places: Mapping[str, Key], locate: Locate, problems: Problems
) -> Field:
    words = read_words(said["values"], f"{where}.values", problems)
    if words and "choices" in said:
        worded(said, words.values(), where, problems)
    made = quantity(name, where, said, problems) if "unit" in said else None
    when, derived = (read_formula(said[key], f"{where}.{key}", problems) for key in ("when", "value"))
    place, at, coding = None, 0, None
    if said["value"]:
        problems += [(f"{where}.{key}", "has no place: it is derived") for key in places if said[key] is not None]
        problems += [(f"{where}.{key}", "has nothing to do with a formula") for key in ("type", "bits") if said[key]]
    else:
        place, at, usual = locate(said, where, problems)
        coding = read_coding(said["type"] or usual, said["order"], said["bits"], where, problems)
    if made and made.writable and (coding is None or coding.kind == "text"):
        problems.append((f"{where}.writable", "a number with a place can be set, and nothing else"))
    if any(not isinstance(number, float | int) for number in said["absent"]):
        problems.append((f"{where}.absent", "is no list of numbers"))
    if said["scale"] == 0:
        problems.append((f"{where}.scale", "0 would make every value the same"))
    return Field(
        name, made, place, at, coding, said["scale"], said["offset"], words, tuple(said["absent"]), when, derived,
        bool(made and made.writable),
    )  # fmt: skip


def read_coding(kind: str, order: str | None, bits: Any, where: str, problems: Problems) -> Coding | None:
    """Of "uint16", "CDAB" and "11:4"; of a field without type, none."""
    found = TYPES.fullmatch(kind)
    if not found:
        told = f"{kind!r} is no type, such as {', '.join(TYPICAL)}{nearest(kind, TYPICAL)}" if kind else "is missing"
        problems.append((f"{where}.type", told))
        return None
    name, size = (part for part in found.groups() if part)
    coding = Coding(name, int(size) // (1 if name == "text" else 2 if name == "bcd" else 8), ORDERS[order or "big"])
    if coding.order in ("CDAB", "BADC") and coding.size % 2:
        problems.append((f"{where}.order", f"{order} is of 16-bit words, and {kind} has none"))
    if bits is None:
        return coding
    match = re.fullmatch(r"(\d{1,2})(?::(\d{1,2}))?", str(bits))
    high, low = (int(match[1]), int(match[2] or match[1])) if match else (-1, 0)
    if not 0 <= low <= high < 8 * coding.size or name not in ("int", "uint"):
        reason = f'{bits!r} are no bits of {kind}: write the highest and the lowest, such as "11:4", or one, such as 3'
        problems.append((f"{where}.bits", reason))
        return coding
    return Coding(name, coding.size, coding.order, (high, low))


def read_words(said: Any, where: str, problems: Problems) -> dict[int, str] | None:
    """The word of each number: ``values = { 0 = "off", 0x10 = "on" }``."""
    if said is None:
        return None
    words = dict[int, str]()
    for number, word in said.items():
        try:
            words[int(number, 0)] = word
        except ValueError:
            problems.append((where, f"{number!r} is no number"))
        if not isinstance(word, str) or not word or not word.isprintable():
            problems.append((where, f"{word!r} is no word"))
            return None
    if not said:
        problems.append((where, "has no word"))
    return words


def read_formula(text: Any, where: str, problems: Problems) -> Formula | None:
    try:
        return formula(text) if text else None
    except ValueError as error:
        problems.append((where, str(error)))
        return None


def overlay(layout: Layout, said: Table, where: str, problems: Problems) -> None:
    """See that *said* names quantities of *layout*, with values that they can have."""
    names = {each.name: each for each in layout.quantities}
    for name, value in said.items():
        if name not in names:
            problems.append((f"{where}.{name}", f"is no quantity of this table{nearest(name, names)}"))
            continue
        try:
            names[name].check(value)
        except BadValue as error:
            problems.append((f"{where}.{name}", str(error)))
