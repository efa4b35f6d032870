"""The command language: what a line says, and what an answer is.  No state, no devices.

A line is a command word and its arguments, separated by blanks.  The answer is zero or more rows and one
status line: ``OK ...`` or ``ERR <code> <message>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.reading import Reading, encode

Data = dict[str, Any]


class CommandError(Exception):
    """A command that was refused: *code* is one word for programs, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an answer, for people and for programs."""

    text: str
    data: Data

    @property
    def json(self) -> bytes:
        return encode(self.data)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say.  *status* is its last line, and *last* asks to close the connection."""

    rows: tuple[Row | Reading, ...] = ()
    status: str = "OK"
    last: bool = False

    @property
    def ok(self) -> bool:
        return self.status.startswith("OK")


@dataclass(frozen=True, slots=True)
class Usage:
    """One command: its arguments, what it does in a line, and the role it takes."""

    arguments: str
    about: str
    role: str = "viewer"
    least: int = 0
    most: int = 0


ANY = 1000
GLOB = frozenset("*?[")
COMMANDS = {
    "help": Usage("[COMMAND]", "list the commands, or explain one", most=1),
    "version": Usage("", "say what runs here"),
    "status": Usage("", "how the gateway is"),
    "devices": Usage("[PATTERN...]", "list devices: name, state, driver, place, reason", most=ANY),
    "items": Usage("[PATTERN...]", "list every name, also those without a value", most=ANY),
    "count": Usage("[PATTERN...]", "count the names that have a value", most=ANY),
    "get": Usage("NAME|PATTERN...", "newest readings: name, value, unit, time, quality", least=1, most=ANY),
    "set": Usage("NAME VALUE", "set a quantity; a name without a dot is a key of `manual`", "operator", 2, 2),
    "read": Usage("NAME|DEVICE", "measure now, and give the readings", "operator", 1, 1),
    "delete": Usage("KEY|PATTERN...", "delete keys of `manual`", "operator", 1, ANY),
    "clear": Usage("", "delete all keys of `manual`", "operator"),
    "watch": Usage("[PATTERN...]", "get new readings as they come, in lines that start with `* `", most=ANY),
    "unwatch": Usage("[PATTERN...]", "stop watching these patterns, or all", most=ANY),
    "json": Usage("[on|off]", "turn data lines into JSON objects", most=1),
    "quit": Usage("", "say goodbye"),
}


def parse(line: str) -> tuple[str, list[str]]:
    """The command word of *line*, in lower case, and its arguments.  The value of ``set`` is the rest of the line.
    Raises CommandError when there is no such command or the number of arguments is wrong."""
    words = line.split()
    if not words:
        raise CommandError("syntax", "an empty line is no command; try `help`")
    word = words[0].lower()
    if (usage := COMMANDS.get(word)) is None:
        raise CommandError("unknown-command", f"{clip(words[0])}: no such command{nearest(word, COMMANDS)}; try `help`")
    arguments = line.split(None, 2)[1:] if word == "set" else words[1:]
    if not usage.least <= len(arguments) <= usage.most:
        raise CommandError("syntax", f"usage: {word} {usage.arguments}".rstrip())
    return word, [argument.strip() for argument in arguments]


def nearest(word: str, known: Iterable[str], before: str = "") -> str:
    """ "; did you mean ...?", or nothing when nothing known is near.  Of very many names it looks at the first only."""
    from difflib import get_close_matches  # a typo is rare, and this import is not small

    found = get_close_matches(word[:100], list(islice(known, 1000)), 1)
    return f"; did you mean `{before}{found[0]}`?" if found else ""


def clip(text: str) -> str:
    """*text* short enough, and printable, for an answer."""
    text = "".join(each if each.isprintable() else "?" for each in text[:61])
    return text if len(text) <= 60 else text[:60] + "..."
