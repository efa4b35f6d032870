"""The user's own drivers in Python: a file like those in ``drivers/``, whose last statement is ``DRIVER = Driver(...)``
or a tuple of such.  It runs within the gateway and can do whatever the gateway can; hence it is off unless the
configuration says ``python_drivers = true``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from drivers.api import Driver
from gateway.table import ConfigError, Problem


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
        problems = [*misnamed(name, file, found)]
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
