"""The history as the reactor sees it: it takes readings, answers questions, and never waits for the disk.

Whatever is wrong with the disk, the gateway goes on from memory and says so; what could not be written is written when
it can be.  A damaged database is set aside, and a new one begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.clock import Clock, Segment
from gateway.history import keep
from gateway.history.answer import answer
from gateway.history.budget import OFTEN, SELDOM, Budget, Meter
from gateway.history.copy import copied
from gateway.history.events import add_deed, add_event, deeds, events
from gateway.history.file import MEMORY, PAGE, Damaged, HistoryError, told
from gateway.history.inbox import Inbox
from gateway.history.opening import moved, replaced
from gateway.history.question import Deed, Event, Page, Question
from gateway.history.store import PACKED, Store
from gateway.history.worker import Worker

TIDY = 900.0  # seconds between two times that all of the log is packed, hours are made and the old is deleted
AGAIN = 60.0  # seconds between two tries to open what could not be opened
HELD = 16 * 2**20  # bytes of a history in memory, at most
Failures = Callable[[], Iterable[tuple[str, str, int, str]]]  # device, class of error, how often so far, last words


class Kept(Protocol):
    """What is configured: for how many seconds and bytes, and how many of them may be written in a day."""

    @property
    def keep(self) -> float | None: ...

    @property
    def size(self) -> int: ...

    @property
    def bytes_per_day(self) -> int: ...


class History(Service):
    """The past of all readings, and what else must outlive the gateway."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        clock: Clock,
        store: Store,
        kept: Kept,
        *,
        path: str | None = None,
        why: str = "",
        failures: Failures = lambda: (),
    ) -> None:
        self.reactor, self.clock, self.store, self.path = reactor, clock, store, path
        self.limits, self.failures = kept, failures
        self.budget = Budget(kept.bytes_per_day, clock.monotonic)
        self.meter = Meter(PAGE)
        self.inbox = Inbox()
        self.hear = self.inbox.put  # new readings; they are kept when the next commit is
        self.changes = 0
        self.worker = Worker(reactor, self.explained)
        self.facts: dict[str, Any] = {}
        self.timers: dict[str, IDelayedCall] = {}
        self.busy = self.tidying = self.copying = False
        self.told: dict[tuple[str, str], tuple[float, int]] = {}
        self.listed: tuple[int, tuple[str, ...]] = 0, ()
        self.sized: tuple[Store, int] | None = None
        self.size = 0
        self.deaf: Callable[[], object] = lambda: None
        self.trouble = why
        self.tell()

    # Life

    def startService(self) -> None:
        super().startService()
        if self.trouble:
            self.log.error("history: {why}", why=self.trouble)
        self.worker.start()
        self.note("gateway", "started", "")
        self.worker.do(self.begin).addErrback(self.failed)
        self.deaf = self.clock.listen(self.learn)
        self.later("commit", self.budget.interval, self.tick)
        self.later("tidy", TIDY / 10, self.tidy)
        if self.path is not None and self.store.path == MEMORY:
            self.later("again", AGAIN, self.again)

    def begin(self) -> None:
        self.store.begin(self.clock.boot, round(self.clock.floor * 1000))

    def settle(self, path: str | None, kept: Kept | None) -> None:
        """Take over what was configured anew.  Another *path* counts from the next start on, and so does that there is
        no such table: or what is kept would be deleted."""
        if path != self.path:
            self.log.warn("history: it goes on {facts}; {where} counts from the next start on",
                          facts=self.facts["history"], where=path or "memory only")  # fmt: skip
        if kept is None:
            return
        self.limits, self.budget.per_day = kept, kept.bytes_per_day
        self.budget.tokens = min(self.budget.tokens, self.budget.per_day)

    def stopService(self) -> Deferred[None]:
        """Fires when all that came is on the disk, or cannot be."""
        super().stopService()
        self.deaf()
        for timer in self.timers.values():
            if timer.active():
                timer.cancel()
        self.note("gateway", "stopped", "")
        self.hand_over()
        done = self.worker.do(self.last)
        self.worker.end()
        return done.addErrback(self.failed)

    def last(self) -> None:
        try:
            self.store.commit()
        finally:
            self.store.close()

    def later(self, name: str, seconds: float, call: Callable[[], object]) -> None:
        if self.running:
            self.timers[name] = self.reactor.callLater(seconds, call)

    # What comes

    def hand_over(self) -> None:
        """Give the thread what came; questions asked from now on find it."""
        if self.inbox.batch:
            batch = self.inbox.give()
            done = self.worker.do(lambda: self.store.take(batch)).addErrback(self.failed)
            done.addBoth(lambda _: self.inbox.taken(batch))

    def learn(self, segment: Segment) -> None:
        self.hand_over()
        self.worker.do(lambda: self.store.learn(segment)).addErrback(self.failed)

    def note(self, device: str, what: str, text: str, count: int = 1) -> None:
        """Something happened to *device*: it goes to the disk with the next commit."""
        now = self.now()
        self.worker.do(lambda: add_event(self.store, *now, device, what, text, count)).addErrback(self.failed)

    def now(self) -> tuple[int, int]:
        """Boot and millisecond."""
        return self.clock.boot, round(self.clock.monotonic() * 1000)

    def note_failures(self) -> None:
        """What went wrong, once a minute for each device and kind, with how often."""
        now = self.clock.monotonic()
        for device, kind, count, words in self.failures():
            last, known = self.told.get((device, kind), (-SELDOM, 0))
            if count > known and now - last >= SELDOM:
                self.told[device, kind] = now, count
                self.note(device, kind, words, count - known)  # such an event has the name of an error

    # What stays

    def tick(self) -> None:
        """Commit, unless the disk has not done with the commit before."""
        self.later("commit", self.budget.interval, self.tick)
        self.note_failures()
        if not self.busy:  # or work would pile up while it is stuck
            self.hand_over()
            self.busy = True
            self.worker.do(self.commit).addCallbacks(self.committed, self.failed).addBoth(self.rest)

    def rest(self, result: object) -> None:
        self.busy = False
        self.tell()

    def commit(self) -> tuple[int, int]:
        """On the thread: how many bytes it took, and how large the database is since it was packed last."""
        store = self.store
        store.thin = round(self.budget.thin * 1000)
        store.commit()
        if not self.worker.going or store.logged > 2 * PACKED:
            store.pack()
        changes = store.db.total_changes - store.spared  # also those of tidying, and of what was kept at once
        pages, self.changes = max(0, changes - self.changes), changes
        if self.sized != (store, store.edition):
            self.sized, self.size = (store, store.edition), store.size()
        return (0 if store.path == MEMORY else self.meter.spent(pages)), self.size

    def committed(self, result: tuple[int, int]) -> None:
        spent, self.facts["history_size"] = result
        self.budget.spend(spent)
        if self.trouble and self.store.path == (self.path or MEMORY):
            self.log.info("history: on {path} again", path=self.path)
            self.trouble = ""

    def tidy(self) -> None:
        """Pack all, make hours, delete what is too old."""
        self.later("tidy", TIDY, self.tidy)
        if not self.tidying:
            self.tidying = True
            self.hand_over()
            done = self.worker.do(self.tidied)
            done.addErrback(self.failed).addBoth(lambda _: setattr(self, "tidying", False))

    def tidied(self) -> Any:
        store, now = self.store, self.clock.now()
        store.commit()
        store.pack(everything=self.budget.interval == OFTEN)  # blocks that grow are written again
        yield
        yield from keep.finish(store)
        yield from keep.roll(store, store.boot, round(self.clock.monotonic() * 1000))
        most, lasts = self.limits.size, self.limits.keep
        before = None if lasts is None or now is None else now - lasts
        yield from keep.trim(store, before, min(HELD, most) if store.path == MEMORY else most)

    # What is asked

    def ask(self, question: Question) -> Deferred[Page]:
        """The page that *question* asks for, with what came up to now.  Fails with HistoryError."""
        if not self.running:
            return fail(HistoryError("the history is closed"))
        self.hand_over()
        return self.worker.do(lambda: answer(self.store, question))

    def events(
        self, start: float, end: float, devices: tuple[str, ...] = (), limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[Event, ...]]:
        """What happened to *devices* (or to all) from *start* on and before *end*, as in a ``Question``; of too much
        the newest *limit*, in their order."""
        question = Question("", start, end, limit=limit, running=running)
        return self.worker.do(lambda: events(self.store, question, devices))

    def deeds(
        self, start: float, end: float, limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[tuple[float | None, Deed], ...]]:
        """Who wrote what, each with its Unix time; of too much the newest *limit*, in their order."""
        question = Question("", start, end, limit=limit, running=running)
        return self.worker.do(lambda: deeds(self.store, question))

    def names(self) -> tuple[str, ...]:
        """Every name of which there ever was a reading."""
        if self.listed[0] != (known := len(self.store.named)):
            self.listed = known, tuple(sorted(list(self.store.named)))
        return self.listed[1]

    def copy(self) -> Deferred[tuple[str, int]]:
        """Copy the database to a file beside it, while all goes on; the path, and the size in bytes."""
        if self.copying:
            return fail(HistoryError("it is being copied already"))
        self.copying = True
        self.hand_over()
        done: Deferred[tuple[str, int]] = self.worker.do(lambda: copied(self.store))
        return done.addBoth(self.copied)

    def copied(self, result: Any) -> Any:
        self.copying = False
        return result

    # What is kept at once

    def deed(self, deed: Deed) -> Deferred[None]:
        """Keep *deed*; fires when it is on the disk, or in memory where there is none."""
        now = self.now()
        return self.at_once(lambda: add_deed(self.store, *now, deed))

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]:
        """Keep a small fact; None takes it away."""
        if data is None:
            return self.at_once(lambda: self.store.put("DELETE FROM kept WHERE kind=? AND key=?", kind, key))
        return self.at_once(lambda: self.store.put("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kind, key, data))

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]:
        """The facts of this kind."""
        asked = "SELECT key, data FROM kept WHERE kind=?"
        return self.worker.do(lambda: dict(self.store.db.execute(asked, (kind,)).fetchall()))

    def at_once(self, put: Callable[[], None]) -> Deferred[None]:
        """Those that come while the disk is busy are committed together.  Where it is of no use they are in memory, and
        ``status`` says so."""

        def commit() -> None:
            if self.store.queue:
                self.store.commit()

        self.hand_over()  # what was set is kept with it
        self.worker.do(put)
        return self.worker.do(commit).addErrback(self.failed)

    # Trouble

    def explained(self, error: Exception) -> Exception:
        return told(error, self.store.path) if isinstance(error, sqlite3.Error) else error

    def failed(self, failure: Failure) -> None:
        """Go on from memory; say it once."""
        why = str(failure.value)
        if not failure.check(HistoryError):
            self.log.failure("Bug in the history", failure)
        elif why != self.trouble:
            self.log.error("history: {why}; it goes on in memory", why=why)
        damaged, store = failure.check(Damaged), self.store
        self.trouble = why
        if damaged and store.path != MEMORY and self.running:
            self.worker.do(lambda: self.replace(store)).addErrback(self.failed)
        self.tell()

    def replace(self, old: Store) -> None:
        """On the thread: begin anew beside a damaged database."""
        if self.store is old:  # or two failures told of the same
            self.store, why = replaced(old)
            self.reactor.callFromThread(self.replaced, why)

    def replaced(self, why: str) -> None:
        self.log.error("history: {why}", why=why)
        self.trouble = why if self.store.path == MEMORY else ""
        self.tell()

    def again(self) -> None:
        """Try once more to open what could not be opened."""
        self.hand_over()
        self.worker.do(self.reopen).addErrback(self.failed).addBoth(self.reopened)

    def reopen(self) -> None:
        assert self.path is not None
        self.store = moved(self.store, self.path)

    def reopened(self, result: object) -> None:
        if self.store.path == MEMORY:
            self.later("again", AGAIN, self.again)
        else:
            self.log.info("history: on {path} from now on", path=self.path)
            self.trouble = ""
        self.tell()

    def tell(self) -> None:
        """What `status` says of us."""
        store, budget = self.store, self.budget
        where = f"on {store.path}" if store.path != MEMORY else "in memory"
        self.facts.update(
            history=f"{where}: {self.trouble}" if self.trouble else where,
            history_written=budget.written(),
            history_budget=budget.per_day,
            history_commit=round(budget.interval, 1),
            history_thinned=store.thinned,
            history_lost=store.lost + self.inbox.dropped,
            history_damaged=store.damaged,
        )
        self.facts.setdefault("history_size", 0)
