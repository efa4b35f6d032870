"""Waveshare Modbus RTU Relay, a board of eight relays on a Modbus line.

Datasheet: Waveshare wiki, "Modbus RTU Relay", "Modbus RTU Protocol" (docs at waveshare.com/wiki/Modbus_RTU_Relay).
As it comes from its maker it is unit 1 at 9600 baud, 8N1.  The relays are coils 0 to 7:

    01 01 0000 0008 3DCC          unit, read coils, first, how many, CRC
    01 01 01 00 5188              unit, function, one byte: relay 1 is its lowest bit, CRC
    01 05 0000 FF00 8C3A          unit, write one coil, relay 1, on; the board says the same back
    01 05 0000 0000 CDCA          relay 1 off

Many boards of other makers have the same eight coils.  With the power all relays fall off, and the board does not
tell when it has had none: what it says is how its relays are now.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import BadValue, Driver, Modbus, Quantity, Request, Sample, Talk, Value
from drivers.codec.modbus import bits
from drivers.codec.modbus_slave import Slave
from drivers.quantities import instance, state

RELAYS = tuple(instance(state(writable=True), str(number)) for number in range(1, 9))

READ = Request(1, 0, len(RELAYS))


@dataclass(frozen=True, slots=True)
class Settings:
    """The board has nothing to choose; its unit is chosen with its place."""


class ModbusRelay8:
    """One board.  The states are those it tells."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        return dict(zip(RELAYS, bits((yield READ), len(RELAYS)), strict=True))

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        if quantity not in RELAYS:
            raise BadValue(f"{quantity.name} cannot be set")
        yield Request(5, RELAYS.index(quantity), values=(int(bool(value)),))
        return {quantity: bool(value)}


class Emulator(Slave):
    """A board that was just switched on."""

    def __init__(self) -> None:
        super().__init__(coils=dict.fromkeys(range(len(RELAYS)), 0))


DRIVER = Driver(
    name="modbusrelay8",
    title="Waveshare Modbus RTU Relay, eight relays",
    link=Modbus(),
    quantities=RELAYS,
    period=5.0,
    settings=Settings,
    device=ModbusRelay8,
    emulator=Emulator,
    documentation=__doc__,
)
