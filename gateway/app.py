"""The composition root: what is configured becomes services, and all that is wired is wired here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway import config as configuration
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Config, Listen
from gateway.device import Device
from gateway.hardware import Hardware
from gateway.hub import Hub
from gateway.manual import Manual
from gateway.plan import planned
from gateway.run import Ring
from gateway.systemd import notify, watchdog
from gateway.walltime import WallTime

STOP = 1.8  # seconds that a clean stop may take
LISTENERS = ("tcp", "http", "irc")


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
        self.hardware = Hardware(reactor, emulate)
        self.devices: dict[str, Device] = {}
        self.unwatch: dict[str, Callable[[], None]] = {}
        self.ports: dict[str, list[IListeningPort]] = {}
        self.alive = LoopingCall(self.tell_watchdog)
        self.alive.clock = reactor

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
        done.addCallback(lambda _: self.hardware.close())
        return done.addTimeout(STOP, self.reactor).addErrback(self.hung)

    def hung(self, failure: Failure) -> None:
        self.log.warn("stopped without waiting any longer: {error}", error=failure.getErrorMessage())

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
        ring, plan = Ring(self.clock.monotonic), planned(device)
        open = self.hardware.open(device, plan, ring)
        made = self.devices[device.name] = Device(plan, open, ring, self.reactor, self.hub)
        self.unwatch[device.name] = self.hardware.watch(device, made.appeared)
        if device.enabled:
            made.startService()
        else:
            made.told.tell("absent", "disabled in the configuration")

    def remove(self, name: str) -> Deferred[None]:
        """Stop a device; what it leaves behind is closed once it has let go."""
        self.unwatch.pop(name)()
        self.hub.devices.pop(name, None)
        done: Deferred[None] = maybeDeferred(self.devices.pop(name).stopService)
        return done.addBoth(lambda _: self.hardware.release(name))

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
            self.log.info("{name} listens on {place}", name=name, place=said(port.getHost()))

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


def said(host: Any) -> str:
    """A listening address as a person writes it."""
    return f"{host.host}:{host.port}" if isinstance(host, IPv4Address | IPv6Address) else str(getattr(host, "name", host))


def changed(old: configuration.Device, new: configuration.Device) -> bool:
    """Whether a device must start anew; an edited table of its driver counts, too."""
    return old.table != new.table or old.driver is not new.driver


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
