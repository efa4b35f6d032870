"""Calls that block, one after the other in a thread of their own: what the kernel's buses have in common.

One call at a time is in the thread, all others wait here, so that they can be cancelled and a call that hangs fails
everybody at once.  Nobody waits longer than the queue's share plus one timeout.
"""

from __future__ import annotations

import errno
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from drivers.api import DeviceError, NoAnswer


class Failed(Exception):
    """A call failed with *error*; *name* is what it is counted as."""

    def __init__(self, error: DeviceError, name: str) -> None:
        super().__init__(str(error))
        self.error, self.name = error, name


@dataclass(eq=False, slots=True)
class Job:
    """A call that waits, or is in the thread.  *place* is whose it is, *about* what it does, in words."""

    place: Hashable
    about: str
    call: Callable[[], bytes]
    answer: Deferred[bytes]


class Queue:
    """*name*, such as "bus i2c-1", is who it is in all that is said; *limit* is how many calls may wait, *timeout*, in
    seconds, how long one may take before everything here counts as ``stuck``.  *shut* ends what was opened, in the
    thread.  ``errors`` counts failures by the name of their errno, or "stuck" or "busy"."""

    def __init__(self, reactor: Any, name: str, shut: Callable[[], None], *, limit: int, timeout: float) -> None:
        self.reactor, self.name, self.shut, self.limit, self.timeout = reactor, name, shut, limit, timeout
        self.transfers = 0
        self.errors = Counter[str]()
        self.stuck = False
        self.held = False  # nothing goes to the thread for now, but what is urgent
        self.waiting = deque[Job]()
        self.running: Job | None = None
        self.late: IDelayedCall | None = None
        self.worker: Worker | None = None
        self.closed: Deferred[None] | None = None

    def enqueue(self, place: Hashable, about: str, call: Callable[[], bytes]) -> Deferred[bytes]:
        if (why := self.unable(place)) is not None:
            return fail(NoAnswer(why))
        job = Job(place, about, call, Deferred(self.cancelled))
        self.waiting.append(job)
        self.next()
        return job.answer

    def urgent(self, about: str, call: Callable[[], bytes]) -> Deferred[bytes]:
        """Have *call* made before all that wait; it is nobody's."""
        job = Job(None, about, call, Deferred(self.cancelled))
        self.waiting.appendleft(job)
        self.next()
        return job.answer

    def unable(self, place: Hashable) -> str | None:
        """Why a call cannot even wait."""
        if self.closed is not None:
            return f"{self.name} is closed"
        if self.stuck:
            return f"{self.name} is stuck: a transfer does not end"
        if len(self.waiting) >= self.limit:
            self.errors["busy"] += 1
            return f"{self.name} is busy: {len(self.waiting)} transfers wait"
        return None

    def cancelled(self, answer: Deferred[bytes]) -> None:
        """What waits is taken back.  What is in the thread goes on, and nobody hears of it."""
        self.waiting = deque(job for job in self.waiting if job.answer is not answer)

    def next(self) -> None:
        if self.running is None and self.waiting and (not self.held or self.waiting[0].place is None):
            self.running = self.waiting.popleft()
            if self.worker is None:
                self.worker = Worker(self.name, self.shut, self.reactor.callFromThread, self.done)
            self.late = self.reactor.callLater(self.timeout, self.hang, self.running)
            self.worker.jobs.put(self.running)

    def hang(self, job: Job) -> None:
        self.late, self.stuck = None, True
        self.errors["stuck"] += 1
        self.hung(job)
        jobs, self.waiting = [job, *self.waiting], deque()
        for each in jobs:
            if not each.answer.called:
                each.answer.errback(NoAnswer(f"{self.name} is stuck: {job.about} takes longer than {self.timeout:g} s"))

    def done(self, job: Job, result: bytes | Exception, seconds: float) -> None:
        """The thread has answered."""
        late, self.running, self.stuck = self.stuck, None, False
        if self.late is not None:
            self.late.cancel()
            self.late = None
        self.transfers += 1
        if isinstance(result, Failed):
            self.errors[result.name] += 1
        if not late:
            self.ended(job, result, seconds)
        self.next()
        if not job.answer.called:  # neither late nor cancelled
            if isinstance(result, Failed):
                job.answer.errback(result.error)
            elif isinstance(result, Exception):
                job.answer.errback(result)
            else:
                job.answer.callback(result)

    def hung(self, job: Job) -> None:
        """*job* did not end in time."""

    def ended(self, job: Job, result: bytes | Exception, seconds: float) -> None:
        """*job* ended in time, well or not."""

    def close(self) -> Deferred[None]:
        """Fires when the thread has ended, or at once where it hangs: it cannot be ended then."""
        if self.closed is not None:
            return succeed(None)
        self.closed = Deferred()
        jobs, self.waiting = list(self.waiting), deque()
        for job in jobs:
            job.answer.errback(NoAnswer(f"{self.name} is closed"))
        if self.worker is None:
            return succeed(None)
        self.worker.jobs.put(self.closed)
        if self.stuck:
            return succeed(None)
        return self.closed.addTimeout(self.timeout, self.reactor).addErrback(lambda _: None)


@dataclass(eq=False)
class Worker:
    """The thread."""

    name: str
    shut: Callable[[], None]
    call: Callable[..., None]
    done: Callable[[Job, bytes | Exception, float], None]
    jobs: SimpleQueue[Job | Deferred[None]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        Thread(target=self.work, name=self.name, daemon=True).start()  # daemon: a hung ioctl cannot be ended

    def work(self) -> None:
        while isinstance(job := self.jobs.get(), Job):
            began = time.monotonic()
            try:
                result: bytes | Exception = job.call()
            except Exception as error:
                result = error
            self.call(self.done, job, result, time.monotonic() - began)
        self.shut()
        self.call(lambda ended: ended.called or ended.callback(None), job)


def code(error: OSError) -> str:
    """The name that *error* is counted as."""
    return errno.errorcode.get(error.errno or 0, "EIO")
