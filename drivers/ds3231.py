"""Maxim DS3231, DS1307 and DS1338 clocks with a battery, on I2C; the DS3231 has a thermometer, too.

Datasheet: Maxim "DS3231" (19-5170), figure 1; "DS1307" (100101), table 2; "DS1338" (19-5163), table 4.  A byte chooses
the register, and goes on by itself.  Numbers are decimal, a digit in four bits:

    00  seconds, bit 7 CH in DS1307 and DS1338: 1 halts the clock      04  day of the month
    01  minutes                                                        05  month, bit 7 of the DS3231: century
    02  hours 0 to 23, or with bit 6 set 1 to 12, bit 5 p.m.           06  year
    03  day of the week, 1 to 7
    07  control of DS1307: x 0 0 x 0 0 x x, and of DS1338: x 0 OSF x 0 0 x x
    0E  control of DS3231, bit 7 EOSC: 1 stops it on battery           0F  status: OSF 0 0 0 x x x x
    11 12   its temperature: two's complement, 1/4 °C in the highest ten bits

Example: 19 40 is 25.25 °C; 56 34 12 06 20 11 26 is Friday, 2026-11-20, 12:34:56.

OSF, or CH, says that the clock stood still since it was set: the battery was empty, or it is new.  Then `stopped` is
on, and there is no time.  The time is UTC, as Linux leaves it, of 2000 to 2099; a century bit is no reading, as nobody
agrees on which century it means.  With `time_from` in [gateway] the clock is asked where no network tells the time.  It
is set, after `settable = true`, by `set NAME.time 2026-11-20T12:34:56Z`; a time that may be set is not believed.

Wiring: address 0x68 always; DS3231 boards often have an EEPROM at 0x57.  While the kernel's own driver has the clock
(dtoverlay i2c-rtc) it cannot be opened, and need not be: the system's clock comes from there.  There is no checksum and
no identity; bits that are always 0 and numbers that no calendar has are a bad frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Talk, Transfer, Value
from drivers.codec.bits import signed, unpack
from drivers.emulation import Ages, sway
from drivers.quantities import stopped, temperature, time

TEMPERATURE, STOPPED, TIME = temperature(-40, 85, digits=2), stopped(), time()
SET_TIME = Quantity(TIME.name, kind="text", writable=True)

SECONDS, CONTROL, STATUS, CELSIUS = 0x00, 0x0E, 0x0F, 0x11
HALT, EOSC, OSF, CENTURY, TWELVE, AFTERNOON = 0x80, 0x80, 0x80, 0x80, 0x40, 0x20
BYTE = struct.Struct("B")
FIELDS = b"\x7f\x7f\x7f\x07\x3f\x9f\xff"  # bits that may be set in registers 0 to 6


@dataclass(frozen=True, slots=True)
class Settings:
    """Whether the clock may be set."""

    settable: bool = False


@dataclass(frozen=True, slots=True)
class Chip:
    """One of the three: how many registers are read; the flags of having stopped, and bits that are always 0, each
    with its register."""

    title: str
    size: int
    flags: tuple[tuple[int, int], ...]
    zeros: tuple[tuple[int, int], ...]


CHIPS = {
    "ds3231": Chip("Maxim DS3231", 0x13, ((STATUS, OSF),), ((STATUS, 0x70), (CELSIUS + 1, 0x3F), (0, 0x80))),
    "ds1307": Chip("Maxim DS1307", 0x08, ((SECONDS, HALT),), ((0x07, 0x6C), (0x05, 0x80))),
    "ds1338": Chip("Maxim DS1338", 0x08, ((SECONDS, HALT), (0x07, 0x20)), ((0x07, 0x4C), (0x05, 0x80))),
}


def chosen(thermometer: bool, settings: Settings) -> tuple[Quantity, ...]:
    return (SET_TIME if settings.settable else TIME, STOPPED, *((TEMPERATURE,) if thermometer else ()))


class Clock:
    """One clock, which is only read."""

    time = TIME

    def __init__(self, chip: Chip) -> None:
        self.chip, self.thermometer = chip, chip.size > CELSIUS

    def measure(self) -> Talk[Sample]:
        registers = yield Transfer(bytes((SECONDS,)), self.chip.size)
        if len(registers) != self.chip.size:
            raise BadFrame(f"{len(registers)} bytes in place of {self.chip.size}")
        if any(registers[at] & bits for at, bits in self.chip.zeros):
            raise BadFrame(f"no {self.chip.title} has {registers.hex(' ')}")
        sample: dict[Quantity, Value] = {}
        if self.thermometer:
            celsius = signed(int.from_bytes(registers[CELSIUS:], "big") >> 6, 10) / 4
            sample[TEMPERATURE] = TEMPERATURE.check(celsius)
        sample[STOPPED] = any(registers[at] & flag for at, flag in self.chip.flags)
        if not sample[STOPPED]:
            sample[self.time] = moment(registers[:7]).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return sample


class Settable(Clock):
    """One that may be set."""

    time = SET_TIME

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        if quantity is not SET_TIME:
            raise BadValue(f"{quantity.name} cannot be set")
        registers = packed(str(value))
        yield from self.measure()  # is it one?
        if self.thermometer:
            yield from clear(CONTROL, EOSC)
        yield Transfer(bytes((SECONDS,)) + registers)  # and it runs, CH being 0
        for at, flag in self.chip.flags:
            if at != SECONDS:
                yield from clear(at, flag)
        return (yield from self.measure())


def clear(register: int, bit: int) -> Talk[None]:
    (now,) = unpack(BYTE, (yield Transfer(bytes((register,)), 1)))
    yield Transfer(bytes((register, now & ~bit)))


def moment(registers: bytes) -> datetime:
    """The time in registers 0 to 6."""
    if any(byte & ~bits & 0xFF for byte, bits in zip(registers[1:], FIELDS[1:], strict=True)):
        raise BadFrame(f"no time has {registers.hex(' ')}")
    if registers[5] & CENTURY:
        raise BadValue("the century bit is set: 19xx or 21xx, depending on whom one asks")
    hours, twelve = registers[2], registers[2] & TWELVE
    digits = bytes((registers[0] & ~HALT, registers[1], hours & 0x1F if twelve else hours, *registers[3:])).hex()
    try:
        second, minute, hour, weekday, day, month, year = (int(digits[at : at + 2]) for at in range(0, 14, 2))
        if not weekday or (twelve and not 1 <= hour <= 12):
            raise ValueError("the day of the week, or the hour of twelve")
        hour = hour % 12 + (12 if hours & AFTERNOON else 0) if twelve else hour
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise BadFrame(f"no time: {registers.hex(' ')} ({error})") from None


def packed(text: str) -> bytes:
    """Registers 0 to 6 of a time as ISO 8601 has it; without a zone it is UTC."""
    try:
        told = datetime.fromisoformat(text)
        when = (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadValue(f"{text!r} is no time such as 2026-11-20T12:34:56Z") from error
    if not 2000 <= when.year <= 2099:
        raise BadValue(f"the year {when.year} is not in 2000..2099")
    return bytes.fromhex(when.strftime("%S%M%H0%u%d%m%y"))


class Emulator(Ages):
    """A clock that goes on from noon of a day."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.pointer = chip, 0
        self.set = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.registers = bytearray(64)

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[0] if write else self.pointer
        self.registers[self.pointer : self.pointer + len(write) - 1] = write[1:]
        if write[:1] == bytes((SECONDS,)) and len(write) == 8:
            digits = write[1:].hex()
            self.set = datetime.strptime(digits[:6] + digits[8:], "%S%M%H%d%m%y").replace(tzinfo=UTC)
            self.age = 0.0
        now = (self.set + timedelta(seconds=self.age)).strftime("%S%M%H0%u%d%m%y")
        self.registers[:7] = bytes((self.registers[0] & HALT | int(now[:2], 16), *bytes.fromhex(now[2:])))
        if self.chip.size > CELSIUS:
            quarters = round(sway(self.age, 22, 2) * 4)
            self.registers[CELSIUS : CELSIUS + 2] = (quarters << 6).to_bytes(2, "big")
        return bytes(self.registers[self.pointer : self.pointer + read])


def row(name: str, chip: Chip) -> Driver[Settings]:
    thermometer = chip.size > CELSIUS
    return Driver(
        name=name,
        title=f"{chip.title} clock{' and thermometer' if thermometer else ''}",
        link=I2C(addresses=(0x68,)),
        quantities=chosen(thermometer, Settings()),
        period=10.0,
        settings=Settings,
        device=lambda settings: Settable(chip) if settings.settable else Clock(chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
        chosen=partial(chosen, thermometer),
    )


DRIVER = tuple(row(name, chip) for name, chip in CHIPS.items())
