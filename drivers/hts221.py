"""ST HTS221 humidity and temperature sensor, on I2C, as on the Sense HAT.

Datasheet: ST "HTS221" (DocID026333), sections 7 and 8; its technical note TN1218 on the two lines.  A byte chooses the
register, and with bit 7 goes on by itself; numbers are two's complement, low byte first:

    0F              who am I: BC
    20 <- 84        awake, and the bytes of a number belong together        21 <- 01    measure once
    27              status: bit 0 the temperature is new, bit 1 the humidity
    28 29  2A 2B    humidity and temperature as measured
    30  31          two humidities in halves of a percent          36 37  3A 3B    as measured at these
    32  33  35      two temperatures in eighths of a degree, bits 9 and 8 of both in 35: .... 1 1 0 0
    3C 3D  3E 3F    as measured at these

What is shown lies on the line through the two points that its maker measured.

There is no checksum.  The supply is 1.7 to 3.6 V, CS high; the address is always 5F.  A line goes a little beyond
0..100 %: that is within the tolerance, and is shown as it is, not cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 120, digits=2)
HUMIDITY = humidity(-5, 105)

WHO, CONTROL, ONCE, STATUS, POINTS = b"\x0f", b"\x20\x84", b"\x21\x01", b"\xa7", b"\xb0"
HTS221_ID = 0xBC
OTHERS = {0xBD: "an LPS25HB", 0xB1: "an LPS22HB"}
FRESH = 3
LONGEST = 0.05  # seconds of one measurement, as averaged when it wakes
BYTE, DATA, CALIBRATION = Struct("B"), Struct("<Bhh"), Struct("<BBBBxBh2xhhh")


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: it averages as it wakes."""


@dataclass(frozen=True, slots=True)
class Line:
    """Through two points: what was measured, and what it was."""

    raw: tuple[int, int]
    true: tuple[float, float]

    def at(self, raw: int) -> float:
        (a, b), (low, high) = self.raw, self.true
        return low + (raw - a) * (high - low) / (b - a)


class HTS221:
    """One sensor, told everything again for each measurement; its two lines are read when it starts."""

    def __init__(self, settings: Settings) -> None:
        self.lines: tuple[Line, Line] | None = None

    def start(self) -> Talk[str]:
        (found,) = unpack(BYTE, (yield Transfer(WHO, 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"who am I: {found:02x}; the line is held, or disturbed")
        if found != HTS221_ID:
            raise WrongDevice(f"who am I: {found:02x}, {OTHERS.get(found, 'unknown')}; an HTS221 says {HTS221_ID:02x}")
        self.lines = calibration((yield Transfer(POINTS, CALIBRATION.size)))
        return ""

    def measure(self) -> Talk[Sample]:
        if self.lines is None:
            yield from self.start()
        assert self.lines is not None
        yield Transfer(CONTROL)
        yield Sleep(0.005)
        yield Transfer(ONCE)
        yield Sleep(LONGEST)
        status, damp, warm = unpack(DATA, (yield Transfer(STATUS, DATA.size)))
        if status & FRESH != FRESH:
            raise BadFrame(f"nothing new was measured: status {status:#04x}")
        humid, warmth = self.lines
        return {TEMPERATURE: TEMPERATURE.check(warmth.at(warm)), HUMIDITY: HUMIDITY.check(humid.at(damp))}


def calibration(raw: bytes) -> tuple[Line, Line]:
    """The lines of humidity and temperature."""
    h0, h1, t0, t1, high, damp0, damp1, warm0, warm1 = unpack(CALIBRATION, raw)
    t0, t1 = t0 | (high & 0x03) << 8, t1 | (high & 0x0C) << 6
    if len(set(raw)) == 1 or damp0 == damp1 or warm0 == warm1 or h0 >= h1 or t0 >= t1:
        raise BadFrame(f"no calibration: {raw.hex(' ')}")
    return Line((damp0, damp1), (h0 / 2, h1 / 2)), Line((warm0, warm1), (t0 / 8, t1 / 8))


class Emulator(Ages):
    """A sensor in a room, above the processor of a small board."""

    def __init__(self) -> None:
        self.fresh = 0
        self.memory = bytearray(64)
        self.memory[WHO[0]] = HTS221_ID
        # 30 % and 70 %, 20 °C and 40 °C
        self.memory[0x30:0x40] = CALIBRATION.pack(60, 140, 160, 64, 0x04, -2000, -10000, 100, 900)

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == ONCE:
            damp, warm = round(sway(self.age, -4500, 900, 900)), round(sway(self.age, 480, 60))
            self.memory[0x27:0x2C] = DATA.pack(FRESH, damp, warm)
        elif len(write) == 1 and read:
            at = write[0] & 0x3F
            answer = bytes(self.memory[at : at + read])
            if at == STATUS[0] & 0x3F:
                self.memory[at] = 0
            return answer
        return b""


DRIVER = Driver(
    name="hts221",
    title="ST HTS221 humidity and temperature",
    link=I2C(addresses=(0x5F,)),
    quantities=(TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=HTS221,
    emulator=Emulator,
    documentation=__doc__,
)
