"""Server-sent events: new readings, changed devices, a clock that was set and what a reload says, as they come.

Streams that want the same share one watch, and the bytes it makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gateway.commands import Answer, Commands, Row, Session, Who
from gateway.interfaces.http.answer import Refusal
from gateway.interfaces.http.devices import encode, summary
from gateway.interfaces.http.stream import Event, Stream, joined
from gateway.reading import Reading, Readings

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

STREAMS = 100  # at most
TICK = 1.0  # seconds between two looks at the devices
QUIET = 15  # ticks after which a comment keeps the connection alive
ID = re.compile(rb"(\d{1,18})-(\d{1,18})")  # boot and sequence number


def told(reading: Reading) -> Event:
    """The reading's JSON; past ``until``, on the scale of ``monotonic``, it is stale."""
    if reading.stale():
        return reading.name, sent(reading, encode(reading.data("stale")))
    if reading.until == inf:
        return reading.name, sent(reading, reading.json)
    return reading.name, sent(reading, b'%b,"until":%.3f}' % (reading.json[:-1], reading.until))


def sent(reading: Reading, data: bytes) -> bytes:
    return b"id: %d-%d\ndata: %b\n\n" % (reading.boot, reading.seq, data)


def named(kind: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(data))


class Feed:
    """What all streams with the same role and the same patterns are told."""

    def __init__(self, events: Events, session: Session, patterns: tuple[str, ...]) -> None:
        self.events, self.session, self.patterns = events, session, patterns
        self.streams: dict[Stream, None] = {}
        self.devices: dict[str, bytes] = {}
        self.notice = self.notices()
        self.fresh: list[Reading] = []
        self.call: IDelayedCall | None = None
        self.clock: list[Event] = []
        self.cancels = session.watch(self.take, *(patterns or ("*",))), session.clocked(self.clocked)
        self.changed()

    def join(self, stream: Stream, last: bytes) -> None:
        """Begin with how everything is, but for readings up to the event with id *last*."""
        status = self.session.perform("status")
        assert isinstance(status, Answer)
        hello = {"tcp": self.events.tcp, **status.facts}
        readings = sorted(self.session.readings(*self.patterns), key=lambda reading: reading.seq)
        begin = [("status", b"retry: 2000\n" + named("status", hello)), *self.known()]
        events = [*begin, *map(told, self.after(readings, last))]
        self.streams[stream] = None
        stream.begin()
        stream.send(events, *joined(events))

    def after(self, readings: list[Reading], last: bytes) -> list[Reading]:
        if not (readings and (found := ID.fullmatch(last))):
            return readings
        boot, seq = map(int, found.groups())
        if seq > readings[-1].seq:  # of another life
            return readings
        return [reading for reading in readings if (reading.boot, reading.seq) > (boot, seq)]

    def leave(self, stream: Stream) -> None:
        del self.streams[stream]
        if not self.streams:
            for cancel in self.cancels:
                cancel()
            self.session.close()
            if self.call is not None:
                self.call.cancel()
            self.events.forget(self)

    def take(self, readings: Readings) -> None:
        self.fresh += readings
        self.mark()

    def clocked(self, row: Row) -> None:
        self.clock.append(("clock", named("clock", row.data)))
        self.mark()

    def mark(self) -> None:
        if self.call is None:
            self.call = self.events.clock.callLater(0, self.flush)

    def flush(self) -> None:
        self.call = None
        fresh, self.fresh, clock, self.clock = self.fresh, [], self.clock, []
        self.send([*clock, *map(told, fresh)])

    def send(self, events: Sequence[Event]) -> None:
        plain, chunked = joined(events)
        for stream in tuple(self.streams):
            stream.send(events, plain, chunked)

    def noticed(self) -> list[Event]:
        """What the last reload had to say, where that is news."""
        before, self.notice = self.notice, self.notices()
        return [("notice", named("notice", self.notice))] if self.notice != before else []

    def notices(self) -> dict[str, Any]:
        return {key: self.events.commands.facts.get(key, "") for key in ("notice", "config")}

    def known(self) -> list[Event]:
        return [(f"device {name}", data) for name, data in self.devices.items()]

    def changed(self) -> list[Event]:
        """Events of devices that are not as they were."""
        found, now = [], {}
        for card, status in self.session.devices():
            if self.wants(f"{card.name}.{quantity.name}" for quantity in card.quantities):
                facts = summary(self.session, card, status)
                del facts["seen"]  # changes with every sample
                now[card.name] = named("device", facts)
        for name in now | self.devices:
            data = now.get(name) or named("device", {"name": name, "state": "removed"})
            if data != self.devices.get(name):
                found.append((f"device {name}", data))
        self.devices = now
        return found

    def wants(self, names: Iterable[str]) -> bool:
        return not self.patterns or any(fnmatchcase(name, pattern) for name in names for pattern in self.patterns)

    def tick(self, quiet: bool) -> None:
        if events := [*self.noticed(), *self.changed()]:
            self.send(events)
        for stream in tuple(self.streams):
            stream.tick(quiet)


class Events:
    """All streams of the site, and the one timer that they share."""

    def __init__(self, commands: Commands, clock: IReactorTime, tcp: int) -> None:
        self.commands, self.clock, self.tcp = commands, clock, tcp
        self.feeds: dict[tuple[str, tuple[str, ...]], Feed] = {}
        self.call: IDelayedCall | None = None
        self.ticks = 0

    def join(self, request: Request, patterns: Sequence[str], last: bytes) -> None:
        """Answer *request* with a stream.  Raises Refusal when there are too many."""
        if sum(len(feed.streams) for feed in self.feeds.values()) >= STREAMS:
            raise Refusal(503, f"{STREAMS} event streams are open, the limit; close one", b"Retry-After: 5\r\n")
        key = request.session.who.role, tuple(patterns)
        if key not in self.feeds:
            session = self.commands.open(Who("http events", request.session.who.role, "shared"))
            self.feeds[key] = Feed(self, session, key[1])
        feed = self.feeds[key]
        feed.join(Stream(request, feed.leave), last)
        if self.call is None:
            self.call = self.clock.callLater(TICK, self.tick)

    def tick(self) -> None:
        self.call = self.clock.callLater(TICK, self.tick)
        self.ticks += 1
        for feed in tuple(self.feeds.values()):
            try:
                feed.tick(self.ticks % QUIET == 0)
            except Exception as error:
                feed.session.fail(error)

    def forget(self, feed: Feed) -> None:
        self.feeds = {key: each for key, each in self.feeds.items() if each is not feed}
        if not self.feeds and self.call is not None:
            self.call.cancel()
            self.call = None

    def stop(self) -> None:
        """End all streams."""
        for feed in tuple(self.feeds.values()):
            for stream in tuple(feed.streams):
                stream.end()
