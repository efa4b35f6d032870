"""The ``line`` family: tables of text devices that talk unasked.  How to write one: docs/tables.md.

A table is proved before it is taken: each of its vectors must come out as written, and the device must understand
its own emulator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drivers.api import DeviceError, Driver, Quantity, Serial, Value
from drivers.family import (
    ABOUT,
    NUMBER,
    PORT,
    SETTABLE,
    BadTable,
    Key,
    Problems,
    Settings,
    Table,
    nearest,
    quantity,
    row,
    take,
    worded,
)
from drivers.family.formula import Formula, formula
from drivers.family.opening import read_init
from drivers.family.proof import same, set_right, unknown
from drivers.family.setting import read_settings
from drivers.family.text import SLOT, Columns, Derived, Emulator, Field, Line, Parse, json_object, matched, pairs
from drivers.family.told import Hearing, Switched, Told

TABLE = {
    **ABOUT,
    "family": Key((str,), ..., ("line",)),
    "format": Key((str,), ..., ("pairs", "json", "csv", "pattern")),
    "serial": Key((dict,), {}),
    "line": Key((dict,), {}),
    "init": Key((list,), [], items=dict),
    "columns": Key((list,), []),  # of format csv, where no line names them
    "pattern": Key((list,), [], items=dict),
    "emulator": Key((dict,), {}),
}
LINE = {"end": Key((str,), "\r\n"), "timeout": Key(NUMBER, 1.0, span=(0.01, 60))}  # of what it is told
EMULATOR = {"say": Key((str,), ""), "start": Key((dict,), {})}
VECTOR = {
    "text": Key((str,), None),
    "set": Key((dict,), {}),
    "ask": Key((str,), ""),
    "gives": Key((dict,), {}),
    "error": Key((str,), "", ("BadFrame", "BadValue")),
}


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its own vectors and emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", PORT, problems)
    told = take(top["line"], "line", LINE, problems)
    quantities = {} if top["quantity"] is ... else top["quantity"]
    fields, derived = read_fields(quantities, SETTABLE, problems)
    settings = read_settings(fields, quantities, problems)
    end, init = told["end"], read_init(top["init"], problems, told["end"], talks=True)
    if not end and (init or settings):
        problems.append(("line.end", "is empty: nothing would tell where a command ends"))
    patterns = compiled(top["format"], top["pattern"], fields, problems)
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    problems += [
        (f"vector.{at}.text", "is missing")
        for at, vector in enumerate(vectors)
        if vector["text"] is None and not vector["set"]
    ]
    say, start = read_emulator(top["emulator"], problems)
    if problems:
        raise BadTable(problems)
    heard = [vector for vector in vectors if not vector["set"]]
    say = say or "\n".join(vector["text"] for vector in heard if vector["gives"] and not vector["error"])
    columns = tuple(name.lower() for name in top["columns"])
    parses: dict[str, Callable[[], Parse]] = {
        **{"pairs": lambda: pairs, "json": lambda: json_object},
        **{"csv": lambda: Columns(columns), "pattern": lambda: partial(matched, patterns)},
    }

    # Half an object is none; and the line that names columns is often the very first there is.
    torn = top["format"] in ("pairs", "pattern") or bool(columns)

    def make() -> Line:
        line = Line(parses[top["format"]](), fields, torn, derived)
        if settings:
            return Switched(line, init, settings, end, float(told["timeout"]))
        return Told(line, init) if init else line

    speaker: Callable[[], Emulator] = partial(Emulator, say, start, top["period"] or 5.0)
    if init or settings:
        speaker = partial(Hearing, say, start, top["period"] or 5.0, init, settings, fields, end)
    own = declared(fields, derived)
    for at, vector in enumerate(vectors):
        if vector["set"]:
            talk = Switched(make(), (), settings, end, 1.0)
            wanted = f"{vector['ask']}{end}".encode()
            problems += set_right(talk.write, settings, vector, f"vector.{at}", wanted, repr)
    problems += disproved(make, vectors, own) or mute(make(), speaker(), own)
    if problems:
        raise BadTable(problems)
    return row(name, top, Serial(**serial), own, make, speaker, guarded=False)


def read_fields(said: Table, keys: Mapping[str, Key], problems: Problems) -> tuple[Mapping[str, Field], Derived]:
    """The fields by every key that stands for them, in lower case; and what is derived from them."""
    fields, derived = dict[str, Field](), list[tuple[Quantity, Formula]]()
    if not said:
        problems.append(("quantity", "is missing: a table declares at least one"))
    for name, spec in said.items():
        where = f"quantity.{name}"
        if not isinstance(spec, dict):
            problems.append((where, f"{spec!r} is no table"))
            continue
        taken = take(spec, where, keys, problems)
        words = read_words(taken["values"], where, problems)
        if words:
            worded(taken, words.values(), where, problems)
        if taken["scale"] == 0:
            problems.append((f"{where}.scale", "0 would make every value the same"))
        own = quantity(name, where, taken, problems)
        if taken["value"]:
            derived += read_derived(own, taken["value"], where, said, problems)
            continue
        if any(isinstance(each, bool) or not isinstance(each, str | int | float) for each in taken["absent"]):
            problems.append((f"{where}.absent", "is no list of texts and numbers"))
        field = Field(own, taken["scale"], taken["offset"], words, tuple(taken["absent"]))
        for key in dict.fromkeys(key.lower() for key in (name, *taken["aliases"])):
            if key in fields:
                problems.append((where, f"{key!r} already stands for {fields[key].quantity.name}"))
            fields[key] = field
    return fields, tuple(derived)


def declared(fields: Mapping[str, Field], derived: Derived) -> tuple[Quantity, ...]:
    return (*dict.fromkeys(field.quantity for field in fields.values()), *(own for own, _ in derived))


def read_words(said: Any, where: str, problems: Problems) -> dict[str, str] | None:
    """The word of each text: ``values = { A = "open", B = "closed" }``."""
    if said is None:
        return None
    wrong = [word for word in said.values() if not isinstance(word, str) or not word or not word.isprintable()]
    problems += [(f"{where}.values", f"{word!r} is no word") for word in wrong]
    return None if wrong else dict(said)


def read_derived(
    own: Quantity, text: str, where: str, said: Table, problems: Problems
) -> list[tuple[Quantity, Formula]]:
    try:
        made = formula(text)
    except ValueError as error:
        problems.append((f"{where}.value", str(error)))
        return []
    before = list(said)[: list(said).index(own.name)]
    for name in sorted(made.names - set(before)):
        later = " stands further down; put it before" if name in said else f" is no quantity{nearest(name, said)}"
        problems.append((f"{where}.value", f"`{name}`{later}"))
    return [(own, made)]


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


def disproved(make: Callable[[], Line], vectors: list[dict[str, Any]], quantities: tuple[Quantity, ...]) -> Problems:
    """The vectors that do not come out as written."""
    problems: Problems = []
    for at, vector in enumerate(vectors):
        problems += (strange := unknown(vector, quantities, f"vector.{at}"))
        if vector["set"] or strange:
            continue
        came, errors = listen(make(), vector["text"].encode())
        if not same(came, vector["gives"]) or {type(error).__name__ for error in errors} != {vector["error"]} - {""}:
            told = "".join(f", {type(error).__name__}: {error}" for error in errors)
            wanted = f", not {vector['gives']}" if not same(came, vector["gives"]) else ""
            problems.append((f"vector.{at}", f"gives {came}{told}{wanted}"))
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
