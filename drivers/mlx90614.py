"""Melexis MLX90614 infrared thermometer, on I2C (SMBus).

Datasheet: Melexis "MLX90614 family", 3901090614, rev. 13 (SMBus in 8.4, figures in 8.7).
A command byte chooses a word; it answers low byte first, and the packet error code:

    LL HH PP     P: CRC-8 (polynomial 7, start 0) of  address * 2, command, address * 2 + 1, LL, HH

    06           ambient temperature, its own      07   that of the object it looks at
    2E           its address, in the lower byte    3C..3F   serial number

    temperature = 0.02 W - 273.15 °C      bit 15 of W: an error

Example: at address 5A, command 07 is answered by D2 3A 30, which is 28.01 °C.

The supply is 3.3 or 5 V, by the letter in the name.  It comes with address 5A; another one is written into its memory
once, and must be one of 5A to 5D here.  The object is taken for black (emissivity 1) unless another is written there:
of bright metal the figure is that of what it mirrors.  The bus must not be faster than 100 kHz, and the first
measurement comes 0.25 s after power (0.65 s in some).
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Talk, Transfer
from drivers.codec.crc import crc8
from drivers.emulation import sway
from drivers.quantities import instance, temperature

OBJECT = instance(temperature(-70, 380, digits=2), "object")
AMBIENT = instance(temperature(-40, 125, digits=2), "ambient")

SHOW_AMBIENT, SHOW_OBJECT, SHOW_ADDRESS, SHOW_SERIAL = 0x06, 0x07, 0x2E, (0x3C, 0x3D, 0x3E, 0x3F)
ERROR = 0x8000


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class MLX90614:
    """One sensor.  Its address, which is part of each checksum, is learnt from itself."""

    def __init__(self, settings: Settings) -> None:
        self.address: int | None = None

    def start(self) -> Talk[str]:
        answer = yield Transfer(bytes((SHOW_ADDRESS,)), 3)
        address = answer[0] & 0x7F if answer else 0
        opened(answer, address, SHOW_ADDRESS)
        self.address = address
        serial = ""
        for command in SHOW_SERIAL:
            serial += f"{(yield from self.word(command)):04x}"
        return serial

    def word(self, command: int) -> Talk[int]:
        assert self.address is not None
        return opened((yield Transfer(bytes((command,)), 3)), self.address, command)

    def measure(self) -> Talk[Sample]:
        if self.address is None:
            yield from self.start()
        ambient = celsius((yield from self.word(SHOW_AMBIENT)))
        it = celsius((yield from self.word(SHOW_OBJECT)))
        return {OBJECT: OBJECT.check(it), AMBIENT: AMBIENT.check(ambient)}


def opened(answer: bytes, address: int, command: int) -> int:
    """The word in one answer, its packet error code verified."""
    if len(answer) != 3 or code(address, command, answer[:2]) != answer[2]:
        raise BadFrame(f"{len(answer)} bytes, or checksum wrong: {answer.hex(' ')}")
    return int.from_bytes(answer[:2], "little")


def code(address: int, command: int, data: bytes) -> int:
    """The packet error code of *data*."""
    return crc8(bytes((address << 1, command, address << 1 | 1)) + data, poly=0x07, init=0)


def celsius(word: int) -> float:
    """Temperature (8.7)."""
    if word & ERROR:
        raise BadValue(f"the sensor says that {word:#06x} is wrong")
    return 0.02 * word - 273.15


class Emulator:
    """A sensor above a cooking pot."""

    def __init__(self) -> None:
        self.age = 0.0
        self.words = dict.fromkeys(SHOW_SERIAL, 0xC0DE) | {SHOW_ADDRESS: 0xBE5A}
        self.words |= {SHOW_AMBIENT: 14900, SHOW_OBJECT: 16500}

    def transfer(self, write: bytes, read: int) -> bytes:
        data = self.words[write[0]].to_bytes(2, "little")
        return (data + bytes((code(0x5A, write[0], data),)))[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.words[SHOW_AMBIENT] = round(sway(self.age, 14900, 100))
        self.words[SHOW_OBJECT] = round(sway(self.age, 16500, 1200, period=900.0))
        return b""


DRIVER = Driver(
    name="mlx90614",
    title="Melexis MLX90614 infrared thermometer",
    link=I2C(addresses=(0x5A, 0x5B, 0x5C, 0x5D)),
    quantities=(OBJECT, AMBIENT),
    period=10.0,
    settings=Settings,
    device=MLX90614,
    emulator=Emulator,
    documentation=__doc__,
)
