"""TE (MEAS) MS5611 barometer, also MS5607, on I2C.

Datasheet: TE Connectivity "MS5611-01BA03 Barometric Pressure Sensor", figures 2 and 3 (formulas) and "Commands"; its
application note AN520 on the checksum; "MS5607-02BA03" for the other's formula.  Commands are bytes:

    1E                     reset; 2.8 ms
    A0, A2 .. AE           one of eight words of 16 bits, high byte first: maker's, C1 to C6, serial and CRC of 4 bits
    48  58                 convert pressure (D1), temperature (D2), 9.04 ms for the finest
    00                     read: three bytes

    dT = D2 - C5 * 2^8     temperature = 2000 + dT * C6 / 2^23   in hundredths of a degree
    OFF = C2 * 2^16 + C4 * dT / 2^7     SENS = C1 * 2^15 + C3 * dT / 2^8     (MS5607: 17, 6, 16, 7)
    pressure = (D1 * SENS / 2^21 - OFF) / 2^15   in hundredths of a hectopascal; below 20 °C all are corrected

Example (figure 2): C 40127 36924 23317 23282 33464 28312, D1 9085466, D2 8569150 are 20.07 °C, 1000.09 hPa.

What it measures has no checksum: that of the calibration is all there is.  The supply is 1.8 to 3.6 V, PS high for
I2C; the address is 77, with CSB high 76.  Which of the two it is the chip does not tell, and what the other's formula
makes of it may be plausible, too: look at its lid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from struct import Struct

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import pressure, temperature

TEMPERATURE = temperature(-40, 85, digits=2)
PRESSURE = pressure(10, 1200, digits=2)

RESET, PROM, READ = b"\x1e", range(0xA0, 0xB0, 2), b"\x00"
CONVERT_PRESSURE, CONVERT_TEMPERATURE, LONGEST = b"\x48", b"\x58", 0.00904
WORD = Struct(">H")
SHIFTS = {"MS5611": (16, 7, 15, 8), "MS5607": (17, 6, 16, 7)}


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: it measures as finely as it can."""


class MS5611:
    """One sensor.  Its calibration is read when it starts."""

    def __init__(self, chip: str, settings: Settings) -> None:
        self.shifts = SHIFTS[chip]
        self.trim: tuple[int, ...] = ()

    def start(self) -> Talk[str]:
        yield Transfer(RESET)
        yield Sleep(0.003)
        words: list[int] = []
        for register in PROM:
            words += unpack(WORD, (yield Transfer(bytes((register,)), WORD.size)))
        self.trim = calibration(words)
        return ""

    def convert(self, command: bytes) -> Talk[int]:
        yield Transfer(command)
        yield Sleep(LONGEST)
        answer = yield Transfer(READ, 3)
        raw = int.from_bytes(answer)
        if len(answer) != 3 or raw in (0, 0xFFFFFF):  # 0: it was still busy, or was asked for nothing
            self.trim = ()  # or it lost its power: the next measurement starts it again
            raise BadFrame(f"nothing was measured: {answer.hex(' ')}")
        return raw

    def measure(self) -> Talk[Sample]:
        if not self.trim:
            yield from self.start()
        d2 = yield from self.convert(CONVERT_TEMPERATURE)
        d1 = yield from self.convert(CONVERT_PRESSURE)
        if d1 == d2:
            raise BadFrame(f"pressure and temperature are the same number, {d1:06x}: it was measured once only")
        celsius, hectopascal = compensated(d1, d2, self.trim, self.shifts)
        return {TEMPERATURE: TEMPERATURE.check(celsius), PRESSURE: PRESSURE.check(hectopascal)}


def calibration(words: list[int]) -> tuple[int, ...]:
    """C1 to C6, if the CRC holds."""
    if len(set(words)) == 1 or crc4(words) != words[7] & 15:
        raise BadFrame(f"calibration, or its checksum, is wrong: {' '.join(f'{word:04x}' for word in words)}")
    return tuple(words[1:7])


def crc4(words: list[int]) -> int:
    """Of all words without the CRC itself: polynomial 3, start 0 (AN520)."""
    rest = 0
    for byte in b"".join(word.to_bytes(2) for word in (*words[:7], words[7] & 0xFF00)):
        rest ^= byte
        for _ in range(8):
            rest = (rest << 1 ^ 0x3000 if rest & 0x8000 else rest << 1) & 0xFFFF
    return rest >> 12


def compensated(d1: int, d2: int, trim: tuple[int, ...], shifts: tuple[int, ...]) -> tuple[float, float]:
    """Temperature in °C and pressure in hPa (figures 2 and 3)."""
    c1, c2, c3, c4, c5, c6 = trim
    a, b, c, d = shifts
    dt = d2 - c5 * 256
    warm = 2000 + dt * c6 / (1 << 23)
    off, sens = c2 * (1 << a) + c4 * dt / (1 << b), c1 * (1 << c) + c3 * dt / (1 << d)
    if warm < 2000:
        square, wide = (warm - 2000) ** 2, a == 17
        off2, sens2 = square * (61 / 16 if wide else 5 / 2), square * (2 if wide else 5 / 4)
        if warm < -1500:
            icy = (warm + 1500) ** 2
            off2, sens2 = off2 + icy * (15 if wide else 7), sens2 + icy * (8 if wide else 11 / 2)
        warm, off, sens = warm - dt * dt / (1 << 31), off - off2, sens - sens2
    return warm / 100, (d1 * sens / (1 << 21) - off) / (1 << 15) / 100


class Emulator(Ages):
    """A sensor in a room."""

    def __init__(self, chip: str) -> None:
        words = [0x0123, 40127, 36924, 23317, 23282, 33464, 28312, 0x4500]
        if chip == "MS5607":  # figure 2 of its own datasheet
            words[1:7] = [46372, 43981, 29059, 27842, 31553, 28165]
        words[7] |= crc4(words)
        self.memory = dict(zip(PROM, words, strict=True))
        self.bases = (9_085_466, 8_569_150) if chip == "MS5611" else (6_465_444, 8_077_636)
        self.raw, self.answer = 0, b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write in (CONVERT_PRESSURE, CONVERT_TEMPERATURE):
            at = write == CONVERT_TEMPERATURE
            self.raw = round(sway(self.age, self.bases[at], 9000 if at else 6000))
        elif write == READ:
            self.answer, self.raw = self.raw.to_bytes(3), 0
        elif write and write[0] in self.memory:
            self.answer = WORD.pack(self.memory[write[0]])
        return self.answer[:read]


def row(chip: str) -> Driver[Settings]:
    return Driver(
        name=chip.lower(),
        title=f"TE {chip} temperature and pressure",
        link=I2C(addresses=(0x77, 0x76)),
        quantities=(TEMPERATURE, PRESSURE),
        period=10.0,
        settings=Settings,
        device=partial(MS5611, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = tuple(map(row, SHIFTS))
