"""A Redis client without a socket: it says what a test wants, however it is cut, and understands the answers by a
reading of the protocol of its own."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from gateway.interfaces.query import Query
from gateway.interfaces.query.port import Port
from tests.gateway.commands.house import House


class Wrong(Exception):
    """An error that was answered."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wrong) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


class Told(tuple[Any, ...]):
    """What was pushed in RESP3."""


def said(*words: str | bytes) -> bytes:
    """A request."""
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def understood(data: bytes) -> list[Any]:
    """All answers in *data*, which must end with one."""
    found, at = [], 0
    while at < len(data):
        value, at = value_at(data, at)
        found.append(value)
    return found


def value_at(data: bytes, at: int) -> tuple[Any, int]:
    end = data.index(b"\r\n", at)
    mark, text = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    match mark:
        case b"+":
            return text.decode(), at
        case b"-":
            return Wrong(text.decode(errors="surrogateescape")), at
        case b":":
            return int(text), at
        case b",":
            return float(text), at
        case b"_":
            return None, at
        case b"$":
            size = int(text)
            if size < 0:
                return None, at
            assert data[at + size : at + size + 2] == b"\r\n"
            return data[at : at + size].decode(errors="surrogateescape"), at + size + 2
    count = int(text) * (2 if mark == b"%" else 1)
    parts = []
    for _ in range(count):
        part, at = value_at(data, at)
        parts.append(part)
    match mark:
        case b"*":
            return parts, at
        case b"~":
            return set(parts), at
        case b">":
            return Told(parts), at
        case b"%":
            return dict(zip(parts[::2], parts[1::2], strict=True)), at
    raise AssertionError(f"what is {mark!r}?")


class Wire(StringTransport):
    """One that can close its half, too."""

    def loseWriteConnection(self) -> None:
        self.loseConnection()


class Talk:
    """One connection to a house, and the turns of its reactor."""

    def __init__(self, house: House | None = None, version: int = 2, peer: str = "127.0.0.1") -> None:
        self.house = house or House()
        if house is None:
            self.house.measure()
        self.query = Query(self.house.commands, self.house.time)
        self.port: Port = self.query.buildProtocol(None)
        self.transport: Any = Wire(peerAddress=IPv4Address("TCP", peer, 40000))
        self.port.makeConnection(self.transport)
        if version == 3:
            assert self.ask("HELLO", "3")["proto"] == 3

    def send(self, data: bytes) -> None:
        self.port.dataReceived(data)
        self.turn()

    def turn(self) -> None:
        """Let happen what is to happen now."""
        for _ in range(1000):
            if not any(call.getTime() <= self.house.time.seconds() for call in self.house.time.getDelayedCalls()):
                return
            self.house.time.advance(0)
        raise AssertionError("it never rests")

    def heard(self) -> list[Any]:
        """What came since the last look."""
        data = self.transport.value()
        self.transport.clear()
        return understood(data)

    def ask(self, *words: str | bytes) -> Any:
        """One request, one answer."""
        self.send(said(*words))
        answers = self.heard()
        assert len(answers) == 1, answers
        return answers[0]

    def line(self, line: str) -> Any:
        return self.ask(*line.split())

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting)
