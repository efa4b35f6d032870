"""Bosch BME280 (temperature, pressure, humidity) and BMP280 (without humidity), on I2C.

Datasheet: Bosch "BME280 Combined humidity and pressure sensor", BST-BME280-DS002, and
"BMP280 Digital Pressure Sensor", BST-BMP280-DS001.  Registers are bytes:

    D0                          chip id: 60 is a BME280, 58 a BMP280
    88..9F  A1  E1..E7          calibration (BME280 4.2.2); two numbers of 12 bits share E5:
        E4 = H4[11:4]   E5 = H5[3:0] H4[3:0]   E6 = H5[11:4]
    E0 <- B6                    reset
    F2 <- h    F4 <- t t t p p p 0 1    oversampling, and measure once ("forced mode")
    F3     F5       F7 F8 F9    FA FB FC     FD FE
    status config   pressure    temperature  humidity (nothing in a BMP280): 20, 20 and 16 bits

There is no checksum.  What was not measured reads 80000 (humidity 8000) and is no reading.
Example (BMP280, 3.12): temperature 519888 and pressure 415148 are 25.08 °C and 100653.27 Pa.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import humidity, pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
PRESSURE = pressure(300, 1100, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

ID, RESET, CTRL_HUM, STATUS, CTRL_MEAS, CONFIG = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5
BME280, BMP280 = 0x60, 0x58
CHIPS = {0x55: "BMP180", 0x56: "BMP280", 0x57: "BMP280", BMP280: "BMP280", BME280: "BME280", 0x61: "BME680"}
BYTE = struct.Struct("B")
COMMON = struct.Struct("<HhhHhhhhhhhh")  # 88: T1..T3, P1..P9
HUMID = struct.Struct("<BhBbBbb")  # A1: H1; E1: H2, H3, E4, E5, E6, H6
DATA = struct.Struct(">BxBx3s3sH")  # F3: status, config, pressure, temperature, humidity
MEASURING = 0x08
OVERSAMPLING = {1: 1, 2: 2, 4: 3, 8: 4, 16: 5}
FILTER = {0: 0, 2: 1, 4: 2, 8: 3, 16: 4}
TOLERANCE = 3.0  # %, BME280 table 2


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose.  More oversampling is less noise and a warmer chip; the filter smooths
    over so many measurements.  As they are, it is what Bosch advises for weather (3.5.1)."""

    oversampling: Literal[1, 2, 4, 8, 16] = 1
    filter: Literal[0, 2, 4, 8, 16] = 0


@dataclass(frozen=True, slots=True)
class Trim:
    """A chip's calibration: dig_T1 is t[0], and so on."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...] = ()


class BMx280:
    """One sensor.  Its calibration is read when it starts, and again after it lost its settings."""

    def __init__(self, chip: int, settings: Settings) -> None:
        self.chip, self.humid = chip, chip == BME280
        self.oversampling, self.config = OVERSAMPLING[settings.oversampling], FILTER[settings.filter] << 2
        n = 3 if self.humid else 2
        self.duration = (1.25 + n * 2.3 * settings.oversampling + (n - 1) * 0.575) / 1000  # the longest, 9.1
        self.trim: Trim | None = None

    def start(self) -> Talk[str]:
        (found,) = unpack(BYTE, (yield Transfer(bytes([ID]), 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"chip id {found:#04x}: the line is held, or disturbed")
        if found != self.chip:
            what = CHIPS.get(found, "unknown")
            raise WrongDevice(f"chip id {found:#x} is {what}; a {CHIPS[self.chip]} has {self.chip:#x}")
        yield Transfer(bytes([RESET, 0xB6]))
        yield Sleep(0.005)  # start-up takes 2 ms, table 1
        common = yield Transfer(b"\x88", COMMON.size)
        humid = None
        if self.humid:
            humid = (yield Transfer(b"\xa1", 1)) + (yield Transfer(b"\xe1", HUMID.size - 1))
        self.trim = calibration(common, humid)
        yield Transfer(bytes([CONFIG, self.config]))  # here only: each write empties the filter, 3.4.4
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        if self.trim is None:
            yield from self.start()
        if self.humid:
            yield Transfer(bytes([CTRL_HUM, self.oversampling]))  # taken over by the write to CTRL_MEAS, 5.4.3
        yield Transfer(bytes([CTRL_MEAS, self.oversampling << 5 | self.oversampling << 2 | 1]))
        yield Sleep(self.duration)
        status, config, p, t, h = unpack(DATA, (yield Transfer(bytes([STATUS]), DATA.size)))
        if status & MEASURING:
            raise BadFrame(f"still measuring after {self.duration:g} s")
        if config != self.config or self.trim is None:
            self.trim = None  # it lost power: the next measurement starts it again
            raise BadFrame(f"it forgot its settings: {config:#x} in place of {self.config:#x}")
        return decode(int.from_bytes(p, "big") >> 4, int.from_bytes(t, "big") >> 4, h, self.trim)


def calibration(common: bytes, humid: bytes | None = None) -> Trim:
    """Read the trimming parameters (BME280 4.2.2, table 16)."""
    t1, t2, t3, *p = unpack(COMMON, common)
    if not t1 or not p[0] or len(set(common)) == 1:
        raise BadFrame(f"no calibration: {common.hex(' ')}")
    if humid is None:
        return Trim((t1, t2, t3), tuple(p))
    h1, h2, h3, e4, e5, e6, h6 = unpack(HUMID, humid)
    return Trim((t1, t2, t3), tuple(p), (h1, h2, h3, e4 << 4 | e5 & 15, e6 << 4 | e5 >> 4, h6))


def decode(p: int, t: int, h: int, trim: Trim) -> Sample:
    """Turn three raw numbers into a sample."""
    if 0x80000 in (p, t) or (trim.h and h == 0x8000):
        raise BadValue(f"not measured: temperature {t:#x}, pressure {p:#x}, humidity {h:#x}")
    fine = fine_temperature(t, trim.t)
    sample = {TEMPERATURE: TEMPERATURE.check(fine / 5120), PRESSURE: PRESSURE.check(pascal(p, fine, trim.p) / 100)}
    return sample | {HUMIDITY: HUMIDITY.check(percent(h, fine, trim.h))} if trim.h else sample


def fine_temperature(adc: int, t: tuple[int, ...]) -> float:
    """Temperature in 1/5120 °C (8.1); kept whole for the other two formulas, as in the example."""
    return (adc / 16384 - t[0] / 1024) * t[1] + (adc / 131072 - t[0] / 8192) ** 2 * t[2]


def pascal(adc: int, fine: float, p: tuple[int, ...]) -> float:
    """Pressure in Pa (8.1); *p* is dig_P1 to dig_P9."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = p
    a = fine / 2 - 64000
    b = (a * a * p6 / 32768 + a * p5 * 2) / 4 + p4 * 65536
    c = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
    if c == 0:
        raise BadValue("the calibration divides by zero")
    q = (1048576 - adc - b / 4096) * 6250 / c
    return q + (p9 * q * q / 2147483648 + q * p8 / 32768 + p7) / 16


def percent(adc: int, fine: float, h: tuple[int, ...]) -> float:
    """Humidity in % (8.1); *h* is dig_H1 to dig_H6.  Bosch cuts all to 0..100.  We do so within
    the tolerance only, as fog reads 101; what lies beyond is no reading."""
    h1, h2, h3, h4, h5, h6 = h
    a = fine - 76800
    b = (adc - (h4 * 64 + h5 / 16384 * a)) * (h2 / 65536 * (1 + h6 / 67108864 * a * (1 + h3 / 67108864 * a)))
    rh = b * (1 - h1 * b / 524288)
    return min(max(rh, 0.0), 100.0) if -TOLERANCE <= rh <= 100 + TOLERANCE else rh


class Emulator:
    """A sensor in a room: registers, the datasheet's calibration, and raw numbers that wander."""

    def __init__(self, chip: int) -> None:
        self.registers = bytearray(256)
        self.registers[ID] = chip
        self.registers[0x88 : 0x88 + COMMON.size] = COMMON.pack(
            27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000
        )
        self.registers[0xA1] = 75
        self.registers[0xE1:0xE8] = bytes.fromhex("7a 01 00 13 29 03 1e")  # 378, 0, 313, 50, 30
        self.raw = (415148, 519888, 29000)
        self.age, self.pointer = 0.0, 0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        for register, value in zip(write[::2], write[1::2], strict=False):
            self.set(register, value)
        return bytes(self.registers[self.pointer : self.pointer + read])

    def set(self, register: int, value: int) -> None:
        self.registers[register] = value
        if register == RESET:
            self.registers[0xF2:0xFF] = bytes.fromhex("00 00 00 00 00 80 00 00 80 00 00 80 00")
        elif register == CTRL_MEAS and value & 3 == 1:
            p, t, h = self.raw
            self.registers[0xF7:0xFF] = (p << 4).to_bytes(3, "big") + (t << 4).to_bytes(3, "big") + h.to_bytes(2, "big")

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        p, t = sway(self.age, 415148, 1500, period=3600.0), sway(self.age, 519888, 4800)
        self.raw = (round(p), round(t), round(sway(self.age, 29000, 900, period=900.0)))
        return b""


def row(chip: int, measures: str, *quantities: Quantity) -> Driver[Settings]:
    return Driver(
        name=CHIPS[chip].lower(),
        title=f"Bosch {CHIPS[chip]} {measures}",
        link=I2C(addresses=(0x76, 0x77)),
        quantities=quantities,
        period=10.0,
        settings=Settings,
        device=partial(BMx280, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = (
    row(BME280, "temperature, pressure and humidity", TEMPERATURE, PRESSURE, HUMIDITY),
    row(BMP280, "temperature and pressure", TEMPERATURE, PRESSURE),
)
