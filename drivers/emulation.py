"""What emulators have in common: values that wander as those of a real place do, the same way on every run."""

from __future__ import annotations

from math import pi, sin


def sway(seconds: float, centre: float, reach: float, period: float = 600.0) -> float:
    """A value that begins at *centre* and goes *reach* up and down once in *period* seconds."""
    return centre + reach * sin(2 * pi * seconds / period)


class Ages:
    """An emulator for which time only goes by: what it says follows from its *age*, in seconds, when it is asked."""

    age = 0.0

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        return b""


class Room(Ages):
    """An emulator in a room, which is now warmer and now damper."""

    celsius, percent = 21.5, 40.0

    def tick(self, seconds: float) -> bytes:
        super().tick(seconds)
        self.celsius, self.percent = sway(self.age, 21.5, 1.5), sway(self.age, 40.0, 6.0, period=900.0)
        return b""
