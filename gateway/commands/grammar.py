"""The command language: what a line says, and what an answer is.  No state, no devices.

A line is a command word and its arguments, separated by blanks.  The answer is zero or more rows and one
status line: ``OK ...`` or ``ERR <code> <message>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gateway.commands.usage import ANY, COMMANDS
from gateway.reading import encode

Data = dict[str, Any]
GLOB = frozenset("*?[")
QUOTES = "'\"`"  # a shell wants them around a pattern
REST = frozenset(("set", "after"))  # whose last argument is the rest of the line


class CommandError(Exception):
    """A command that was refused: *code* is one word for programs, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Line(Protocol):
    """One line of an answer: a ``Row``, a reading, or a point of the past."""

    @property
    def text(self) -> str: ...

    @property
    def line(self) -> bytes: ...

    @property
    def json(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an answer, for people and for programs."""

    text: str
    data: Data

    @property
    def line(self) -> bytes:
        """UTF-8, with its line end; what UTF-8 has no bytes for, as in the name of a file, is escaped."""
        return self.text.encode(errors="backslashreplace") + b"\n"

    @property
    def json(self) -> bytes:
        return encode(self.data)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say.  *status* is its last line, and *last* asks to close the connection.

    A long one is the first page of several: *more* gives the next, once these rows are taken.  Who cannot show
    pages shows this one and its status, which says that there is more; else the status of the last page counts."""

    rows: tuple[Line, ...] = ()
    status: str = "OK"
    last: bool = False
    more: Callable[[], Answer | Deferred[Answer]] | None = None

    @property
    def ok(self) -> bool:
        return self.status.startswith("OK")

    @property
    def facts(self) -> Data:
        """What its rows say together, as those of ``status`` do."""
        return {key: value for row in self.rows if isinstance(row, Row) for key, value in row.data.items()}


def parse(line: str) -> tuple[str, list[str]]:
    """The command word of *line*, in lower case, and its arguments.  The last of ``set`` is the rest of the line.
    Raises CommandError when there is no such command or the number of arguments is wrong."""
    words = line.split()
    if not words:
        raise CommandError("syntax", "an empty line is no command; try `help`")
    word = words[0].lower()
    if (usage := COMMANDS.get(word)) is None:
        raise CommandError("unknown-command", f"{clip(words[0])}: no such command{nearest(word, COMMANDS)}; try `help`")
    arguments = line.split(None, 2)[1:] if word in REST else words[1:]
    if len(arguments) > usage.most == ANY:
        told = f"{word} takes {ANY} words at most, and these are {len(arguments)}"
        raise CommandError("syntax", f"{told}; use a pattern, or several lines")
    if not usage.least <= len(arguments) <= usage.most:
        example = f"; for example: {usage.examples[0]}" if usage.examples else ""
        raise CommandError("syntax", f"usage: {word} {usage.arguments}".rstrip() + example)
    if word not in REST and (quoted := next((each for each in arguments if each[0] in QUOTES), "")):
        raise CommandError("syntax", f"{clip(quoted)}: nothing is quoted here; write {clip(quoted.strip(QUOTES))}")
    return word, [argument.strip() for argument in arguments]


def nearest(word: str, known: Iterable[str], before: str = "") -> str:
    """ "; did you mean ...?", or nothing when nothing known is near.  Of very many names it looks at the first only."""
    from difflib import get_close_matches  # a typo is rare, and this import is not small

    names = {name.lower(): name for name in islice(known, 1000)}
    found = get_close_matches(word[:100].lower(), names, 1)
    return f"; did you mean `{before}{names[found[0]]}`?" if found else ""


def clip(text: str, length: int = 60) -> str:
    """*text* short enough, and printable, for an answer."""
    text = "".join(each if each.isprintable() else "?" for each in text[: length + 1])
    return text if len(text) <= length else text[:length] + "..."


def number(text: str, least: int, most: int) -> int:
    """A whole number.  Raises CommandError when it is none, or not in these bounds."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and least <= int(text) <= most):
        raise CommandError("syntax", f"{clip(text)} is no number from {least} to {most}")
    return int(text)
