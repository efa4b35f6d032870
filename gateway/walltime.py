"""Notices when the wall clock may be trusted, and when it is set, and tells ``clock``.

A board without a battery-backed clock boots with yesterday's time.  So on a board (it has a device tree) without
/dev/rtc0 the wall clock counts only once the kernel says that it is synchronised (adjtimex(2) no longer answers
TIME_ERROR), or once a receiver of satellite time has told a date that can be true.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.clock import Clock
from gateway.reading import Readings

EVERY = 1.0  # seconds between two looks at the wall clock
STEP = 0.25  # seconds; less is slewing, or our own delay
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
EARLIEST, LATEST = 1_790_000_000, 2_500_000_000  # Unix times, 2026-09 and 2049-03: what a receiver says may be true
Trust = Literal["auto", "system", "synchronized"]


def synchronised() -> bool:
    """Whether the kernel's clock follows a time source, as far as the kernel lets us ask."""
    return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) != TIME_ERROR)


def may_be_wrong_at_boot(root: Path = Path("/")) -> bool:
    """Whether this is a board that has no clock of its own."""
    return (root / "proc/device-tree").exists() and not (root / "dev/rtc0").exists()


def plausible(wall: float) -> bool:
    """Whether a receiver's Unix time can be true; an old one is 1024 weeks late after its week counter rolled over."""
    return EARLIEST < wall < LATEST


class WallTime(Service):
    """Looks at the wall clock once a second."""

    log = Logger()

    def __init__(
        self, clock: Clock, reactor: IReactorTime, trust: Trust = "auto", wall: Callable[[], float] = time.time
    ) -> None:
        self.clock, self.reactor, self.system = clock, reactor, wall
        self.trusted = trust == "system" or (trust == "auto" and not may_be_wrong_at_boot())
        self.offset: float | None = None
        self.timer: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self.look()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        return succeed(None)

    def look(self) -> None:
        self.timer = self.reactor.callLater(EVERY, self.look)
        if not self.trusted:
            self.trusted = synchronised()
        if self.trusted:
            wall = self.system()
            offset = wall - self.clock.monotonic()
            if self.offset is None or abs(offset - self.offset) > STEP:
                if self.offset is not None:
                    self.log.info("the wall clock was set by {step:+.3f} s", step=offset - self.offset)
                self.offset = offset
                self.clock.set(wall)

    def hear(self, readings: Readings) -> None:
        """A receiver's time, for a clock that nobody else has told.  What can be set is no receiver's."""
        for reading in readings:
            if self.clock.now() is None and isinstance(reading.value, str) and not reading.quantity.writable:
                try:
                    told = datetime.fromisoformat(reading.value)
                except ValueError:
                    continue
                wall = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
                if plausible(wall) and reading.mark == "good":
                    self.log.info("{name} says that it is {time}", name=reading.name, time=reading.value)
                    self.clock.set(wall)
