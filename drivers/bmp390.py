"""Bosch BMP390 and BMP388 pressure and temperature sensors, on I2C.

Datasheet: Bosch "BMP390 Digital pressure sensor", BST-BMP390-DS002, 1.7 (formulas in 8.4 to 8.6, times in 3.9,
registers in 4); "BMP388", BST-BMP388-DS001.  Registers are bytes, of numbers the low one first:

    00                 chip id: 60 is a BMP390, 50 a BMP388
    31..45             calibration: T1 to T3, P1 to P11
    7E <- B6           reset
    1B <- 13           measure both, once          1C <- 0 0 t t t p p p    oversampling
    02 03              errors (bit 2: the settings contradict each other); status (bits 6 and 5: both are measured)
    04 05 06  07 08 09 pressure and temperature, 24 bits each

There is no checksum.  The supply is 1.65 to 3.6 V; the address is 76, with SDO high 77.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
PRESSURE = pressure(300, 1250, digits=2)

ID, ERRORS, POWER, OVERSAMPLING, TRIM, COMMAND = 0x00, 0x02, 0x1B, 0x1C, 0x31, 0x7E
RESET, ONCE, READY, CONTRADICTION = 0xB6, 0x13, 0x60, 0x04
CHIPS = {"BMP390": 0x60, "BMP388": 0x50}
OTHERS = {0x50: "a BMP388", 0x55: "a BMP180", 0x58: "a BMP280", 0x60: "a BMP390 or a BME280", 0x61: "a BME680"}
BYTE = Struct("B")
COEFFICIENTS = Struct("<HHbhhbbHHbbhbb")
POWERS = (-8, 30, 48, 20, 29, 32, 37, -3, 6, 8, 15, 48, 48, 65)  # of two, by which each is divided (8.4)
DATA = Struct("<BB3s3s")
STEPS = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4, 32: 5}


@dataclass(frozen=True, slots=True)
class Settings:
    """How many measurements of the pressure make one: more are less noise, in a longer time."""

    oversampling: Literal[1, 2, 4, 8, 16, 32] = 8


class BMP3xx:
    """One sensor.  Its calibration is read when it starts."""

    def __init__(self, chip: str, settings: Settings) -> None:
        self.chip = chip
        self.step = STEPS[settings.oversampling]
        twice = settings.oversampling > 8  # of the temperature, as Bosch advises (3.4.1)
        self.register = twice << 3 | self.step
        self.duration = (234 + 392 + 163 + (settings.oversampling + 1 + twice) * 2020) * 1.2e-6
        self.trim: tuple[float, ...] = ()

    def start(self) -> Talk[str]:
        (found,) = unpack(BYTE, (yield Transfer(bytes((ID,)), 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"chip id {found:#04x}: the line is held, or disturbed")
        if found != CHIPS[self.chip]:
            what = OTHERS.get(found, "unknown")
            raise WrongDevice(f"chip id {found:#x} is {what}; a {self.chip} has {CHIPS[self.chip]:#x}")
        yield Transfer(bytes((COMMAND, RESET)))
        yield Sleep(0.01)
        self.trim = calibration((yield Transfer(bytes((TRIM,)), COEFFICIENTS.size)))
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        if not self.trim:
            yield from self.start()
        yield Transfer(bytes((OVERSAMPLING, self.register)))
        yield Transfer(bytes((POWER, ONCE)))
        yield Sleep(self.duration)
        return decode((yield Transfer(bytes((ERRORS,)), DATA.size)), self.trim)


def calibration(raw: bytes) -> tuple[float, ...]:
    """T1 to T3 and P1 to P11 as the formulas want them (8.4)."""
    whole = list(unpack(COEFFICIENTS, raw))
    if len(set(raw)) == 1 or not whole[0]:
        raise BadFrame(f"no calibration: {raw.hex(' ')}")
    whole[3:5] = whole[3] - 2**14, whole[4] - 2**14
    return tuple(number / 2.0**power for number, power in zip(whole, POWERS, strict=True))


def decode(answer: bytes, trim: tuple[float, ...]) -> Sample:
    """Turn one answer into a sample."""
    errors, status, p, t = unpack(DATA, answer)
    if status & READY != READY:
        raise BadFrame(f"nothing new was measured: status {status:#04x}")
    if errors & CONTRADICTION:
        raise BadFrame(f"it takes its settings for wrong: {errors:#04x}")
    adc_p, adc_t = int.from_bytes(p, "little"), int.from_bytes(t, "little")
    if 0x800000 in (adc_p, adc_t):
        raise BadValue(f"not measured: pressure {adc_p:#x}, temperature {adc_t:#x}")
    celsius = warmth(adc_t, trim[:3])
    return {
        TEMPERATURE: TEMPERATURE.check(celsius),
        PRESSURE: PRESSURE.check(pascal(adc_p, celsius, trim[3:]) / 100),
    }


def warmth(adc: int, t: tuple[float, ...]) -> float:
    """Temperature in °C (8.5)."""
    a = adc - t[0]
    return a * t[1] + a * a * t[2]


def pascal(adc: int, t: float, p: tuple[float, ...]) -> float:
    """Pressure in Pa at *t* °C (8.6); *p* is P1 to P11."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11 = p
    offset = p5 + p6 * t + p7 * t**2 + p8 * t**3
    slope = p1 + p2 * t + p3 * t**2 + p4 * t**3
    return offset + adc * slope + adc**2 * (p9 + p10 * t) + adc**3 * p11


class Emulator(Ages):
    """A sensor in a room."""

    def __init__(self, chip: str) -> None:
        self.registers = bytearray(256)
        self.registers[ID] = CHIPS[chip]
        trim = COEFFICIENTS.pack(27_660, 18_984, -10, 500, -2600, 35, 0, 25_000, 31_000, -7, -8, 9000, 26, -60)
        self.registers[TRIM : TRIM + len(trim)] = trim
        self.pointer = 0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        if len(write) == 2 and self.pointer != COMMAND:
            self.registers[self.pointer] = write[1]
            if write == bytes((POWER, ONCE)):
                p, t = round(sway(self.age, 7_000_000, 9000, 3600.0)), round(sway(self.age, 8_300_000, 60_000))
                data = DATA.pack(0, READY, p.to_bytes(3, "little"), t.to_bytes(3, "little"))
                self.registers[ERRORS : ERRORS + len(data)] = data
        return bytes(self.registers[self.pointer : self.pointer + read])


def row(chip: str) -> Driver[Settings]:
    return Driver(
        name=chip.lower(),
        title=f"Bosch {chip} temperature and pressure",
        link=I2C(addresses=(0x76, 0x77)),
        quantities=(TEMPERATURE, PRESSURE),
        period=10.0,
        settings=Settings,
        device=partial(BMP3xx, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = tuple(map(row, CHIPS))
