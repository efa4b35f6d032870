"""Bosch BME680 and BME688 temperature, pressure, humidity and gas sensors, on I2C.

Datasheet: Bosch "BME680 Low power gas, pressure, temperature & humidity sensor", BST-BME680-DS001, 1.3
(formulas and calibration in 3.3 and 3.4, registers in 5); "BME688 Digital low power gas, pressure, temperature &
humidity sensor with AI", BST-BME688-DS000, 1.2.  Registers are bytes:

    D0  F0              chip id: 61; variant: 0 is a BME680, 1 a BME688
    8A..A0  E1..EE      calibration, low byte first; two numbers of 12 bits share E2:
        E1 = H2[11:4]   E2 = H2[3:0] H1[3:0]   E3 = H1[11:4]
    00  02  04          calibration of the heater: value, range (bits 5 and 4); error of the gas ranges (bits 7 to 4)
    5A <- how hot   64 <- how long   71 <- 10 (measure gas; BME688: 20)   72 <- h   74 <- t t t p p p 0 1 (and once)
    1D      1F 20 21    22 23 24     25 26      2A 2B (BME688: 2C 2D)
    status  pressure    temperature  humidity   gas: 10 bits, valid, heater stable, range of 4 bits

Status has bit 7 for new data.  The supply is 1.71 to 3.6 V; the address is 76, with SDO high 77.  There is no checksum.

The heater makes a small plate 320 °C hot for 150 ms at each measurement, and solvents, alcohol or smoke in the air
lower the plate's resistance.  It settles within a quarter of an hour and drifts for days: only the change says
something.  Bosch's index of air quality and the scans of a BME688 are closed programs, which are not in here.  Where
the plate is not hot yet, or the figure not valid, the gas is left out of the sample.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import signed, unpack
from drivers.emulation import sway
from drivers.quantities import gas_resistance, humidity, pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
PRESSURE = pressure(300, 1100, digits=2)
HUMIDITY = humidity(-3, 103, digits=1)
GAS = gas_resistance(high=1.1e8)

ID, VARIANT, STATUS, CTRL_MEAS = 0xD0, 0xF0, 0x1D, 0x74
BME68X = 0x61
BME680, BME688 = 0, 1  # variants
RUN_GAS = {BME680: 0x10, BME688: 0x20}
CHIPS = {0x55: "a BMP180", 0x58: "a BMP280", 0x60: "a BME280"}
BYTE = struct.Struct("B")
FIRST = struct.Struct("<hbxHhbxhhbbxxhhB")  # 8A: T2 T3 P1 P2 P3 P4 P5 P7 P6 P8 P9 P10
SECOND = struct.Struct("<BBBbbbBbHhbb")  # E1: three bytes of H2 and H1, H3 to H7, T1, G2, G1, G3
HEATER = struct.Struct("<bxBxb")  # 00: value, range, error
DATA = {BME680: struct.Struct(">Bx3s3sH3xBB"), BME688: struct.Struct(">Bx3s3sH5xBB")}
NEW, GAS_VALID, HEATER_STABLE = 0x80, 0x20, 0x10
OVERSAMPLING = {1: 1, 2: 2, 4: 3, 8: 4, 16: 5}
HOT, HEATING, WAIT = 320, 0.148, 0x65  # °C; seconds, as 37 times 4 ms in the register
# What each range departs from its ideal, in percent
GAS_A = (0, 0, 0, 0, 0, -1, 0, -0.8, 0, 0, -0.2, -0.5, 0, -1, 0, 0)
GAS_B = (0, 0, 0, 0, 0.1, 0.7, 0, -0.8, -0.1, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose.  More oversampling is less noise and a warmer chip."""

    oversampling: Literal[1, 2, 4, 8, 16] = 2


@dataclass(frozen=True, slots=True)
class Trim:
    """A chip's calibration: par_t1 is t[0], and so on; the heater's is value, range and error of the gas ranges."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...]
    g: tuple[int, ...]
    heater: tuple[int, int, int]


class BME68x:
    """One sensor, told everything again for each measurement."""

    def __init__(self, variant: int, settings: Settings) -> None:
        self.variant = variant
        self.oversampling = OVERSAMPLING[settings.oversampling]
        self.duration = (3 * settings.oversampling * 1.963 + 9 * 0.477 + 1.5) / 1000 * 1.1 + HEATING * 1.1
        self.ambient = 25.0
        self.trim: Trim | None = None

    def start(self) -> Talk[str]:
        self.trim = None
        (found,) = unpack(BYTE, (yield Transfer(bytes([ID]), 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"chip id {found:#04x}: the line is held, or disturbed")
        if found != BME68X:
            raise WrongDevice(f"chip id {found:#x} is {CHIPS.get(found, 'unknown')}; a BME680 or 688 has {BME68X:#x}")
        (variant,) = unpack(BYTE, (yield Transfer(bytes([VARIANT]), 1)))
        if variant != self.variant:
            raise WrongDevice(f"variant {variant:#x}: a BME680 has 0x0, a BME688 0x1, and other gas registers")
        first = yield Transfer(b"\x8a", FIRST.size)
        second = yield Transfer(b"\xe1", SECOND.size)
        self.trim = calibration(first, second, (yield Transfer(b"\x00", HEATER.size)))
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        if self.trim is None:
            yield from self.start()
        assert self.trim is not None
        o, heat = self.oversampling, heat_register(HOT, self.ambient, self.trim)
        gas = RUN_GAS[self.variant]
        yield Transfer(bytes([0x5A, heat, 0x64, WAIT, 0x70, 0x00, 0x71, gas, 0x72, o, 0x75, 0x00]))
        yield Transfer(bytes([CTRL_MEAS, o << 5 | o << 2 | 1]))
        yield Sleep(self.duration)
        sample = decode((yield Transfer(bytes([STATUS]), DATA[self.variant].size)), self.trim, self.variant)
        self.ambient = float(sample[TEMPERATURE])
        return sample


def calibration(first: bytes, second: bytes, heater: bytes) -> Trim:
    """Read the trimming parameters."""
    t2, t3, p1, p2, p3, p4, p5, p7, p6, p8, p9, p10 = unpack(FIRST, first)
    e1, e2, e3, h3, h4, h5, h6, h7, t1, g2, g1, g3 = unpack(SECOND, second)
    value, range_, error = unpack(HEATER, heater)
    if not t1 or not p1 or len(set(first)) == 1 or len(set(second)) == 1:
        raise BadFrame(f"no calibration: {first.hex(' ')}, {second.hex(' ')}")
    return Trim(
        t=(t1, t2, t3),
        p=(p1, p2, p3, p4, p5, p6, p7, p8, p9, p10),
        h=(e3 << 4 | e2 & 15, e1 << 4 | e2 >> 4, h3, h4, h5, h6, h7),
        g=(g1, g2, g3),
        heater=(value, range_ >> 4 & 3, signed(error >> 4, 4)),
    )


def decode(answer: bytes, trim: Trim, variant: int = BME680) -> Sample:
    """Turn one answer into a sample."""
    status, p, t, h, gas, range_ = unpack(DATA[variant], answer)
    if not status & NEW:
        raise BadFrame(f"nothing new was measured: status {status:#04x}")
    adc_p, adc_t = int.from_bytes(p, "big") >> 4, int.from_bytes(t, "big") >> 4
    if 0x80000 in (adc_p, adc_t) or h == 0x8000:
        raise BadValue(f"not measured: temperature {adc_t:#x}, pressure {adc_p:#x}, humidity {h:#x}")
    fine = fine_temperature(adc_t, trim.t)
    sample = {
        TEMPERATURE: TEMPERATURE.check(fine / 5120),
        PRESSURE: PRESSURE.check(pascal(adc_p, fine, trim.p) / 100),
        HUMIDITY: HUMIDITY.check(percent(h, fine / 5120, trim.h)),
    }
    if range_ & GAS_VALID and range_ & HEATER_STABLE:
        adc, step = gas << 2 | range_ >> 6, range_ & 15
        sample[GAS] = GAS.check(ohms_688(adc, step) if variant == BME688 else ohms(adc, step, trim.heater[2]))
    return sample


def fine_temperature(adc: int, t: tuple[int, ...]) -> float:
    """Temperature in 1/5120 °C."""
    return (adc / 16384 - t[0] / 1024) * t[1] + (adc / 131072 - t[0] / 8192) ** 2 * t[2] * 16


def pascal(adc: int, fine: float, p: tuple[int, ...]) -> float:
    """Pressure in Pa."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = p
    a = fine / 2 - 64000
    b = (a * a * p6 / 131072 + a * p5 * 2) / 4 + p4 * 65536
    c = (1 + (p3 * a * a / 16384 + p2 * a) / 524288 / 32768) * p1
    if c == 0:
        raise BadValue("the calibration divides by zero")
    q = (1048576 - adc - b / 4096) * 6250 / c
    return q + (p9 * q * q / 2147483648 + q * p8 / 32768 + (q / 256) ** 3 * p10 / 131072 + p7 * 128) / 16


def percent(adc: int, celsius: float, h: tuple[int, ...]) -> float:
    """Humidity in %.  Bosch cuts all to 0..100; we do not: in fog it says 101, within its tolerance of 3."""
    h1, h2, h3, h4, h5, h6, h7 = h
    a = adc - (h1 * 16 + h3 / 2 * celsius)
    b = a * h2 / 262144 * (1 + h4 / 16384 * celsius + h5 / 1048576 * celsius * celsius)
    return b + (h6 / 16384 + h7 / 2097152 * celsius) * b * b


def ohms(adc: int, range_: int, error: int) -> float:
    """Resistance of the hot plate in ohms."""
    a = (1340 + 5 * error) * (1 + GAS_A[range_] / 100)
    return 1 / ((1 + GAS_B[range_] / 100) * 0.000000125 * (1 << range_) * ((adc - 512) / a + 1))


def ohms_688(adc: int, range_: int) -> float:
    """The same of a BME688, whose ranges depart from nothing (3.4.1)."""
    return 1e6 * (262144 >> range_) / (4096 + 3 * (adc - 512))


def heat_register(target: float, ambient: float, trim: Trim) -> int:
    """What makes the plate *target* °C hot in air of *ambient* °C."""
    g1, g2, g3 = trim.g
    value, range_, _ = trim.heater
    a = (g1 / 16 + 49) * (1 + (g2 / 32768 * 0.0005 + 0.00235) * target) + g3 / 1024 * ambient
    return min(max(round(3.4 * (a * 4 / (4 + range_) / (1 + value * 0.002) - 25)), 0), 255)


class Emulator:
    """A sensor in a room: registers, a calibration, and raw numbers that wander."""

    def __init__(self, variant: int = BME680) -> None:
        self.variant = variant
        self.registers = bytearray(256)
        self.registers[ID], self.registers[VARIANT] = BME68X, variant
        common = FIRST.pack(26400, 3, 36400, -10400, 88, 7000, -120, 40, 30, -3000, -2500, 30)
        self.registers[0x8A : 0x8A + FIRST.size] = common
        # H2 1010 = 3F2, H1 790 = 316
        rest = SECOND.pack(0x3F, 0x26, 0x31, 0, 45, 20, 120, -100, 26050, -5600, -30, 18)
        self.registers[0xE1 : 0xE1 + SECOND.size] = rest
        self.registers[0:5] = HEATER.pack(40, 0x10, 0x10)
        self.raw = 330000, 485000, 20500, 500
        self.age, self.pointer = 0.0, 0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        for register, value in zip(write[::2], write[1::2], strict=False):
            self.registers[register] = value
            if register == CTRL_MEAS and value & 3 == 1:
                p, t, h, gas = self.raw
                first, second = (p << 4).to_bytes(3), (t << 4).to_bytes(3)
                data = DATA[self.variant].pack(NEW, first, second, h, gas >> 2, gas << 6 & 0xC0 | 0x37)
                self.registers[STATUS : STATUS + len(data)] = data
        return bytes(self.registers[self.pointer : self.pointer + read])

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        p, t = sway(self.age, 330000, 1500, period=3600.0), sway(self.age, 485000, 4800)
        h, gas = sway(self.age, 20500, 600, period=900.0), sway(self.age, 500, 90, period=1800.0)
        self.raw = round(p), round(t), round(h), round(gas)
        return b""


def row(variant: int, chip: str) -> Driver[Settings]:
    return Driver(
        name=chip.lower(),
        title=f"Bosch {chip} temperature, pressure, humidity and gas",
        link=I2C(addresses=(0x76, 0x77)),
        quantities=(TEMPERATURE, PRESSURE, HUMIDITY, GAS),
        period=10.0,
        settings=Settings,
        device=partial(BME68x, variant),
        emulator=partial(Emulator, variant),
        documentation=__doc__,
    )


DRIVER = (row(BME680, "BME680"), row(BME688, "BME688"))
