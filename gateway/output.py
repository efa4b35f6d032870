"""One output and its rules: how long it may be on, how often a client must set it, what must hold meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import DeviceError, Quantity
from gateway.config import Rules
from gateway.history.question import Deed
from gateway.hub import Hub
from gateway.interlock import Interlock

AGAIN = 5.0  # seconds until an output is switched once more that was not seen to follow
Switch: TypeAlias = Callable[[Quantity, bool], "Deferred[None]"]


class Locked(DeviceError):
    """What must hold for this output to be on does not."""


class Output:
    """*switch* sets it; *note* takes what goes wrong, and *audit* each change by a rule."""

    log = Logger()

    def __init__(
        self,
        name: str,
        quantity: Quantity,
        rules: Rules,
        switch: Switch,
        hub: Hub,
        clock: IReactorTime,
        note: Callable[[Failure], None],
        audit: Callable[[Deed], object],
    ) -> None:
        self.name, self.quantity, self.rules, self.switch = name, quantity, rules, switch
        self.hub, self.clock, self.note, self.audit = hub, clock, note, audit
        self.value: bool | None = None  # as seen
        self.since = 0.0  # when it went on, or was last set so
        self.last: bool | None = None  # the same, but for what a power cut or our own stop made of it
        self.why = ""  # the rule that put it where it is
        self.timed = False  # whether the timers know of its value
        self.timers: dict[str, IDelayedCall] = {}
        self.interlock = Interlock(rules.only_if, hub, clock, self.violated)
        self.failed: Deed | None = None

    def wanted(self, when: str) -> bool | None:
        """Where the policy for *when* puts it; None leaves it alone."""
        policy = getattr(self.rules, when)
        return self.last if policy == "last" else None if policy == "hands-off" else policy == "on"

    def check(self, value: bool) -> None:
        """It is about to be switched.  Raises Locked."""
        if value:
            if why := self.interlock.unmet():
                raise Locked(f"{self.name} stays off: {why}")
            self.hub.rising.add(self.name)

    def seen(self, value: bool, ours: bool) -> None:
        """It is on, or off, whoever did it; unless that is *ours*, ``last`` stays what it was."""
        self.hub.rising.discard(self.name)
        if value != self.value:
            self.value, self.since, self.timed = value, self.clock.seconds(), False
        if not self.timed:
            self.begin()
        if ours:
            self.last = value

    def asked(self) -> None:
        """A client has set it: all times count from now."""
        self.why, self.since = "", self.clock.seconds()
        self.begin()

    def begin(self) -> None:
        self.rest()
        self.timed, most, renew, safe = True, self.rules.max_on, self.rules.renew, self.rules.loss == "on"
        if self.value:
            self.interlock.watch()
        if self.value and most is not None:
            left = max(0.0, self.since + most - self.clock.seconds())  # it may have been lost, and on, meanwhile
            self.later("max_on", left, False, f"on for {most:g} s")
        if renew is not None and self.value != safe:
            self.later("renew", renew, safe, f"not set again within {renew:g} s")

    def later(self, rule: str, seconds: float, value: bool, why: str) -> None:
        self.timers[rule] = self.clock.callLater(seconds, self.act, rule, value, why)

    def violated(self, why: str) -> None:
        if "only_if" not in self.timers:
            self.act("only_if", False, why)

    def act(self, rule: str, value: bool, why: str) -> None:
        """Switch it, until it is seen where it is to be."""
        self.log.warn("{name}: {why}, switched {to}", name=self.name, why=why, to=word(value))
        self.later(rule, AGAIN, value, why)
        self.turn(rule, value, why).addErrback(self.note)

    def turn(self, rule: str, value: bool, why: str) -> Deferred[None]:
        """Switch it once."""
        old, self.why = self.value, f"{rule}: {why}"
        return self.switch(self.quantity, value).addBoth(self.told, rule, old, value)

    def told(self, result: Any, rule: str, old: bool | None, new: bool) -> Any:
        """Every change by a rule is audited; of failures one after the other, the first."""
        outcome = coded(cast(Exception, result.value)) if isinstance(result, Failure) else "OK"
        deed = Deed("gateway", "-", f"rule:{rule}", self.name, word(old), word(new), outcome)
        if old != new and deed != self.failed:
            self.audit(deed)
        self.failed = None if outcome == "OK" else deed
        if outcome == "OK" and rule in ("start", "loss") and (timer := self.timers.pop(rule, None)) and timer.active():
            timer.cancel()  # a rule tries until the output is seen to follow, a policy until it was told
        return result

    def rest(self) -> None:
        """Nothing is to happen by itself, until it is seen again."""
        self.timed = False
        self.interlock.rest()
        for timer in self.timers.values():
            if timer.active():
                timer.cancel()
        self.timers.clear()


def word(value: bool | None) -> str:
    return "-" if value is None else "on" if value else "off"


def coded(error: Exception) -> str:
    """*error* as the answer of a command has it: ``no-answer nobody``."""
    return f"{re.sub('(?<=[a-z])(?=[A-Z])', '-', type(error).__name__).lower()} {' '.join(str(error).split())}".rstrip()
