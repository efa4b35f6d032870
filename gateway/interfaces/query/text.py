"""The command language as lines of text, for people with ``nc`` and for programs.

A line is a command.  Pushed readings are lines that start with ``* ``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from gateway.commands import Answer, Row, Session
from gateway.interfaces.query.dialect import BATCH, Fresh, Last, Made
from gateway.reading import Reading

More = Callable[[], Answer | Deferred[Answer]]  # the next page
LINE = 8192  # bytes of a command, at most
ROWS = 100  # of an answer, after which it is looked at whether the client takes them
TELNET = re.compile(rb"\xff(?:[\xfb-\xfe][^\n]|[\xf0-\xf9])")  # RFC 854: what a telnet client offers by itself
MARK, MARKED = b"\xff\xfd\x06", b"\xff\xfc\x06"  # RFC 860: after Ctrl-C it shows nothing more until it is answered
HTTP = re.compile(rb"host:|(?!set )[a-z]+ \S+ http/\d", re.IGNORECASE)  # a browser that was led here


class Text:
    """One connection's lines."""

    __slots__ = ("answers", "held", "queue", "session", "tail", "too_long")

    def __init__(self, session: Session, queue: list[Any]) -> None:
        self.session, self.answers, self.queue = session, session.answers(got), queue
        self.tail = b""
        self.too_long = self.held = False

    def quick(self, data: bytes) -> bytes | None:
        lines = data.split(b"\n")
        if lines.pop() or len(lines) > BATCH or self.tail or self.too_long:
            return None
        return self.answers.answer(lines)

    def cut(self, data: bytes) -> list[bytes]:
        marks = []
        if b"\xff" in data:  # in no UTF-8
            marks = [MARK] if MARK in data else []
            data = TELNET.sub(b"", data)
        lines = (self.tail + data if self.tail else data).replace(b"\r\n", b"\n").split(b"\n")
        self.tail = lines.pop()
        if self.too_long and lines:
            self.too_long = False
            del lines[0]
        if len(self.tail.removesuffix(b"\r")) > LINE:  # half a line end is no part of a line
            if not self.too_long:
                lines.append(self.tail)
            self.too_long, self.tail = True, b""
        return marks + lines

    def known(self, line: bytes | More) -> bytes | None:
        return self.answers.answer((line,)) if isinstance(line, bytes) else None

    def perform(self, line: bytes | More) -> bytes | Deferred[bytes]:
        if not isinstance(line, bytes):
            page = line()
            return self.answered(page.addErrback(self.session.refusal) if isinstance(page, Deferred) else page)
        if line == MARK:
            return MARKED
        if len(line) > LINE:
            return encoded(f"ERR too-long a command has at most {LINE} bytes; use a pattern, or several lines")
        if HTTP.match(line):
            return Last(encoded("ERR no-http this port speaks the command language; the web is elsewhere"))
        try:
            answer = self.session.perform(line.decode())
        except UnicodeDecodeError as error:
            return encoded(f"ERR syntax not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}")
        self.answers = self.session.answers(got_json if self.session.json else got)
        if line[:4].lower() == b"get " and isinstance(answer, Answer) and answer.status == "OK":
            self.learn(line, answer)
        return self.answered(answer)

    def learn(self, line: bytes, answer: Answer) -> None:
        """Remember which reading was asked for.  ``quick`` cuts at LF only, and will see CR again."""
        if isinstance(reading := answer.rows[0], Reading):
            self.answers.learn(line, reading.name)
            self.answers.learn(line + b"\r", reading.name)

    def answered(self, answer: Answer | Deferred[Answer]) -> bytes | Deferred[bytes]:
        return answer.addCallback(self.rendered) if isinstance(answer, Deferred) else self.rendered(answer)

    def rendered(self, answer: Answer) -> bytes:
        """Of several pages the next is asked for when this one has left, and nothing stands between them."""
        json = self.session.json
        if len(answer.rows) > ROWS:
            rest = replace(answer, rows=answer.rows[ROWS:])
            answer = Answer(answer.rows[:ROWS], more=lambda: rest)
        rows = b"".join([row.json + b"\n" if json else row.line for row in answer.rows])
        if answer.more is not None:
            self.session.settle()
            self.queue.append(answer.more)
        self.held = answer.more is not None
        whole = rows if self.held else rows + encoded(answer.status)
        return Last(whole) if answer.last else whole

    def pushed(self, fresh: Sequence[Fresh], made: Made) -> bytes:
        json, out = self.session.json, []
        for each in fresh:
            key = id(each), json
            if (data := made.get(key)) is None:
                data = made[key] = b"".join(map(as_json if json else as_text, each))
            out.append(data)
        return b"".join(out)

    def torn(self) -> bytes:
        """A line that was torn is not carried out: who knows what it should have said."""
        torn, self.tail = self.tail, b""
        return encoded("ERR syntax the last line has no end") if torn and not self.too_long else b""


def encoded(text: str) -> bytes:
    """A line; what UTF-8 has no bytes for, as in the name of a file, is escaped."""
    return text.encode(errors="backslashreplace") + b"\n"


def got(reading: Reading) -> bytes:
    return reading.line + b"OK\n"


def got_json(reading: Reading) -> bytes:
    return reading.json + b"\nOK\n"


def as_text(reading: Reading | Row) -> bytes:
    return b"* " + reading.line


def as_json(reading: Reading | Row) -> bytes:
    return b"* " + reading.json + b"\n"
