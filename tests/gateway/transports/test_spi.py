"""An SPI bus, with a stand-in for spidev in its thread."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from drivers.api import SPI, NoAnswer, Transfer
from gateway.reactor import Reactor
from gateway.transports.spi import MISSING, SPIBus, spidev
from tests.gateway.transports.turning import reactor, turn

__all__ = ["reactor"]
SLOW, FAST = SPI(mode=0, speed=1_000_000), SPI(mode=3, speed=4_000_000, bits=8)


class FakeSpidev:
    """The module.  Chips answer each byte with its complement."""

    def __init__(self) -> None:
        self.calls = list[tuple[int, int, int, int, int, bytes]]()
        self.trouble = self.unopened = 0
        self.opened = list[tuple[int, int]]()
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def SpiDev(self) -> FakeChip:
        return FakeChip(self)


class FakeChip:
    mode = max_speed_hz = bits_per_word = -1

    def __init__(self, module: FakeSpidev) -> None:
        self.module = module

    def open(self, bus: int, line: int) -> None:
        if number := self.module.unopened:
            raise OSError(number, os.strerror(number))
        self.at = bus, line
        self.module.opened.append(self.at)

    def xfer2(self, data: list[int]) -> list[int]:
        assert self.module.gate.wait(10)
        if number := self.module.trouble:
            raise OSError(number, os.strerror(number))
        self.module.calls.append((*self.at, self.mode, self.max_speed_hz, self.bits_per_word, bytes(data)))
        return [byte ^ 0xFF for byte in data]

    def close(self) -> None:
        self.module.closed += 1


class World:
    def __init__(self, reactor: Reactor) -> None:
        self.reactor, self.fake = reactor, FakeSpidev()
        self.bus = SPIBus(reactor, 0, timeout=0.1, make=lambda: self.fake)

    def told(self, transfer: Transfer, line: int = 0, link: SPI = SLOW) -> Any:
        got = list[Any]()
        self.bus.at(line, link).perform(transfer).addBoth(got.append)
        turn(self.reactor, lambda: got)
        return got[0]

    def refused(self) -> str:
        failure = self.told(Transfer(b"\x01", 1))
        assert failure.check(NoAnswer), failure
        return str(failure.value)


@pytest.fixture
def world(reactor: Reactor) -> Iterator[World]:
    world = World(reactor)
    yield world
    world.fake.gate.set()
    ended = world.bus.close()
    turn(reactor, lambda: ended.called)


def test_writes_and_reads_at_once(world: World) -> None:
    assert world.told(Transfer(b"\x01\x80\x00", 3)) == b"\xfe\x7f\xff"
    assert world.told(Transfer(read=4)) == b"\xff" * 4
    assert world.told(Transfer(b"\x01\x02\x03", 1)) == b"\xfe"
    assert world.told(Transfer(b"\x05")) == b"" and world.told(Transfer()) == b""
    assert [call[-1] for call in world.fake.calls] == [b"\x01\x80\x00", bytes(4), b"\x01\x02\x03", b"\x05"]


def test_each_chip_has_its_mode_and_speed_and_one_file(world: World) -> None:
    for _ in range(2):
        world.told(Transfer(b"\x01"), 0, SLOW)
        world.told(Transfer(b"\x02"), 1, FAST)
    first, second = (0, 0, 0, 1_000_000, 8, b"\x01"), (0, 1, 3, 4_000_000, 8, b"\x02")
    assert world.fake.calls == [first, second] * 2
    assert world.fake.opened == [(0, 0), (0, 1)]
    assert sum(thread.name == "bus spi0" for thread in threading.enumerate()) == 1


def test_what_cannot_be_opened_is_told_and_opened_when_it_comes(world: World) -> None:
    world.fake.unopened = errno.ENOENT
    assert world.refused() == "/dev/spidev0.0: no such device; enable SPI with raspi-config (dtparam=spi=on)"
    world.fake.unopened = errno.EACCES
    assert world.refused().startswith("/dev/spidev0.0: ")
    world.fake.unopened = 0
    assert world.told(Transfer(read=1)) == b"\xff"


def test_a_transfer_that_fails_opens_the_chip_anew(world: World) -> None:
    world.told(Transfer(read=1))
    world.fake.trouble = errno.ESHUTDOWN
    assert world.refused() == "/dev/spidev0.0: " + os.strerror(errno.ESHUTDOWN)
    world.fake.trouble = 0
    assert world.told(Transfer(read=1)) == b"\xff"
    assert len(world.fake.opened) == 2 and world.fake.closed == 1 and world.bus.errors == {"ESHUTDOWN": 1}


def test_a_hung_transfer_makes_the_bus_stuck_until_it_ends(world: World) -> None:
    world.fake.gate.clear()
    assert world.refused() == "bus spi0 is stuck: a transfer with chip select 0 takes longer than 0.1 s"
    assert "is stuck" in world.refused()
    world.fake.gate.set()
    turn(world.reactor, lambda: not world.bus.stuck)
    assert world.told(Transfer(read=1)) == b"\xff"


def test_without_the_module_it_says_what_to_install(world: World) -> None:
    def missing() -> Any:
        raise ImportError("spidev")

    world.bus.master.make = missing
    assert world.refused() == MISSING


def test_the_true_module_says_the_same_of_a_missing_device(reactor: Reactor) -> None:
    """It is an extra, and may be missing itself."""
    bus, got = SPIBus(reactor, 4711, make=spidev), list[Any]()
    bus.at(0, SLOW).perform(Transfer(read=1)).addBoth(got.append)
    turn(reactor, lambda: got)
    missing = "/dev/spidev4711.0: no such device; enable SPI with raspi-config (dtparam=spi=on)"
    assert str(got[0].value) == (missing if find_spec("spidev") else MISSING)
    ended = bus.close()
    turn(reactor, lambda: ended.called)
