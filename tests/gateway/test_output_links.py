"""The same rules hold for an output wherever it hangs: on a GPIO line, on an I2C bus, on a Modbus line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from drivers import mcp23017, relay
from drivers.api import Driver, NoAnswer, Quantity
from gateway import catalog
from gateway.clock import Clock as Times
from gateway.config import Rules
from gateway.device import Device
from gateway.handle import Card
from gateway.history.question import Deed
from gateway.hub import Hub
from gateway.plan import Plan
from gateway.ring import Ring
from gateway.run import Connection, Direct, Fed, Lost
from gateway.transports.fake import FakeGPIO
from gateway.transports.faults import Faulty
from gateway.transports.gpio import Wish
from gateway.transports.rpi import RPi
from tests.drivers.faulted import way

COILS = bytes((1, 0, 0, 0, 8))  # read all of a board


@dataclass(frozen=True)
class Place:
    """A driver, which of its quantities is meant, and how the true level is seen at the emulator."""

    row: Driver[Any]
    settings: Any
    name: str
    level: Callable[[Any], bool]


def latched(chip: mcp23017.Emulator) -> bool:
    """Whether line A0 is driven high."""
    return not chip.registers[mcp23017.IODIR] & 1 and bool(chip.registers[mcp23017.OLAT] & 1)


PLACES = {
    "gpio": Place(relay.DRIVER, relay.Settings(), "state", lambda emulator: bool(emulator.levels["line"])),
    "i2c": Place(mcp23017.DRIVER, mcp23017.Settings(outputs=("a0",)), "state_a0", latched),
    "modbus": Place(catalog.find("modbusrelay8"), None, "state_1", lambda board: bool(board.answer(COILS)[-1] & 1)),
}


class World:
    """One device with an output of these *rules*, run by the gateway's own code in simulated time."""

    def __init__(self, place: Place, **rules: Any) -> None:
        self.place, self.clock, row = place, Clock(), place.row
        self.clock.callFromThread = lambda call, *what: self.clock.callLater(0, call, *what)  # type: ignore[attr-defined]
        settings = row.settings() if place.settings is None else place.settings
        self.hub, self.deeds = Hub(Times(1, self.clock.seconds)), list[Deed]()
        self.faulty, ring = Faulty(self.clock, row.link, row.emulator), Ring(self.clock.seconds)
        card = Card(name="it", label="", driver=row.name, title="", documentation="", where="", period=row.period,
                    settings={}, quantities=row.having(settings))  # fmt: skip
        plan = Plan(card=card, driver=row, settings=settings, scales={}, limits={}, rules={place.name: Rules(**rules)})
        open = self.lines if row is relay.DRIVER else way(row, self.clock, self.faulty, ring).open
        self.board = RPi(self.clock, self.clock.seconds, FakeGPIO(self.clock, cast(Any, self.faulty)))
        self.device = Device(plan, open, ring, self.clock, self.hub, audit=self.deeds.append)
        self.device.startService()
        self.go(1)

    def lines(self, fed: Fed, lost: Lost) -> Any:
        lines = self.board.open(Wish(lines={"line": "gpio:17"}, direction="out", fed=fed, lost=lost,
                                     initial=self.device.outputs.levels()))  # fmt: skip
        made: Connection = Direct(lines, Ring(self.clock.seconds), lines.close)
        return succeed(made)

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def set(self, value: bool) -> None:
        done = list[Any]()
        self.device.write(self.quantity, value).addCallbacks(done.append, done.append)
        self.go(0.5)
        assert done == [None]

    def lose(self) -> None:
        """It is gone for a while; what was switched on meanwhile is."""
        self.device.lose(NoAnswer("gone"))
        self.go(1)

    @property
    def quantity(self) -> Quantity:
        return next(each for each in self.device.card.quantities if each.name == self.place.name)

    @property
    def on(self) -> bool:
        """As it truly is."""
        return self.place.level(self.faulty.emulator)

    @property
    def told(self) -> object:
        reading = self.hub.latest.get(f"it.{self.place.name}")
        return reading and reading.value

    def deed(self) -> tuple[str, str, str, str]:
        last = self.deeds[-1]
        return last.interface, last.old, last.new, last.result


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


@pytest.mark.parametrize(("start", "on"), [("on", True), ("off", False)])
def test_at_the_start(place: Place, start: Any, on: bool) -> None:
    world = World(place, start=start)
    assert world.device.status.state == "running" and world.on is world.told is on
    if on:
        assert world.deed()[0] == "rule:start" and world.deed()[3] == "OK"


@pytest.mark.parametrize(("loss", "on"), [("on", True), ("off", False), ("last", True)])
def test_after_a_loss(place: Place, loss: Any, on: bool) -> None:
    world = World(place, loss=loss)
    world.set(True)
    world.lose()
    assert world.device.status.state == "running" and world.on is world.told is on


@pytest.mark.parametrize(("stop", "on"), [("on", True), ("off", False), ("hands-off", True)])
def test_at_the_stop(place: Place, stop: Any, on: bool) -> None:
    world = World(place, stop=stop)
    world.set(True)
    world.device.stopService()
    world.go(1)
    assert world.on is on and world.told is None


def test_for_too_long_and_not_renewed(place: Place) -> None:
    for rule in "max_on", "renew":
        world = World(place, **{rule: 5.0})
        world.set(True)
        world.go(4)
        assert world.on
        world.go(1.5)
        assert not world.on and world.told is False
        assert world.deed() == (f"rule:{rule}", "on", "off", "OK")
