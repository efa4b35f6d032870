"""The life of a device, from its first attempt to its last, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from drivers import sht31
from drivers.api import (
    GPIO,
    I2C,
    BadFrame,
    DeviceError,
    Driver,
    Edge,
    Link,
    NoAnswer,
    Operation,
    Quantity,
    Sample,
    Sleep,
    Talk,
    Transfer,
    Value,
    WrongDevice,
)
from drivers.quantities import temperature
from gateway import clock
from gateway.attempts import FIRST, LONGEST
from gateway.config import Rules
from gateway.device import Device as Running
from gateway.handle import Card
from gateway.hub import Hub
from gateway.memory import Memory
from gateway.plan import Plan
from gateway.polls import PATIENCE
from gateway.reading import Readings
from gateway.ring import Ring
from gateway.run import Connection, Fed, Lost

TEMPERATURE = temperature(-40, 125, digits=2)
STATE = Quantity("state", kind="flag", writable=True)
CHIP = I2C((0x10,))


class Wire:
    """A connection whose answers the test decides."""

    def __init__(self) -> None:
        self.asked: list[tuple[Operation, Deferred[bytes]]] = []
        self.answers: Any = None  # a function from the operation to bytes or an exception; None: wait
        self.closed = 0

    def perform(self, operation: Operation) -> Deferred[bytes]:
        if self.answers is not None:
            try:
                return succeed(self.answers(operation))
            except Exception:
                return fail()
        self.asked.append((operation, Deferred()))
        return self.asked[-1][1]

    def close(self) -> None:
        self.closed += 1


class Asked:
    """A device with one register; it can be asked and set."""

    def __init__(self, settings: object) -> None:
        self.log: list[object] = []

    def start(self) -> Talk[str]:
        if (answer := (yield Transfer(b"id", 1))) != b"T":
            raise WrongDevice(f"expected a T, found {answer!r}")
        return "serial 7"

    def measure(self) -> Talk[Sample]:
        value = yield Transfer(b"t", 1)
        yield Sleep(0.01)
        return {TEMPERATURE: TEMPERATURE.check(float(value[0]))}

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        yield Transfer(b"on" if value else b"off")
        return {quantity: value}


class Fragile:
    """Says one temperature a byte; a zero is more than it can take."""

    def __init__(self, settings: object) -> None:
        self.kept = b""

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        self.kept += data
        if data == b"!":
            yield BadFrame("!")
        else:
            yield {TEMPERATURE: 100 / self.kept[0]}


class World:
    def __init__(self, device: Any, memory: Memory | None = None, link: Link = CHIP, **more: Any) -> None:
        self.time = Clock()
        self.hub = Hub(clock.Clock(1, self.time.seconds))
        self.wires: list[Wire] = []
        self.refuse: Exception | None = None
        self.answers: Any = None
        self.fed: Fed = lambda data: None
        self.lost: Lost = lambda reason: None
        row = Driver(name="test", title="Test", link=link, quantities=(TEMPERATURE, STATE), period=10.0,
                     settings=object, device=device, emulator=sht31.Emulator, documentation=None)  # fmt: skip
        card = Card(name="x", label="", driver="test", title="", documentation="", where="", period=10.0, settings={},
                    quantities=row.quantities)  # fmt: skip
        chosen: dict[str, Any] = {"card": card, "driver": row, "settings": None, "scales": {}, "limits": {}, **more}
        self.states: list[str] = []
        self.hub.listen(lambda name, status: self.states.append(status.state))
        self.ring = Ring(self.time.seconds)
        self.device = Running(Plan(**chosen), self.open, self.ring, self.time, self.hub, memory)

    def open(self, fed: Fed, lost: Lost) -> Deferred[Connection]:
        if self.refuse is not None:
            return fail(self.refuse)
        self.fed, self.lost = fed, lost
        wire: Any = Wire()
        wire.answers = self.answers
        self.wires.append(wire)
        return succeed(wire)

    def works(self, temperature: int = 20) -> None:
        def answers(operation: Operation) -> bytes:
            assert isinstance(operation, Transfer)
            return {b"id": b"T", b"t": bytes([temperature])}.get(operation.write, b"")

        self.set(answers)

    def breaks(self, error: Exception) -> None:
        def answers(operation: Operation) -> bytes:
            raise error

        self.set(answers)

    def set(self, answers: Any) -> None:
        self.answers = answers
        for wire in self.wires:
            wire.answers = answers

    def value(self, name: str = "x.temperature") -> object:
        reading = self.hub.latest.get(name)
        return None if reading is None else reading.value


def running(device: Any = Asked, **more: Any) -> World:
    world = World(device, **more)
    world.works()
    world.device.startService()
    world.time.advance(0.01)
    assert world.device.status.state == "running", world.device.status
    return world


def test_identifies_measures_and_polls_on_its_grid() -> None:
    world = running()
    assert world.states == ["opening", "identifying", "running"] and world.device.status.identity == "serial 7"
    assert world.value() == 20
    world.works(21)
    world.time.pump([0.25] * 44)
    assert world.value() == 21 and world.hub.seq == 2


@pytest.mark.parametrize(("period", "moments"), [(0.1, 1), (1.0, 4), (10.0, 4)])
def test_polls_of_one_period_share_moments(period: float, moments: int) -> None:
    seen = set()
    for number in range(40):
        world = running(card=replace(running().device.plan.card, name=f"x{number}", period=period))
        (call,) = world.time.getDelayedCalls()
        seen.add(round(call.getTime() % period, 6) % period)
    assert len(seen) == moments


def test_absent_at_start_may_come_later() -> None:
    world = World(Asked)
    world.refuse = NoAnswer("/dev/ttyUSB0: no such port")
    world.device.startService()
    assert (world.device.status.state, world.device.status.reason) == ("absent", "/dev/ttyUSB0: no such port")
    world.time.advance(60)
    world.refuse = None
    world.works()
    world.time.pump([1.0] * 40)
    assert world.device.status.state == "running" and world.value() == 20


def test_pauses_grow_and_are_bounded_and_appearing_begins_anew() -> None:
    world = World(Asked)
    world.refuse = NoAnswer("gone")
    world.device.startService()
    pauses = []
    for _ in range(12):
        (call,) = world.time.getDelayedCalls()
        pauses.append(call.getTime() - world.time.seconds())
        world.time.advance(pauses[-1])
    assert pauses[0] == FIRST and pauses == sorted(pauses) and pauses[-1] == world.device.plan.card.period < LONGEST
    world.device.appeared()
    (call,) = world.time.getDelayedCalls()
    assert call.getTime() - world.time.seconds() <= 0.3
    world.refuse = None
    world.works()
    world.device.appeared()
    world.time.advance(0.01)
    assert world.device.status.state == "running"


def test_unplugged_while_running_forgets_and_comes_back() -> None:
    world = running()
    world.lost(Failure(ConnectionLost("unplugged")))
    status = world.device.status
    assert status.state == "lost" and "unplugged" in status.reason and world.hub.latest == {}
    world.time.pump([FIRST, 0.01])
    assert world.device.status.state == "running" and world.value() == 20 and len(world.wires) == 2


def test_the_end_of_an_old_connection_does_not_end_the_new_one() -> None:
    world = running()
    old = world.lost
    old(Failure(ConnectionLost()))
    world.time.pump([FIRST, 0.01])
    old(Failure(ConnectionLost()))
    assert world.device.status.state == "running"


def test_a_device_that_fails_some_times_in_a_row_is_lost_not_before() -> None:
    world = running()
    world.breaks(NoAnswer("address 0x10"))
    world.time.pump([1.0] * 10)
    assert world.device.status.state == "running" and world.value() == 20
    world.time.pump([1.0] * (10 * (PATIENCE - 1) + 2))
    assert world.device.status.state in ("lost", "opening", "identifying") and world.hub.latest == {}
    assert world.hub.errors["x", "NoAnswer"].count >= PATIENCE and world.wires[0].closed == 1
    world.works()
    world.time.pump([1.0] * 30)
    assert world.value() == 20


def test_what_must_not_be_opened_is_refused_before_and_after_a_loss() -> None:
    world = World(Asked)
    world.refuse = WrongDevice("this board cannot keep its policy")
    world.device.startService()
    world.time.advance(0.01)
    assert world.states == ["opening", "refused"] and "cannot keep" in world.device.status.reason
    world.refuse = None
    world.works()
    world.time.pump([1.0] * 11)
    assert world.device.status.state == "running"
    world.refuse = WrongDevice("nor now")
    world.lost(Failure(ConnectionLost()))
    world.time.advance(1)
    assert world.states[-3:] == ["lost", "opening", "refused"]


def test_the_wrong_device_is_refused_until_something_appears() -> None:
    world = World(Asked)
    world.set(lambda operation: b"Q")
    world.device.startService()
    world.time.advance(0)
    assert world.device.status.state == "refused" and "found b'Q'" in world.device.status.reason
    world.time.advance(9)
    assert len(world.wires) == 1
    world.works()
    world.device.appeared()
    world.time.advance(0.01)
    assert world.device.status.state == "running"
    world.time.advance(3600)
    assert len(world.wires) == 2


@pytest.mark.parametrize("moment", ["at its start", "while it runs"])
def test_the_wrong_device_is_looked_at_once_a_period_and_may_be_exchanged(moment: str) -> None:
    world = World(Asked)
    if moment == "while it runs":
        world = running()
        world.breaks(WrongDevice("expected a T, found b'Q'"))
        world.time.pump([1.0] * 12)
    else:
        world.set(lambda operation: b"Q")
        world.device.startService()
        world.time.advance(0)
    assert world.device.status.state == "refused" and world.hub.latest == {}
    world.set(lambda operation: b"Q")
    looked = len(world.wires)
    world.time.pump([1.0] * 100)
    assert world.device.status.state == "refused" and 9 <= len(world.wires) - looked <= 10
    world.works()
    world.time.pump([1.0] * 11)
    assert world.device.status.state == "running" and world.value() == 20
    done = list[object]()
    world.device.stopService().addCallback(done.append)
    world.time.advance(0)
    assert done and world.time.getDelayedCalls() == []


def test_stop_closes_and_leaves_no_timer() -> None:
    world = running()
    done = list[object]()
    world.device.stopService().addCallback(done.append)
    world.time.advance(0)
    assert len(done) == 1 and world.wires[0].closed == 1 and world.time.getDelayedCalls() == []
    assert world.hub.latest == {} and world.device.status.state == "absent"


@pytest.mark.parametrize("moment", ["waiting", "identifying"])
def test_stop_at_any_moment(moment: str) -> None:
    world = World(Asked)
    if moment == "waiting":
        world.refuse = NoAnswer("gone")
    world.device.startService()
    done = list[object]()
    world.device.stopService().addCallback(done.append)
    world.time.advance(0)
    assert (
        len(done) == 1 and world.time.getDelayedCalls() == [] and world.hub.errors.get(("x", "CancelledError")) is None
    )


def test_one_conversation_at_a_time_and_reads_join() -> None:
    world, done = running(), list[str]()
    wire = world.wires[0]
    wire.answers = None
    world.device.read().addCallback(lambda _: done.append("first"))
    world.device.read().addCallback(lambda _: done.append("second"))
    world.device.write(STATE, True).addCallback(lambda _: done.append("written"))
    gone = world.device.read()
    gone.cancel()
    gone.addErrback(lambda _: done.append("gone"))
    assert len(wire.asked) == 1 and done == ["gone"]
    wire.asked[0][1].callback(b"\x14")
    assert len(wire.asked) == 1  # asleep: the bus is free, the device is not
    world.time.advance(0.01)
    assert len(wire.asked) == 2 and done == ["gone", "first", "second"]
    wire.asked[1][1].callback(b"")
    assert done[-1] == "written" and world.value("x.state") is True


def test_a_bug_in_a_driver_is_counted_and_polling_goes_on() -> None:
    world = running()
    world.set(lambda operation: None)  # None[0] is a TypeError in measure
    world.time.pump([0.5] * 23)
    assert world.hub.errors["x", "TypeError"].count == 1 and world.device.status.state == "running"
    world.works(22)
    world.time.pump([0.5] * 23)
    assert world.value() == 22


@pytest.mark.parametrize("value", ["warm", None, float("nan"), 1000.0, True])
def test_a_value_that_a_driver_did_not_check_is_no_reading(value: Any) -> None:
    class Careless(Asked):
        def measure(self) -> Talk[Sample]:
            yield from super().measure()
            return {TEMPERATURE: value}

    world = World(Careless)
    world.works()
    world.device.startService()
    world.time.advance(0.02)
    assert world.value() is None and world.hub.errors["x", "BadValue"].count == 1


def test_a_device_that_its_driver_cannot_make_is_absent_and_no_reason_not_to_start() -> None:
    world = World(lambda settings: 1 // 0)
    world.device.startService()
    assert world.device.status.reason.startswith("ZeroDivisionError"), world.device.status
    world.device.stopService()


def test_a_bug_in_feed_leaves_the_port_open_and_the_device_new() -> None:
    world = World(Fragile)
    world.device.startService()
    world.fed(b"\x05")
    world.time.advance(0)
    assert world.value() == 20
    world.fed(b"\x00!"[:1])
    assert world.value() == 20  # kept begins with 5 still
    world.lost(Failure(ConnectionLost()))
    world.time.pump([FIRST])
    world.fed(b"\x00")
    world.fed(b"\x04")
    assert world.value() == 25 and world.hub.errors["x", "ZeroDivisionError"].count == 1 and not world.wires[-1].closed


def test_a_talking_device_is_lost_when_it_falls_silent() -> None:
    world = World(Fragile)
    world.device.startService()
    world.fed(b"\x05")
    for _ in range(8):
        world.time.advance(20)
        world.fed(b"\x05")
    assert world.device.status.state == "running"
    world.time.advance(30.1)
    assert world.device.status.state == "lost" and "silent" in world.device.status.reason and world.wires[0].closed


def test_bytes_that_nobody_understands_ask_for_the_baud_rate() -> None:
    world = World(Fragile)
    world.device.startService()
    world.ring.note("<", b"\x80\x80")
    world.fed(b"!")
    world.time.advance(30.1)
    assert world.device.status.state == "absent" and "baud" in world.device.status.reason
    assert world.hub.errors["x", "BadFrame"].count == 2
    world = World(Fragile, link=GPIO("in"))  # whose edges are in the ring as well
    world.device.startService()
    world.ring.note("<", b"line 1\n")
    world.time.advance(30.1)
    assert world.device.status.state == "absent" and "silent" in world.device.status.reason


def test_what_waits_is_told_when_the_device_goes() -> None:
    world, why = running(), list[object]()
    world.wires[0].answers = None
    world.device.read().addErrback(lambda failure: why.append(failure.type))
    world.device.write(STATE, True).addErrback(lambda failure: why.append(failure.type))
    world.lost(Failure(ConnectionLost()))
    world.wires[0].asked[0][1].addErrback(lambda _: None)
    assert why[0] is NoAnswer and len(why) == 2
    world.device.read().addErrback(lambda failure: why.append(str(failure.value)))
    assert why[2] == "x is lost: " + world.device.status.reason


def test_scale_offset_and_limits() -> None:
    world, taken = (
        World(Asked, scales={"temperature": (2.0, 1.0)}, limits={"temperature": (-inf, 42.0)}),
        list[Readings](),
    )
    world.hub.subscribe(taken.append, "*")
    world.works(20)
    world.device.startService()
    world.time.advance(0.01)
    assert (world.value(), taken[0][0].mark) == (41, "good")
    world.works(21)
    world.time.pump([0.5] * 23)
    assert (world.value(), taken[-1][0].mark) == (43, "suspect")


def test_what_is_not_enabled_is_not_told() -> None:
    world = World(Asked, hidden=frozenset({"temperature"}))
    world.works(20)
    world.device.startService()
    world.time.advance(0.01)
    assert world.device.status.state == "running" and not world.hub.latest and world.device.status.seen is not None


def switching(memory: Memory | None = None, **rules: Any) -> tuple[World, list[bytes]]:
    """A world with an output of these rules, whose writes are noted."""
    usual = dict.fromkeys(("start", "loss", "stop"), "hands-off")
    world, wrote = World(Asked, memory, rules={"state": Rules(**{**usual, **rules})}), list[bytes]()

    def answers(operation: Operation) -> bytes:
        assert isinstance(operation, Transfer)
        if operation.write in (b"on", b"off"):
            wrote.append(operation.write)
        return {b"id": b"T", b"t": b"\x14"}.get(operation.write, b"")

    world.set(answers)
    world.device.startService()
    world.time.advance(0.01)
    return world, wrote


def test_policies_at_start_after_a_loss_and_at_the_stop() -> None:
    world, wrote = switching(start="on", loss="off", stop="off")
    assert wrote == [b"on"] and world.value("x.state") is True
    world.lost(Failure(ConnectionLost()))
    world.time.pump([FIRST, 0.01])
    assert wrote == [b"on", b"off"]
    world.device.write(STATE, True)
    world.device.stopService()
    assert wrote == [b"on", b"off", b"on", b"off"]


def test_last_is_where_it_was_before_the_loss() -> None:
    world, wrote = switching(start="last", loss="last")
    assert wrote == []  # nobody knows yet
    world.device.write(STATE, True)
    world.lost(Failure(ConnectionLost()))
    world.time.pump([FIRST, 0.01])
    assert wrote == [b"on", b"on"] and world.value("x.state") is True


def test_hands_off_leaves_the_output_alone() -> None:
    world, wrote = switching()
    world.device.stopService()
    assert wrote == []


def test_what_is_on_for_too_long_is_switched_off() -> None:
    world, wrote = switching(max_on=600.0)
    world.device.write(STATE, True)
    world.time.pump([1.0] * 400)
    world.device.write(STATE, True)  # counts anew
    world.time.pump([1.0] * 500)
    assert wrote == [b"on", b"on"]
    world.time.pump([1.0] * 200)
    assert wrote == [b"on", b"on", b"off"] and world.value("x.state") is False


def test_what_could_not_be_switched_off_is_tried_again() -> None:
    world, wrote = switching(max_on=600.0)
    world.device.write(STATE, True)
    works = world.wires[0].answers

    def stuck(operation: Operation) -> bytes:
        assert isinstance(operation, Transfer)
        if operation.write == b"off":
            raise NoAnswer("nobody")
        answer: bytes = works(operation)
        return answer

    world.set(stuck)
    world.time.pump([1.0] * 610)
    assert wrote == [b"on"] and world.value("x.state") is True
    world.set(works)
    world.time.pump([1.0] * 10)
    assert wrote == [b"on", b"off"] and world.value("x.state") is False
    world.time.pump([1.0] * 700)
    assert wrote == [b"on", b"off"]


class Edges:
    """Says the level of each edge, and remembers how many there were."""

    def __init__(self, settings: object) -> None:
        self.count = 0

    def feed(self, data: tuple[Edge, ...]) -> Iterator[Sample]:
        for edge in data:
            self.count += 1
            yield {STATE: edge.level}

    def state(self) -> bytes:
        return bytes([self.count])

    def restore(self, data: bytes) -> None:
        self.count = data[0]


def test_edges_are_readings_of_their_own_time_in_order() -> None:
    world = World(Edges)
    seen: list[Readings] = []
    world.hub.subscribe(seen.append, "*")
    world.device.startService()
    world.fed((Edge("line", True, 0.0),))
    world.time.advance(5)
    world.fed((Edge("line", False, 4.25), Edge("line", True, 4.5), Edge("line", False, 4.0), Edge("line", True, 9.0)))
    assert [readings[0].monotonic for readings in seen] == [0.0, 4.25, 4.5, 4.5, 5.0]
    assert [readings[0].value for readings in seen] == [True, False, True, False, True]
    assert world.device.status.seen == 5.0
    world.fed(BadFrame("3 changes"))
    assert world.hub.errors["x", "BadFrame"].count == 1 and len(seen) == 5


def test_a_device_remembers_over_a_restart_and_a_loss() -> None:
    memory = Memory()
    memory.save("test:x", b"\x05")
    world = World(Edges, memory=memory)
    world.device.startService()
    world.fed((Edge("line", True, 0.0),))
    world.lost(Failure(NoAnswer("unplugged")))
    world.time.advance(1)
    world.fed((Edge("line", True, 1.0),))
    assert world.device.device.count == 7  # type: ignore[union-attr]  # ours
    world.device.stopService()
    world.time.advance(0)
    assert memory.load("test:x") == b"\x07" and not world.time.getDelayedCalls()


class Odd(Asked):
    """Measures what it never said it would."""

    def measure(self) -> Talk[Sample]:
        yield Transfer(b"t", 1)
        return {Quantity("strange", "W", high=9): 1.0}


def test_what_a_driver_did_not_declare_is_no_reading() -> None:
    world = World(Odd)
    world.works()
    world.device.startService()
    assert not world.hub.latest and world.device.status.state == "absent"
    assert world.device.status.reason == "TypeError: strange is none of its driver's quantities"


class Ending(Fragile):
    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        yield {TEMPERATURE: 1.0}
        if data == b"end":
            raise SystemExit(3)


def test_a_driver_that_would_end_the_gateway_is_made_anew() -> None:
    world = World(Ending)
    world.device.startService()
    before = world.device.device
    world.fed(b"end")
    assert world.device.device is not before and world.device.connection is not None
    assert [kind for _, kind in world.hub.errors] == ["SystemExit"]
