"""A small house on a hub, whose devices answer when the test wants: for tests of what speaks the command language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as Time
from twisted.logger import ILogObserver, globalLogPublisher

from drivers.api import Quantity, Value
from drivers.quantities import humidity, state, temperature
from gateway.clock import Clock
from gateway.commands import Answer, Commands, Session, Who
from gateway.handle import Card, Chunk, Status
from gateway.hub import Hub
from gateway.manual import Manual
from gateway.ring import Ring
from tests.gateway.commands.pastime import Pastime

TEMPERATURE, HUMIDITY, STATE = temperature(-40, 125, digits=2), humidity(), state(writable=True)
SPEED = Quantity("speed", "1/min", "int", 0, 3000, writable=True)
LEVEL = Quantity("level", "%", "float", 0, 100, digits=1, writable=True)
MODE = Quantity("mode", kind="choice", choices=("eco", "full"), writable=True)
NOTE = Quantity("note", kind="text", writable=True)
PEOPLE = Who("tester", "operator", "here"), Who("guest", "viewer", "there")


class Device:
    """What commands see of a device.  What was asked of it waits in ``asked`` and ``told`` for the test's word."""

    def __init__(
        self, hub: Hub, name: str, *quantities: Quantity, where: str = "i2c:1 0x44", driver: str = "sht31"
    ) -> None:
        self.card = Card(
            name=name, label="", driver=driver, title="", documentation="", where=where, period=10, settings={},
            quantities=quantities,
        )  # fmt: skip
        self.status = Status(state="running")
        self.ring = Ring(hub.clock.monotonic)
        self.asked: list[Deferred[None]] = []
        self.told: list[tuple[Quantity, Value, Deferred[None]]] = []
        hub.devices[name] = self

    def read(self, whole: bool = False) -> Deferred[None]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.told.append((quantity, value, done))
        return done

    def raw(self) -> Iterable[Chunk]:
        return self.ring

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return self.ring.follow(take)


class House:
    """Two devices: ``attic`` measures, ``pump`` is set.  Time is the test's, and begins at 2026-11-20T17:00:00Z."""

    def __init__(self, wall: float | None = 1_795_194_000.0) -> None:
        self.time = Time()
        self.clock = Clock(7, self.time.seconds)
        if wall is not None:
            self.clock.set(wall)
        self.hub = Hub(self.clock)
        self.manual = Manual(self.hub)
        self.past = Pastime(self.hub)
        self.commands = Commands(self.hub, self.manual, self.time, self.past)
        self.commands.jobs.start()
        self.attic = Device(self.hub, "attic", TEMPERATURE, HUMIDITY)
        self.pump = Device(self.hub, "pump", STATE, SPEED, LEVEL, MODE, NOTE, where="gpio:GPIO17")

    def measure(self, value: float = 21.53, keeps: float = 32.0) -> None:
        self.hub.publish("attic", {TEMPERATURE: value, HUMIDITY: 40.0}, keeps)

    def open(self, role: int = 0) -> Session:
        return self.commands.open(PEOPLE[role])


def lines(answer: Any) -> list[str]:
    """An answer that is there, as text."""
    assert isinstance(answer, Answer), answer
    return [row.text for row in answer.rows] + [answer.status]


def say(session: Session, line: str) -> list[str]:
    """What comes of *line*, which must be there at once."""
    answer = session.perform(line)
    return lines(getattr(answer, "result", answer))


@contextmanager
def logged() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    events: list[Any] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(observer)
