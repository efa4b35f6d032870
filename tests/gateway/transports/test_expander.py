"""GPIO lines of an expander on I2C: whatever takes its time is done by the chip's own thread."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from drivers.api import DeviceError, Edge, NoAnswer, SetLines
from gateway.reactor import Reactor
from gateway.transports import expander, gpio
from gateway.transports.expander import ExpanderLines
from gateway.transports.gpio import Lines, Wish
from gateway.transports.gpiochip import GPIOChips
from tests.gateway.transports.kernel import Kernel, Request
from tests.gateway.transports.turning import reactor, turn

__all__ = ["reactor"]  # a fixture
OTHER = "the thread of the chip"


class Slow(Request):
    """A request whose every call waits for *gate*, and is made by *threads*."""

    gate: threading.Event
    threads: set[str]
    trouble_reading: OSError | None = None

    def wait(self) -> None:
        self.threads.add("the reactor's" if threading.current_thread() is threading.main_thread() else OTHER)
        assert self.gate.wait(10)

    def get_values(self, offsets: Any) -> Any:
        self.wait()
        if self.trouble_reading is not None:
            raise self.trouble_reading
        return super().get_values(offsets)

    def set_values(self, values: Any) -> None:
        self.wait()
        super().set_values(values)

    def release(self) -> None:
        self.wait()
        super().release()


class World:
    def __init__(self, reactor: Reactor, root: Path) -> None:
        self.reactor = reactor
        (root / "dev").mkdir()
        self.kernel = Kernel(root / "dev")
        self.own = self.kernel.plug("gpiochip0", "pinctrl", "FAST")
        self.chip = self.kernel.plug("gpiochip1", "pcf8574", "DOOR", "PUMP")
        for name, where in ("gpiochip0", "platform/soc/gpio"), ("gpiochip1", "platform/soc/i2c-1/1-0020"):
            device = root / "sys/devices" / where / name
            device.mkdir(parents=True)
            link = root / "sys/bus/gpio/devices" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(device)
        self.chips = GPIOChips(reactor, time.monotonic, str(root / "dev"), self.kernel, str(root / "sys"))
        self.told, self.lost, self.failed = list[Edge](), list[Failure](), list[DeviceError]()

    def open(self, line: str = "gpio:DOOR", direction: Any = "in", **wished: Any) -> Lines:
        return self.chips.open(
            Wish(lines={"line": line}, direction=direction, fed=self.told.extend, lost=self.lost.append,
                 failed=self.failed.append, **wished)
        )  # fmt: skip

    def ready(self, lines: Lines) -> Lines:
        got = list[Any]()
        lines.ready.addBoth(got.append)
        turn(self.reactor, lambda: got)
        assert got == [None], got
        return lines

    def close(self, lines: Lines) -> None:
        lines.close()
        turn(self.reactor, lambda: not self.chips.threads)
        assert not self.chip.consumers and not self.own.consumers


@pytest.fixture
def world(reactor: Reactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    Slow.gate, Slow.threads, Slow.trouble_reading = threading.Event(), set(), None
    Slow.gate.set()
    monkeypatch.setattr("tests.gateway.transports.kernel.Request", Slow)
    return World(reactor, tmp_path)


@pytest.fixture(autouse=True)
def done() -> Iterator[None]:
    yield
    Slow.gate.set()  # no thread stays behind


def levels(world: World) -> list[bool]:
    return [edge.level for edge in world.told]


def test_only_a_chip_behind_a_bus_has_a_thread(world: World) -> None:
    fast = world.open("gpio:FAST")
    assert not isinstance(fast, ExpanderLines) and Slow.threads == {"the reactor's"}
    fast.close()
    Slow.threads.clear()
    door, pump = world.ready(world.open()), world.ready(world.open("gpio:PUMP", "out", initial={"line": False}))
    assert isinstance(door, ExpanderLines) and len(world.chips.threads) == 1, "one for both"
    turn(world.reactor, lambda: len(world.told) == 2)
    got = list[Any]()
    pump.perform(SetLines((("line", True),))).addBoth(got.append)
    turn(world.reactor, lambda: got)
    assert got == [b""] and world.chip.levels[1]
    door.close()
    world.close(pump)
    assert Slow.threads == {OTHER}


def test_edges_come_and_lost_ones_are_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpio, "SURE", 0.02)
    lines = world.ready(world.open(every=0.05))
    assert world.chip.request is not None
    turn(world.reactor, lambda: len(world.told) > 2)
    world.chip.request.edge(0, True, time.monotonic())
    turn(world.reactor, lambda: levels(world)[-3:] == [True] * 3)
    assert not world.failed
    world.chip.levels[0] = False
    turn(world.reactor, lambda: levels(world)[-3:] == [False] * 3)
    assert [str(error) for error in world.failed] == ["gpio:DOOR: a change of the line was not told"]
    world.close(lines)


def test_a_bus_that_is_held_does_not_hold_up_the_gateway(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expander, "TIMEOUT", 0.1)
    lines = world.ready(world.open("gpio:PUMP", "out", initial={"line": False}))
    Slow.gate.clear()
    got = list[Failure]()
    lines.perform(SetLines((("line", True),))).addErrback(got.append)
    turn(world.reactor, lambda: got)
    assert got[0].check(NoAnswer) and "gpio:PUMP: setting them takes longer than 0.1 s" in str(got[0].value)
    lines.perform(SetLines((("line", True),))).addErrback(got.append)
    assert len(got) == 2 and "is stuck" in str(got[1].value)
    lines.close()
    Slow.gate.set()
    turn(world.reactor, lambda: not world.chips.threads)
    assert not world.chip.consumers


def test_an_input_that_cannot_be_read_is_not_told_again_and_is_lost(world: World) -> None:
    lines = world.ready(world.open(every=0.02))
    turn(world.reactor, lambda: len(world.told) > 1)
    Slow.trouble_reading = OSError(errno.EREMOTEIO, "Remote I/O error")
    turn(world.reactor, lambda: world.failed)
    told = len(world.told)
    turn(world.reactor, lambda: world.lost)
    assert len(world.told) == told and not lines.open
    assert [str(error) for error in world.failed] == ["gpio:DOOR: cannot be read: Remote I/O error"] * 3
    assert str(world.lost[0].value) == "gpio:DOOR: cannot be read: Remote I/O error"
    turn(world.reactor, lambda: not world.chips.threads)
    assert not world.chip.consumers


def test_lines_that_nobody_wants_any_more_while_they_are_set_up_are_free_again(world: World) -> None:
    Slow.gate.clear()
    lines, got = world.open(), list[Failure]()
    lines.ready.addErrback(got.append)
    turn(world.reactor, lambda: world.chip.consumers)
    lines.ready.cancel()
    assert got and got[0].check(CancelledError)
    Slow.gate.set()
    turn(world.reactor, lambda: not world.chips.threads)
    assert not world.chip.consumers and not world.told


def test_lines_that_wait_to_be_set_up_are_given_up(world: World) -> None:
    Slow.gate.clear()
    first, second = world.open(), world.open("gpio:PUMP")
    turn(world.reactor, lambda: world.chip.consumers)
    second.ready.addErrback(lambda failure: failure.trap(CancelledError) and None)
    second.ready.cancel()
    Slow.gate.set()
    world.close(world.ready(first))


def test_what_cannot_be_had_says_why(world: World) -> None:
    world.chip.consumers[0] = "gpiomon"
    got = list[Failure]()
    world.open().ready.addErrback(got.append)
    turn(world.reactor, lambda: got and not world.chips.threads)
    assert got[0].check(NoAnswer) and str(got[0].value) == "gpio:DOOR is held by 'gpiomon'"
    Slow.trouble_reading = OSError(errno.EREMOTEIO, "Remote I/O error")
    world.open("gpio:PUMP").ready.addErrback(got.append)
    turn(world.reactor, lambda: len(got) == 2 and not world.chips.threads)
    assert got[1].check(NoAnswer) and "Remote I/O error" in str(got[1].value)
    assert world.chip.consumers == {0: "gpiomon"}
