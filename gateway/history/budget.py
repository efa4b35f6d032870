"""How much may be written to the card in a day, and what is done so that it is not more.

A token bucket: it holds a day's bytes, starts full, and fills evenly.  As it empties commits come less often, up to a
minute apart; when that is not enough, readings are thinned: each series keeps one in so many seconds, the more of
them the less is left, so that it settles where as much is written as may be.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from math import ceil
from pathlib import Path

DAY, HOUR = 86_400.0, 3600.0
OFTEN, SELDOM = 1.0, 60.0  # seconds between two commits
CALM = 0.25  # of a day's bytes: with more than that left nothing is saved, and with half of it no reading is left out
DEBT = 0.5  # of a day's bytes: what was written beyond that is forgiven
LONGEST = 3600.0  # seconds between two readings of a series, at most, that thinning leaves
POWERS = 12  # of two, up to that


class Budget:
    """Bytes of a day.  *monotonic* is seconds."""

    def __init__(self, per_day: float, monotonic: Callable[[], float]) -> None:
        self.per_day, self.monotonic = per_day, monotonic
        self.tokens, self.at = float(per_day), monotonic()
        self.cost = 0.0  # of a commit, of late
        self.interval = OFTEN
        self.thin = 0.0  # seconds between two readings of one series
        self.hours: deque[tuple[float, float]] = deque(maxlen=25)  # bytes of each hour, for whoever looks

    def spend(self, size: float) -> None:
        """A commit wrote *size* bytes: decide when the next one is due."""
        now = self.monotonic()
        self.tokens = min(self.per_day, self.tokens + (now - self.at) * self.per_day / DAY) - size
        self.tokens = max(self.tokens, -DEBT * self.per_day)
        self.at = now
        if not self.hours or now - self.hours[-1][0] >= HOUR:
            self.hours.append((now, 0.0))
        self.hours[-1] = self.hours[-1][0], self.hours[-1][1] + size
        if size:
            self.cost = size if not self.cost else self.cost + (size - self.cost) / 8
        left = self.tokens / (CALM * self.per_day)
        self.interval = OFTEN if left > 1 else min(max(self.cost * DAY / self.per_day, OFTEN), SELDOM)
        self.thin = 0.0 if left >= 0.5 else min(2.0 ** (ceil(POWERS * (1 - 2 * left)) if left > 0 else POWERS), LONGEST)

    def written(self) -> int:
        """Bytes of the last day, or since the start."""
        since = self.monotonic() - DAY
        return round(sum(size for at, size in self.hours if at > since))


class Meter:
    """How many bytes this process had written to a disk, by the kernel's own account (proc(5), /proc/PID/io), or by
    counting pages, each twice, where that says nothing: in a container, or for a disk in memory."""

    def __init__(self, page: int, io: Path = Path("/proc/self/io")) -> None:
        self.page, self.io = page, io
        self.last = self.seen()

    def seen(self) -> int:
        try:
            file = os.open(self.io, os.O_RDONLY)  # each time: the process may have forked since
        except OSError:
            return 0
        try:
            return int(os.read(file, 1000).partition(b"\nwrite_bytes:")[2].split(None, 1)[0])
        except (OSError, LookupError):
            return 0
        finally:
            os.close(file)

    def spent(self, pages: int) -> int:
        """Bytes since it was asked before; *pages* of the database were changed."""
        now = self.seen()
        before, self.last = self.last, now
        return now - before or 2 * pages * self.page
