"""Real reactors, turned by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from gateway.reactor import Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.removeAll()


def turn(reactor: Reactor, until: Callable[[], Any], seconds: float = 60.0) -> float:
    """Let *reactor* run until *until*, and give the seconds that it took."""
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < seconds, "waited in vain"
        reactor.iterate(0.01)
    return time.monotonic() - began


def rest(reactor: Reactor, seconds: float) -> None:
    """Let *reactor* run for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reactor.iterate(0.01)


class Ear(Protocol):
    """Keeps what it hears, and why it ended."""

    def __init__(self) -> None:
        self.heard = b""
        self.why: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.why.append(reason)
