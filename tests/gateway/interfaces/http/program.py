"""A gateway that is all air: devices that are not there, wandering values, and the real site in front of them.

    python -m tests.gateway.interfaces.http.program [PORT]

It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from drivers.api import NoAnswer, Quantity, Value
from drivers.quantities import co2, humidity, particles, pressure, state, temperature
from gateway import config
from gateway.clock import Clock
from gateway.commands import Card, Commands, Status
from gateway.handle import Chunk
from gateway.history.events import add_event
from gateway.history.service import History
from gateway.history.store import Store
from gateway.hub import Hub
from gateway.manual import Manual

DAY = 86_400.0
TEMPERATURE, HUMIDITY, PRESSURE = temperature(-40, 125, 2), humidity(0, 100, 1), pressure(300, 1100, 2)
CO2, STATE, MODE = co2(0, 5000), state(True), Quantity("mode", kind="choice", choices=("2d", "3d"))
PUMP = {"state": {"max_on": 600.0, "only_if": ["attic.state"]}}
DUST = (particles("1_0", 1000), particles("2_5", 1000), particles("10", 1000))


@dataclass
class Fake:
    """A device as commands see it.  With *refuses*, writing fails in these words."""

    hub: Hub
    name: str
    quantities: tuple[Quantity, ...]
    state: str = "running"
    reason: str = ""
    label: str = ""
    driver: str = "fake"
    where: str = "i2c:1 0x44"
    refuses: str = ""
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)  # the first of them has put it off, when it is
    labels: dict[str, str] = field(default_factory=dict)
    written: list[Value] = field(default_factory=list)

    @property
    def card(self) -> Card:
        return Card(name=self.name, label=self.label, driver=self.driver, title=f"Some {self.driver}", period=1.0,
                    documentation="", where=self.where, settings={}, quantities=self.quantities,
                    rules=self.rules, labels=self.labels)  # fmt: skip

    @property
    def status(self) -> Status:
        off = self.written[-1:] == [False]
        why = {name: f"{next(iter(rules))}: on for 10 s" for name, rules in self.rules.items() if off}
        seen = self.hub.clock.monotonic()
        return Status(state=self.state, reason=self.reason, since=0.0, seen=seen, outputs=why)

    def read(self, whole: bool = False) -> Deferred[None]:
        return succeed(None)

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        if self.refuses:
            return fail(NoAnswer(self.refuses))
        self.written.append(value)
        self.hub.publish(self.name, {quantity: value})
        return succeed(None)

    def raw(self) -> Iterable[Chunk]:
        return ()

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return lambda: None


def gateway(reactor: Any, synced: bool = True, age: float = 0.0) -> tuple[Hub, Commands, History]:
    """A hub with the manual device, the door to it, and a history in memory.  It began *age* seconds ago."""
    start = time.monotonic() - age
    clock = Clock(3, lambda: time.monotonic() - start)
    hub, history = Hub(clock), History(reactor, clock, Store(), config.MEMORY)
    hub.subscribe(history.hear, "*")
    hub.listen(lambda name, status: history.note(name, status.state, status.reason))
    history.startService()
    if synced:
        clock.set(time.time())
    return hub, Commands(hub, Manual(hub), reactor, history), history


def house(hub: Hub) -> list[Fake]:
    """What a house may have."""
    dead = "no answer for 42 s: is /dev/ttyUSB1 still plugged in?"
    wrong = "the chip at 0x76 says 0x58, and is a BMP280; set driver to bmp280"
    return [
        Fake(hub, "attic", (TEMPERATURE, HUMIDITY), label="Attic", driver="sht31"),
        Fake(hub, "office", (CO2,), label="Office", driver="mhz19", where="/dev/ttyS0"),
        Fake(hub, "roof", (MODE, Quantity("satellites", kind="int", high=99)), driver="gps", where="usb:1546:01a8"),
        Fake(hub, "street", DUST, driver="pms5003", where="/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0"),
        Fake(hub, "pump", (STATE,), label="Garden pump", driver="relay", where="gpio:GPIO17", rules=PUMP),
        Fake(hub, "gate", (STATE,), driver="relay", where="gpio:GPIO27", refuses="no answer from gpio:GPIO27"),
        Fake(hub, "cellar", (TEMPERATURE, HUMIDITY), "lost", dead, "Cellar", "sht31", "/dev/ttyUSB1"),
        Fake(hub, "barn", (TEMPERATURE, PRESSURE), "refused", wrong, "", "bme280", "i2c:1 0x76"),
    ]


def wander(hub: Hub, clock: IReactorTime, turn: int = 0, every: float = 0.5) -> None:
    """Publish a sample of everything, and again *every* seconds."""
    clock.callLater(every, wander, hub, clock, turn + 1, every)
    here = math.sin(turn / 17) + 0.4 * math.sin(turn / 5)
    hub.publish("attic", {TEMPERATURE: 21.53 + 0.4 * here, HUMIDITY: 44.1 - 2 * here}, 3.0)
    hub.publish("office", {CO2: int(640 + 60 * math.sin(turn / 23))}, 3.0)
    if turn < 4:  # then it falls silent
        hub.publish("roof", dict(zip(hub.devices["roof"].card.quantities, ("3d", 9), strict=True)), 3.0)
    suspect = DUST if turn % 40 > 30 else ()
    hub.publish("street", {q: round(9 * at + 3 * here) for at, q in enumerate(DUST, 1)}, 3.0, suspect)


def remember(hub: Hub, history: History) -> None:
    """A year of the attic: a reading every half an hour, of the last day every minute, of the last hour every two
    seconds.  Twice it was lost: for forty days, and for ten minutes of the last hour."""
    now, at = hub.clock.monotonic(), 0.0
    lost = (now - 200 * DAY, now - 160 * DAY), (now - 2000.0, now - 1400.0)

    def note(at: float, what: str, text: str = "") -> None:
        history.worker.do(lambda: add_event(history.store, hub.clock.boot, round(at * 1000), "attic", what, text))

    for start, end in lost:
        note(start, "lost", "no answer: is it still plugged in?")
        note(end, "running")
    while at < now - 3.0:
        ago = now - at
        if not any(start < at < end for start, end in lost):
            year, day = math.sin(ago / 365 / DAY * 2 * math.pi), math.sin(ago / DAY * 2 * math.pi)
            warm = 21.5 - 9 * year + 5 * day + math.sin(ago / 900) / 3
            hub.publish("attic", {TEMPERATURE: warm, HUMIDITY: 44 - 15 * day}, 5400.0 if ago > DAY else 180.0, at=at)
            hub.publish("pump", {STATE: int(ago / 900) % 3 == 1}, at=at)
            history.hand_over()
        at += 1800.0 if ago > DAY else 60.0 if ago > 3600 else 2.0


def learn(hub: Hub) -> None:
    """What time it is."""
    hub.clock.set(time.time())


def main() -> None:
    from gateway.interfaces.http import site
    from gateway.reactor import Reactor

    reactor = Reactor()
    past = "past" in sys.argv
    hub, commands, history = gateway(reactor, "unsynced" not in sys.argv, 370 * DAY if past else 0.0)
    hub.subscribe(lambda readings: learn(hub), "manual.clock")  # whatever it is set to
    hub.subscribe(lambda readings: commands.facts.update(config=readings[0].value), "manual.mistakes")
    hub.devices |= {fake.name: fake for fake in house(hub)}
    if past:
        remember(hub, history)
    for name in ("pump", "gate"):
        hub.publish(name, {STATE: False})
    commands.manual.set("target", "20.5")
    commands.manual.set("note", "ask Anna about the valve")
    wander(hub, reactor)
    wanted = int(sys.argv[1]) if sys.argv[1:] else 0
    port = reactor.listenTCP(wanted, site(commands, reactor, tcp=7600), interface="127.0.0.1")
    print(port.getHost().port, flush=True)

    def end() -> None:
        sys.stdin.read()
        reactor.callFromThread(reactor.stop)

    threading.Thread(target=end, daemon=True).start()
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
