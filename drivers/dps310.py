"""Infineon DPS310 pressure and temperature sensor, on I2C.

Datasheet: Infineon "DPS310 Digital XENSIV barometric pressure sensor", rev. 1.2 (formulas in
section 4.9, registers in 7 and 8).  Registers are bytes:

    0D                  product and revision: 10
    0C <- 89            reset
    28                  bit 7: which temperature sensor the calibration is for
    10..21              calibration, high bits first: c0 and c1 of 12 bits, c00 and c10 of 20, c01 c11 c20 c21 c30 of 16
    06 07               oversampling n of pressure and of temperature: 2^n times
    08                  bit 7: calibration is there, 6: started, 5: temperature is there, 4: pressure is there;
                        2 measures temperature once, 1 pressure
    09                  bit 2: pressure is shifted, as it must be above 8 times
    00 01 02  03 04 05  pressure and temperature as measured, 24 bits, two's complement

    t = T / 524288, p = P / scale (16 times: 253952)
    temperature = c0 / 2 + c1 t °C
    pressure = c00 + p (c10 + p (c20 + p c30)) + t c01 + t p (c11 + p c21) Pa

Some early chips wake with a wrong gain, in which they measure 60 °C in a room: bit 1 of register 32 is 0 in these.
Infineon's remedy (known from Linux's driver, too) is to write 0E A5, 0F 96, 62 02, 0E 00, 0F 00.

The supply is 1.7 to 3.6 V.  The address is 77, with SDO low 76.  There is no checksum; the settings are read back with
each measurement, so that a chip that lost power is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import signed, unpack
from drivers.emulation import sway
from drivers.quantities import pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
PRESSURE = pressure(300, 1200, digits=2)

PRESSURE_DATA, TEMPERATURE_DATA, OVERSAMPLING, MEASURE, RESET = 0x00, 0x03, 0x06, 0x08, 0x0C
ID, CALIBRATION, SOURCE = 0x0D, 0x10, 0x28
GAIN, GAIN_RIGHT, REMEDY = 0x32, 0x02, (b"\x0e\xa5", b"\x0f\x96", b"\x62\x02", b"\x0e\x00", b"\x0f\x00")
DPS310_ID, RESET_NOW, SHIFT = 0x10, 0x89, 0x04
BYTE, RAW, REGISTERS = Struct("B"), Struct(">3s"), Struct("BBBB")  # of the last, 06 to 09
COEFFICIENTS = Struct(">3s5shhhhh")
ONCE_TEMPERATURE, ONCE_PRESSURE = 0x02, 0x01
CALIBRATED, STARTED, TEMPERATURE_THERE, PRESSURE_THERE = 0x80, 0x40, 0x20, 0x10
TIMES = 4  # 2^4 = 16 times for pressure, once for temperature
SCALES = 524288, 253952  # table 9: once and 16 times
DURATIONS = 0.0045, 0.0305  # seconds; table 16 has 3.6 and 27.6 ms, and the clock may be 10 % wrong
STARTING = 0.045  # seconds, until started and calibrated (40 ms, section 4.2)
Coefficients = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: 16 measurements for one pressure are a good figure in 30 ms."""


class DPS310:
    """One sensor.  Its calibration is read when it starts, and again after it lost its settings."""

    def __init__(self, settings: Settings) -> None:
        self.source = 0
        self.coefficients: Coefficients | None = None

    def start(self) -> Talk[str]:
        self.coefficients = None
        (found,) = unpack(BYTE, (yield Transfer(bytes([ID]), 1)))
        if found in (0x00, 0xFF):
            raise BadFrame(f"product id {found:#04x}: the line is held, or disturbed")
        if found != DPS310_ID:
            raise WrongDevice(f"product id {found:#x}; a DPS310 has {DPS310_ID:#x}")
        yield Transfer(bytes([RESET, RESET_NOW]))
        yield Sleep(STARTING)
        (status,) = unpack(BYTE, (yield Transfer(bytes([MEASURE]), 1)))
        if status & (CALIBRATED | STARTED) != CALIBRATED | STARTED:
            raise BadFrame(f"not started {STARTING:g} s after a reset: status {status:#04x}")
        (gain,) = unpack(BYTE, (yield Transfer(bytes([GAIN]), 1)))
        for write in () if gain & GAIN_RIGHT else REMEDY:
            yield Transfer(write)
        (source,) = unpack(BYTE, (yield Transfer(bytes([SOURCE]), 1)))
        self.source = source & 0x80
        coefficients = calibration((yield Transfer(bytes([CALIBRATION]), COEFFICIENTS.size)))
        yield Transfer(bytes([OVERSAMPLING, TIMES]))
        yield Transfer(bytes([OVERSAMPLING + 1, self.source]))
        yield Transfer(bytes([MEASURE + 1, SHIFT]))
        self.coefficients = coefficients
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        if self.coefficients is None:
            yield from self.start()
        t = yield from self.once(ONCE_TEMPERATURE, DURATIONS[0], TEMPERATURE_THERE, TEMPERATURE_DATA)
        p = yield from self.once(ONCE_PRESSURE, DURATIONS[1], PRESSURE_THERE, PRESSURE_DATA)
        assert self.coefficients is not None
        return decode(p, t, self.coefficients)

    def once(self, command: int, seconds: float, there: int, register: int) -> Talk[int]:
        """Measure one of the two.  Its flag is looked at before the figure is read, which clears it (section 7)."""
        yield Transfer(bytes([MEASURE, command]))
        yield Sleep(seconds)
        found = yield Transfer(bytes([OVERSAMPLING]), REGISTERS.size)
        times, source, status, shift = unpack(REGISTERS, found)
        if (times, source, shift) != (TIMES, self.source, SHIFT):
            self.coefficients = None  # it lost power: the next measurement starts it again
            raise BadFrame(f"it forgot its settings: {found.hex(' ')}")
        if not status & there:
            raise BadFrame(f"still measuring after {seconds:g} s: status {status:#04x}")
        (raw,) = unpack(RAW, (yield Transfer(bytes([register]), RAW.size)))
        return int.from_bytes(raw, "big", signed=True)


def calibration(answer: bytes) -> Coefficients:
    """c0, c1, c00, c10, c01, c11, c20, c21, c30 (section 8.11)."""
    short, long, *words = unpack(COEFFICIENTS, answer)
    if len(set(answer)) == 1:
        raise BadFrame(f"no calibration: {answer.hex(' ')}")
    twelve, twenty = int.from_bytes(short, "big"), int.from_bytes(long, "big")
    return signed(twelve >> 12, 12), signed(twelve, 12), signed(twenty >> 20, 20), signed(twenty, 20), *words


def decode(p: int, t: int, coefficients: Coefficients) -> Sample:
    """Turn two raw numbers into a sample (sections 4.9.1 and 4.9.2)."""
    c0, c1, c00, c10, c01, c11, c20, c21, c30 = coefficients
    warm, press = t / SCALES[0], p / SCALES[1]
    pascal = c00 + press * (c10 + press * (c20 + press * c30)) + warm * (c01 + press * (c11 + press * c21))
    return {TEMPERATURE: TEMPERATURE.check(c0 / 2 + c1 * warm), PRESSURE: PRESSURE.check(pascal / 100)}


class Emulator:
    """A sensor in a room: registers, a calibration, and raw numbers that wander."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.registers[ID], self.registers[SOURCE] = DPS310_ID, 0x80
        self.registers[GAIN] = GAIN_RIGHT
        self.registers[MEASURE] = CALIBRATED | STARTED
        words = Struct(">5h").pack(-2780, 1210, -10600, 40, -1350)
        # c0 204, c1 -261, c00 80500, c10 -53600
        self.registers[CALIBRATION : CALIBRATION + 18] = bytes.fromhex("0ccefb 13a74f2ea0") + words
        self.age, self.pointer = 0.0, 0
        self.raw = -95000, 161000

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        if len(write) == 2:
            self.set(*write)
        answer = bytes(self.registers[self.pointer : self.pointer + read])
        if read:  # what is read is there no longer
            there = {PRESSURE_DATA: PRESSURE_THERE, TEMPERATURE_DATA: TEMPERATURE_THERE}.get(self.pointer, 0)
            self.registers[MEASURE] &= ~there
        return answer

    def set(self, register: int, value: int) -> None:
        if register != MEASURE:
            self.registers[register] = value
        if register == RESET:
            self.registers[0:10] = bytes(8) + bytes((CALIBRATED | STARTED, 0))
        elif register == MEASURE:
            pressed = value == ONCE_PRESSURE
            at = PRESSURE_DATA if pressed else TEMPERATURE_DATA
            self.registers[at : at + 3] = self.raw[not pressed].to_bytes(3, "big", signed=True)
            self.registers[MEASURE] |= PRESSURE_THERE if pressed else TEMPERATURE_THERE

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.raw = round(sway(self.age, -95000, 700, period=3600.0)), round(sway(self.age, 161000, 2500))
        return b""


DRIVER = Driver(
    name="dps310",
    title="Infineon DPS310 temperature and pressure",
    link=I2C(addresses=(0x77, 0x76)),
    quantities=(TEMPERATURE, PRESSURE),
    period=10.0,
    settings=Settings,
    device=DPS310,
    emulator=Emulator,
    documentation=__doc__,
)
