"""Whose turn it is on a Modbus line: one request at a time, with the silence between frames that the standard wants.

A unit that is not there costs everybody its timeout.  One that missed its turn may still answer, and on a serial line
that could pass for the answer to its next request; so it is not asked again until it had its timeout twice.  One that
missed twice in a row rests: for ``SHARE`` times what it cost, times the number of those that rest, so that all of
them together take at most one part in ``SHARE + 1`` of the line's time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from drivers.api import BadFrame, DeviceError, NoAnswer, Request, Serial
from drivers.codec.modbus import RTU, TCP

SHARE = 10
FAST = 19_200  # baud; above it the standard has fixed times
FIXED = 0.001_75  # seconds of silence there
MOMENT = 1e-6  # seconds that are not worth a timer

Note = Callable[[str, bytes], object]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a byte takes, and that are silent between two frames."""

    byte: float = 0.0
    silence: float = 0.0


UNPACED = Pace()


def pace(line: Serial) -> Pace:
    """That of a serial line: "MODBUS over Serial Line V1.02", 2.5.1.1.  At 9600 baud, 8N1, 3.5 bytes are 3.6 ms."""
    byte = (1 + line.bits + (line.parity != "N") + line.stop_bits) / line.baud
    return Pace(byte, 3.5 * byte if line.baud <= FAST else FIXED)


@dataclass(eq=False, slots=True)
class Job:
    """A request that waits, or is on the line."""

    unit: int
    request: Request
    timeout: float
    note: Note
    answer: Deferred[bytes]
    began: float = 0.0
    ready: float = inf  # since when only the line's noise holds it up


@dataclass(slots=True)
class Missing:
    """A unit that did not answer, so many times in a row; *cost* is the line's time since it rested."""

    last: DeviceError
    times: int = 0
    cost: float = 0.0
    until: float = 0.0


@dataclass(eq=False, slots=True)
class Turns:
    """The queue of one line.  *wire* makes what frames its bytes.  Between ``begin`` and ``end`` the line is open."""

    clock: IReactorTime
    wire: Callable[[], RTU | TCP]
    pace: Pace
    waiting: list[Job] = field(default_factory=list)
    running: Job | None = None
    missing: dict[int, Missing] = field(default_factory=dict)
    transport: Any = None
    framed: RTU | TCP = field(default_factory=RTU)
    note: Note = lambda way, data: None
    quiet: float = 0.0  # when the line last carried something
    timer: IDelayedCall | None = None  # until the next may begin, or until the one that runs is late

    def begin(self, transport: Any) -> None:
        self.transport, self.framed, self.quiet = transport, self.wire(), self.clock.seconds()

    def end(self, error: DeviceError) -> None:
        """The line is closed: nobody gets an answer."""
        self.transport = None
        self.rest()
        jobs = [*([self.running] if self.running else []), *self.waiting]
        self.running, self.waiting = None, []
        for job in jobs:
            settle(job, error)

    def rest(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None

    def ask(self, unit: int, request: Request, timeout: float, note: Note) -> Deferred[bytes]:
        if self.transport is None:
            return fail(NoAnswer("the port is closed"))
        gone = self.missing.get(unit)
        if gone is not None and gone.times > 1 and (left := gone.until - self.clock.seconds()) > 0:
            words = f"{gone.last}; so it was {gone.times} times in a row, and it rests for {left:.1f} s"
            return fail(type(gone.last)(words))
        job = Job(unit, request, timeout, note, Deferred(self.cancelled))
        self.waiting.append(job)
        self.next()
        return job.answer

    def cancelled(self, answer: Deferred[bytes]) -> None:
        """What waits is taken back.  What is on the line goes on, and nobody hears of it."""
        self.waiting = [job for job in self.waiting if job.answer is not answer]

    def leave(self, unit: int) -> None:
        """Nobody wants *unit*'s answers any more."""
        left = [job for job in (self.running, *self.waiting) if job is not None and job.unit == unit]
        self.waiting = [job for job in self.waiting if job not in left]
        for job in left:
            settle(job, NoAnswer("the port was closed"))

    def next(self) -> None:
        """Send the next request, or see to it that this happens in time."""
        if self.running is not None or self.transport is None or not self.waiting:
            return
        self.rest()
        now = self.clock.seconds()
        job = next((job for job in self.waiting if self.free(job.unit) <= now), None)
        if job is None:
            later = min(self.free(job.unit) for job in self.waiting) - now
        else:
            later = self.quiet + self.pace.silence - now
            job.ready = min(job.ready, now)
        if job is not None and later > MOMENT and now - job.ready > job.timeout:
            self.waiting.remove(job)
            self.timer = self.clock.callLater(later, self.next)
            settle(job, BadFrame("the line is never silent; is there another master on it?"))
        elif job is None or later > MOMENT:
            self.timer = self.clock.callLater(later, self.next)
        else:
            self.waiting.remove(job)
            self.send(job)

    def free(self, unit: int) -> float:
        """When *unit* may be asked."""
        return self.missing[unit].until if unit in self.missing else 0.0

    def send(self, job: Job) -> None:
        self.running, self.note, job.began = job, job.note, self.clock.seconds()
        if (flush := getattr(self.transport, "flushInput", None)) is not None:
            flush()  # what the kernel still holds is no answer to what was not asked yet
        try:
            frame = self.framed.begin(job.unit, job.request)
            job.note(">", frame)
            self.transport.write(frame)
        except (
            ValueError,
            ConnectionClosed,
        ) as error:  # a request that cannot be: the driver's bug; or an unplugged port
            self.running = None
            self.framed.exchange = None
            settle(job, error if isinstance(error, ValueError) else NoAnswer(str(error)))
            self.next()
        else:
            seconds = (len(frame) + self.framed.size) * self.pace.byte + job.timeout
            self.timer = self.clock.callLater(seconds, self.late)

    def heard(self, data: bytes) -> None:
        """Bytes came.  EOFError where nothing behind them can be understood."""
        self.quiet = self.clock.seconds()
        self.note("<", data)
        try:
            answer = self.framed.feed(data)
        except DeviceError as error:
            self.done(error)
        else:
            if answer is not None:
                self.done(answer)

    def late(self) -> None:
        self.timer = None
        self.done(self.framed.end(), late=True)

    def done(self, result: bytes | DeviceError, late: bool = False) -> None:
        job, self.running = self.running, None
        assert job is not None
        self.rest()
        if isinstance(result, NoAnswer | BadFrame):
            self.miss(job, result, late)
        else:
            self.missing.pop(job.unit, None)
        self.next()
        settle(job, result)

    def miss(self, job: Job, error: DeviceError, late: bool) -> None:
        now = self.clock.seconds()
        gone = self.missing.setdefault(job.unit, Missing(error))
        gone.last, gone.times, gone.cost = error, gone.times + 1, gone.cost + now - job.began
        if gone.times == 1:
            gone.until = now + job.timeout if late and self.framed.late else now
        else:
            resting = sum(each.times > 1 for each in self.missing.values())
            gone.until, gone.cost = now + SHARE * gone.cost * resting, 0.0


def settle(job: Job, result: bytes | Exception) -> None:
    if job.answer.called:  # cancelled
        return
    if isinstance(result, bytes):
        job.answer.callback(result)
    else:
        job.answer.errback(Failure(result))
