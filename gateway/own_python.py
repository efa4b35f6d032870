"""The user's own drivers in Python: a file like those in ``drivers/``, whose last statement is ``DRIVER = Driver(...)``
or a tuple of such.  It runs within the gateway and can do whatever the gateway can; hence it is off unless the
configuration says ``python_drivers = true``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from drivers.api import I2C, Driver, Feeds, Link, Measures, Quantity, Writes
from gateway.table import ConfigError, Problem

MUST = {
    "name": "text",
    "title": "text",
    "link": "one of I2C, Serial, Modbus, GPIO, SPI, Sysfs",
    "link.addresses": "a tuple of addresses, such as (0x44,)",
    "quantities": "a tuple of quantities, such as (TEMPERATURE,)",
    "period": "seconds, or 0",
    "settings": "a dataclass",
    "device": "what makes a device of settings",
    "emulator": "what makes an emulator",
    "documentation": "text, or None",
}


@lru_cache(maxsize=64)  # a file that has not changed gives the very same rows, so that a reload sees no change
def from_python(name: str, text: str, file: str) -> tuple[Driver[Any], ...]:
    """The rows of the driver file *text*.  Raises ConfigError: it does not run, or is no driver."""
    module = ModuleType(f"own_drivers.{name}", "")
    module.__file__ = file
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module  # where dataclasses look for the types of their fields
    try:
        exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)
        found = tuple(rows(module))
        problems = [Problem(file, 0, "", f"its driver's {wrong}") for row in found for wrong in misshapen(row)]
        problems = problems or [*misnamed(name, file, found)]
        for row in () if problems else found:
            tried(row)
    except (Exception, SystemExit) as error:  # sys.exit() in it must not end the gateway
        problems = [Problem(file, line(error, file), "", f"{type(error).__name__}: {error}")]
    if problems:
        if before is not None:
            sys.modules[module.__name__] = before
        raise ConfigError(tuple(problems))
    return found


def rows(module: ModuleType) -> Iterator[Driver[Any]]:
    row = getattr(module, "DRIVER", None)
    for each in row if isinstance(row, tuple) and row else (row,):
        if not isinstance(each, Driver):
            raise ValueError("its last statement must be `DRIVER = Driver(...)`, or a tuple of such rows")
        yield each


def misshapen(row: Driver[Any]) -> Iterator[str]:
    """What of *row* is not what it must be.  Nobody else looks at that, and one row would stop the whole gateway."""
    listed = row.quantities
    right = {
        "name": isinstance(row.name, str),
        "title": isinstance(row.title, str),
        "link": isinstance(row.link, Link),
        "link.addresses": not isinstance(row.link, I2C)
        or (isinstance(row.link.addresses, tuple) and row.link.addresses != ()),
        "quantities": isinstance(listed, tuple) and all(isinstance(each, Quantity) for each in listed),
        "period": type(row.period) in (int, float) and 0 <= row.period < inf,
        "settings": isinstance(row.settings, type) and is_dataclass(row.settings),
        "device": callable(row.device),
        "emulator": callable(row.emulator),
        "documentation": isinstance(row.documentation, str | None),
    }
    for key, good in right.items():
        if not good:
            value = getattr(row.link, "addresses", None) if "." in key else getattr(row, key)
            yield f"`{key}` is {value!r}, and must be {MUST[key]}"


def tried(row: Driver[Any]) -> None:
    """See that its device and its emulator can be made, as far as its settings have defaults."""
    if any(each.default is MISSING and each.default_factory is MISSING for each in fields(row.settings)):
        return
    settings = row.settings()
    if not isinstance(row.device(settings), Measures | Feeds | Writes):
        raise ValueError("its device has none of measure, feed and write")
    row.having(settings)
    row.emulating(settings)


def misnamed(name: str, file: str, found: tuple[Driver[Any], ...]) -> Iterator[Problem]:
    if found[0].name != name:
        yield Problem(file, 0, "", f"its first driver is `{found[0].name}`: call the file {found[0].name}.py")
    for row in found:
        if not (row.name.isascii() and row.name.isalnum() and row.name.islower()):
            yield Problem(file, 0, "", f"`{row.name}`: a driver's name has small letters and digits only")


def line(error: BaseException, file: str) -> int:
    """The last line of *file* that led to *error*."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename) == Path(file)]
    return (frames[-1].lineno or 0) if frames else 0
