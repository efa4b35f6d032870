"""Answers that hold until something changes: what a gateway is asked are the same few requests, over and over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from gateway.hub import Hub
from gateway.reading import Reading

REQUESTS, SHORT = 10_000, 256  # requests remembered, and bytes of one of them, or of its answer, at most


class Known(dict[bytes, bytes]):
    """Requests for the newest reading of one name, byte for byte as they came, and the whole answer to each, which
    *form* makes of the reading.  Shared by all who may read the same and want it said in the same way.

    What a request asks for is remembered for good; its answer until something is published or deleted, the time is
    set, or the time of a reading is up."""

    def __init__(self, hub: Hub, form: Callable[[Reading], bytes]) -> None:
        self.hub, self.clock, self.form = hub, hub.clock, form
        self.names: dict[bytes, str] = {}
        self.changes = self.edition = -1
        self.until = -inf

    def learn(self, request: bytes, name: str) -> None:
        """*request* asks for *name*, and for nothing else."""
        if len(request) <= SHORT:
            if len(self.names) >= REQUESTS and request not in self.names:
                self.names.clear()
                self.clear()
            self.names[request] = name

    def answer(self, requests: Iterable[bytes]) -> bytes | None:
        """The whole answer to all *requests*, or None when one of them is not known to have one."""
        hub, clock = self.hub, self.clock
        if self.changes != hub.changes or self.edition != clock.edition or self.until < clock.monotonic():
            self.clear()
            self.changes, self.edition, self.until = hub.changes, clock.edition, inf
        try:
            return b"".join(map(self.__getitem__, requests))
        except KeyError:
            return None

    def __missing__(self, request: bytes) -> bytes:
        reading = self.hub.latest.get(self.names[request])
        if reading is None or reading.stale() or len(answer := self.form(reading)) > SHORT:
            raise KeyError(request)
        self.until = min(self.until, reading.until)
        self[request] = answer
        return answer
