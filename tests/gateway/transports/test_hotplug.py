"""Hot-plug, on real folders laid out as udev does it."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from twisted.internet.inotify import INotifyError

from gateway.reactor import Reactor
from gateway.transports.hotplug import Hotplug, entries
from tests.gateway.transports.turning import reactor, rest, turn

__all__ = ["reactor"]


class World:
    """A /dev of our own, and how often each path has appeared."""

    def __init__(self, reactor: Reactor, dev: Path) -> None:
        self.reactor, self.dev = reactor, dev
        self.by_id = dev / "serial/by-id"
        self.hotplug = Hotplug(reactor, str(dev))
        self.seen = list[str]()

    def watch(self, path: Path | str) -> None:
        self.hotplug.watch(str(path), lambda: self.seen.append(str(path)))

    def plug(self, name: str = "ttyUSB0", link: str = "usb-adapter") -> None:
        (self.dev / name).touch()
        self.by_id.mkdir(parents=True, exist_ok=True)
        (self.by_id / link).symlink_to(f"../../{name}")

    def unplug(self, name: str = "ttyUSB0") -> None:
        """udev takes empty folders away, too."""
        shutil.rmtree(self.dev / "serial")
        (self.dev / name).unlink()

    def sees(self, *paths: Path | str) -> None:
        turn(self.reactor, lambda: len(self.seen) >= len(paths))
        assert sorted(self.seen) == sorted(map(str, paths))
        self.seen.clear()

    def sees_nothing(self) -> None:
        rest(self.reactor, 0.15)
        assert self.seen == []


@pytest.fixture
def world(reactor: Reactor, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "dev").mkdir()
    world = World(reactor, tmp_path / "dev")
    yield world
    world.hotplug.close()


def test_a_file_appears(world: World) -> None:
    path = world.dev / "ttyUSB0"
    world.watch(path)
    (world.dev / "ttyUSB1").touch()
    world.sees_nothing()
    path.touch()
    world.sees(path)
    path.chmod(0o660)  # udev does so later, and only then may we open it
    world.sees(path)
    path.unlink()
    world.sees_nothing()
    (world.dev / "ttyUSB1").rename(path)
    world.sees(path)


def test_a_burst_is_told_once(world: World) -> None:
    path = world.dev / "ttyUSB0"
    world.watch(path)
    for _ in range(50):
        path.touch()
        path.chmod(0o660)
        path.unlink()
    path.touch()
    world.sees(path)
    world.sees_nothing()


def test_a_link_in_folders_that_come_and_go(world: World) -> None:
    path = world.by_id / "usb-adapter"
    world.watch(path)
    for _ in range(3):
        world.plug()
        world.sees(path)
        (world.dev / "ttyUSB0").chmod(0o660)
        world.sees(path)
        world.unplug()
        world.sees_nothing()
    world.by_id.mkdir(parents=True)
    world.sees_nothing()
    rest(world.reactor, 0.1)
    world.plug()
    world.sees(path)


def test_a_link_whose_target_comes_later(world: World) -> None:
    world.by_id.mkdir(parents=True)
    path = world.by_id / "usb-adapter"
    path.symlink_to(world.dev / "ttyUSB7")
    world.watch(path)
    (world.dev / "ttyUSB7").touch()
    world.sees(path)


def test_a_folder_that_is_moved_into_place(world: World) -> None:
    path = world.dev / "serial/by-id/usb-adapter"
    world.watch(path)
    (world.dev / "new/by-id").mkdir(parents=True)
    (world.dev / "new/by-id/usb-adapter").touch()
    (world.dev / "new").rename(world.dev / "serial")
    world.sees(path)
    (world.dev / "serial/by-id").rename(world.dev / "old")
    rest(world.reactor, 0.15)
    (world.dev / "old").rename(world.dev / "serial/by-id")
    world.sees(path)


def inotifies() -> int:
    """How many are open in this process.  What earlier tests left behind is collected before it is counted."""
    gc.collect()
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the folder itself was open while it was listed
            found += os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:inotify"
    return found


def test_one_inotify_serves_all(world: World) -> None:
    before = inotifies()
    paths = [world.dev / f"ttyUSB{n}" for n in range(20)]
    for path in paths:
        world.watch(path)
    assert inotifies() == before + 1
    assert world.hotplug.folders == {str(world.dev)}
    for path in paths:
        path.touch()
    world.sees(*paths)
    world.hotplug.close()
    assert inotifies() == before


def test_usb_ids_hear_of_every_port(world: World) -> None:
    world.watch("usb:1546:01a8")
    (world.dev / "null").touch()
    world.sees_nothing()
    (world.dev / "ttyACM0").touch()
    world.sees("usb:1546:01a8")


def test_gpio_lines_hear_of_every_chip(world: World) -> None:
    world.watch("gpio:PUMP")
    (world.dev / "ttyACM0").touch()
    world.sees_nothing()
    (world.dev / "gpiochip7").touch()
    world.sees("gpio:PUMP")


def test_cancelling_and_bugs_leave_the_others(world: World) -> None:
    path = world.dev / "ttyUSB0"

    def broken() -> None:
        raise RuntimeError("bug")

    cancel = world.hotplug.watch(str(path), lambda: world.seen.append("cancelled"))
    world.hotplug.watch(str(path), broken)
    other = world.hotplug.watch(str(world.dev / "serial/x"), lambda: None)
    world.watch(path)
    cancel()
    cancel()
    path.touch()
    world.sees(path)
    other()
    assert world.hotplug.folders == {str(world.dev)}


def test_goes_on_without_watches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*args: object) -> int:
        raise INotifyError("no watches left")

    monkeypatch.setattr("twisted.python._inotify.add", none_left)
    world.watch(world.dev / "ttyUSB0")
    (world.dev / "ttyUSB0").touch()
    world.sees_nothing()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert entries(str(tmp_path / "a")) == {str(tmp_path / "a"), str(tmp_path / "b")}
