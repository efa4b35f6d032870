"""One connection of a Redis client: which command it is, whether it may come now, and transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.commands import Session
from gateway.interfaces.query.dialect import BATCH, Fresh, Last, Made, Tally
from gateway.interfaces.query.resp import channels, connection, keys, series, server
from gateway.interfaces.query.resp.command import Command, found, refused
from gateway.interfaces.query.resp.names import bare, fresh
from gateway.interfaces.query.resp.wire import Encoded, Parser, Refused, Request, Simple, bulk, encode
from gateway.reading import Reading

BLOCK = 1_048_576  # bytes between MULTI and EXEC, with 100 more for each item, at most
ANSWER = 4_194_304  # bytes, at most
GET = b"GET", b"get"
END = Refused("EXEC ends here")

COMMANDS: dict[str, Command] = {}
for each in (connection, keys, channels, series, server):
    COMMANDS |= each.COMMANDS
COMMANDS |= server.commands(COMMANDS)
NOW = {"multi", "exec", "discard", "reset", "quit"}  # carried out, not queued


def got(reading: Reading) -> bytes:
    return bulk(bare(reading))


class Resp:
    """See the module.  *queue* ends in what the connection is to perform next: EXEC puts its commands there."""

    def __init__(self, session: Session, tally: Tally, queue: list[Any]) -> None:
        self.session, self.tally, self.queue = session, tally, queue
        self.number, self.since = tally.ever, session.commands.time.seconds()
        self.parser = Parser()
        self.answers = session.answers(got)
        self.channels: dict[bytes, str] = {}
        self.patterns: dict[bytes, Callable[[str], object]] = {}
        self.wanted: dict[str, tuple[bytes, ...]] = {}
        self.held = False
        self.forget()

    def forget(self) -> None:
        self.version: Literal[2, 3] = 2
        self.label = ""
        self.library: dict[str, str] = {}
        self.block: list[Request] | None = None
        self.size, self.spoilt = 0, False

    def quick(self, data: bytes) -> bytes | None:
        """Each request begins with ``*``.  One that holds another, in a name, is in pieces here, and known as none."""
        requests = data.split(b"*")
        if requests[0] or len(requests) > BATCH + 1 or not self.plain or not self.parser.idle:
            return None
        del requests[0]
        if (answer := self.answers.answer(requests)) is not None:
            self.tally.requests += len(requests)
        return answer

    def cut(self, data: bytes) -> list[Request | Refused]:
        requests = self.parser.feed(data)
        self.tally.requests += len(requests)
        return requests

    def known(self, request: Request | Refused) -> bytes | None:
        """Nearly all that is asked is GET of a fresh reading."""
        if type(request) is not list or len(request) != 2 or request[0] not in GET or not self.plain:
            return None
        if (reading := fresh(self, request[1])) is None:
            return None
        self.answers.learn(b"2\r\n" + bulk(request[0]) + bulk(request[1]), reading.name)
        return got(reading)

    def perform(self, request: Request | Refused) -> bytes | Deferred[bytes]:
        if request is END:
            self.held = False
            return b""
        if isinstance(request, Refused):
            return Last(encode(request, self.version))
        try:
            reply = self.reply(request)
        except Exception:
            reply = self.failed(Failure())
        if isinstance(reply, Deferred):
            return reply.addErrback(self.failed).addCallback(self.encoded)
        return self.encoded(reply)

    def encoded(self, reply: Any) -> bytes:
        data = encode(reply, self.version) if not isinstance(reply, Last) else reply
        return (
            data
            if len(data) <= ANSWER
            else encode(Refused(f"ERR limit the answer has over {ANSWER} bytes; ask for less at once"), 2)
        )

    def failed(self, failure: Failure) -> Refused:
        if isinstance(failure.value, Refused):
            return failure.value
        return refused(self.session.refusal(failure))

    def reply(self, request: Request) -> Any:
        try:
            name, command, arguments = found(COMMANDS, request)
            if self.block is not None and command.flags == "no_multi":
                raise Refused("ERR Command not allowed inside a transaction")
        except Refused:
            self.spoilt = True
            raise
        if self.version == 2 and self.subscribed and name not in channels.ALLOWED:
            raise Refused(f"ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
                          "are allowed in this context")  # fmt: skip
        if self.block is None or name in NOW:
            return command.call(self, *arguments)
        self.size += sum(map(len, request)) + 100 * len(request)
        if self.size > BLOCK:
            self.spoilt, self.block = True, []
            raise Refused("ERR limit too much between MULTI and EXEC")
        self.block.append(request)
        return Simple("QUEUED")

    # What commands ask for

    @property
    def plain(self) -> bool:
        """Whether GET is simply answered, neither queued nor refused."""
        return self.block is None and (self.version == 3 or not (self.channels or self.patterns))

    @property
    def subscribed(self) -> bool:
        return bool(self.channels or self.patterns)

    def begin(self) -> None:
        """From now on commands are queued."""
        if self.block is not None:
            raise Refused("ERR MULTI calls can not be nested")
        self.block, self.size, self.spoilt = [], 0, False

    def discard(self) -> list[Request]:
        block, self.block, self.size = self.block or [], None, 0
        return block

    def execute(self) -> Encoded:
        """The commands go before all that waits; nothing is pushed into what is one answer."""
        block = self.discard()
        if self.spoilt:
            raise Refused("EXECABORT Transaction discarded because of previous errors.")
        if block:
            self.session.settle()
            self.held = True
            self.queue += [END, *reversed(block)]
        return Encoded(b"*%d\r\n" % len(block))

    def reset(self) -> None:
        self.channels.clear()
        self.patterns.clear()
        channels.listen(self)
        self.forget()

    # What the connection asks for

    def pushed(self, fresh: Sequence[Fresh], made: Made) -> bytes:
        return channels.pushed(self, fresh, made)

    def torn(self) -> bytes:
        return b""
