"""ROHM BH1750FVI light sensor, on I2C.

Datasheet: ROHM "BH1750FVI", rev. D (instruction set on page 5, adjustment on page 11).  Commands are bytes:

    010 0 0MMM  011 M MMMM     how long to measure: M is 31 to 254, 69 when it wakes
    20                         measure once with high resolution, 180 ms at most for M = 69; then it sleeps
    HH LL                      what it then answers

    illuminance = count / 1.2 * 69 / M lx

Example: 83 90 is 28067 lx at M = 69.

    sensitivity "normal"   M 69    to 54612 lx, in steps of 0.8 lx
    sensitivity "sun"      M 31    to 121500 lx, in steps of 1.9 lx
    sensitivity "dark"     M 254   to 14800 lx, in steps of 0.2 lx

The supply is 2.4 to 3.6 V.  The address is 23, with ADDR high 5C.  There is no checksum, and nothing tells the chip
from another: all that shows it is that it acknowledges.  FF FF, the most there is, means more light than it can
measure, and is no reading; 00 00 is dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Literal

from drivers.api import I2C, BadValue, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import illuminance

ILLUMINANCE = illuminance(high=121_600)

ONCE = b"\x20"
USUAL = 69
SENSITIVITIES = {"sun": 31, "normal": USUAL, "dark": 254}
LONGEST = 0.18  # seconds, for M = 69
COUNT = Struct(">H")
FULL = 0xFFFF


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: more light, or finer steps."""

    sensitivity: Literal["sun", "normal", "dark"] = "normal"


class BH1750:
    """One sensor, told everything again for each measurement, so that a hot-plug needs no care."""

    def __init__(self, settings: Settings) -> None:
        self.m = SENSITIVITIES[settings.sensitivity]
        self.duration = LONGEST * self.m / USUAL

    def measure(self) -> Talk[Sample]:
        yield Transfer(bytes((0x40 | self.m >> 5,)))
        yield Transfer(bytes((0x60 | self.m & 0x1F,)))
        yield Transfer(ONCE)
        yield Sleep(self.duration)
        return decode((yield Transfer(read=COUNT.size)), self.m)


def decode(answer: bytes, m: int) -> Sample:
    """Turn one answer into a sample."""
    (count,) = unpack(COUNT, answer)
    if count == FULL:
        raise BadValue("more light than it can measure")
    return {ILLUMINANCE: ILLUMINANCE.check(count / 1.2 * USUAL / m)}


class Emulator:
    """A sensor at a window.  It counts what comes while it measures."""

    def __init__(self) -> None:
        self.age, self.light, self.m = 0.0, 7.0, USUAL  # light: counts for each of M
        self.answer = b"\x00\x00"

    def transfer(self, write: bytes, read: int) -> bytes:
        if write and write[0] & 0xF8 == 0x40:
            self.m = write[0] << 5 & 0xE0 | self.m & 0x1F
        elif write and write[0] & 0xE0 == 0x60:
            self.m = self.m & 0xE0 | write[0] & 0x1F
        elif write == ONCE:
            self.answer = min(round(self.light * self.m), FULL).to_bytes(2, "big")
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.light = sway(self.age, 7.0, 4.0, period=3600.0)
        return b""


DRIVER = Driver(
    name="bh1750",
    title="ROHM BH1750 light",
    link=I2C(addresses=(0x23, 0x5C)),
    quantities=(ILLUMINANCE,),
    period=10.0,
    settings=Settings,
    device=BH1750,
    emulator=Emulator,
    documentation=__doc__,
)
