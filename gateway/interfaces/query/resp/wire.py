"""RESP on the wire, the protocol of Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/.

    request:  *2 CRLF  $3 CRLF GET CRLF  $17 CRLF attic.temperature CRLF      an array of bulk strings
    answer:   $5 CRLF 21.53 CRLF                                             by its type; RESP3 has more types

Lengths are announced, so each is looked at before anything is kept for it.  An array holds bulk strings only:
there is nothing to nest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ITEMS = 1000  # of a request, its command among them, at most
BULK = 16384  # bytes of one item, at most: a text of 4096 characters, whatever they are
WHOLE = 65536  # bytes of a request, at most
COUNT = 32  # bytes of a line that announces a length, at most
NUMBER = re.compile(rb"-?[0-9]{1,10}")
COUNTS = {b"*%d" % number: number for number in range(1, 10)}  # the usual ones are looked up
COUNTS[b""] = 0  # `redis-cli --pipe` sends an empty line before its last request
LENGTHS = {b"$%d" % number: number for number in range(100)}

Request = list[bytes]


class Refused(Exception):
    """An error as a client gets it: a word in capitals, and for people the rest."""


class Encoded(bytes):
    """An answer, or the beginning of one, as it goes out."""


class Simple(str):
    """A simple string, such as OK."""


@dataclass(frozen=True, slots=True)
class Push:
    """What a client did not ask for just now.  RESP2 knows it as an array."""

    items: tuple[Any, ...]


class Parser:
    """Cuts a stream into requests.  Takes any chunking, and never looks at a byte twice but for a line's end.
    After the first mistake it is deaf: who knows where the next request begins?"""

    __slots__ = ("announced", "idle", "items", "left", "size", "tail", "wrong")

    def __init__(self) -> None:
        self.tail = b""
        self.items: Request = []
        self.left = self.size = 0  # items that are still to come, and bytes of this request so far
        self.announced = -1  # bytes of the item that comes, where its length is known
        self.wrong = False
        self.idle = True  # nothing of a request is there yet

    def feed(self, data: bytes) -> list[Request | Refused]:
        out: list[Request | Refused] = []
        if not self.wrong:
            data, self.tail = self.tail + data if self.tail else data, b""
            try:
                self.tail = data[self.take(data, out) :]
            except Refused as mistake:
                self.wrong, self.items = True, []
                out.append(mistake)
        self.idle = not (self.left or self.tail or self.wrong)
        return out

    def take(self, data: bytes, out: list[Request | Refused]) -> int:
        """Append the requests in *data* to *out*, and say how many bytes were used."""
        at, left, announced, items = 0, self.left, self.announced, self.items
        while True:
            if announced < 0:
                end = data.find(b"\r\n", at, at + COUNT)
                if end < 0:
                    self.unfinished(data[at : at + COUNT], left)
                    break
                if left:
                    announced = self.length(data[at:end])
                else:
                    left = self.count(data[at:end])
                at = end + 2
            else:
                end = at + announced
                if len(data) < end + 2:
                    break
                if data[end : end + 2] != b"\r\n":
                    raise Refused("ERR Protocol error: a bulk string is longer than it says")
                items.append(data[at:end])
                at, announced, left = end + 2, -1, left - 1
                if not left:
                    out.append(items)
                    items, self.size = [], 0
        self.left, self.announced, self.items = left, announced, items
        return at

    def count(self, line: bytes) -> int:
        """How many items a request has; Redis passes over one that has none, too."""
        if (number := COUNTS.get(line)) is not None:  # nearly always
            return number
        expect(b"*", line)
        if not NUMBER.fullmatch(line, 1):
            raise Refused("ERR Protocol error: invalid multibulk length")
        if (number := int(line[1:])) > ITEMS:
            told = f"{number} items, and at most {ITEMS} in a request"
            raise Refused(f"ERR Protocol error: invalid multibulk length: {told}")
        return max(number, 0)

    def length(self, line: bytes) -> int:
        """How many bytes the next item has, before there is room for one of them."""
        number = LENGTHS.get(line, -1)
        if number < 0:
            expect(b"$", line)
            if not NUMBER.fullmatch(line, 1) or (number := int(line[1:])) < 0:
                raise Refused("ERR Protocol error: invalid bulk length")
            if number > BULK:
                told = f"{number} bytes, and at most {BULK} in an item"
                raise Refused(f"ERR Protocol error: invalid bulk length: {told}")
        self.size += number
        if self.size > WHOLE:
            raise Refused(f"ERR Protocol error: a request has at most {WHOLE} bytes")
        return number

    def unfinished(self, line: bytes, left: int) -> None:
        """A line without an end, so far: can it still become one?"""
        if line and (left or line != b"\r"):
            expect(b"$" if left else b"*", line)
        if len(line) == COUNT:
            raise Refused(f"ERR Protocol error: too big {'bulk' if left else 'mbulk'} count string")


def expect(mark: bytes, line: bytes) -> None:
    if line[:1] != mark:
        found = line[:1].decode("ascii", "replace")
        raise Refused(f"ERR Protocol error: expected '{mark.decode()}', got '{found}'")


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


def encode(value: Any, version: int) -> bytes:
    """*value* as an answer in RESP *version* (2 or 3)."""
    match value:
        case Encoded():
            return value
        case bytes():
            return bulk(value)
        case None:
            return b"_\r\n" if version == 3 else b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case Simple():
            return f"+{value}\r\n".encode()
        case str():
            return bulk(value.encode(errors="backslashreplace"))
        case Refused():
            text = str(value).replace("\r", " ").replace("\n", " ")
            return f"-{text}\r\n".encode(errors="backslashreplace")
        case float():  # RedisTimeSeries gives RESP2 a simple string
            return (b",%b\r\n" if version == 3 else b"+%b\r\n") % f"{value:.15g}".encode()
        case dict():
            parts = [encode(part, version) for pair in value.items() for part in pair]
            return counted(b"%", len(value), parts) if version == 3 else counted(b"*", len(parts), parts)
        case Push():
            return counted(
                b">" if version == 3 else b"*", len(value.items), [encode(each, version) for each in value.items]
            )
        case set() | frozenset():
            return counted(
                b"~" if version == 3 else b"*", len(value), [encode(each, version) for each in sorted(value)]
            )
        case _:
            return counted(b"*", len(value), [encode(each, version) for each in value])


def counted(mark: bytes, count: int, parts: list[bytes]) -> bytes:
    return b"%b%d\r\n%b" % (mark, count, b"".join(parts))
