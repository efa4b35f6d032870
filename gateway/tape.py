"""Plays a recording to a driver: what the device said is said again, and what the gateway sent is compared with what it
sends now.

One tape serves a byte stream, where it is an endpoint, a bus or a folder, where it is a connection, and GPIO lines.  It
knows neither frames nor devices: bytes are compared as they stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from drivers.api import Edge, NoAnswer, Operation, Transfer, Write
from gateway.recording import Piece
from gateway.ring import sent
from gateway.run import Connection, Fed, Lost


@implementer(IStreamClientEndpoint)
class Tape:
    """*pieces*, from the first on.  A pause of more than *longest* seconds is cut short; from second
    *resumed* on it is another part of the recording, which may begin anywhere.  ``beyond`` is set when the
    driver asks for more when all was said; ``wrong`` holds what it sent that was not recorded, or left out."""

    def __init__(
        self, clock: IReactorTime, pieces: Iterable[Piece], longest: float = inf, resumed: float = inf
    ) -> None:
        self.clock, self.left, self.longest, self.resumed = clock, deque(pieces), longest, resumed
        self.wrong: list[str] = []
        self.beyond = self.began = False
        self.base = 0.0  # seconds of the clock at which the recording began
        self.moved = 0.0  # when it last went on

    def seconds(self) -> float:
        """Which second of the recording it is."""
        return self.clock.seconds() - self.base

    def until(self) -> float:
        """Seconds until what comes next."""
        wait = self.left[0].at - self.seconds()
        self.base -= max(0.0, wait - self.longest)
        return min(wait, self.longest)

    def at(self, piece: Piece) -> None:
        """It is that of *piece* now."""
        self.moved = self.clock.seconds()
        self.base = self.moved - piece.at

    def match(self, data: bytes) -> bytes | None:
        """If *data* was sent then, too, let the tape stand behind it, and give what the device said before it that is
        not said yet.  What was sent before it and is not now is left out, and noted, but for what stands before the
        first match: a recording may begin anywhere."""
        left, early, skipped = deque(self.left), b"", list[Piece]()
        while left:
            piece = left.popleft()
            if piece.way == "<":
                early += piece.data if not skipped else b""
            elif piece.data and not piece.data.startswith(data):  # of a capture nobody knows what was asked
                skipped.append(piece)
            else:
                if self.began and not (skipped and skipped[0].at >= self.resumed):
                    self.wrong += [
                        f"{each.at:.3f} s: {each.data.hex(' ')} was sent, and is not now" for each in skipped
                    ]
                if piece.at >= self.resumed:
                    self.resumed = inf
                if rest := piece.data[len(data) :]:
                    left.appendleft(Piece(piece.at, ">", rest))
                self.left, self.began = left, True
                self.at(piece)
                return early
        self.beyond = not self.left
        if skipped or not self.began:
            self.wrong.append(f"{data.hex(' ')} is sent now, and was not then")
        return None

    # As a connection to a chip, or to a folder

    def perform(self, operation: Operation) -> Deferred[bytes]:
        data = sent(operation)
        if data and self.match(data) is None:
            return Deferred() if self.beyond else fail(NoAnswer("it was not sent that then"))
        if isinstance(operation, Write) or (isinstance(operation, Transfer) and not operation.read):
            return succeed(b"")
        if not self.left:
            self.beyond = True
            return Deferred()
        if self.left[0].way == ">":
            return fail(NoAnswer("it did not answer then"))
        piece = self.left.popleft()
        self.at(piece)
        length = operation.read if isinstance(operation, Transfer) else len(piece.data)
        if rest := piece.data[length:]:
            self.left.appendleft(Piece(piece.at, "<", rest))
        return succeed(piece.data[:length])

    def close(self) -> None:
        """A connection is closed; the next goes on where this one was."""

    # As GPIO lines

    def lines(self, fed: Fed, lost: Lost) -> Deferred[Connection]:
        """Opens them.  What they were set to is told as what they were: nobody sets them again."""
        made: Connection = Levels(self, fed)
        return succeed(made)

    # As an endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = cast(IProtocol, protocolFactory.buildProtocol(cast(Any, None)))
        Line(self, protocol)
        return succeed(protocol)


class Levels:
    """GPIO lines whose levels are those of the tape."""

    def __init__(self, tape: Tape, fed: Fed) -> None:
        self.tape, self.fed, self.open = tape, fed, True
        if tape.left:
            tape.base = tape.clock.seconds() - tape.left[0].at
        tape.clock.callLater(0, self.say)

    def say(self) -> None:
        tape = self.tape
        while self.open and tape.left:
            if (wait := tape.until()) > 1e-9:
                tape.clock.callLater(wait, self.say)
                return
            tape.moved, piece = tape.clock.seconds(), tape.left.popleft()
            self.fed(tuple(Edge(line, level == "1", piece.at) for line, level in told(piece.data)))

    def perform(self, operation: Operation) -> Deferred[bytes]:
        return fail(NoAnswer("it was not sent that then"))

    def close(self) -> None:
        self.open = False


def told(data: bytes) -> list[tuple[str, str]]:
    """Lines and their levels; what is none is passed over."""
    words = (text.rpartition(" ") for text in data.decode("utf-8", "replace").splitlines())
    return [(line, level) for line, _, level in words if level in ("0", "1")]


@implementer(ITransport)
class Line:
    """A byte stream from the tape."""

    def __init__(self, tape: Tape, protocol: IProtocol) -> None:
        self.tape, self.protocol, self.connected = tape, protocol, True
        if not tape.began and tape.left:
            tape.base = tape.clock.seconds() - tape.left[0].at
        protocol.makeConnection(self)
        tape.clock.callLater(0, self.say)

    def say(self) -> None:
        """What comes next, when its time has come; what answers a question, when that was asked."""
        tape = self.tape
        while self.connected and tape.left and tape.left[0].way == "<":
            if (wait := tape.until()) > 1e-9:
                tape.clock.callLater(wait, self.say)
                return
            tape.moved = tape.clock.seconds()
            self.protocol.dataReceived(tape.left.popleft().data)

    def answer(self, early: bytes) -> None:
        if early and self.connected:
            self.protocol.dataReceived(early)
        self.say()

    def write(self, data: bytes) -> None:
        if (early := self.tape.match(data)) is not None:
            self.tape.clock.callLater(0, self.answer, early)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.abortConnection()

    def abortConnection(self) -> None:
        if self.connected:
            self.connected = False
            self.tape.clock.callLater(0, self.protocol.connectionLost, Failure(ConnectionAborted()))

    def getPeer(self) -> Any:
        return None

    def getHost(self) -> Any:
        return None
