"""A relay, lamp, valve or anything else that one GPIO line switches.

Datasheet: none of its own; the Linux GPIO user interface ("GPIO Character Device Userspace
API", docs.kernel.org/userspace-api/gpio) and the relay board say all there is:

    line   active = "high"   active = "low"
    high   on                off
    low    off               on

Most relay boards with optocouplers are active low.  What the line does at start, at the end and
when the gateway is killed is set per output in the configuration, and is the gateway's part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drivers.api import GPIO, BadValue, Driver, Edge, Quantity, Sample, SetLines, Talk, Value
from drivers.quantities import state

STATE = state(writable=True)

LINE = "line"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose: the level at which it is on."""

    active: Literal["high", "low"] = "high"


class Relay:
    """One output.  Its state is the level that the transport tells, not the one we asked for."""

    def __init__(self, settings: Settings) -> None:
        self.on_level = settings.active == "high"

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        if quantity is not STATE:
            raise BadValue(f"{quantity.name} cannot be set")
        yield SetLines(((LINE, bool(value) == self.on_level),))
        return {STATE: bool(value)}

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample]:
        for edge in data:
            yield {STATE: edge.level == self.on_level}


class Emulator:
    """A relay board: a line that stays as it was driven."""

    def __init__(self) -> None:
        self.levels = {LINE: False}

    def tick(self, seconds: float) -> bytes:
        return b""


DRIVER = Driver(
    name="relay",
    title="Relay or other output on a GPIO line",
    link=GPIO(direction="out", lines=(LINE,)),
    quantities=(STATE,),
    period=0,
    settings=Settings,
    device=Relay,
    emulator=Emulator,
    documentation=__doc__,
)
