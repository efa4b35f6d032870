"""Microchip MCP3008 converter: eight voltages, ten bits each, on SPI.

Datasheet: Microchip "MCP3004/3008" (DS21295), figure 6-1 and table 5-2.  Three bytes both ways, most significant bit
first, while the chip is selected; S is 1 for one input against ground, CCC the input, B the result, ? undefined:

    to it      00000001  SCCC....  ........
    from it    ????????  ?????0BB  BBBBBBBB

volts = B * reference / 1024.  Example: ?? 02 00 is 512, half of the reference.

There is no checksum.  The 0 in front of the result is all that shows that there is a chip: an open line mostly reads
as ones.  The chip bears 1.35 MHz at 2.7 V and 3.6 MHz at 5 V.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from drivers.api import SPI, BadFrame, Driver, NoAnswer, Quantity, Sample, Talk, Transfer
from drivers.emulation import Ages, sway
from drivers.quantities import instance, voltage

INPUTS = range(8)
VOLTAGES = tuple(instance(voltage(0, 5.5, digits=3), str(at)) for at in INPUTS)

START = b"\x01"
SINGLE = 0x80


@dataclass(frozen=True, slots=True)
class Settings:
    """*reference* is the voltage at V_REF, in volts; *inputs* are those that are read, CH0 to CH7."""

    reference: float = 3.3
    inputs: tuple[int, ...] = tuple(INPUTS)

    def __post_init__(self) -> None:
        if not isfinite(self.reference) or not 0.25 <= self.reference <= 5.5:
            raise ValueError(f"`reference` {self.reference:g} V is not in 0.25..5.5")
        if not self.inputs or not set(self.inputs) <= set(INPUTS) or len(set(self.inputs)) < len(self.inputs):
            raise ValueError("`inputs` must be numbers from 0 to 7, each once, for example [0, 3]")


def chosen(settings: Settings) -> tuple[Quantity, ...]:
    return tuple(VOLTAGES[at] for at in settings.inputs)


class MCP3008:
    """One converter.  Inputs are read one after the other."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def measure(self) -> Talk[Sample]:
        sample = {}
        for at in self.settings.inputs:
            steps = decode((yield Transfer(START + bytes((SINGLE | at << 4, 0)), 3)))
            sample[VOLTAGES[at]] = VOLTAGES[at].check(steps * self.settings.reference / 1024)
        return sample


def decode(answer: bytes) -> int:
    """The ten bits of the result."""
    if len(answer) != 3:
        raise BadFrame(f"{len(answer)} bytes instead of 3")
    if answer[1] & 0x04:
        raise NoAnswer(f"no chip drives the line: {answer.hex(' ')}")
    return (answer[1] & 0x03) << 8 | answer[2]


class Emulator(Ages):
    """Eight potentiometers, each turned a little further than the one before."""

    def transfer(self, write: bytes, read: int) -> bytes:
        if len(write) < 2 or write[0] & 1 == 0 or not write[1] & SINGLE:
            return b"\xff" * read
        at = write[1] >> 4 & 7
        share = sway(self.age, (at + 1) / 9, 0.05)
        return (0xFFF800 | int(share * 1023)).to_bytes(3, "big")[:read]


DRIVER = Driver(
    name="mcp3008",
    title="Microchip MCP3008, eight voltages",
    link=SPI(mode=0, speed=1_000_000),
    quantities=VOLTAGES,
    period=10.0,
    settings=Settings,
    device=MCP3008,
    emulator=Emulator,
    documentation=__doc__,
    chosen=chosen,
)
