"""Readings on their way to the thread that keeps them.  The disk may be stuck for long: of what waits the oldest go."""

from __future__ import annotations

from collections import deque

from gateway.history.store import UNSAVED
from gateway.reading import Readings

Batch = list[Readings]


class Inbox:
    """What came and is not taken yet: that of this turn, and what was ``given`` to the thread."""

    def __init__(self) -> None:
        self.batch: Batch = []
        self.given: deque[Batch] = deque()
        self.held = self.dropped = 0  # readings

    def put(self, readings: Readings) -> None:
        self.batch.append(readings)
        self.held += len(readings)
        if self.held > UNSAVED:
            self.forget()

    def give(self) -> Batch:
        """What came since the last time; ``taken`` is to be told when the thread has done with it."""
        batch, self.batch = self.batch, []
        self.given.append(batch)
        return batch

    def taken(self, batch: Batch) -> None:
        if self.given and self.given[0] is batch:  # else it was forgotten
            self.held -= sum(map(len, self.given.popleft()))

    def forget(self) -> None:
        if self.given:
            gone = self.given.popleft()
        else:
            some = len(self.batch) // 10 + 1
            gone, self.batch = self.batch[:some], self.batch[some:]
        count = sum(map(len, gone))
        self.held, self.dropped = self.held - count, self.dropped + count
        gone.clear()  # the thread still has it
