"""A gateway elsewhere, for programs that run on Twisted: the command language with Deferreds and typed readings.

The connection is made again whenever it breaks, and what was watched is watched again.  A question that was out then
fails: only its asker knows whether it may be asked twice.  Errors are ``GatewayError``, as in ``gateway.client``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from math import inf
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from gateway.client import LONGEST, PORT, GatewayError, Point, Reading, Value, only, point, reading, typed

Take = Callable[[Reading], Any]
FIRST, LONGEST_PAUSE = 0.25, 30.0  # seconds between two attempts to connect
TERMS = {"changed": 1, "every": 2, "band": 2}  # words of ``watch`` that are no patterns, and how many each makes up


def connect(reactor: Any, where: str = f"tcp:127.0.0.1:{PORT}", timeout: float = 15.0) -> Remote:
    """The gateway at a Twisted client endpoint string.  It connects by itself, now and again."""
    return Remote(clientFromString(reactor, where), reactor, timeout)


class Lines(LineOnlyReceiver):
    """One connection: answers come in the order of the commands."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST
    transport: Any

    def __init__(self, pushed: Callable[[str], None], clock: IReactorTime) -> None:
        self.pushed, self.clock = pushed, clock
        self.heard = -inf
        self.asked: deque[tuple[Deferred[list[str]], list[str]]] = deque()

    def say(self, command: str) -> Deferred[list[str]]:
        answer: Deferred[list[str]] = Deferred()
        self.asked.append((answer, []))
        self.sendLine(command.encode())
        return answer

    def lineReceived(self, line: bytes) -> None:
        self.heard = self.clock.seconds()
        text = line.decode(errors="replace")
        if text.startswith("* "):
            self.pushed(text[2:])
        elif not self.asked:
            self.transport.abortConnection()  # it is no gateway that answers here
        elif text == "OK" or text.startswith(("OK ", "ERR ")):
            answer, rows = self.asked.popleft()
            if text.startswith("ERR "):
                answer.errback(GatewayError(text[4:], text.split()[1]))
            else:
                answer.callback(rows)
        else:
            self.asked[0][1].append(text)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        asked, self.asked = self.asked, deque()
        for answer, _ in asked:
            answer.errback(GatewayError(f"the connection broke: {reason.getErrorMessage()}"))


@dataclass(slots=True, eq=False)
class Watch:
    """Who wants what: *words* as behind ``watch``."""

    take: Take
    words: tuple[str, ...]
    patterns: tuple[str, ...]

    def wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


class Remote:
    """A gateway that is asked over one connection.  *timeout* is in seconds, for one answer."""

    log = Logger()

    def __init__(self, endpoint: IStreamClientEndpoint, clock: IReactorTime, timeout: float = 15.0) -> None:
        self.clock, self.timeout = clock, timeout
        self.watches: dict[Watch, None] = {}
        self.lines: Lines | None = None
        factory: Any = Factory.forProtocol(lambda: Lines(self.pushed, clock))
        factory.noisy = False
        self.service = ClientService(
            endpoint, factory, backoffPolicy(FIRST, LONGEST_PAUSE), clock=clock, prepareConnection=self.prepare
        )
        self.service.startService()

    def close(self) -> Deferred[None]:
        """End the connection, for good."""
        self.watches.clear()
        return maybeDeferred(self.service.stopService)

    # Readings

    def get(self, name: str) -> Deferred[Reading]:
        """The newest reading of *name*."""
        return self.ask(f"get {name}").addCallback(partial(only, name))

    def readings(self, *patterns: str) -> Deferred[list[Reading]]:
        """The newest readings of these names and patterns, or all."""
        return self.ask(" ".join(("get", *(patterns or ("*",))))).addCallback(each_reading)

    def read(self, name: str) -> Deferred[list[Reading]]:
        """Have a device, or the device of a name, measure now."""
        return self.ask(f"read {name}").addCallback(each_reading)

    def set(self, name: str, value: Value) -> Deferred[None]:
        """Set *name*; fires when the device has it.  A text is what you would type, as in ``"50 %"``."""
        try:
            return self.ask(f"set {name} {typed(value)}").addCallback(lambda lines: None)
        except GatewayError:
            return fail()

    def range(
        self, name: str, start: str, end: str = "now", step: str = "", aggregate: str = ""
    ) -> Deferred[list[Point]]:
        """The past of a name or a pattern, oldest first.  Times and steps are as in ``help times``."""
        asked = self.ask(f"range {name} {start} {end} {step} {aggregate}".rstrip())
        return asked.addCallback(lambda lines: [point(line, name) for line in lines])

    def watch(self, take: Take, *words: str) -> Deferred[Callable[[], Deferred[None]]]:
        """Have *take* called with each new reading of some patterns, on terms: ``watch(take, "attic.*", "changed")``.
        Fires with what ends it.  Of two watches of one name, the terms of the later one count for both."""
        watch = Watch(take, words, patterns(words))
        self.watches[watch] = None

        def refused(failure: Failure) -> Failure:
            self.watches.pop(watch, None)
            return failure

        def stop() -> Deferred[None]:
            self.watches.pop(watch, None)
            wanted = {pattern for each in self.watches for pattern in each.patterns}
            gone = [pattern for pattern in watch.patterns if pattern not in wanted]
            return self.ask(" ".join(("unwatch", *gone))).addCallback(lambda _: None) if gone else succeed(None)

        return self.ask(" ".join(("watch", *words))).addCallbacks(lambda _: stop, refused)

    # Lines

    def ask(self, command: str) -> Deferred[list[str]]:
        """The data lines of the answer.  Fails with GatewayError when the gateway refuses, or cannot be reached."""
        if not command.isprintable():
            return fail(GatewayError("a command is one line of UTF-8"))
        asked: Deferred[Any] = self.service.whenConnected(failAfterFailures=1)
        asked.addCallbacks(lambda lines: lines.say(command), unreachable)
        return asked.addTimeout(self.timeout, self.clock, partial(self.late, self.clock.seconds()))

    def late(self, since: float, result: Any, seconds: float) -> Failure:
        """A line that is dead need not know it: when nothing at all came meanwhile, it is given up."""
        lines = self.lines
        if lines is not None and lines.connected and lines.heard < since:
            lines.transport.abortConnection()
        return Failure(GatewayError(f"the gateway does not answer in {seconds:g} s"))

    def prepare(self, lines: Any) -> None:
        """A new connection: watch again what was watched.  One that was just asked for is said twice, which does no
        harm."""
        self.lines = lines
        for watch in list(self.watches):
            lines.say(" ".join(("watch", *watch.words))).addErrback(self.unwatched, watch)

    def unwatched(self, failure: Failure, watch: Watch) -> None:
        self.log.warn("no longer watched: {words}: {why}", words=watch.words, why=failure.getErrorMessage())

    def pushed(self, line: str) -> None:
        found = reading(line)
        for watch in list(self.watches):
            if watch.wants(found.name):
                try:
                    watch.take(found)
                except Exception:
                    self.log.failure("Bug in {take}, which watches", take=watch.take)


def patterns(words: tuple[str, ...]) -> tuple[str, ...]:
    """What is watched: the words that are no terms, as the gateway completes them."""
    found, left = [], list(words)
    while left:
        if left[0] in TERMS:
            del left[: TERMS[left[0]]]
        else:
            word = left.pop(0)
            found.append(word if "." in word or any(each in word for each in "*?[") else f"manual.{word}")
    return tuple(found) or ("*",)


def each_reading(lines: list[str]) -> list[Reading]:
    return [reading(line) for line in lines]


def unreachable(failure: Failure) -> Failure:
    if failure.check(CancelledError):
        return failure
    return Failure(GatewayError(f"no gateway there: {failure.getErrorMessage()}"))
