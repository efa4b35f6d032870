"""What is tried, step by step, when an I2C bus is held down and does not come round by itself.

The first steps are others': a device asks again, and an address that keeps timing out rests.  When transfers keep
failing in a way that is no single chip's, the adapter is closed and opened anew; then the kernel's driver is bound
anew, where we may do that; then the power of the chips is switched off and on, where a line for it is configured.
Then it begins again, with growing pauses.  One transfer that works, or that a chip just does not answer, ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.transports.queue import Job

if TYPE_CHECKING:
    from gateway.transports.i2c import I2CBus

Power = Callable[[], "Deferred[Any]"]
FIRST, MOST = 3, 24  # failures in a row before the first step, and at most between two
HUNG = 5.0  # seconds that a call may be in the kernel before the power is cut: no other step can be taken meanwhile


class Ladder:
    """The ladder of *bus*.  *tell* hears each step, and "" when the bus works again."""

    log = Logger()

    def __init__(self, bus: I2CBus, power: Power | None, tell: Callable[[str], None]) -> None:
        self.bus, self.power, self.told = bus, power, tell
        self.failures, self.due, self.step = 0, FIRST, 0
        self.climbing = False

    def worked(self) -> None:
        if self.step:
            self.tell(f"works again, after {self.failures} failures")
            self.told("")
        self.failures, self.due, self.step = 0, FIRST, 0

    def failed(self) -> None:
        """A transfer failed, and it was the bus."""
        self.failures += 1
        if self.failures >= self.due and not self.climbing and self.bus.closed is None:
            self.due += min(self.due, MOST)
            steps = [self.reopen, self.reset, *([self.cut] if self.power else [])]
            climb = steps[self.step % len(steps)]
            self.step += 1
            self.climbing = self.bus.held = True
            climb().addBoth(self.climbed)

    def hung(self, job: Job) -> None:
        """*job* did not come back in time."""
        if self.power is not None:
            self.bus.reactor.callLater(HUNG, self.still, job)
        self.failed()

    def still(self, job: Job) -> None:
        if self.bus.running is job and self.bus.closed is None:
            self.cut()

    def climbed(self, result: object) -> None:
        self.climbing = self.bus.held = False
        self.bus.resting.clear()  # so that it is soon seen whether it helped
        if self.bus.closed is None:
            self.bus.next()

    def reopen(self) -> Deferred[Any]:
        return self.take("the adapter is opened anew", self.bus.adapter.again)

    def reset(self) -> Deferred[Any]:
        return self.take("the kernel's driver is bound anew", self.bus.adapter.reset)

    def take(self, words: str, call: Callable[[], bytes]) -> Deferred[Any]:
        """Have the thread make *call*, when it has come back to us."""
        self.tell(f"{self.failures} transfers failed; {words}")
        return self.bus.urgent(words, call).addErrback(self.vain, words)

    def cut(self) -> Deferred[Any]:
        words = "the power of its chips is switched off and on"
        self.tell(f"{self.failures} transfers failed; {words}")
        assert self.power is not None
        return self.power().addErrback(self.vain, words)

    def vain(self, failure: Failure, words: str) -> None:
        self.tell(f"{words}: this failed: {failure.getErrorMessage()}")

    def tell(self, words: str) -> None:
        self.log.warn("{bus}: {words}", bus=self.bus.name, words=words)
        self.told(words)
