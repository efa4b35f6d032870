"""Aosong AHT20, AHT21, AHT25, DHT20 and the older AHT10 humidity and temperature sensors, on I2C.

Datasheet: Aosong "AHT20 Product manuals", A1 (section 5.3 and 5.4); "AHT10 Technical Manual", V1.1.

    AC 33 00                     measure, 80 ms
    SS HH HH HT TT TT CC         its answer: status, humidity and temperature of 20 bits each,
                                 and the CRC-8 of all before (polynomial 0x31, start 0xFF)
    BE 08 00 (AHT10: E1 08 00)   load the calibration, 10 ms; only where the status says it is not

    status      bit 7: busy     bit 3: calibrated
    humidity = 100 H / 2^20 %      temperature = 200 T / 2^20 - 50 °C

The supply is 2 to 5.5 V (AHT10 to 3.6 V), the address always 38; an AHT10 can have 39.  Neither has an identity: only
an answer that is as it should be shows the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from struct import Struct

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.codec.crc import crc8
from drivers.emulation import Room
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

MEASURE, DURATION = b"\xac\x33\x00", 0.09  # 80 ms, and a little
LOADING = 0.01
BUSY, CALIBRATED = 0x80, 0x08
PLAIN, SEALED = Struct(">B5s"), Struct(">B5sB")


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One generation: how its calibration is loaded, its frame, and where it may be."""

    load: bytes
    frame: Struct
    addresses: tuple[int, ...]


AHT20 = Chip(b"\xbe\x08\x00", SEALED, (0x38,))
AHT10 = Chip(b"\xe1\x08\x00", PLAIN, (0x38, 0x39))


class AHTx0:
    """One sensor."""

    def __init__(self, chip: Chip, settings: Settings) -> None:
        self.chip = chip

    def start(self) -> Talk[str]:
        yield from self.measure()
        return ""

    def measure(self) -> Talk[Sample]:
        status, data = yield from self.ask()
        if not status & CALIBRATED:  # it has just been switched on; one that is calibrated may refuse to load again
            yield Transfer(self.chip.load)
            yield Sleep(LOADING)
            status, data = yield from self.ask()
        return decode(status, data)

    def ask(self) -> Talk[tuple[int, int]]:
        yield Transfer(MEASURE)
        yield Sleep(DURATION)
        return opened((yield Transfer(read=self.chip.frame.size)), self.chip.frame)


def opened(answer: bytes, frame: Struct) -> tuple[int, int]:
    """Status and the forty bits of one answer, its checksum verified where it has one."""
    status, data, *check = unpack(frame, answer)
    if check and check[0] != crc8(answer[:-1]):
        raise BadFrame(f"checksum wrong: {answer.hex(' ')}")
    return status, int.from_bytes(data, "big")


def decode(status: int, data: int) -> Sample:
    """Turn one answer into a sample."""
    if status & (BUSY | CALIBRATED) != CALIBRATED:
        raise BadFrame(f"status {status:#04x}: busy, or its calibration is not loaded")
    return {
        TEMPERATURE: TEMPERATURE.check(200 * (data & 0xFFFFF) / 2**20 - 50),
        HUMIDITY: HUMIDITY.check(100 * (data >> 20) / 2**20),
    }


class Emulator(Room):
    """A sensor in a room, just switched on."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.status, self.answer = 0x10, b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == self.chip.load:
            self.status |= CALIBRATED
        elif write == MEASURE:
            data = round(self.percent / 100 * 2**20) << 20 | round((self.celsius + 50) / 200 * 2**20)
            bare = bytes((self.status,)) + data.to_bytes(5, "big")
            self.answer = (bare + bytes((crc8(bare),)))[: self.chip.frame.size]
        return self.answer[:read]


def row(name: str, chip: Chip, more: str = "") -> Driver[Settings]:
    return Driver(
        name=name,
        title=f"Aosong {name.upper()} humidity and temperature",
        link=I2C(addresses=chip.addresses),
        quantities=(TEMPERATURE, HUMIDITY),
        period=10.0,
        settings=Settings,
        device=partial(AHTx0, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__ + more,
    )


DRIVER = (
    row("aht20", AHT20),
    row("aht10", AHT10, "\nThe answer of an AHT10 ends behind the temperature: there is no checksum.\n"),
)
