"""Maxim MAX31865 converter for resistance thermometers: Pt100 and Pt1000, on SPI.

Datasheet: Maxim "MAX31865 RTD-to-Digital Converter" (19-6478), tables 1 to 7 and 9; IEC 60751 on what platinum does.
A byte chooses the register, with bit 7 to write it, and goes on by itself:

    00    configuration: bias, convert by itself, once, three wires, fault detection (two bits), clear faults, 50 Hz
    01    RRRRRRRR RRRRRRRF     resistance in 32768ths of the reference, and a fault
    07    fault status: above or below the thresholds, REFIN- high, REFIN- low, RTDIN- low, voltage

    to it      80 83                  bias on, faults cleared, the other filter
    to it      00 00                  from it   ?? 81: so it is (and all the other registers)
    to it      80 A0                  once; 52 ms at 60 Hz, 62.5 ms at 50 Hz (and 1 as the last bit)
    to it      01 00 00               from it   ?? 40 00: half the reference

Example (Pt100, reference 400 ohms): 2000 is 100 ohms and 0 °C; 2C53 is 138.51 ohms and 100 °C.

The bias is on during a measurement only, so that the sensor does not heat itself; its filter wants ten time constants,
10 ms.  There is no checksum: the configuration is read back, and what is not as it was written is no chip, or one that
lost its power.  It still holds the resistance of the time before, and nothing in it says so; so the two steps differ in
the filter's bit, and a step that got lost is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

from drivers.api import SPI, BadFrame, BadValue, Driver, NoAnswer, Quantity, Sample, Sleep, Talk, Transfer
from drivers.emulation import Ages, sway
from drivers.quantities import temperature

TEMPERATURE: Quantity = temperature(-200, 850, digits=2)

WRITE = 0x80
BIAS, ONCE, THREE, CLEAR, FIFTY = 0x80, 0x20, 0x10, 0x02, 0x01
FAULTS = {
    0x80: "more than the upper threshold: open?",
    0x40: "less than the lower threshold: a short?",
    0x20: "REFIN- is too high",
    0x10: "REFIN- is too low, FORCE- open",
    0x08: "RTDIN- is too low, FORCE- open",
    0x04: "a voltage too high or too low",
}
A, B, C = 3.9083e-3, -5.775e-7, -4.183e-12  # IEC 60751, 5.1
SETTLE, CONVERT = 0.0105, 0.066  # seconds; the longest conversion at 50 Hz


@dataclass(frozen=True, slots=True)
class Settings:
    """*nominal* is the sensor's resistance at 0 °C, *reference* that of the resistor on the board, in ohms: on most 430
    for a Pt100 and 4300 for a Pt1000; *mains* is the frequency whose hum is filtered out."""

    nominal: float = 100.0
    reference: float = 430.0
    wires: Literal[2, 3, 4] = 4
    mains: Literal[50, 60] = 50

    def __post_init__(self) -> None:
        if not all(isfinite(ohms) and 10 <= ohms <= 50_000 for ohms in (self.nominal, self.reference)):
            raise ValueError("`nominal` and `reference` are ohms, 10 to 50000")


class MAX31865:
    """One converter, told everything again for each measurement."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base = (THREE if settings.wires == 3 else 0) | (FIFTY if settings.mains == 50 else 0)

    def measure(self) -> Talk[Sample]:
        first = BIAS | self.base ^ FIFTY
        yield Transfer(bytes((WRITE, first | CLEAR)))
        yield Sleep(SETTLE)
        check((yield Transfer(b"\x00", 9)), first)
        yield Transfer(bytes((WRITE, BIAS | ONCE | self.base)))
        yield Sleep(CONVERT)
        answer = yield Transfer(b"\x00", 9)
        yield Transfer(bytes((WRITE, self.base)))
        ratio = decode(answer, BIAS | self.base)
        return {TEMPERATURE: TEMPERATURE.check(celsius(ratio * self.settings.reference / self.settings.nominal))}


def decode(answer: bytes, wanted: int) -> float:
    """What part of the reference it measured, from the eight registers; *wanted* is what the first must hold."""
    check(answer, wanted)
    code, faults = int.from_bytes(answer[2:4]), [words for bit, words in FAULTS.items() if answer[8] & bit]
    if code & 1 or faults:
        raise BadValue(", ".join(faults) or "a fault, of which it says no more")
    return (code >> 1) / 32768


def check(answer: bytes, wanted: int) -> None:
    """Whether a chip is there, and is configured as it was told."""
    if len(answer) != 9:
        raise BadFrame(f"{len(answer)} bytes instead of 9")
    if len(set(answer[1:])) == 1:
        raise NoAnswer(f"no chip drives the line: {answer.hex(' ')}")
    if answer[1] != wanted:
        raise BadFrame(f"configuration {answer[1]:#04x} in place of {wanted:#04x}: no MAX31865, or it lost power")


def celsius(ratio: float) -> float:
    """Temperature of a platinum sensor that has *ratio* times its resistance at 0 °C: above that the equation of the
    norm, solved; below it by Newton's steps, as there is no formula."""
    inside = A * A - 4 * B * (1 - ratio)
    if inside < 0:
        raise BadValue(f"{ratio:.3f} times its resistance at 0 °C is no platinum")
    found = (sqrt(inside) - A) / (2 * B)
    for _ in range(5 if ratio < 1 else 0):
        cold = C * (found - 100) * found**3
        slope = A + 2 * B * found + C * (4 * found**3 - 300 * found**2)
        found -= (1 + A * found + B * found * found + cold - ratio) / slope
    return found


class Emulator(Ages):
    """A Pt100 in a boiler, on a board with 430 ohms."""

    def __init__(self) -> None:
        self.registers = bytearray(8)
        self.registers[3:5] = b"\xff\xff"  # upper threshold

    def transfer(self, write: bytes, read: int) -> bytes:
        if write[0] == WRITE:
            self.registers[0] = write[1] & ~(ONCE | CLEAR)
            if write[1] & ONCE:
                code = round(sway(self.age, 9700, 700))  # about 70 °C
                self.registers[1:3] = (code << 1).to_bytes(2)
            return bytes(read)
        return (b"\x00" + bytes(self.registers[write[0] :])).ljust(read, b"\x00")[:read]


DRIVER = Driver(
    name="max31865",
    title="Maxim MAX31865 resistance thermometer (Pt100, Pt1000)",
    link=SPI(mode=1, speed=5_000_000),
    quantities=(TEMPERATURE,),
    period=10.0,
    settings=Settings,
    device=MAX31865,
    emulator=Emulator,
    documentation=__doc__,
)
