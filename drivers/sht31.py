"""Sensirion SHT30, SHT31, SHT35 and SHT85 humidity and temperature sensors, on I2C: they speak alike, and differ in how
exact they are.

Datasheet: Sensirion "Datasheet SHT3x-DIS", version 7.  Commands are 16 bits.  Each
16-bit word of an answer is followed by its CRC-8 (polynomial 0x31, start 0xFF):

    24 00                 measure once, high repeatability, no clock stretching (section 4.3)
    TT TT CC HH HH CC     its answer, at most 15.5 ms later; a read before that is NACKed
    36 82                 read serial number; two words answer

    temperature = -45 + 175 T / 65535 °C      humidity = 100 H / 65535 %      (section 4.13)

The supply is 2.15 to 5.5 V.  The address is 44, with ADDR high 45; an SHT85 has 44 only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, Driver, Sample, Talk
from drivers.codec.sensirion import asked, seal, serial_number
from drivers.emulation import Room
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

READ_SERIAL = b"\x36\x82"
MEASURE = {"low": (b"\x24\x16", 0.0045), "medium": (b"\x24\x0b", 0.0065), "high": (b"\x24\x00", 0.0155)}  # tables 4, 8


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose.  High repeatability draws more current and heats the die."""

    repeatability: Literal["low", "medium", "high"] = "high"


class SHT31:
    """One sensor.  It keeps no state between measurements, so a hot-plug needs no care."""

    def __init__(self, settings: Settings) -> None:
        self.command, self.duration = MEASURE[settings.repeatability]

    def start(self) -> Talk[str]:
        return (yield from serial_number(READ_SERIAL, 2))

    def measure(self) -> Talk[Sample]:
        t, rh = yield from asked(self.command, self.duration, 2)
        return {
            TEMPERATURE: TEMPERATURE.check(-45 + 175 * t / 65535),
            HUMIDITY: HUMIDITY.check(100 * rh / 65535),
        }


class Emulator(Room):
    """A sensor in a room.  It shares constants and the checksum with SHT31, but no formula."""

    def __init__(self) -> None:
        self.answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == READ_SERIAL:
            self.answer = seal(0x0102, 0x0304)
        elif write:
            self.answer = seal(round((self.celsius + 45) / 175 * 65535), round(self.percent / 100 * 65535))
        return self.answer[:read]


DRIVER = Driver(
    name="sht31",
    title="Sensirion SHT30, SHT31, SHT35 and SHT85 humidity and temperature",
    link=I2C(addresses=(0x44, 0x45)),
    quantities=(TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=SHT31,
    emulator=Emulator,
    documentation=__doc__,
)
