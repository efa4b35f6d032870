"""The built-in ``manual`` device: values that people and programs set, under names of their own.

``set target 21.5`` makes ``manual.target``.  It is a key-value store whose keys are quantities, so they are
watched, kept in the history and shown like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import floor, log10

from twisted.internet.defer import Deferred, fail, succeed

from drivers.api import BadValue, Quantity, Value
from gateway.handle import Card, Chunk, Status
from gateway.hub import Hub
from gateway.units import converted, known, spelt

NAME = "manual"
KEYS = 10_000  # at most
LENGTH = 4096  # characters of a text, at most
KEY = re.compile(r"[\w:/-]{1,64}")
DECIMALS = 9  # of a number, at most: programs have seventeen, and most of them are noise
NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,14})(?:\.([0-9]{1,20}))?")  # 007 is a text, and stays as it is
MEASURE = re.compile(rf"({NUMBER.pattern})(?: (?!1$)| ?(?![0-9.]))(\S{{1,20}})")
FLAGS = {"on": True, "off": False, "true": True, "false": False}


class Manual:
    """A device whose quantities come and go."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.keys: dict[str, Quantity] = {}
        hub.devices[NAME] = self

    @property
    def card(self) -> Card:
        return Card(
            name=NAME,
            label="values set by hand",
            driver=NAME,
            title="Built-in key-value store",
            documentation=__doc__ or "",
            where="memory",
            period=0,
            settings={},
            quantities=tuple(self.keys.values()),
        )

    @property
    def status(self) -> Status:
        return Status(state="running")

    def read(self, whole: bool = False) -> Deferred[None]:
        return succeed(None)

    def raw(self) -> Iterable[Chunk]:
        return ()

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return lambda: None

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        try:
            if self.keys.get(quantity.name) is not quantity:
                raise BadValue(f"{quantity.name}: no such key")
            self.hub.publish(NAME, {quantity: quantity.check(value)})
        except BadValue:
            return fail()
        return succeed(None)

    def set(self, key: str, text: str) -> None:
        """Give *key* the value that *text* stands for.  Raises BadValue for a key or value nobody can have.  A key
        keeps its unit until it is deleted; a number in another one is converted."""
        wanted, value = checked(key, text)
        if key not in self.keys and len(self.keys) >= KEYS:
            raise BadValue(f"there are {KEYS} keys already; delete some")
        before = self.keys.get(key)
        if before is not None and before.unit and wanted.kind in ("int", "float"):
            wanted, value = like(before, wanted, value)
        if before is None or (before.kind, before.digits, before.unit) != (wanted.kind, wanted.digits, wanted.unit):
            self.keys[key] = wanted
        else:
            wanted = before
        self.hub.publish(NAME, {wanted: value})

    def delete(self, key: str) -> bool:
        """Take *key* away.  False when it is not there."""
        self.hub.drop(f"{NAME}.{key}")
        return self.keys.pop(key, None) is not None

    def clear(self) -> int:
        """Take all keys away, and say how many there were."""
        count = len(self.keys)
        self.keys.clear()
        self.hub.forget(NAME)
        return count


def checked(key: str, text: str) -> tuple[Quantity, Value]:
    """What *text* makes of *key*.  Raises BadValue for a key or value nobody can have."""
    if not KEY.fullmatch(key):
        raise BadValue(f"{key!r} is no key: up to 64 letters, digits and any of _ : / -")
    return understood(key, text)


def understood(key: str, text: str) -> tuple[Quantity, Value]:
    """The kind of value that *text* is: a flag, a number with its digits and perhaps a unit, a JSON string, or plain
    text."""
    if text in FLAGS:
        return Quantity(key, kind="flag", writable=True), FLAGS[text]
    if number := NUMBER.fullmatch(text):
        return numeric(key, text, number[1])
    if (measure := MEASURE.fullmatch(text)) and known(unit := spelt(measure[3])) is not None:
        return numeric(key, measure[1], measure[2], unit)
    return Quantity(key, kind="text", writable=True), unquoted(key, text)


def numeric(key: str, number: str, fraction: str | None, unit: str = "") -> tuple[Quantity, Value]:
    if fraction is None:
        return Quantity(key, unit, "int", low=-1e15, high=1e15, writable=True), int(number)
    digits = min(len(fraction), DECIMALS)
    return Quantity(key, unit, low=-1e15, high=1e15, digits=digits, writable=True), float(number)


def like(before: Quantity, wanted: Quantity, value: Value) -> tuple[Quantity, Value]:
    """The same number in the unit of *before*.  Raises BadValue where that measures something else."""
    if wanted.unit in ("", before.unit):
        return replace(wanted, unit=before.unit), value
    if (same := converted(float(value), wanted.unit, before.unit)) is None:
        raise BadValue(f"{before.name} is in {before.unit}, not {wanted.unit}; delete it to begin anew")
    small = -floor(log10(abs(same))) if same else 0  # decimals before the first that is not 0
    digits = min(max(before.digits, wanted.digits, 3, small + 3), DECIMALS)
    return replace(wanted, unit=before.unit, kind="float", digits=digits), same


def unquoted(key: str, text: str) -> str:
    """The text that *text* stands for: itself, or what is in it when it is a JSON string.  Raises BadValue."""
    if text.startswith('"'):
        try:
            text = json.loads(text)
            text.encode()  # JSON can name half a character
        except ValueError as error:
            raise BadValue(
                f"{key}: a text that starts with a quote is a JSON string, and this is none: {error}"
            ) from None
    if len(text) > LENGTH:
        raise BadValue(f"{key}: {len(text)} characters; at most {LENGTH}")
    return text
