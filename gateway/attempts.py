"""One attempt after the other to open a device, with growing pauses: ClientService's work, for whom a device is
something to connect to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

FIRST, LONGEST = 0.25, 30.0  # seconds between attempts: after the first failure, and at most; no more than its period


@implementer(IStreamClientEndpoint)
class Attempts:
    """*attempt* is one: it calls ``worked`` and returns what that gives, or raises.  *close* ends what came of it;
    *longest* are the seconds that it may stay unnoticed that the device is back."""

    def __init__(
        self,
        attempt: Callable[[], Coroutine[Any, Any, IProtocol]],
        close: Callable[[], None],
        clock: IReactorTime,
        longest: float,
    ) -> None:
        self.attempt, self.close, self.clock = attempt, close, clock
        self.longest = min(LONGEST, max(FIRST, longest))
        self.tries = 0
        self.running = False
        self.tether: IProtocol | None = None  # what ClientService holds on to while the device works
        self.factory: IProtocolFactory = Factory.forProtocol(Protocol)
        self.later: IDelayedCall | None = None
        self.service = ClientService(self, self.factory, self.pause, clock)

    def start(self) -> None:
        self.running = True
        self.service.startService()

    def rest(self) -> None:
        """Begin nothing by itself any more."""
        self.running = False
        self.forget()

    def stop(self) -> Deferred[Any]:
        """Fires when there is no attempt, and nothing that came of one."""
        self.rest()
        return maybeDeferred(self.service.stopService)

    def forget(self) -> None:
        later, self.later = self.later, None
        if later is not None and later.active():
            later.cancel()

    def pause(self, attempts: int) -> float:
        """Seconds until the next attempt.  Counted here, since a hot-plug event begins anew."""
        self.tries += 1
        return min(FIRST * 2.0 ** (min(self.tries, 20) - 1), self.longest)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.factory = protocolFactory  # ClientService's own, around ours
        return Deferred.fromCoroutine(self.attempt())

    def worked(self) -> IProtocol:
        """The device is there, and works, until ``over`` is called."""
        self.tries = 0
        self.tether = tether = cast(IProtocol, self.factory.buildProtocol(cast(Any, None)))
        tether.makeConnection(cast(Any, self))
        return tether

    def loseConnection(self) -> None:
        """ClientService pulls its tether."""
        self.close()

    def over(self, error: BaseException | None = None) -> None:
        """It works no longer; have ClientService know."""
        tether, self.tether = self.tether, None
        if tether is not None:
            tether.connectionLost(Failure(error or ConnectionDone()))

    def now(self, idle: bool = True) -> None:
        """Something was plugged in where the device belongs: try now if *idle*, and soon again."""
        self.tries = 0
        self.forget()
        if self.running and idle:
            maybeDeferred(self.service.stopService).addCallback(self.again)

    def again(self, result: object) -> None:
        if self.running:
            self.service.startService()

    def seldom(self) -> None:
        """Stop, and look again after the longest pause."""
        maybeDeferred(self.service.stopService).addCallback(self.wait)

    def wait(self, result: object) -> None:
        if self.running:
            self.later = self.clock.callLater(self.longest, self.now)
