"""Maxim DS18B20 temperature sensor, and its kin DS1822 and DS28EA00, on 1-Wire through the kernel's w1_therm.

Datasheet: Maxim "DS18B20 Programmable Resolution 1-Wire Digital Thermometer" (19-7487), table 1 and figure 9; the
kernel's Documentation/w1/slaves/w1_therm.rst.  The file w1_slave has the sensor's memory of nine bytes twice:

    72 01 4b 46 7f ff 0e 10 57 : crc=57 YES     as it was read now, and whether its checksum fits
    72 01 4b 46 7f ff 0e 10 57 t=23125          as it was read last with one that fits, and its temperature

    LL HH  temperature, low byte first, two's complement, 1/16 °C       TH TL  alarms, not used
    CF     configuration: 0 R R 1 1 1 1 1                               FF xx 10  reserved       CC  CRC-8

Example: 72 01 is 370 / 16 = 23.125 °C, as the kernel says, too.  Where the first line says NO, the second is the
measurement before: it is no reading.  A sensor that has just been switched on has 50 05 (85 °C) and the reserved byte
0c; after a true conversion to 85 °C that byte is 10.  Nine zeros have a right checksum, and are a line held down.

A conversion takes 750 ms, and the file's reader waits for it.  ``trigger`` written to the bus's therm_bulk_read (kernel
5.10; root's, unless udev gives it to the group) has all sensors convert at once; those who want it within one
conversion share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Read, Sample, Sysfs, Talk, Write
from drivers.codec.crc import crc8_maxim
from drivers.emulation import sway
from drivers.quantities import temperature

TEMPERATURE = temperature(-55, 125, digits=2)

MEMORY = r"((?:[0-9a-f]{2} ){9})"
SHOWN = re.compile(rf"{MEMORY}: crc=([0-9a-f]{{2}}) (YES|NO)\n{MEMORY}t=(-?\d+)\n")
BULK, TRIGGER = "../therm_bulk_read", "trigger\n"
JUST_ON = b"\x50\x05"


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolution stands in the sensor's own memory; it comes with the finest."""


class DS18B20:
    """One sensor."""

    def __init__(self, settings: Settings) -> None:
        self.bulk = True  # may we, and does the kernel know it?

    def measure(self) -> Talk[Sample]:
        if self.bulk:
            try:
                yield Write(BULK, TRIGGER)
            except DeviceError:
                self.bulk = False  # the file is read all the same, and says what is wrong, if anything is
        return {TEMPERATURE: decode((yield Read("w1_slave")))}


def decode(answer: bytes) -> float:
    """Degrees Celsius."""
    if not answer:
        raise BadFrame("the kernel got nothing from the sensor")
    if (shown := SHOWN.fullmatch(answer.decode("ascii", "replace"))) is None:
        raise BadFrame(f"not what w1_therm shows: {answer[:80]!r}")
    memory, last = bytes.fromhex(shown[1]), bytes.fromhex(shown[4])
    if shown[3] == "NO" or crc8_maxim(memory[:8]) != memory[8] or int(shown[2], 16) != memory[8]:
        raise BadFrame(f"checksum wrong: {shown[1].strip()}")
    sixteenths = int.from_bytes(memory[:2], "little", signed=True)
    if memory != last or abs(int(shown[5]) - sixteenths * 62.5) >= 1:
        raise BadFrame(f"another measurement in the second line: {shown[4].strip()}, t={shown[5]}")
    if memory[4] & 0x9F != 0x1F:
        raise BadFrame(f"no DS18B20, or a line held down: {shown[1].strip()}")
    if memory[:2] == JUST_ON and memory[6] == 0x0C:
        raise BadValue("85 °C without a conversion: the sensor was just switched on, or its supply is weak")
    undefined = 3 - (memory[4] >> 5 & 3)  # low bits, of a lower resolution
    return TEMPERATURE.check((sixteenths >> undefined << undefined) / 16)


class Emulator:
    """A sensor in a room, as the kernel shows it."""

    def __init__(self) -> None:
        self.celsius, self.age = 21.5, 0.0
        self.files = {BULK: "0\n", "w1_slave": ""}
        self.tick(0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.celsius = sway(self.age, 21.5, 2.0)
        self.files["w1_slave"] = shown(memory(self.celsius))
        self.files[BULK] = "0\n"
        return b""


def memory(celsius: float) -> bytes:
    steps = int(celsius * 16) & 0xFFFF
    bare = bytes((steps & 0xFF, steps >> 8, 0x4B, 0x46, 0x7F, 0xFF, 16 - steps % 16, 0x10))
    return bare + bytes((crc8_maxim(bare),))


def shown(memory: bytes) -> str:
    """The text of w1_slave."""
    plain = memory.hex(" ")
    millidegrees = int.from_bytes(memory[:2], "little", signed=True) * 125 // 2
    return f"{plain} : crc={memory[8]:02x} YES\n{plain} t={millidegrees}\n"


DRIVER = Driver(
    name="ds18b20",
    title="Maxim DS18B20 temperature",
    link=Sysfs("bus/w1/devices/{}", "id", r"(28|22|42)-[0-9a-f]{1,12}", "28-0316a2795bff"),
    quantities=(TEMPERATURE,),
    period=10.0,
    settings=Settings,
    device=DS18B20,
    emulator=Emulator,
    documentation=__doc__,
)
