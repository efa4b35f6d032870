"""Eastron SDM120-Modbus and SDM120CT-Modbus single-phase electricity meters, on a Modbus line.

Datasheet: Eastron "SDM120-Modbus Smart Meter Modbus Protocol Implementation V2.4", section 1.2.1, "Input registers".
As it comes from its maker it is unit 1 at 2400 baud, 8N1.  Each value is a float of 32 bits in two input registers
(function 4), high word first:

    01 04 0000 0002 71CB          unit, function, first register, how many, CRC
    01 04 04 43663334 1B38        unit, function, four bytes, 230.2 (volts), CRC

One request may be for up to 40 values.  The registers between ours belong to its three-phase brothers, and read as
zero.  The meter's own total counts import and export together.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack

from drivers.api import Driver, Modbus, Sample, Talk
from drivers.codec.modbus_slave import Slave
from drivers.codec.registers import Reads, decode
from drivers.emulation import sway
from drivers.quantities import (
    apparent_power,
    current,
    energy,
    frequency,
    instance,
    power,
    power_factor,
    reactive_power,
    voltage,
)

VOLTAGE = voltage(low=0, high=300, digits=1)
CURRENT = current(low=-150, high=150, digits=3)
POWER = power(low=-50_000, high=50_000, digits=1)
APPARENT = apparent_power(low=-50_000, high=50_000, digits=1)
REACTIVE = reactive_power(low=-50_000, high=50_000, digits=1)
FACTOR = power_factor(digits=3)
FREQUENCY = frequency(low=40, high=70, digits=2)
IMPORT = instance(energy(high=1e7, digits=2), "import")
EXPORT = instance(energy(high=1e7, digits=2), "export")
TOTAL = energy(high=1e7, digits=2)

FIELDS = (  # and where each begins
    (VOLTAGE, 0x0000),
    (CURRENT, 0x0006),
    (POWER, 0x000C),
    (APPARENT, 0x0012),
    (REACTIVE, 0x0018),
    (FACTOR, 0x001E),
    (FREQUENCY, 0x0046),
    (IMPORT, 0x0048),
    (EXPORT, 0x004A),
    (TOTAL, 0x0156),
)
READS = Reads(4, [(address, 2) for _, address in FIELDS], gap=4, most=80)


@dataclass(frozen=True, slots=True)
class Settings:
    """The meter has nothing to choose; its unit is chosen with its place."""


class SDM120:
    """One meter.  It keeps nothing between two questions."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        return decoded((yield from READS.fetch()))


def decoded(raw: tuple[bytes, ...]) -> Sample:
    """Turn the registers of all fields, in their order, into a sample."""
    return {quantity: quantity.check(decode("float32", one)) for (quantity, _), one in zip(FIELDS, raw, strict=True)}


class Emulator(Slave):
    """A meter behind a house whose load comes and goes."""

    def __init__(self) -> None:
        self.words = dict.fromkeys([*range(0x0060), *range(0x0150, 0x0160)], 0)
        super().__init__(registers=self.words)
        self.age, self.imported = 0.0, 1234.5
        self.tick(0.0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        volts, watts = sway(self.age, 230.2, 4, period=300.0), sway(self.age, 800, 600, period=900.0)
        self.imported += watts * seconds / 3_600_000
        amperes, var = watts / volts / 0.98, 0.2 * watts
        shown = (volts, amperes, watts, watts / 0.98, var, 0.98, 50.02, self.imported, 3.25, self.imported + 3.25)
        for (_, address), value in zip(FIELDS, shown, strict=True):
            raw = pack(">f", value)
            self.words[address], self.words[address + 1] = int.from_bytes(raw[:2]), int.from_bytes(raw[2:])
        return b""


DRIVER = Driver(
    name="sdm120",
    title="Eastron SDM120 electricity meter",
    link=Modbus(baud=2400),
    quantities=tuple(quantity for quantity, _ in FIELDS),
    period=10.0,
    settings=Settings,
    device=SDM120,
    emulator=Emulator,
    documentation=__doc__,
)
