"""What tables of every family share: a strict look at their keys, and the quantities they declare.

A table is what TOML gave.  All its mistakes are found at once, each with its dotted key; the file and the line are
for whoever read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any, TypeAlias, TypeVar

from drivers import quantities as q
from drivers.api import KINDS, BadValue, Device, Driver, Emulates, Link, Quantity

Table: TypeAlias = Mapping[str, Any]
Problems: TypeAlias = list[tuple[str, str]]  # dotted key, and what is wrong with it

PARTICLES, NUMBERS = ("1", "2_5", "4", "10"), ("0_3", "0_5", "1", "2_5", "5", "10")
# Every quantity of the registry at its widest: what a table says nothing about, it has from here.
KNOWN: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *(q.temperature(-100, 1500, 2), q.humidity(), q.pressure(0, 2000), q.co2(0, 40_000), q.formaldehyde(10_000)),
        *(q.co2_equivalent(0, 1e6), q.tvoc(1e6), q.voc_raw(), q.gas_resistance(1e9)),
        *(q.particles(size, 10_000) for size in PARTICLES),
        *(q.number(size, 1e6) for size in NUMBERS),
        *(q.number_between("0_3", size, 1e6) for size in ("0_5", "1", "2_5", "4", "10")),
        q.particle_size(100),
        *(q.illuminance(), q.distance(), q.weight(), q.level(), q.moisture(), q.state(), q.count(), q.frequency()),
        *(q.voltage(-1e6, 1e6), q.current(-1e5, 1e5), q.power(-1e9, 1e9), q.energy()),
        *(q.apparent_power(-1e9, 1e9), q.reactive_power(-1e9, 1e9), q.power_factor()),
        *(q.time(), q.latitude(), q.longitude(), q.altitude(), q.speed(10_000), q.track(), q.mode()),
        *(q.satellites(), q.satellites_in_view(), q.hdop()),
        *(q.fan(), q.undervoltage(), q.throttled()),
        *(q.rate(), q.volume(), q.volume_flow(), q.motion(), q.contact(), q.duty()),
        *(q.stopped(), q.acceleration(), q.rotation()),
        *(q.apparent_energy(), q.charge(), q.angle(), q.distortion(), q.wind_speed(), q.wind_direction(), q.rain()),
        *(q.uv_index(), q.alarm(), q.stable(), q.status()),
        *(q.reactive_energy(), q.tariff(), q.serial(), q.message()),
        *(q.duration(), q.error(), q.code(), q.version(), q.setting(("off", "on")), q.insulation(), q.deviation()),
    )
}


class BadTable(Exception):
    """The table describes no driver."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: the types its value may have, what holds when it is left out (``...``: it must not be),
    the values that are allowed, if not all, what a list is made of, and between what a number must lie."""

    types: tuple[type, ...]
    default: Any = ...
    choices: tuple[Any, ...] = ()
    items: type = str
    span: tuple[float, float] | None = None


NUMBER = (float, int)
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
NAMES = {str: "text", dict: "table", int: "whole number", float: "number", bool: "true or false"}
QUANTITY = {
    "unit": Key((str,), None),
    "kind": Key((str,), None, (*KINDS, "text")),
    "low": Key(NUMBER, None),
    "high": Key(NUMBER, None),
    "digits": Key((int,), None, tuple(range(10))),
    "choices": Key((list,), None),
}
SCALED = {"scale": Key(NUMBER, 1), "offset": Key(NUMBER, 0)}
TEXT = {  # a quantity of a text device
    "aliases": Key((list,), []),
    **QUANTITY,
    **SCALED,
    "values": Key((dict,), None),
    "absent": Key((list,), [], items=object),
    "value": Key((str,), ""),
}
SETTABLE = {**TEXT, "set": Key((str,), ""), "done": Key((str,), "")}
FIELD = {  # a number in bytes
    "type": Key((str,), ""),
    "order": Key((str,), None, ("big", "little", "ABCD", "CDAB", "BADC", "DCBA")),
    "bits": Key((str, int), None),
    **SCALED,
    "values": Key((dict,), None),
    "absent": Key((list,), [], items=object),
    "when": Key((str,), ""),
    "value": Key((str,), ""),
}
ABOUT = {  # what every table may say
    "family": Key((str,)),
    "title": Key((str,)),
    "documentation": Key((str,)),
    "source": Key((str,), ""),
    "wiring": Key((str,), ""),
    "period": Key(NUMBER, span=(0, 86_400)),  # seconds; 0: it talks when something happens
    "quantity": Key((dict,)),
    "vector": Key((list,), [], items=dict),
}
ASKED = {**ABOUT, "period": Key(NUMBER, span=(0.01, 86_400))}  # of a device that says nothing unless it is asked
SERIAL = {
    "baud": Key((int,), 9600, span=(50, 4_000_000)),
    "parity": Key((str,), "N", ("N", "E", "O")),
    "stop_bits": Key((int,), 1, (1, 2)),
}
PORT = {**SERIAL, "bits": Key((int,), 8, (7, 8))}


@dataclass(frozen=True, slots=True)
class Settings:
    """The table has said it all; the place is chosen with the device."""


def row(
    name: str,
    top: Mapping[str, Any],
    link: Link,
    quantities: tuple[Quantity, ...],
    device: Callable[[], Device],
    emulator: Callable[[], Emulates],
    guarded: bool,
) -> Driver[Settings]:
    """The driver of a table whose keys *top* has; *guarded*: a checksum tells what was disturbed."""
    return Driver(
        name=name,
        title=top["title"],
        link=link,
        quantities=quantities,
        period=float(top["period"]),
        settings=Settings,
        device=lambda settings: device(),
        emulator=emulator,
        documentation=about(top, guarded),
    )


def about(top: Mapping[str, Any], guarded: bool) -> str:
    """The documentation of a table's driver: what it says of itself, where that comes from, how it is wired, and that
    nothing guards it where nothing does."""
    parts = [top["documentation"].strip()]
    parts += [f"Datasheet: {' '.join(top['source'].split())}"] if top["source"] else []
    parts += [f"Wiring: {' '.join(top['wiring'].split())}"] if top["wiring"] else []
    parts += [] if guarded else ["There is no checksum: what a disturbance changes within the range is not noticed."]
    return "\n\n".join(parts) + "\n"


def scaled(number: float, scale: float, offset: float) -> float:
    """number * scale + offset.  0.1 is no number that a computer has, so in place of it 10 is divided by."""
    parts = round(1 / scale) if 1e-12 < abs(scale) < 1 else 0
    exact = parts and isclose(parts * scale, 1, rel_tol=1e-12)
    return number if scale == 1 and offset == 0 else (number / parts if exact else number * scale) + offset


def inverse(value: float, scale: float, offset: float) -> float:
    """The number that ``scaled`` makes *value* of."""
    return value if scale == 1 and offset == 0 else (value - offset) / scale


FLAGS = {"on": True, "off": False}
W = TypeVar("W")


def unworded(words: Mapping[W, str], value: Any, name: str) -> W:
    """What stands on the wire for the word *value*; BadValue where nothing does."""
    shown = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
    for key, word in words.items():
        if word == shown:
            return key
    raise BadValue(f"{name} {shown!r} is none of {', '.join(words.values())}, which it has on the wire")


def worded(said: dict[str, Any], words: Iterable[str], where: str, problems: Problems) -> None:
    """Fit kind and choices of a quantity to the *words* it may have: on and off are those of a flag."""
    own = list(dict.fromkeys(words))
    if said["kind"] is None:
        said["kind"] = "flag" if set(own) <= set(FLAGS) else "choice"
    if said["kind"] == "choice":
        said["choices"] = said["choices"] or own
    if said["kind"] not in ("choice", "text", "flag") or (said["kind"] == "flag" and not set(own) <= set(FLAGS)):
        problems.append((f"{where}.values", f"are words, and a {said['kind']} has none but on and off for a flag"))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was meant, to put behind a message, or nothing."""
    from difflib import get_close_matches  # a mistake is rare, and this import is not small

    return "".join(f"; did you mean {match!r}?" for match in get_close_matches(name, list(known), n=1))


def take(table: Table, where: str, keys: Mapping[str, Key], problems: Problems) -> dict[str, Any]:
    """Give the values of *keys* in *table*, which stands under the dotted key *where*; the default for a wrong one."""
    prefix, taken = f"{where}." if where else "", {}
    problems += [(prefix + name, f"unknown key{nearest(name, keys)}") for name in table if name not in keys]
    for name, key in keys.items():
        value = table.get(name, key.default)
        if wrong := "" if value is key.default and value is not ... else mistake(key, value):
            problems.append((prefix + name, wrong))
        taken[name] = key.default if wrong else value
    return taken


def mistake(key: Key, value: Any) -> str:
    """What is wrong with *value*, or nothing."""
    if value is ...:
        return "is missing"
    if type(value) not in key.types:
        wanted = "number" if key.types == NUMBER else " or ".join(NAMES.get(kind, kind.__name__) for kind in key.types)
        numeric = isinstance(value, str) and int in key.types and str not in key.types
        return f"{value!r} is no {wanted}{unquoted(value) if numeric else ''}"
    if isinstance(value, float) and not isfinite(value):
        return f"{value} is no number"
    if isinstance(value, list) and not all(isinstance(item, key.items) for item in value):
        return f"is no list of {NAMES[key.items]}s"
    if key.span and not key.span[0] <= value <= key.span[1]:
        return f"{value} is not in {key.span[0]}..{key.span[1]}"
    if key.choices and value not in key.choices:
        return f"{value!r} is none of {', '.join(map(str, key.choices))}{nearest(str(value), map(str, key.choices))}"
    return ""


def unquoted(text: str) -> str:
    """What to write in place of a number in quotes, or with its unit."""
    if plain := re.fullmatch(r"\s*([-+]?(?:0x[0-9A-Fa-f]+|[0-9]+(?:\.[0-9]+)?))\s*", text):
        return f": write {plain[1]}, without quotes"
    if lasting := re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|m|h|d)\s*", text):
        return f": write {float(lasting[1]) * SECONDS[lasting[2]]:.10g}, without quotes, in seconds"
    return ""


def known(name: str) -> Quantity | None:
    """The registry's quantity of that *name*, or of the name that is left without its instance:
    ``voltage_l1`` is a voltage."""
    while name not in KNOWN and "_" in name:
        name = name.rpartition("_")[0]
    return KNOWN.get(name)


def quantity(name: str, where: str, said: Table, problems: Problems) -> Quantity:
    """The quantity that *said*, checked by ``take``, declares; what it leaves out is the registry's."""
    base = known(name)
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        problems.append((where, "a name is made of a-z, 0-9 and _, and begins with a letter"))
    kind = said["kind"] or (base.kind if base else "float")
    unit, low, high, digits, choices = (
        said[key] if said[key] is not None else getattr(base, key, None)
        for key in ("unit", "low", "high", "digits", "choices")
    )
    if base and said["unit"] not in (None, base.unit):
        reason = f"{said['unit']!r}, but {base.name} is in {base.unit or 'no unit'!r} everywhere: use scale and offset"
        problems.append((f"{where}.unit", reason))
    if base and kind != base.kind:
        problems.append((f"{where}.kind", f"{kind!r}, but {base.name} is {base.kind!r} everywhere"))
    elif (kind == "choice") != bool(choices):
        problems.append((f"{where}.choices", "belong to kind choice, and only there"))
    elif kind in ("float", "int"):
        if base is None and unit is None:
            problems.append((f"{where}.unit", f'is missing ("" for none){nearest(name, KNOWN)}'))
        if low is None or high is None:
            problems.append((where, "needs low and high"))
        elif low >= high:
            problems.append((where, f"low {low} is not below high {high}"))
    digits = 0 if kind != "float" else 2 if digits is None else digits
    writable = bool(said.get("writable") or said.get("set") or said.get("zero"))
    return Quantity(name, unit or "", kind, low or 0, high or 0, digits, tuple(choices or ()), writable)
