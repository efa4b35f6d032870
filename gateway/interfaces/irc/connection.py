"""One client's connection: bytes in, lines out, and all its limits.

A line is carried out when the ones before it are: a command that waits for a device makes the rest wait, and so does
a client that talks too fast; meanwhile nothing is read.  What is sent is gathered, and leaves in one write per turn.
A client that does not read is given up when too much waits for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.commands import Answer, stranger
from gateway.interfaces.irc.message import BODY, TAGS, Message, line, parse
from gateway.interfaces.irc.words import WORDS

if TYPE_CHECKING:
    from gateway.interfaces.irc.channels import Channel
    from gateway.interfaces.irc.server import IRC

COST, BURST = 0.5, 10.0  # seconds a line takes of a client's time, and how far it may be ahead
SENDQ = 256 * 1024  # bytes that may wait for a client
FULL = SENDQ // 4  # and when no more is carried out before they are sent
IDLE, PATIENCE = 120.0, 60.0  # seconds without a word until we ask, and then until we give up
WELCOME = 30.0  # seconds to say who one is
GRACE = 5.0  # seconds for the last words to leave
WEB = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE", "HOST:")


@implementer(IPushProducer)
class Connection(Protocol):
    """One client, and who it says it is."""

    def __init__(self, server: IRC) -> None:
        self.server = server
        self.nick = self.user = self.realname = self.away = ""
        self.caps: frozenset[str] = frozenset()
        self.negotiating = self.registered = False
        self.channels: dict[str, Channel] = {}
        self.tail, self.too_long, self.begun = b"", False, False
        self.queue: deque[bytes] = deque()  # lines to carry out
        self.out: list[bytes] = []
        self.size = 0  # of what is in ``out``
        self.lag = self.since = self.heard = server.clock.seconds()
        self.waiting: Deferred[Answer] | None = None
        self.stalled = self.pinged = self.left = False
        self.doomed = ""  # why it is to be dropped
        self.call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.way = cast(Any, self.transport)
        peer = self.way.getPeer()
        host = getattr(peer, "host", "")
        self.session = self.server.commands.open(stranger(host, f"{host}:{getattr(peer, 'port', 'unix')}", "irc"))
        self.host = f"0{host}" if host.startswith(":") else host or "localhost"  # "::1" would begin a last parameter
        if isinstance(self.transport, ITCPTransport):
            self.way.setTcpNoDelay(True)
        self.way.registerProducer(self, True)
        self.server.arrive(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.leave("Connection closed")
        self.queue.clear()
        if self.call is not None and self.call.active():
            self.call.cancel()
        self.session.close()

    @property
    def source(self) -> str:
        return f"{self.nick}!{self.user}@{self.host}"

    def call_me(self, nick: str) -> None:
        self.nick = nick
        self.session.who = replace(self.session.who, name=nick)

    # What comes

    def dataReceived(self, data: bytes) -> None:
        if self.left:
            return
        self.heard, self.pinged = self.server.clock.seconds(), False
        if not self.begun and data[0] == 0x16:
            return self.end("this port speaks plain IRC, not TLS")
        self.begun = True
        lines = (self.tail + data).replace(b"\r", b"\n").split(b"\n")
        self.tail = lines.pop()
        if self.too_long and lines:
            self.too_long = False
            del lines[0]
        if len(self.tail) > TAGS + BODY:
            if not self.too_long:
                lines.append(self.tail)
            self.too_long, self.tail = True, b""
        self.queue.extend(filter(None, lines))
        self.work()

    def work(self) -> None:
        """Carry out what waits, as fast as this client may talk."""
        while self.queue and self.waiting is None and not self.stalled and not self.left and self.size < FULL:
            now = self.server.clock.seconds()
            if self.lag - now > BURST:
                if self.call is None or not self.call.active():
                    self.call = self.server.clock.callLater(self.lag - now - BURST, self.work)
                break
            self.lag = max(self.lag, now) + COST
            self.hear(self.queue.popleft())
        if not self.left:
            if self.queue or self.waiting is not None or self.stalled:
                self.way.pauseProducing()
            else:
                self.way.resumeProducing()

    def hear(self, data: bytes) -> None:
        tags = (data.find(b" ") + 1 or len(data)) if data.startswith(b"@") else 0
        if tags > TAGS or len(data) - tags > BODY:
            return self.numeric("417", "Input line was too long")
        try:
            message = parse(data.decode())
        except UnicodeDecodeError:
            word = data[tags:].split(b" ")[0].decode("ascii", "replace")
            return self.put(line(self.server.name, "FAIL", word if word.isalpha() else "*", "INVALID_UTF8",
                                 "Message rejected: your client must speak UTF-8 here"))  # fmt: skip
        if message is not None:
            try:
                self.perform(message)
            except Exception as error:
                self.session.fail(error)
                self.numeric("400", message.command, "A bug here; the gateway's log has more")

    def perform(self, message: Message) -> None:
        word = WORDS.get(message.command)
        if not self.registered and message.command in WEB:  # a browser that was led here
            self.end("this port speaks IRC; the web page is on another port")
        elif not self.registered and (word is None or not word.free):
            self.numeric("451", "You have not registered")
        elif word is None:
            self.numeric("421", message.command[:50], "Unknown command")
        elif len(message.parameters) < word.least:
            self.numeric("461", message.command, "Not enough parameters")
        else:
            word.do(self, message)

    def wait(self, answer: Deferred[Answer]) -> None:
        """Nothing more is carried out until *answer* is there."""
        self.waiting = answer

        def go_on(_: object) -> None:
            self.waiting = None
            self.work()

        answer.addBoth(go_on)

    # What goes

    def numeric(self, code: str, *parameters: str) -> None:
        self.put(line(self.server.name, code, self.nick or "*", *parameters))

    def put(self, data: bytes, tags: str = "") -> None:
        """Send a line, soon.  *tags* are for those who asked for tags."""
        if self.left or self.doomed:
            return
        if self.caps:
            parts = (self.server.stamp() if "server-time" in self.caps else "",
                     tags if "message-tags" in self.caps else "")  # fmt: skip
            if text := ";".join(filter(None, parts)):
                data = f"@{text} ".encode() + data
        if not self.out:
            self.server.mark(self)
        self.out.append(data)
        self.size += len(data)
        if self.size > SENDQ:
            self.doomed = "SendQ exceeded"
            self.server.mark(self)  # gone in ``flush``: here somebody may be going through a channel's people

    def flush(self) -> None:
        if self.doomed and not self.left:
            self.leave(self.doomed)
            self.way.abortConnection()
        elif self.out and not self.stalled and self.connected:
            out, self.out, self.size = self.out, [], 0
            self.way.write(b"".join(out))
            if self.queue:
                self.work()

    def pauseProducing(self) -> None:
        """The client does not read as fast as it is written to."""
        self.stalled = True

    def resumeProducing(self) -> None:
        self.stalled = False
        if not self.left:
            self.flush()
            self.work()

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` does the rest."""

    # How it ends

    def look(self, now: float) -> None:
        """See whether somebody is still there."""
        if not self.registered:
            if now - self.since > WELCOME:
                self.end("Registration timed out")
        elif now - self.heard > IDLE + PATIENCE:
            self.end("Ping timeout")
        elif now - self.heard > IDLE and not self.pinged:
            self.pinged = True
            self.put(line(self.server.name, "PING", self.server.name))

    def end(self, reason: str) -> None:
        """Say why, and close."""
        if self.left:
            return
        self.queue.clear()
        self.put(b"ERROR :" + f"Closing Link: {self.host} ({reason})".encode() + b"\r\n")
        self.flush()
        self.leave(reason)
        if self.stalled:
            self.way.abortConnection()
        elif self.connected:
            self.way.unregisterProducer()
            self.way.loseConnection()
            self.call = self.server.clock.callLater(GRACE, self.way.abortConnection)

    def leave(self, reason: str) -> None:
        """Be gone for everybody else."""
        if not self.left:
            self.left = True
            self.server.depart(self, reason)
