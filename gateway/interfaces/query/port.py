"""One connection of the query port, and the flush that serves all of them.

A line is a command.  Answers leave in the order of the commands, one write per chunk that came; while one
waits for a device, the rest of the connection waits too.  Pushed readings are lines that start with ``* ``.
A client that does not read is no longer listened to, and of what it watches only the newest is kept.
"""

from __future__ import annotations

from collections import deque
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands import Answer, Commands, stranger
from gateway.reading import Reading, Readings

LINE = 8192  # bytes of a command, at most
CONNECTIONS = 2000  # at once
FIRST_WORDS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"TRACE ")


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
            fresh, port.fresh = port.fresh, []
            if port.connected:
                port.send(b"".join([self.pushed(made, readings, port.session.json) for readings in fresh]))

    def pushed(self, made: dict[tuple[int, bool], bytes], readings: Readings, json: bool) -> bytes:
        key = id(readings), json
        if (data := made.get(key)) is None:
            data = made[key] = b"".join(map(as_json if json else as_text, readings))
        return data


def as_text(reading: Reading) -> bytes:
    return b"* " + reading.line


def as_json(reading: Reading) -> bytes:
    return b"* " + reading.json + b"\n"


@implementer(IPushProducer)
class Port(Protocol):
    """One connection."""

    def __init__(self, factory: Query) -> None:
        self.query = factory
        self.tail = b""
        self.queue: deque[bytes] = deque()  # lines that came while an answer was waited for
        self.waiting: Deferred[Answer] | None = None
        self.too_long = self.begun = self.stalled = False
        self.fresh: list[Readings] = []
        self.newest: dict[str, Reading] = {}

    def connectionMade(self) -> None:
        self.way = cast(Any, self.transport)
        peer = self.way.getPeer()
        host = getattr(peer, "host", "")
        self.session = self.query.commands.open(stranger(host, f"{host}:{getattr(peer, 'port', 'unix')}"))
        self.session.push = self.push
        if isinstance(self.transport, ITCPTransport):
            self.way.setTcpNoDelay(True)
            self.way.setTcpKeepAlive(True)
        self.tuned = hasattr(self.way, "unsent")  # our own reactor's; any other tells by itself when it has too much
        if not self.tuned:
            self.way.registerProducer(self, True)
        self.query.connections += 1
        if self.query.connections > CONNECTIONS:
            self.end(f"ERR limit {CONNECTIONS} connections are open already\n".encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.query.connections -= 1
        self.queue.clear()
        if self.waiting is not None:
            self.waiting.cancel()
        self.session.close()

    # What comes

    def dataReceived(self, data: bytes) -> None:
        if not self.begun and not self.welcome(data):
            return
        lines = (self.tail + data if self.tail else data).split(b"\n")
        self.tail = lines.pop()
        if self.too_long and lines:
            self.too_long = False
            del lines[0]
        if len(self.tail) > LINE:
            if not self.too_long:
                lines.append(self.tail)
            self.too_long, self.tail = True, b""
        if self.queue or self.waiting is not None or self.stalled:
            self.queue.extend(lines)
        elif lines:
            self.answer(lines)

    def welcome(self, data: bytes) -> bool:
        """Look at the first bytes: is this somebody who should not be here?"""
        self.begun = True
        if data[0] == 0x16:
            self.end(b"ERR no-tls this port speaks plain text, not TLS\n")
        elif data.startswith(FIRST_WORDS) and b" HTTP/" in data.partition(b"\n")[0]:
            self.end(b"ERR no-http this port speaks the command language; the web page is on another port\n")
        elif data[:1] == b"*":
            self.end(b"-ERR this port speaks the command language in plain text; try `help`\r\n")
        return bool(self.connected) and not self.way.disconnecting

    def answer(self, lines: list[bytes]) -> None:
        out: list[bytes] = []
        known = self.session.known
        for at, line in enumerate(lines):
            if (answer := known(line)) is not None:
                out.append(answer)
                continue
            reply = self.perform(line)
            if isinstance(reply, Deferred):
                self.queue.extendleft(reversed(lines[at + 1 :]))
                self.wait(reply)
                break
            out.append(self.rendered(reply))
            if reply.last:
                self.end(b"".join(out))
                return
        if out:
            self.send(b"".join(out))

    def perform(self, line: bytes) -> Answer | Deferred[Answer]:
        if len(line) > LINE:
            return Answer(status=f"ERR too-long a command has at most {LINE} bytes")
        try:
            text = line.decode().rstrip("\r")
        except UnicodeDecodeError as error:
            return Answer(status=f"ERR syntax not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}")
        if text.lower().startswith("host:"):  # a browser that was led here
            return Answer(status="ERR no-http this port speaks the command language", last=True)
        return self.session.perform(text)

    def wait(self, reply: Deferred[Answer]) -> None:
        """Answers leave in order: nothing more is read until this one is there."""
        self.waiting = reply
        self.way.pauseProducing()
        reply.addCallbacks(self.came, lambda failure: None)  # cancelled: the client has gone

    def came(self, answer: Answer) -> None:
        self.waiting = None
        self.send(self.rendered(answer))
        self.resume()

    def resume(self) -> None:
        """Go on with what waits."""
        if self.waiting is None and not self.stalled and self.connected:
            self.way.resumeProducing()
            lines, self.queue = list(self.queue), deque()
            if lines:
                self.answer(lines)

    def rendered(self, answer: Answer) -> bytes:
        if self.session.json:
            rows = [row.json + b"\n" for row in answer.rows]
        else:
            rows = [row.line if isinstance(row, Reading) else row.text.encode() + b"\n" for row in answer.rows]
        return b"".join(rows) + answer.status.encode() + b"\n"

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

    def send(self, data: bytes) -> None:
        self.way.write(data)
        if self.tuned and not self.stalled and self.way.unsent and not self.way.disconnecting:
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
        self.resume()

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` does the rest."""

    def end(self, last: bytes) -> None:
        self.way.write(last)
        self.way.loseConnection()
