"""Maxim MAX31855 thermocouple converter, on SPI.

Datasheet: Maxim "MAX31855 Cold-Junction Compensated Thermocouple-to-Digital Converter" (19-5793), tables 2, 4 and 5.
The chip only sends, four bytes, most significant bit first:

    TTTTTTTT TTTTTT0F IIIIIIII IIII0VGO

    T  thermocouple, 14 bits, two's complement, 0.25 °C     I  the chip itself, 12 bits, two's complement, 0.0625 °C
    F  one of the faults: V shorted to the supply, G to ground, O open

Examples of the tables: T 01 1001 0000 0000 (64 00) is 1600 °C, 11 1100 0001 1000 (F0 60) is -250 °C; I 0111 1111 0000
(7F 0) is 127 °C, 1100 1001 0000 (C9 0) is -55 °C.

There is no checksum.  The two zeros are all that can be checked: an open line reads as ones.  All zeros would be 0 °C
at both ends, and far more likely are no chip: they are no reading.  The chip converts by itself, ten times a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import SPI, BadFrame, BadValue, Driver, NoAnswer, Sample, Talk, Transfer
from drivers.emulation import Ages, sway
from drivers.quantities import instance, temperature

TEMPERATURE = temperature(-270, 1800, digits=2)
INTERNAL = instance(temperature(-55, 127, digits=2), "internal")

ZEROS, FAULT = 0x00020008, 0x00010000
FAULTS = {1: "the thermocouple is open", 2: "the thermocouple touches ground", 4: "the thermocouple touches the supply"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The type of thermocouple is in the chip's name: MAX31855K, J, N, S, T, E or R."""


class MAX31855:
    """One converter.  It keeps nothing between two measurements."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        return decode((yield Transfer(read=4)))


def decode(answer: bytes) -> Sample:
    """Turn the four bytes into a sample."""
    if len(answer) != 4:
        raise BadFrame(f"{len(answer)} bytes instead of 4")
    word = int.from_bytes(answer)
    if word in (0, 0xFFFFFFFF):
        raise NoAnswer(f"no chip drives the line: {answer.hex(' ')}")
    faults = [words for bit, words in FAULTS.items() if word & bit]
    if word & ZEROS or bool(word & FAULT) != bool(faults):
        raise BadFrame(f"no MAX31855: {answer.hex(' ')}")
    if faults:
        raise BadValue(" and ".join(faults))
    hot, cold = signed(word >> 18, 14) / 4, signed(word >> 4 & 0xFFF, 12) / 16
    return {TEMPERATURE: TEMPERATURE.check(hot), INTERNAL: INTERNAL.check(cold)}


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


class Emulator(Ages):
    """A kiln that is being fired, the chip beside it."""

    def transfer(self, write: bytes, read: int) -> bytes:
        hot = int(sway(self.age, 800, 200) * 4) & 0x3FFF
        cold = int(sway(self.age, 30, 3) * 16) & 0xFFF
        return (hot << 18 | cold << 4).to_bytes(4, "big").ljust(read, b"\x00")[:read]


DRIVER = Driver(
    name="max31855",
    title="Maxim MAX31855 thermocouple",
    link=SPI(mode=0, speed=4_000_000),
    quantities=(TEMPERATURE, INTERNAL),
    period=10.0,
    settings=Settings,
    device=MAX31855,
    emulator=Emulator,
    documentation=__doc__,
)
