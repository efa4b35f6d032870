"""One device of a driver on emulated hardware, run by the gateway's own code in simulated time, with faults.

A link is added in one place, ``way``: how to open a device on it, and a neighbour that shares the bus.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock, deferLater

from drivers import dht22, max31855, sht31
from drivers.api import GPIO, I2C, SPI, Driver, Edge, Feeds, Modbus, Operation, Quantity, Sample, Serial, Value
from drivers.codec.modbus_slave import Units
from gateway import catalog
from gateway.clock import Clock as Times
from gateway.device import SILENCE, Device
from gateway.handle import Card
from gateway.hub import Hub
from gateway.plan import Plan
from gateway.reading import Readings
from gateway.ring import Ring
from gateway.run import Connection, Direct, Fed, Lost, Open, direct, stream
from gateway.transports.emulated import EmulatedI2C, EmulatedSerial
from gateway.transports.fake import FakeGPIO
from gateway.transports.faults import LATE, Faulty
from gateway.transports.gpio import LOOK, SURE, Wish
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
            return Way(lambda fed, lost: execute(lines, board, row, ring, fed, lost))
        case _:
            (room, _), thread = dht22.DRIVER, Thread(clock)
            beside = direct(Folder(thread, room.emulator()), Ring(clock.seconds))
            return Way(direct(Folder(thread, emulator), ring), [(room, beside)])


def lines(board: RPi, row: Row, ring: Ring, fed: Fed, lost: Lost) -> Connection:
    """As ``Hardware.lines`` opens them."""
    link, settings = row.link, row.settings()
    assert isinstance(link, GPIO)
    inward, specs = link.direction == "in", {name: f"gpio:{17 + at}" for at, name in enumerate(link.lines)}
    made = board.open(
        Wish(
            lines=specs,
            direction=link.direction,
            initial=None if inward else dict.fromkeys(specs, False),
            pull=getattr(settings, "pull", "none"),
            debounce=getattr(settings, "debounce", 0.0),
            every=row.period if inward else 0.0,
            fed=fed,
            failed=cast(Any, fed),
            lost=lost,
        )
    )
    return Direct(made, ring, made.close)


@dataclass
class Thread:
    """The one that reads what the kernel shows, one call after the other."""

    clock: Clock
    free: float = 0.0


class Folder:
    """A folder of the kernel."""

    def __init__(self, thread: Thread, emulator: Any) -> None:
        self.thread, self.clock, self.emulator = thread, thread.clock, emulator
        self.ticked = self.clock.seconds()

    def perform(self, operation: Operation) -> Deferred[bytes]:
        now, thread = self.clock.seconds(), self.thread
        seconds, self.ticked = now - self.ticked, now
        self.emulator.tick(seconds)
        thread.free = max(thread.free, now) + getattr(self.emulator, "delay", 0.0)
        if thread.free > now:
            return deferLater(self.clock, thread.free - now, answer, operation, self.emulator)
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
        self.last = list[float]()  # when it last said something
        self.false = 0.0  # seconds since then for which its line was something else
        self.wrong = 0.0  # the most

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
            self.compare()

    def compare(self) -> None:
        """What an input was last told to be with what it is."""
        says = self.says() if isinstance(self.row.link, GPIO) else None
        told = self.told["it"].times()[-1:]
        if says is None or told != self.last:
            self.last, self.false = told, 0.0
        elif says != self.is_so():
            self.false += STEP
            self.wrong = max(self.wrong, self.false)

    def says(self) -> Value | None:
        """The flag that tells the level of its line; None while it is lost, or has none."""
        flags = [said[-1][1] for quantity, said in self.told["it"].values.items() if quantity.kind == "flag"]
        return flags[0] if flags and self.it.connection is not None else None

    def is_so(self) -> Value:
        """What a device that begins to look now would say."""
        edges = tuple(Edge(line, level, 0.0) for line, level in self.faulty.emulator.levels.items())
        (sample,) = cast(Feeds, self.row.device(self.row.settings())).feed(edges)
        return next(value for quantity, value in cast(Sample, sample).items() if quantity.kind == "flag")

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
    long = kind in ("nack", "unplug") or (kind == "drop" and isinstance(row.link, GPIO))
    return max(4.4 * row.period, SILENCE + 2, LONG if long else 0)


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


def bound(kind: str) -> float:
    """Seconds for which a line may be told to be what it is not; at one look it may happen to be so."""
    return {"drop": 2 * LOOK + SURE, "delay": LATE, "stuck": inf}.get(kind, 0) + 2 * STEP


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a fault: readings that were false, seconds for which a line was told to be what it is not, seconds
    from the fault's end to the next reading, errors by cause; of each neighbour its errors, and the longest gap between
    its readings in periods."""

    false: list[tuple[str, float, Value]]
    wrong: float
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
        wrong=bench.wrong,
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
