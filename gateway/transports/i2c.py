"""An I2C bus of the kernel, by one thread: i2c-dev has nothing to wait for, its calls block.

What the bus does when it does not come round by itself is ``ladder``'s.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from drivers.api import BadFrame, NoAnswer, Operation, Transfer
from gateway.transports import Transport
from gateway.transports.ladder import FIRST, Ladder, Power
from gateway.transports.queue import Failed, Job, Queue, code
from gateway.transports.rights import refused

Mux = tuple[tuple[int, int], ...]
SHARE = (
    10  # what timed out twice in a row rests for so many times what that cost, times those that rest: a tenth of all
)
REST = 30.0  # seconds, the longest: it may have come round
TIMEOUT = 2.0  # seconds: the kernel's own drivers give up after one, and then it is nobody else's trouble
HELD = {"ETIMEDOUT", "EAGAIN", "EBUSY"}  # not one chip is to blame, but whoever holds a line down


def smbus2() -> Any:
    import smbus2  # only where a bus is configured

    return smbus2


@dataclass(slots=True)
class Rest:
    """An address that keeps the bus from others."""

    timeouts: int = 0
    cost: float = 0.0  # seconds since it rested
    until: float = 0.0


@dataclass(eq=False, slots=True)
class Chip:
    """One address of a bus, maybe behind multiplexers."""

    bus: I2CBus
    address: int
    mux: Mux

    def perform(self, operation: Operation) -> Deferred[bytes]:
        assert isinstance(operation, Transfer)
        call = partial(self.bus.adapter.perform, self.address, self.mux, operation)
        return self.bus.enqueue((self.mux, self.address), f"a transfer with address {self.address:#04x}", call)


class I2CBus(Queue):
    """The bus at *path*.  *queue* is how many transfers may wait, *timeout*, in seconds, how long one may take before
    the bus counts as ``stuck``.  *power* switches its chips off and on again; *tell* hears what is done to bring the
    bus back."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        *,
        queue: int = 64,
        timeout: float = TIMEOUT,
        make: Callable[[], Any] = smbus2,
        sysfs: str = "/sys",
        power: Power | None = None,
        tell: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.path = path
        self.adapter = Adapter(path, make, sysfs)
        super().__init__(reactor, f"bus {os.path.basename(path)}", self.adapter.shut, limit=queue, timeout=timeout)
        self.resting: dict[Any, Rest] = {}
        self.ladder = Ladder(self, power, tell)

    def at(self, address: int, mux: Mux = ()) -> Transport:
        """The chip at *address*, behind the (address, channel) of each multiplexer on the way."""
        return Chip(self, address, mux)

    def unable(self, place: Any) -> str | None:
        why = super().unable(place)
        rest = self.resting.get(place)
        if why is None and rest is not None and (left := rest.until - self.reactor.seconds()) > 0:
            where = f"address {place[1]:#04x} of {os.path.basename(self.path)}"
            return f"{where} timed out {rest.timeouts} times and rests for {left:.0f} s"
        return why

    def hung(self, job: Job) -> None:
        self.slow(job, self.timeout)
        self.ladder.hung(job)

    def ended(self, job: Job, result: bytes | Exception, seconds: float) -> None:
        held = isinstance(result, Failed) and result.name in HELD
        if job.place is None:
            return
        if held and isinstance(result, Failed) and result.name == "ETIMEDOUT":
            self.slow(job, seconds)
        elif not held:
            self.resting.pop(job.place, None)
        self.ladder.failed() if held else self.ladder.worked()

    def slow(self, job: Job, seconds: float) -> None:
        """An address that keeps timing out leaves the bus to others for a while, as long as they get on with it."""
        rest = self.resting.setdefault(job.place, Rest())
        rest.timeouts, rest.cost = rest.timeouts + 1, rest.cost + seconds
        if rest.timeouts > 1 and self.ladder.failures < FIRST:
            resting = sum(each.timeouts > 1 for each in self.resting.values())
            rest.until, rest.cost = self.reactor.seconds() + min(SHARE * rest.cost * resting, REST), 0.0


@dataclass(eq=False)
class Adapter:
    """What only the thread touches."""

    path: str
    make: Callable[[], Any]
    sysfs: str
    bus: Any = None
    module: Any = None

    def perform(self, address: int, mux: Mux, transfer: Transfer) -> bytes:
        """Select, transfer and let go, with nobody in between."""
        self.open()
        with ExitStack() as chosen:
            for at, channel in mux:
                chosen.callback(self.leave, at)
                self.transfer(at, Transfer(bytes((1 << channel,))))  # in force from the stop condition on
            answer = self.transfer(address, transfer)
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
                raise Failed(NoAnswer(unopened(self.path, error)), code(error)) from error

    def shut(self) -> None:
        bus, self.bus = self.bus, None
        if bus is not None:
            bus.close()

    def again(self) -> bytes:
        """Close the adapter and open it anew."""
        self.shut()
        self.open()
        return b""

    def reset(self) -> bytes:
        """Have the kernel's driver let go of the controller and take it again, as its only way to reset one.  It waits
        for whoever else has the bus open.  OSError where we may not, and where there is none to let go."""
        controller = Path(self.sysfs, "class/i2c-dev", os.path.basename(self.path), "device").resolve().parent
        driver = (controller / "driver").resolve()
        self.shut()
        for step in "unbind", "bind":
            (driver / step).write_text(controller.name)
        return b""

    def failed(self, address: int, error: OSError) -> Failed:
        place = f"address {address:#04x} of {os.path.basename(self.path)}"
        if error.errno in (errno.ENODEV, errno.EBADF):  # the adapter was unplugged: open anew when it is back
            self.shut()
        kind = BadFrame if error.errno == errno.EIO else NoAnswer
        return Failed(kind(f"{place} {REASONS.get(error.errno or 0, error.strerror)}"), code(error))


def unopened(path: str, error: OSError) -> str:
    """Why the bus at *path* cannot be had, and what helps."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return refused(path)
    missing = "no such bus; enable I2C with raspi-config, or load the module i2c-dev"
    return f"{path}: {missing if error.errno == errno.ENOENT else error.strerror}"


REASONS = {
    errno.ENXIO: "does not answer",
    errno.EREMOTEIO: "does not answer",
    errno.ETIMEDOUT: "timed out: something holds the bus",
    errno.EAGAIN: "lost the bus to another master",
    errno.EBUSY: "is not reached: something holds the bus",  # not a driver of the kernel's: I2C_RDWR goes past those
    errno.EIO: "broke off the transfer",
    errno.ENODEV: "is gone with its bus",
    errno.EOPNOTSUPP: "cannot be reached: the bus carries SMBus commands only",
}
