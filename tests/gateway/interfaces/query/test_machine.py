"""However a client's bytes are cut and however many requests it sends at once, it hears the same: what one hears who
sends each request alone and waits for its answer."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api import NoAnswer
from gateway.interfaces.query.resp import Resp
from gateway.interfaces.query.resp.wire import BULK, WHOLE
from gateway.interfaces.query.text import LINE, Text
from tests.gateway.interfaces.query.talk import Talk, Told, said, understood

EDGE = re.compile(rb"[ \n]")  # where a cut is most likely to do harm
NAMES = st.sampled_from(["k", "manual.k", "l", "attic.temperature", "pump.state", "nobody.knows", "", "a b", "größe"])
VALUES = st.sampled_from(["1", "2.50", "on", "off", "", " x ", '"', "\r\n", "*1\r\n$4\r\nQUIT\r\n", "x" * 300,
                          "get attic.temperature"])  # fmt: skip
LINES = st.one_of(
    st.sampled_from(["", "count", "items pump.*", "version", "help get", "json on", "json off", "watch attic.*",
                     "unwatch", "watch", "clear", "delete k l", "\0\xff", "get", "log pump live", "x" * (LINE + 5),
                     "range k -1h", "set k \r", "quit", "GET / HTTP/1.1"]),
    st.builds("get {}".format, NAMES),
    st.builds("set {} {}".format, NAMES, VALUES),
).map(lambda line: line.encode() + b"\n")  # fmt: skip
REQUESTS = st.one_of(
    st.sampled_from([said(*line.split()) for line in (
        "PING", "PING x", "MULTI", "EXEC", "DISCARD", "KEYS *", "DBSIZE", "SCAN 0", "FLUSHDB", "RESET", "HELLO 2",
        "HELLO 3", "MULTI", "SUBSCRIBE k attic.temperature", "PSUBSCRIBE *", "UNSUBSCRIBE", "PUNSUBSCRIBE",
        "CLIENT INFO", "FLURBLE x", "GET", "TS.RANGE manual.k - +", "TS.MGET FILTER device=manual", "QUIT")]),
    st.builds(lambda name: said("GET", name), NAMES),
    st.builds(lambda name, value: said("SET", name, value), NAMES, VALUES),
    st.builds(lambda names: said("DEL", *names), st.lists(NAMES, min_size=1)),
    st.builds(lambda names: said("MGET", *names), st.lists(NAMES, min_size=1)),
    st.builds(lambda name: said("EXISTS", name), NAMES),
    st.sampled_from([b"*0\r\n", b"*-1\r\n", b"\r\n", b"*x\r\n", b"*2000\r\n", b"*1\r\n$99999\r\n", b"*1\r\n*1\r\n"]),
)  # fmt: skip


def answer_devices(talk: Talk) -> bool:
    """Let the pump answer what it was told: it cannot be switched off.  False: it was told nothing."""
    waiting = [each for each in talk.house.pump.told if not each[2].called]
    for _, value, done in waiting:
        if value is False:
            done.errback(NoAnswer("no answer"))
        else:
            done.callback(None)
    talk.turn()
    return bool(waiting)


def answers(talk: Talk) -> Any:
    """All that was heard, without what was pushed."""
    data = talk.transport.value()
    if isinstance(talk.port.dialect, Text):
        told = b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b"* "))
        return re.sub(rb'"seq":[0-9]+', b"", told)  # which of the others' readings came before is chance
    pushes = "message", "pmessage"
    return [each for each in understood(data)
            if not (isinstance(each, list | Told) and each and each[0] in pushes)]  # fmt: skip


class Cutting(RuleBasedStateMachine):
    """*pieces* hears the same bytes as *whole*, but cut anyhow."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.pieces = Talk(), Talk()
        self.unsent = b""

    @initialize(resp=st.booleans())
    def choose(self, resp: bool) -> None:
        self.requests = REQUESTS if resp else LINES
        likely = ("get", "attic.temperature"), ("set", "pump.state", "on")
        self.likely = st.sampled_from([said(*each) if resp else " ".join(each).encode() + b"\n" for each in likely])
        self.say_both(said("PING") if resp else b"count\n")

    def say_both(self, request: bytes) -> None:
        """Whoever said what closed the connection says no more."""
        if not self.whole.closed:
            self.whole.send(request)
            while answer_devices(self.whole):
                pass
            self.unsent += request

    @rule(data=st.data())
    def say(self, data: st.DataObject) -> None:
        self.say_both(data.draw(self.requests))

    @precondition(lambda self: self.unsent)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        ends = [found.end() for found in EDGE.finditer(self.unsent)] or [1]
        self.pass_on(data.draw(st.one_of(st.integers(1, 20), st.sampled_from(ends), st.just(len(self.unsent)))))

    @rule(data=st.data())
    def say_at_once(self, data: st.DataObject) -> None:
        self.pass_on(len(self.unsent))
        self.say_both(data.draw(st.one_of(self.likely, self.requests)))
        self.pass_on(len(self.unsent))

    def pass_on(self, size: int) -> None:
        part, self.unsent = self.unsent[:size], self.unsent[size:]
        if part and not self.pieces.closed:
            self.pieces.send(part)

    @rule()
    def measure(self) -> None:
        for talk in (self.whole, self.pieces):
            talk.house.measure()
            talk.turn()

    @rule()
    def let_devices_answer(self) -> None:
        answer_devices(self.pieces)

    @invariant()
    def little_is_kept(self) -> None:
        dialect = self.pieces.port.dialect if self.pieces.port.begun else None
        if isinstance(dialect, Resp):
            assert len(dialect.parser.tail) <= BULK + 2 and sum(map(len, dialect.parser.items)) <= WHOLE
        elif isinstance(dialect, Text):
            assert len(dialect.tail) <= LINE

    def teardown(self) -> None:
        if not self.whole.port.begun:
            return  # nothing was chosen
        if not self.pieces.closed:
            self.pieces.send(self.unsent)
        while answer_devices(self.pieces):
            pass
        assert answers(self.pieces) == answers(self.whole)
        assert self.pieces.closed == self.whole.closed
        assert self.pieces.house.manual.keys.keys() == self.whole.house.manual.keys.keys()
        for talk in (self.whole, self.pieces):
            talk.port.connectionLost()
            assert talk.house.commands.sessions == 0 and talk.query.connections == 0


TestCutting = Cutting.TestCase
TestCutting.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
