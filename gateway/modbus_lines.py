"""The Modbus lines that are in use, each opened once for all devices on it; or what stands for them.

An emulated line is a true terminal with all its units on the far end, whatever it is in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from drivers.api import Emulates, Modbus, ModbusEmulator, Serial
from drivers.codec.modbus import RTU, TCP
from drivers.codec.modbus_slave import Units
from gateway.config import Device, Endpoint, ModbusTCP, SerialPort, Unit
from gateway.ring import Ring
from gateway.run import Open
from gateway.transports.modbus import ModbusLine
from gateway.transports.turns import Pace, pace

if TYPE_CHECKING:
    from gateway.transports.emulated import PtyPort

Place: TypeAlias = SerialPort | Endpoint | ModbusTCP


class ModbusLines:
    """*folder* is where emulated ports get their links."""

    def __init__(self, reactor: Any, folder: Callable[[], str]) -> None:
        self.reactor, self.folder = reactor, folder
        self.lines: dict[Place, ModbusLine] = {}
        self.users: dict[str, Unit] = {}  # by the name of the device
        self.emulated: dict[Place, tuple[PtyPort, dict[int, ModbusEmulator]]] = {}

    def at(self, device: Device, ring: Ring, emulator: Callable[[], Emulates] | None) -> Open:
        """The way to *device*, or to the one that *emulator* makes in its place."""
        where, link = device.where, device.driver.link
        assert isinstance(where, Unit) and isinstance(link, Modbus)
        self.users[device.name] = where
        if emulator is not None:
            self.emulate(where, cast(ModbusEmulator, emulator()))
        if where.port not in self.lines:
            self.lines[where.port] = self.line(where.port, Serial(link.baud, link.parity, link.stop_bits))
        return self.lines[where.port].at(where.unit, where.timeout, ring.note)

    def line(self, port: Place, usual: Serial) -> ModbusLine:
        """*usual* is how the line is set where nobody says it: at the far end of a connection."""
        from gateway.transports.serial import SerialEndpoint

        endpoint: IStreamClientEndpoint
        if port in self.emulated:
            endpoint = SerialEndpoint(self.reactor, self.emulated[port][0].link, usual)
        elif isinstance(port, SerialPort):
            endpoint, usual = SerialEndpoint(self.reactor, port.path, port.line, rs485=port.rs485), port.line
        elif isinstance(port, ModbusTCP):
            endpoint = clientFromString(self.reactor, port.endpoint)
            return ModbusLine(self.reactor, endpoint, TCP, Pace(pace(usual).byte))
        else:
            endpoint = clientFromString(self.reactor, port.description)
        return ModbusLine(self.reactor, endpoint, RTU, pace(usual))

    def emulate(self, where: Unit, emulator: ModbusEmulator) -> None:
        """Put *emulator* on the line where *where* is."""
        from gateway.transports.emulated import PtyPort

        if where.port not in self.emulated:
            units: dict[int, ModbusEmulator] = {}
            name = Path(self.folder()) / f"modbus{len(self.emulated)}"
            self.emulated[where.port] = PtyPort(self.reactor, Units(units), str(name)), units
        self.emulated[where.port][1][where.unit] = emulator

    def path(self, name: str) -> str | None:
        """The path whose appearance is that of the device called *name*."""
        if (unit := self.users.get(name)) is None:
            return None
        if unit.port in self.emulated:
            return self.emulated[unit.port][0].link
        return unit.port.path if isinstance(unit.port, SerialPort) else None

    def appeared(self, name: str, tell: Callable[[], None]) -> Callable[[], None]:
        """What to call when that path has appeared, where *tell* tells the device."""
        return partial(plugged, self.lines[self.users[name].port], tell)

    def release(self, name: str) -> None:
        """The device called *name* is gone; with the last of its line that is gone, too."""
        if (unit := self.users.pop(name, None)) is None:
            return
        self.lines[unit.port].forget(unit.unit)
        if unit.port in self.emulated:
            self.emulated[unit.port][1].pop(unit.unit, None)
        if not any(each.port == unit.port for each in self.users.values()):
            del self.lines[unit.port]
            if unit.port in self.emulated:
                self.emulated.pop(unit.port)[0].close()

    def close(self) -> None:
        for name in list(self.users):
            self.release(name)


def plugged(line: ModbusLine, tell: Callable[[], None]) -> None:
    line.plugged()
    tell()
