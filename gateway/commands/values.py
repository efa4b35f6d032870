"""Values as people write them."""

from __future__ import annotations

import re

from drivers.api import BadValue, Quantity, Value
from gateway.commands.grammar import clip
from gateway.manual import FLAGS, unquoted
from gateway.units import converted, known, spelt

WANTED = {"flag": "on or off", "int": "a whole number", "float": "a number"}
MEASURE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(\s*)(\S{0,20})", re.ASCII)


def parsed(quantity: Quantity, text: str) -> Value:
    """The value that *text* stands for.  Raises BadValue, with what would do, when it is none."""
    try:
        match quantity.kind:
            case "flag":
                return quantity.check(FLAGS[text.lower()] if text.lower() in FLAGS else bool(("0", "1").index(text)))
            case "int":
                return quantity.check(whole(in_its_unit(quantity, text)))
            case "float":
                return quantity.check(float(in_its_unit(quantity, text)))
            case "text":
                return quantity.check(unquoted(quantity.name, text))
            case _:
                return quantity.check(text)
    except (ValueError, OverflowError):
        raise BadValue(f"{quantity.name} takes {WANTED[quantity.kind]}, not {clip(text)}") from None


def in_its_unit(quantity: Quantity, text: str) -> str | float:
    """The number in *text*, converted where it has another unit.  Raises ValueError where it is none."""
    found = MEASURE.fullmatch(text)
    if found is None or not found[3]:
        return digits(text)
    number, gap, given = found[1], found[2], spelt(found[3])
    if given == quantity.unit:
        return number
    if known(given) is None and not gap:
        raise ValueError(text)  # 0x10 is no number of x10
    if (value := converted(float(number), given, quantity.unit)) is None:
        wanted = f"takes {quantity.unit}, not {clip(found[3])}" if quantity.unit else "has no unit; a number will do"
        raise BadValue(f"{quantity.name} {wanted}")
    return value


def whole(number: str | float) -> int:
    if isinstance(number, str):
        return int(number)
    if not number.is_integer():
        raise ValueError(number)
    return int(number)


def digits(text: str) -> str:
    """Python would take 1_000 and digits of other scripts, too; an output must not."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text
