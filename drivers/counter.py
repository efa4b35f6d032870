"""Anything that gives a pulse for each portion: flow sensors, water and gas meters, S0 outputs, rain gauges.

Standard: the pulse output of meters, "S0", is EN 62053-31: a contact that closes for at least 30 ms; the meter's
face says how many pulses make a kilowatt hour.  A flow sensor such as the YF-S201 gives 7.5 Hz for each litre a
minute, 450 pulses a litre, from a Hall switch with an open collector.  Both go between the line and ground:

    line  ----+      +-----------+      +----      pull = "up", active = "low"
              |      |           |      |
              +------+           +------+
              ^ counts           ^ counts          never shorter than ``debounce``

Of the pulses between two samples the first and the last tell how fast they come, by the kernel's own stamps.  When none
comes, they come no faster than one in the time since; after ``idle`` seconds they have stopped.

    450 pulses a litre, 15 pulses in 2.0 s:  7.5 1/s * 60 / 450 = 1 l/min
    1000 pulses a kWh, one each 3.6 s:       3600 s / 3.6 s / 1000 = 1 kW

Pulses have no checksum: a cut wire is a meter at rest.  The count goes on over a restart of the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from drivers.api import GPIO, BadValue, DeviceError, Driver, Edge, Quantity, Sample, Value
from drivers.quantities import count, energy, power, rate, volume, volume_flow

COUNT, RATE = count(), rate()
VOLUME, FLOW = volume(), volume_flow()
ENERGY, POWER = energy(), power(low=0, high=1e9)

LINE = "line"
PERIOD = 10.0  # seconds between two samples when nothing comes
PAUSE = 1.0  # seconds between two samples, however fast it comes
TURN, CLOSED = 0.5, 0.2  # the emulator's pulses, in seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: pulses to a unit; the level of a pulse, the board's own resistor, and for how long, in
    seconds, a level must hold; and after how many seconds without a pulse it is at rest."""

    pulses_per_unit: float = 1
    active: Literal["low", "high"] = "low"
    pull: Literal["up", "down", "none"] = "up"
    debounce: float = 0.005
    idle: float = 600

    def __post_init__(self) -> None:
        if not 0 < self.pulses_per_unit < 1e9:
            raise ValueError(f"pulses_per_unit {self.pulses_per_unit:g} must be above 0")
        if not 0 <= self.debounce <= 10:
            raise ValueError(f"debounce {self.debounce:g} s not in 0..10")
        if not PERIOD <= self.idle <= 86_400:
            raise ValueError(f"idle {self.idle:g} s not in {PERIOD:g}..86400")


@dataclass(frozen=True, slots=True)
class Litres(Settings):
    """Pulses to a litre; fast, and from a switch that does not bounce."""

    pulses_per_unit: float = 450
    debounce: float = 0.0


@dataclass(frozen=True, slots=True)
class Kilowatthours(Settings):
    """Pulses to a kilowatt hour."""

    pulses_per_unit: float = 1000


class Counter:
    """Counts pulses.  *total* and *speed* are the quantities, and what one unit, and one unit a second, are of them."""

    def __init__(self, total: tuple[Quantity, float], speed: tuple[Quantity, float], settings: Settings) -> None:
        self.total, self.speed, self.settings = total, speed, settings
        self.on_level = settings.active == "high"
        self.on: bool | None = None
        self.pulses = 0
        self.last = 0.0  # when the last pulse came, or when we began to look
        self.mark: tuple[int, float] | None = None  # count and time of the pulse that the next rate begins at
        self.hertz: float | None = None  # while it is not known, there is none
        self.told = 0.0

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample | DeviceError]:
        for edge in data:
            on = edge.level == self.on_level
            before, self.on = self.on, on
            if before is None:
                self.last = edge.at
            pulse = on and before is False
            if pulse:
                self.count(edge.at)
            if before in (None, on) or (pulse and edge.at - self.told >= PAUSE):
                yield self.sample(edge.at)

    def count(self, at: float) -> None:
        self.pulses, self.last = self.pulses + 1, at
        if self.mark is None:  # the first, or the first after a rest: how fast they come tells the next
            self.mark, self.hertz = (self.pulses, at), None

    def sample(self, now: float) -> Sample | DeviceError:
        self.told = now
        self.reckon(now)
        (total, portion), (speed, scale), per = self.total, self.speed, self.settings.pulses_per_unit
        try:
            told: dict[Quantity, Value] = {total: self.pulses if total is COUNT else self.pulses * portion / per}
            if self.hertz is not None:
                told[speed] = speed.check(self.hertz * scale / per)
        except BadValue as error:
            return error
        return told

    def reckon(self, now: float) -> None:
        """How fast they come."""
        quiet = now - self.last
        if self.mark and self.last > self.mark[1]:
            self.hertz = (self.pulses - self.mark[0]) / (self.last - self.mark[1])
            self.mark = self.pulses, self.last
        elif quiet >= self.settings.idle:
            self.hertz, self.mark = 0.0, None
        elif self.hertz and quiet > 0:
            self.hertz = min(self.hertz, 1 / quiet)

    def state(self) -> bytes:
        return str(self.pulses).encode()

    def restore(self, data: bytes) -> None:
        if not data.isdigit():
            raise ValueError(f"{data!r} is no count")
        self.pulses = int(data)


class Emulator:
    """A wheel with a magnet that turns twice a second."""

    def __init__(self) -> None:
        self.age = 0.0
        self.levels = {LINE: True}

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.levels[LINE] = self.age % TURN < TURN - CLOSED
        return b""


def row(name: str, title: str, total: tuple[Quantity, float], speed: tuple[Quantity, float], settings: Any) -> Any:
    return Driver(
        name=name,
        title=title,
        link=GPIO(direction="in", lines=(LINE,)),
        quantities=(total[0], speed[0]),
        period=PERIOD,
        settings=settings,
        device=partial(Counter, total, speed),
        emulator=Emulator,
        documentation=__doc__,
    )


DRIVER = (
    row("counter", "Pulse counter on a GPIO line", (COUNT, 1), (RATE, 1), Settings),
    row("flowmeter", "Flow sensor or water meter with pulses, on a GPIO line", (VOLUME, 1e-3), (FLOW, 60), Litres),
    row("s0meter", "Electricity meter with an S0 output, on a GPIO line", (ENERGY, 1), (POWER, 3.6e6), Kilowatthours),
)
