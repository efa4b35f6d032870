"""A small house with an IRC server, on a clock that stands still, and clients that are only strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock as Turns
from twisted.internet.testing import StringTransport

from drivers.api import Quantity, Value
from drivers.quantities import humidity, pressure, state, temperature
from gateway.clock import Clock
from gateway.commands import Card, Commands, Status
from gateway.handle import Chunk
from gateway.hub import Hub
from gateway.interfaces.irc import IRC
from gateway.interfaces.irc.connection import Connection
from gateway.manual import Manual

TEMPERATURE, HUMIDITY, PRESSURE = temperature(-40, 125, 2), humidity(), pressure(300, 1100)
STATE, TIME = state(writable=True), Quantity("time", kind="text")


@dataclass
class Fake:
    """A device as commands see it; ``slow`` is fired by the test, to end a write."""

    hub: Hub
    name: str
    quantities: tuple[Quantity, ...]
    status: Status = Status(state="running")
    slow: list[Deferred[None]] = field(default_factory=list)

    @property
    def card(self) -> Card:
        return Card(name=self.name, label=self.name.title(), driver="fake", title="A fake", documentation="",
                    where="nowhere", period=1.0, settings={}, quantities=self.quantities)  # fmt: skip

    def read(self, whole: bool = False) -> Deferred[None]:
        return succeed(None)

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        self.slow.append(Deferred())
        return self.slow[-1]

    def raw(self) -> Iterable[Chunk]:
        return ()

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return lambda: None

    def tell(self, state: str, reason: str = "") -> None:
        self.status = Status(state=state, reason=reason)
        self.hub.tell(self.name, self.status)


class Client:
    """One client: what it says, and what it has heard since."""

    def __init__(self, house: House, nick: str = "", host: str = "127.0.0.1") -> None:
        self.house = house
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", host, 40312))
        protocol = house.irc.buildProtocol(None)
        assert isinstance(protocol, Connection)
        self.protocol = protocol
        protocol.makeConnection(self.transport)
        if nick:
            self.say(f"NICK {nick}", f"USER {nick} 0 * :{nick.title()}")

    def say(self, *lines: str | bytes) -> list[str]:
        data = [each.encode() if isinstance(each, str) else each for each in lines]
        self.protocol.dataReceived(b"".join(each + b"\r\n" for each in data))
        return self.heard()

    def heard(self) -> list[str]:
        self.house.turns.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        assert data == b"" or data.endswith(b"\r\n")
        return data.decode().split("\r\n")[:-1]

    def said(self, channel: str) -> list[str]:
        """Only what the bot says there."""
        start = f":gateway!gateway@board PRIVMSG {channel} :"
        return [line.removeprefix(start) for line in self.heard() if line.startswith(start)]

    def lose(self) -> None:
        self.protocol.connectionLost(connectionDone)


class House:
    """attic: temperature, humidity; pump: state; board7.shed: temperature."""

    def __init__(self, min_interval: float = 10.0, synced: bool = True) -> None:
        self.turns = Turns()
        self.clock = Clock(1, self.turns.seconds)
        if synced:
            self.clock.set(1_795_000_000.0)
        self.hub = Hub(self.clock)
        self.commands = Commands(self.hub, Manual(self.hub), self.turns)
        self.attic = Fake(self.hub, "attic", (TEMPERATURE, HUMIDITY))
        self.pump = Fake(self.hub, "pump", (STATE,))
        self.shed = Fake(self.hub, "board7.shed", (TEMPERATURE,))
        self.hub.devices |= {each.name: each for each in (self.attic, self.pump, self.shed)}
        self.irc = IRC(self.commands, self.turns, "board", min_interval)

    def pass_(self, seconds: float) -> None:
        """Let time go by, turn by turn."""
        for _ in range(round(seconds * 2)):
            self.turns.advance(0.5)
        self.turns.advance(0)


def numerics(lines: list[str]) -> list[str]:
    return [found[1] for line in lines if (found := re.match(r":board (\d{3}) ", line))]
