"""Bosch BMP180 pressure and temperature sensor, on I2C.

Datasheet: Bosch "BMP180 Digital pressure sensor", BST-BMP180-DS000, version 2.5.  Registers are bytes:

    D0                     chip id: 55
    AA..BF                 calibration: AC1 AC2 AC3 AC4 AC5 AC6 B1 B2 MB MC MD, 16 bits each, high byte first
    F4 <- 2E               measure temperature, 4.5 ms
    F4 <- 34 + 40 n        measure pressure 1, 2, 4 or 8 times (n is 0 to 3), 4.5 to 25.5 ms
    F4   F5   F6 F7 F8     control (bit 5: still measuring), nothing, and what was measured: 16 bits, or 16 + n

Example: AC1 408, AC2 -72, AC3 -14383, AC4 32741, AC5 32757, AC6 23153, B1 6190, B2 4, MB -32768, MC -8711, MD 2868;
temperature 27898 and pressure 23843 are 15.0 °C and 69964 Pa.

The supply is 1.8 to 3.6 V (most boards have a regulator), the address always 77.  There is no checksum.  No word of the
calibration is 0000 or FFFF, by which a bad line is noticed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=1)
PRESSURE = pressure(300, 1100, digits=2)

ID, CALIBRATION, CONTROL = 0xD0, 0xAA, 0xF4
BMP180_ID = 0x55
CHIPS = {0x56: "a BMP280", 0x57: "a BMP280", 0x58: "a BMP280", 0x60: "a BME280", 0x61: "a BME680"}
TRIM = struct.Struct(">hhhHHHhhhhh")
WORD, DATA = struct.Struct(">Bx2s"), struct.Struct(">Bx3s")
MEASURE_TEMPERATURE, MEASURE_PRESSURE, MEASURING = 0x2E, 0x34, 0x20
STEPS = {1: 0, 2: 1, 4: 2, 8: 3}
DURATIONS = (0.0045, 0.0075, 0.0135, 0.0255)  # seconds, table 8
Trim = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: how often the pressure is measured for one figure.  More is less noise."""

    oversampling: Literal[1, 2, 4, 8] = 1


class BMP180:
    """One sensor.  Its calibration is read when it starts."""

    def __init__(self, settings: Settings) -> None:
        self.step = STEPS[settings.oversampling]
        self.trim: Trim | None = None

    def start(self) -> Talk[str]:
        (found,) = unpack(struct.Struct("B"), (yield Transfer(bytes([ID]), 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"chip id {found:#04x}: the line is held, or disturbed")
        if found != BMP180_ID:
            raise WrongDevice(f"chip id {found:#x} is {CHIPS.get(found, 'unknown')}; a BMP180 has {BMP180_ID:#x}")
        self.trim = calibration((yield Transfer(bytes([CALIBRATION]), TRIM.size)))
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        if self.trim is None:
            yield from self.start()
        t = yield from self.convert(MEASURE_TEMPERATURE, DURATIONS[0], WORD)
        p = yield from self.convert(MEASURE_PRESSURE + (self.step << 6), DURATIONS[self.step], DATA)
        assert self.trim is not None
        return decode(t, p >> 8 - self.step, self.step, self.trim)

    def convert(self, command: int, seconds: float, layout: struct.Struct) -> Talk[int]:
        yield Transfer(bytes([CONTROL, command]))
        yield Sleep(seconds)
        control, data = unpack(layout, (yield Transfer(bytes([CONTROL]), layout.size)))
        if control & MEASURING:
            raise BadFrame(f"still measuring after {seconds:g} s")
        return int.from_bytes(data, "big")


def calibration(answer: bytes) -> Trim:
    """Read the eleven words (3.4)."""
    trim = unpack(TRIM, answer)
    if any(word in (0, -1, 0xFFFF) for word in trim):
        raise BadFrame(f"no calibration: {answer.hex(' ')}")
    return trim


def decode(ut: int, up: int, step: int, trim: Trim) -> Sample:
    """Turn two raw numbers into a sample, in the datasheet's whole numbers (3.5)."""
    ac1, ac2, ac3, ac4, ac5, ac6, b1, b2, _, mc, md = trim
    x1 = (ut - ac6) * ac5 >> 15
    if x1 + md == 0:
        raise BadValue("the calibration divides by zero")
    b5 = x1 + (mc << 11) // (x1 + md)
    b6 = b5 - 4000
    x3 = (b2 * (b6 * b6 >> 12) >> 11) + (ac2 * b6 >> 11)
    b3 = ((ac1 * 4 + x3 << step) + 2) // 4
    x3 = (ac3 * b6 >> 13) + (b1 * (b6 * b6 >> 12) >> 16) + 2 >> 2
    b4 = ac4 * (x3 + 32768) >> 15
    if b4 == 0:
        raise BadValue("the calibration divides by zero")
    p = (up - b3) * (50000 >> step) * 2 // b4
    p += ((p >> 8) ** 2 * 3038 >> 16) + (-7357 * p >> 16) + 3791 >> 4
    return {TEMPERATURE: TEMPERATURE.check((b5 + 8 >> 4) / 10), PRESSURE: PRESSURE.check(p / 100)}


class Emulator:
    """A sensor on a mountain: registers, the datasheet's calibration, and raw numbers that wander."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.registers[ID] = BMP180_ID
        trim = TRIM.pack(408, -72, -14383, 32741, 32757, 23153, 6190, 4, -32768, -8711, 2868)
        self.registers[CALIBRATION : CALIBRATION + TRIM.size] = trim
        self.age, self.pointer = 0.0, 0
        self.raw = 27898, 23843

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        if len(write) == 2 and write[0] == CONTROL:
            self.registers[CONTROL] = write[1] & ~MEASURING
            data = self.raw[write[1] != MEASURE_TEMPERATURE] << 8
            self.registers[0xF6:0xF9] = data.to_bytes(3, "big")
        return bytes(self.registers[self.pointer : self.pointer + read])

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.raw = round(sway(self.age, 27898, 400)), round(sway(self.age, 23843, 60, period=3600.0))
        return b""


DRIVER = Driver(
    name="bmp180",
    title="Bosch BMP180 temperature and pressure",
    link=I2C(addresses=(0x77,)),
    quantities=(TEMPERATURE, PRESSURE),
    period=10.0,
    settings=Settings,
    device=BMP180,
    emulator=Emulator,
    documentation=__doc__,
)
