"""Silicon Labs Si7021, TE HTU21D and Sensirion SHT20, SHT21 and SHT25 humidity and temperature sensors, on I2C.

Datasheet: Silicon Labs "Si7021-A20", rev. 1.3; TE Connectivity "HTU21D(F) Sensor Digital Relative
Humidity sensor with Temperature output", HPC199; Sensirion "SHT21", version 4, sections 5 and 6.  Commands are bytes:

    F5                     measure humidity, without holding the clock
    HH HH CC               its answer; a read before that is NACKed
    F3                     measure temperature; TT TT CC answers
    FC C9                  second half of the serial number: the first byte tells the chip
    ID xx CC xx xx CC      15 Si7021, 14 Si7020, 0D Si7013, 32 HTU21D

CC is the CRC-8 of the bytes before (polynomial 0x31, start 0); the lowest two bits of a figure are no part of it.

    humidity = 125 H / 65536 - 6 %      temperature = 175.72 T / 65536 - 46.85 °C

Example (HTU21D): 68 3A 7C is 24.7 °C, 4E 85 6B is 32.3 %.

The supply is 1.9 to 3.6 V (HTU21D from 1.5 V), the address always 40.  Many boards sold with an HTU21D carry an Si7021:
the wrong one is refused by its name.  Sensirion's tell no name: any of these is taken for one.  In dew or in very dry
air the formula goes a little beyond 0..100 %: that is within the tolerance, and is shown as it is, not cut off.  The
heater is left as it is, off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.crc import crc8
from drivers.emulation import Room
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(-6, 119, digits=1)

MEASURE_HUMIDITY, MEASURE_TEMPERATURE, WHO = b"\xf5", b"\xf3", b"\xfc\xc9"
SI7021, HTU21D, UNNAMED = 0x15, 0x32, -1
CHIPS = {0x0D: "Si7013", 0x14: "Si7020", SI7021: "Si7021", HTU21D: "HTU21D"}
LONGEST = {SI7021: (0.023, 0.011), HTU21D: (0.016, 0.05), UNNAMED: (0.029, 0.085)}  # seconds: humidity, temperature


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to choose: the sensor wakes with its finest resolution."""


class SHT2x:
    """One sensor.  It keeps nothing between two measurements."""

    def __init__(self, chip: int, settings: Settings) -> None:
        self.chip = chip
        self.humid, self.warm = LONGEST[chip]

    def ask(self, command: bytes, seconds: float) -> Talk[int]:
        yield Transfer(command)
        yield Sleep(seconds)
        return figure((yield Transfer(read=3)))

    def measure(self) -> Talk[Sample]:
        rh = yield from self.ask(MEASURE_HUMIDITY, self.humid)
        t = yield from self.ask(MEASURE_TEMPERATURE, self.warm)
        return {
            TEMPERATURE: TEMPERATURE.check(175.72 * t / 65536 - 46.85),
            HUMIDITY: HUMIDITY.check(125 * rh / 65536 - 6),
        }


class Si70xx(SHT2x):
    """One that tells what it is."""

    def start(self) -> Talk[str]:
        found = identity((yield Transfer(WHO, 6)))
        if found != self.chip and found in CHIPS:
            raise WrongDevice(f"it says that it is an {CHIPS[found]}, not an {CHIPS[self.chip]}")
        return ""  # the other half, which would make it unique, is sealed differently by each maker


def figure(answer: bytes) -> int:
    """The figure in one answer, its checksum verified."""
    if len(answer) != 3 or crc8(answer[:2], init=0) != answer[2]:
        raise BadFrame(f"{len(answer)} bytes, or checksum wrong: {answer.hex(' ')}")
    if not any(answer):  # whose checksum is right
        raise BadFrame("the line is held: all bits are 0")
    return int.from_bytes(answer[:2], "big") & ~3


def identity(answer: bytes) -> int:
    """Which chip it is.  Makers disagree whether the second checksum goes over all four bytes or the last two."""
    if len(answer) != 6 or crc8(answer[:2], init=0) != answer[2]:
        raise BadFrame(f"{len(answer)} bytes, or checksum wrong: {answer.hex(' ')}")
    if answer[5] not in (crc8(answer[3:5], init=0), crc8(answer[:2] + answer[3:5], init=0)):
        raise BadFrame(f"second checksum wrong: {answer.hex(' ')}")
    if answer[:2] == b"\x00\x00":
        raise BadFrame("the line is held: all bits are 0")
    return answer[0]


class Emulator(Room):
    """A sensor in a room."""

    def __init__(self, chip: int) -> None:
        self.chip = chip
        self.answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == WHO:
            self.answer = sealed((self.chip & 0xFF) << 8 | 0xFF) + sealed(0xB5FF)
        elif write == MEASURE_HUMIDITY:
            self.answer = sealed(round((self.percent + 6) / 125 * 65536) & ~3 | 2)
        elif write == MEASURE_TEMPERATURE:
            self.answer = sealed(round((self.celsius + 46.85) / 175.72 * 65536) & ~3)
        return self.answer[:read]


def sealed(word: int) -> bytes:
    data = word.to_bytes(2, "big")
    return data + bytes((crc8(data, init=0),))


def row(maker: str, name: str, chip: int) -> Driver[Settings]:
    return Driver(
        name=name.lower(),
        title=f"{maker} {name} humidity and temperature",
        link=I2C(addresses=(0x40,)),
        quantities=(TEMPERATURE, HUMIDITY),
        period=10.0,
        settings=Settings,
        device=partial(SHT2x if chip == UNNAMED else Si70xx, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = (
    row("Silicon Labs", "Si7021", SI7021),
    row("TE", "HTU21D", HTU21D),
    *(row("Sensirion", name, UNNAMED) for name in ("SHT20", "SHT21", "SHT25")),
)
