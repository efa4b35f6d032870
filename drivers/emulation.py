"""What emulators have in common: values that wander as those of a real place do, the same way on every run."""

from __future__ import annotations

from math import pi, sin


def sway(seconds: float, centre: float, reach: float, period: float = 600.0) -> float:
    """A value that begins at *centre* and goes *reach* up and down once in *period* seconds."""
    return centre + reach * sin(2 * pi * seconds / period)
