"""Stands in for the RPi.GPIO module where there is no board: its lines hang on an emulator.

As there, lines must be set up first, and edges are told to a callback that is given the line's number.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from drivers.api import GPIOEmulator
from gateway.transports.emulated import plugged_in, ticking


class FakeGPIO:
    """*emulator*'s levels, in their order, lie on the lines as they are set up; without one a line is low, or
    as it is pulled, until ``drive`` says otherwise.  Time goes by for the emulator while an input is open."""

    BOARD, BCM = 10, 11
    OUT, IN = 0, 1
    LOW, HIGH = 0, 1
    PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22
    RISING, FALLING, BOTH = 31, 32, 33

    def __init__(self, reactor: Any = None, emulator: GPIOEmulator | None = None) -> None:
        self.reactor, self.emulator = reactor, emulator
        self.names: dict[int, str] = {}
        self.loose: dict[int, bool] = {}  # levels of lines without emulator
        self.directions: dict[int, int] = {}
        self.callbacks: dict[int, tuple[int, Callable[[int], object]]] = {}
        self.seen: dict[int, bool] = {}
        self.stop: Callable[[], None] | None = None
        self.mode: int | None = None

    def setwarnings(self, on: bool) -> None:
        pass

    def setmode(self, mode: int) -> None:
        self.mode = mode

    def setup(self, channels: Any, direction: int, pull_up_down: int = PUD_OFF, initial: int | None = None) -> None:
        if self.mode is None:
            raise RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)")
        self.must_be_there()
        for channel in numbers(channels):
            self.wire(channel)
            self.directions[channel] = direction
            if direction == self.OUT and initial is not None:
                self.set(channel, bool(initial))
            elif direction == self.IN and pull_up_down != self.PUD_OFF and channel not in self.names:
                self.loose[channel] = pull_up_down == self.PUD_UP
            self.seen[channel] = self.level(channel)
        if self.reactor is not None and self.stop is None and self.IN in self.directions.values():
            self.stop = ticking(self.reactor, self.tick)

    def wire(self, channel: int) -> None:
        free = [name for name in (self.emulator.levels if self.emulator else ()) if name not in self.names.values()]
        if channel not in self.names and free:
            self.names[channel] = free[0]

    def input(self, channel: int) -> int:
        self.must_be(channel, self.OUT, self.IN)
        return int(self.level(channel))

    def output(self, channels: Any, values: Any) -> None:
        channels = numbers(channels)
        values = list(values) if isinstance(values, Iterable) else [values] * len(channels)
        for channel, value in zip(channels, values, strict=True):
            self.must_be(channel, self.OUT)
            self.set(channel, bool(value))

    def add_event_detect(
        self, channel: int, edge: int, callback: Callable[[int], object] | None = None, bouncetime: int | None = None
    ) -> None:
        self.must_be(channel, self.IN)
        if channel in self.callbacks:
            raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
        if callback is not None:
            self.callbacks[channel] = (edge, callback)

    def remove_event_detect(self, channel: int) -> None:
        self.callbacks.pop(channel, None)

    def cleanup(self, channels: Any = None) -> None:
        for channel in list(self.directions) if channels is None else numbers(channels):
            self.callbacks.pop(channel, None)
            self.directions.pop(channel, None)
        if self.stop is not None and self.IN not in self.directions.values():
            self.stop()
            self.stop = None

    # The far side of the lines

    def drive(self, channel: int, level: bool) -> None:
        """Move an input from outside."""
        self.set(channel, level)
        self.look()

    def tick(self, seconds: float) -> None:
        if self.emulator is not None:
            self.emulator.tick(seconds)
        if plugged_in(self.emulator):
            self.look()
        else:
            for channel, (_, callback) in list(self.callbacks.items()):
                callback(channel)  # as who waits for a chip that goes is woken

    def look(self) -> None:
        """Tell the edges since the last look."""
        for channel, (edge, callback) in list(self.callbacks.items()):
            before, level = self.seen.get(channel), self.level(channel)
            self.seen[channel] = level
            if level != before and edge in (self.BOTH, self.RISING if level else self.FALLING):
                self.tell(channel, partial(callback, channel))

    def tell(self, channel: int, callback: Callable[[], object]) -> None:
        """An edge; what becomes of it may be a fault (``faults``)."""
        edge = getattr(self.emulator, "edge", None)
        if edge is not None and channel in self.names:
            edge(self.names[channel], callback)
        else:
            callback()

    def level(self, channel: int) -> bool:
        if self.emulator is not None and channel in self.names:
            return self.emulator.levels[self.names[channel]]
        return self.loose.get(channel, False)

    def set(self, channel: int, level: bool) -> None:
        if self.emulator is not None and channel in self.names:
            self.emulator.levels[self.names[channel]] = level
        else:
            self.loose[channel] = level

    def must_be_there(self) -> None:
        if not plugged_in(self.emulator):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def must_be(self, channel: int, *directions: int) -> None:
        self.must_be_there()
        if self.directions.get(channel) not in directions:
            raise RuntimeError("You must setup() the GPIO channel first")


def numbers(channels: Any) -> list[int]:
    return list(channels) if isinstance(channels, Iterable) else [channels]
