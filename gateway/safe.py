"""``gateway safe``: outputs where their policy for the stop wants them, when the gateway itself could not see to it.

systemd runs it after a gateway that was killed.  It opens devices with such outputs and no others, waits until they are
there or some seconds are over, and leaves to the audit trail what it did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from gateway import config as configuration
from gateway.alone import claim
from gateway.client import GatewayError
from gateway.clock import Clock, Segment
from gateway.config import Config, Rules
from gateway.device import Device
from gateway.hardware import Hardware
from gateway.history.events import add_deed
from gateway.history.opening import opened
from gateway.history.question import Deed, HistoryError
from gateway.hub import Hub
from gateway.memory import Memory
from gateway.output import Output, word
from gateway.plan import planned
from gateway.ring import Ring
from gateway.state import database
from gateway.timesource import may_be_wrong_at_boot, synchronised

LIMIT = 5.0  # seconds for all of it; systemd waits for ten
LOOK = 0.02  # seconds between two looks whether it is done


def run(reactor: Any, config: Config, folder: Path) -> int:
    """The exit status: 1 when an output could not be reached.  Raises GatewayError while a gateway runs."""
    try:
        lock = claim(folder, alone=True)
    except BlockingIOError:
        raise GatewayError(f"a gateway runs ({folder}/lock), and sees to its outputs itself") from None
    safe, bugs = Safe(reactor, config, folder), list[Failure]()

    def begin() -> None:
        Deferred.fromCoroutine(safe.apply()).addErrback(bugs.append).addBoth(lambda _: reactor.stop())

    if safe.devices:
        reactor.callWhenRunning(begin)
        reactor.run()
    for bug in bugs:
        bug.raiseException()
    for line in safe.told:
        print(line)
    safe.keep(database(config.history, folder))
    if lock is not None:
        lock.close()
    return int(safe.failed)


class Safe:
    """The devices of *config* that have something to be put somewhere."""

    def __init__(self, reactor: Any, config: Config, folder: Path) -> None:
        began = time.monotonic()
        self.reactor, self.config, self.failed = reactor, config, False
        self.told, self.deeds = list[str](), list[tuple[float, Deed]]()
        self.hub = Hub(Clock(1, lambda: time.monotonic() - began))
        self.memory = Memory(folder / "memory")
        self.hardware = Hardware(reactor, False, self.hub.clock.monotonic, config.gpio)
        self.hardware.buses.configure(config, False)
        self.devices = [self.device(each) for each in config.devices if each.enabled and any(wishes(each))]

    def device(self, device: configuration.Device) -> Device:
        """One that begins where the other one should have ended."""
        ring = Ring(self.hub.clock.monotonic)
        rules = {name: Rules(start=each.stop, loss=each.stop, stop="hands-off") for name, each in device.rules.items()}
        plan = replace(planned(device), rules=rules)
        open = self.hardware.open(device, plan, ring, lambda: made.outputs.levels())
        made = Device(plan, open, ring, self.reactor, self.hub, self.memory, self.note)
        return made

    def note(self, deed: Deed) -> None:
        deed = replace(deed, interface="rule:stop", origin="safe")
        self.deeds.append((self.hub.clock.monotonic(), deed))

    async def apply(self) -> None:
        wanted = [
            (device, output, value)
            for device in self.devices
            for output in device.outputs.all.values()
            if (value := output.wanted("start")) is not None
        ]
        for device in self.devices:
            device.startService()
        while self.hub.clock.monotonic() < LIMIT and any(waits(*each) for each in wanted):
            await deferLater(self.reactor, LOOK)
        self.tell(wanted)
        await DeferredList([device.stopService() for device in self.devices], consumeErrors=True)
        await self.hardware.close()

    def tell(self, wanted: list[tuple[Device, Output, bool]]) -> None:
        for device, output, value in wanted:
            if output.value == value and device.status.state == "running":
                self.told.append(f"{output.name} {word(value)}")
            else:
                self.failed = True
                how = f"{device.status.state} {device.status.reason}".rstrip()
                self.told.append(f"{output.name} is not known to be {word(value)}: {how}")

    def keep(self, path: str | None) -> None:
        """What was done, for the audit trail of the next gateway."""
        if path is None or not self.deeds:
            return
        try:
            store, why = opened(path)
            if not why:
                store.begin(store.boot + 1, store.floor_ms())
                self.time(store)
                for at, deed in self.deeds:
                    add_deed(store, store.boot, round(at * 1000), deed)
                store.commit()
            store.close()
        except HistoryError as error:
            why = str(error)
        if why:
            print(f"not in the audit trail: {why}")

    def time(self, store: Any) -> None:
        trust = self.config.time
        if trust == "system" or synchronised() or (trust == "auto" and not may_be_wrong_at_boot()):
            store.learn(Segment(store.boot, 0.0, time.time() - self.hub.clock.monotonic()))


def wishes(device: configuration.Device) -> Iterator[bool]:
    return (rules.stop != "hands-off" for rules in device.rules.values())


def waits(device: Device, output: Output, value: bool) -> bool:
    """Whether there is any use in waiting for it."""
    state = device.status.state
    return state != "refused" and (output.value != value or state != "running")
