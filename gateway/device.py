"""A device that is run: opened, identified, asked or listened to, and opened again when it is gone.

One attempt opens the port or bus and makes sure that the right device speaks; ClientService repeats it, and grows
the pauses.  What drivers know is in ``drivers``, how a conversation runs is in ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from math import floor, inf
from typing import Any, cast
from zlib import crc32

from twisted.application.internet import ClientService
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail, maybeDeferred, succeed
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from drivers import api
from drivers.api import (
    BadFrame,
    DeviceError,
    Measures,
    NoAnswer,
    Quantity,
    R,
    Sample,
    Starts,
    Talk,
    Value,
    Writes,
    WrongDevice,
)
from gateway.hub import Card, Chunk, Hub, Status
from gateway.life import Told, make_life
from gateway.memory import Carried, Memory
from gateway.outputs import Outputs
from gateway.plan import Plan
from gateway.run import Connection, Open, Ring, converse

PATIENCE = 3  # measurements in a row that may fail before the device counts as lost
PHASES = 4  # polls of one period are spread over so many moments of a second, so that those of one share a wakeup
FIRST, LONGEST = 0.25, 30.0  # seconds between attempts: after the first failure, and at most; no more than its period
SILENCE = 10.0  # seconds: a device that speaks by itself is lost when silent for so long, or for three periods
SLACK = 2.0  # seconds that a reading may be late before it is stale
STOPPING = 0.5  # seconds that a device's output may take to reach its stop value


class Device(Service):
    """One configured device.  Everything that happens to it passes here."""

    def __init__(
        self, plan: Plan, open: Open, ring: Ring, clock: IReactorTime, hub: Hub, memory: Memory | None = None
    ) -> None:
        self.plan, self.open, self.ring, self.clock, self.hub = plan, open, ring, clock, hub
        self.who = plan.card.name
        period = plan.card.period
        self.silence = max(SILENCE, 3 * period)
        self.keeps = 3 * period + SLACK if period else inf
        self.longest = min(LONGEST, max(FIRST, period or LONGEST))  # so long it may stay unnoticed that it is back
        self.told = Told(self.who, hub, Status(state="absent"))
        self.life = make_life(self.told)
        make = partial(plan.driver.device, plan.settings)
        self.carried = Carried(f"{plan.driver.name}:{self.who}", make, memory or Memory(), clock)
        self.device: api.Device = self.carried.fresh()
        self.connection: Connection | None = None
        self.tether: IProtocol | None = None
        self.turn = DeferredLock()
        self.tries = self.failures = 0
        self.heard = -inf
        self.ran = False
        self.epoch = 0  # of connections: an old one may tell of its end when the next is open already
        self.received = 0  # bytes in the ring when it was last understood, or opened
        self.timers: dict[str, IDelayedCall] = {}
        self.measuring: Deferred[None] | None = None
        self.waiting: list[Deferred[None]] = []
        self.outputs = Outputs(plan, self.write, clock, self.note)
        self.attempts = self.client()
        hub.devices[self.who] = self

    def client(self) -> ClientService:
        return ClientService(Attempt(self), Factory.forProtocol(TwistedProtocol), self.pause, self.clock)

    def pause(self, attempts: int) -> float:
        """Seconds until the next attempt.  Counted here, since a hot-plug event begins anew."""
        self.tries += 1
        return min(FIRST * 2.0 ** (min(self.tries, 20) - 1), self.longest)

    # What the gateway asks

    def startService(self) -> None:
        super().startService()
        self.attempts.startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.rest()
        done = self.outputs.apply(self.plan.stop, STOPPING)
        return done.addBoth(lambda _: self.attempts.stopService()).addBoth(self.stopped)

    def stopped(self, result: object) -> Deferred[None]:
        self.rest()
        self.life.stop()
        self.carried.keep(self.device)
        return deferLater(self.clock, 0)  # ports close in a later turn, and the next to open one may follow at once

    def appeared(self) -> None:
        """Something was plugged in where this device belongs: try now, and soon again."""
        self.tries = 0
        if (again := self.timers.pop("again", None)) is not None and again.active():
            again.cancel()
        if self.running and self.connection is None:
            maybeDeferred(self.attempts.stopService).addCallback(self.again)

    def again(self, result: object) -> None:
        if self.running:
            self.attempts.startService()

    # What commands ask

    @property
    def card(self) -> Card:
        return self.plan.card

    @property
    def status(self) -> Status:
        return replace(self.told.status, seen=None if self.heard == -inf else self.heard)

    def raw(self) -> Iterable[Chunk]:
        return self.ring

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return self.ring.follow(take)

    def read(self) -> Deferred[None]:
        """Measure now, or join the measurement under way; of a device that only talks, wait for what it says next."""
        if self.connection is None:
            return fail(NoAnswer(f"{self.who} is {self.status.state}: {self.status.reason}"))
        if not isinstance(self.device, Measures) and not self.plan.card.period:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self.waiting.remove)
        self.waiting.append(waiting)
        if not isinstance(self.device, Measures):
            return waiting.addTimeout(self.silence, self.clock, self.late)
        if self.measuring is None:
            self.measuring = self.hold(self.device.measure()).addCallback(self.publish)
            self.measuring.addBoth(self.measured)
        return waiting

    def late(self, result: object, seconds: float) -> Failure:
        return Failure(self.silent(seconds))

    def silent(self, seconds: float) -> DeviceError:
        """What it is that nothing good came for *seconds*."""
        if came := self.ring.received - self.received:
            return BadFrame(f"{came} bytes came, but nothing understood for {seconds:g} s; is the baud rate right?")
        return NoAnswer(f"silent for {seconds:g} s")

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        """Set *quantity*.  A value it cannot have is refused before anything goes out."""
        if self.connection is None:
            return fail(NoAnswer(f"{self.who} is {self.status.state}: {self.status.reason}"))
        assert isinstance(self.device, Writes)
        return self.hold(self.device.write(quantity, quantity.check(value))).addCallback(self.publish)

    def hold(self, talk: Talk[R]) -> Deferred[R]:
        """Run *talk* when those before it are done."""

        def begin() -> Coroutine[Deferred[Any], Any, R]:
            if self.connection is None:
                raise NoAnswer("the device went away")
            return converse(self.connection, self.clock, talk)

        return self.turn.run(begin)

    # One attempt

    async def attempt(self, factory: IProtocolFactory) -> IProtocol:
        """Open, and make sure of what is there.  Raises what was wrong; then everything is closed."""
        self.life.open()
        try:
            self.device = self.carried.fresh(self.device)
            self.epoch, self.received = self.epoch + 1, self.ring.received
            self.ring.begin()
            self.connection = await self.open(self.fed, partial(self.gone, self.epoch))
            self.life.opened()
            identity = await self.identify()
        except BaseException as error:
            self.drop()
            if not isinstance(error, CancelledError | GeneratorExit):
                self.failed(cast(Exception, error))
            raise
        self.tries = self.failures = 0
        self.ring.begun()
        self.life.identified(identity)
        self.tether = tether = cast(IProtocol, factory.buildProtocol(cast(Any, None)))
        tether.makeConnection(cast(Any, Cord(self)))
        self.begin()
        return tether

    async def identify(self) -> str:
        identity = await self.hold(self.device.start()) if isinstance(self.device, Starts) else ""
        if isinstance(self.device, Measures) or (self.plan.card.period and self.heard < self.told.status.since):
            await self.read()
        return identity

    def failed(self, error: Exception) -> None:
        self.hub.fail(self.who, error)
        if isinstance(error, WrongDevice):
            self.refuse(error)
        else:
            self.life.failed(said(error))

    def refuse(self, error: WrongDevice) -> None:
        """Something else is there.  A person must look; and we do, too, as a bus does not tell of a chip exchanged."""
        self.life.refuse(str(error))
        self.clock.callLater(0, self.give_up)  # perhaps it is in the middle of an attempt

    def give_up(self) -> None:
        maybeDeferred(self.attempts.stopService).addCallback(self.look_later)

    def look_later(self, result: object) -> None:
        if self.running:
            self.timers["again"] = self.clock.callLater(self.longest, self.appeared)

    def drop(self) -> None:
        """Close the connection; it no longer tells us."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        self.rest()
        self.release(Failure(NoAnswer("the device went away")))
        if self.measuring is not None:
            self.measuring.cancel()

    def gone(self, epoch: int, reason: Failure) -> None:
        """The connection ended by itself."""
        if self.connection is not None and epoch == self.epoch:
            self.lose(reason.value)

    def lose(self, error: BaseException | None) -> None:
        """It worked, and does no longer.  ClientService tries again."""
        self.drop()
        if self.tether is not None:  # else an attempt is under way, and has its own way to fail
            self.life.failed(said(error))
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Close, and let ClientService know."""
        self.drop()
        tether, self.tether = self.tether, None
        if tether is not None:
            tether.connectionLost(Failure(error or ConnectionDone()))

    def note(self, failure: Failure) -> None:
        """Count what went wrong where nobody waits for it."""
        self.hub.fail(self.who, cast(Exception, failure.value))

    # Running

    def begin(self) -> None:
        if self.plan.card.period:
            if isinstance(self.device, Measures):
                self.schedule()
            else:
                self.timers["silence"] = self.clock.callLater(self.silence, self.listen)
        self.outputs.apply(self.plan.loss if self.ran else self.plan.start)
        self.ran = True

    def rest(self) -> None:
        self.outputs.rest()
        for timer in self.timers.values():
            if timer.active():
                timer.cancel()
        self.timers.clear()

    def schedule(self) -> None:
        """The next poll, on the grid of this device's period and phase."""
        now, period = self.clock.seconds(), self.plan.card.period
        phase = crc32(self.who.encode()) % PHASES / PHASES
        due = (floor((now + period / 2 - phase) / period) + 1) * period + phase
        self.timers["poll"] = self.clock.callLater(due - now, self.poll)

    def poll(self) -> None:
        self.schedule()
        if self.measuring is None:
            self.read().addCallbacks(self.good, self.missed)

    def good(self, result: None) -> None:
        self.failures = 0

    def missed(self, failure: Failure) -> None:
        if self.connection is None or failure.check(CancelledError):
            return
        self.failures += 1
        self.hub.fail(self.who, cast(Exception, failure.value))
        if isinstance(failure.value, WrongDevice):
            self.refuse(failure.value)
        elif self.failures >= PATIENCE:
            self.lose(failure.value)

    def listen(self) -> None:
        """Is it still talking?"""
        left = self.heard + self.silence - self.hub.clock.monotonic()
        if left > 0:
            self.timers["silence"] = self.clock.callLater(left, self.listen)
        else:
            error = self.silent(self.silence)
            self.hub.fail(self.who, error)
            self.lose(error)

    def measured(self, result: Failure | None) -> None:
        self.measuring = None
        self.release(result)

    def release(self, result: Failure | None) -> None:
        """Tell those who wait for a sample."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None) if result is None else each.errback(result)

    def fed(self, data: Any) -> None:
        """What came unasked: bytes, or edges, which have their own times."""
        if isinstance(data, tuple):
            for edge in data:
                self.hear((edge,), edge.at)
        else:
            self.hear(data)
        self.carried.changed(self.device)

    def hear(self, data: Any, at: float | None = None) -> None:
        feed = getattr(self.device, "feed", None)  # isinstance(..., Feeds) takes Python 3.11 longer than a sentence
        if feed is None:
            return  # it stays in the ring
        try:
            for event in feed(data):
                if isinstance(event, DeviceError):
                    self.hub.fail(self.who, event)
                else:
                    self.publish(event, at)
                    if self.waiting and not isinstance(self.device, Measures):
                        self.release(None)
        except Exception as bug:  # the port stays open; what the device kept may be what broke it, so begin anew
            self.hub.fail(self.who, bug)
            self.device = self.carried.fresh()

    def publish(self, sample: Sample, at: float | None = None) -> None:
        """Of now, or of *at*; but the readings of one device are never out of order."""
        now = self.hub.clock.monotonic()
        self.heard = now if at is None else min(now, max(at, self.heard))
        self.received = self.ring.received
        if self.plan.scales:
            sample = {quantity: self.scaled(quantity, value) for quantity, value in sample.items()}
        self.hub.publish(self.who, sample, self.keeps, self.doubtful(sample) if self.plan.limits else (), self.heard)
        self.outputs.seen(sample)

    def scaled(self, quantity: Quantity, value: Value) -> Value:
        factor, offset = self.plan.scales.get(quantity.name, (1, 0))
        return value * factor + offset if quantity.kind == "float" else value  # type: ignore[operator]

    def doubtful(self, sample: Sample) -> Collection[Quantity]:
        """What lies beyond the limits that the user set: a spike that passed its checksum, perhaps."""
        found = []
        for quantity, value in sample.items():
            low, high = self.plan.limits.get(quantity.name, (-inf, inf))
            if not isinstance(value, str) and not low <= value <= high:
                found.append(quantity)
        return found


@implementer(IStreamClientEndpoint)
class Attempt:
    """What ClientService connects to: the device as a whole, identified."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self.device.attempt(protocolFactory))


class Cord:
    """What ClientService pulls to disconnect."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def loseConnection(self) -> None:
        self.device.end()


def said(error: BaseException | None) -> str:
    """What a person is told of *error*."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if isinstance(error, DeviceError | OSError | ConnectionClosed) else f"{type(error).__name__}: {text}"
