"""Sensirion SHT30, SHT31 and SHT35 humidity and temperature sensors, on I2C.

Datasheet: Sensirion "Datasheet SHT3x-DIS", version 7.  Commands are 16 bits.  Each
16-bit word of an answer is followed by its CRC-8 (polynomial 0x31, start 0xFF):

    24 00                 measure once, high repeatability, no clock stretching
    TT TT CC HH HH CC     its answer, at most 15.5 ms later; a read before that is NACKed
    36 82                 read serial number; two words answer
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.crc import crc8
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

READ_SERIAL = b"\x36\x82"
MEASURE = {"low": (b"\x24\x16", 0.0045), "medium": (b"\x24\x0b", 0.0065), "high": (b"\x24\x00", 0.0155)}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose.  High repeatability draws more current and heats the die."""

    repeatability: Literal["low", "medium", "high"] = "high"


def words(answer: bytes) -> list[int]:
    """Strip and verify the checksum behind every word."""
    for at in range(0, len(answer), 3):
        if crc8(answer[at : at + 2]) != answer[at + 2]:
            raise BadFrame(f"word {at // 3}: checksum wrong in {answer.hex(' ')}")
    return [word for word, _ in struct.iter_unpack(">HB", answer)]


class SHT31:
    """One sensor.  It keeps no state between measurements, so a hot-plug needs no care."""

    def __init__(self, settings: Settings) -> None:
        self.command, self.duration = MEASURE[settings.repeatability]

    def start(self) -> Talk[str]:
        yield Transfer(READ_SERIAL)
        yield Sleep(0.001)
        high, low = words((yield Transfer(read=6)))
        return f"{high << 16 | low:08x}"

    def measure(self) -> Talk[Sample]:
        yield Transfer(self.command)
        yield Sleep(self.duration)
        t, rh = words((yield Transfer(read=6)))
        return {
            TEMPERATURE: TEMPERATURE.check(-45 + 175 * t / 65535),
            HUMIDITY: HUMIDITY.check(100 * rh / 65535),
        }


class Emulator:
    """A sensor in a room.  It shares constants and the checksum with SHT31, but no formula."""

    def __init__(self) -> None:
        self.celsius, self.percent = 21.5, 40.0
        self.answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == READ_SERIAL:
            self.answer = self.seal(0x0102, 0x0304)
        elif write:
            self.answer = self.seal(round((self.celsius + 45) / 175 * 65535), round(self.percent / 100 * 65535))
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        return b""

    @staticmethod
    def seal(*values: int) -> bytes:
        return b"".join(word + bytes([crc8(word)]) for word in (v.to_bytes(2, "big") for v in values))


DRIVER = Driver(
    name="sht31",
    title="Sensirion SHT3x humidity and temperature",
    link=I2C(addresses=(0x44, 0x45)),
    quantities=(TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=SHT31,
    emulator=Emulator,
    documentation=__doc__,
)
