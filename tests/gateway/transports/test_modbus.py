"""A Modbus line and its queue, in simulated time, with our own emulators as units."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from drivers.api import BadFrame, Measures, NoAnswer, Request, Serial
from drivers.codec.modbus import RTU, TCP
from drivers.codec.modbus_slave import Slave, Units
from drivers.family import modbus as modbus_table
from gateway.run import converse
from gateway.transports import turns
from gateway.transports.modbus import ModbusLine, Tap, Unit
from gateway.transports.turns import SHARE, pace

LINE = Serial(9600)
FIRST, SECOND = Request(3, 0), Request(3, 1)


class Far:
    """The far end of a line: units that take *delay* seconds to answer, each its own, and everything that was sent."""

    def __init__(self, clock: Clock, *units: int) -> None:
        self.clock = clock
        self.units = Units({unit: Slave(holding={0: 10 * unit, 1: 10 * unit + 1}) for unit in units})
        self.delay = dict.fromkeys(units, 0.01)
        self.sent: list[tuple[float, bytes]] = []
        self.opened = 0
        self.refuse: Exception | None = None
        self.hold: Deferred[Any] | None = None
        self.tap: Tap | None = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.opened += 1
        if self.refuse is not None:
            return fail(self.refuse)
        self.tap = factory.buildProtocol(None)
        assert self.tap is not None
        self.tap.makeConnection(cast(Any, self))
        return succeed(self.tap) if self.hold is None else self.hold

    def write(self, data: bytes) -> None:
        self.sent.append((self.clock.seconds(), data))
        if answer := self.units.receive(data):
            self.clock.callLater(self.delay[data[0]], self.say, answer)

    def say(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.dataReceived(data)

    def abortConnection(self) -> None:
        self.clock.callLater(0, self.lose, ConnectionDone())

    def lose(self, why: Exception) -> None:
        tap, self.tap = self.tap, None
        assert tap is not None
        tap.connectionLost(Failure(why))


@dataclass
class World:
    """A line at 9600 baud with units 1 and 2; 9 is not there."""

    clock: Clock = field(default_factory=Clock)
    raw: list[tuple[str, bytes]] = field(default_factory=list)
    lost: list[tuple[int, type[BaseException] | None]] = field(default_factory=list)
    framing: Callable[[], RTU | TCP] = RTU

    def __post_init__(self) -> None:
        self.far = Far(self.clock, 1, 2)
        self.line = ModbusLine(self.clock, cast(Any, self.far), self.framing, pace(LINE))

    def join(self, unit: int, timeout: float = 0.5) -> list[Any]:
        got = list[Any]()
        way = self.line.at(unit, timeout, lambda way, data: self.raw.append((way, data)))
        way(lambda data: None, lambda why: self.lost.append((unit, why.type))).addBoth(got.append)
        return got

    def open(self, unit: int, timeout: float = 0.5) -> Unit:
        (opened,) = self.join(unit, timeout)
        assert isinstance(opened, Unit), opened
        return opened

    def ask(self, unit: Unit, request: Request = FIRST) -> list[Any]:
        got = list[Any]()
        unit.perform(request).addCallbacks(got.append, lambda failure: got.append(failure.value))
        return got

    def told(self, unit: Unit, request: Request = FIRST, seconds: float = 2.0) -> Any:
        got = self.ask(unit, request)
        self.run(seconds, lambda: bool(got))
        return got[0]

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end and not until():
            self.clock.advance(0.001)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("line", "byte", "silence"),
    [
        (Serial(9600), 10 / 9600, 35 / 9600),
        (Serial(2400, parity="E"), 11 / 2400, 38.5 / 2400),
        (Serial(19200, "N", 2), 11 / 19200, 38.5 / 19200),
        (Serial(115200), 10 / 115200, 0.00175),
    ],
)
def test_the_silence_between_frames_is_the_standards(line: Serial, byte: float, silence: float) -> None:
    found = pace(line)
    assert [found.byte, found.silence] == pytest.approx([byte, silence])


def test_one_port_serves_all_units_and_is_closed_behind_the_last(world: World) -> None:
    one, two = world.open(1), world.open(2)
    assert (world.told(one), world.told(two), world.told(two, SECOND)) == (b"\0\x0a", b"\0\x14", b"\0\x15")
    assert world.far.opened == 1
    assert [way for way, _ in world.raw] == [">", "<"] * 3
    one.close()
    one.close()
    world.clock.advance(0)
    assert world.told(two) == b"\0\x14"
    two.close()
    (waits,) = [world.join(1)]
    assert world.far.opened == 1 and not waits, "it is still closing"
    world.clock.advance(0)
    assert world.far.opened == 2 and world.told(waits[0]) == b"\0\x0a"
    assert isinstance(world.told(two), NoAnswer)


def test_one_asks_at_a_time_with_silence_between(world: World) -> None:
    units = [world.open(1), world.open(2), world.open(1), world.open(2)]
    got = [world.ask(unit) for unit in units]
    world.run(1.0)
    assert [len(each) for each in got] == [1, 1, 1, 1]
    sent = [at for at, _ in world.far.sent]
    assert [later - before for before, later in zip(sent, sent[1:], strict=False)] == pytest.approx(
        [0.0145] * 3, abs=1e-3
    )
    assert min(later - before for before, later in zip(sent, sent[1:], strict=False)) >= 0.01 + 35 / 9600


def test_what_a_unit_refuses_is_told_and_costs_it_nothing(world: World) -> None:
    one = world.open(1)
    for _ in range(3):
        assert str(world.told(one, Request(3, 7))) == "unit 1 has nothing at address 7 to 7 (exception 2)"
    assert not world.line.turns.missing and world.told(one) == b"\0\x0a"


def test_a_request_that_cannot_be_is_a_bug_of_its_driver_alone(world: World) -> None:
    one, two = world.open(1), world.open(2)
    bad, good = world.ask(one, Request(3, 0, 500)), world.ask(two)
    world.run(0.1)
    assert type(bad[0]) is ValueError and good == [b"\0\x14"]


def test_silence_and_noise_end_when_the_time_is_over(world: World) -> None:
    nobody = world.open(9)
    got = world.ask(nobody)
    world.run(0.5)
    assert not got
    world.run(0.1)  # 8 bytes there and 7 back take 16 ms
    assert type(got[0]) is NoAnswer and str(got[0]) == "unit 9 does not answer"
    one = world.open(1)
    world.far.delay[1] = 10
    got = world.ask(one)
    world.run(0.1)
    world.far.say(b"\x01\x03\x02\xff\xff\xff\xff")
    world.run(0.5)
    assert type(got[0]) is BadFrame and "its checksum is wrong" in str(got[0])


def test_a_late_answer_is_not_taken_for_another(world: World) -> None:
    one, two = world.open(1), world.open(2)
    world.far.delay[1] = 0.7
    assert type(world.told(one, FIRST)) is NoAnswer
    world.far.delay[1] = 0.01
    second, other = world.ask(one, SECOND), world.ask(two)
    world.run(0.1)
    assert other == [b"\0\x14"] and not second, "the others need not wait for it"
    world.run(1.0)
    assert second == [b"\0\x0b"]
    assert not world.line.turns.missing, "it answers again"


def test_without_the_wait_it_would_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the test before can fail."""
    monkeypatch.setattr(RTU, "late", False)
    one = world.open(1)
    world.far.delay[1] = 0.7
    assert type(world.told(one, FIRST)) is NoAnswer
    assert world.told(one, SECOND) == b"\0\x0a", "which is the first"


def test_over_tcp_answers_have_numbers_and_nobody_waits() -> None:
    world = World(framing=TCP)
    world.far.units = cast(Any, Silent())
    one = world.open(1)
    assert type(world.told(one, FIRST)) is NoAnswer
    got = world.ask(one, SECOND)
    world.clock.advance(0.1)
    assert len(world.far.sent) == 2, "it need not wait"
    for number, value in (1, 10), (2, 11):
        world.far.say(bytes((0, number, 0, 0, 0, 5, 1, 3, 2, 0, value)))
    assert got == [b"\0\x0b"]


class Silent:
    def receive(self, data: bytes) -> bytes:
        return b""


def test_a_server_that_speaks_something_else_is_hung_up_on() -> None:
    world = World(framing=TCP)
    world.far.units = cast(Any, Silent())
    got = world.ask(world.open(1))
    world.far.say(b"HTTP/1.1 400 Bad Request\r\n")
    world.clock.advance(0)
    assert type(got[0]) is BadFrame and "no Modbus TCP" in str(got[0])
    assert world.lost == [(1, ConnectionDone)]


@pytest.mark.parametrize("dead", [1, 3])
@pytest.mark.parametrize("share", [SHARE, 0])
def test_those_who_are_not_there_take_a_tenth_of_the_time(
    world: World, dead: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The living one asks without a pause, and so does each of the dead; without rests they take nearly all."""
    monkeypatch.setattr(turns, "SHARE", share)
    answers = list[bytes]()

    def alive() -> None:
        unit.perform(FIRST).addCallbacks(answers.append).addBoth(lambda _: alive())

    def again(gone: Unit) -> None:
        gone.perform(FIRST).addErrback(lambda _: [world.clock.callLater(0.25, again, gone)])

    unit, total = world.open(1), 120.0
    alive()
    for number in range(dead):
        again(world.open(90 + number))
    world.run(total)
    spent = sum(0.5 + 15 * 10 / 9600 for _, data in world.far.sent if data[0] != 1)
    per_answer = 0.01 + 35 / 9600 + 0.001  # and a step of our clock
    if share:
        assert 0.03 * total < spent <= 0.1 * total + dead * 2 * 0.52
        assert len(answers) > 0.85 * total / per_answer
    else:
        assert spent > 0.6 * total


MUTE = """
family = "modbus"
title = "x"
documentation = "x"
period = 1
[quantity]
voltage = { holding = 0 }
current = { holding = 7, optional = true }
power = { holding = 9, optional = true }
"""


def test_registers_that_meet_silence_take_a_tenth_of_the_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured each second: the first two readings pay for both of them, and each is tried again ever more seldom."""
    row = modbus_table.driver("x", tomllib.loads(MUTE))
    receive = world.far.units.receive
    monkeypatch.setattr(world.far.units, "receive", lambda data: receive(data) if data[2:4] == b"\0\0" else b"")
    unit, device, samples = world.open(1), cast(Measures, row.device(row.settings())), list[Any]()

    def measure() -> None:
        talk = Deferred.fromCoroutine(converse(unit, world.clock, device.measure()))
        talk.addBoth(samples.append)
        talk.addBoth(lambda _: world.clock.callLater(1, measure))

    measure()
    world.run(300)
    assert len(samples) > 250 and all(list(sample.values()) == [10] for sample in samples)
    spent = sum(0.5 for _, data in world.far.sent if data[2:4] != b"\0\0")
    assert 2 * 2 * 0.5 < spent < 0.05 * 300


def test_one_that_rests_is_refused_at_once_and_comes_back(world: World) -> None:
    one = world.open(1)
    world.far.delay[1] = 60.0
    assert type(world.told(one)) is type(world.told(one)) is NoAnswer
    sent = len(world.far.sent)
    got = world.ask(one)
    assert str(got[0]) == "unit 1 does not answer; so it was 2 times in a row, and it rests for 10.3 s"
    world.far.delay[1] = 0.01
    world.run(11)
    assert len(world.far.sent) == sent and world.told(one) == b"\0\x0a"
    assert not world.line.turns.missing
    world.line.forget(1)


def test_a_line_that_is_never_silent_is_told(world: World) -> None:
    one = world.open(1)

    def babble() -> None:
        world.far.say(b"\xaa")
        world.clock.callLater(0.002, babble)

    babble()
    got = world.ask(one)
    world.run(1.0)
    assert type(got[0]) is BadFrame and "another master" in str(got[0]) and not world.far.sent


def test_stale_bytes_are_thrown_away_and_make_a_request_wait(world: World) -> None:
    one = world.open(1)
    world.told(one)
    before = len(world.raw)
    world.far.say(b"\x01\x03\x02\x00\x63\xf8\x6d")  # a whole answer, that nobody asked for
    got = world.ask(one)
    assert len(world.far.sent) == 1
    world.run(0.1)
    assert got == [b"\0\x0a"] and world.raw[before][0] == "<"


def test_a_cancelled_request_leaves_the_line_in_order(world: World) -> None:
    one, two = world.open(1), world.open(2)
    failures = list[Any]()
    running, waiting = one.perform(FIRST), two.perform(SECOND)
    for each in running, waiting:
        each.addErrback(lambda failure: failures.append(failure.type))
    world.run(0.005)
    waiting.cancel()
    running.cancel()
    assert failures == [CancelledError, CancelledError]
    assert world.told(two) == b"\0\x14" and len(world.far.sent) == 2
    assert world.far.sent[1][0] >= 0.01 + 35 / 9600


def test_who_leaves_gets_no_answer_and_the_others_do(world: World) -> None:
    one, two = world.open(1), world.open(2)
    running, waiting, other = world.ask(one), world.ask(one, SECOND), world.ask(two)
    one.close()
    assert type(running[0]) is type(waiting[0]) is NoAnswer
    world.run(0.1)
    assert other == [b"\0\x14"] and len(running) == len(waiting) == 1


def test_all_units_hear_that_the_port_is_gone(world: World) -> None:
    one, two = world.open(1), world.open(2)
    running, waiting = world.ask(one), world.ask(two)
    world.far.lose(ConnectionLost())
    assert type(running[0]) is type(waiting[0]) is NoAnswer
    assert sorted(world.lost) == [(1, ConnectionLost), (2, ConnectionLost)]
    assert isinstance(world.told(one), NoAnswer) and not world.line.units
    assert world.told(world.open(1)) == b"\0\x0a" and world.far.opened == 2


def test_units_share_an_attempt_and_its_failure_until_the_port_is_plugged(world: World) -> None:
    world.far.hold = Deferred()
    both = [world.join(1), world.join(2)]
    assert world.far.opened == 1 and both == [[], []]
    world.far.hold.callback(world.far.tap)
    assert [isinstance(each[0], Unit) for each in both] == [True, True]

    world = World()
    world.far.refuse = OSError("no such port")
    for _ in range(100):
        for unit in range(1, 6):
            (failure,) = world.join(unit)
            assert failure.check(NoAnswer) and "no such port" in str(failure.value)
        world.clock.advance(0.25)
    assert 9 <= world.far.opened <= 11  # in 25 s: at 0, 0.25, 0.75, 1.75, ... and then each 5 s
    before = world.far.opened
    world.far.refuse = None
    (failure,) = world.join(1)
    assert failure.check(NoAnswer) and world.far.opened == before
    world.line.plugged()
    world.open(1)


def test_an_attempt_that_nobody_waits_for_is_given_up(world: World) -> None:
    cancelled = list[Any]()
    world.far.hold = Deferred(cancelled.append)
    way = world.line.at(1, 0.5, lambda way, data: None)
    joined = [way(print, print), way(print, print)]
    for each in joined:
        each.addErrback(lambda failure: failure.trap(CancelledError))
    joined[0].cancel()
    assert not cancelled
    joined[1].cancel()
    assert len(cancelled) == 1
    world.far.hold = None
    assert world.told(world.open(1)) == b"\0\x0a", "and nobody is kept from the next"
