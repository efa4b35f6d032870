"""Values as people write them."""

from __future__ import annotations

from drivers.api import BadValue, Quantity, Value
from gateway.commands.grammar import clip
from gateway.manual import FLAGS, unquoted

WANTED = {"flag": "on or off", "int": "a whole number", "float": "a number"}


def parsed(quantity: Quantity, text: str) -> Value:
    """The value that *text* stands for.  Raises BadValue, with what would do, when it is none."""
    try:
        match quantity.kind:
            case "flag":
                return quantity.check(FLAGS[text.lower()] if text.lower() in FLAGS else bool(("0", "1").index(text)))
            case "int":
                return quantity.check(int(digits(text)))
            case "float":
                return quantity.check(float(digits(text)))
            case "text":
                return quantity.check(unquoted(quantity.name, text))
            case _:
                return quantity.check(text)
    except (ValueError, OverflowError):
        raise BadValue(f"{quantity.name} takes {WANTED[quantity.kind]}, not {clip(text)}") from None


def digits(text: str) -> str:
    """Python would take 1_000 and digits of other scripts, too; an output must not."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text
