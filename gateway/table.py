"""A TOML file read key by key: every mistake is noted with its line, and reading goes on.

What keys there are is known to ``config`` alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.notation import nearest
from gateway.toml_lines import KeyPath, Lines

HUGE = "is beyond the numbers of 64 bits"
T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, where it stands, and the way out.  Line 0: the file as a whole."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(Exception):
    """The configuration has mistakes; these are all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Page:
    """A whole file.  Raises ConfigError at once when it is not TOML."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        try:
            self.lines = Lines(text)
            raw = tomllib.loads(text)
        except RecursionError:
            raise ConfigError((Problem(file, 0, "", "not TOML that can be read: nested too deep"),)) from None
        except ValueError as error:
            raise ConfigError(self.broken(text, str(error))) from None
        if huge := [Problem(file, self.lines.of(path), dotted(path), HUGE) for path in beyond((), raw)]:
            raise ConfigError(tuple(huge))
        self.table = Table(self, (), raw)

    def broken(self, text: str, error: str) -> tuple[Problem, ...]:
        """Why it is not TOML.  ``tomllib`` stops at the first reason; when that is something given twice, all such."""
        place = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", error, re.DOTALL)
        message, line = (place[1], int(place[2] or 0)) if place else (error, 0)
        line = line or text.rstrip().count("\n") + 1
        twice = [
            again for again in self.lines.again if not any(one.path in parents(again.path) for one in self.lines.again)
        ]
        if any(again.line <= line for again in twice):
            return tuple(
                Problem(self.file, again.line, dotted(again.path), f"given twice, first on line {again.first}")
                for again in twice
            )
        column = f" (column {place[3]})" if place and place[3] else ""
        hint = '; is it text?  Then it needs quotes: "..."' if message == "Invalid value" and column else ""
        hint = "; in single quotes it is just a backslash" if "'\\'" in message else hint
        return (Problem(self.file, line, "", f"not TOML: {message}{column}{hint}"),)

    def finish(self) -> tuple[Problem, ...]:
        """Give the warnings, or raise ConfigError when there are mistakes."""
        if self.problems:
            raise ConfigError(tuple(sorted(self.problems, key=lambda problem: problem.line)))
        return tuple(self.warnings)


class Table:
    """One table of the file.  A key that was asked for is known; the others are mistakes, once all is read."""

    def __init__(self, page: Page, path: KeyPath, raw: Mapping[str, Any]) -> None:
        self.page, self.path, self.raw = page, path, raw
        self.known: dict[str, None] = {}  # in the order of asking

    def line(self, *keys: str) -> int:
        return self.page.lines.of((*self.path, *keys))

    def problem(self, message: str, *keys: str) -> Problem:
        return Problem(self.page.file, self.line(*keys), dotted((*self.path, *keys)), message)

    def wrong(self, message: str, *keys: str) -> None:
        self.page.problems.append(self.problem(message, *keys))

    def refuse(self, message: str, key: str) -> None:
        """Say what is wrong with a key, in place of its being unknown."""
        self.known[key] = None
        self.wrong(message, key)

    def warn(self, message: str, *keys: str) -> None:
        self.page.warnings.append(self.problem(message, *keys))

    def take(self, key: str, read: Callable[[Any], T], default: D) -> T | D:
        """What *read* makes of the key, or *default* when it is missing or wrong."""
        self.known[key] = None
        if key not in self.raw:
            return default
        try:
            return read(self.raw[key])
        except ValueError as error:
            self.wrong(str(error), key)
            return default

    def need(self, key: str, read: Callable[[Any], T], example: str) -> T | None:
        """As ``take``, but the key must be there."""
        if key not in self.raw:
            self.wrong(f"`{key}` is missing, for example `{key} = {example}`")
        return self.take(key, read, None)

    def each(self, key: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        """As ``take``, for one value or a list of them."""
        value = self.raw.get(key)
        if not isinstance(value, list):
            one = self.take(key, read, None)
            return () if one is None else (one,)
        self.known[key] = None
        listed = Table(self.page, (*self.path, key), {str(index): element for index, element in enumerate(value)})
        return tuple(one for index in listed.raw if (one := listed.take(index, read, None)) is not None)

    def table(self, key: str) -> Table | None:
        """The table of that name, or None when it is missing or something else."""
        self.known[key] = None
        value = self.raw.get(key)
        if isinstance(value, dict):
            return Table(self.page, (*self.path, key), value)
        if value is not None:
            self.wrong(f"must be a table: [{dotted((*self.path, key))}]", key)
        return None

    def tables(self) -> list[Table]:
        """Everything in it, as tables."""
        return [table for key in self.raw if (table := self.table(key))]

    def close(self) -> None:
        """Refuse what nobody asked for."""
        for key in self.raw:
            if key not in self.known:
                kind = "table" if isinstance(self.raw[key], dict) else "key"
                self.wrong(f"unknown {kind}{nearest(key, self.known) or '; known are ' + ', '.join(self.known)}", key)


def shared(uses: Iterable[tuple[Table, str, object]]) -> Iterator[tuple[Table, str, str]]:
    """Every further use, at its key, of what was used before: what to say of it."""
    first: dict[object, tuple[Table, str]] = {}
    for table, key, thing in uses:
        if thing in first:
            other, where = first[thing]
            yield table, key, f"already used by {dotted(other.path)} (line {other.line(where)})"
        else:
            first[thing] = table, key


def beyond(path: KeyPath, value: Any) -> Iterator[KeyPath]:
    """Where in *value* there are whole numbers that no computer's word holds: TOML does not have such, Python does."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from beyond((*path, str(key)), inner)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        yield path


def parents(path: KeyPath) -> list[KeyPath]:
    return [path[:depth] for depth in range(1, len(path))]


def dotted(path: KeyPath) -> str:
    """The path as it is written in TOML."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in path)
