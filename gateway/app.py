"""The composition root: what is configured becomes services, and all that is wired is wired here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import GPIOEmulator, Serial, SerialEmulator
from gateway import config as configuration
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Bus, Config, Endpoint, Lines, Listen, SerialPort
from gateway.device import Device, Plan
from gateway.hub import Card, Hub
from gateway.manual import Manual
from gateway.run import Open, Ring, direct, stream
from gateway.systemd import notify, watchdog
from gateway.walltime import WallTime

STOP = 1.8  # seconds that a clean stop may take
LISTENERS = ("tcp", "http", "irc")


@dataclass(frozen=True, slots=True)
class Places:
    """What is shared between devices: buses by number, the GPIO chip, the watch on folders, emulated hardware."""

    buses: dict[int, Any]
    chip: list[Any]
    hotplug: list[Any]
    emulated: dict[str, Any]  # device -> its emulated port


class Gateway(Service):
    """Everything that runs.  *load* reads the configuration anew, for a reload."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        monotonic: Callable[[], float],
        *,
        boot: int = 1,
        emulate: bool = False,
        load: Callable[[], Config] | None = None,
    ) -> None:
        self.reactor, self.config, self.emulate, self.load = reactor, config, emulate, load
        began = monotonic()
        self.clock = Clock(boot, lambda: monotonic() - began)
        self.hub = Hub(self.clock)
        self.commands = Commands(self.hub, Manual(self.hub))
        self.commands.facts.update(pid=os.getpid(), loads=1, config="")
        self.wall = WallTime(self.clock, reactor, config.time)
        self.hub.subscribe(self.wall.hear, "*.time")
        self.places = Places({}, [], [], {})
        self.devices: dict[str, Device] = {}
        self.unwatch: dict[str, Callable[[], None]] = {}
        self.ports: dict[str, list[IListeningPort]] = {}
        self.alive = LoopingCall(self.tell_watchdog)
        self.alive.clock = reactor
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    # Start, stop, reload

    def startService(self) -> None:
        super().startService()
        self.wall.startService()
        for device in self.config.devices:
            self.add(device)
        self.started = DeferredList([self.listen(name) for name in LISTENERS], consumeErrors=True)
        self.started.addCallback(self.ready)

    def ready(self, results: object) -> None:
        notify("READY=1", f"STATUS={len(self.devices)} devices")
        if (every := watchdog()) is not None:
            self.alive.start(every)

    def tell_watchdog(self) -> None:
        """A sign of life, from a turn of the reactor.  A bus that hangs is `stuck`, and visible; it is no reason to
        restart everything else."""
        notify("WATCHDOG=1")

    def stopService(self) -> Deferred[Any]:
        """Listeners, conversations and output policies, buses: in this order, and in bounded time."""
        super().stopService()
        notify("STOPPING=1")
        if self.alive.running:
            self.alive.stop()
        self.wall.stopService()
        done = self.unlisten(*LISTENERS)
        done.addCallback(lambda _: DeferredList([self.remove(name) for name in list(self.devices)]))
        done.addCallback(lambda _: self.close_places())
        return done.addTimeout(STOP, self.reactor).addErrback(self.hung)

    def hung(self, failure: Failure) -> None:
        self.log.warn("stopped without waiting any longer: {error}", error=failure.getErrorMessage())

    def close_places(self) -> Deferred[Any]:
        for port in self.places.emulated.values():
            port.close()
        for hotplug in self.places.hotplug:
            hotplug.close()
        if self.folder is not None:
            self.folder.cleanup()
        return DeferredList([maybeDeferred(bus.close) for bus in self.places.buses.values() if hasattr(bus, "close")])

    def reload(self) -> Deferred[Any]:
        """Read the configuration anew, and restart only what changed.  One with mistakes changes nothing."""
        assert self.load is not None
        try:
            new = self.load()
        except configuration.ConfigError as error:
            self.log.error("the configuration was not taken over:\n{error}", error=str(error))
            self.commands.facts["config"] = str(error).splitlines()[0]
            return succeed(None)
        notify("RELOADING=1")
        old, self.config = self.config, new
        before = {device.name: device for device in old.devices}
        after = {device.name: device for device in new.devices}
        gone = [name for name in self.devices if name not in after or changed(before[name], after[name])]
        fresh = [name for name in LISTENERS if getattr(old, name) != getattr(new, name)]
        done = DeferredList([self.unlisten(*fresh), *map(self.remove, gone)], consumeErrors=True)

        def start(_: object) -> Deferred[Any]:
            for name, device in after.items():
                if name not in self.devices:
                    self.add(device)
            return DeferredList([self.listen(name) for name in fresh], consumeErrors=True)

        def finish(_: object) -> None:
            self.log.info(
                "reloaded: {count} devices restarted, {gone} gone", count=len(gone), gone=len(before) - len(after)
            )
            self.commands.facts.update(loads=self.commands.facts["loads"] + 1, config="")
            notify("READY=1")

        return done.addCallback(start).addCallback(finish)

    # Devices

    def add(self, device: configuration.Device) -> None:
        ring = Ring(self.clock.monotonic)
        plan = planned(device)
        open = self.opener(device, ring, plan)
        made = self.devices[device.name] = Device(plan, open, ring, self.reactor, self.hub)
        if isinstance(device.where, SerialPort) and not self.emulate:
            self.unwatch[device.name] = self.hotplug().watch(device.where.path, made.appeared)
        elif device.name in self.places.emulated:
            self.unwatch[device.name] = self.hotplug().watch(self.places.emulated[device.name].link, made.appeared)
        if device.enabled:
            made.startService()
        else:
            made.told.tell("absent", "disabled in the configuration")

    def remove(self, name: str) -> Deferred[None]:
        device = self.devices.pop(name)
        self.unwatch.pop(name, lambda: None)()
        if (port := self.places.emulated.pop(name, None)) is not None:
            port.close()
        self.hub.devices.pop(name, None)
        return maybeDeferred(device.stopService)

    def opener(self, device: configuration.Device, ring: Ring, plan: Plan) -> Open:
        """The way to the hardware of *device*, or to its emulation."""
        match device.where:
            case SerialPort() | Endpoint() as where:
                return stream(self.endpoint(device, where), self.reactor, ring)
            case Bus() as where:
                return direct(self.bus(device, where).at(where.address, where.mux), ring)
            case Lines() as where:
                from gateway.outputs import lines  # GPIO is not on every board

                return lines(self.gpio(device, where), plan, dict(where.lines), ring)

    def endpoint(self, device: configuration.Device, where: SerialPort | Endpoint) -> IStreamClientEndpoint:
        if isinstance(where, Endpoint) and not self.emulate:
            made: IStreamClientEndpoint = clientFromString(self.reactor, where.description)
            return made
        from gateway.transports.serial import SerialEndpoint  # pyserial is not small

        if isinstance(where, SerialPort) and not self.emulate:
            return SerialEndpoint(self.reactor, where.path, where.line)
        from gateway.transports.emulated import PtyPort

        link, emulator = device.driver.link, cast(SerialEmulator, device.driver.emulator())
        port = PtyPort(self.reactor, emulator, str(Path(self.temporary()) / device.name))
        self.places.emulated[device.name] = port
        line = where.line if isinstance(where, SerialPort) else link
        assert isinstance(line, Serial)
        return SerialEndpoint(self.reactor, port.link, line)

    def bus(self, device: configuration.Device, where: Bus) -> Any:
        buses = self.places.buses
        if self.emulate:
            from gateway.transports.emulated import EmulatedI2C

            bus = buses.setdefault(where.number, EmulatedI2C({}, self.reactor))
            bus.chips[where.mux, where.address] = device.driver.emulator()
        elif where.number not in buses:
            from gateway.transports.i2c import I2CBus

            buses[where.number] = I2CBus(self.reactor, f"/dev/i2c-{where.number}")
        return buses[where.number]

    def gpio(self, device: configuration.Device, where: Lines) -> Any:
        from gateway.transports.gpio import GPIOChip

        if not self.emulate:
            if not self.places.chip:
                self.places.chip.append(GPIOChip(self.reactor))
            return self.places.chip[0]
        from gateway.transports.fake import FakeGPIO

        return GPIOChip(self.reactor, FakeGPIO(self.reactor, cast(GPIOEmulator, device.driver.emulator())))

    def hotplug(self) -> Any:
        if not self.places.hotplug:
            from gateway.transports.hotplug import Hotplug

            self.places.hotplug.append(Hotplug(self.reactor))
        return self.places.hotplug[0]

    def temporary(self) -> str:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="gateway-")
        return self.folder.name

    # Interfaces

    def factory(self, name: str) -> IProtocolFactory:
        """The interface called *name*; imported only where it is configured."""
        if name == "tcp":
            from gateway.interfaces.query import Query

            return Query(self.commands, self.reactor)
        if name == "http":
            from gateway.interfaces.http import site

            assert self.config.http is not None
            return site(self.commands, self.reactor, self.config.http.hosts, self.query_port())
        from gateway.interfaces.irc import IRC

        assert self.config.irc is not None
        return IRC(self.commands, self.reactor, self.config.irc.name, self.config.irc.min_interval)

    def query_port(self) -> int:
        """The TCP port of the query interface, or 0: the page shows how to ask there."""
        found = [port.getHost() for port in self.ports.get("tcp", ())]
        return next((int(host.port) for host in found if isinstance(host, IPv4Address | IPv6Address)), 0)

    def listen(self, name: str) -> Deferred[Any]:
        table: Listen | None = getattr(self.config, name)
        if table is None:
            return succeed(None)
        factory, ports = self.factory(name), self.ports.setdefault(name, [])

        def refused(failure: Failure, endpoint: str) -> None:
            self.log.error("{name}: {endpoint}: {error}", name=name, endpoint=endpoint, error=failure.getErrorMessage())
            self.hub.fail(name, OSError(f"{endpoint}: {failure.getErrorMessage()}"))

        def listening(port: IListeningPort) -> None:
            ports.append(port)
            self.log.info("{name} listens on {host}", name=name, host=port.getHost())

        return DeferredList(
            [
                maybeDeferred(serverFromString(self.reactor, endpoint).listen, factory)
                .addCallback(listening)
                .addErrback(refused, endpoint)
                for endpoint in table.endpoints
            ]
        )

    def unlisten(self, *names: str) -> Deferred[Any]:
        ports = [port for name in names for port in self.ports.pop(name, [])]
        return DeferredList([maybeDeferred(port.stopListening) for port in ports])


def changed(old: configuration.Device, new: configuration.Device) -> bool:
    """Whether a device must start anew; an edited table of its driver counts, too."""
    return old.table != new.table or old.driver is not new.driver


def planned(device: configuration.Device) -> Plan:
    """What a device needs to know of the configuration."""
    settings: Any = device.settings
    chosen: Mapping[str, configuration.QuantityConfig] = device.quantities
    card = Card(
        name=device.name,
        label=device.label,
        driver=device.driver.name,
        title=device.driver.title,
        documentation=device.driver.documentation or "",
        where=place(device.where),
        period=device.period,
        settings={field.name: getattr(settings, field.name) for field in fields(settings)},
        quantities=device.driver.quantities,
    )
    return Plan(
        card=card,
        driver=device.driver,
        settings=settings,
        scales={
            name: (each.scale, each.offset) for name, each in chosen.items() if (each.scale, each.offset) != (1, 0)
        },
        limits={
            name: (-inf if each.low is None else each.low, inf if each.high is None else each.high)
            for name, each in chosen.items()
            if each.low is not None or each.high is not None
        },
        start=device.start,
        loss=device.loss,
        stop=device.stop,
        max_on=inf if device.max_on is None else device.max_on,
    )


def place(where: configuration.Where) -> str:
    """Where a device is, as a person would say it."""
    match where:
        case SerialPort(path=path):
            return path
        case Endpoint(description=description):
            return description
        case Bus(number=number, address=address, mux=mux):
            return f"i2c:{number}" + "".join(f"/{at:#04x}/{channel}" for at, channel in mux) + f" {address:#04x}"
        case Lines(lines=lines):
            return " ".join(line for _, line in lines)


def next_boot(folder: Path) -> int:
    """Count this start of the daemon.  The number lies in *folder*; where nothing can be written, it is 1 each time."""
    path = folder / "boot"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        boot = int(path.read_text()) + 1 if path.exists() else 1
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{boot}\n")
        fresh.replace(path)
    except (OSError, ValueError) as error:
        Logger().warn("no count of starts: {path}: {error}", path=path, error=error)
        return 1
    return boot


def state_folder() -> Path:
    """Where the daemon may keep what outlives it: the service's folder, or the user's."""
    if folder := os.environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "device-gateway"


def make_service(reactor: Any, config: Config, monotonic: Callable[[], float], **options: Any) -> Gateway:
    """The whole gateway, not started yet.  Options: boot, emulate, load."""
    return Gateway(reactor, config, monotonic, **options)
