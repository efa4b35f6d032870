"""Aosong AM2320 humidity and temperature sensor, also AM2321 and AM2315, on I2C.

Datasheet: Aosong "Digital Temperature and Humidity Sensor AM2320", V1.6, section 8 (I2C).  It sleeps; the first time
that it is called it does not acknowledge, and is awake a millisecond later.  Then, as on Modbus:

    03 00 04                      read four registers from 00
    03 04 HH HH TT TT CL CH       1.5 ms later: humidity and temperature in tenths, high byte first, and the CRC-16 of
                                  Modbus, low byte first; bit 15 of the temperature is a minus

Example: 03 04 01 F4 00 FA 31 A5 is 50.0 % and 25.0 °C.

The supply is 3.1 to 5.5 V, the address always 5C.  It measures when it was read, so that each answer is that of the
time before: it must not be asked more often than every two seconds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from drivers.api import I2C, BadFrame, Driver, NoAnswer, Sample, Sleep, Talk, Transfer
from drivers.codec.crc import crc16_modbus
from drivers.emulation import Ages, sway
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 80, digits=1)
HUMIDITY = humidity()

WAKE, READ = b"\x00", b"\x03\x00\x04"
SIZE = 8
MINUS = 0x8000
AWAKE, READY, MEASURED = 0.001, 0.002, 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class AM2320:
    """One sensor, read twice: the first answer is as old as the last time that anybody asked."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        yield from self.ask()
        yield Sleep(MEASURED)
        return decode((yield from self.ask()))

    def ask(self) -> Talk[bytes]:
        with suppress(NoAnswer):  # it sleeps
            yield Transfer(WAKE)
        yield Sleep(AWAKE)
        yield Transfer(READ)
        yield Sleep(READY)
        return opened((yield Transfer(read=SIZE)))


def opened(answer: bytes) -> bytes:
    """The four bytes of one answer, its CRC verified."""
    if len(answer) != SIZE or crc16_modbus(answer[:-2]) != int.from_bytes(answer[-2:], "little"):
        raise BadFrame(f"{len(answer)} bytes, or CRC wrong: {answer.hex(' ')}")
    if answer[:2] != b"\x03\x04":
        raise BadFrame(f"no answer to what was asked: {answer.hex(' ')}")
    return answer[2:6]


def decode(data: bytes) -> Sample:
    percent, warm = int.from_bytes(data[:2]), int.from_bytes(data[2:])
    celsius = -(warm & ~MINUS) if warm & MINUS else warm
    return {TEMPERATURE: TEMPERATURE.check(celsius / 10), HUMIDITY: HUMIDITY.check(percent / 10)}


class Emulator(Ages):
    """A sensor in a cellar, always awake."""

    def __init__(self) -> None:
        self.answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == READ:
            percent, celsius = round(sway(self.age, 550, 60, 900)), round(sway(self.age, 120, 30))
            body = b"\x03\x04" + percent.to_bytes(2) + celsius.to_bytes(2)
            self.answer = body + crc16_modbus(body).to_bytes(2, "little")
        return self.answer[:read]


DRIVER = Driver(
    name="am2320",
    title="Aosong AM2320 humidity and temperature",
    link=I2C(addresses=(0x5C,)),
    quantities=(TEMPERATURE, HUMIDITY),
    period=10.0,
    settings=Settings,
    device=AM2320,
    emulator=Emulator,
    documentation=__doc__,
)
