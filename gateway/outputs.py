"""All outputs of one device: where they are put at the start, after a loss and at the stop, and where they were last.
It serves everything with a writable flag, on GPIO, I2C or a serial line alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from drivers.api import DeviceError, NoAnswer, Quantity, Sample, SetLines, Value, Writes
from gateway.config import switches
from gateway.history.question import Deed
from gateway.hub import Hub
from gateway.memory import EVERY, Memory
from gateway.output import AGAIN, Output, Switch
from gateway.plan import Plan

PATIENCE = 5.0  # seconds that the outputs of one device may take to get where the policy wants them


class Outputs:
    """*switch* sets one; *note* takes what goes wrong, and *audit* each change by a rule."""

    def __init__(
        self,
        plan: Plan,
        switch: Switch,
        hub: Hub,
        clock: IReactorTime,
        note: Callable[[Failure], None],
        memory: Memory,
        audit: Callable[[Deed], object] = lambda deed: None,
    ) -> None:
        self.plan, self.clock, self.note = plan, clock, note
        make = partial(Output, switch=switch, hub=hub, clock=clock, note=note, audit=audit)
        self.all = {
            quantity: make(f"{plan.card.name}.{quantity.name}", quantity, rules)
            for quantity in switches(plan.card.quantities)
            if (rules := plan.rules.get(quantity.name)) is not None
        }
        self.past = Past(f"outputs:{plan.card.name}", self.all, memory, clock)
        self.when = "start"  # the policy that is next
        self.live = False  # whether there is something to switch
        self.ours = False  # whether it is: what was seen before that may be what a power cut left

    @property
    def why(self) -> dict[str, str]:
        """Which rules put outputs where they are."""
        return {quantity.name: output.why for quantity, output in self.all.items() if output.why}

    def levels(self) -> dict[str, bool] | None:
        """The electrical levels that GPIO outputs begin with; the driver knows, and its first operation tells.  None
        leaves all lines as they are: it takes one that is to be left so."""
        found: dict[str, bool] = {}
        for quantity, output in self.all.items():
            if (wanted := output.wanted(self.when)) is None:
                return None
            device = self.plan.driver.device(self.plan.settings)
            assert isinstance(device, Writes)
            talk = device.write(quantity, wanted)
            operation = next(talk)
            talk.close()
            assert isinstance(operation, SetLines)
            found.update(operation.levels)
        return found or None

    def begin(self) -> Deferred[None]:
        """The device is there."""
        when, self.when, self.live = self.when, "loss", True
        done = self.apply(when)
        self.ours = True
        for output in self.all.values():
            output.last = output.value if output.last is None else output.last
        return done

    def stop(self, seconds: float) -> Deferred[None]:
        """The gateway lets go of it."""
        self.ours = self.live = False
        return self.apply("stop", seconds)

    def apply(self, when: str, seconds: float = PATIENCE) -> Deferred[None]:
        """Bring the outputs to where the policy for *when* wants them."""
        wanted = [(output, value) for output in self.all.values() if (value := output.wanted(when)) is not None]
        if not wanted:
            return succeed(None)
        turned = Deferred.fromCoroutine(self.turn(when, wanted))
        return turned.addTimeout(seconds, self.clock, slow).addErrback(self.note)

    async def turn(self, when: str, wanted: list[tuple[Output, bool]]) -> None:
        """One that cannot be set does not keep the others from it.  First those that were seen elsewhere: the time is
        short, and a board with eight relays on a slow line may not have enough of it."""
        wanted = sorted(wanted, key=lambda each: each[0].value == each[1])
        left = dict(wanted)
        try:
            for output, value in wanted:
                try:
                    await output.turn(when, value, getattr(output.rules, when))
                except DeviceError:
                    self.note(Failure())
                else:
                    del left[output]
        finally:  # also where the time is over
            for output, value in left.items() if self.live else ():
                output.later(when, AGAIN, value, getattr(output.rules, when))

    def check(self, quantity: Quantity, value: Value) -> None:
        """*quantity* is about to be set.  Raises Locked."""
        if (output := self.all.get(quantity)) is not None:
            output.check(bool(value))

    def seen(self, sample: Sample) -> None:
        """This is where outputs are now."""
        for quantity, value in sample.items():
            if (output := self.all.get(quantity)) is not None:
                output.seen(bool(value), self.ours)
                self.past.changed()

    def asked(self, quantity: Quantity) -> None:
        """A client has set *quantity*."""
        if (output := self.all.get(quantity)) is not None:
            output.asked()

    def rest(self) -> None:
        """Nobody is there to switch any more."""
        self.ours = self.live = False
        for output in self.all.values():
            output.rest()
        self.past.rest()


class Past:
    """Where outputs were when the gateway ran last, for those that are to go on there.  A change is kept at once, and
    those that follow within half a minute together: an SD card wears."""

    def __init__(self, name: str, outputs: dict[Quantity, Output], memory: Memory, clock: IReactorTime) -> None:
        self.name, self.memory, self.clock = name, memory, clock
        self.outputs = {
            quantity.name: output
            for quantity, output in outputs.items()
            if "last" in (output.rules.start, output.rules.loss, output.rules.stop)
        }
        self.later: IDelayedCall | None = None
        for key, value in self.load().items():
            if key in self.outputs:
                self.outputs[key].last = value

    def load(self) -> dict[str, bool]:
        try:
            data = self.memory.load(self.name) if self.outputs else None
            return msgspec.json.decode(data, type=dict[str, bool]) if data else {}
        except msgspec.MsgspecError:
            return {}

    def changed(self) -> None:
        """Perhaps."""
        if self.outputs and self.later is None and self.save():
            self.later = self.clock.callLater(EVERY, self.again)

    def again(self) -> None:
        self.later = None
        self.changed()

    def save(self) -> bool:
        """Whether there was something to save."""
        known = {name: output.last for name, output in self.outputs.items() if output.last is not None}
        data = msgspec.json.encode(known)
        if not known or data == self.memory.load(self.name):
            return False
        self.memory.save(self.name, data)
        return True

    def rest(self) -> None:
        self.save()
        if self.later is not None and self.later.active():
            self.later.cancel()
        self.later = None


def slow(result: object, seconds: float) -> Failure:
    return Failure(NoAnswer(f"not all outputs were set within {seconds:g} s"))
