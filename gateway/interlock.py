"""What must hold while an output is on, looked at as long as it is.

What is not known for certain does not hold: no value, a stale one, a suspect one, or an output that is just being
switched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gateway.conditions import Condition
from gateway.hub import Hub
from gateway.reading import Reading, written

EVERY = 1.0  # seconds between two looks at what nobody tells: that a value is stale, or gone


class Interlock:
    """*violated* is told why, at each look, when *conditions* do not hold."""

    def __init__(
        self, conditions: tuple[Condition, ...], hub: Hub, clock: IReactorTime, violated: Callable[[str], None]
    ) -> None:
        self.conditions, self.hub, self.clock, self.violated = conditions, hub, clock, violated
        self.later: IDelayedCall | None = None
        self.cancel: Callable[[], None] = lambda: None

    def unmet(self) -> str:
        """What does not hold, in words, or ""."""
        told = (unmet(each, self.hub.latest.get(each.name), self.hub.rising) for each in self.conditions)
        return ", ".join(filter(None, told))

    def watch(self) -> None:
        """The output is on."""
        self.rest()
        if self.conditions:
            self.cancel = self.hub.subscribe(lambda readings: self.soon(), *(each.name for each in self.conditions))
            self.soon()

    def soon(self, seconds: float = 0) -> None:
        """Look in another turn: nobody switches while readings are handed out."""
        if self.later is not None and self.later.active():
            self.later.cancel()
        self.later = self.clock.callLater(seconds, self.look)

    def look(self) -> None:
        self.soon(EVERY)
        if why := self.unmet():
            self.violated(why)

    def rest(self) -> None:
        """The output is off, or gone."""
        self.cancel()
        self.cancel = lambda: None
        if self.later is not None and self.later.active():
            self.later.cancel()


def unmet(condition: Condition, reading: Reading | None, rising: Collection[str]) -> str:
    """Why it does not hold, in words, or "".  *rising* are outputs that may be on though they are not seen so."""
    if reading is None:
        return f"{condition.name} has no value"
    quality = "stale" if reading.stale() else reading.mark
    if quality != "good":
        return f"{condition.name} is {quality}"
    kind, value, limit = reading.quantity.kind, reading.value, condition.limit
    said = f"{condition.name} is {written(reading.quantity, value)}"
    if kind not in condition.kinds or isinstance(value, str):
        return said
    if condition.must == "off" and condition.name in rising:
        return f"{condition.name} is being switched"
    if condition.must in ("on", "off"):
        return "" if bool(value) == (condition.must == "on") else said
    holds = value > limit if condition.must == ">" else value < limit
    return "" if holds else f"{said}, not {condition.must} {limit:g}"
