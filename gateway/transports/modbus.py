"""A Modbus line: a port that is opened once for all units on it, and closed when the last of them lets go.

A device is one unit and has a life of its own; several that open at once share one attempt, and where that fails the
next comes no sooner than a single device's would.  Whose turn it is on the open line is ``turns``' work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet import protocol
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from drivers.api import BadFrame, NoAnswer, Operation, Request
from drivers.codec.modbus import RTU, TCP
from gateway.transports.turns import UNPACED, Note, Pace, Turns

PAUSE, LONGEST = 0.2, 5.0  # seconds until a port that could not be opened is tried again, whoever asks

Lost = Callable[[Failure], None]
Open = Callable[[Callable[[Any], None], Lost], "Deferred[Any]"]


class Tap(protocol.Protocol):
    """The open port of *line*."""

    def __init__(self, line: ModbusLine) -> None:
        self.line = line

    def dataReceived(self, data: bytes) -> None:
        try:
            self.line.turns.heard(data)
        except EOFError as error:
            self.line.turns.end(BadFrame(str(error)))
            cast(Any, self.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.line.ended(reason)


@dataclass(eq=False, slots=True)
class Unit:
    """One unit's way over the line, until it is closed or the line is lost."""

    line: ModbusLine
    number: int
    timeout: float
    note: Note
    lost: Lost

    def perform(self, operation: Operation) -> Deferred[bytes]:
        assert isinstance(operation, Request)
        if self not in self.line.units:
            return fail(NoAnswer("the port is closed"))
        return self.line.turns.ask(self.number, operation, self.timeout, self.note)

    def close(self) -> None:
        self.line.leave(self)


class ModbusLine:
    """The line behind *endpoint*, with frames as of *wire*."""

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        wire: Callable[[], RTU | TCP] = RTU,
        pace: Pace = UNPACED,
    ) -> None:
        self.clock, self.endpoint = clock, endpoint
        self.turns = Turns(clock, wire, pace)
        self.factory = Factory.forProtocol(lambda: Tap(self))
        self.factory.noisy = False
        self.units = set[Unit]()
        self.joining: dict[Deferred[Unit], Unit] = {}
        self.connecting: Deferred[Any] | None = None
        self.tap: Tap | None = None
        self.closing = False
        self.tries = 0
        self.until = 0.0
        self.why: Exception = NoAnswer("")

    def at(self, unit: int, timeout: float, note: Note) -> Open:
        """Opens *unit*, which may be silent for *timeout* seconds; *note* takes the raw bytes."""

        def open(fed: Callable[[Any], None], lost: Lost) -> Deferred[Any]:
            return self.join(Unit(self, unit, timeout, note, lost))

        return open

    def plugged(self) -> None:
        """The port may be there again: the next attempt need not wait."""
        self.tries, self.until = 0, 0.0

    def forget(self, unit: int) -> None:
        """There is no such unit any more."""
        self.turns.missing.pop(unit, None)

    def join(self, unit: Unit) -> Deferred[Unit]:
        if self.tap is not None and not self.closing:
            self.units.add(unit)
            return succeed(unit)
        if self.tap is None and self.connecting is None and self.clock.seconds() < self.until:
            return fail(self.why)
        joined: Deferred[Unit] = Deferred(self.withdraw)
        self.joining[joined] = unit
        if self.tap is None and self.connecting is None:
            self.connect()
        return joined

    def withdraw(self, joined: Deferred[Unit]) -> None:
        self.joining.pop(joined, None)
        if not self.joining and self.connecting is not None:
            self.connecting.cancel()

    def connect(self) -> None:
        self.connecting = self.endpoint.connect(self.factory)
        self.connecting.addCallbacks(self.opened, self.failed)

    def opened(self, tap: Tap) -> None:
        self.connecting, self.tap, self.tries = None, tap, 0
        self.turns.begin(tap.transport)
        joining, self.joining = self.joining, {}
        self.units.update(joining.values())
        for joined, unit in joining.items():
            joined.callback(unit)
        self.let_go()

    def failed(self, failure: Failure) -> None:
        self.connecting = None
        error = cast(Exception, failure.value)
        joining, self.joining = self.joining, {}
        if isinstance(error, ConnectingCancelledError | CancelledError):
            error = CancelledError()
        else:
            if isinstance(error, ConnectError | OSError):
                error = NoAnswer(failure.getErrorMessage())
            self.tries, self.why = self.tries + 1, error
            self.until = self.clock.seconds() + min(PAUSE * 2 ** min(self.tries - 1, 10), LONGEST)
        for joined in joining:
            joined.errback(Failure(error))

    def ended(self, reason: Failure) -> None:
        """The port is closed, by us or by itself; who is on the line is told."""
        self.tap, self.closing = None, False
        self.turns.end(NoAnswer("the port was closed"))
        units, self.units = self.units, set()
        for unit in units:
            unit.lost(reason)
        if self.joining and self.connecting is None:
            self.connect()

    def leave(self, unit: Unit) -> None:
        if unit in self.units:
            self.units.discard(unit)
            self.turns.leave(unit.number)
            self.let_go()

    def let_go(self) -> None:
        """Close the port that nobody needs; who comes meanwhile waits until it is closed."""
        if self.tap is not None and not self.units and not self.closing:
            self.closing = True
            cast(Any, self.tap.transport).abortConnection()
