"""One connection of the query port, and the flush that serves all of them.

The first byte says which dialect is spoken: ``*`` is RESP, anything else text.  Answers leave in the order of the
requests, one write per chunk that came; while one waits for a device, the rest of the connection waits too.  A client
that has said its last word gets all its answers before the connection is closed, and what it watches for as long as it
is there.
"""

from __future__ import annotations

from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime, ISSLTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands import Commands, stranger
from gateway.interfaces.query.dialect import BATCH, Last, Made, Tally
from gateway.interfaces.query.flow import Flow
from gateway.interfaces.query.resp import Resp
from gateway.interfaces.query.text import Text

CONNECTIONS = 10_000  # at once, and at most three quarters of what the process may open
LARGE = 65536  # bytes of answers, after which others have their turn
LONG = 0.005  # seconds, after which they have it, too
LOOK = 60.0  # seconds between two looks at a client that has said its last word, and watches
LINGER = 2.0  # seconds for which a client may go on sending after ours


class Query(Factory):
    """Makes the connections of the query port, and flushes those that have something to say."""

    noisy = False

    def __init__(self, commands: Commands, clock: IReactorTime) -> None:
        self.commands, self.clock = commands, clock
        self.tally = Tally()
        self.limit = min(CONNECTIONS, getrlimit(RLIMIT_NOFILE)[0] * 3 // 4)
        self.dirty: list[Flow] = []

    @property
    def connections(self) -> int:
        return self.tally.open

    def buildProtocol(self, addr: Any) -> Port:
        return Port(self)

    def mark(self, port: Flow) -> None:
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


@implementer(IHalfCloseableProtocol)
class Port(Flow):
    """One connection."""

    def __init__(self, factory: Query) -> None:
        super().__init__(factory.mark)
        self.query = factory
        self.queue: list[Any] = []  # requests that wait for those before them, the next one last
        self.waiting: Deferred[bytes] | None = None
        self.begun = self.ended = False
        self.looking: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.way = cast(Any, self.transport)
        peer = self.way.getPeer()
        host = getattr(peer, "host", "")
        self.session = self.query.commands.open(stranger(host, f"{host}:{getattr(peer, 'port', 'unix')}", "tcp"))
        self.session.push, self.session.pour, self.session.settle = self.push, self.pour, self.settle
        self.tune(peer)
        tally = self.query.tally
        tally.open, tally.ever = tally.open + 1, tally.ever + 1
        if tally.open > self.query.limit:
            self.end(f"ERR limit {self.query.limit} connections are open already\n".encode(), linger=False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.query.tally.open -= 1
        if self.looking is not None and self.looking.active():
            self.looking.cancel()
        self.queue.clear()
        self.session.close()  # what it waits for goes on: a set that was asked for is carried out

    # What comes

    def dataReceived(self, data: bytes) -> None:
        if self.over or (not self.begun and not self.welcome(data)):
            return
        free = not self.queue and self.waiting is None and not self.stalled
        if free and (answer := self.dialect.quick(data)) is not None:
            self.send(answer)  # nearly always
        elif requests := self.dialect.cut(data):
            self.queue[:0] = reversed(requests)
            self.proceed()

    def welcome(self, data: bytes) -> bool:
        """Look at the first byte: what is spoken here, and is this somebody who should not be here?"""
        self.begun = True
        if data[0] == 0x16:
            self.end(b"ERR no-tls this port speaks plain text, not TLS\n")
            return False
        resp = data[:1] == b"*"
        self.dialect = Resp(self.session, self.query.tally, self.queue) if resp else Text(self.session, self.queue)
        return True

    def answer(self) -> None:
        """Answer a batch of what waits, in one write."""
        known, perform, queue = self.dialect.known, self.dialect.perform, self.queue
        seconds = self.query.clock.seconds
        until = seconds() + LONG
        out: list[bytes] = []
        size = 0
        later: Deferred[bytes] | None = None
        for _ in range(min(BATCH, len(queue))):
            request = queue.pop()
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
                if size > LARGE or seconds() > until:
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
        if self.waiting is not None or self.stalled or self.over:
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

    # The end

    def readConnectionLost(self) -> None:
        """The client has said its last word, and may still listen."""
        self.ended = True
        if self.over:
            self.way.loseConnection()
            return
        self.proceed()
        if not self.over:
            self.looking = self.query.clock.callLater(LOOK, self.look)

    def writeConnectionLost(self) -> None:
        """We have said ours, and wait a moment for the client's."""
        if self.ended:
            self.way.loseConnection()
        else:
            self.looking = self.query.clock.callLater(LINGER, self.way.abortConnection)

    def leave(self) -> None:
        """All is answered."""
        last = self.dialect.torn() if self.begun else b""
        if self.session.watched or self.session.taps:
            self.send(last)
        else:
            self.end(last)

    def look(self) -> None:
        """Have the reactor look at a socket that it no longer reads: it may be dead."""
        self.way.startWriting()
        self.looking = self.query.clock.callLater(LOOK, self.look)

    def end(self, last: bytes, linger: bool = True) -> None:
        """Close when *last* and all before it is sent.  Who is still sending is heard out for a moment, or a reset
        would take these words from them; over TLS there is no such half of a connection."""
        self.settle()
        self.over = True
        self.session.subscribe(())
        self.queue.clear()
        self.way.write(last)
        self.way.unregisterProducer()
        if linger and not self.ended and not ISSLTransport.providedBy(self.way):
            self.way.resumeProducing()
            self.way.loseWriteConnection()
        else:
            self.way.loseConnection()
