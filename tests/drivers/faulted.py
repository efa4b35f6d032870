"""One device of a driver on emulated hardware, run by the gateway's own code in simulated time, with faults.

A link is added in one place, ``way``: how to open a device on it, and a neighbour that shares the bus.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock

from drivers import max31855, sht31
from drivers.api import GPIO, I2C, SPI, Driver, Modbus, Operation, Quantity, Serial, Value
from drivers.codec.modbus_slave import Units
from gateway import catalog
from gateway.clock import Clock as Times
from gateway.device import SILENCE, Device
from gateway.hub import Card, Hub
from gateway.plan import Plan
from gateway.reading import Readings
from gateway.ring import Ring
from gateway.run import Connection, Direct, Fed, Open, direct, stream
from gateway.transports.emulated import EmulatedI2C, EmulatedSerial
from gateway.transports.fake import FakeGPIO
from gateway.transports.faults import Faulty
from gateway.transports.gpio import Wish
from gateway.transports.modbus import ModbusLine
from gateway.transports.rpi import RPi
from gateway.transports.turns import pace
from tests.drivers.talk import answer

Row = Driver[Any]
STEP = 0.1  # seconds
RELAYS = catalog.find("modbusrelay8")
NEIGHBOUR = 0x08  # an address at which none of our chips lives


@dataclass(slots=True)
class Way:
    """How to open the device, and the devices that share its bus: a row and a way for each."""

    open: Open
    neighbours: list[tuple[Row, Open]] = field(default_factory=list)


def way(row: Row, clock: Clock, faulty: Faulty, ring: Ring) -> Way:
    link, emulator = row.link, cast(Any, faulty)
    match link:
        case I2C():
            near = sht31.DRIVER
            bus = EmulatedI2C({link.addresses[0]: emulator, NEIGHBOUR: cast(Any, near.emulator())}, clock)
            beside = direct(bus.at(NEIGHBOUR), Ring(clock.seconds))
            return Way(direct(bus.at(link.addresses[0]), ring), [(near, beside)])
        case Serial():
            return Way(stream(EmulatedSerial(clock, emulator), clock, ring))
        case Modbus():
            units = {1: emulator, 2: RELAYS.emulator()}
            line = ModbusLine(clock, EmulatedSerial(clock, Units(units)), pace=pace(Serial(link.baud)))
            beside = line.at(2, link.timeout, Ring(clock.seconds).note)
            return Way(line.at(1, link.timeout, ring.note), [(RELAYS, beside)])
        case SPI():
            select = max31855.DRIVER
            spi = EmulatedI2C({0: emulator, 1: cast(Any, select.emulator())}, clock)
            return Way(direct(spi.at(0), ring), [(select, direct(spi.at(1), Ring(clock.seconds)))])
        case GPIO():
            board = RPi(clock, clock.seconds, FakeGPIO(clock, emulator))
            return Way(lambda fed, lost: succeed(lines(board, link, ring, fed, row.period)))
        case _:
            return Way(direct(Wire(clock, emulator), ring))


def lines(board: RPi, link: GPIO, ring: Ring, fed: Fed, every: float) -> Connection:
    specs = {name: f"gpio:{17 + at}" for at, name in enumerate(link.lines)}
    initial = dict.fromkeys(specs, False) if link.direction == "out" else None
    made = board.open(Wish(lines=specs, direction=link.direction, initial=initial, every=every, fed=fed))
    return Direct(made, ring, made.close)


class Wire:
    """A way without a bus: what a folder of the kernel has, or a chip that is selected by a line of its own."""

    def __init__(self, clock: Clock, emulator: Any) -> None:
        self.clock, self.emulator, self.ticked = clock, emulator, clock.seconds()

    def perform(self, operation: Operation) -> Deferred[bytes]:
        seconds, self.ticked = self.clock.seconds() - self.ticked, self.clock.seconds()
        self.emulator.tick(seconds)
        return execute(answer, operation, self.emulator)


@dataclass(slots=True)
class Told:
    """What one device said: (seconds, value) of each quantity."""

    values: dict[Quantity, list[tuple[float, Value]]] = field(default_factory=dict)

    def take(self, readings: Readings) -> None:
        for reading in readings:
            self.values.setdefault(reading.quantity, []).append((reading.monotonic, reading.value))

    def times(self) -> list[float]:
        return sorted({at for said in self.values.values() for at, _ in said})


class Bench:
    """The device, called ``it``, and its neighbours, all of them running."""

    def __init__(self, row: Row) -> None:
        self.row, self.clock, self.period = row, Clock(), row.period or 10.0
        self.clock.callFromThread = lambda call, *what: self.clock.callLater(0, call, *what)  # type: ignore[attr-defined]
        self.hub = Hub(Times(1, self.clock.seconds))
        self.faulty = Faulty(self.clock, row.link, row.emulator)
        ring = Ring(self.clock.seconds)
        found = way(row, self.clock, self.faulty, ring)
        self.devices, self.told = dict[str, Device](), dict[str, Told]()
        self.add("it", row, found.open, ring)
        for at, (each, open) in enumerate(found.neighbours):
            self.add(f"near{at}", each, open, Ring(self.clock.seconds))
        self.it = self.devices["it"]

    def add(self, name: str, row: Row, open: Open, ring: Ring) -> None:
        card = Card(name=name, label=name, driver=row.name, title=row.title, documentation="", where="here",
                    period=row.period, settings={}, quantities=row.quantities)  # fmt: skip
        plan = Plan(card=card, driver=row, settings=row.settings(), scales={}, limits={})
        self.devices[name] = Device(plan, open, ring, self.clock, self.hub)
        self.told[name] = Told()
        self.hub.subscribe(self.told[name].take, f"{name}.*")
        self.devices[name].startService()

    def go(self, seconds: float) -> None:
        end = self.clock.seconds() + seconds
        while (left := end - self.clock.seconds()) > 1e-9:
            self.clock.advance(min(STEP, left))

    def errors(self, name: str = "it") -> dict[str, int]:
        return {kind: tally.count for (who, kind), tally in self.hub.errors.items() if who == name}

    def close(self) -> None:
        for device in self.devices.values():
            device.stopService()
        self.clock.advance(5)


WARM = 2  # periods before a fault
LONG = 60.0  # seconds that nobody answers: a pause between attempts that only grows would show


def lasts(row: Row, kind: str = "") -> float:
    """Seconds that a fault lasts: so long that the device counts as lost, and is tried again."""
    return max(4.4 * row.period, SILENCE + 2, LONG if kind in ("nack", "unplug") else 0)


def back(row: Row) -> float:
    """Seconds after which a device is back: two periods plus one second."""
    return 2 * (row.period or 10.0) + 1


@cache
def twin(row: Row) -> dict[Quantity, list[Value]]:
    """What a device of *row* says while nothing is wrong, for as long as a trial."""
    bench = Bench(row)
    bench.go(WARM * bench.period + lasts(row, "nack") + back(row))
    bench.close()
    return {quantity: [value for _, value in said] for quantity, said in bench.told["it"].values.items()}


def true(row: Row, quantity: Quantity, value: Value) -> bool:
    """Whether *value* is one that the device could have had: between those of its twin, or a step beyond."""
    seen: list[Any] = twin(row)[quantity]
    if quantity.kind in ("flag", "choice"):
        return value in seen
    if quantity.kind == "text":
        return bool(min(seen) <= value <= max(seen))
    step = max([abs(after - before) for before, after in zip(seen, seen[1:], strict=False)], default=0)
    return bool(min(seen) - step <= value <= max(seen) + step)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a fault: readings that were false, seconds from its end to the next reading, errors by cause;
    of each neighbour its errors, and the longest gap between its readings in periods."""

    false: list[tuple[str, float, Value]]
    back: float
    errors: dict[str, int]
    neighbours: list[tuple[dict[str, int], float]]


def tried(row: Row, kind: str) -> Trial:
    """A device of *row*, two periods of health, then *kind* for a while, then health again."""
    bench = Bench(row)
    bench.go(WARM * bench.period)
    began = bench.told["it"].times()
    assert began and not bench.errors(), f"it does not even work without faults: {bench.errors()}"
    bench.faulty.begin(kind, lasts(row, kind))
    bench.go(lasts(row, kind))
    if kind == "unplug" and isinstance(row.link, Serial):
        bench.it.appeared()  # as the watch on its folder says
    ended = bench.clock.seconds()
    bench.go(back(row))
    said = bench.told["it"]
    after = [at for at in said.times() if at > ended]
    trial = Trial(
        false=[
            (quantity.name, round(at, 1), value)
            for quantity, values in said.values.items()
            for at, value in values
            if not true(row, quantity, value)
        ],
        back=after[0] - ended if after else inf,
        errors=bench.errors(),
        neighbours=[
            (bench.errors(name), gap([*told.times(), bench.clock.seconds()]) / bench.devices[name].card.period)
            for name, told in bench.told.items()
            if name != "it"
        ],
    )
    bench.close()
    return trial


def gap(times: list[float]) -> float:
    return max((after - before for before, after in zip(times, times[1:], strict=False)), default=inf)
