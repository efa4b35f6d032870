"""Sensirion SGP30 sensor for volatile organic compounds, on I2C.

Datasheet: Sensirion "Datasheet SGP30", version 1.0.  Commands are 16 bits.  Each 16-bit word
of an answer is followed by its CRC-8 (polynomial 0x31, start 0xFF; section 6.6):

    36 82                 read serial number; three words answer
    20 03                 begin, 10 ms (section 6.3)
    20 08                 measure, 12 ms; to be said every second, on which its own baseline relies
    EE EE CC VV VV CC     its answer: what CO2 there would be if people made all this, in ppm; all compounds, in ppb

The supply is 1.62 to 1.98 V: a board for 3.3 V has a regulator.  The address is always 58.  For 15 s from the beginning
it answers 400 ppm and 0 ppb, whatever there is: no reading is made of these, and start() waits for the end of them.
In its first 12 hours it still learns what clean air is.  There is no carbon dioxide sensor in it, so ``co2_equivalent``
is a guess; an SCD41 measures.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import I2C, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.sensirion import asked, seal, serial_number
from drivers.emulation import sway
from drivers.quantities import co2_equivalent, tvoc

CO2_EQUIVALENT = co2_equivalent(low=400, high=60_000)
TVOC = tvoc(high=60_000)

SERIAL, BEGIN, MEASURE = b"\x36\x82", b"\x20\x03", b"\x20\x08"
BEGINNING, DURATION = 0.01, 0.012  # seconds, table 10
WARM_UP, SAID_MEANWHILE = 16, [400, 0]  # seconds, and what it answers until then


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class SGP30:
    """One sensor."""

    def __init__(self, settings: Settings) -> None:
        self.began = False

    def start(self) -> Talk[str]:
        number = yield from serial_number(SERIAL, 3)
        yield Transfer(BEGIN)
        yield Sleep(BEGINNING)
        for _ in range(WARM_UP):
            if (yield from asked(MEASURE, DURATION, 2)) != SAID_MEANWHILE:
                break
            yield Sleep(1.0)
        self.began = True
        return number

    def measure(self) -> Talk[Sample]:
        if not self.began:
            yield from self.start()
        co2, compounds = yield from asked(MEASURE, DURATION, 2)
        return {CO2_EQUIVALENT: CO2_EQUIVALENT.check(co2), TVOC: TVOC.check(compounds)}


class Emulator:
    """A sensor in a room where somebody cooks.  It does not warm up."""

    def __init__(self) -> None:
        self.age, self.answer = 0.0, b""
        self.co2, self.compounds = 620, 140

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == SERIAL:
            self.answer = seal(0x0000, 0x00A1, 0xC2E4)
        elif write == MEASURE:
            self.answer = seal(self.co2, self.compounds)
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.co2, self.compounds = round(sway(self.age, 620, 180, 1800.0)), round(sway(self.age, 140, 90, 1800.0))
        return b""


DRIVER = Driver(
    name="sgp30",
    title="Sensirion SGP30 volatile organic compounds",
    link=I2C(addresses=(0x58,)),
    quantities=(CO2_EQUIVALENT, TVOC),
    period=1.0,
    settings=Settings,
    device=SGP30,
    emulator=Emulator,
    documentation=__doc__,
)
