"""What devices remember: a counter goes on where it was, be its chip unplugged or the gateway started again.

The state of a device is a few bytes that only its driver understands.  It is kept at a bounded rate, because an SD card
wears, and when the device stops; so a clean stop loses nothing, and a power cut ``EVERY`` seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import Device, Remembers

EVERY = 30.0  # seconds between two that are kept of one device


class Memory:
    """All that is remembered, by name.  *kept* is what there is from before; *keep* makes one last longer than this
    process, and fires when it does."""

    def __init__(
        self, keep: Callable[[str, bytes], Deferred[None]] | None = None, kept: Mapping[str, bytes] | None = None
    ) -> None:
        self.keep, self.kept = keep, dict(kept or {})

    def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def save(self, name: str, data: bytes) -> Deferred[None]:
        self.kept[name] = data
        return succeed(None) if self.keep is None else self.keep(name, data)


class Carried:
    """The state of one device, carried from each object that its driver makes to the next.  *name* is the state's,
    *make* makes an object, *note* takes what goes wrong."""

    log = Logger()

    def __init__(
        self,
        name: str,
        make: Callable[[], Device],
        memory: Memory,
        clock: IReactorTime,
        note: Callable[[Failure], None],
    ) -> None:
        self.name, self.make, self.memory, self.clock, self.note = name, make, memory, clock, note
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

    def keep(self, device: Device) -> Deferred[None]:
        """Keep what *device* knows now.  Fires when it is safe, or was not to be had."""
        self.rest()
        if not isinstance(device, Remembers) or (data := device.state()) == self.memory.load(self.name):
            return succeed(None)
        return self.memory.save(self.name, data).addErrback(self.note)

    def rest(self) -> None:
        if self.later is not None and self.later.active():
            self.later.cancel()
        self.later = None
