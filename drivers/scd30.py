"""Sensirion SCD30 carbon dioxide, temperature and humidity sensor, on I2C.

Datasheet: Sensirion "Interface Description SCD30", version 1.0 (section 1.4).  Commands are 16
bits.  Each 16-bit word, sent or answered, is followed by its CRC-8 (polynomial 0x31, start 0xFF):

    D1 00                 read firmware version; one word answers
    51 02 AA AA CC        altitude in metres       53 06 00 0S CC   self-calibration on or off
    46 00 00 02 E3        measure every 2 s; without a word it answers what is set
    00 10 00 00 81        begin to measure, without a figure for the pressure
    02 02                 is it ready?  One word, 1 when it is
    03 00                 read; three big-endian floats answer, each in two words:
    PP PP CC PP PP CC TT TT CC TT TT CC HH HH CC HH HH CC     CO2 in ppm, temperature in °C, humidity in %

Example (section 1.4.5): 43 DB CB 8C 2E 8F 41 D9 70 E7 FF F5 42 43 BF 3A 1B 74 is 439.09 ppm, 27.24 °C and 48.81 %.

The supply is 3.3 to 5.5 V, the lines 3.3 V.  SEL stays open or low for I2C; the address is always 61.  The sensor
stretches the clock, which a Raspberry Pi's own I2C controller up to the Pi 4 bears badly: use 10 kHz, or the i2c-gpio
overlay.  Thin air holds less of everything: above some hundred metres set ``altitude``.  Self-calibration wants an hour
of fresh air each day.  No air is without carbon dioxide, so 0 ppm is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.sensirion import asked, seal, words
from drivers.emulation import sway
from drivers.quantities import co2, humidity, temperature

CO2 = co2(low=1, high=40_000)
TEMPERATURE = temperature(-40, 125, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

FIRMWARE, ALTITUDE, CALIBRATION, INTERVAL = b"\xd1\x00", b"\x51\x02", b"\x53\x06", b"\x46\x00"
BEGIN, READY, READ = b"\x00\x10", b"\x02\x02", b"\x03\x00"
EVERY = 2  # seconds
SHORT = 0.004  # seconds between a command and its answer, section 1.1 says 3 ms at least
LOOKS, PAUSE = 6, 0.5  # so often it is asked whether it is ready, and seconds between
FLOATS = struct.Struct(">fff")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose; what is left out stays as it is in the sensor.  The altitude is in metres."""

    altitude: int | None = None
    self_calibration: bool | None = None

    def __post_init__(self) -> None:
        if self.altitude is not None and not 0 <= self.altitude <= 3000:
            raise ValueError(f"altitude {self.altitude} m not in 0..3000")


class SCD30:
    """One sensor, measuring by itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runs = False

    def start(self) -> Talk[str]:
        self.runs = False
        yield from asked(FIRMWARE, SHORT, 1)
        if (yield from asked(INTERVAL, SHORT, 1)) != [EVERY]:  # it remembers without power, and wears out by writing
            yield Transfer(INTERVAL + seal(EVERY))
            yield Sleep(SHORT)
            if (found := (yield from asked(INTERVAL, SHORT, 1))) != [EVERY]:
                raise BadFrame(f"told to measure every {EVERY} s, it says {found[0]}")
        for command, value in ((ALTITUDE, self.settings.altitude), (CALIBRATION, self.settings.self_calibration)):
            if value is not None and (yield from asked(command, SHORT, 1)) != [int(value)]:
                yield Transfer(command + seal(int(value)))
                yield Sleep(SHORT)
        yield Transfer(BEGIN + seal(0))
        self.runs = True
        return ""

    def measure(self) -> Talk[Sample]:
        if not self.runs:
            yield from self.start()
        for _ in range(LOOKS):
            if (yield from asked(READY, SHORT, 1)) == [1]:
                break
            yield Sleep(PAUSE)
        else:
            self.runs = False  # the next measurement starts it again
            raise BadFrame(f"nothing was measured in {LOOKS * PAUSE:g} s: perhaps it lost power")
        return decode((yield from asked(READ, SHORT, 6)))


def decode(data: list[int]) -> Sample:
    """Turn six words into a sample.  What is no number at all lies in no range."""
    ppm, celsius, percent = FLOATS.unpack(struct.pack(">6H", *data))
    return {CO2: CO2.check(ppm), TEMPERATURE: TEMPERATURE.check(celsius), HUMIDITY: HUMIDITY.check(percent)}


class Emulator:
    """A sensor in a room with people.  It has something to say as soon as it measures."""

    def __init__(self) -> None:
        self.age, self.measures, self.answer = 0.0, False, b""
        self.kept = {ALTITUDE: 0, CALIBRATION: 0, INTERVAL: EVERY, FIRMWARE: 0x0342}
        self.air = (640.0, 22.5, 41.0)

    def transfer(self, write: bytes, read: int) -> bytes:
        command, word = write[:2], write[2:]
        if command == BEGIN:
            self.measures = True
        elif command in self.kept:
            self.kept[command] = words(word, 1)[0] if word else self.kept[command]
            self.answer = seal(self.kept[command])
        elif command == READY:
            self.answer = seal(int(self.measures))
        elif command == READ:
            self.answer = seal(*struct.unpack(">6H", FLOATS.pack(*self.air)))
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        ppm, percent = sway(self.age, 640, 160, period=1800.0), sway(self.age, 41.0, 6.0, period=900.0)
        self.air = (ppm, sway(self.age, 22.5, 1.5), percent)
        return b""


DRIVER = Driver(
    name="scd30",
    title="Sensirion SCD30 carbon dioxide, temperature and humidity",
    link=I2C(addresses=(0x61,)),
    quantities=(CO2, TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=SCD30,
    emulator=Emulator,
    documentation=__doc__,
)
