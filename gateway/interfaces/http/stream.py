"""One client of the event stream.  Who does not keep up is sent nothing but the newest of each name, once it takes
bytes again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from gateway.interfaces.http.answer import FRESH, opening

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

STUCK = 60  # ticks after which a client that takes no bytes is given up

Event = tuple[str, bytes]  # what it is about, so that a newer one takes its place; and how it goes out


def joined(events: Sequence[Event]) -> tuple[bytes, bytes]:
    """All *events*, plain and as one chunk of an HTTP/1.1 body."""
    plain = b"".join(data for _, data in events)
    return plain, chunk(plain)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ALIVE = b": still here\n\n"


@implementer(IPushProducer)
class Stream:
    """One client's side.  What it has no room for is kept in ``behind``, by what it is about."""

    def __init__(self, request: Request, leave: Callable[[Stream], None]) -> None:
        self.request, self.leave = request, leave
        self.behind: dict[str, bytes] = {}
        self.dropped, self.paused, self.stuck = 0, False, 0

    def begin(self) -> None:
        request = self.request
        request.stream, request.startedWriting = self, 1
        request.chunked = request.clientproto == b"HTTP/1.1"
        way = b"Transfer-Encoding: chunked\r\n" if request.chunked else b"Connection: close\r\n"
        head = (opening(200, b"text/event-stream"), request.date(), FRESH, b"X-Accel-Buffering: no\r\n", way, b"\r\n")
        assert request.channel is not None
        request.channel.write(b"".join(head))
        request.registerProducer(self, True)

    def send(self, events: Sequence[Event], plain: bytes, chunked: bytes) -> None:
        """Take *events*, which are also there joined, and framed."""
        if not self.paused:
            self.write(plain, chunked)
            return
        for about, data in events:
            if self.behind.pop(about, None) is not None:
                self.dropped += 1
                self.request.session.dropped += 1
            self.behind[about] = data

    def write(self, plain: bytes, chunked: bytes) -> None:
        assert self.request.channel is not None
        self.request.channel.write(chunked if self.request.chunked else plain)

    def tick(self, quiet: bool) -> None:
        """A second has passed; *quiet* says that the connection may have been quiet for long."""
        self.stuck += 1
        if self.paused and self.stuck > STUCK:
            self.request.transport.abortConnection()  # type: ignore[union-attr]  # TCP or UNIX
        elif quiet and not self.paused:
            self.write(ALIVE, chunk(ALIVE))

    def pauseProducing(self) -> None:
        self.paused, self.stuck = True, 0

    def resumeProducing(self) -> None:
        self.paused = False
        if self.behind:
            data = b": left out %d older values\n\n" % self.dropped + b"".join(self.behind.values())
            self.behind.clear()
            self.dropped = 0
            self.write(data, chunk(data))

    def stopProducing(self) -> None:
        pass  # the end of the connection is told to the request

    def close(self) -> None:
        self.leave(self)

    def end(self) -> None:
        """The gateway's side ends it."""
        self.close()
        channel = self.request.channel
        if channel is not None:
            self.request.unregisterProducer()
            self.request.finish()
            channel.loseConnection()
