"""What has to hold for an output to be on: ``only_if = ["door.contact", "not heater.state", "tank.level > 0.2"]``.

A flag that is on, one that is off, or a number above or below another.  Whether it holds is ``interlock``'s to see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

FORM = re.compile(r"(?:(not) )?(\S+)|(\S+) ([<>]) (-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Condition:
    """*name* must be ``on``, ``off``, ``>`` or ``<`` *limit*."""

    name: str
    must: Literal["on", "off", ">", "<"]
    limit: float = 0.0

    def __str__(self) -> str:
        match self.must:
            case "on":
                return self.name
            case "off":
                return f"not {self.name}"
        return f"{self.name} {self.must} {self.limit:g}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """What may be asked so."""
        return ("flag",) if self.must in ("on", "off") else ("float", "int")


def condition(value: Any) -> Condition:
    """Raises ValueError."""
    found = FORM.fullmatch(value) if isinstance(value, str) else None
    negated, flag, number, way, limit = found.groups() if found else (None,) * 5
    if "." not in (name := str(flag or number)):
        raise ValueError(f'{value!r} is no condition; write "door.contact", "not heater.state" or "tank.level > 0.2"')
    if flag:
        return Condition(name, "off" if negated else "on")
    return Condition(name, ">" if way == ">" else "<", float(str(limit)))
