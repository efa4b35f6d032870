"""Maxim MAX6675 converter for thermocouples of type K, on SPI.

Datasheet: Maxim "MAX6675 Cold-Junction-Compensated K-Thermocouple-to-Digital Converter" (19-2235), figure 2 and
"Serial Interface".  The chip only sends, two bytes, most significant bit first:

    0TTTTTTT TTTTTO0?     T  the thermocouple, 12 bits, 0.25 °C: 0 to 1023.75     O  it is open

There is no checksum, and the two zeros are all that can be checked: an open line reads as ones.  All zeros are 0 °C,
and far more likely no chip: they are no reading.  It takes 0.22 s to convert, and begins anew with each time it is
asked.  The supply is 3 to 5.5 V; T- must be grounded for it to notice an open thermocouple.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import SPI, BadFrame, BadValue, Driver, NoAnswer, Sample, Talk, Transfer
from drivers.emulation import Ages, sway
from drivers.quantities import temperature

TEMPERATURE = temperature(0, 1024, digits=2)
ZEROS, OPEN = 0x8002, 0x0004


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose."""


class MAX6675:
    """One converter.  It keeps nothing between two measurements."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        return decode((yield Transfer(read=2)))


def decode(answer: bytes) -> Sample:
    """Turn the two bytes into a sample."""
    if len(answer) != 2:
        raise BadFrame(f"{len(answer)} bytes instead of 2")
    word = int.from_bytes(answer)
    if word in (0, 0xFFFF):
        raise NoAnswer(f"no chip drives the line: {answer.hex(' ')}")
    if word & ZEROS:
        raise BadFrame(f"no MAX6675: {answer.hex(' ')}")
    if word & OPEN:
        raise BadValue("the thermocouple is open")
    return {TEMPERATURE: TEMPERATURE.check((word >> 3) / 4)}


class Emulator(Ages):
    """An oven."""

    def transfer(self, write: bytes, read: int) -> bytes:
        return (round(sway(self.age, 200, 40) * 4) << 3).to_bytes(2).ljust(read, b"\x00")[:read]


DRIVER = Driver(
    name="max6675",
    title="Maxim MAX6675 thermocouple",
    link=SPI(mode=1, speed=4_300_000),
    quantities=(TEMPERATURE,),
    period=10.0,
    settings=Settings,
    device=MAX6675,
    emulator=Emulator,
    documentation=__doc__,
)
