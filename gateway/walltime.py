"""Notices when the wall clock may be trusted, and when it is set, and tells ``clock``; keeps the last known time.

A board without a battery-backed clock boots with yesterday's time, or in 1970.  So there the wall clock counts only
once the kernel says that it is synchronised, or once a receiver that the configuration names has told the time.
docs/time.md has the rules, and docs/decisions/0003-trusted-time.md why they are these.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.clock import Clock, iso
from gateway.reading import Readings
from gateway.timesource import EARLIEST, may_be_wrong_at_boot, plausible, synchronised, told

EVERY = 1.0  # seconds between two looks at the wall clock
STEP = 0.25  # seconds; less is our own delay
MANY = 1000  # segments of one boot; with each further thousand only steps twice as large are followed
AGREE, AWAY = 1.0, 2.0  # seconds: between two tellings of a receiver, and until our time is no longer its time
KEEP, SOON = 600.0, 60.0  # seconds between two notes of the time, and when the clock was set meanwhile
Trust = Literal["auto", "system", "synchronized"]


class WallTime(Service):
    """Looks at the wall clock once a second.  *receiver* is the device that is believed while nobody vouches for the
    system's clock.  The last known time is noted at *path*; *facts* gets a line for `status`: who is believed."""

    log = Logger()

    def __init__(
        self,
        clock: Clock,
        reactor: IReactorTime,
        trust: Trust = "auto",
        wall: Callable[[], float] = time.time,
        *,
        receiver: str = "",
        path: Path | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.clock, self.reactor, self.system, self.path = clock, reactor, wall, path
        self.trust, self.receiver = trust, receiver
        self.facts = {} if facts is None else facts
        self.voucher = ""  # who vouches for the system's clock, once somebody does
        self.heard: float | None = None  # the offset that the receiver's last telling comes to
        self.warned = self.hinted = self.failed = False  # each is logged once
        self.kept = -SOON  # monotonic: when the time was noted
        self.due = 0.0  # monotonic: when that is to be done again
        self.timer: IDelayedCall | None = None

    def configure(self, trust: Trust, receiver: str) -> None:
        """Go on under another configuration.  A time that is known stays known."""
        if (trust, receiver) != (self.trust, self.receiver):
            self.trust, self.receiver, self.voucher, self.heard = trust, receiver, "", None

    def startService(self) -> None:
        super().startService()
        self.look()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
            self.keep()
        return succeed(None)

    def look(self) -> None:
        self.timer = self.reactor.callLater(EVERY, self.look)
        wall, at = self.both()
        if not self.voucher:
            self.voucher, why = self.vouched(wall)
            if why and self.clock.now() is None:
                self.facts["clock"] = f"unknown: {why}"
                if not self.warned:
                    self.log.warn("the time is not known: {why}", why=why)
                self.warned = True
        if self.voucher:
            self.follow(wall, at, self.voucher, self.tolerance())
        if self.clock.monotonic() >= self.due:
            self.keep()

    def both(self) -> tuple[float, float]:
        """Wall time and monotonic time of one moment.  Between two looks others may have the processor for long, so
        it is the best of three."""
        looks = []
        for _ in range(3):
            before, wall, after = self.clock.monotonic(), self.system(), self.clock.monotonic()
            looks.append((after - before, wall, (before + after) / 2))
        _, wall, at = min(looks)
        return wall, at

    # Who is believed

    def vouched(self, wall: float) -> tuple[str, str]:
        """Who vouches for the system's clock, or why nobody does."""
        least = max(self.clock.floor, EARLIEST)
        if self.trust == "system":
            return "system", ""
        if wall >= EARLIEST and synchronised():
            return "synchronized", ""
        if wall < least:
            return "", f"the system's clock says {iso(wall)}, but {iso(least)} has been already"
        if self.trust == "synchronized" or may_be_wrong_at_boot():
            return "", "the system's clock follows no time source yet"
        return "system", ""

    def tolerance(self) -> float:
        """Seconds by which the clock may be off before it is set again.  Whoever sets the system's clock over and
        over again must not fill the memory."""
        return STEP * 2.0 ** (len(self.clock.segments.get(self.clock.boot, ())) // MANY)

    def follow(self, wall: float, at: float, who: str, tolerance: float) -> None:
        """Set the clock, if it does not know that it was *wall* at that monotonic instant."""
        known = self.clock.wall(self.clock.boot, at)
        self.facts["clock"] = f"{who}, within {tolerance:g} s"
        if known is not None and abs(wall - known) <= tolerance:
            return
        if known is None:
            self.log.info("it is {time}, says {who}", time=iso(wall), who=who)
        else:
            self.log.info("the wall clock was set by {step:+.3f} s", step=wall - known)
        self.clock.set(wall, at)
        self.due = min(self.due, self.kept + SOON)

    def hear(self, readings: Readings) -> None:
        """A receiver's time, while nobody vouches for the system's.  *readings* are the time and, where it has one,
        the mode of one sample: without a fix that it measured it is not believed."""
        modes = [reading.value for reading in readings if reading.quantity.name == "mode"]
        if self.voucher or not {"none", "estimated"}.isdisjoint(modes):
            return
        for reading in readings:
            # What can be set is no receiver's.
            if isinstance(reading.value, str) and not reading.quantity.writable and reading.mark == "good":
                wall = told(reading.value)
                if wall is not None and wall >= self.clock.floor:
                    self.believe(reading.name.rpartition(".")[0], wall, reading.monotonic)

    def believe(self, device: str, wall: float, at: float) -> None:
        """It takes two tellings that agree."""
        if device == self.receiver:
            before, self.heard = self.heard, wall - at
            if before is not None and abs(self.heard - before) <= AGREE:
                self.follow(wall, at, device, AWAY)
        elif self.clock.now() is None and not self.hinted:
            self.hinted = True
            self.log.info('{name} tells the time; `time_from = "{name}"` in [gateway] would believe it', name=device)

    # What is kept

    def keep(self) -> None:
        """Note what time it is at least, for the next boot: as the date of an empty file, which takes no data and
        does not wait for the disk."""
        wall, now = self.clock.least(), self.clock.monotonic()
        self.due = now + KEEP
        if self.path is None or not plausible(wall):
            return
        self.kept = now
        try:
            self.path.touch()
            os.utime(self.path, (wall, wall))
        except OSError as error:
            if not self.failed:
                self.log.warn("the time cannot be noted: {path}: {error}", path=self.path, error=error)
            self.failed = True
