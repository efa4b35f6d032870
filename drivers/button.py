"""A button, switch, door contact or anything else that opens and closes one GPIO line.

Datasheet: none of its own; the Linux GPIO user interface ("GPIO Character Device Userspace
API", docs.kernel.org/userspace-api/gpio) says all there is:

    line   active = "low"    active = "high"
    low    on (pressed)      off
    high   off               on

A contact from the line to ground wants active = "low" and pull = "up", which is how it comes.
Contacts bounce for some milliseconds.  Edges alone cannot tell when that is over, so whoever
reads the line (the kernel, where it can) swallows every level that holds for less than
``debounce`` seconds, and sets the ``pull``; here each edge counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drivers.api import GPIO, Driver, Edge, Sample
from drivers.quantities import count, state

STATE = state()
COUNT = count()

LINE = "line"
EVERY, HELD = 5.0, 0.5  # the emulator's finger, in seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: the level at which it is on, the board's own resistor, and for how
    long, in seconds, a level must hold."""

    active: Literal["low", "high"] = "low"
    pull: Literal["up", "down", "none"] = "up"
    debounce: float = 0.03

    def __post_init__(self) -> None:
        if not 0 <= self.debounce <= 10:
            raise ValueError(f"debounce {self.debounce:g} s not in 0..10")


class Button:
    """One input.  Counts how often it went on since the gateway began to look; a line that is on
    from the first does not count."""

    def __init__(self, settings: Settings) -> None:
        self.on_level = settings.active == "high"
        self.on: bool | None = None
        self.count = 0

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample]:
        for edge in data:
            on = edge.level == self.on_level
            self.count += on and self.on is False
            self.on = on
            yield {STATE: on, COUNT: self.count}


class Emulator:
    """A button to ground that somebody presses every five seconds, for half a second."""

    def __init__(self) -> None:
        self.age = 0.0
        self.levels = {LINE: True}

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.levels[LINE] = self.age % EVERY < EVERY - HELD
        return b""


DRIVER = Driver(
    name="button",
    title="Button, switch or contact on a GPIO line",
    link=GPIO(direction="in", lines=(LINE,)),
    quantities=(STATE, COUNT),
    period=0,
    settings=Settings,
    device=Button,
    emulator=Emulator,
    documentation=__doc__,
)
