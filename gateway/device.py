"""A device that is run: opened, identified, asked or listened to, and opened again when it is gone.

One attempt opens the port or bus and makes sure that the right device speaks; ``attempts`` repeats it, ``polls``
measures in time, or listens.  What drivers know is in ``drivers``, how a conversation runs is in ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from drivers import api
from drivers.api import (
    BadFrame,
    DeviceError,
    Measures,
    NoAnswer,
    Quantity,
    R,
    Sample,
    Skips,
    Starts,
    Talk,
    Value,
    Writes,
    WrongDevice,
)
from gateway.attempts import LONGEST, Attempts
from gateway.handle import Card, Chunk, Status
from gateway.history.question import Deed
from gateway.hub import Hub
from gateway.life import Told, make_life
from gateway.memory import Carried, Memory
from gateway.outputs import Outputs
from gateway.plan import Plan
from gateway.plausible import Plausible
from gateway.polls import Polls
from gateway.ring import Ring
from gateway.run import Connection, Open, converse

SILENCE = 10.0  # seconds: a device that speaks by itself is lost when silent for so long, or for three periods
SLACK = 2.0  # seconds that a reading may be late before it is stale
TALKS = 300.0  # seconds that a driver may talk with its device about one thing, or three periods
STOPPING = 0.5  # seconds that a device's output may take to reach its stop value


class Device(Service):
    """One configured device.  Everything that happens to it passes here."""

    def __init__(
        self,
        plan: Plan,
        open: Open,
        ring: Ring,
        clock: IReactorTime,
        hub: Hub,
        memory: Memory | None = None,
        audit: Callable[[Deed], object] = lambda deed: None,
    ) -> None:
        memory = memory or Memory()
        self.plan, self.open, self.ring, self.clock, self.hub = plan, open, ring, clock, hub
        self.who = plan.card.name
        period = plan.card.period
        self.silence = max(SILENCE, 3 * period)
        self.talks = max(TALKS, self.silence)
        self.keeps = 3 * period + SLACK if period else inf
        self.told = Told(self.who, hub, Status(state="absent"))
        self.life = make_life(self.told)
        make = partial(plan.driver.device, plan.settings)
        self.carried = Carried(f"{plan.driver.name}:{self.who}", make, memory, clock)
        self.device = cast(api.Device, None)  # until the first attempt: what a driver breaks is its own device's only
        self.connection: Connection | None = None
        self.turn = DeferredLock()
        self.heard = -inf
        self.epoch = 0  # of connections: an old one may tell of its end when the next is open already
        self.received = 0  # bytes in the ring when it was last understood, or opened
        self.measuring: Deferred[None] | None = None
        self.waiting: list[Deferred[None]] = []
        self.plausible = Plausible(plan)
        self.known = frozenset(plan.card.quantities)
        self.outputs = Outputs(plan, self.put, hub, clock, self.note, memory, audit)
        self.polls = Polls(self)
        self.attempts = Attempts(self.attempt, self.end, clock, period or LONGEST)
        hub.devices[self.who] = self

    # What the gateway asks

    def startService(self) -> None:
        super().startService()
        self.attempts.start()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.rest()
        self.attempts.rest()
        done = self.outputs.stop(STOPPING)
        return done.addBoth(lambda _: self.attempts.stop()).addBoth(self.stopped)

    def stopped(self, result: object) -> Deferred[None]:
        self.rest()
        self.life.stop()
        self.carried.keep(self.device)
        return deferLater(self.clock, 0)  # ports close in a later turn, and the next to open one may follow at once

    def appeared(self) -> None:
        """Something was plugged in where this device belongs: try now, and soon again."""
        self.attempts.now(idle=self.connection is None)

    # What commands ask

    @property
    def card(self) -> Card:
        return self.plan.card

    @property
    def status(self) -> Status:
        seen = None if self.heard == -inf else self.heard
        return replace(self.told.status, seen=seen, outputs=self.outputs.why)

    def raw(self) -> Iterable[Chunk]:
        return self.ring

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        return self.ring.follow(take)

    def read(self, whole: bool = False) -> Deferred[None]:
        """Measure now, *whole* also what is not asked for each time, or join the measurement under way; of a device
        that only talks, wait for what it says next."""
        if self.connection is None:
            return fail(self.away())
        measure = getattr(self.device, "measure", None)  # isinstance(..., Measures) takes Python 3.11 long
        if measure is None and not self.plan.card.period:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self.waiting.remove)
        self.waiting.append(waiting)
        if measure is None:
            return waiting.addTimeout(self.silence, self.clock, self.late)
        if whole and hasattr(self.device, "whole"):
            cast(Skips, self.device).whole = True
        if self.measuring is None:
            self.measuring = self.hold(cast(Talk[Sample], measure())).addCallback(self.publish)
            self.measuring.addBoth(self.measured)
        return waiting

    def away(self) -> NoAnswer:
        return NoAnswer(f"{self.who} is {self.status.state}: {self.status.reason}")

    def late(self, result: object, seconds: float) -> Failure:
        return Failure(self.silent(seconds))

    def silent(self, seconds: float) -> DeviceError:
        """What it is that nothing good came for *seconds*."""
        came = self.ring.received - self.received
        if came and not isinstance(self.plan.driver.link, api.GPIO):
            return BadFrame(f"{came} bytes came, but nothing understood for {seconds:g} s; is the baud rate right?")
        return NoAnswer(f"silent for {seconds:g} s")

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        """Set *quantity*, as a client asks.  A value it cannot have, and an output that must stay off, are refused
        before anything goes out."""
        return self.put(quantity, value).addCallback(lambda _: self.outputs.asked(quantity))

    def put(self, quantity: Quantity, value: Value) -> Deferred[None]:
        """Set *quantity*, whoever asks."""
        if self.connection is None:
            return fail(self.away())
        device = self.device
        assert isinstance(device, Writes)

        def talk() -> Talk[None]:  # published before it is another's turn: what may be on then depends on this
            self.outputs.check(quantity, value)
            self.publish((yield from device.write(quantity, quantity.check(value))))

        return self.hold(talk())

    def hold(self, talk: Talk[R]) -> Deferred[R]:
        """Run *talk* when those before it are done."""

        def begin() -> Coroutine[Deferred[Any], Any, R]:
            if self.connection is None:
                raise NoAnswer("the device went away")
            return converse(self.connection, self.clock, talk, self.plan.driver.link.operations, self.talks)

        return self.turn.run(begin)

    # One attempt

    async def attempt(self) -> IProtocol:
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
        self.ring.begun()
        self.life.identified(identity)
        tether = self.attempts.worked()
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
        self.clock.callLater(0, self.attempts.seldom)  # perhaps it is in the middle of an attempt

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
        if self.attempts.tether is not None:  # else an attempt is under way, and has its own way to fail
            self.life.failed(said(error))
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Close, and let ClientService know."""
        self.drop()
        self.attempts.over(error)

    def note(self, failure: Failure) -> None:
        """Count what went wrong where nobody waits for it."""
        self.hub.fail(self.who, cast(Exception, failure.value))

    # Running

    def begin(self) -> None:
        self.polls.begin()
        self.outputs.begin()

    def rest(self) -> None:
        self.outputs.rest()
        self.polls.rest()

    def measured(self, result: Failure | None) -> None:
        self.measuring = None
        self.release(result)

    def release(self, result: Failure | None) -> None:
        """Tell those who wait for a sample."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None) if result is None else each.errback(result)

    def fed(self, data: Any) -> None:
        """What came unasked: bytes; edges, which have their own times; or that some are lost."""
        if isinstance(data, DeviceError):
            self.hub.fail(self.who, data)
        elif isinstance(data, tuple):
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
        except (Exception, SystemExit) as bug:
            # The port stays open; what the device kept may be what broke it, so begin anew.
            self.hub.fail(self.who, cast(Exception, bug))
            self.device = self.carried.fresh()

    def publish(self, sample: Sample, at: float | None = None) -> None:
        """Of now, or of *at*; but the readings of one device are never out of order.  Drivers check what they give; one
        of the user's own may forget to, and a text in place of a number would stop the history of all devices.  To ask
        whose driver it is would be one more thing to know, for 0.3 µs a value of 170 that a reading costs."""
        for quantity, value in sample.items():
            if quantity not in self.known:
                raise TypeError(f"{getattr(quantity, 'name', quantity)} is none of its driver's quantities")
            quantity.check(value)
        now = self.hub.clock.monotonic()
        self.heard = now if at is None else min(now, max(at, self.heard))
        self.received = self.ring.understood = self.ring.received
        if not (sample := self.plausible.corrected(sample)):
            return
        self.hub.publish(self.who, sample, self.keeps, self.plausible.doubtful(sample, self.heard), self.heard)
        self.outputs.seen(sample)


def said(error: BaseException | None) -> str:
    """What a person is told of *error*."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if isinstance(error, DeviceError | OSError | ConnectionClosed) else f"{type(error).__name__}: {text}"
