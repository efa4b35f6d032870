"""Fields of binary tables: where a number lies, how it is written there, and what it becomes.

The one notation of the families ``modbus``, ``registers`` and ``frame``; docs/tables.md teaches it.  A field is a
quantity, or a helper under ``[field.NAME]`` that formulas and conditions use and nobody sees.  A number goes through
type, order and bits, then it may be one that means "nothing"; then scale and offset, or its word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from drivers.api import BadValue
from drivers.codec.registers import Order
from drivers.family import (
    FIELD,
    QUANTITY,
    Key,
    Problems,
    Table,
    nearest,
    quantity,
    take,
    worded,
)
from drivers.family.formula import Formula, formula
from drivers.family.layout import Coding, Field, Layout

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
    share_every(fields)
    names = [field.name for field in fields]
    problems += [(f"quantity.{name}", "there is a field of that name") for name in set(names) if names.count(name) > 1]
    for at, field in enumerate(fields):
        where = f"{'quantity' if field.quantity else 'field'}.{field.name}"
        for key, needed in (("value", field.formula), ("when", field.when)):
            texts = {f.name for f in fields[:at] if worded_out(f)}
            problems += [
                (f"{where}.{key}", f"`{name}` is a text, and formulas have numbers only")
                for name in sorted(texts & (needed.names if needed else frozenset()))
            ]
            for name in sorted((needed.names if needed else frozenset()) - set(names[:at])):
                later = (
                    " stands further down; put it before" if name in names else f" is no field{nearest(name, names)}"
                )
                problems.append((f"{where}.{key}", f"`{name}`{later}"))
    return Layout(fields)


def share_every(fields: list[Field]) -> None:
    """Let each quantity know how often it is there: what is derived, as often as what it comes of."""
    every = dict[str, int]()
    for at, field in enumerate(fields):
        of = field.formula.names if field.formula else ()
        every[field.name] = min((every.get(name, 1) for name in of), default=field.every)
        if field.quantity and every[field.name] > 1:
            fields[at] = replace(field, quantity=replace(field.quantity, every=every[field.name]))


def worded_out(field: Field) -> bool:
    """Whether *field* is a text that is no number."""
    own = field.quantity
    return bool(field.coding and field.coding.kind == "text" and not (own and own.kind in ("float", "int")))


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
        bool(made and made.writable and not said.get("zero")), bool(said.get("optional")),
        said.get("every") or 1, said.get("zero") or b"",
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
            field = layout.by_quantity[names[name]]
            checked = names[name].check(value)
            if field.coding:
                field.raw(checked, bytes(field.coding.size))
        except BadValue as error:
            problems.append((f"{where}.{name}", str(error)))
