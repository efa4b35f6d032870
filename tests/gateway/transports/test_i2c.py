"""An I2C bus, with a stand-in for smbus2 in its thread."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from drivers.api import BadFrame, NoAnswer, Transfer
from gateway.reactor import Reactor
from gateway.transports import Transport, i2c
from gateway.transports.i2c import I2CBus, smbus2
from gateway.transports.queue import Failed, Job
from tests.gateway.transports.turning import reactor, rest, turn

__all__ = ["reactor"]
READ = Transfer(b"\x2c\x06", 3)


class FakeSMBus2:
    """The module.  Chips answer with their address; what it knows as *trouble* is raised, and *gate* holds it up."""

    def __init__(self) -> None:
        self.i2c_msg = smbus2().i2c_msg
        self.calls = list[tuple[tuple[int, bytes | int], ...]]()
        self.trouble: dict[int, int] = {}
        self.takes: dict[int, float] = {}  # seconds
        self.no_bus = 0
        self.opened = 0
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()
        self.threads = set[int]()

    def SMBus(self, path: str) -> FakeSMBus2:
        if self.no_bus:
            raise OSError(self.no_bus, os.strerror(self.no_bus))
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def i2c_rdwr(self, *messages: Any) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append(tuple((m.addr, len(m) if m.flags else bytes(m)) for m in messages))
        assert self.gate.wait(10)
        time.sleep(self.takes.get(messages[0].addr, 0))
        if number := self.trouble.get(messages[0].addr):
            raise OSError(number, os.strerror(number))
        for message in messages:
            if message.flags:
                for index in range(len(message)):
                    message.buf[index] = bytes([message.addr])


class World:
    def __init__(self, reactor: Reactor) -> None:
        self.reactor, self.fake = reactor, FakeSMBus2()
        self.bus = I2CBus(reactor, "/dev/i2c-1", queue=4, timeout=0.3, make=lambda: self.fake)

    def ask(self, address: int = 0x44, transfer: Transfer = READ, mux: Any = ()) -> list[Any]:
        got = list[Any]()
        self.bus.at(address, mux).perform(transfer).addBoth(got.append)
        return got

    def told(self, *args: Any, **settings: Any) -> Any:
        """The answer, or its failure."""
        got = self.ask(*args, **settings)
        turn(self.reactor, lambda: got)
        return got[0]

    def timed_out(self, address: int, seconds: float) -> float:
        """A transfer took so long in vain; for how long its address rests now."""
        place = ((), address)
        self.bus.ended(Job(place, "", bytes, Deferred()), Failed(NoAnswer(""), "ETIMEDOUT"), seconds)
        return self.bus.resting[place].until - self.reactor.seconds()

    def works(self, address: int) -> None:
        self.bus.ended(Job(((), address), "", bytes, Deferred()), b"", 0.0)

    def refused(self, kind: type[Exception], *args: Any) -> str:
        failure = self.told(*args)
        assert failure.check(kind), failure
        return str(failure.value)


@pytest.fixture
def world(reactor: Reactor) -> Iterator[World]:
    world = World(reactor)
    yield world
    world.fake.gate.set()
    ended = world.bus.close()
    turn(reactor, lambda: ended.called)


def test_transfers_with_a_repeated_start_in_a_thread_of_its_own(world: World) -> None:
    assert world.bus.worker is None
    assert world.told() == b"DDD"
    assert world.told(0x45, Transfer(b"\x01")) == b""
    assert world.told(0x46, Transfer(read=2)) == b"FF"
    assert world.told(0x47, Transfer()) == b""
    assert world.fake.calls == [
        ((0x44, b"\x2c\x06"), (0x44, 3)),
        ((0x45, b"\x01"),),
        ((0x46, 2),),
        ((0x47, b""),),
    ]
    assert threading.get_ident() not in world.fake.threads and len(world.fake.threads) == 1
    assert world.fake.opened == 1 and world.bus.transfers == 4 and not world.bus.errors


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENXIO, NoAnswer, "address 0x44 of i2c-1 does not answer"),
        (errno.EREMOTEIO, NoAnswer, "address 0x44 of i2c-1 does not answer"),
        (errno.ETIMEDOUT, NoAnswer, "address 0x44 of i2c-1 timed out: something holds the bus"),
        (errno.EAGAIN, NoAnswer, "address 0x44 of i2c-1 lost the bus to another master"),
        (errno.EBUSY, NoAnswer, "address 0x44 of i2c-1 is not reached: something holds the bus"),
        (errno.EIO, BadFrame, "address 0x44 of i2c-1 broke off the transfer"),
        (errno.EINVAL, NoAnswer, "address 0x44 of i2c-1 Invalid argument"),
    ],
)
def test_each_failure_has_its_words_and_is_counted(world: World, number: int, kind: Any, words: str) -> None:
    world.fake.trouble[0x44] = number
    assert world.refused(kind) == words
    assert world.bus.errors == {errno.errorcode[number]: 1}
    assert world.told(0x45) == b"EEE"
    world.fake.trouble.clear()
    assert world.told() == b"DDD"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "/dev/i2c-1: no such bus; enable I2C with raspi-config, or load the module i2c-dev"),
        (errno.EIO, "/dev/i2c-1: Input/output error"),
    ],
)
def test_a_bus_that_is_not_there_is_opened_when_it_comes(world: World, number: int, words: str) -> None:
    world.fake.no_bus = number
    assert world.refused(NoAnswer) == words
    world.fake.no_bus = 0
    assert world.told() == b"DDD"


def test_the_true_module_says_the_same_of_a_missing_bus(reactor: Reactor) -> None:
    bus, got = I2CBus(reactor, "/dev/i2c-4711"), list[Any]()
    bus.at(0x44).perform(READ).addBoth(got.append)
    turn(reactor, lambda: got)
    assert str(got[0].value) == "/dev/i2c-4711: no such bus; enable I2C with raspi-config, or load the module i2c-dev"
    ended = bus.close()
    turn(reactor, lambda: ended.called)


def test_an_adapter_that_was_unplugged_is_opened_anew(world: World) -> None:
    world.fake.trouble[0x44] = errno.ENODEV
    assert world.refused(NoAnswer) == "address 0x44 of i2c-1 is gone with its bus"
    world.fake.trouble.clear()
    assert world.told() == b"DDD" and (world.fake.opened, world.fake.closed) == (2, 1)


def test_a_multiplexer_is_selected_and_let_go_around_each_transfer(world: World) -> None:
    assert world.told(mux=((0x70, 3), (0x71, 0))) == b"DDD"
    selected = [((0x70, b"\x08"),), ((0x71, b"\x01"),)]
    let_go = [((0x71, b"\x00"),), ((0x70, b"\x00"),)]
    assert world.fake.calls == [*selected, ((0x44, b"\x2c\x06"), (0x44, 3)), *let_go]
    world.fake.trouble[0x44] = errno.ENXIO
    world.fake.calls.clear()
    assert world.told(mux=((0x70, 3),)).check(NoAnswer)
    assert world.fake.calls[-1] == ((0x70, b"\x00"),)
    world.fake.trouble = {0x70: errno.ENXIO}
    assert str(world.told(mux=((0x70, 3),)).value) == "address 0x70 of i2c-1 does not answer"


def test_all_multiplexers_are_let_go_also_when_one_is_gone(world: World) -> None:
    world.fake.trouble[0x71] = errno.EREMOTEIO
    assert world.told(mux=((0x70, 3), (0x71, 0))).check(NoAnswer)
    assert world.fake.calls[-1] == ((0x70, b"\x00"),)


def test_an_adapter_unplugged_with_its_multiplexer_is_no_bug(world: World) -> None:
    for gone in (0x70, 0x44):
        world.fake.trouble = {gone: errno.ENODEV}
        assert "is gone with its bus" in str(world.told(mux=((0x70, 3),)).value)
        assert world.bus.errors.total() == world.bus.errors["ENODEV"]
    world.fake.trouble.clear()
    assert world.told(mux=((0x70, 3),)) == b"DDD"


def test_the_queue_is_bounded(world: World) -> None:
    world.fake.gate.clear()
    answers = [world.ask(address) for address in range(0x40, 0x45)]
    assert world.refused(NoAnswer, 0x45) == "bus i2c-1 is busy: 4 transfers wait"
    world.fake.gate.set()
    turn(world.reactor, lambda: all(answers))
    assert [answer[0] for answer in answers] == [b"@@@", b"AAA", b"BBB", b"CCC", b"DDD"]
    assert world.bus.errors == {"busy": 1}


def test_a_hung_transfer_makes_the_bus_stuck_until_it_ends(world: World) -> None:
    world.fake.gate.clear()
    first, second = world.ask(0x44), world.ask(0x45)
    turn(world.reactor, lambda: first and second)
    for got in first, second:
        assert "bus i2c-1 is stuck: a transfer with address 0x44 takes longer than 0.3 s" in str(got[0].value)
    assert world.bus.stuck and world.bus.errors == {"stuck": 1}
    got = world.ask(0x46)
    assert got and got[0].check(NoAnswer) and "stuck" in str(got[0].value)  # at once
    world.fake.gate.set()
    turn(world.reactor, lambda: not world.bus.stuck)
    assert world.told(0x45) == b"EEE"
    assert [call[0][0] for call in world.fake.calls] == [0x44, 0x45]  # what failed meanwhile was never sent


def test_an_address_that_keeps_timing_out_leaves_the_bus_to_others(world: World) -> None:
    world.fake.gate.clear()
    world.fake.trouble[0x44] = errno.ETIMEDOUT
    for _ in range(2):
        threading.Timer(0.05, world.fake.gate.set).start()
        assert "timed out" in world.refused(NoAnswer)
        world.fake.gate.clear()
    world.fake.gate.set()
    sent = len(world.fake.calls)
    assert "0x44 of i2c-1 timed out 2 times and rests" in world.refused(NoAnswer)
    assert len(world.fake.calls) == sent
    assert world.told(0x45) == b"EEE"
    world.fake.trouble.clear()
    left = world.bus.resting[(), 0x44].until - world.reactor.seconds()
    assert left > 0.7  # ten times what it cost, twice 0.05 s
    rest(world.reactor, left + 0.01)
    assert world.told(0x44) == b"DDD" and not world.bus.resting


def test_all_that_time_out_take_a_tenth_of_the_bus_together(world: World) -> None:
    assert world.timed_out(0x44, 0.2) < 0 and world.timed_out(0x45, 0.2) < 0  # each may try twice
    world.works(0x46)
    assert world.timed_out(0x44, 0.2) == pytest.approx(10 * 0.4, abs=0.1)
    assert world.timed_out(0x45, 0.2) == pytest.approx(10 * 0.4 * 2, abs=0.1)
    world.works(0x46)
    assert world.timed_out(0x44, 0.2) == pytest.approx(10 * 0.2 * 2, abs=0.1)
    assert world.timed_out(0x44, 9.0) == pytest.approx(30, abs=0.1)
    world.works(0x44)
    assert world.timed_out(0x45, 0.2) == pytest.approx(10 * 0.2, abs=0.1)


@pytest.mark.parametrize("share", [i2c.SHARE, 0])
def test_one_that_times_out_leaves_nine_tenths_to_its_neighbour(
    world: World, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ask without a pause; without rests the dead one takes nearly all."""
    monkeypatch.setattr(i2c, "SHARE", share)
    world.fake.takes, world.fake.trouble = {0x44: 0.001, 0x45: 0.02}, {0x45: errno.ETIMEDOUT}
    going = True

    def again(chip: Transport, pause: float) -> None:
        if going:
            later = chip.perform(READ).addErrback(lambda failure: None)
            later.addCallback(lambda answer: world.reactor.callLater(pause, again, chip, pause))

    again(world.bus.at(0x44), 0.0)
    again(world.bus.at(0x45), 0.001)
    rest(world.reactor, 2.0)
    going = False
    rest(world.reactor, 0.1)
    lost = 0.02 * sum(call[0][0] == 0x45 for call in world.fake.calls)
    assert lost <= 0.1 * 2.1 + 2 * 0.02 if share else lost > 0.5
    assert lost > 0.02 * 4 and sum(call[0][0] == 0x44 for call in world.fake.calls) > 20


def test_nobody_rests_for_others_that_time_out_as_well(world: World) -> None:
    """Else it would take minutes to see that the whole bus is held down."""
    assert world.timed_out(0x44, 1.0) < 0 < world.timed_out(0x44, 1.0)
    for address in (0x45, 0x46, 0x45, 0x46):
        assert world.timed_out(address, 1.0) < 0


def test_cancelling_ends_at_once(world: World) -> None:
    world.fake.gate.clear()
    running, waiting = (world.bus.at(address).perform(READ) for address in (0x44, 0x45))
    ends = list[Any]()
    for answer in running, waiting:
        answer.addErrback(ends.append)
        answer.cancel()
    assert [end.check(CancelledError) for end in ends] == [CancelledError, CancelledError]
    world.fake.gate.set()
    assert world.told(0x46) == b"FFF"
    assert [call[0][0] for call in world.fake.calls] == [0x44, 0x46]


def test_closing_fails_what_waits_and_ends_the_thread(world: World) -> None:
    world.fake.gate.clear()
    running, waiting = world.ask(0x44), world.ask(0x45)
    ended = world.bus.close()
    assert "closed" in str(waiting[0].value) and not ended.called
    world.fake.gate.set()
    turn(world.reactor, lambda: ended.called)
    assert running == [b"DDD"] and world.fake.closed == 1
    assert "closed" in world.refused(NoAnswer)
    turn(world.reactor, lambda: "bus i2c-1" not in [thread.name for thread in threading.enumerate()])


def test_closing_a_stuck_bus_does_not_wait(world: World) -> None:
    world.fake.gate.clear()
    got = world.ask()
    turn(world.reactor, lambda: got)
    ended: Deferred[None] = world.bus.close()
    assert ended.called


def test_a_bug_reaches_who_asked_and_the_bus_lives(world: World) -> None:
    assert world.told(0x44, Transfer(object())).check(TypeError)  # type: ignore[arg-type]
    assert world.told(0x45) == b"EEE"
