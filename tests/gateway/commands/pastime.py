"""A history without a thread and a disk: it answers from a real store in memory, at once, unless the test waits."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from gateway.history.answer import answer
from gateway.history.question import Deed, Event, Page, Question
from gateway.history.store import Store
from gateway.hub import Hub


class Pastime:
    """What commands need of the history.  With *slow*, answers wait in ``asked`` for the test's word."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.facts = hub, {"history": "in memory"}
        self.store = Store()
        self.store.begin(hub.clock.boot, 0)
        for segment in hub.clock.segments.get(hub.clock.boot, ()):
            self.store.learn(segment)
        hub.clock.listen(self.store.learn)
        hub.subscribe(lambda readings: self.store.take([readings]), "*")
        self.slow = False
        self.asked: list[tuple[Question, Deferred[Page]]] = []
        self.done: list[tuple[float | None, Deed]] = []
        self.facts_kept: dict[str, dict[str, bytes]] = {}
        self.broken: Exception | None = None

    def ask(self, question: Question) -> Deferred[Page]:
        if self.slow:
            self.asked.append((question, Deferred()))
            return self.asked[-1][1]
        steps: Any = answer(self.store, question)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            return succeed(end.value)
        except Exception as error:
            return fail(error)

    def events(
        self, start: float, end: float, devices: tuple[str, ...] = (), limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[Event, ...]]:
        return succeed(())

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({series.name for series in self.store.series.values()}))

    def deed(self, deed: Deed) -> Deferred[None]:
        if self.broken is not None:
            return fail(self.broken)
        self.done.append((self.hub.clock.now(), deed))
        return succeed(None)

    def deeds(self, start: float, end: float, limit: int = 1000) -> Deferred[tuple[tuple[float | None, Deed], ...]]:
        return succeed(tuple(self.done[-limit:]))

    def copy(self) -> Deferred[tuple[str, int]]:
        return fail(self.broken) if self.broken is not None else succeed(("/var/lib/gateway/history.db.backup", 2048))

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]:
        if self.broken is not None:
            return fail(self.broken)
        if data is None:
            self.facts_kept.get(kind, {}).pop(key, None)
        else:
            self.facts_kept.setdefault(kind, {})[key] = data
        return succeed(None)

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]:
        return fail(self.broken) if self.broken is not None else succeed(dict(self.facts_kept.get(kind, {})))
