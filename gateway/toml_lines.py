"""Where each key of a TOML text stands, because ``tomllib`` gives values and forgets lines.

This reads the text once more, for its keys only.  It relies on ``tomllib`` for the grammar: on a text that is
not TOML it gives what it can, and still ends.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str, ...]  # an array's element is named by its index, "0" first

TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*\n?|\n"
    r"|[][{}=,.]"
    r"""|[^][{}=,.\s"'#]+"""
    r"""|["']""",  # a quote that nothing closes
    re.DOTALL,
)
END = "\n"


@dataclass(frozen=True, slots=True)
class Again:
    """A key or table that was already there."""

    path: KeyPath
    line: int
    first: int


class Lines:
    """The lines of *text*'s keys, counted from 1, and what of them is given more than once."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.again: list[Again] = []
        self.given: set[KeyPath] = set()
        self.arrays: Counter[KeyPath] = Counter()
        self.tokens: list[tuple[str, int]] = []
        line = 1
        for match in TOKEN.finditer(text):
            token = match[0]
            self.tokens.append((END if token[0] == "#" else token, line))
            line += token.count("\n")
        self.tokens.reverse()  # the next one is the last: pop() takes it
        self.statements()

    def of(self, path: KeyPath) -> int:
        """The line of *path*, or of the nearest table around it; 1 when there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def next(self) -> str:
        return self.tokens[-1][0] if self.tokens else END

    def take(self, token: str) -> bool:
        """Step over *token* if it is the next one."""
        if self.tokens and self.tokens[-1][0] == token:
            self.tokens.pop()
            return True
        return False

    def statements(self) -> None:
        table: KeyPath = ()
        while self.tokens:
            line = self.tokens[-1][1]
            if self.take("["):
                array = self.take("[")
                table = self.key()
                if array:
                    self.arrays[table] += 1
                    table = (*table, str(self.arrays[table] - 1))
                self.note(table, line)
            elif path := self.key():
                self.pair((*table, *path), line)
            while not self.take(END) and self.tokens:
                self.tokens.pop()

    def key(self) -> KeyPath:
        """Take a dotted key.  Escapes in a quoted one stay as they are: nothing of ours needs them."""
        parts: list[str] = []
        while (token := self.next()) == "." or token[0] not in "[]{}=,\n":
            self.tokens.pop()
            if token != ".":
                parts.append(token[1:-1] if token[0] in "\"'" else token)
        return tuple(parts)

    def pair(self, path: KeyPath, line: int) -> None:
        self.note(path, line)
        if self.take("="):
            self.value(path)

    def value(self, path: KeyPath) -> None:
        """Step over a value, noting the keys and elements in it."""
        if self.take("{"):
            while self.inside("}"):
                line = self.tokens[-1][1]
                if inner := self.key():
                    self.pair((*path, *inner), line)
                else:
                    self.tokens.pop()
        elif self.take("["):
            count = 0
            while self.inside("]"):
                element = (*path, str(count))
                self.note(element, self.tokens[-1][1])
                self.value(element)
                count += 1
        else:
            while self.next() not in (",", "]", "}", END):
                self.tokens.pop()

    def inside(self, close: str) -> bool:
        """Come to the next entry of an array or inline table; False past its *close*."""
        stray = "}" if close == "]" else "]"
        while self.take(END) or self.take(",") or self.take(stray):
            pass
        return bool(self.tokens) and not self.take(close)

    def note(self, path: KeyPath, line: int) -> None:
        if path in self.given:
            self.again.append(Again(path, line, self.lines[path]))
            return
        self.given.add(path)
        self.lines[path] = line
        while (path := path[:-1]) and path not in self.lines:  # a table may be there by its keys alone
            self.lines[path] = line
