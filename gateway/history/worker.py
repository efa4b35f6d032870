"""The one thread that waits for the disk, so that the reactor never does.

Short work is done in the order it is given.  Long work is a generator: between its steps short work comes first, and
several of them take turns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")
TURN = 0.01  # seconds for which a long work goes on before others have their turn


@dataclass(slots=True, eq=False)
class Job:
    """Something to do, and who waits for it."""

    call: Callable[[], Any]
    done: Deferred[Any]
    cancelled: bool = False


class Worker:
    """A thread that does one thing after the other.  *explained* turns what a job raises into what its asker gets."""

    def __init__(self, reactor: IReactorFromThreads, explained: Callable[[Exception], Exception]) -> None:
        self.reactor, self.explained = reactor, explained
        self.jobs: deque[Job | None] = deque()
        self.going: deque[tuple[Job, Generator[Any, Any, Any]]] = deque()
        self.wake = threading.Condition()
        self.thread = threading.Thread(target=self.work, name="history", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def do(self, call: Callable[[], T | Generator[Any, Any, T]]) -> Deferred[T]:
        """Have *call* done; what it returns, or the generator it returns, is the result.  Who cancels it is no longer
        told; a long one ends then."""
        job = Job(call, Deferred())
        job.done = Deferred(lambda _: setattr(job, "cancelled", True))
        self.put(job)
        return cast("Deferred[T]", job.done)

    def end(self) -> None:
        """End when all is done."""
        self.put(None)

    def put(self, job: Job | None) -> None:
        with self.wake:
            self.jobs.append(job)
            self.wake.notify()

    # On the thread

    def work(self) -> None:
        while True:
            with self.wake:
                while not self.jobs and not self.going:
                    self.wake.wait()
                job = self.jobs.popleft() if self.jobs else cast(Job, False)
            if job is None:
                return
            if job:
                self.begin(job)
            else:
                self.go_on()

    def begin(self, job: Job) -> None:
        try:
            result = job.call()
        except Exception as error:
            self.tell(job, self.failure(error))
        else:
            if isinstance(result, Generator):
                self.going.append((job, result))
            else:
                self.tell(job, result)

    def go_on(self) -> None:
        """A turn of the long work that has waited longest."""
        job, steps = self.going.popleft()
        until = time.monotonic() + TURN
        try:
            while not job.cancelled and time.monotonic() < until and not self.jobs:
                next(steps)
        except StopIteration as end:
            self.tell(job, end.value)
        except Exception as error:
            self.tell(job, self.failure(error))
        else:
            if job.cancelled:
                steps.close()
            else:
                self.going.append((job, steps))

    def failure(self, error: Exception) -> Failure:
        why = self.explained(error)
        return Failure(why) if why is not error else Failure()

    def tell(self, job: Job, result: Any) -> None:
        self.reactor.callFromThread(self.told, job, result)

    def told(self, job: Job, result: Any) -> None:
        if not job.cancelled:
            job.done.callback(result)
