"""The audit trail: every write, who asked for it and through what, and how it ended; kept before it is answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.history.question import Deed

REFUSED = 60  # refused writes that are kept in a minute, at most: nobody shall fill the disk by being refused


class Keeps(Protocol):
    """The part of the history that remembers writes."""

    def deed(self, deed: Deed) -> Deferred[None]: ...


class Audit:
    """Everybody who writes tells it, before he says that it is done."""

    log = Logger()

    def __init__(self, history: Keeps, monotonic: Callable[[], float]) -> None:
        self.history, self.monotonic = history, monotonic
        self.refused: deque[float] = deque(maxlen=REFUSED)
        self.untold = 0  # refused ones that were not kept

    def note(self, deed: Deed) -> Deferred[None]:
        """Fires when *deed* is kept.  It never fails: a disk that is full must not keep anybody from switching
        something off; then the log has what happened."""
        if deed.result == "OK":
            self.log.info("{deed.who} at {deed.origin}: {deed.name} {deed.old} -> {deed.new}", deed=deed)
        else:
            now = self.monotonic()
            if len(self.refused) == REFUSED and now < self.refused[0] + 60:
                self.untold += 1
                return succeed(None)
            self.refused.append(now)
        return self.history.deed(deed).addErrback(self.lost, deed)

    def lost(self, failure: Failure, deed: Deed) -> None:
        self.log.error("not in the audit trail: {deed}: {why}", deed=deed, why=failure.getErrorMessage())
