"""Sensirion SHTC3 humidity and temperature sensor, on I2C.

Datasheet: Sensirion "Datasheet SHTC3", version 4.  Commands are 16 bits.  Each 16-bit word
of an answer is followed by its CRC-8 (polynomial 0x31, start 0xFF; section 5.10):

    35 17                 wake up, 240 µs; asleep it answers to nothing else (section 5.1)
    EF C8                 read identity; one word answers: xxxx 1xxx  xx00 0111 (section 5.9)
    78 66                 measure, temperature first, no clock stretching (section 5.2)
    TT TT CC HH HH CC     its answer, at most 12.1 ms later; a read before that is NACKed
    B0 98                 sleep

    temperature = -45 + 175 T / 65536 °C      humidity = 100 H / 65536 %      (section 5.11)

The supply is 1.62 to 3.6 V, the address always 70, which is that of most I2C multiplexers, too.  An SHTC1, which has
another identity, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import I2C, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.sensirion import asked, seal, words
from drivers.emulation import Room
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

WAKE, SLEEP, IDENTITY, MEASURE = b"\x35\x17", b"\xb0\x98", b"\xef\xc8", b"\x78\x66"
MASK, SHTC3_IDENTITY = 0x083F, 0x0807
WAKING, DURATION = 0.001, 0.0121  # seconds, table 5


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class SHTC3:
    """One sensor, asleep between measurements."""

    def __init__(self, settings: Settings) -> None:
        pass

    def start(self) -> Talk[str]:
        yield Transfer(WAKE)
        yield Sleep(WAKING)
        yield Transfer(IDENTITY)
        (found,) = words((yield Transfer(read=3)), 1)  # at once
        if found & MASK != SHTC3_IDENTITY:
            raise WrongDevice(f"identity {found:#06x} is no SHTC3's")
        yield Transfer(SLEEP)
        return ""  # it has no serial number

    def measure(self) -> Talk[Sample]:
        yield Transfer(WAKE)
        yield Sleep(WAKING)
        t, rh = yield from asked(MEASURE, DURATION, 2)
        yield Transfer(SLEEP)
        return {
            TEMPERATURE: TEMPERATURE.check(-45 + 175 * t / 65536),
            HUMIDITY: HUMIDITY.check(100 * rh / 65536),
        }


class Emulator(Room):
    """A sensor in a room.  Asleep it answers to nothing but a call."""

    def __init__(self) -> None:
        self.awake, self.answer = True, b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write in (WAKE, SLEEP):
            self.awake, self.answer = write == WAKE, b""
        elif self.awake and write == IDENTITY:
            self.answer = seal(0x0887)
        elif self.awake and write == MEASURE:
            self.answer = seal(round((self.celsius + 45) / 175 * 65536), round(self.percent / 100 * 65536))
        return self.answer[:read]


DRIVER = Driver(
    name="shtc3",
    title="Sensirion SHTC3 humidity and temperature",
    link=I2C(addresses=(0x70,)),
    quantities=(TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=SHTC3,
    emulator=Emulator,
    documentation=__doc__,
)
