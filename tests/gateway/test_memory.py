"""What a device remembers, and when it is kept."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

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


class World:
    def __init__(self, make: Any = Counter, **kept: bytes) -> None:
        self.clock, self.kept, self.noted = Clock(), list[tuple[str, bytes]](), list[Any]()
        self.answer: Any = lambda: succeed(None)
        self.memory = Memory(self.keep, kept)
        self.carried = Carried("gas", make, self.memory, self.clock, self.noted.append)

    def keep(self, name: str, data: bytes) -> Deferred[None]:
        self.kept.append((name, data))
        done: Deferred[None] = self.answer()
        return done

    def hears(self, device: Any, data: bytes) -> None:
        device.feed(data)
        self.carried.changed(device)


def test_a_device_goes_on_where_it_was() -> None:
    world = World(gas=b"41")
    device: Any = world.carried.fresh()
    assert device.count == 41
    world.hears(device, b".")
    again: Any = world.carried.fresh(device)
    assert again.count == 42 and world.kept == [("gas", b"42")] and not world.clock.getDelayedCalls()


def test_it_is_kept_at_a_bounded_rate() -> None:
    world = World()
    device = world.carried.fresh()
    for _ in range(100):
        world.hears(device, b".")
        world.clock.advance(1)
    assert world.kept == [("gas", b"30"), ("gas", b"60"), ("gas", b"90")] and EVERY == 30
    world.carried.keep(device)
    assert world.kept[-1] == ("gas", b"100") and not world.clock.getDelayedCalls()
    world.carried.keep(device)
    assert len(world.kept) == 4  # nothing new


def test_one_that_had_a_bug_begins_where_it_was_kept_last() -> None:
    world = World(gas=b"7")
    device: Any = world.carried.fresh()
    world.hears(device, b"...")
    fresh: Any = world.carried.fresh()
    assert fresh.count == 7
    world.clock.advance(EVERY)
    assert world.kept == []  # of the one with the bug nothing is


def test_what_makes_no_sense_is_forgotten() -> None:
    device: Any = World(gas=b"many").carried.fresh()
    assert device.count == 0


def test_what_cannot_be_kept_is_told_and_held_here() -> None:
    world = World()
    world.answer = lambda: fail(OSError("disk full"))
    device = world.carried.fresh()
    world.hears(device, b"..")
    done = list[Any]()
    world.carried.keep(device).addCallback(done.append)
    assert done == [None] and str(world.noted[0].value) == "disk full"
    again: Any = world.carried.fresh()
    assert again.count == 2


def test_others_have_nothing_to_remember() -> None:
    class Simple:
        def feed(self, data: bytes) -> Any:
            return ()

    world = World(Simple, gas=b"1")
    device = world.carried.fresh()
    world.hears(device, b".")
    world.carried.keep(device)
    assert world.kept == [] and not world.clock.getDelayedCalls()
    memory = Memory()
    memory.save("gas", b"3")
    assert memory.load("gas") == b"3" and memory.load("water") is None
