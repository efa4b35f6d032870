"""Sensirion SGP40 sensor for volatile organic compounds, on I2C.

Datasheet: Sensirion "SGP40", version 1.2.  Commands are 16 bits.  Each 16-bit word, sent or
answered, is followed by its CRC-8 (polynomial 0x31, start 0xFF):

    36 82                          read serial number; three words answer
    26 0F  80 00 A2  66 66 93      measure, for 50 % of humidity and 25 °C, 30 ms
    RR RR CC                       its answer: the logarithm of the hot layer's resistance, in ticks

The supply is 1.7 to 3.6 V, the address always 59.  The heater stays on from the first measurement; the figures settle
within a minute, and drift for a day.  More compounds are fewer ticks.  A tick has no unit, and two sensors differ: only
the change says something.  Sensirion's VOC index is a calculation on top of this figure, once a second for days, which
we do not make.  As one checksum of eight bits lets one disturbance in 256 pass, each measurement is made twice, and is
a reading only when both agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import I2C, BadFrame, Driver, Sample, Talk
from drivers.codec.sensirion import asked, seal, serial_number
from drivers.emulation import sway
from drivers.quantities import voc_raw

VOC_RAW = voc_raw()

SERIAL, MEASURE = b"\x36\x82", b"\x26\x0f" + seal(0x8000, 0x6666)
DURATION = 0.03  # seconds
AGREE = 500  # ticks; noise is below 20, and no gas comes so fast


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class SGP40:
    """One sensor.  It keeps nothing between two measurements."""

    def __init__(self, settings: Settings) -> None:
        pass

    def start(self) -> Talk[str]:
        return (yield from serial_number(SERIAL, 3))

    def measure(self) -> Talk[Sample]:
        (first,), (second,) = (yield from asked(MEASURE, DURATION, 1)), (yield from asked(MEASURE, DURATION, 1))
        if abs(first - second) > AGREE:
            raise BadFrame(f"two measurements differ: {first} and {second} ticks")
        return {VOC_RAW: VOC_RAW.check(second)}


class Emulator:
    """A sensor in a room where somebody cooks."""

    def __init__(self) -> None:
        self.age, self.raw, self.answer = 0.0, 31000, b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == SERIAL:
            self.answer = seal(0x0000, 0x0512, 0xA4B8)
        elif write == MEASURE:
            self.answer = seal(self.raw)
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.raw = round(sway(self.age, 31000, 900, period=1800.0))
        return b""


DRIVER = Driver(
    name="sgp40",
    title="Sensirion SGP40 volatile organic compounds",
    link=I2C(addresses=(0x59,)),
    quantities=(VOC_RAW,),
    period=10.0,
    settings=Settings,
    device=SGP40,
    emulator=Emulator,
    documentation=__doc__,
)
