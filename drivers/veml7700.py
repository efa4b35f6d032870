"""Vishay VEML7700 light sensor, on I2C.

Datasheet: Vishay "VEML7700", document 84286, rev. 1.7, and "Designing the VEML7700 Into an Application", 84323.
Registers are words, low byte first, behind a command byte:

    00   000g g0tt ttpp 000s   configuration: gain (0: 1, 1: 2, 2: 1/8, 3: 1/4), time (0: 100 ms, 2: 400 ms),
                               persistence of an alarm that we do not use, 1: asleep
    04   counts of light

A count is 0.0042 lx at gain 2 and 800 ms, and so much more as gain and time are less.  (The datasheet used to say
0.0036, which Vishay has called wrong since.)  Above 1000 lx the sensor bends; the application note straightens it:

    illuminance = 6.0135e-13 x^4 - 9.3924e-9 x^3 + 8.1488e-5 x^2 + 1.0023 x      x = counts times lx of one

Example (application note): 1500 lx are 1658 lx.  Gain and time are chosen at each measurement: 1/8 and 100 ms for more
than 700 lx, 1 and 100 ms, or 2 and 400 ms for less than 80.  Above 140000 lx there is no reading.

The supply is 2.5 to 3.6 V, the address always 10.  There is no checksum; the configuration is read back each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import illuminance

ILLUMINANCE = illuminance(high=140_000, digits=2)

CONFIGURATION, LIGHT = b"\x00", b"\x04"
WORD = Struct("<H")
NEVER_ZERO = 0x0010  # a persistence, of no effect without alarms: so a line that is held does not read as written
ASLEEP = 0x0001
FINEST = 0.0042  # lx a count, at gain 2 and 800 ms
FEW, MANY, FULL = 100, 10_000, 0xFFFF  # counts: a finer step would do; a coarser one is straighter; no more there are
BENT = 1000  # lx


@dataclass(frozen=True, slots=True)
class Step:
    """A sensitivity: gain and time as they stand in the configuration, and as they are."""

    bits: int
    gain: float
    seconds: float

    @property
    def lux(self) -> float:
        return FINEST * 2 / self.gain * 0.8 / self.seconds


STEPS = (Step(2 << 11, 1 / 8, 0.1), Step(0, 1, 0.1), Step(1 << 11 | 2 << 6, 2, 0.4))


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: it finds its sensitivity."""


class VEML7700:
    """One sensor, asleep between measurements.  It begins with the sensitivity that was right the last time."""

    def __init__(self, settings: Settings) -> None:
        self.at = 0

    def start(self) -> Talk[str]:
        yield from self.configure(NEVER_ZERO | ASLEEP)
        yield from self.verify(NEVER_ZERO | ASLEEP)
        return ""  # it has no serial number

    def configure(self, word: int) -> Talk[None]:
        yield Transfer(CONFIGURATION + WORD.pack(word))

    def verify(self, word: int) -> Talk[None]:
        (found,) = unpack(WORD, (yield Transfer(CONFIGURATION, WORD.size)))
        if found != word:
            raise BadFrame(f"configuration {word:04x} written, {found:04x} read: it lost power, or is no VEML7700")

    def measure(self) -> Talk[Sample]:
        for _ in STEPS:
            count = yield from self.count(STEPS[self.at])
            step = -1 if count > MANY else 1 if count < FEW else 0
            if not step or not 0 <= self.at + step < len(STEPS):
                break
            self.at += step
        else:
            raise BadValue("the light changes too fast to find a sensitivity")
        return decode(count, STEPS[self.at])

    def count(self, step: Step) -> Talk[int]:
        yield from self.configure(NEVER_ZERO | step.bits)
        yield Sleep(0.003 + 2 * step.seconds)  # it wakes within 2.5 ms; its time may be a tenth longer
        count: int = unpack(WORD, (yield Transfer(LIGHT, WORD.size)))[0]
        yield from self.verify(NEVER_ZERO | step.bits)
        yield from self.configure(NEVER_ZERO | ASLEEP)
        return count


def decode(count: int, step: Step) -> Sample:
    """Turn counts into a sample."""
    if count == FULL:
        raise BadValue("more light than it can measure")
    lux = count * step.lux
    return {ILLUMINANCE: ILLUMINANCE.check(straight(lux) if lux > BENT else lux)}


def straight(lux: float) -> float:
    """Illuminance, from that above 1000 lx which the counts say (application note)."""
    return (((6.0135e-13 * lux - 9.3924e-9) * lux + 8.1488e-5) * lux + 1.0023) * lux


class Emulator:
    """A sensor at a window."""

    def __init__(self) -> None:
        self.age, self.light = 0.0, 2000.0  # counts at gain 1 in 100 ms
        self.configuration, self.pointer = ASLEEP, CONFIGURATION

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[:1] or self.pointer
        if write[:1] == CONFIGURATION and write[1:]:
            (self.configuration,) = WORD.unpack(write[1:])
        step = next(step for step in STEPS if step.bits == self.configuration & 0x1BC0)
        count = min(round(self.light * step.gain * step.seconds / 0.1), FULL)
        return WORD.pack(self.configuration if self.pointer == CONFIGURATION else count)[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.light = sway(self.age, 2000.0, 900.0, period=3600.0)
        return b""


DRIVER = Driver(
    name="veml7700",
    title="Vishay VEML7700 light",
    link=I2C(addresses=(0x10,)),
    quantities=(ILLUMINANCE,),
    period=10.0,
    settings=Settings,
    device=VEML7700,
    emulator=Emulator,
    documentation=__doc__,
)
