"""The kernel's ways to devices that share something: I2C and SPI buses, and sysfs; or what stands for them.

They are opened for the first device that needs one, and closed after the last.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from drivers.api import SPI, Emulates, NoAnswer, SetLines, Sysfs, SysfsEmulator
from gateway.config import Bus, Config, Device, Folder, Power, Select
from gateway.transports import Transport
from gateway.transports.gpio import Wish

if TYPE_CHECKING:
    from gateway.transports.tree import EmulatedFolder

Name: TypeAlias = tuple[str, int]  # ("i2c", 1); there is but one ("sysfs", 0)
SETTLE = 0.1  # seconds that chips may take from power on to the first transfer


class Buses:
    """*open* are those that are in use.  *lines* opens GPIO lines; *facts* get what is done to bring a bus back."""

    log = Logger()

    def __init__(self, reactor: Any, facts: dict[str, Any], lines: Callable[[Wish], Any]) -> None:
        self.reactor, self.facts, self.lines = reactor, facts, lines
        self.open: dict[Name, Any] = {}
        self.sysfs = "/sys"
        self.power: Mapping[int, Power] = {}
        self.switches: dict[int, Any] = {}  # lines that hold the power of a bus
        self.folders: dict[str, EmulatedFolder] = {}
        self.temporary: tempfile.TemporaryDirectory[str] | None = None

    def configure(self, config: Config, emulate: bool) -> None:
        """Take over what is said of buses.  The power of one is switched on at once; a new *sysfs* serves whoever
        opens it next."""
        self.sysfs, before, self.power = config.sysfs, self.power, {} if emulate else config.power
        for number in [number for number in self.switches if self.power.get(number) != before[number]]:
            self.switches.pop(number).close()
        for number, power in self.power.items():
            if number not in self.switches:
                self.switch(number, power)
        for (kind, number), bus in self.open.items():
            if kind == "i2c" and not emulate:
                bus.ladder.power = self.cycle(number)

    def switch(self, number: int, power: Power) -> None:
        on = {"power": power.active == "high"}
        try:
            wish = Wish(lines={"power": power.line}, direction="out", initial=on, who=f"i2c:{number} power")
            self.switches[number] = self.lines(wish)
        except (NoAnswer, ValueError) as error:
            self.tell(f"i2c:{number}", f"its power cannot be switched: {error}")

    def cycle(self, number: int) -> Callable[[], Deferred[Any]] | None:
        """What switches the power of a bus off and on again."""
        if number not in self.switches:
            return None
        lines, power = self.switches[number], self.power[number]
        on = power.active == "high"

        def cycle() -> Deferred[Any]:
            off: Deferred[Any] = lines.perform(SetLines((("power", not on),)))
            off.addCallback(lambda _: deferLater(self.reactor, power.off))
            off.addBoth(lambda _: lines.perform(SetLines((("power", on),))))  # whatever happened
            return off.addCallback(lambda _: deferLater(self.reactor, SETTLE))

        return cycle

    def tell(self, bus: str, words: str) -> None:
        """*words* are what is done about *bus*, or "" when it works."""
        if words:
            self.facts[bus] = words
        else:
            self.facts.pop(bus, None)

    def at(self, device: Device, emulator: Callable[[], Emulates] | None) -> Transport:
        """The way to *device*, or to the one that *emulator* makes in its place."""
        name = needed(device)
        assert name is not None
        if emulator is not None:
            return self.emulated(device, name, emulator())
        if name not in self.open:
            self.open[name] = self.make(*name)
        bus = self.open[name]
        match device.where:
            case Bus(address=address, mux=mux):
                return cast(Transport, bus.at(address, mux))
            case Select(line=line):
                return cast(Transport, bus.at(line, device.driver.link))
        assert isinstance(device.where, Folder)
        return cast(Transport, bus.at(device.driver.link, device.where.word))

    def make(self, kind: str, number: int) -> Any:
        if kind == "i2c":
            from gateway.transports.i2c import I2CBus

            tell = partial(self.tell, f"i2c:{number}")
            return I2CBus(self.reactor, f"/dev/i2c-{number}", sysfs=self.sysfs, power=self.cycle(number), tell=tell)
        if kind == "spi":
            from gateway.transports.spi import SPIBus

            return SPIBus(self.reactor, number)
        from gateway.transports.sysfs import Tree

        return Tree(self.reactor, self.sysfs)

    def emulated(self, device: Device, name: Name, emulator: Any) -> Transport:
        from gateway.transports.emulated import EmulatedI2C

        link, where = device.driver.link, device.where
        if isinstance(where, Folder):
            return self.folder(device, where.word, emulator)
        bus = self.open.setdefault(name, EmulatedI2C({}, self.reactor))
        if isinstance(where, Select):
            assert isinstance(link, SPI)
            bus.chips[where.line] = emulator
            return cast(Transport, bus.at(where.line))
        assert isinstance(where, Bus)
        bus.chips[where.mux, where.address] = emulator
        return cast(Transport, bus.at(where.address, where.mux))

    def folder(self, device: Device, word: str, emulator: SysfsEmulator) -> Transport:
        """True files, and the true transport."""
        from gateway.transports.tree import EmulatedFolder, EmulatedTree

        link = device.driver.link
        assert isinstance(link, Sysfs)
        if self.temporary is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="gateway-sys-")
        root = self.temporary.name
        self.folders[device.name] = EmulatedFolder(self.reactor, Path(root), link, word, emulator)
        tree = self.open.setdefault(("sysfs", 0), EmulatedTree(self.reactor, root, self.folders))
        return cast(Transport, tree.at(link, word))

    def watch(self, device: Device, appeared: Callable[[], None]) -> Callable[[], None]:
        """Have *appeared* called when *device* comes to sysfs, until the result is called."""
        if not isinstance(device.where, Folder) or not device.enabled or ("sysfs", 0) not in self.open:
            return lambda: None
        cancel: Callable[[], None] = self.open["sysfs", 0].watch(device.driver.link, device.where.word, appeared)
        return cancel

    def release(self, name: str) -> None:
        """The device called *name* is gone."""
        if (folder := self.folders.pop(name, None)) is not None:
            folder.close()

    def close(self) -> Deferred[Any]:
        for name in list(self.folders):
            self.release(name)
        for lines in self.switches.values():
            lines.close()
        self.switches.clear()
        if self.temporary is not None:
            self.temporary.cleanup()
        return self.keep(())

    def keep(self, devices: Iterable[Device]) -> Deferred[Any]:
        """Close the buses that none of *devices* needs; fires when their threads have ended."""
        wanted = {needed(device) for device in devices if device.enabled}
        idle = [self.open.pop(name) for name in list(self.open) if name not in wanted]
        return DeferredList([maybeDeferred(bus.close) for bus in idle if hasattr(bus, "close")])

    def owed(self) -> set[object]:
        """The calls under way, but for those of a bus that is known to be stuck."""
        real = [bus for bus in self.open.values() if hasattr(bus, "running")]
        return {bus.running for bus in real if bus.running is not None and not bus.stuck}


def needed(device: Device) -> Name | None:
    """The bus that *device* hangs on, if it is one of these."""
    match device.where:
        case Bus(number=number):
            return "i2c", number
        case Select(number=number):
            return "spi", number
        case Folder():
            return "sysfs", 0
    return None
