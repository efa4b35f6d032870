"""When a device is measured, or for how long it may be silent; and after how much trouble it is lost."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, cast
from zlib import crc32

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from drivers.api import Measures, WrongDevice

if TYPE_CHECKING:
    from gateway.device import Device

PATIENCE = 3  # measurements in a row that may fail before the device counts as lost
PHASES = 4  # polls of a second or more come at so many moments of it, quicker ones at one: they share its wakeup


class Polls:
    """Those of one device."""

    def __init__(self, device: Device) -> None:
        self.of, self.clock, self.period = device, device.clock, device.plan.card.period
        self.timer: IDelayedCall | None = None
        self.failures = 0

    def begin(self) -> None:
        self.failures = 0
        if self.period and isinstance(self.of.device, Measures):
            self.schedule()
        elif self.period:
            self.timer = self.clock.callLater(self.of.silence, self.listen)

    def rest(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()

    def schedule(self) -> None:
        """The next poll, on the grid of this device's period and phase."""
        now, period = self.clock.seconds(), self.period
        phase = crc32(self.of.who.encode()) % PHASES / PHASES if period >= 1 else 0.0
        due = (floor((now + period / 2 - phase) / period) + 1) * period + phase
        self.timer = self.clock.callLater(due - now, self.poll)

    def poll(self) -> None:
        self.schedule()
        if self.of.measuring is None:
            self.of.read().addCallbacks(self.good, self.missed)

    def good(self, result: None) -> None:
        self.failures = 0

    def missed(self, failure: Failure) -> None:
        if self.of.connection is None or failure.check(CancelledError):
            return
        self.failures += 1
        error = cast(Exception, failure.value)
        self.of.hub.fail(self.of.who, error)
        if isinstance(error, WrongDevice):
            self.of.refuse(error)
        elif self.failures >= PATIENCE:
            self.of.lose(error)

    def listen(self) -> None:
        """Is it still talking?"""
        left = self.of.heard + self.of.silence - self.of.hub.clock.monotonic()
        if left > 0:
            self.timer = self.clock.callLater(left, self.listen)
        else:
            error = self.of.silent(self.of.silence)
            self.of.hub.fail(self.of.who, error)
            self.of.lose(error)
