"""ams TSL2591 light sensor, on I2C.

Datasheet: ams "TSL2591 Light-to-Digital Converter", DS000338, v2.  A command byte is A0 plus register:

    A0 <- 00 or 03                off, or on and measuring
    A1 <- 00 gg 0 ttt             gain g: 1, 25, 428, 9876; time (t + 1) 100 ms
    B1 B2                         package id, bits 5 and 4: 0; device id: 50
    B3  B4 B5  B6 B7              status, bit 0: measured since it was switched on; light with infrared,
                                  infrared only, low byte first.  In 100 ms no count goes above 36863

    illuminance = (A - B) (1 - B / A) / (time gain / 408) lx      A light with infrared, B infrared, time in ms

The datasheet has no formula: this one is that of the Linux kernel and of Adafruit, who tried it.  It holds for daylight
and lamps, within some 20 % and without a cover.  The gain is chosen at each measurement, from 1 to 428, so it goes from
0.01 lx to 88000 lx of daylight.  Where even the lowest gain is too much, or there is more infrared than light, there is
no reading.

The supply is 2.7 to 3.6 V, the address always 29.  There is no checksum.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import illuminance

ILLUMINANCE = illuminance(high=150_000, digits=2)

ENABLE, CONTROL, PACKAGE, STATUS = b"\xa0", b"\xa1", b"\xb1", b"\xb3"
OFF, ON, VALID, TSL2591_ID = b"\x00", b"\x03", 0x01, 0x50
IDENTITY, DATA = Struct("<BB"), Struct("<BHH")
GAINS = (1, 25, 428)
TIME, LONGEST = 100, 0.12  # ms to measure, and seconds until that is done for sure: the clock is 5 % wrong at most
FEW, FULL = 1000, 36_000  # counts: a higher gain would do; more are not sure
NOISE = 10  # counts by which, in the dark, infrared may be above both


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: it finds its gain."""


class TSL2591:
    """One sensor, off between measurements.  It begins with the gain that was right the last time."""

    def __init__(self, settings: Settings) -> None:
        self.at = 1

    def start(self) -> Talk[str]:
        package, found = unpack(IDENTITY, (yield Transfer(PACKAGE, IDENTITY.size)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"device id {found:#04x}: the line is held, or disturbed")
        if found != TSL2591_ID or package & 0x30:
            raise WrongDevice(f"package and device id {package:#x}, {found:#x}; a TSL2591 has 0x0, {TSL2591_ID:#x}")
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        for _ in GAINS:
            light, infrared = yield from self.count(self.at)
            most = max(light, infrared)
            step = -1 if most >= FULL else 1 if most < FEW else 0
            if not step or not 0 <= self.at + step < len(GAINS):
                break
            self.at += step
        else:
            raise BadValue("the light changes too fast to find a gain")
        return decode(light, infrared, GAINS[self.at])

    def count(self, at: int) -> Talk[tuple[int, int]]:
        yield Transfer(ENABLE + OFF)
        yield Transfer(CONTROL + bytes((at << 4,)))
        yield Transfer(ENABLE + ON)
        yield Sleep(LONGEST)
        status, light, infrared = unpack(DATA, (yield Transfer(STATUS, DATA.size)))
        yield Transfer(ENABLE + OFF)
        if not status & VALID:
            raise BadFrame(f"status {status:#04x}: nothing was measured in {LONGEST:g} s")
        return light, infrared


def decode(light: int, infrared: int, gain: int) -> Sample:
    """Turn two counts into a sample."""
    if max(light, infrared) >= FULL:
        raise BadValue("more light than it can measure")
    if infrared > light + NOISE:
        raise BadValue(f"more infrared than light: {infrared} and {light}")
    visible = max(light - infrared, 0)  # in the dark, either may be a count above the other
    lux = visible * visible / max(light, 1) * 408 / TIME / gain
    return {ILLUMINANCE: ILLUMINANCE.check(lux)}


class Emulator:
    """A sensor at a window."""

    def __init__(self) -> None:
        self.registers = bytearray(32)
        self.registers[0x12] = TSL2591_ID
        self.light = 120.0  # counts at gain 1
        self.age, self.pointer = 0.0, 0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0] & 0x1F
        if len(write) == 2:
            self.registers[self.pointer] = write[1]
        if write == ENABLE + ON:
            light = min(round(self.light * GAINS[self.registers[1] >> 4]), 36863)
            self.registers[0x13:0x18] = DATA.pack(0x11, light, light // 4)
        elif write == ENABLE + OFF:
            self.registers[0x13] = 0
        return bytes(self.registers[self.pointer : self.pointer + read])

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.light = sway(self.age, 120.0, 60.0, period=3600.0)
        return b""


DRIVER = Driver(
    name="tsl2591",
    title="ams TSL2591 light",
    link=I2C(addresses=(0x29,)),
    quantities=(ILLUMINANCE,),
    period=10.0,
    settings=Settings,
    device=TSL2591,
    emulator=Emulator,
    documentation=__doc__,
)
