"""Emulated ports and buses: a real pseudo-terminal, with the gateway's own serial code on it."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from drivers.api import NoAnswer, Serial, Transfer
from gateway.reactor import Reactor
from gateway.transports.emulated import TICK, UNREAD, EmulatedI2C, PtyPort, Ticker, ticking
from gateway.transports.serial import SerialEndpoint, Unplugged
from tests.gateway.transports.turning import Ear, reactor, rest, turn

__all__ = ["reactor"]


class Parrot:
    """Says "tick" by itself, and what it heard in capitals.  A "!" or no age breaks it."""

    def __init__(self) -> None:
        self.age = 0.0

    def receive(self, data: bytes) -> bytes:
        if b"!" in data:
            raise RuntimeError("bug")
        return data.upper()

    def tick(self, seconds: float) -> bytes:
        if self.age != self.age:
            raise RuntimeError("bug")
        self.age += seconds
        return b"tick\r\n"


@pytest.fixture
def port(reactor: Reactor, tmp_path: Path) -> Iterator[PtyPort]:
    port = PtyPort(reactor, Parrot(), str(tmp_path / "dev/street"))
    yield port
    port.close()


def connect(port: PtyPort) -> Ear:
    ear, failed = Ear(), list[Any]()
    endpoint = SerialEndpoint(cast(Any, port.reactor), port.link, Serial(9600))
    endpoint.connect(cast(Any, Factory.forProtocol(lambda: ear))).addErrback(failed.append)
    assert not failed, failed
    return ear


def test_a_device_talks_and_answers_through_a_real_port(port: PtyPort) -> None:
    ear = connect(port)
    turn(port.reactor, lambda: ear.heard.count(b"tick\r\n") == 2)
    cast(Any, ear.transport).write(b"hello\r\n")
    turn(port.reactor, lambda: b"HELLO\r\n" in ear.heard)
    assert set(ear.heard.split(b"\r\n")) == {b"tick", b"HELLO", b""}


def test_unplugging_hangs_up_and_plugging_brings_it_back(port: PtyPort) -> None:
    ear = connect(port)
    port.unplug()
    port.unplug()
    assert not os.path.lexists(port.link)
    turn(port.reactor, lambda: ear.why)
    assert ear.why[0].type is Unplugged
    rest(port.reactor, 2 * TICK)
    port.plug()
    port.plug()
    again = connect(port)
    turn(port.reactor, lambda: b"tick" in again.heard)


def test_a_bug_in_an_emulator_leaves_the_port_open(port: PtyPort) -> None:
    ear = connect(port)
    cast(Any, ear.transport).write(b"!")
    rest(port.reactor, 0.05)
    cast(Any, ear.transport).write(b"still there")
    turn(port.reactor, lambda: b"STILL THERE" in ear.heard)
    cast(Parrot, port.emulator).age = float("nan")
    other = PtyPort(port.reactor, Parrot())
    heard = connect(other)
    turn(port.reactor, lambda: heard.heard.count(b"tick") == 2)
    assert not ear.why
    other.close()


def test_what_nobody_reads_is_lost_and_does_not_pile_up(port: PtyPort) -> None:
    for _ in range(20):
        port.say(b"stale\r\n" * 100)
        rest(port.reactor, 0.02)  # the kernel counts what came a moment later
    assert UNREAD <= port.unread() < UNREAD + 800
    ear = connect(port)
    turn(port.reactor, lambda: b"tick" in ear.heard)
    assert b"stale" not in ear.heard


def test_one_who_was_killed_locks_nobody_out(port: PtyPort) -> None:
    script = "import sys, time, serial, fcntl, termios\nport = serial.Serial(sys.argv[1], exclusive=True)\n"
    script += "fcntl.ioctl(port.fd, termios.TIOCEXCL)\nprint(1, flush=True)\ntime.sleep(60)\n"
    other = subprocess.Popen([sys.executable, "-c", script, port.link], stdout=subprocess.PIPE)
    assert other.stdout is not None
    select.select([other.stdout], [], [], 20)
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    rest(port.reactor, 2 * TICK)
    assert connect(port)


def test_a_link_left_behind_is_taken_but_nothing_else(reactor: Reactor, tmp_path: Path) -> None:
    link = tmp_path / "street"
    link.symlink_to("/dev/pts/gone")
    port = PtyPort(reactor, Parrot(), str(link))
    assert os.path.exists(link)
    port.close()
    link.write_text("precious")
    gc.collect()  # what earlier tests left behind
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileExistsError):
        PtyPort(reactor, Parrot(), str(link))
    assert link.read_text() == "precious" and len(os.listdir("/proc/self/fd")) == before


def test_without_a_link_its_path_is_the_terminals(reactor: Reactor) -> None:
    port = PtyPort(reactor, Parrot())
    assert port.link.startswith("/dev/pts/") and connect(port)
    port.close()


def test_all_that_is_emulated_shares_a_wakeup() -> None:
    clock, ticks = Clock(), list[tuple[str, float]]()
    stops = [ticking(clock, lambda seconds, name=name: ticks.append((name, seconds))) for name in "ab"]  # type: ignore[misc]
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(TICK)
    assert ticks == [("a", TICK), ("b", TICK)]
    for stop in stops:
        stop()
        stop()
    assert not clock.getDelayedCalls() and clock not in Ticker.running


class Thermometer:
    def __init__(self, value: int) -> None:
        self.value, self.age = value, 0.0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write == b"!":
            raise RuntimeError("bug")
        return bytes([self.value]) * read

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        return b""


def result(answer: Deferred[bytes]) -> Any:
    got = list[Any]()
    answer.addBoth(got.append)
    return got[0]


def test_chips_answer_by_address_and_channel_and_age() -> None:
    clock = Clock()
    first, behind = Thermometer(1), Thermometer(2)
    bus = EmulatedI2C({0x44: first, (((0x70, 3),), 0x44): behind}, clock)
    clock.advance(2.5)
    assert result(bus.at(0x44).perform(Transfer(b"", 2))) == b"\x01\x01"
    assert result(bus.at(0x44, ((0x70, 3),)).perform(Transfer(b"", 1))) == b"\x02"
    assert first.age == behind.age == 2.5
    assert result(bus.at(0x45).perform(Transfer(b"", 1))).check(NoAnswer)
    assert result(bus.at(0x44).perform(Transfer(b"!", 1))).check(NoAnswer)
    del bus.chips[0x44]
    assert result(bus.at(0x44).perform(Transfer(b"", 1))).check(NoAnswer)
