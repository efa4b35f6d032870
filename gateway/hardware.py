"""The ways to the hardware: ports, buses and lines, shared where devices share them, or emulated.

A transport is imported when the first device needs it: pyserial, smbus2 and RPi.GPIO are not small.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from drivers.api import GPIO, Emulates, GPIOEmulator, NoAnswer, Serial, SerialEmulator, WrongDevice
from gateway import kept
from gateway.buses import Buses
from gateway.config import Bus, Device, Endpoint, Folder, Lines, Select, SerialPort, Unit
from gateway.plan import Plan
from gateway.ring import Ring, edged
from gateway.run import Connection, Direct, Fed, Lost, Open, direct, stream
from gateway.transports.gpio import Board, Way, Wish

if TYPE_CHECKING:
    from gateway.modbus_lines import ModbusLines
    from gateway.transports.emulated import PtyPort
    from gateway.transports.faults import Faults
    from gateway.transports.hotplug import Hotplug
    from gateway.transports.rpi import RPi

Levels: TypeAlias = Callable[[], dict[str, bool] | None]


class Hardware:
    """All that devices are opened through.  *gpio* is the way to the GPIO lines; *facts* get what it came to be."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        emulate: bool,
        monotonic: Callable[[], float] = time.monotonic,
        gpio: Way = "auto",
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.reactor, self.emulate, self.monotonic = reactor, emulate, monotonic
        self.way_to_gpio, self.facts = gpio, {} if facts is None else facts
        self.buses = Buses(reactor, self.facts, lambda wish: self.lines_of_board().open(wish))
        self.emulated: dict[str, PtyPort] = {}  # device -> the port that stands for its own
        self.faults: Faults | None = None
        if emulate:
            from gateway.transports.faults import Faults

            self.faults = Faults(reactor)
        self.modbus: ModbusLines | None = None
        self.board: Board | None = None
        self.hotplug: Hotplug | None = None
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def open(self, device: Device, plan: Plan, ring: Ring, levels: Levels) -> Open:
        """The way to *device*, or one that says why there is none.  *levels* tells what GPIO outputs begin with."""
        if not device.enabled:
            return closed("disabled in the configuration")
        try:
            return self.way(device, plan, ring, levels)
        except Exception as error:  # no TLS, an endpoint of a kind that nobody knows: the other devices go on
            self.log.failure("{name} cannot be reached", name=device.name)
            return closed(f"{plan.card.where}: {error}")

    def way(self, device: Device, plan: Plan, ring: Ring, levels: Levels) -> Open:
        match device.where:
            case SerialPort() | Endpoint() as where:
                return stream(self.endpoint(device, where, ring), self.reactor, ring)
            case Bus() | Select() | Folder():
                return direct(self.buses.at(device, self.emulator(device)), ring)
            case Unit():
                if self.modbus is None:
                    from gateway.modbus_lines import ModbusLines

                    self.modbus = ModbusLines(self.reactor, self.links)
                return self.modbus.at(device, ring, self.emulator(device))
            case Lines() as where:
                return self.lines(device, where, plan, ring, levels)

    def emulator(self, device: Device) -> Callable[[], Emulates] | None:
        """Makes what stands for *device*, or None where it is the device itself."""
        if not self.emulate or self.faults is None:
            return None
        make = partial(device.driver.emulating, device.settings)
        return partial(self.faults.around, device.name, device.driver.link, make)

    def watch(self, device: Device, appeared: Callable[[], None]) -> Callable[[], None]:
        """Have *appeared* called when something is plugged in where *device* belongs, until the result is called."""
        if device.name in self.emulated:
            path = self.emulated[device.name].link
        elif device.enabled and not self.emulate and (own := plug(device)):
            path = own
        elif self.modbus is not None and (line := self.modbus.path(device.name)) is not None:
            path, appeared = line, self.modbus.appeared(device.name, appeared)
        else:
            return self.buses.watch(device, appeared)
        if self.hotplug is None:
            from gateway.transports.hotplug import Hotplug

            self.hotplug = Hotplug(self.reactor)
        return self.hotplug.watch(path, appeared)

    def endpoint(self, device: Device, where: SerialPort | Endpoint, ring: Ring) -> IStreamClientEndpoint:
        if isinstance(where, Endpoint) and not self.emulate:
            made: IStreamClientEndpoint = clientFromString(self.reactor, where.description)
            return made
        from gateway.transports.serial import SerialEndpoint

        path, line = (where.path, where.line) if isinstance(where, SerialPort) else ("", device.driver.link)
        assert isinstance(line, Serial)
        rs485 = isinstance(where, SerialPort) and where.rs485 and not self.emulate
        path = self.port(device) if self.emulate else path
        return SerialEndpoint(self.reactor, path, line, rs485=rs485, heard=ring)

    def port(self, device: Device) -> str:
        """The path of an emulated port with *device* on it."""
        from gateway.transports.emulated import PtyPort

        assert (make := self.emulator(device)) is not None
        emulator = cast(SerialEmulator, make())
        port = self.emulated[device.name] = PtyPort(self.reactor, emulator, str(Path(self.links()) / device.name))
        return port.link

    def links(self) -> str:
        """The folder of the links to emulated ports."""
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="gateway-")
        return self.folder.name

    def lines(self, device: Device, where: Lines, plan: Plan, ring: Ring, levels: Levels) -> Open:
        """Opens GPIO lines, an output with the level that its policy wants in the same call."""
        link, board = plan.driver.link, self.gpio(device)
        assert isinstance(link, GPIO)
        inward = link.direction == "in"
        wish = partial(
            Wish,
            lines=dict(where.lines),
            direction=link.direction,
            pull=getattr(plan.settings, "pull", "none"),
            debounce=getattr(plan.settings, "debounce", 0.0),
            every=plan.card.period if inward else 0.0,
            who=device.name,
        )

        def open(fed: Fed, lost: Lost) -> Deferred[Connection]:
            def opened() -> Deferred[Connection]:
                if isinstance(board, Board) and (why := kept.broken(device, board)):
                    raise WrongDevice(why)
                initial = None if inward else levels()
                made = board.open(wish(initial=initial, fed=edged(fed, ring), failed=fed, lost=lost))
                return made.ready.addCallback(lambda _: Direct(made, ring, made.close))

            return maybeDeferred(opened)

        return open

    def gpio(self, device: Device) -> Board | RPi:
        if make := self.emulator(device):
            from gateway.transports.fake import FakeGPIO
            from gateway.transports.rpi import RPi

            module = FakeGPIO(self.reactor, cast(GPIOEmulator, make()))
            return RPi(self.reactor, self.monotonic, module, defaultdict[str, int](count().__next__).__getitem__)
        return self.lines_of_board()

    def lines_of_board(self) -> Board:
        if self.board is None:
            self.board = Board(self.reactor, self.monotonic, self.way_to_gpio, self.tell_gpio)
        return self.board

    def tell_gpio(self, about: str) -> None:
        self.facts["gpio"] = about

    def release(self, name: str) -> None:
        """The device called *name* is gone."""
        if (port := self.emulated.pop(name, None)) is not None:
            port.close()
        if self.modbus is not None:
            self.modbus.release(name)
        self.buses.release(name)
        if self.faults is not None:
            self.faults.forget(name)

    def close(self) -> Deferred[Any]:
        """Close all; fires when the threads of the buses have ended."""
        for name in list(self.emulated):
            self.release(name)
        if self.modbus is not None:
            self.modbus.close()
        if self.hotplug is not None:
            self.hotplug.close()
        if self.folder is not None:
            self.folder.cleanup()
        return self.buses.close()


def plug(device: Device) -> str:
    """The path that comes with *device*, or "" where another part of the hardware knows."""
    match device.where:
        case SerialPort(path=path):
            return path
        case Lines(lines=lines):
            return lines[0][1]
        case Bus(number=number):
            return f"/dev/i2c-{number}"
        case Select(number=number, line=line):
            return f"/dev/spidev{number}.{line}"
    return ""


def closed(reason: str) -> Open:
    return lambda fed, lost: fail(NoAnswer(reason))
