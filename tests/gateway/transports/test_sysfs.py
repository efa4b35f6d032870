"""The transport of /sys, over true files in a folder of our own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from drivers.api import BadFrame, DeviceError, NoAnswer, Operation, Read, Sysfs, Write
from drivers.ds18b20 import DRIVER as DS18B20
from gateway.reactor import Reactor
from gateway.transports import sysfs
from gateway.transports.faults import LATE, Faulty
from gateway.transports.sysfs import Tree
from gateway.transports.tree import EmulatedFolder, EmulatedTree
from tests.gateway.transports.turning import reactor, rest, turn

__all__ = ["reactor"]
W1, IIO = Sysfs("bus/w1/devices/{}", "id"), Sysfs("bus/iio/devices/iio:device*", "iio")
HWMON = Sysfs("class/hwmon/hwmon*", "hwmon")
TEMP = Read("temp")


class World:
    def __init__(self, reactor: Reactor, root: Path) -> None:
        self.reactor, self.root = reactor, root
        self.tree = Tree(reactor, str(root), timeout=0.2)

    def file(self, path: str, text: str = "20\n") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def ask(self, operation: Operation, word: str = "28-1", link: Sysfs = W1) -> list[Any]:
        got = list[Any]()
        self.tree.at(link, word).perform(operation).addBoth(got.append)
        return got

    def told(self, *args: Any) -> Any:
        got = self.ask(*args)
        turn(self.reactor, lambda: got)
        return got[0]

    def refused(self, kind: type[DeviceError], *args: Any) -> str:
        failure = self.told(*args)
        assert failure.check(kind), failure
        return str(failure.value)


@pytest.fixture
def world(reactor: Reactor, tmp_path: Path) -> Iterator[World]:
    world = World(reactor, tmp_path)
    yield world
    ended = world.tree.close()
    turn(reactor, lambda: ended.called)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds up who reads a file that is called ``slow``, as the kernel does while a sensor converts."""
    gate, read = threading.Event(), sysfs.read

    def slow(path: str) -> bytes:
        if path.endswith("slow"):
            gate.wait(10)
        return read(path)

    monkeypatch.setattr(sysfs, "read", slow)
    yield gate
    gate.set()


def test_reads_and_writes_in_a_thread(world: World) -> None:
    world.file("bus/w1/devices/28-1/temp")
    bulk = world.file("bus/w1/devices/bulk", "0\n")
    assert world.told(TEMP) == b"20\n"
    assert world.told(Write("../bulk", "trigger\n")) == b"" and bulk.read_text() == "trigger\n"
    assert [thread.name for thread in threading.enumerate()].count("sysfs") == 1


def test_a_folder_gives_its_names(world: World) -> None:
    for name in "b", "a", "c/d":
        world.file(f"bus/w1/devices/28-1/{name}")
    assert world.told(Read(".")) == b"a\nb\nc\n\n" and world.told(Read("c")) == b"d\n\n"


def test_dots_lead_up_from_where_the_folder_really_is(world: World) -> None:
    world.file("devices/w1_bus_master1/28-1/temp")
    bulk = world.file("devices/w1_bus_master1/therm_bulk_read")
    (world.root / "bus/w1/devices").mkdir(parents=True)
    (world.root / "bus/w1/devices/28-1").symlink_to("../../../devices/w1_bus_master1/28-1")
    assert world.told(Write("../therm_bulk_read", "trigger\n")) == b"" and bulk.read_text() == "trigger\n"


def test_a_device_is_found_by_name_whatever_its_number(world: World) -> None:
    world.file("bus/iio/devices/iio:device0/name", "dht11@4\n")
    world.file("bus/iio/devices/iio:device7/name", "bme280\n")
    temp = world.file("bus/iio/devices/iio:device7/temp")
    assert world.told(TEMP, "bme280", IIO) == b"20\n"
    os.rename(temp.parent, temp.parent.with_name("iio:device1"))
    assert world.told(TEMP, "bme280", IIO) == b"20\n"
    assert "bme680: no such IIO device" in world.refused(NoAnswer, TEMP, "bme680", IIO)


def test_two_of_one_name_are_told_apart_by_what_they_hang_on(world: World) -> None:
    for number, owner in enumerate(("1-0048", "1-0049")):
        world.file(f"devices/i2c-1/{owner}/hwmon/hwmon{number}/name", "lm75\n")
        world.file(f"devices/i2c-1/{owner}/hwmon/hwmon{number}/temp", f"{number}\n")
        (world.root / f"devices/i2c-1/{owner}/hwmon/hwmon{number}/device").symlink_to(f"../../../{owner}")
        (world.root / "class/hwmon").mkdir(parents=True, exist_ok=True)
        (world.root / f"class/hwmon/hwmon{number}").symlink_to(
            f"../../devices/i2c-1/{owner}/hwmon/hwmon{number}", target_is_directory=True
        )
    assert "write which of lm75/1-0048, lm75/1-0049 is meant" in world.refused(NoAnswer, TEMP, "lm75", HWMON)
    assert world.told(TEMP, "lm75/1-0049", HWMON) == b"1\n"


def test_what_is_not_there_has_its_words(world: World) -> None:
    assert world.refused(NoAnswer, TEMP) == (
        "28-1: not there; is it connected, and 1-Wire enabled (dtoverlay=w1-gpio)?"
    )
    world.file("bus/w1/devices/28-1/name")
    assert world.refused(NoAnswer, TEMP) == f"{world.root}/bus/w1/devices/28-1/temp: no such file"
    assert world.refused(NoAnswer, Write("temp", "1")).endswith("temp: no such file")
    assert not (world.root / "bus/w1/devices/28-1/temp").exists()  # it is never made


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (5, BadFrame, "the kernel's driver understood nothing"),
        (110, NoAnswer, "the device does not answer"),
        (30, NoAnswer, "read-only; a service needs it among its ReadWritePaths"),
        (13, NoAnswer, "permission denied"),
    ],
)
def test_the_kernels_errors(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DeviceError], words: str
) -> None:
    def fails(*args: Any, **settings: Any) -> Any:
        raise OSError(number, "x")

    world.file("bus/w1/devices/28-1/temp")
    monkeypatch.setattr(sysfs, "open", fails, raising=False)
    assert words in world.refused(kind, TEMP)
    assert world.tree.thread.errors.total() == 1


def test_a_write_that_is_under_way_serves_all_who_want_the_same(world: World, gate: threading.Event) -> None:
    for name in "28-1/slow", "28-2/x", "bulk":
        world.file(f"bus/w1/devices/{name}")
    trigger = Write("../bulk", "trigger\n")
    before, first, second, cancelled = world.ask(Read("slow")), world.ask(trigger), list[Any](), list[Any]()
    place = world.tree.at(W1, "28-2")
    place.perform(trigger).addBoth(second.append)
    third = place.perform(trigger)
    third.addErrback(cancelled.append)
    third.cancel()
    assert cancelled[0].check(CancelledError) and len(world.tree.thread.waiting) == 1
    other = world.ask(Write("../bulk", "0\n"))
    assert len(world.tree.thread.waiting) == 2
    gate.set()
    turn(world.reactor, lambda: other)
    assert (before, first, second, other) == ([b"20\n"], [b""], [b""], [b""])
    assert world.told(trigger) == b""  # a new one, now


def test_a_call_that_hangs_is_its_own_devices_trouble(world: World, gate: threading.Event) -> None:
    world.file("bus/w1/devices/28-1/slow")
    world.file("bus/w1/devices/28-2/temp")
    hangs, waits = world.ask(Read("slow")), world.ask(TEMP, "28-2")
    turn(world.reactor, lambda: hangs and waits)
    assert "takes longer than 0.2 s" in str(hangs[0].value) and waits == [b"20\n"]
    assert "28-1: a call hangs in the kernel" in world.refused(NoAnswer, TEMP)
    assert world.told(TEMP, "28-2") == b"20\n" and not world.tree.stuck
    gate.set()
    turn(world.reactor, lambda: not world.tree.apart[str(world.root / "bus/w1/devices/28-1")].stuck)
    gate.clear()
    hangs, beside = world.ask(Read("slow")), world.ask(TEMP, "28-2")  # it does so again, and nobody waits
    turn(world.reactor, lambda: beside)
    assert beside == [b"20\n"] and not hangs
    turn(world.reactor, lambda: hangs)
    gate.set()
    turn(world.reactor, lambda: not world.tree.apart[str(world.root / "bus/w1/devices/28-1")].stuck)
    assert world.told(Read("slow")) == b"20\n" and not world.tree.apart
    turn(world.reactor, lambda: [thread.name for thread in threading.enumerate()].count("sysfs") == 1)
    assert world.told(TEMP, "28-2") == b"20\n"


def test_closing_waits_for_no_call_that_hangs(world: World, gate: threading.Event) -> None:
    world.file("bus/w1/devices/28-1/slow")
    hangs = world.ask(Read("slow"))
    turn(world.reactor, lambda: hangs)
    ended = world.tree.close()
    turn(world.reactor, lambda: ended.called, 1.0)


class Watching:
    def __init__(self, root: Path) -> None:
        self.clock, self.came = Clock(), 0
        self.tree = Tree(self.clock, str(root))

    def appeared(self) -> None:
        self.came += 1


@pytest.mark.parametrize(("link", "word", "path"), [(W1, "28-1", "bus/w1/devices/28-1/x"),
                                                    (IIO, "dht11@4", "bus/iio/devices/iio:device3/name")])  # fmt: skip
def test_tells_when_a_device_comes_and_each_time_it_comes_back(
    tmp_path: Path, link: Sysfs, word: str, path: str
) -> None:
    watching = Watching(tmp_path)
    cancel = watching.tree.watch(link, word, watching.appeared)
    file = tmp_path / path
    for times in 1, 2:
        watching.clock.advance(1)
        assert watching.came == times - 1
        file.parent.mkdir(parents=True)
        file.write_text(f"{word}\n")
        watching.clock.advance(1)
        watching.clock.advance(1)
        assert watching.came == times
        file.unlink()
        file.parent.rmdir()
    cancel()
    assert not watching.clock.getDelayedCalls()


def test_one_bug_on_the_way_does_not_stop_the_looking(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    calls: list[Callable[[], None]] = [lambda: 1 / 0, watching.appeared]  # type: ignore[list-item]
    for appeared in calls:
        watching.tree.watch(W1, "28-1", appeared)
    watching.clock.advance(1)
    (tmp_path / "bus/w1/devices/28-1").mkdir(parents=True)
    watching.clock.advance(1)
    assert watching.came == 1


# Emulated


def test_an_emulated_device_is_true_files(world: World) -> None:
    clock = Clock()
    emulator: Any = Faulty(clock, DS18B20.link, DS18B20.emulator)
    assert isinstance(DS18B20.link, Sysfs)
    folder = EmulatedFolder(clock, world.root, DS18B20.link, "28-1", emulator)
    before = world.told(Read("w1_slave"))
    assert before == emulator.files["w1_slave"].encode()
    assert world.told(Write("../therm_bulk_read", "trigger\n")) == b""
    folder.take()
    assert emulator.files["../therm_bulk_read"] == "trigger\n"
    clock.pump([0.1] * 300)
    assert world.told(Read("w1_slave")) == emulator.files["w1_slave"].encode() != before
    emulator.begin("unplug", 2.0)
    clock.pump([0.1] * 11)
    assert "not there" in world.refused(NoAnswer, Read("w1_slave"))
    clock.pump([0.1] * 21)
    assert world.told(Read("w1_slave")).endswith(b"\n")
    emulator.begin("nack", 2.0)
    clock.pump([0.1] * 11)
    assert world.told(Read(".")) == b"w1_slave\n\n" and "no such file" in world.refused(NoAnswer, Read("w1_slave"))
    clock.pump([0.1] * 21)
    assert world.told(Read("w1_slave")).endswith(b"\n")
    folder.close()
    assert not (world.root / "bus/w1/devices/28-1").exists() and not clock.getDelayedCalls()


def test_a_call_lasts_as_long_as_a_fault_has_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, folders, slept = Clock(), dict[str, EmulatedFolder](), list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    world.tree = EmulatedTree(world.reactor, str(world.root), folders)
    faulty: list[Any] = [Faulty(clock, DS18B20.link, DS18B20.emulator) for _ in range(2)]
    assert isinstance(DS18B20.link, Sysfs)
    for word, emulator in zip(("28-1", "28-2"), faulty, strict=True):
        folders[word] = EmulatedFolder(clock, world.root, DS18B20.link, word, emulator)
    faulty[0].begin("delay")
    assert world.told(Read("w1_slave"), "28-2").endswith(b"\n") and slept == []
    assert world.told(Read("w1_slave"), "28-1").endswith(b"\n") and slept == [LATE]
    faulty[0].begin("")
    assert world.told(Read("w1_slave"), "28-1").endswith(b"\n") and slept == [LATE]
    for folder in folders.values():
        folder.close()


def test_emulated_devices_of_one_kind_have_numbers(world: World) -> None:
    emulators: list[Any] = [DS18B20.emulator(), DS18B20.emulator()]
    for word, emulator in zip(("a", "b/1-0048"), emulators, strict=True):
        emulator.files = {"temp": f"{word}\n"}
        EmulatedFolder(Clock(), world.root, IIO, word, emulator)
    assert world.told(TEMP, "a", IIO) == b"a\n" and world.told(TEMP, "b", IIO) == b"b/1-0048\n"
    rest(world.reactor, 0.01)
