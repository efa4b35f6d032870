"""The server: who is connected, which channels there are, and the tick on which the bot speaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory

from gateway.commands import Commands, Row, Session, Status, Who
from gateway.interfaces.irc.channels import ALERTS, READINGS, Channel, Speech, life, summary, topic
from gateway.interfaces.irc.connection import Connection
from gateway.interfaces.irc.message import fold, line

BOT = "gateway"  # the nick
CONNECTIONS = 200  # at once
TICK = 1.0  # seconds between two lines of the bot in one channel


def nothing() -> None:
    """There is nothing to cancel."""


class IRC(Factory):
    """Makes connections.  *name* is the server's; *min_interval* is in seconds, see ``channels``."""

    noisy = False

    def __init__(self, commands: Commands, clock: IReactorTime, name: str, min_interval: float) -> None:
        self.commands, self.clock, self.name, self.min_interval = commands, clock, name, min_interval
        self.bot, self.source = BOT, f"{BOT}!{BOT}@{name}"
        self.connections: dict[Connection, None] = {}
        self.people: dict[str, Connection] = {}  # by folded nick, from the moment they ask for it
        about_all = Channel(READINGS), Channel(ALERTS, topic="There are no alerts yet")
        self.channels = {channel.name: channel for channel in about_all}  # by folded name
        self.dirty: list[Connection] = []
        self.stamped = ""
        self.session: Session | None = None  # while somebody is connected
        self.speech = Speech(min_interval)
        self.unlisten = self.unclock = nothing
        self.unwatch: Callable[[], None] | None = None  # while somebody is in a channel
        self.call: IDelayedCall | None = None

    def buildProtocol(self, addr: Any) -> Connection:
        return Connection(self)

    def stopFactory(self) -> None:
        for connection in tuple(self.connections):
            connection.end("the gateway is stopping")

    # Who is there

    def arrive(self, connection: Connection) -> None:
        self.connections[connection] = None
        if len(self.connections) > CONNECTIONS:
            connection.end(f"{CONNECTIONS} connections are open already")
        elif self.session is None:
            self.session = self.commands.open(Who("irc", "viewer", "shared"))
            self.speech = Speech(self.min_interval)
            self.speech.states = {card.name: status.state for card, status in self.session.devices()}
            self.unlisten = self.session.listen(self.speech.hear)
            self.unclock = self.session.clocked(self.tell_time)
            self.furnish()
            self.call = self.clock.callLater(TICK, self.tick)

    def depart(self, connection: Connection, reason: str) -> None:
        for other in self.neighbours(connection):
            other.put(line(connection.source, "QUIT", reason))
        for channel in tuple(connection.channels.values()):
            self.part(connection, channel)
        self.connections.pop(connection, None)
        if self.people.get(fold(connection.nick)) is connection:
            del self.people[fold(connection.nick)]
        if not self.connections and self.session is not None and self.call is not None:
            self.unlisten()
            self.unclock()
            self.call.cancel()
            self.session.close()
            self.session = self.call = None

    def neighbours(self, connection: Connection) -> list[Connection]:
        """All others who share a channel with this one."""
        found = {person: None for channel in connection.channels.values() for person in channel.people.values()}
        return [person for person in found if person is not connection]

    def join(self, connection: Connection, channel: Channel) -> None:
        channel.people[fold(connection.nick)] = connection
        connection.channels[fold(channel.name)] = channel
        self.watch(True)

    def part(self, connection: Connection, channel: Channel) -> None:
        channel.people.pop(fold(connection.nick), None)
        connection.channels.pop(fold(channel.name), None)
        self.watch(any(channel.people for channel in self.channels.values()))

    def watch(self, wanted: bool) -> None:
        """Follow the readings while somebody listens."""
        if wanted and self.unwatch is None and self.session is not None:
            self.speech.begin(reading for reading in self.session.readings() if not reading.stale())
            self.unwatch = self.session.watch(self.speech.take, "*")
        elif not wanted and self.unwatch is not None:
            self.unwatch()
            self.unwatch = None

    # Channels

    def furnish(self) -> None:
        """See that every device has its channel, and that topics are true.  A channel whose device has left the
        configuration goes when its last visitor does."""
        assert self.session is not None
        devices = [self.speech.steady(card, status) for card, status in self.session.devices()]
        self.channels[READINGS].topic = summary(devices)
        rooms = {channel.device: channel for channel in self.channels.values()}
        for card, status in devices:
            if (channel := rooms.get(card.name)) is None:
                channel = Channel(self.free(f"#{card.name}"), card.name)
                self.channels[fold(channel.name)] = channel
            channel.topic = topic(card, status)
        names = {card.name for card, _ in devices}
        for channel in tuple(self.channels.values()):
            if channel.device and channel.device not in names:
                channel.topic = f"{channel.device} is not in the configuration any more"
                if not channel.people:
                    del self.channels[fold(channel.name)]

    def free(self, name: str) -> str:
        """*name*, or, for a device that is called "readings" or "alerts", one with an underscore."""
        while fold(name) in self.channels:
            name += "_"
        return name

    def channel(self, name: str) -> Channel | None:
        return self.channels.get(fold(name))

    def of(self, device: str) -> Channel | None:
        return next((channel for channel in self.channels.values() if channel.device == device), None)

    # What the bot says unasked

    def tick(self) -> None:
        self.call = self.clock.callLater(TICK, self.tick)
        assert self.session is not None
        try:
            self.furnish()
            self.speak()
            now = self.clock.seconds()
            for connection in tuple(self.connections):
                connection.look(now)
        except Exception as error:
            if self.session is not None:
                self.session.fail(error)

    def speak(self) -> None:
        """One line in each channel at most, and one more where a device's life changed."""
        rooms = {channel.device: channel for channel in self.channels.values() if channel.people}
        assert self.session is not None
        self.speech.forget(self.session.latest)
        samples = self.speech.samples()
        if (lived := self.speech.lived()) is not None:
            self.tell_life(*lived)
        elif self.channels[READINGS].people and (text := self.speech.next(self.clock.seconds())):
            self.channels[READINGS].say(self.source, text)
        for device, text in samples:
            if device in rooms:
                rooms[device].say(self.source, text)

    def tell_life(self, device: str, status: Status) -> None:
        for channel in filter(None, (self.channels[READINGS], self.of(device))):
            channel.say(self.source, life(device, status))
            channel.tell_topic(self.source)

    def tell_time(self, row: Row) -> None:
        """The clock was set: readings of a while ago have another time now."""
        self.channels[READINGS].put(line(self.source, "NOTICE", READINGS, row.text))

    # What goes out

    def mark(self, connection: Connection) -> None:
        """*connection* has something to send."""
        if not self.dirty:
            self.clock.callLater(0, self.flush)
        self.dirty.append(connection)

    def flush(self) -> None:
        dirty, self.dirty, self.stamped = self.dirty, [], ""
        for connection in dirty:
            connection.flush()

    def stamp(self) -> str:
        """The tag ``time`` of this turn (IRCv3 server-time), or nothing while the time is unknown."""
        if not self.stamped and self.session is not None and (now := self.session.now()) is not None:
            wall = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
            self.stamped = f"time={wall.replace('+00:00', 'Z')}"
        return self.stamped
