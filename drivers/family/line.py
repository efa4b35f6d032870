"""The ``line`` family: tables of text devices that talk unasked.  How to write one: docs/tables.md.

A table is proved before it is taken: each of its vectors must come out as written, and the device must understand
its own emulator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isclose
from typing import Any

from drivers.api import DeviceError, Driver, Quantity, Serial, Value
from drivers.family import NUMBER, QUANTITY, BadTable, Key, Problems, Table, nearest, quantity, take
from drivers.family.text import SLOT, Emulator, Field, Line, json_object, matched, pairs

TABLE = {
    "family": Key((str,), ..., ("line",)),
    "title": Key((str,)),
    "documentation": Key((str,)),
    "format": Key((str,), ..., ("pairs", "json", "pattern")),
    "period": Key(NUMBER, span=(0, 86_400)),  # seconds; 0: it talks when something happens
    "serial": Key((dict,), {}),
    "quantity": Key((dict,)),
    "pattern": Key((list,), [], items=dict),
    "emulator": Key((dict,), {}),
    "vector": Key((list,), [], items=dict),
}
SERIAL = {
    "baud": Key((int,), 9600, span=(50, 4_000_000)),
    "parity": Key((str,), "N", ("N", "E", "O")),
    "stop_bits": Key((int,), 1, (1, 2)),
}
EMULATOR = {"say": Key((str,), ""), "start": Key((dict,), {})}
VECTOR = {"text": Key((str,)), "gives": Key((dict,), {}), "error": Key((str,), "", ("BadFrame", "BadValue"))}


@dataclass(frozen=True, slots=True)
class Settings:
    """The table has said it all."""


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its own vectors and emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", SERIAL, problems)
    fields = read_fields({} if top["quantity"] is ... else top["quantity"], problems)
    patterns = compiled(top["format"], top["pattern"], fields, problems)
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    say, start = read_emulator(top["emulator"], problems)
    if problems:
        raise BadTable(problems)
    say = say or "\n".join(vector["text"] for vector in vectors if vector["gives"] and not vector["error"])
    parse = {"pairs": pairs, "json": json_object}.get(top["format"]) or partial(matched, patterns)
    make = partial(Line, parse, fields, top["format"] != "json")
    speaker = partial(Emulator, say, start, top["period"] or 5.0)
    quantities = tuple(dict.fromkeys(field.quantity for field in fields.values()))
    problems += disproved(make, vectors) or mute(make(), speaker(), quantities)
    if problems:
        raise BadTable(problems)
    return Driver(
        name=name,
        title=top["title"],
        link=Serial(**serial),
        quantities=quantities,
        period=float(top["period"]),
        settings=Settings,
        device=lambda settings: make(),
        emulator=speaker,
        documentation=top["documentation"],
    )


def read_fields(said: Table, problems: Problems) -> Mapping[str, Field]:
    """The fields by every key that stands for them, in lower case."""
    fields: dict[str, Field] = {}
    if not said:
        problems.append(("quantity", "is missing: a table declares at least one"))
    for name, spec in said.items():
        where = f"quantity.{name}"
        if not isinstance(spec, dict):
            problems.append((where, f"{spec!r} is no table"))
            continue
        taken = take(spec, where, QUANTITY, problems)
        field = Field(quantity(name, where, taken, problems), taken["scale"], taken["offset"])
        for key in dict.fromkeys(key.lower() for key in (name, *taken["aliases"])):
            if key in fields:
                problems.append((where, f"{key!r} already stands for {fields[key].quantity.name}"))
            fields[key] = field
    return fields


def read_emulator(said: Table, problems: Problems) -> tuple[str, Table]:
    """What the emulator says, and what stands in its slots at the start."""
    taken = take(said, "emulator", EMULATOR, problems)
    say, start = taken["say"], taken["start"]
    slots = set(SLOT.findall(say))
    problems += [("emulator.say", f"{{{slot}}} has no start") for slot in sorted(slots - set(start))]
    problems += [(f"emulator.start.{slot}", "is not said") for slot in sorted(set(start) - slots)]
    for slot, value in start.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, str | int | float) for one in values):
            problems.append((f"emulator.start.{slot}", f"{value!r} is no text, number or flag, nor a list of them"))
    return say, start


def compiled(
    form: str, patterns: list[Table], fields: Mapping[str, Field], problems: Problems
) -> tuple[re.Pattern[str], ...]:
    """The regular expressions; each of their groups names a quantity."""
    found = []
    if (form == "pattern") != bool(patterns):
        problems.append(("pattern", 'and format = "pattern" need each other'))
    for at, each in enumerate(patterns):
        where = f"pattern.{at}.match"
        text = take(each, f"pattern.{at}", {"match": Key((str,))}, problems)["match"]
        try:
            found.append(re.compile("" if text is ... else text))
        except (re.error, RecursionError, OverflowError) as error:
            problems.append((where, f"no regular expression: {error}"))
            continue
        groups = [group for group in found[-1].groupindex if group.lower() not in fields]
        problems += [(where, f"group {group!r} is no quantity{nearest(group, fields)}") for group in groups]
        if text and not found[-1].groupindex:
            problems.append((where, "names no quantity: (?P<temperature>...)"))
    return tuple(found)


def disproved(make: Callable[[], Line], vectors: list[dict[str, Any]]) -> Problems:
    """The vectors that do not come out as written."""
    problems = []
    for at, vector in enumerate(vectors):
        came, errors = listen(make(), vector["text"].encode())
        if not same(came, vector["gives"]) or {type(error).__name__ for error in errors} != {vector["error"]} - {""}:
            told = "".join(f", {type(error).__name__}: {error}" for error in errors)
            problems.append((f"vector.{at}", f"gives {came}{told}"))
    return problems


def mute(device: Line, emulator: Emulator, quantities: tuple[Quantity, ...]) -> Problems:
    """What the device does not understand of its emulator, all along the sway of its values."""
    if not emulator.say:
        return [("emulator", "is missing, and there is no vector with a line to say")]
    came, errors = listen(device, b"".join(emulator.speak() for _ in range(60)))
    if errors:
        return [("emulator", f"{type(errors[0]).__name__}: {errors[0]}")]
    silent = [quantity.name for quantity in quantities if quantity.name not in came]
    return [("emulator", f"never says {', '.join(silent)}")] if silent else []


def listen(device: Line, data: bytes) -> tuple[dict[str, Value], list[DeviceError]]:
    """The last value of each quantity in *data*, by name, and all errors."""
    came, errors = dict[str, Value](), list[DeviceError]()
    for event in device.feed(b"\n" + data + b"\n"):
        if isinstance(event, DeviceError):
            errors.append(event)
        else:
            came |= {quantity.name: value for quantity, value in event.items()}
    return came, errors


def same(came: Mapping[str, Value], wanted: Mapping[str, Any]) -> bool:
    return came.keys() == wanted.keys() and all(
        isclose(value, wanted[name]) if isinstance(value, float) and isinstance(wanted[name], float | int)
        else value == wanted[name]
        for name, value in came.items()
    )  # fmt: skip
