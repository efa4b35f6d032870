"""LM75 temperature sensor and its many descendants, on I2C.

Datasheet: National "LM75 Digital Temperature Sensor" (DS012658); NXP "LM75B", rev. 6.1;
TI "TMP102" (SBOS397), "TMP105" (SBOS648), "TMP75" (SBOS288).  A pointer byte chooses the register:

    00      temperature, two bytes, high one first, two's complement, left-justified:
            s t t t t t t t  t f f f 0 0 0 0     1/256 °C, whatever the resolution
            LM75 has 9 bits (0.5 °C, the rest undefined), LM75B 11, TMP102, TMP105 and TMP75 up to 12
    01      configuration: x R R F F P M S, one byte; in a TMP102 two
            R resolution (TMP105 and TMP75: 11 is 12 bits, they wake with 9)   S shut down

Example: 19 00 is 25 °C, E7 00 is -25 °C, FF C0 is -0.25 °C.

There is no checksum, and no register tells which chip it is: start() can only see that the
configuration reads back as written.  A chip that has just woken says 0 °C until its first
conversion is done, so start() waits for one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.emulation import sway
from drivers.quantities import temperature

CELSIUS = {9: temperature(-55, 125, digits=1), 11: temperature(-55, 125, digits=3), 12: temperature(-55, 125, digits=2)}

TEMPERATURE, CONFIGURATION = b"\x00", b"\x01"
WORD = struct.Struct(">h")


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: the finest resolution costs nothing but the first third of a second."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One descendant.  *held* has a bit for each bit of its configuration that keeps what is written;
    *conversion* is the longest, in seconds."""

    title: str
    addresses: tuple[int, ...]
    bits: int
    configuration: bytes
    held: bytes
    conversion: float


ALL = tuple(range(0x48, 0x50))
CHIPS = {
    "lm75": Chip("LM75", ALL, 9, b"\x00", b"\x1f", 0.3),
    "lm75b": Chip("NXP LM75B", ALL, 11, b"\x00", b"\x1f", 0.1),
    "tmp75": Chip("TI TMP75", ALL, 12, b"\x60", b"\x7f", 0.32),
    "tmp105": Chip("TI TMP105", ALL[:2], 12, b"\x60", b"\x7f", 0.32),
    "tmp102": Chip("TI TMP102", ALL[:4], 12, b"\x60\xa0", b"\x1f\xd0", 0.035),  # converts 4 times a second
}


class Thermometer:
    """One sensor, converting by itself all the time."""

    def __init__(self, chip: Chip, settings: Settings) -> None:
        self.chip = chip
        self.temperature = CELSIUS[chip.bits]

    def start(self) -> Talk[str]:
        wanted, held = self.chip.configuration, self.chip.held
        yield Transfer(CONFIGURATION + wanted)
        found = yield Transfer(CONFIGURATION, len(wanted))
        if len(found) != len(wanted) or any((a ^ b) & c for a, b, c in zip(found, wanted, held, strict=True)):
            # No WrongDevice, which would be final: without a checksum this may be a disturbance as well.
            raise BadFrame(f"configuration {wanted.hex(' ')} written, {found.hex(' ')} read: perhaps no such chip")
        yield Sleep(self.chip.conversion)
        return ""

    def measure(self) -> Talk[Sample]:
        return {self.temperature: self.temperature.check(decode((yield Transfer(TEMPERATURE, 2)), self.chip.bits))}


def decode(answer: bytes, bits: int) -> float:
    """Degrees Celsius.  What lies below the lowest of *bits* is undefined and left out."""
    word: int = unpack(WORD, answer)[0]
    return (word >> 16 - bits) / (1 << bits - 8)


class Emulator:
    """A chip on a board in a room.  One whose resolution can be set wakes with 9 bits."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.celsius = 21.5
        self.age = 0.0
        self.pointer = TEMPERATURE
        self.configuration = bytes(len(chip.configuration))

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[:1]
        if self.pointer == CONFIGURATION:
            self.configuration = write[1:] or self.configuration
            return self.configuration[:read]
        bits = self.chip.bits if self.chip.bits < 12 else 9 + (self.configuration[0] >> 5 & 3)
        step = 2 ** (16 - bits)
        return (int(self.celsius * 256 // step * step) & 0xFFFF).to_bytes(2, "big")[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.celsius = sway(self.age, 21.5, 2.0)
        return b""


def row(name: str, chip: Chip) -> Driver[Settings]:
    return Driver(
        name=name,
        title=f"{chip.title} temperature",
        link=I2C(addresses=chip.addresses),
        quantities=(CELSIUS[chip.bits],),
        period=10.0,
        settings=Settings,
        device=partial(Thermometer, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = tuple(row(name, chip) for name, chip in CHIPS.items())
