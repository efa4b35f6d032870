"""What devices remember: a counter goes on where it was, be its chip unplugged or the gateway started again.

The state of a device is a few bytes that only its driver understands.  It lies in a file of its own, written at a
bounded rate, because an SD card wears, and when the device stops; so a clean stop loses nothing, and a power cut what
came in the last half a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from drivers.api import Device, Remembers

EVERY = 30.0  # seconds between two writes for one device


class Memory:
    """All that is remembered, by name, in files in *folder*, or without one as long as this process runs."""

    log = Logger()

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.kept = folder, dict[str, bytes]()

    def load(self, name: str) -> bytes | None:
        if name not in self.kept and self.folder is not None:
            try:
                self.kept[name] = (self.folder / name).read_bytes()
            except FileNotFoundError:
                pass
            except OSError as error:
                self.log.warn("{path}: {error}", path=self.folder / name, error=error.strerror)
        return self.kept.get(name)

    def save(self, name: str, data: bytes) -> None:
        """Nobody waits for the disk: what is written is whole or the one before, as the kernel renames files."""
        self.kept[name] = data
        if self.folder is None:
            return
        fresh = self.folder / f"{name}.new"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(data)
            fresh.replace(self.folder / name)
        except OSError as error:
            self.log.warn("{path} cannot be kept: {error}", path=self.folder / name, error=error.strerror)


class Carried:
    """The state of one device, carried from each object that its driver makes to the next.  *name* is the state's,
    *make* makes an object."""

    log = Logger()

    def __init__(self, name: str, make: Callable[[], Device], memory: Memory, clock: IReactorTime) -> None:
        self.name, self.make, self.memory, self.clock = name, make, memory, clock
        self.later: IDelayedCall | None = None
        self.any = False  # to remember

    def fresh(self, old: Device | None = None) -> Device:
        """A new object that begins where *old* is, or where the one kept last was."""
        if old is not None:
            self.keep(old)
        self.rest()
        device = self.make()
        self.any = isinstance(device, Remembers)
        if isinstance(device, Remembers) and (data := self.memory.load(self.name)) is not None:
            try:
                device.restore(data)
            except ValueError as error:
                self.log.warn("{name} begins anew: {error}", name=self.name, error=str(error))
                return self.make()
        return device

    def changed(self, device: Device) -> None:
        """*device* has heard something: keep its state soon."""
        if self.any and self.later is None:
            self.later = self.clock.callLater(EVERY, self.keep, device)

    def keep(self, device: Device) -> None:
        """Keep what *device* knows now."""
        self.rest()
        if isinstance(device, Remembers) and (data := device.state()) != self.memory.load(self.name):
            self.memory.save(self.name, data)

    def rest(self) -> None:
        if self.later is not None and self.later.active():
            self.later.cancel()
        self.later = None
