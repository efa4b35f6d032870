"""A reed contact on a door or window, with its magnet on the part that moves.

Datasheet: none of its own; any reed contact is one of two kinds, and lies between the line and ground:

    normal = "open"      the magnet closes it: line low = closed door
    normal = "closed"    the magnet opens it:  line high = closed door

The glass tongue bounces for about a millisecond; ``debounce`` seconds must a level hold.  A cut cable looks like an
open door with the first kind, which is why alarm systems have that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drivers.api import GPIO, Driver, Edge, Sample
from drivers.quantities import contact

CONTACT = contact()

LINE = "line"
EVERY, OPEN = 9.0, 2.0  # the emulator's door, in seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: the kind of contact, the board's own resistor, and for how long, in seconds, a level
    must hold."""

    normal: Literal["open", "closed"] = "open"
    pull: Literal["up", "down", "none"] = "up"
    debounce: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.debounce <= 10:
            raise ValueError(f"debounce {self.debounce:g} s not in 0..10")


class Reed:
    """One door."""

    def __init__(self, settings: Settings) -> None:
        self.closed_level = settings.normal == "closed"

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample]:
        for edge in data:
            yield {CONTACT: edge.level == self.closed_level}


class Emulator:
    """A door that somebody opens every nine seconds, for two."""

    def __init__(self) -> None:
        self.age = 0.0
        self.levels = {LINE: False}

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.levels[LINE] = self.age % EVERY >= EVERY - OPEN
        return b""


DRIVER = Driver(
    name="reed",
    title="Reed contact of a door or window on a GPIO line",
    link=GPIO(direction="in", lines=(LINE,)),
    quantities=(CONTACT,),
    period=0,
    settings=Settings,
    device=Reed,
    emulator=Emulator,
    documentation=__doc__,
)
