"""One connection of the query port, and the flush that serves all of them.

A line is a command.  Answers leave in the order of the commands, one write per chunk that came; while one
waits for a device, the rest of the connection waits too.  Pushed readings are lines that start with ``* ``.
A client that does not read is no longer listened to, and of what it watches only the newest is kept.  One that
has said its last word gets all its answers before the connection is closed, and what it watches for as long as
it is there.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands import Answer, Commands, stranger
from gateway.reading import Reading, Readings

LINE = 8192  # bytes of a command, at most
CONNECTIONS = 2000  # at once
BATCH, LARGE = 100, 65536  # commands, and bytes of their answers, after which others have their turn
QUIET = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))  # seconds, seconds, times
LOOK = 60.0  # seconds between two looks at a client that has said its last word, and watches
HTTP = re.compile(rb"host:|(?!set )[a-z]+ \S+ http/\d", re.IGNORECASE)  # a browser that was led here


class Query(Factory):
    """Makes the connections of the query port, and flushes those that have something to say."""

    noisy = False

    def __init__(self, commands: Commands, clock: IReactorTime) -> None:
        self.commands, self.clock = commands, clock
        self.connections = 0
        self.dirty: list[Port] = []

    def buildProtocol(self, addr: Any) -> Port:
        return Port(self)

    def mark(self, port: Port) -> None:
        if not self.dirty:
            self.clock.callLater(0, self.flush)
        self.dirty.append(port)

    def flush(self) -> None:
        dirty, self.dirty = self.dirty, []
        made: dict[tuple[int, bool], bytes] = {}  # most of them watch the same
        for port in dirty:
            try:
                port.tell(made)
            except Exception as error:  # one that fails must not silence the others
                port.session.fail(error)

    def pushed(self, made: dict[tuple[int, bool], bytes], readings: Readings, json: bool) -> bytes:
        key = id(readings), json
        if (data := made.get(key)) is None:
            data = made[key] = b"".join(map(as_json if json else as_text, readings))
        return data


def encoded(text: str) -> bytes:
    """A line; what UTF-8 has no bytes for, as in the name of a file, is escaped."""
    return text.encode(errors="backslashreplace") + b"\n"


def as_text(reading: Reading) -> bytes:
    return b"* " + reading.line


def as_json(reading: Reading) -> bytes:
    return b"* " + reading.json + b"\n"


@implementer(IPushProducer, IHalfCloseableProtocol)
class Port(Protocol):
    """One connection."""

    def __init__(self, factory: Query) -> None:
        self.query = factory
        self.tail = b""
        self.queue: deque[bytes] = deque()  # lines that wait for those before them
        self.waiting: Deferred[Answer] | None = None
        self.too_long = self.begun = self.stalled = self.ended = False
        self.fresh: list[Readings] = []
        self.newest: dict[str, Reading] = {}
        self.looking: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.way = cast(Any, self.transport)
        peer = self.way.getPeer()
        host = getattr(peer, "host", "")
        self.session = self.query.commands.open(stranger(host, f"{host}:{getattr(peer, 'port', 'unix')}"))
        self.session.push, self.session.settle = self.push, self.settle
        self.tuned = hasattr(self.way, "unsent")  # our own reactor's; any other tells by itself when it has too much
        if not self.tuned:
            self.way.registerProducer(self, True)
        if isinstance(peer, IPv4Address | IPv6Address) and hasattr(self.way, "setTcpNoDelay"):
            self.way.setTcpNoDelay(True)
            self.way.setTcpKeepAlive(True)
            if self.tuned:
                for option, value in QUIET:
                    self.way.getHandle().setsockopt(socket.IPPROTO_TCP, option, value)
        self.query.connections += 1
        if self.query.connections > CONNECTIONS:
            self.end(f"ERR limit {CONNECTIONS} connections are open already\n".encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.query.connections -= 1
        if self.looking is not None and self.looking.active():
            self.looking.cancel()
        self.queue.clear()
        self.session.close()  # what it waits for goes on: a set that was asked for is carried out

    # What comes

    def dataReceived(self, data: bytes) -> None:
        if not self.begun and not self.welcome(data):
            return
        lines = (self.tail + data if self.tail else data).replace(b"\r\n", b"\n").split(b"\n")
        self.tail = lines.pop()
        if self.too_long and lines:
            self.too_long = False
            del lines[0]
        if len(self.tail) > LINE:
            if not self.too_long:
                lines.append(self.tail)
            self.too_long, self.tail = True, b""
        if self.queue or self.waiting is not None or self.stalled or len(lines) > BATCH:
            self.queue.extend(lines)
            self.proceed()
        elif lines:
            self.answer(lines)

    def welcome(self, data: bytes) -> bool:
        """Look at the first byte: is this somebody who should not be here?"""
        self.begun = True
        if data[0] == 0x16:
            self.end(b"ERR no-tls this port speaks plain text, not TLS\n")
        elif data[:1] == b"*":
            self.end(b"-ERR this port speaks the command language in plain text; try `help`\r\n")
        return bool(self.connected) and not self.way.disconnecting

    def answer(self, lines: list[bytes]) -> None:
        known = self.session.known
        if len(lines) == 1 and (answer := known(lines[0])) is not None:  # nearly always
            self.send(answer)
            return
        out: list[bytes] = []
        size = 0
        for at, line in enumerate(lines, 1):
            if (answer := known(line)) is None:
                reply = self.perform(line)
                if isinstance(reply, Deferred):
                    self.queue.extendleft(reversed(lines[at:]))
                    self.wait(reply)
                    break
                answer = self.rendered(reply)
                if reply.last:
                    self.end(b"".join(out) + answer)
                    return
                size += len(answer)
                if size > LARGE:
                    self.queue.extendleft(reversed(lines[at:]))
                    out.append(answer)
                    break
            out.append(answer)
        if out:
            self.send(b"".join(out))
        if self.queue and self.waiting is None:
            self.way.pauseProducing()
            self.query.clock.callLater(0, self.proceed)

    def proceed(self) -> None:
        """Go on with what waits, a batch a turn, and then listen again."""
        if self.waiting is not None or self.stalled or not self.connected:
            return
        if self.queue:
            self.answer([self.queue.popleft() for _ in range(min(BATCH, len(self.queue)))])
        if self.queue or self.waiting is not None or self.stalled:
            return
        if self.ended:
            self.leave()
        else:
            self.way.resumeProducing()

    def readConnectionLost(self) -> None:
        """The client has said its last word, and may still listen."""
        self.ended = True
        self.proceed()
        if not self.way.disconnecting:
            self.looking = self.query.clock.callLater(LOOK, self.look)

    def writeConnectionLost(self) -> None:
        """Only we close our half, and then the whole."""

    def leave(self) -> None:
        """All is answered.  A line that was torn is not carried out: who knows what it should have said."""
        torn, self.tail = self.tail, b""
        last = b"ERR syntax the last line has no end\n" if torn else b""
        if self.session.watched:
            self.send(last)
        else:
            self.end(last)

    def look(self) -> None:
        """Have the reactor look at a socket that it no longer reads: it may be dead."""
        self.way.startWriting()
        self.looking = self.query.clock.callLater(LOOK, self.look)

    def perform(self, line: bytes) -> Answer | Deferred[Answer]:
        if len(line) > LINE:
            return Answer(status=f"ERR too-long a command has at most {LINE} bytes")
        if HTTP.match(line):
            return Answer(status="ERR no-http this port speaks the command language; the web is elsewhere", last=True)
        try:
            return self.session.perform(line.decode())
        except UnicodeDecodeError as error:
            return Answer(status=f"ERR syntax not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}")

    def wait(self, reply: Deferred[Answer]) -> None:
        """Answers leave in order: nothing more is read until this one is there."""
        self.waiting = reply
        self.way.pauseProducing()
        reply.addCallback(self.came)

    def came(self, answer: Answer) -> None:
        self.waiting = None
        if self.connected:
            self.send(self.rendered(answer))
            self.proceed()

    def rendered(self, answer: Answer) -> bytes:
        if self.session.json:
            rows = [row.json + b"\n" for row in answer.rows]
        else:
            rows = [row.line if isinstance(row, Reading) else encoded(row.text) for row in answer.rows]
        return b"".join(rows) + encoded(answer.status)

    # What goes

    def push(self, readings: Readings) -> None:
        """New readings of what is watched."""
        if self.stalled:
            for reading in readings:
                self.session.dropped += reading.name in self.newest
                self.newest[reading.name] = reading
        else:
            if not self.fresh:
                self.query.mark(self)
            self.fresh.append(readings)

    def settle(self) -> None:
        """Say what is noted for the next flush now."""
        self.tell({})

    def tell(self, made: dict[tuple[int, bool], bytes]) -> None:
        fresh, self.fresh = self.fresh, []
        if fresh and self.connected:
            self.send(b"".join([self.query.pushed(made, readings, self.session.json) for readings in fresh]))

    def send(self, data: bytes) -> None:
        if not self.tuned:
            self.way.write(data)
        elif not self.way.send(data) and not self.stalled and self.way.unsent and not self.way.disconnecting:
            self.pauseProducing()
            self.way.registerProducer(self, False)

    def pauseProducing(self) -> None:
        """The client does not read as fast as it asks."""
        self.stalled = True
        self.way.pauseProducing()

    def resumeProducing(self) -> None:
        """All is sent.  A pull producer is also called when it is registered, while bytes are still there."""
        if self.tuned:
            if self.way.unsent:
                return
            self.way.unregisterProducer()
        self.stalled = False
        if self.newest:
            newest, self.newest = tuple(self.newest.values()), {}
            self.push(newest)
        self.proceed()

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` does the rest."""

    def end(self, last: bytes) -> None:
        """Close when *last* and all before it is sent."""
        self.settle()
        self.session.subscribe(())
        self.queue.clear()
        self.way.write(last)
        self.way.unregisterProducer()
        self.way.loseConnection()
