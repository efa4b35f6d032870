"""GPIO lines through RPi.GPIO's API, with the stand-in for it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from drivers import button, relay
from drivers.api import Edge, NoAnswer, SetLines
from gateway.transports import rpi
from gateway.transports.emulated import TICK, Ticker
from gateway.transports.fake import FakeGPIO
from gateway.transports.gpio import LOOK, SURE, Lines, Wish
from gateway.transports.rpi import POLL, RPi, pin


class Threads(Clock):
    """A clock that also takes calls from threads, for its next step."""

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self.callLater(0, call, *args)


class World:
    def __init__(self, fake: FakeGPIO | None = None) -> None:
        self.clock = Threads()
        self.fake = fake or FakeGPIO()
        self.board = RPi(self.clock, self.clock.seconds, self.fake)
        self.told = list[tuple[Edge, ...]]()

    def open(self, direction: Any = "in", line: str = "gpio:GPIO17", **wished: Any) -> Lines:
        return self.board.open(Wish(lines={"line": line}, direction=direction, fed=self.told.append, **wished))

    def heard(self) -> list[tuple[bool, float]]:
        """Level and time of each edge since the last look."""
        self.clock.advance(0)
        told, self.told[:] = [(edge.level, edge.at) for edges in self.told for edge in edges], []
        return told


@pytest.mark.parametrize(
    ("spec", "number"), [("gpio:GPIO17", 17), ("gpio:17", 17), ("gpio:gpio4", 4), ("gpio:pinctrl-rp1/5", 5)]
)
def test_reads_lines(spec: str, number: int) -> None:
    assert pin(spec) == number


@pytest.mark.parametrize(
    "spec", ["gpio:", "GPIO17", "gpio:GPIO99", "gpio:GPIO17x", "gpio:-1", "gpio:pinctrl-rp1/54", "gpio:x/5", "gpio:"]
)
def test_refuses_wrong_lines(spec: str) -> None:
    with pytest.raises(ValueError, match="write gpio:GPIO17"):
        pin(spec)


def test_an_input_tells_its_level_and_then_each_change() -> None:
    world = World()
    lines = world.open(pull="up")
    assert world.told == []  # in a later turn
    assert world.heard() == [(True, 0.0)]
    world.clock.advance(1.5)
    world.fake.drive(17, False)
    assert world.heard() == [(False, 1.5)]
    world.fake.drive(17, False)
    assert world.heard() == []
    lines.close()
    lines.close()
    assert world.fake.callbacks == {} and world.fake.directions == {}
    world.fake.drive(17, True)
    assert world.heard() == []


def test_edges_of_one_turn_come_together_and_are_bounded() -> None:
    world = World()
    failed = list[str]()
    lines = world.open(failed=lambda error: failed.append(str(error)))
    world.heard()

    def wiggle() -> None:
        for turn in range(1, 2 * rpi.EDGES + 1):
            world.fake.drive(17, bool(turn % 2))

    thread = threading.Thread(target=wiggle)
    thread.start()
    thread.join()
    assert len(world.clock.getDelayedCalls()) == 2  # and the next look
    assert len(world.heard()) == rpi.EDGES and lines.dropped == rpi.EDGES
    assert failed == [f"{rpi.EDGES} changes of the line came faster than they could be taken"]


def test_a_bouncing_line_is_told_when_it_has_settled() -> None:
    world = World()
    world.open(debounce=0.03)
    world.heard()
    for level in (True, False, True):
        world.clock.advance(0.01)
        world.fake.drive(17, level)
        assert world.heard() == []
    world.clock.advance(0.02)
    assert world.heard() == []
    world.clock.advance(0.01)
    ((level, at),) = world.heard()
    assert level and at == pytest.approx(0.03)
    world.fake.drive(17, False)
    world.fake.drive(17, True)  # a spike
    world.clock.advance(1)
    assert world.heard() == []


def test_closing_while_it_bounces() -> None:
    world = World()
    lines = world.open(debounce=0.03)
    world.heard()
    world.fake.drive(17, True)
    world.clock.advance(0)
    world.fake.drive(17, False)
    lines.close()
    world.clock.advance(1)
    assert world.told == [] and not world.clock.getDelayedCalls()


class Recorder(FakeGPIO):
    """Remembers what outputs were told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = list[tuple[Any, ...]]()

    def setup(self, channels: Any, direction: int, pull_up_down: int = 20, initial: int | None = None) -> None:
        self.calls.append(("setup", channels, direction, initial))
        super().setup(channels, direction, pull_up_down, initial)

    def output(self, channels: Any, values: Any) -> None:
        self.calls.append(("output", channels, values))
        super().output(channels, values)


def test_an_output_begins_at_its_level_in_one_call() -> None:
    world = World(Recorder())
    lines = world.open("out", initial={"line": True})
    assert world.fake.calls == [("setup", 17, FakeGPIO.OUT, 1)]  # type: ignore[attr-defined]
    assert world.heard() == [(True, 0.0)]
    lines.perform(SetLines((("line", False),)))
    assert world.fake.level(17) is False
    lines.close()
    assert world.fake.level(17) is False and world.fake.directions == {17: FakeGPIO.OUT}  # an input would float


def test_hands_off_keeps_the_level() -> None:
    world = World(Recorder())
    world.fake.loose[17] = True
    lines = world.open("out", initial=None)
    assert world.fake.calls == [("setup", 17, FakeGPIO.OUT, None)]  # type: ignore[attr-defined]
    assert world.heard() == [(True, 0.0)]
    lines.close()
    assert len(world.fake.calls) == 1 and world.fake.level(17) is True  # type: ignore[attr-defined]


def test_a_line_belongs_to_one_device() -> None:
    world = World()
    lines = world.open()
    with pytest.raises(NoAnswer, match="GPIO17 is used by another device"):
        world.open("out")
    lines.close()
    world.open("out", initial={"line": False}).close()
    with pytest.raises(NoAnswer, match="GPIO5 is used"):
        world.board.open(Wish(lines={"a": "gpio:5", "b": "gpio:GPIO5"}, direction="out"))


def test_trouble_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def busy(*args: Any, **settings: Any) -> None:
        raise RuntimeError("'GPIO busy'")

    lines = world.open("out", initial={"line": False})
    monkeypatch.setattr(world.fake, "output", busy)
    got = list[Any]()
    lines.perform(SetLines((("line", True),))).addErrback(got.append)
    assert got[0].check(NoAnswer) and "GPIO17: 'GPIO busy'" in str(got[0].value)
    lines.open = False
    lines.perform(SetLines((("line", True),))).addErrback(got.append)
    assert "closed" in str(got[1].value)
    monkeypatch.setattr(world.fake, "setup", busy)
    with pytest.raises(NoAnswer, match="GPIO4: 'GPIO busy'"):
        world.open(line="gpio:4")


def test_lines_that_could_not_be_had_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def broken(channel: int) -> int:
        raise OSError("no such line")

    with monkeypatch.context() as trouble:
        trouble.setattr(world.fake, "input", broken)
        for _ in range(2):
            with pytest.raises(NoAnswer, match="GPIO17: no such line"):
                world.open()
    assert world.fake.directions == {} and world.heard() == []
    world.open()
    assert world.heard() == [(False, 0.0)]


class Deaf(FakeGPIO):
    """RPi.GPIO on a kernel of 6.6 or later: a line can be set up, but has no edges."""

    def add_event_detect(self, *args: Any, **settings: Any) -> None:
        raise RuntimeError("Failed to add edge detection")


def test_lines_without_edges_are_looked_at() -> None:
    world = World(Deaf())
    assert "polled" not in world.board.about()
    lines = world.open()
    assert world.heard() == [(False, 0.0)] and "inputs are polled" in world.board.about()
    world.fake.loose[17] = True
    world.clock.advance(POLL)
    assert world.heard() == [(True, POLL)]
    world.clock.advance(POLL)
    assert world.heard() == []
    lines.close()
    assert not world.clock.getDelayedCalls()


def test_a_bouncing_line_without_edges() -> None:
    world = World(Deaf())
    world.open(debounce=2 * POLL)
    world.heard()
    for level in (True, False, True, True, True):
        world.fake.loose[17] = level
        world.clock.advance(POLL)
    assert world.heard() == [(True, 3 * POLL)]


def test_levels_are_told_again_where_that_is_wished() -> None:
    world = World()
    lines = world.open(every=10.0)
    assert world.heard() == [(False, 0.0)]
    world.clock.advance(10)
    assert world.heard() == [(False, 10.0)]
    lines.close()
    assert not world.clock.getDelayedCalls()


def silently(world: World, level: bool) -> None:
    """The line changes, and nobody is told."""
    world.fake.loose[17] = world.fake.seen[17] = level


@pytest.mark.parametrize("every", [0.0, 4.0])
def test_a_change_that_was_not_told_is_found_out_and_counted(every: float) -> None:
    world, failed = World(), list[str]()
    lines = world.open(every=every, failed=lambda error: failed.append(f"{type(error).__name__}: {error}"))
    assert world.heard() == [(False, 0.0)]
    silently(world, True)
    world.clock.advance(every or LOOK)
    assert world.heard() == [] and not failed  # perhaps it is on its way
    world.clock.advance(SURE)
    assert world.heard() == [(True, (every or LOOK) + SURE)]
    assert failed == ["BadFrame: gpio:GPIO17: a change of the line was not told"]
    world.clock.advance(2 * LOOK)
    assert {level for level, _ in world.heard()} <= {True} and len(failed) == 1
    silently(world, False)
    world.clock.pump([every or LOOK, 0.0])
    lines.close()
    assert not world.clock.getDelayedCalls()


def test_a_change_that_was_on_its_way_is_not_lost() -> None:
    world, failed = World(), list[object]()
    world.open(every=10.0, failed=failed.append)
    world.heard()
    silently(world, True)
    world.clock.advance(10)
    world.fake.seen[17] = False
    world.fake.look()
    assert world.heard() == [(True, 10.0)]
    world.clock.advance(SURE)
    assert world.heard() == [(True, 10.0 + SURE)] and not failed  # what the look did not repeat


def test_a_line_that_bounces_is_not_looked_at() -> None:
    world, failed = World(), list[object]()
    world.open(debounce=9.0, failed=failed.append)
    world.heard()
    for _ in range(5):
        world.clock.advance(3)
        world.fake.drive(17, not world.fake.level(17))
    assert world.heard() == [] and not failed


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bus"), RuntimeError("not set up")])
def test_what_cannot_be_read_is_no_news(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    world, lost = World(), list[object]()

    def broken(channel: int) -> int:
        raise error

    lines = world.open("out", initial={"line": False}, lost=lost.append)
    monkeypatch.setattr(world.fake, "input", broken)
    world.heard()
    world.clock.advance(LOOK)
    assert lines.open and not lost and world.heard() == []


class Plugged(button.Emulator):
    plugged = True


@pytest.mark.parametrize(("direction", "after"), [("in", TICK), ("out", LOOK)])
def test_an_emulated_chip_that_is_unplugged_is_gone(direction: Any, after: float) -> None:
    clock, emulator, lost = Threads(), Plugged(), list[Any]()
    board = RPi(clock, clock.seconds, FakeGPIO(clock, emulator))
    wish = Wish(lines={"line": "gpio:17"}, direction=direction, debounce=0.03, lost=lost.append)
    lines = board.open(wish)
    clock.pump([TICK] * 45)
    emulator.plugged = False
    clock.pump([TICK] * round(after / TICK + 1))
    assert not lines.open and [str(reason.value) for reason in lost] == ["gpio:17: the chip is gone"]
    with pytest.raises(NoAnswer, match="No such device"):
        board.open(wish)
    emulator.plugged = True
    assert board.open(wish).open


def test_an_edge_before_the_first_turn_is_told_behind_the_level() -> None:
    world = World()
    world.open()
    world.fake.drive(17, True)
    assert world.heard() == [(False, 0.0), (True, 0.0)]


def test_without_a_board_it_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "RPi", None)
    with pytest.raises(NoAnswer, match=r"install device-gateway\[rpi-lgpio\]"):
        RPi(Threads()).about()


def test_an_emulated_button_presses_itself() -> None:
    clock = Threads()
    board = RPi(clock, clock.seconds, FakeGPIO(clock, button.Emulator()))
    told, device = list[Any](), button.Button(button.Settings())
    wish = Wish(lines={"line": "gpio:27"}, direction="in", pull="up", fed=lambda edges: told.extend(device.feed(edges)))
    lines = board.open(wish)
    clock.pump([TICK] * 51)
    assert [sample[button.STATE] for sample in told] == [False, True, False]
    assert told[-1][button.COUNT] == 1
    lines.close()
    assert clock not in Ticker.running


def test_an_emulated_relay_keeps_what_it_is_told() -> None:
    clock, emulator = Threads(), relay.Emulator()
    board = RPi(clock, clock.seconds, FakeGPIO(clock, emulator))
    lines = board.open(Wish(lines={"line": "gpio:GPIO17"}, direction="out", initial={"line": True}))
    assert emulator.levels == {"line": True}
    lines.perform(SetLines((("line", False),)))
    assert emulator.levels == {"line": False}
