"""Sensirion SHT40, SHT41 and SHT45 humidity and temperature sensors, on I2C.

Datasheet: Sensirion "SHT4x", version 6.  Commands are one byte.  Each 16-bit word of an
answer is followed by its CRC-8 (polynomial 0x31, start 0xFF; section 4.4):

    FD                    measure, high precision (F6 medium, E0 low; section 4.5)
    TT TT CC HH HH CC     its answer, at most 8.3 ms later; a read before that is NACKed
    89                    read serial number; two words answer

    temperature = -45 + 175 T / 65535 °C      humidity = -6 + 125 H / 65535 %      (section 4.6)

The supply is 1.08 to 3.6 V.  No pin sets the address: it is the letter in the part's name, 44 for SHT4x-A, 45 for B and
46 for C.  In dew or in very dry air the formula goes a little beyond 0..100 %: that is within the sensor's tolerance,
and is shown as it is, not cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, Driver, Sample, Talk
from drivers.codec.sensirion import asked, seal, serial_number
from drivers.emulation import Room
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(-6, 119, digits=1)

READ_SERIAL = b"\x89"
MEASURE = {"low": (b"\xe0", 0.0016), "medium": (b"\xf6", 0.0045), "high": (b"\xfd", 0.0083)}  # table 5


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose.  High repeatability draws more current and heats the die."""

    repeatability: Literal["low", "medium", "high"] = "high"


class SHT4x:
    """One sensor.  It keeps no state between measurements, so a hot-plug needs no care."""

    def __init__(self, settings: Settings) -> None:
        self.command, self.duration = MEASURE[settings.repeatability]

    def start(self) -> Talk[str]:
        return (yield from serial_number(READ_SERIAL, 2))

    def measure(self) -> Talk[Sample]:
        t, rh = yield from asked(self.command, self.duration, 2)
        return {
            TEMPERATURE: TEMPERATURE.check(-45 + 175 * t / 65535),
            HUMIDITY: HUMIDITY.check(-6 + 125 * rh / 65535),
        }


class Emulator(Room):
    """A sensor in a room."""

    def __init__(self) -> None:
        self.answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == READ_SERIAL:
            self.answer = seal(0x0F41, 0x0304)
        elif write:
            self.answer = seal(round((self.celsius + 45) / 175 * 65535), round((self.percent + 6) / 125 * 65535))
        return self.answer[:read]


def row(chip: str) -> Driver[Settings]:
    return Driver(
        name=chip.lower(),
        title=f"Sensirion {chip} humidity and temperature",
        link=I2C(addresses=(0x44, 0x45, 0x46)),
        quantities=(TEMPERATURE, HUMIDITY),
        period=10.0,
        settings=Settings,
        device=SHT4x,
        emulator=Emulator,
        documentation=__doc__,
    )


DRIVER = tuple(map(row, ("SHT41", "SHT40", "SHT45")))
