"""Sensirion SCD40 and SCD41 carbon dioxide, temperature and humidity sensors, on I2C.

Datasheet: Sensirion "SCD40, SCD41", version 1.4.  Commands are 16 bits.  Each 16-bit word, sent or
answered, is followed by its CRC-8 (polynomial 0x31, start 0xFF; "Checksum Calculation"):

    3F 86                 stop; 500 ms later it takes commands ("Basic Commands")
    36 82                 read serial number, 1 ms; three words answer
    24 27 AA AA CC        altitude in metres       24 16 00 0S CC   self-calibration on or off
    21 B1                 begin to measure, every 5 s
    E4 B8                 is it ready, 1 ms?  One word, whose lower 11 bits are 0 when it is not
    EC 05                 read, 1 ms; this answers, and is not ready again until the next:
    PP PP CC TT TT CC HH HH CC

    CO2 = P ppm      temperature = -45 + 175 T / 65535 °C      humidity = 100 H / 65535 %

Example ("read_measurement"): 01 F4 33 66 67 A2 5E B9 3C is 500 ppm, 25.0 °C and 37 %.

The supply, 2.4 to 5.5 V, must bear peaks of 205 mA; the address is always 62.  Thin air holds less of everything: above
some hundred metres set ``altitude``.  Self-calibration takes the lowest figure of a week for fresh air at 400 ppm, so
switch it off where no such air ever comes.  An SCD40 is specified to 2000 ppm, an SCD41 to 5000; both show up to 40000.
No air is without carbon dioxide, so 0 ppm is refused.  ``temperature`` is the sensor's own, 4 °C taken off for the heat
of its board.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import I2C, BadFrame, Driver, Sample, Sleep, Talk, Transfer
from drivers.codec.sensirion import asked, seal, serial_number
from drivers.emulation import sway
from drivers.quantities import co2, humidity, temperature

CO2 = co2(low=1, high=40_000)
TEMPERATURE = temperature(-40, 85, digits=2)
HUMIDITY = humidity(0, 100, digits=1)

STOP, SERIAL, ALTITUDE, CALIBRATION = b"\x3f\x86", b"\x36\x82", b"\x24\x27", b"\x24\x16"
BEGIN, READY, READ = b"\x21\xb1", b"\xe4\xb8", b"\xec\x05"
STOPPING, SHORT = 0.5, 0.001  # seconds
LOOKS, PAUSE = 7, 1.0  # so often it is asked whether it is ready, and seconds between: longer than one measurement


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose; what is left out stays as it is in the sensor.  The altitude is in metres."""

    altitude: int | None = None
    self_calibration: bool | None = None

    def __post_init__(self) -> None:
        if self.altitude is not None and not 0 <= self.altitude <= 3000:
            raise ValueError(f"altitude {self.altitude} m not in 0..3000")


class SCD4x:
    """One sensor, measuring by itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runs = False

    def start(self) -> Talk[str]:
        self.runs = False
        yield Transfer(STOP)
        yield Sleep(STOPPING)
        number = yield from serial_number(SERIAL, 3)
        for command, value in ((ALTITUDE, self.settings.altitude), (CALIBRATION, self.settings.self_calibration)):
            if value is not None:
                yield Transfer(command + seal(int(value)))
                yield Sleep(SHORT)
        yield Transfer(BEGIN)
        self.runs = True
        return number

    def measure(self) -> Talk[Sample]:
        if not self.runs:
            yield from self.start()
        for _ in range(LOOKS):
            if (yield from asked(READY, SHORT, 1))[0] & 0x7FF:
                break
            yield Sleep(PAUSE)
        else:
            self.runs = False  # the next measurement starts it again
            raise BadFrame(f"nothing was measured in {LOOKS * PAUSE:g} s: perhaps it lost power")
        return decode((yield from asked(READ, SHORT, 3)))


def decode(data: list[int]) -> Sample:
    """Turn three words into a sample."""
    ppm, t, rh = data
    return {
        CO2: CO2.check(ppm),
        TEMPERATURE: TEMPERATURE.check(-45 + 175 * t / 65535),
        HUMIDITY: HUMIDITY.check(100 * rh / 65535),
    }


class Emulator:
    """A sensor in a room with people.  It has something to say as soon as it measures."""

    def __init__(self) -> None:
        self.age, self.measures, self.answer = 0.0, False, b""
        self.ppm, self.celsius, self.percent = 640.0, 22.5, 41.0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write in (BEGIN, STOP):
            self.measures = write == BEGIN
        elif write == SERIAL:
            self.answer = seal(0xF896, 0x9F07, 0x3BBE)
        elif write == READY:
            self.answer = seal(0x8006 if self.measures else 0x8000)
        elif write == READ:
            t, rh = (self.celsius + 45) / 175 * 65535, self.percent / 100 * 65535
            self.answer = seal(round(self.ppm), round(t), round(rh)) if self.measures else b""
        return self.answer[:read]

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.ppm = sway(self.age, 640, 160, period=1800.0)
        self.celsius, self.percent = sway(self.age, 22.5, 1.5), sway(self.age, 41.0, 6.0, period=900.0)
        return b""


def row(name: str) -> Driver[Settings]:
    return Driver(
        name=name,
        title=f"Sensirion {name.upper()} carbon dioxide, temperature and humidity",
        link=I2C(addresses=(0x62,)),
        quantities=(CO2, TEMPERATURE, HUMIDITY),
        period=10.0,
        settings=Settings,
        device=SCD4x,
        emulator=Emulator,
        documentation=__doc__,
    )


DRIVER = (row("scd41"), row("scd40"))
