"""What keeps outputs safe: where they are put at the start, after a loss and at the stop, and for how long they may
be on.  It serves everything with a writable flag, on GPIO, I2C or a serial line alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import DeviceError, NoAnswer, Quantity, Sample, SetLines, Value, Writes
from gateway.plan import Plan

PATIENCE = 5.0  # seconds that the outputs of one device may take to get where the policy wants them


def switches(plan: Plan) -> list[Quantity]:
    """What can be switched on and off."""
    return [each for each in plan.card.quantities if each.writable and each.kind == "flag"]


def levels(plan: Plan, policy: str) -> dict[str, bool] | None:
    """The electrical levels that GPIO outputs begin with by *policy*; the driver knows, and its first operation tells.
    None is: leave the lines as they are."""
    if policy not in ("on", "off"):
        return None
    device = plan.driver.device(plan.settings)
    found: dict[str, bool] = {}
    assert isinstance(device, Writes)
    for quantity in switches(plan):
        talk = device.write(quantity, policy == "on")
        operation = next(talk)
        talk.close()
        assert isinstance(operation, SetLines)
        found.update(operation.levels)
    return found


class Outputs:
    """The outputs of one device.  *write* sets one; *note* takes what goes wrong."""

    log = Logger()

    def __init__(
        self,
        plan: Plan,
        write: Callable[[Quantity, Value], Deferred[None]],
        clock: IReactorTime,
        note: Callable[[Failure], None],
    ) -> None:
        self.plan, self.write, self.clock, self.note = plan, write, clock, note
        self.off: dict[Quantity, IDelayedCall] = {}
        self.last: dict[Quantity, Value] = {}

    def apply(self, policy: str, seconds: float = PATIENCE) -> Deferred[None]:
        """Bring the outputs to where *policy* wants them: for ``last`` to where they were seen last, which is nowhere
        yet at the start; ``hands-off`` leaves them alone."""
        wanted = self.last if policy == "last" else dict.fromkeys(switches(self.plan), policy == "on")
        if policy == "hands-off" or not wanted:
            return succeed(None)
        return Deferred.fromCoroutine(self.turn(wanted)).addTimeout(seconds, self.clock, slow).addErrback(self.note)

    async def turn(self, wanted: Mapping[Quantity, Value]) -> None:
        """One that cannot be set does not keep the others from it.  First those that were seen elsewhere: the time is
        short, and a board with eight relays on a slow line may not have enough of it."""
        for quantity, value in sorted(wanted.items(), key=lambda each: self.last.get(each[0]) == each[1]):
            try:
                await self.write(quantity, value)
            except DeviceError:
                self.note(Failure())

    def seen(self, sample: Sample) -> None:
        """Remember where the outputs are.  One that is on may not be so for longer than its longest time."""
        for quantity, value in sample.items():
            if quantity.writable and quantity.kind == "flag":
                self.last[quantity] = value
                if (timer := self.off.pop(quantity, None)) is not None and timer.active():
                    timer.cancel()
                if value and self.plan.max_on < inf:
                    self.off[quantity] = self.clock.callLater(self.plan.max_on, self.too_long, quantity)

    def too_long(self, quantity: Quantity) -> None:
        name = f"{self.plan.card.name}.{quantity.name}"
        self.log.warn("{name}: on for {most:g} s, switched off", name=name, most=self.plan.max_on)
        self.off[quantity] = self.clock.callLater(PATIENCE, self.too_long, quantity)  # until it is seen to be off
        self.write(quantity, False).addErrback(self.note)

    def rest(self) -> None:
        """Nobody is there to switch any more."""
        for timer in self.off.values():
            if timer.active():
                timer.cancel()
        self.off.clear()


def slow(result: object, seconds: float) -> Failure:
    return Failure(NoAnswer(f"not all outputs were set within {seconds:g} s"))
