"""The composition root: what is configured becomes services, and all that is wired is wired here."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, maybeDeferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gateway import config as configuration
from gateway.alone import claim
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Config, Listen
from gateway.device import Device
from gateway.handle import Status
from gateway.hardware import Hardware
from gateway.history.opening import opened
from gateway.history.service import History
from gateway.hub import Hub
from gateway.listeners import Listeners
from gateway.manual import Manual
from gateway.memory import Memory
from gateway.plan import planned
from gateway.ring import Followers, Ring
from gateway.state import database
from gateway.state import next_boot as next_boot  # a .tac has both from here
from gateway.state import state_folder as state_folder
from gateway.systemd import notify, watchdog
from gateway.timesource import last_known
from gateway.walltime import WallTime

STOP = 1.8  # seconds that devices may take to stop
WRITE = 10.0  # seconds that the disk may take for what came last
NOTICE = 4000  # characters
LISTENERS = ("tcp", "http", "irc")


class Gateway(Service):
    """Everything that runs.  *load* reads the configuration anew, at SIGHUP; in *folder* lies what outlives us."""

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
        folder: Path | None = None,
        notice: Path | None = None,
    ) -> None:
        self.reactor, self.config, self.emulate, self.load, self.folder = reactor, config, emulate, load, folder
        self.notice = notice
        self.claim: TextIO | None = None  # on the folder
        began, noted = monotonic(), folder / "time" if folder is not None else None
        kept, path = config.history or configuration.MEMORY, database(config.history, folder)
        store, why = opened(path)
        boot, floor = max(boot, store.boot + 1), max(last_known(noted), store.floor())
        self.clock = Clock(boot, lambda: monotonic() - began, store.times(), floor)
        self.hub = Hub(self.clock)
        self.history = History(reactor, self.clock, store, kept, path=path, why=why, failures=self.failures)
        self.hub.subscribe(self.history.hear, "*")
        self.commands = Commands(self.hub, Manual(self.hub), reactor, self.history)
        self.commands.facts.update(pid=0, loads=1, config="", notice=self.noticed())
        self.wall = WallTime(
            self.clock, reactor, config.time, receiver=config.time_from, path=noted, facts=self.commands.facts
        )
        self.hub.subscribe(self.wall.hear, "*.time", "*.mode")
        self.hardware = Hardware(reactor, emulate, self.clock.monotonic, config.gpio, self.commands.facts)
        self.hardware.buses.configure(config, emulate)
        self.commands.faults = self.hardware.faults
        self.memory = Memory(folder / "memory" if folder is not None else None)
        self.devices: dict[str, Device] = {}
        self.followers: defaultdict[str, Followers] = defaultdict(dict)  # of each device's bytes, over reloads
        self.unwatch: dict[str, Callable[[], None]] = {}
        self.listeners = Listeners(reactor, self.commands.facts)
        self.up: set[str] = set()  # devices that run
        self.turn = DeferredLock()  # of reloads
        self.owed: set[object] = set()
        self.alive = LoopingCall(self.tell_watchdog)
        self.alive.clock = reactor

    # Start, stop, reload

    def startService(self) -> None:
        super().startService()
        self.claim = claim(self.folder) if self.folder is not None else None
        self.commands.facts["pid"] = os.getpid()  # not before: twistd forks
        self.hub.listen(self.told)
        self.history.startService()
        self.commands.jobs.start()
        if self.load is not None:  # here, for whoever runs us: left alone, SIGHUP ends a process
            signal.signal(signal.SIGHUP, lambda number, frame: self.reactor.callFromThread(self.reload))
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
        """A sign of life, from a turn of the reactor in which no bus thread owes an answer that it owed last time.
        A bus that hangs is `stuck` then, and visible, and no reason to restart everything else."""
        owed = self.hardware.buses.owed()
        if not owed & self.owed:
            notify("WATCHDOG=1")
        self.owed = owed

    def stopService(self) -> Deferred[Any]:
        """Listeners, conversations and output policies, buses, history: in this order, and in bounded time."""
        super().stopService()
        notify("STOPPING=1")
        if self.alive.running:
            self.alive.stop()
        self.wall.stopService()
        self.commands.jobs.stop()
        done = Deferred.fromCoroutine(self.let_go()).addTimeout(STOP, self.reactor, self.hung)
        return done.addBoth(self.close_history)

    async def let_go(self) -> None:
        await self.listeners.close(*LISTENERS)
        self.commands.jobs.stop()
        await DeferredList([self.remove(name) for name in list(self.devices)], consumeErrors=True)
        await self.hardware.close()

    def close_history(self, result: object) -> Deferred[Any]:
        """Last, and whatever hung before: what came is to be kept."""
        if self.claim is not None:
            self.claim.close()
        return self.history.stopService().addTimeout(WRITE, self.reactor, self.hung)

    def hung(self, result: object, seconds: float) -> None:
        self.log.warn("stopped without waiting any longer than {seconds:g} s", seconds=seconds)

    def reload(self) -> Deferred[Any]:
        """Read the configuration anew, and restart only what changed; one reload after the other."""
        return self.turn.run(self.take_over)

    def take_over(self) -> Deferred[Any]:
        """One with mistakes changes nothing."""
        assert self.load is not None
        try:
            new = self.load()
        except configuration.ConfigError as error:
            self.log.error("the configuration was not taken over:\n{error}", error=str(error))
            self.loaded(str(error))
            return succeed(None)
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        old, self.config = self.config, new
        self.history.settle(database(new.history, self.folder), new.history)
        self.wall.configure(new.time, new.time_from)
        before = {device.name: device for device in old.devices}
        after = {device.name: device for device in new.devices}
        gone = [name for name in self.devices if name not in after or changed(before[name], after[name])]
        fresh = [name for name in LISTENERS if getattr(old, name) != getattr(new, name)]
        if "tcp" in fresh and "http" not in fresh:
            fresh.append("http")  # its page shows the query port
        done = DeferredList([self.listeners.close(*fresh), *map(self.remove, gone)], consumeErrors=True)
        done.addCallback(lambda _: self.hardware.buses.keep(new.devices))

        def start(_: object) -> Deferred[Any]:
            if not self.running:  # stopped meanwhile
                return succeed(None)
            self.hardware.buses.configure(new, self.emulate)
            for name, device in after.items():
                if name not in self.devices:
                    self.add(device)
            return DeferredList([self.listen(name) for name in fresh], consumeErrors=True)

        def finish(_: object) -> None:
            self.log.info("reloaded: {count} of {all} devices restarted or removed", count=len(gone), all=len(before))
            self.loaded()
            notify("READY=1")

        return done.addCallback(start).addCallback(finish)

    def loaded(self, mistakes: str = "") -> None:
        """The configuration was read once more; `gateway reload` looks for that."""
        self.commands.facts.update(loads=self.commands.facts["loads"] + 1, config=mistakes, notice=self.noticed())

    def noticed(self) -> str:
        """What whoever looks at us should know first, by the words of whoever started us."""
        try:
            return self.notice.read_text(errors="replace")[:NOTICE].strip() if self.notice else ""
        except OSError as error:
            return f"{self.notice}: {error.strerror}"

    # Devices

    def add(self, device: configuration.Device) -> None:
        ring, plan = Ring(self.clock.monotonic, self.followers[device.name]), planned(device)
        open = self.hardware.open(device, plan, ring, lambda: made.outputs.levels())
        made = self.devices[device.name] = Device(
            plan, open, ring, self.reactor, self.hub, self.memory, self.commands.audit.note
        )
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

    def told(self, name: str, status: Status) -> None:
        """Log that a device runs, or no longer does.  Why an attempt failed is logged where that is counted."""
        self.history.note(name, status.state, status.reason)
        if (status.state == "running") != (name in self.up):
            self.up ^= {name}
            about = f"{status.state} {status.reason or status.identity}".rstrip()
            self.log.info("{name}: {about}", name=name, about=about)

    def failures(self) -> Iterator[tuple[str, str, int, str]]:
        """What went wrong, for the history."""
        for (who, kind), tally in self.hub.errors.items():
            yield who, kind, tally.count, tally.last

    # Interfaces

    def factory(self, name: str) -> IProtocolFactory:
        """The interface called *name*; imported only where it is configured."""
        if name == "tcp":
            from gateway.interfaces.query import Query

            return Query(self.commands, self.reactor)
        if name == "http":
            from gateway.interfaces.http import site

            assert self.config.http is not None
            return site(self.commands, self.reactor, self.config.http.hosts, self.listeners.number("tcp"))
        from gateway.interfaces.irc import IRC

        assert self.config.irc is not None
        return IRC(self.commands, self.reactor, self.config.irc.name, self.config.irc.min_interval)

    def listen(self, name: str) -> Deferred[Any]:
        table: Listen | None = getattr(self.config, name)
        return succeed(None) if table is None else self.listeners.listen(name, table.endpoints, self.factory(name))


def changed(old: configuration.Device, new: configuration.Device) -> bool:
    """Whether a device must start anew; an edited table of its driver counts, too."""
    return old.table != new.table or old.driver is not new.driver


def make_service(reactor: Any, config: Config, monotonic: Callable[[], float], **options: Any) -> Gateway:
    """The whole gateway, not started yet.  Options: boot, emulate, load, folder, notice."""
    return Gateway(reactor, config, monotonic, **options)
