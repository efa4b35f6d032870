"""An I2C bus that is held down: what is tried, in which order, and that each step is told."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from drivers.api import NoAnswer
from gateway.reactor import Reactor
from gateway.transports import ladder
from gateway.transports.i2c import I2CBus
from tests.gateway.transports.test_i2c import World
from tests.gateway.transports.turning import reactor, turn

__all__ = ["reactor"]
REOPEN = "transfers failed; the adapter is opened anew"
RESET = "transfers failed; the kernel's driver is bound anew"
POWER = "transfers failed; the power of its chips is switched off and on"


class Held(World):
    """A bus in a folder of our own, with a controller in *sysfs* whose driver may be bound anew."""

    def __init__(self, reactor: Reactor, sysfs: Path) -> None:
        super().__init__(reactor)
        self.sysfs, self.told_of, self.cuts = sysfs, list[str](), 0
        self.power: Any = None
        self.make_bus()

    def make_bus(self) -> None:
        self.bus = I2CBus(
            self.reactor,
            "/dev/i2c-1",
            timeout=0.1,
            make=lambda: self.fake,
            sysfs=str(self.sysfs),
            power=self.power,
            tell=self.told_of.append,
        )

    def cut(self) -> Deferred[None]:
        self.cuts += 1
        self.fake.trouble.clear()
        return succeed(None)

    def fail(self, times: int) -> None:
        """Let so many transfers time out, whichever address rests meanwhile."""
        for _ in range(times):
            assert self.told().check(NoAnswer)
            self.bus.resting.clear()

    def controller(self) -> Path:
        """A controller as sysfs shows it: i2c-1 within, its driver beside."""
        controller = self.sysfs / "devices/soc/fe804000.i2c"
        driver = self.sysfs / "bus/platform/drivers/i2c-bcm2835"
        for folder in controller / "i2c-1/i2c-dev/i2c-1", driver, self.sysfs / "class/i2c-dev":
            folder.mkdir(parents=True)
        (controller / "driver").symlink_to(driver)
        (controller / "i2c-1/i2c-dev/i2c-1/device").symlink_to(controller / "i2c-1")
        (self.sysfs / "class/i2c-dev/i2c-1").symlink_to(controller / "i2c-1/i2c-dev/i2c-1")
        return driver


@pytest.fixture
def held(reactor: Reactor, tmp_path: Path) -> Iterator[Held]:
    world = Held(reactor, tmp_path)
    yield world
    world.fake.gate.set()
    ended = world.bus.close()
    turn(reactor, lambda: ended.called)


def test_the_adapter_is_opened_anew_and_that_may_help(held: Held) -> None:
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(2)
    assert held.told_of == [] and held.fake.opened == 1
    held.fail(1)
    assert held.told_of == [f"3 {REOPEN}"]
    held.fake.trouble.clear()
    assert held.told() == b"DDD"
    assert (held.fake.opened, held.fake.closed) == (2, 1)
    assert held.told_of[1:] == ["works again, after 3 failures", ""]
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(3)
    assert held.told_of[-1] == f"3 {REOPEN}"  # from the first step on


def test_then_the_kernels_driver_is_bound_anew(held: Held) -> None:
    driver = held.controller()
    held.fake.trouble[0x44] = errno.EAGAIN
    held.fail(6)
    turn(held.reactor, lambda: (driver / "bind").exists())
    assert held.told_of == [f"3 {REOPEN}", f"6 {RESET}"]
    assert [(driver / step).read_text() for step in ("unbind", "bind")] == ["fe804000.i2c"] * 2
    held.fake.trouble.clear()
    assert held.told() == b"DDD" and held.fake.opened == 3


def test_a_step_that_cannot_be_taken_is_told_and_the_next_is_tried(held: Held) -> None:
    held.power = held.cut
    held.make_bus()
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(11)
    assert held.cuts == 0 and held.told_of[:2] == [f"3 {REOPEN}", f"6 {RESET}"]
    assert held.told_of[2].startswith("the kernel's driver is bound anew: this failed: [Errno 2]")
    held.fail(1)
    assert held.cuts == 1 and held.told_of[3:] == [f"12 {POWER}"]
    assert held.told() == b"DDD" and held.told_of[4:] == ["works again, after 12 failures", ""]


def test_a_power_switch_that_fails_is_told(held: Held) -> None:
    held.power = lambda: fail(NoAnswer("gpio:GPIO22: no such line"))
    held.make_bus()
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(12)
    assert held.told_of[-1] == ("the power of its chips is switched off and on: this failed: gpio:GPIO22: no such line")


def test_nothing_is_sent_while_the_power_is_off(held: Held) -> None:
    off: Deferred[None] = Deferred()
    held.power = lambda: off
    held.make_bus()
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(12)
    sent, got = len(held.fake.calls), held.ask(0x45)
    held.reactor.iterate(0.02)
    assert not got and len(held.fake.calls) == sent
    off.callback(None)
    turn(held.reactor, lambda: got)
    assert got == [b"EEE"]


def test_the_power_is_cut_where_a_call_stays_in_the_kernel(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "HUNG", 0.1)
    held.power = held.cut
    held.make_bus()
    held.fake.gate.clear()
    assert "is stuck" in str(held.told().value)
    assert held.cuts == 0
    turn(held.reactor, lambda: held.cuts)
    held.fake.gate.set()
    turn(held.reactor, lambda: not held.bus.stuck)
    assert held.told(0x45) == b"EEE"


def test_a_chip_that_does_not_answer_is_no_reason(held: Held) -> None:
    held.fake.trouble[0x44] = errno.ENXIO
    held.fail(20)
    held.fake.trouble[0x45] = errno.ETIMEDOUT
    for _ in range(10):  # one that stretches the clock for ever, beside one that is not there
        held.told(0x45)
        held.fail(1)
    assert held.told_of == [] and held.fake.opened == 1


def test_pauses_grow_up_to_a_limit(held: Held) -> None:
    held.fake.trouble[0x44] = errno.ETIMEDOUT
    held.fail(100)
    steps = [int(words.split()[0]) for words in held.told_of if words[0].isdigit()]
    assert steps == [3, 6, 12, 24, 48, 72, 96]
