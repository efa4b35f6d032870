"""What is to be done later.  A job outlives the connection of whoever gave it, and is on disk before it is promised.

It runs at most once: its row on disk goes before it begins.  One whose time came while the gateway was off is missed:
that is told, and it is not made up for, as nobody knows whether it is still wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import DeviceError
from gateway.clock import Clock

KIND = "job"
LAST = "last"  # the key of the highest number that was ever given
JOBS = 1000  # that may wait
OVER = 20  # that are remembered when they are over


class Missed(DeviceError):
    """The gateway was off when a job's time came; it was not carried out."""


class Keeps(Protocol):
    """The part of the history that remembers small facts."""

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]: ...

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A command line, whose it is (name, role, origin), and its time: *due* in seconds of *boot*, and as Unix time
    where that was known."""

    number: int
    command: str
    name: str
    role: Literal["viewer", "operator", "admin"]
    origin: str
    boot: int
    due: float
    wall: float | None
    state: Literal["waiting", "running", "done", "failed", "missed"] = "waiting"
    result: str = ""


class Jobs:
    """All jobs.  *perform* carries one out and fires with the status line; *told* gets what went wrong."""

    log = Logger()

    def __init__(
        self,
        time: IReactorTime,
        clock: Clock,
        history: Keeps,
        perform: Callable[[Job], Deferred[str]],
        told: Callable[[str, Exception], None],
    ) -> None:
        self.time, self.clock, self.history, self.perform, self.told = time, clock, history, perform, told
        self.waiting: dict[int, Job] = {}
        self.doing: dict[int, Job] = {}
        self.missed: dict[int, Job] = {}
        self.over: deque[Job] = deque(maxlen=OVER)
        self.calls: dict[int, IDelayedCall] = {}
        self.number = 0
        self.ready = False  # whether the jobs on disk are known
        self.unlisten: Callable[[], object] = lambda: None

    def start(self) -> Deferred[None]:
        """Take up what is on disk.  Without a disk that can be read there are new jobs only."""
        self.unlisten = self.clock.listen(lambda segment: self.decide())
        return self.history.kept(KIND).addErrback(self.unread).addCallback(self.take_up)

    def stop(self) -> None:
        self.unlisten()
        for call in self.calls.values():
            call.cancel()
        self.calls.clear()

    def unread(self, failure: Failure) -> dict[str, bytes]:
        self.log.error("the jobs on disk cannot be read: {why}", why=failure.getErrorMessage())
        return {}

    def take_up(self, kept: dict[str, bytes]) -> None:
        self.number = max(self.number, int(kept.pop(LAST, b"0")))
        for key, data in kept.items():
            try:
                job = msgspec.json.decode(data, type=Job)
            except msgspec.MsgspecError as error:
                self.log.error("job {key} on disk makes no sense: {error}", key=key, error=error)
                continue
            self.number = max(self.number, job.number)
            (self.waiting if job.state == "waiting" else self.missed)[job.number] = job
        self.ready = True
        self.decide()

    def decide(self) -> None:
        """When are jobs of earlier boots to be done?  That takes a time; until there is one, they wait.  Those of this
        boot are so many seconds away, whatever the clock says."""
        now = self.clock.now()
        if now is None:
            return
        for job in list(self.waiting.values()):
            if job.boot != self.clock.boot:
                when, call = self.when(job), self.calls.pop(job.number, None)
                if call is not None:
                    call.cancel()
                if when is not None and (when > now or call is not None):
                    self.arm(job, max(when - now, 0.0))
                else:
                    self.miss(job)

    def arm(self, job: Job, seconds: float) -> None:
        self.calls[job.number] = self.time.callLater(seconds, self.begin, job)

    def miss(self, job: Job) -> None:
        del self.waiting[job.number]
        self.missed[job.number] = job = replace(job, state="missed")
        self.log.warn("job {job.number} of {job.name}, {job.command}: missed", job=job)  # of errors only the first is
        self.told(
            "jobs", Missed(f"job {job.number} of {job.name}, {job.command}: its time came while the gateway was off")
        )
        self.save(job).addErrback(self.unsaved)

    def save(self, job: Job) -> Deferred[None]:
        return self.history.keep(KIND, str(job.number), msgspec.json.encode(job))

    def unsaved(self, failure: Failure) -> None:
        self.log.error("a job's state could not be kept: {why}", why=failure.getErrorMessage())

    # What commands ask

    def all(self) -> list[Job]:
        """Those that are over, those that were missed, and those to come, as their time comes."""
        return [*self.over, *self.missed.values(), *self.doing.values(), *sorted(self.waiting.values(), key=self.left)]

    def left(self, job: Job) -> float:
        """Seconds until it is done; of an earlier boot's, while the time is not known, nobody knows."""
        call = self.calls.get(job.number)
        return float("inf") if call is None else call.getTime() - self.time.seconds()

    def when(self, job: Job) -> float | None:
        """Unix time of *job*, or None while nobody knows."""
        known = self.clock.wall(job.boot, job.due)  # by what is known of that boot's clock today
        return job.wall if known is None else known

    @property
    def full(self) -> bool:
        return len(self.waiting) + len(self.missed) >= JOBS

    def add(
        self, seconds: float, command: str, name: str, role: Literal["viewer", "operator", "admin"], origin: str
    ) -> Deferred[Job]:
        """Fires when the new job is kept; its time runs from now."""
        self.number += 1
        due = self.clock.monotonic() + seconds
        wall = self.clock.wall(self.clock.boot, due)
        job = Job(self.number, command, name, role, origin, self.clock.boot, due, wall)
        self.waiting[job.number] = job
        self.arm(job, seconds)
        kept = self.history.keep(KIND, LAST, b"%d" % job.number)
        kept.addCallback(lambda _: self.save(job) if job.number in self.calls else None)
        return kept.addCallbacks(lambda _: job, partial(self.refused, job))

    def refused(self, job: Job, failure: Failure) -> Failure:
        """It cannot be kept, so it is not promised."""
        self.forget(job.number)
        return failure

    def forget(self, number: int) -> Job | None:
        if (call := self.calls.pop(number, None)) is not None:
            call.cancel()
        return self.waiting.pop(number, None) or self.missed.pop(number, None)

    def cancel(self, number: int) -> Deferred[None] | None:
        """Fires when the job is no longer kept; None where there is no such job."""
        return None if self.forget(number) is None else self.history.keep(KIND, str(number), None)

    # Their time

    def begin(self, job: Job) -> None:
        del self.calls[job.number], self.waiting[job.number]
        self.doing[job.number] = replace(job, state="running")
        gone = self.history.keep(KIND, str(job.number), None).addErrback(self.unsaved)
        status = gone.addCallback(lambda _: self.perform(job))
        status.addErrback(lambda failure: f"ERR internal {failure.getErrorMessage()}")
        status.addCallback(self.ended, job)

    def ended(self, status: str, job: Job) -> None:
        del self.doing[job.number]
        good = status.startswith("OK")
        self.over.append(replace(job, state="done" if good else "failed", result=status))
        say = self.log.info if good else self.log.warn
        say("job {job.number} of {job.name}, {job.command}: {status}", job=job, status=status)
