"""GPIO lines behind a bus, as of an expander on I2C: each look and each setting waits for a transfer, up to a second
where something holds the bus.  A thread for each chip does that; edges come from the kernel as those of any other line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from drivers.api import NoAnswer
from gateway.transports.gpio import Wish
from gateway.transports.gpiochip import GPIOChips, KernelLines
from gateway.transports.queue import Queue

TIMEOUT = 2.0  # seconds: the kernel's drivers of buses give up after one
WAITING = 64  # calls


class ExpanderLines(KernelLines):
    """The lines *places* of *wish*, by the path of their chip and their offset.  *behind* is the chip whose thread does
    it all.  ``ready`` fires when they are set up, or fails; it can be cancelled."""

    def __init__(self, chips: GPIOChips, wish: Wish, places: Mapping[str, Mapping[int, str]], behind: str) -> None:
        super().__init__(chips.reactor, chips.monotonic, wish, chips.module())
        self.chips, self.places, self.behind = chips, places, behind
        if behind not in chips.threads:
            name = f"chip {os.path.basename(behind)}"
            queue = Queue(chips.reactor, name, lambda: None, limit=WAITING, timeout=TIMEOUT)
            chips.threads[behind] = queue, set()
        self.thread, users = chips.threads[behind]
        users.add(self)
        self.started = False
        self.got = list[tuple[Any, Mapping[int, str]]]()
        self.found: Mapping[str, bool] = {}
        self.ready = self.ask("setting them up", self.set_up).addCallbacks(self.begun, self.never)

    def ask(self, about: str, call: Callable[[], object]) -> Deferred[Any]:
        """Have the thread make *call*."""

        def called() -> bytes:
            call()
            return b""

        return self.thread.enqueue(self, f"{', '.join(self.wish.lines.values())}: {about}", called)

    def set_up(self) -> None:
        """In the thread."""
        self.started = True
        if self.open:  # else they were given up meanwhile, and nobody lets go of what is taken now
            for path, names in self.places.items():
                self.got.append((self.chips.requested(path, names, self.wish), names))
            self.found = self.values(self.got)

    def begun(self, done: object) -> None:
        for request, names in self.got:
            self.add(request, names)
        self.begin(self.found)

    def never(self, failure: Failure) -> Failure:
        """They cannot be had, or nobody wants them any more; what the thread has taken, or still takes, is let go."""
        self.open = False
        self.let_go()
        return Failure(NoAnswer(failure.getErrorMessage())) if failure.check(OSError) else failure

    def let_go(self) -> None:
        if self.started:
            self.thread.urgent("lines are let go", self.give_back).addBoth(self.over)
        else:
            self.over()

    def give_back(self) -> bytes:
        """In the thread."""
        for request, _ in self.got:
            request.release()
        return b""

    def over(self, done: object = None) -> None:
        users = self.chips.threads[self.behind][1]
        users.discard(self)
        if not users:
            del self.chips.threads[self.behind]
            self.thread.close()

    def glimpse(self) -> Deferred[Mapping[str, bool]]:
        return self.ask("looking at them", self.glance).addCallback(lambda _: self.found)

    def glance(self) -> None:
        """In the thread."""
        self.found = self.values(self.got)

    def driving(self, levels: Mapping[str, bool]) -> Deferred[Any]:
        return self.ask("setting them", partial(self.drive, levels))

    def release(self) -> None:
        for each in self.requests:
            self.reactor.removeReader(each)
        if self.ready.called:
            self.let_go()
        else:
            self.ready.cancel()
