"""A PIR motion sensor such as the HC-SR501, or anything else whose output is high while something moves.

Datasheet: HC-SR501, "Output: high 3.3 V / low 0 V", delay 5 to 200 s by the left potentiometer, block time 2.5 s,
warm-up about a minute in which it may go off by itself:

    line   motion
    high   on       for the delay; in mode H (repeatable trigger) that begins anew with each movement
    low    off      and for the block time nothing can change that

Its output drives both ways, so the line wants no resistor, and it does not bounce.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drivers.api import GPIO, Driver, Edge, Sample
from drivers.quantities import motion

MOTION = motion()

LINE = "line"
EVERY, HELD = 8.0, 3.0  # somebody walks by at the emulator, in seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: the level that means motion, and the board's own resistor."""

    active: Literal["low", "high"] = "high"
    pull: Literal["up", "down", "none"] = "none"


class Sensor:
    """Tells the level as it is."""

    def __init__(self, settings: Settings) -> None:
        self.on_level = settings.active == "high"

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample]:
        for edge in data:
            yield {MOTION: edge.level == self.on_level}


class Emulator:
    """A sensor in a corridor."""

    def __init__(self) -> None:
        self.age = 0.0
        self.levels = {LINE: False}

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.levels[LINE] = self.age % EVERY >= EVERY - HELD
        return b""


DRIVER = Driver(
    name="pir",
    title="PIR motion sensor on a GPIO line",
    link=GPIO(direction="in", lines=(LINE,)),
    quantities=(MOTION,),
    period=0,
    settings=Settings,
    device=Sensor,
    emulator=Emulator,
    documentation=__doc__,
)
