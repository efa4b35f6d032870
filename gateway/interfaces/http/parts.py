"""A long answer, made part by part, and only as fast as the client takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.interfaces.http.answer import FRESH, Refusal, opening
from gateway.interfaces.http.stream import chunk

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

STUCK = 60.0  # seconds after which a client that takes no bytes is given up


@implementer(IPushProducer)
class Parts:
    """One answer.  What is refused before its first part is answered as ever; what fails behind it cuts the connection,
    so that nobody takes half an answer for a whole one."""

    def __init__(self, request: Request, kind: bytes) -> None:
        self.request, self.kind = request, kind
        self.room: Deferred[None] | None = None  # fires when the client takes bytes again
        self.stuck: IDelayedCall | None = None

    def send(self, parts: AsyncIterator[bytes]) -> None:
        Deferred.fromCoroutine(self.pass_on(parts)).addErrback(self.failed)

    async def pass_on(self, parts: AsyncIterator[bytes]) -> None:
        request = self.request
        async for part in parts:
            if request.channel is None:
                return
            if not request.startedWriting:
                self.begin()
            if part:  # an empty chunk would be the last
                request.channel.write(chunk(part) if request.chunked else part)
            if self.room is not None:
                await request.session.hold(self.room)
        request.unregisterProducer()
        request.finish()

    def begin(self) -> None:
        request = self.request
        request.startedWriting, request.chunked = 1, request.clientproto == b"HTTP/1.1"
        way = b"Transfer-Encoding: chunked\r\n" if request.chunked else b""
        assert request.channel is not None
        close = b"" if request.channel.persistent else b"Connection: close\r\n"
        head = (opening(200, self.kind), request.date(), FRESH, way, close, b"\r\n")
        request.channel.write(b"".join(head))
        request.registerProducer(self, True)

    def failed(self, failure: Failure) -> None:
        self.clear()
        error = failure.value
        if isinstance(error, CancelledError):  # the client has left
            return
        refusal = error if isinstance(error, Refusal) else None
        if refusal is None:
            assert isinstance(error, Exception)
            self.request.session.fail(error)
            refusal = Refusal(500, f"{type(error).__name__}: a bug in the gateway; its log has more")
        if self.request.startedWriting:
            self.request.transport.abortConnection()  # type: ignore[union-attr]  # TCP or UNIX
        else:
            self.request.refuse(refusal)

    def clear(self) -> None:
        if self.stuck is not None and self.stuck.active():
            self.stuck.cancel()

    def pauseProducing(self) -> None:
        self.room = Deferred()
        self.stuck = self.request.site.reactor.callLater(STUCK, self.request.transport.abortConnection)  # type: ignore[union-attr]  # TCP or UNIX

    def resumeProducing(self) -> None:
        self.clear()
        room, self.room = self.room, None
        if room is not None and not room.called:
            room.callback(None)

    def stopProducing(self) -> None:
        self.clear()
