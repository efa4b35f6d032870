"""What goes to a client, who may be slow: one that does not read is no longer listened to, and of what it watches only
the newest is kept."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from gateway.commands import Row, Session
from gateway.interfaces.query.dialect import Dialect, Fresh, Made
from gateway.reading import Reading, Readings

QUIET = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))  # seconds, seconds, times


@implementer(IPushProducer)
class Flow(Protocol):
    """The half of a connection that writes.  *mark* has ``tell`` called at the end of this turn."""

    dialect: Dialect
    session: Session
    way: Any  # the transport
    tuned: bool  # our own reactor's; any other tells by itself when it has too much

    def __init__(self, mark: Callable[[Flow], None]) -> None:
        self.mark = mark
        self.stalled = self.paused = self.over = False
        self.fresh: list[Fresh] = []
        self.newest: dict[str, Reading] = {}

    def tune(self, peer: Any) -> None:
        """Small packets leave at once, and a peer that is no more is noticed."""
        self.tuned = hasattr(self.way, "unsent")
        if not self.tuned:
            self.way.registerProducer(self, True)
        if isinstance(peer, IPv4Address | IPv6Address) and hasattr(self.way, "setTcpNoDelay"):
            self.way.setTcpNoDelay(True)
            self.way.setTcpKeepAlive(True)
            if self.tuned:
                for option, value in QUIET:
                    self.way.getHandle().setsockopt(socket.IPPROTO_TCP, option, value)

    def proceed(self) -> None:
        """Go on with what waits."""
        raise NotImplementedError

    def hush(self) -> None:
        """Listen no more, for now."""
        self.paused = True
        self.way.pauseProducing()

    def push(self, readings: Readings) -> None:
        """New readings of what is watched."""
        if self.stalled or self.newest or self.dialect.held:
            for reading in readings:
                self.session.dropped += reading.name in self.newest
                self.newest[reading.name] = reading
        else:
            if not self.fresh:
                self.mark(self)
            self.fresh.append(readings)

    def pour(self, rows: tuple[Row, ...]) -> bool:
        """New rows of what is followed; False: there is no room for them now."""
        if self.stalled or self.newest or self.dialect.held or self.over:
            return False
        if not self.fresh:
            self.mark(self)
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
        """Push what was kept back, unless its key or device is gone."""
        if self.newest:
            latest = self.session.latest
            newest = tuple(reading for name, reading in self.newest.items() if latest.get(name) is reading)
            self.session.dropped += len(self.newest) - len(newest)
            self.newest = {}
            if newest:
                self.push(newest)

    def send(self, data: bytes) -> None:
        if not self.tuned:
            self.way.write(data)
        elif not self.way.send(data) and not self.stalled and self.way.unsent and not self.over:
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
