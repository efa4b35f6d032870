"""Microchip (SMSC) EMC1413 and EMC1414: their own temperature and that of two or three diodes, on I2C.

Datasheet: Microchip "EMC1413/EMC1414" (DS20005274A), register map.  A register is one byte, each asked for by itself:

    FD  product: 21, 25      FE  maker: 5D      03  configuration, written at 09: bit 6 standby, bit 2 wide range
    00 29   own temperature      01 10   diode 1      23 24   diode 2      2A 2B   diode 3:
            whole degrees, and 1/8 °C in the highest three bits of the second, which holds still once the first was read
    1B  diodes that are open or shorted: bit 1 is diode 1

In the wide range, which the start sets, 64 is added.  Example: 59 A0 is 25.625 °C there, 19 A0 in the other one.  0
stands for all that is colder and for a diode that is missing, and 191.875 (127.875) for all that is hotter: the ends of
both ranges are no reading.

Wiring: the address is chosen by a resistor or by the part, 0x4C mostly.  A diode is a transistor, or a processor's own.
`diodes` says how many are wired, from the first on; one that is open or shorted is no reading.  EMC1403 and EMC1404
have the same numbers and registers.  There is no checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import instance, temperature

OWN = temperature(-64, 128, digits=3)
DIODE = temperature(-64, 192, digits=3)
DIODES = tuple(instance(DIODE, f"diode{number}") for number in (1, 2, 3))

CONFIGURATION, CONFIGURE, FAULTS, PRODUCT, MAKER = 0x03, 0x09, 0x1B, 0xFD, 0xFE
PLACES = (0x00, 0x29), (0x01, 0x10), (0x23, 0x24), (0x2A, 0x2B)
PRODUCTS = {0x21: "emc1413", 0x25: "emc1414"}
SMSC, STANDBY, WIDE = 0x5D, 0x40, 0x04
BYTE = struct.Struct("B")
FIRST = 0.6  # seconds until all have been converted in another range, at the usual 4 a second


@dataclass(frozen=True, slots=True)
class Settings:
    """How many *diodes* are wired, of those that the chip has."""

    diodes: Literal[0, 1, 2, 3] = 3


def chosen(most: int, settings: Settings) -> tuple[Quantity, ...]:
    return (OWN, *DIODES[: min(settings.diodes, most)])


class Thermometer:
    """One chip with room for *most* diodes."""

    def __init__(self, product: int, most: int, settings: Settings) -> None:
        self.product, self.quantities = product, chosen(most, settings)

    def start(self) -> Talk[str]:
        maker, product = (yield from byte(MAKER)), (yield from byte(PRODUCT))
        if (maker, product) != (SMSC, self.product):
            error = BadFrame if {maker, product} <= {0x00, 0xFF} else WrongDevice
            what = PRODUCTS.get(product, "unknown") if maker == SMSC else "unknown"
            raise error(f"maker {maker:02x}, product {product:02x}: {what}, no {PRODUCTS[self.product]}")
        found = yield from byte(CONFIGURATION)
        if found & STANDBY or not found & WIDE:
            yield Transfer(bytes((CONFIGURE, found & ~STANDBY | WIDE)))
            yield Sleep(FIRST)
        return ""

    def measure(self) -> Talk[Sample]:
        wide = (yield from byte(CONFIGURATION)) & WIDE
        faults, sample = (yield from byte(FAULTS)), {}
        for number, (quantity, (high, low)) in enumerate(zip(self.quantities, PLACES, strict=False)):
            eighths = (yield from byte(high)) << 3 | (yield from byte(low)) >> 5
            if number and faults >> number & 1:
                raise BadValue(f"diode {number} is open or shorted; `diodes` says how many there are")
            sample[quantity] = quantity.check(decode(eighths, bool(wide)))
        return sample


def byte(register: int) -> Talk[int]:
    value: int = unpack(BYTE, (yield Transfer(bytes((register,)), 1)))[0]
    return value


def decode(eighths: int, wide: bool) -> float:
    """Degrees Celsius."""
    if not 0 < eighths < (0x7FF if wide else 0x3FF):
        raise BadValue(f"{eighths / 8 - (64 if wide else 0):g} °C, an end of the range, or a diode that is not there")
    return eighths / 8 - (64 if wide else 0)


class Emulator(Ages):
    """A chip in a computer: itself, and what it watches."""

    def __init__(self, product: int) -> None:
        self.registers = bytearray(256)
        self.registers[PRODUCT], self.registers[MAKER] = product, SMSC
        self.pointer = 0

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[0] if write else self.pointer
        if write[:1] == bytes((CONFIGURE,)) and len(write) == 2:
            self.registers[CONFIGURATION] = write[1]
        offset = 64 if self.registers[CONFIGURATION] & WIDE else 0
        for at, (high, low) in enumerate(PLACES):
            eighths = round(8 * (sway(self.age, 35 + 6 * at, 3 + at) + offset))
            self.registers[high], self.registers[low] = eighths >> 3, (eighths & 7) << 5
        return bytes(self.registers[self.pointer : self.pointer + 1]) * read


def row(product: int, most: int) -> Driver[Settings]:
    name = PRODUCTS[product]
    return Driver(
        name=name,
        title=f"Microchip {name.upper()} temperatures, its own and of {most} diodes",
        link=I2C(addresses=(0x4C, 0x4D, 0x18, 0x29, 0x1C, 0x3C, 0x5C)),
        quantities=chosen(most, Settings()),
        period=10.0,
        settings=Settings,
        device=partial(Thermometer, product, most),
        emulator=partial(Emulator, product),
        documentation=__doc__,
        chosen=partial(chosen, most),
    )


DRIVER = (row(0x21, 2), row(0x25, 3))
