"""How a quantity of a text device is set: by a command with its value in it.

VSET1:{value:05.2f}        12.5 V is sent as VSET1:12.50
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api import BadValue, Quantity, Value
from drivers.family import Problems, Table, inverse, unworded
from drivers.family.text import Field

VALUE = re.compile(r"\{value(?::(0?[0-9]{0,2}(?:\.[0-9]{1,2})?[fde]))?\}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A command with ``{value}`` in it, and the answer that says it is done, if one comes."""

    field: Field
    command: str
    done: str

    def text(self, value: Value) -> str:
        """The command that sets *value*; BadValue for a text that would be more than one command."""
        found = VALUE.search(self.command)
        assert found
        said = written(self.field, value, found[1])
        if not said or not said.isprintable():
            raise BadValue(f"{self.field.quantity.name} {said[:40]!r} is no text for one line")
        return self.command[: found.start()] + said + self.command[found.end() :]

    def pattern(self) -> re.Pattern[str]:
        """What such commands look like."""
        before, *_, after = VALUE.split(self.command, maxsplit=1)
        return re.compile(f"{re.escape(before)}(.+){re.escape(after)}")


def written(field: Field, value: Value, form: str | None) -> str:
    """*value* as the device writes it, a number in the *form* that the command says."""
    if field.words is not None:
        return unworded(field.words, value, field.quantity.name)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    number = inverse(value, field.scale, field.offset)
    if form:
        return format(round(number) if form[-1] == "d" else number, form)
    return f"{number:.9g}" if "e" not in f"{number:.9g}" else f"{number:.9f}"


def read_settings(fields: Mapping[str, Field], spoken: Table, problems: Problems) -> Mapping[Quantity, Setting]:
    """The settings of the quantities that say ``set``."""
    settings = {}
    for name, spec in spoken.items():
        said = spec if isinstance(spec, dict) else {}
        where, command, done = f"quantity.{name}", said.get("set"), said.get("done")
        if done and not command:
            problems.append((f"{where}.done", "belongs to `set`, the command that it answers"))
        if not isinstance(command, str) or not command:
            continue
        if said.get("value"):
            problems.append((f"{where}.set", "is derived: what it is derived from can be set"))
        elif len(VALUE.findall(command)) != 1:
            problems.append((f"{where}.set", 'holds no {value}, such as "VOLT {value}" or "VOLT {value:05.2f}"'))
        elif field := fields.get(name.lower()):
            if VALUE.search(command)[1] and (field.words or field.quantity.kind not in ("float", "int")):  # type: ignore[index]
                problems.append((f"{where}.set", "has a number's form, and this is no number: {value}"))
            settings[field.quantity] = Setting(field, command, str(done or ""))
    return settings
