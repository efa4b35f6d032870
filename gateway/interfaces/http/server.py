"""The server: how many connections, how much of a request, how long it waits.

Twisted parses HTTP; what it leaves open is decided here.  Its access log is off (it takes dates from the
reactor's seconds, which are monotonic here), and so is the timer that goes with it.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from gateway.commands import Commands
from gateway.interfaces.http.answer import Refusal, closing
from gateway.interfaces.http.events import Events
from gateway.interfaces.http.page import files
from gateway.interfaces.http.request import Request

CONNECTIONS = 200  # at most
IDLE = 60  # seconds for which a connection may be silent between requests, or within one
LINGER = 2.0  # seconds for which a refused client may go on sending
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/@\[\]]+))(?::\d*)?", re.IGNORECASE)


@implementer(IHalfCloseableProtocol)
class Channel(http.HTTPChannel):
    """One connection.  A client that stops sending (``nc -N``) still gets its answers."""

    factory: Site
    requestFactory = Request  # type: ignore[assignment]  # made with a Channel only
    transport: Any  # TCP, UNIX or TLS
    ended = deaf = begun = False

    def connectionMade(self) -> None:
        self.factory.connections += 1
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.connections -= 1
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if not self.begun:
            self.begun = True
            self.welcome(data)
        if not self.deaf:
            super().dataReceived(data)

    def welcome(self, data: bytes) -> None:
        """Tell who would wait in vain: Twisted takes nothing for a line that does not end with CRLF."""
        if data[0] == 0x16 and not self.isSecure():
            self.refuse(Refusal(400, "there is no TLS here; try: curl http://HOST:PORT/api/v1/readings"))
        elif data.partition(b"\n")[0][-1:] != b"\r" and b"\n" in data:
            self.refuse(Refusal(400, "a line of HTTP ends with CRLF; try: curl http://HOST:PORT/api/v1/readings"))

    def lineReceived(self, line: bytes) -> None:
        if not self.deaf:  # what was refused may have come with more: the headers of no request
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self.deaf:
            super().rawDataReceived(data)

    def busy(self) -> bool:
        """Whether an answer is still owed."""
        return any(request.path is not None for request in self.requests)

    def readConnectionLost(self) -> None:
        self.ended = True
        if any(request.stream for request in self.requests):
            self.transport.abortConnection()  # nobody reads a stream of which nobody would hear the end
        elif not self.busy():
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def requestDone(self, request: http.Request) -> None:
        super().requestDone(request)
        if self.ended and not self.busy():
            self.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(Refusal(431, f"a line of more than {self.MAX_LENGTH} bytes; ask for less, or in several requests"))

    def _respondToBadRequestAndDisconnect(self) -> None:  # without it, Twisted answers the same in fewer words
        self.refuse(Refusal(400, "this is no HTTP/1.1 request; try: curl http://HOST:PORT/api/v1/readings"))

    def refuse(self, refusal: Refusal) -> None:
        """Say so and close, but keep listening for a moment: a reset would take the words from a client that
        still sends."""
        self.transport.unregisterProducer()
        self.transport.write(closing(refusal))
        self.deaf = True
        if self.isSecure():  # TLS has no half-close
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
        self.setTimeout(None)
        self.factory.reactor.callLater(LINGER, self.transport.abortConnection)


class Full(Protocol):
    """What one connection too many meets."""

    def connectionMade(self) -> None:
        message = f"{CONNECTIONS} connections are open, which is the limit; close one, or try again later"
        assert self.transport is not None
        self.transport.write(closing(Refusal(503, message, b"Retry-After: 5\r\n")))
        self.transport.loseConnection()


class Site(http.HTTPFactory):
    """Makes a channel per connection, and holds what all of them share."""

    noisy = False

    def __init__(self, commands: Commands, clock: IReactorTime, hosts: Sequence[str], tcp: int) -> None:
        super().__init__(timeout=IDLE, reactor=clock)
        self.commands, self.connections = commands, 0
        self.events = Events(commands, clock, tcp)
        self.files = files()
        node = platform.node().lower()
        own = {"localhost", node, node.partition(".")[0], f"{node.partition('.')[0]}.local"}
        self.names = {*own, *(host.lower().rstrip(".") for host in hosts)} - {""}

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]  # Twisted's is a proxy
        if self.connections >= CONNECTIONS:
            return Full()
        channel: Any = Channel()
        channel.factory, channel.callLater, channel.timeOut = self, self.reactor.callLater, IDLE
        return cast(Channel, channel)

    def knows(self, host: str) -> bool:
        """Whether *host* (a Host field) is a name of this machine.  Any other was made to point here by somebody
        else's DNS, so that their web page may talk to us (DNS rebinding); an address cannot be."""
        if (found := HOST.fullmatch(host)) is None:
            return False
        if found[1]:
            return isIPv6Address(found[1])
        return found[2].lower().rstrip(".") in self.names or isIPAddress(found[2])

    def startFactory(self) -> None:
        pass  # Twisted's opens the access log and starts its timer

    def stopFactory(self) -> None:
        self.events.stop()

    def log(self, request: http.Request) -> None:
        pass
