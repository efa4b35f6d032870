"""The query port on a real socket, on our reactor and on Twisted's own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from gateway.interfaces.query import Query
from gateway.interfaces.query.port import Port
from gateway.reactor import Reactor
from tests.gateway.commands.house import House


class Line:
    """A client's end: a plain socket, read only while the test wants."""

    def __init__(self, served: Served, received: int = 0) -> None:
        self.served = served
        self.socket = socket.socket()
        if received:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
        self.socket.connect(served.address)
        self.got = b""
        self.ended = False
        before = len(served.ports)
        served.turn(lambda: len(served.ports) > before)
        self.port = served.ports[-1]
        self.socket.setblocking(False)

    def read(self) -> bytes:
        try:
            while data := self.socket.recv(1 << 20):
                self.got += data
            self.ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True
        return self.got

    def send(self, data: bytes) -> None:
        """Send, however slowly the other end takes it."""
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:
                self.served.reactor.iterate(0.001)
        self.served.reactor.iterate(0)

    def until(self, what: bytes, seconds: float = 60.0) -> bytes:
        """All that came, up to the end that is waited for."""
        self.served.turn(lambda: self.read().endswith(what), seconds)
        got, self.got = self.got, b""
        return got

    def ask(self, line: bytes, end: bytes = b"OK\n") -> bytes:
        self.send(line + b"\n")
        return self.until(end)

    def end(self, seconds: float = 60.0) -> bytes:
        """All that came until the server closed."""

        def ended() -> bool:
            self.read()
            return self.ended

        self.served.turn(ended, seconds)
        return self.got

    def finish(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


class Served:
    """A house behind the query port."""

    def __init__(self, reactor: Any) -> None:
        self.reactor, self.house = reactor, House()
        self.before = len(self.house.hub.subscriptions)
        self.ports: list[Port] = []
        self.query = Query(self.house.commands, reactor)
        build = self.query.buildProtocol

        def built(address: Any) -> Port:
            self.ports.append(build(address))
            return self.ports[-1]

        self.query.buildProtocol = built  # type: ignore[method-assign, assignment]
        self.listening = reactor.listenTCP(0, self.query, backlog=500, interface="127.0.0.1")
        self.address: tuple[str, int] = ("127.0.0.1", self.listening.getHost().port)
        self.lines: list[Line] = []

    def connect(self, received: int = 0) -> Line:
        self.lines.append(Line(self, received))
        return self.lines[-1]

    def turn(self, until: Callable[[], Any], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, "waited in vain"
            self.reactor.iterate(0.01)

    @property
    def watchers(self) -> int:
        """Subscriptions of clients."""
        return len(self.house.hub.subscriptions) - self.before

    def rest(self) -> None:
        """Let happen what is about to."""
        for _ in range(5):
            self.reactor.iterate(0.001)

    def close(self) -> None:
        for line in self.lines:
            line.close()
        for each in self.reactor.removeAll():
            each.connectionLost(Failure(connectionDone.value))
        self.reactor._poller.close()


@pytest.fixture(params=[Reactor, EPollReactor], ids=["ours", "stock"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    made = Served(request.param())
    made.house.measure()
    yield made
    made.close()
