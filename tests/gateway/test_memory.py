"""What a device remembers, and when it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from gateway.memory import EVERY, Carried, Memory


class Counter:
    """Counts what it is fed."""

    def __init__(self) -> None:
        self.count = 0

    def feed(self, data: bytes) -> Any:
        self.count += len(data)
        return ()

    def state(self) -> bytes:
        return str(self.count).encode()

    def restore(self, data: bytes) -> None:
        self.count = int(data)


class Kept(Memory):
    """Notes what is written."""

    def __init__(self, **kept: bytes) -> None:
        super().__init__()
        self.kept, self.written = kept, list[bytes]()

    def save(self, name: str, data: bytes) -> None:
        super().save(name, data)
        self.written.append(data)


class World:
    def __init__(self, make: Any = Counter, **kept: bytes) -> None:
        self.clock, self.memory = Clock(), Kept(**kept)
        self.carried = Carried("gas", make, self.memory, self.clock)

    def hears(self, device: Any, data: bytes) -> None:
        device.feed(data)
        self.carried.changed(device)


def test_a_device_goes_on_where_it_was() -> None:
    world = World(gas=b"41")
    device: Any = world.carried.fresh()
    assert device.count == 41
    world.hears(device, b".")
    again: Any = world.carried.fresh(device)
    assert again.count == 42 and world.memory.written == [b"42"] and not world.clock.getDelayedCalls()


def test_it_is_kept_at_a_bounded_rate() -> None:
    world = World()
    device = world.carried.fresh()
    for _ in range(100):
        world.hears(device, b".")
        world.clock.advance(1)
    assert world.memory.written == [b"30", b"60", b"90"] and EVERY == 30
    world.carried.keep(device)
    assert world.memory.written[-1] == b"100" and not world.clock.getDelayedCalls()
    world.carried.keep(device)
    assert len(world.memory.written) == 4  # nothing new


def test_one_that_had_a_bug_begins_where_it_was_kept_last() -> None:
    world = World(gas=b"7")
    device: Any = world.carried.fresh()
    world.hears(device, b"...")
    fresh: Any = world.carried.fresh()
    assert fresh.count == 7
    world.clock.advance(EVERY)
    assert world.memory.written == []  # of the one with the bug nothing is


def test_what_makes_no_sense_is_forgotten() -> None:
    device: Any = World(gas=b"many").carried.fresh()
    assert device.count == 0


def test_others_have_nothing_to_remember() -> None:
    class Simple:
        def feed(self, data: bytes) -> Any:
            return ()

    world = World(Simple, gas=b"1")
    device = world.carried.fresh()
    world.hears(device, b".")
    world.carried.keep(device)
    assert world.memory.written == [] and not world.clock.getDelayedCalls()


def test_files_outlive_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "memory"
    Memory(folder).save("counter:board7.gas", b"3")
    Memory(folder).save("counter:board7.gas", b"4")
    assert [path.name for path in folder.iterdir()] == ["counter:board7.gas"]
    assert Memory(folder).load("counter:board7.gas") == b"4" and Memory(folder).load("counter:x") is None


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("")
    memory = Memory(tmp_path / "memory")
    with capturedLogs() as logs:
        assert memory.load("x") is None
        memory.save("x", b"1")
    assert memory.load("x") == b"1"
    path = f"{tmp_path}/memory/x"
    assert [formatEvent(event) for event in logs] == [f"{path}: Not a directory", f"{path} cannot be kept: File exists"]
