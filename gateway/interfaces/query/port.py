"""One connection of the query port, and the flush that serves all of them.

The first byte says which dialect is spoken: ``*`` is RESP, anything else text.  Answers leave in the order of the
requests, one write per chunk that came; while one waits for a device, the rest of the connection waits too.
A client that does not read is no longer listened to, and of what it watches only the newest is kept.  One that
has said its last word gets all its answers before the connection is closed, and what it watches for as long as
it is there.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands import Commands, Row, stranger
from gateway.interfaces.query.dialect import Dialect, Fresh, Last, Made, Tally
from gateway.interfaces.query.resp import Resp
from gateway.interfaces.query.text import Text
from gateway.reading import Reading, Readings

CONNECTIONS = 2000  # at once
BATCH, LARGE = 100, 65536  # requests, and bytes of their answers, after which others have their turn
QUIET = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))  # seconds, seconds, times
LOOK = 60.0  # seconds between two looks at a client that has said its last word, and watches


class Query(Factory):
    """Makes the connections of the query port, and flushes those that have something to say."""

    noisy = False

    def __init__(self, commands: Commands, clock: IReactorTime) -> None:
        self.commands, self.clock = commands, clock
        self.tally = Tally()
        self.dirty: list[Port] = []

    @property
    def connections(self) -> int:
        return self.tally.open

    def buildProtocol(self, addr: Any) -> Port:
        return Port(self)

    def mark(self, port: Port) -> None:
        if not self.dirty:
            self.clock.callLater(0, self.flush)
        self.dirty.append(port)

    def flush(self) -> None:
        dirty, self.dirty = self.dirty, []
        made: Made = {}  # most of them watch the same
        for port in dirty:
            try:
                port.tell(made)
            except Exception as error:  # one that fails must not silence the others
                port.session.fail(error)


@implementer(IPushProducer, IHalfCloseableProtocol)
class Port(Protocol):
    """One connection."""

    dialect: Dialect

    def __init__(self, factory: Query) -> None:
        self.query = factory
        self.queue: deque[Any] = deque()  # requests that wait for those before them
        self.waiting: Deferred[bytes] | None = None
        self.begun = self.stalled = self.paused = self.ended = False
        self.fresh: list[Fresh] = []
        self.newest: dict[str, Reading] = {}
        self.looking: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.way = cast(Any, self.transport)
        peer = self.way.getPeer()
        host = getattr(peer, "host", "")
        self.session = self.query.commands.open(stranger(host, f"{host}:{getattr(peer, 'port', 'unix')}", "tcp"))
        self.session.push, self.session.pour, self.session.settle = self.push, self.pour, self.settle
        self.tuned = hasattr(self.way, "unsent")  # our own reactor's; any other tells by itself when it has too much
        if not self.tuned:
            self.way.registerProducer(self, True)
        if isinstance(peer, IPv4Address | IPv6Address) and hasattr(self.way, "setTcpNoDelay"):
            self.way.setTcpNoDelay(True)
            self.way.setTcpKeepAlive(True)
            if self.tuned:
                for option, value in QUIET:
                    self.way.getHandle().setsockopt(socket.IPPROTO_TCP, option, value)
        tally = self.query.tally
        tally.open, tally.ever = tally.open + 1, tally.ever + 1
        if tally.open > CONNECTIONS:
            self.end(f"ERR limit {CONNECTIONS} connections are open already\n".encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.query.tally.open -= 1
        if self.looking is not None and self.looking.active():
            self.looking.cancel()
        self.queue.clear()
        self.session.close()  # what it waits for goes on: a set that was asked for is carried out

    # What comes

    def dataReceived(self, data: bytes) -> None:
        if not self.begun and not self.welcome(data):
            return
        requests = self.dialect.cut(data)
        free = not self.queue and self.waiting is None and not self.stalled
        if free and len(requests) == 1 and (answer := self.dialect.known(requests[0])) is not None:
            self.send(answer)  # nearly always
        elif requests:
            self.queue.extend(requests)
            self.proceed()

    def welcome(self, data: bytes) -> bool:
        """Look at the first byte: what is spoken here, and is this somebody who should not be here?"""
        self.begun = True
        if data[0] == 0x16:
            self.end(b"ERR no-tls this port speaks plain text, not TLS\n")
            return False
        resp = data[:1] == b"*"
        self.dialect = Resp(self.session, self.query.tally, self.queue) if resp else Text(self.session, self.queue)
        return bool(self.connected) and not self.way.disconnecting

    def answer(self) -> None:
        """Answer a batch of what waits, in one write."""
        known, perform, queue = self.dialect.known, self.dialect.perform, self.queue
        out: list[bytes] = []
        size = 0
        later: Deferred[bytes] | None = None
        for _ in range(min(BATCH, len(queue))):
            request = queue.popleft()
            if (answer := known(request)) is None:
                done = perform(request)
                if isinstance(done, Deferred):
                    if not isinstance(answer := getattr(done, "result", None), bytes):
                        later = done
                        break
                else:
                    answer = done
                if isinstance(answer, Last):
                    self.end(b"".join(out) + answer)
                    return
                size += len(answer)
                if size > LARGE:
                    out.append(answer)
                    break
            out.append(answer)
        if out:
            self.send(b"".join(out))
        if later is not None:
            self.wait(later)

    def proceed(self) -> None:
        """Go on with what waits, a batch a turn, and then listen again."""
        if self.waiting is not None or self.stalled or not self.connected:
            return
        if self.queue:
            self.answer()
            if not self.dialect.held:
                self.catch_up()
        if self.waiting is not None or self.stalled or self.way.disconnecting:
            return
        if self.queue:
            self.hush()
            self.query.clock.callLater(0, self.proceed)
        elif self.ended:
            self.leave()
        elif self.paused and not self.stalled:
            self.paused = False
            self.way.resumeProducing()

    def wait(self, answer: Deferred[bytes]) -> None:
        """Answers leave in order: nothing more is read until this one is there."""
        self.waiting = answer
        self.hush()
        answer.addCallback(self.came)

    def came(self, answer: bytes) -> None:
        self.waiting = None
        if not self.connected:
            return
        if isinstance(answer, Last):
            self.end(answer)
        else:
            self.send(answer)
            self.proceed()

    def hush(self) -> None:
        """Listen no more, for now."""
        self.paused = True
        self.way.pauseProducing()

    # The end

    def readConnectionLost(self) -> None:
        """The client has said its last word, and may still listen."""
        self.ended = True
        self.proceed()
        if not self.way.disconnecting:
            self.looking = self.query.clock.callLater(LOOK, self.look)

    def writeConnectionLost(self) -> None:
        """Only we close our half, and then the whole."""

    def leave(self) -> None:
        """All is answered."""
        last = self.dialect.torn() if self.begun else b""
        if self.session.watched:
            self.send(last)
        else:
            self.end(last)

    def look(self) -> None:
        """Have the reactor look at a socket that it no longer reads: it may be dead."""
        self.way.startWriting()
        self.looking = self.query.clock.callLater(LOOK, self.look)

    def end(self, last: bytes) -> None:
        """Close when *last* and all before it is sent."""
        self.settle()
        self.session.subscribe(())
        self.queue.clear()
        self.way.write(last)
        self.way.unregisterProducer()
        self.way.loseConnection()

    # What goes

    def push(self, readings: Readings) -> None:
        """New readings of what is watched."""
        if self.stalled or self.newest or self.dialect.held:
            for reading in readings:
                self.session.dropped += reading.name in self.newest
                self.newest[reading.name] = reading
        else:
            if not self.fresh:
                self.query.mark(self)
            self.fresh.append(readings)

    def pour(self, rows: tuple[Row, ...]) -> bool:
        """New rows of what is followed; False: there is no room for them now."""
        if self.stalled or self.newest or self.dialect.held:
            return False
        if not self.fresh:
            self.query.mark(self)
        self.fresh.append(rows)
        return True

    def settle(self) -> None:
        """Say what is noted for the next flush now."""
        self.tell({})

    def tell(self, made: Made) -> None:
        fresh, self.fresh = self.fresh, []
        if fresh and self.connected:
            self.send(self.dialect.pushed(fresh, made))

    def catch_up(self) -> None:
        """Push what was kept back."""
        if self.newest:
            newest, self.newest = tuple(self.newest.values()), {}
            self.push(newest)

    def send(self, data: bytes) -> None:
        if not self.tuned:
            self.way.write(data)
        elif not self.way.send(data) and not self.stalled and self.way.unsent and not self.way.disconnecting:
            self.pauseProducing()
            self.way.registerProducer(self, False)

    def pauseProducing(self) -> None:
        """The client does not read as fast as it asks."""
        self.stalled = True
        self.hush()

    def resumeProducing(self) -> None:
        """All is sent.  A pull producer is also called when it is registered, while bytes are still there."""
        if self.tuned:
            if self.way.unsent:
                return
            self.way.unregisterProducer()
        self.stalled = False
        self.catch_up()
        self.proceed()

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` does the rest."""
