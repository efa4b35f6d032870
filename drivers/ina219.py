"""TI INA219 and INA226 power monitors: voltage, current through a shunt and power of direct current, on I2C.

Datasheet: TI "INA219 Zero-Drift, Bidirectional Current/Power Monitor" (SBOS448G), 8.6; "INA226" (SBOS547A), 7.6.
A pointer byte chooses a register of 16 bits, high byte first:

                        INA219                                       INA226
    00  configuration   r 0 b p p B B B B S S S S m m m              r 1 0 0 a a a B B B S S S m m m
    01  shunt voltage   10 µV, two's complement, +-320 mV            2.5 µV, +-81.92 mV
    02  bus voltage     bits 15..3: 4 mV; bit 1: converted           1.25 mV
    06                                                               bit 3: converted
    FE, FF                                                           maker 5449 "TI", die 2260

    r reset   b p ranges (32 V, 320 mV)   B S resolution and averaging, or times, of bus and shunt   a averaging
    m mode: 011 measures both once        after a reset it reads 399F in an INA219, 4127 in an INA226

    current = shunt voltage / shunt      power = bus voltage * current

Example (both datasheets, 20 mV and 11.98 V at 0.002 ohm): 07D0, 5D98 or 1F40, 2570 are 10 A and 119.8 W.

Wiring: the shunt lies in the line of the load, its ends at IN+ and IN-; current from IN+ to IN- is positive.  VBUS, in
an INA219 IN-, is what the voltage is measured at: at most 26 V (INA219) or 36 V (INA226) against ground.  A0 and A1
give the address, 0x40 (both at ground) to 0x4F.  A shunt that drops more than its range is no reading: the chip would
say the end of the range.  Registers for current and power are not used, as they are rounded twice.  There is no
checksum, and an INA219 has no identity but what it reads after a reset.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import current, power, voltage

CURRENT, POWER = current(-1000, 1000, digits=4), power(-40_000, 40_000, digits=3)

CONFIGURATION, SHUNT, BUS, MASK, MAKER, DIE = 0x00, 0x01, 0x02, 0x06, 0xFE, 0xFF
RESET = 0x8000
UNSIGNED, SIGNED = struct.Struct(">H"), struct.Struct(">h")
LATE = 1.1  # clocks may be so much slower than is typical


@dataclass(frozen=True, slots=True)
class Settings:
    """*shunt* is its resistance in ohms, 0.1 (R100) on most boards; so many *samples* are averaged."""

    shunt: float = 0.1
    samples: Literal[1, 4, 16, 64] = 16

    def __post_init__(self) -> None:
        if not isfinite(self.shunt) or not 0.0004 <= self.shunt <= 100:
            raise ValueError(f"`shunt` {self.shunt:g} ohm is not in 0.0004..100")


@dataclass(frozen=True, slots=True)
class Chip:
    """One of the two: what its registers count, in volts; where it says that it has converted; its configuration for
    each number of samples; how long one sample of both takes, in seconds."""

    title: str
    asleep: int  # its configuration after a reset
    shunt: float
    clipped: range  # shunt readings that are not at the end of the range
    bus: float
    shift: int
    voltage: Quantity
    ready: tuple[int, int]  # register and bit
    once: Mapping[int, int]
    conversion: float


CHIPS = {
    "ina219": Chip(
        *("TI INA219", 0x399F, 10e-6, range(-31_999, 32_000), 4e-3, 3, voltage(0, 26, digits=3), (BUS, 0x0002)),
        {samples: 0x3803 | code << 7 | code << 3 for samples, code in ((1, 8), (4, 10), (16, 12), (64, 14))},
        2 * 532e-6,  # table 5
    ),
    "ina226": Chip(
        *("TI INA226", 0x4127, 2.5e-6, range(-32_767, 32_767), 1.25e-3, 0, voltage(0, 36, digits=3), (MASK, 0x0008)),
        {samples: 0x4123 | code << 9 for code, samples in enumerate((1, 4, 16, 64))},
        2 * 1.1e-3,  # 7.6.1
    ),
}


class Monitor:
    """One monitor.  It is set with each measurement, so it may lose its power in between."""

    def __init__(self, chip: Chip, settings: Settings) -> None:
        self.chip, self.shunt = chip, settings.shunt
        self.once = put(chip.once[settings.samples])
        self.duration = settings.samples * chip.conversion * LATE

    def start(self) -> Talk[str]:
        yield put(RESET)
        found = yield from word(CONFIGURATION)
        other = next((chip.title for chip in CHIPS.values() if chip.asleep == found and chip is not self.chip), "")
        if other:
            raise WrongDevice(f"this is an {other}, no {self.chip.title}")
        if found != self.chip.asleep:  # no WrongDevice, which would be final: it may be a disturbance as well
            raise BadFrame(f"{found:04x} after a reset, not {self.chip.asleep:04x}: perhaps no such chip")
        if self.chip is CHIPS["ina226"]:
            maker, die = (yield from word(MAKER)), (yield from word(DIE))
            if (maker, die >> 4) != (0x5449, 0x226):
                error = BadFrame if {maker, die} <= {0x0000, 0xFFFF} else WrongDevice
                raise error(f"maker {maker:04x} and die {die:04x}, where an INA226 has 5449 and 2260")
        return ""

    def measure(self) -> Talk[Sample]:
        yield self.once
        yield Sleep(self.duration)
        register, bit = self.chip.ready
        if not (yield from word(register)) & bit:
            raise BadFrame(f"no measurement after {self.duration:g} s")
        bus = yield from word(BUS)
        shunt = yield from word(SHUNT, SIGNED)
        return decode(self.chip, shunt, bus, self.shunt)


def put(configuration: int) -> Transfer:
    return Transfer(bytes((CONFIGURATION,)) + UNSIGNED.pack(configuration))


def word(register: int, layout: struct.Struct = UNSIGNED) -> Talk[int]:
    value: int = unpack(layout, (yield Transfer(bytes((register,)), 2)))[0]
    return value


def decode(chip: Chip, shunt: int, bus: int, ohms: float) -> Sample:
    """Volts, amperes and watts of two registers."""
    if shunt not in chip.clipped:
        raise BadValue(f"{shunt * chip.shunt * 1000:g} mV at the shunt, the end of the range: is it too large?")
    volts, amperes = chip.voltage.check((bus >> chip.shift) * chip.bus), shunt * chip.shunt / ohms
    return {chip.voltage: volts, CURRENT: CURRENT.check(amperes), POWER: POWER.check(volts * amperes)}


class Emulator(Ages):
    """A battery at a load that comes and goes."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.pointer = chip, 0
        self.registers: dict[int, int] = {}
        self.set(CONFIGURATION, RESET)

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
        if len(write) == 3:
            self.set(self.pointer, int.from_bytes(write[1:], "big"))
        return self.registers.get(self.pointer, 0).to_bytes(2, "big")[:read]

    def set(self, register: int, value: int) -> None:
        if value & RESET:
            self.registers = {CONFIGURATION: self.chip.asleep, MAKER: 0x5449, DIE: 0x2260}
        elif register == CONFIGURATION:
            self.registers[CONFIGURATION] = value
            self.registers[BUS] = round(sway(self.age, 12.4, 0.3, 3600) / self.chip.bus) << self.chip.shift
            self.registers[SHUNT] = round(sway(self.age, 0.04, 0.03) / self.chip.shunt)
            ready, bit = self.chip.ready
            self.registers[ready] = self.registers.get(ready, 0) | bit


def row(name: str, chip: Chip) -> Driver[Settings]:
    return Driver(
        name=name,
        title=f"{chip.title} voltage, current and power",
        link=I2C(addresses=tuple(range(0x40, 0x50))),
        quantities=(chip.voltage, CURRENT, POWER),
        period=10.0,
        settings=Settings,
        device=partial(Monitor, chip),
        emulator=partial(Emulator, chip),
        documentation=__doc__,
    )


DRIVER = tuple(row(name, chip) for name, chip in CHIPS.items())
