"""An I2C bus of the kernel, by one thread: i2c-dev has nothing to wait for, its calls block.

One transfer at a time is in the thread, all others wait here, so that they can be cancelled and a bus
that hangs fails everybody at once.  Nobody waits longer than the queue's share plus one timeout.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from drivers.api import BadFrame, DeviceError, NoAnswer, Operation, Transfer
from gateway.transports import Transport

Mux = tuple[tuple[int, int], ...]
SHARE = 8  # an address that timed out twice in a row rests for so many times what that cost: a ninth of the bus
REST = 30.0  # seconds, the longest


def smbus2() -> Any:
    import smbus2  # only where a bus is configured

    return smbus2


@dataclass(eq=False, slots=True)
class Job:
    """A transfer that waits, or is in the thread."""

    address: int
    mux: Mux
    transfer: Transfer
    answer: Deferred[bytes]


@dataclass(slots=True)
class Rest:
    """An address that keeps the bus from others."""

    timeouts: int = 0
    until: float = 0.0


@dataclass(eq=False, slots=True)
class Chip:
    """One address of a bus, maybe behind multiplexers."""

    bus: I2CBus
    address: int
    mux: Mux

    def perform(self, operation: Operation) -> Deferred[bytes]:
        assert isinstance(operation, Transfer)
        return self.bus.enqueue(self.address, self.mux, operation)


class I2CBus:
    """The bus at *path*.  *queue* is how many transfers may wait, *timeout*, in seconds, how long one may take before
    the bus counts as ``stuck``.  ``errors`` counts failures by the name of their errno, or "stuck" or "busy"."""

    def __init__(
        self, reactor: Any, path: str, *, queue: int = 64, timeout: float = 1.0, make: Callable[[], Any] = smbus2
    ) -> None:
        self.reactor, self.path, self.limit, self.timeout, self.make = reactor, path, queue, timeout, make
        self.name = os.path.basename(path)
        self.transfers = 0
        self.errors = Counter[str]()
        self.stuck = False
        self.waiting = deque[Job]()
        self.running: Job | None = None
        self.late: IDelayedCall | None = None
        self.resting: dict[tuple[Mux, int], Rest] = {}
        self.worker: Worker | None = None
        self.closed: Deferred[None] | None = None

    def at(self, address: int, mux: Mux = ()) -> Transport:
        """The chip at *address*, behind the (address, channel) of each multiplexer on the way."""
        return Chip(self, address, mux)

    def enqueue(self, address: int, mux: Mux, transfer: Transfer) -> Deferred[bytes]:
        if (why := self.unable(address, mux)) is not None:
            return fail(NoAnswer(why))
        job = Job(address, mux, transfer, Deferred(self.cancelled))
        self.waiting.append(job)
        self.next()
        return job.answer

    def unable(self, address: int, mux: Mux) -> str | None:
        """Why a transfer cannot even wait."""
        if self.closed is not None:
            return f"bus {self.name} is closed"
        if self.stuck:
            return f"bus {self.name} is stuck: a transfer does not end"
        if len(self.waiting) >= self.limit:
            self.errors["busy"] += 1
            return f"bus {self.name} is busy: {len(self.waiting)} transfers wait"
        rest = self.resting.get((mux, address))
        if rest is not None and (left := rest.until - self.reactor.seconds()) > 0:
            return f"address {address:#04x} of {self.name} timed out {rest.timeouts} times and rests for {left:.0f} s"
        return None

    def cancelled(self, answer: Deferred[bytes]) -> None:
        """What waits is taken back.  What is in the thread goes on, and nobody hears of it."""
        self.waiting = deque(job for job in self.waiting if job.answer is not answer)

    def next(self) -> None:
        if self.running is None and self.waiting:
            self.running = self.waiting.popleft()
            if self.worker is None:
                self.worker = Worker(self.path, self.make, self.reactor.callFromThread, self.done)
            self.late = self.reactor.callLater(self.timeout, self.hang, self.running)
            self.worker.jobs.put(self.running)

    def hang(self, job: Job) -> None:
        self.late, self.stuck = None, True
        self.errors["stuck"] += 1
        self.slow(job, self.timeout)
        jobs, self.waiting = [job, *self.waiting], deque()
        for each in jobs:
            if not each.answer.called:
                each.answer.errback(
                    NoAnswer(
                        f"bus {self.name} is stuck: a transfer with address {job.address:#04x} takes longer"
                        f" than {self.timeout:g} s"
                    )
                )

    def done(self, job: Job, result: bytes | Exception, seconds: float) -> None:
        """The thread has answered."""
        hung, self.running, self.stuck = self.stuck, None, False
        if self.late is not None:
            self.late.cancel()
            self.late = None
        self.transfers += 1
        if isinstance(result, Failed):
            self.errors[result.name] += 1
        timed_out = isinstance(result, Failed) and result.name == "ETIMEDOUT"
        if timed_out and not hung:
            self.slow(job, seconds)
        elif not timed_out and not hung:
            self.resting.pop((job.mux, job.address), None)
        self.next()
        if not job.answer.called:  # neither late nor cancelled
            if isinstance(result, Failed):
                job.answer.errback(result.error)
            elif isinstance(result, Exception):
                job.answer.errback(result)
            else:
                job.answer.callback(result)

    def slow(self, job: Job, seconds: float) -> None:
        """An address that keeps timing out leaves the bus to others for a while."""
        rest = self.resting.setdefault((job.mux, job.address), Rest())
        rest.timeouts += 1
        if rest.timeouts > 1:
            rest.until = self.reactor.seconds() + min(SHARE * seconds, REST)

    def close(self) -> Deferred[None]:
        """Fires when the thread has ended, or at once where it hangs: it cannot be ended then."""
        if self.closed is not None:
            return succeed(None)
        self.closed = Deferred()
        jobs, self.waiting = list(self.waiting), deque()
        for job in jobs:
            job.answer.errback(NoAnswer(f"bus {self.name} is closed"))
        if self.worker is None or self.stuck:
            return succeed(None)
        self.worker.end(self.closed)
        return self.closed.addTimeout(self.timeout, self.reactor).addErrback(lambda _: None)


class Failed(Exception):
    """A transfer failed with *error*; *name* is what it is counted as."""

    def __init__(self, error: DeviceError, name: str) -> None:
        super().__init__(str(error))
        self.error, self.name = error, name


@dataclass(eq=False)
class Worker:
    """The thread, and all that only it touches."""

    path: str
    make: Callable[[], Any]
    call: Callable[..., None]
    done: Callable[[Job, bytes | Exception, float], None]
    jobs: SimpleQueue[Job | Deferred[None]] = field(default_factory=SimpleQueue)
    bus: Any = None
    module: Any = None

    def __post_init__(self) -> None:
        Thread(target=self.work, name=self.path, daemon=True).start()  # daemon: a hung ioctl cannot be ended

    def end(self, ended: Deferred[None]) -> None:
        self.jobs.put(ended)

    def work(self) -> None:
        while isinstance(job := self.jobs.get(), Job):
            began = time.monotonic()
            try:
                result: bytes | Exception = self.perform(job)
            except OSError as error:
                result = self.failed(job.address, error)
            except Exception as bug:
                result = bug
            self.call(self.done, job, result, time.monotonic() - began)
        self.shut()
        self.call(lambda ended: ended.called or ended.callback(None), job)

    def perform(self, job: Job) -> bytes:
        self.open()
        with ExitStack() as chosen:
            for address, channel in job.mux:
                chosen.callback(self.leave, address)
                self.transfer(address, Transfer(bytes((1 << channel,))))  # in force from the stop condition on
            answer = self.transfer(job.address, job.transfer)
        return answer

    def leave(self, address: int) -> None:
        """Let the multiplexer go, else its chips stay on the bus, and answer for others."""
        if self.bus is not None:  # the adapter was not unplugged meanwhile
            self.transfer(address, Transfer(b"\x00"))

    def transfer(self, address: int, transfer: Transfer) -> bytes:
        messages, answer = [], None
        if transfer.write or not transfer.read:
            messages.append(self.module.i2c_msg.write(address, transfer.write))
        if transfer.read:
            answer = self.module.i2c_msg.read(address, transfer.read)
            messages.append(answer)
        try:
            self.bus.i2c_rdwr(*messages)
        except OSError as error:
            raise self.failed(address, error) from error
        return b"" if answer is None else bytes(answer)

    def open(self) -> None:
        if self.module is None:
            self.module = self.make()
        if self.bus is None:
            try:
                self.bus = self.module.SMBus(self.path)
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, "EIO")
                raise Failed(NoAnswer(f"{self.path}: {OPENING.get(error.errno or 0, error.strerror)}"), name) from error

    def shut(self) -> None:
        bus, self.bus = self.bus, None
        if bus is not None:
            bus.close()

    def failed(self, address: int, error: OSError) -> Failed:
        name = errno.errorcode.get(error.errno or 0, "EIO")
        place = f"address {address:#04x} of {os.path.basename(self.path)}"
        if error.errno in (errno.ENODEV, errno.EBADF):  # the adapter was unplugged: open anew when it is back
            self.shut()
        kind = BadFrame if error.errno == errno.EIO else NoAnswer
        return Failed(kind(f"{place} {REASONS.get(error.errno or 0, error.strerror)}"), name)


OPENING = {
    errno.ENOENT: "no such bus; enable I2C with raspi-config",
    errno.EACCES: "permission denied; add the user to group i2c",
    errno.EPERM: "permission denied; add the user to group i2c",
}
REASONS = {
    errno.ENXIO: "does not answer",
    errno.EREMOTEIO: "does not answer",
    errno.ETIMEDOUT: "timed out: something holds the bus",
    errno.EAGAIN: "lost the bus to another master",
    errno.EIO: "broke off the transfer",
    errno.ENODEV: "is gone with its bus",
    errno.EOPNOTSUPP: "cannot be reached: the bus carries SMBus commands only",
}
