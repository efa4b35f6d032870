"""Devices that count, and a client that notices each number that is missing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from gateway.client import GatewayError
from tests.integration.daemon import Bench, Daemon, config, until

EVERY = 0.05  # seconds between two numbers


class Counting:
    """``count=1``, ``count=2`` ... on a line each: what the driver ``keyvalue`` reads."""

    def __init__(self) -> None:
        self.number, self.time = 0, 0.0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        self.time += seconds
        said = b""
        while self.time >= EVERY:
            self.time -= EVERY
            self.number += 1
            said += b"count=%d\n" % self.number
        return said


def counters(bench: Bench, *names: str) -> dict[str, Counting]:
    """Devices of these names, plugged in."""
    made = {name: Counting() for name in names}
    for name, emulator in made.items():
        bench.adapter(name, emulator)
    return made


def tables(bench: Bench, names: Iterable[str]) -> str:
    return config(**{name: {"driver": "keyvalue", "port": bench.folder / name} for name in names})


class Watcher:
    """Watches all readings, in a thread of its own: how many came of each name, and the number last seen."""

    def __init__(self, daemon: Daemon) -> None:
        self.client = daemon.client()
        self.came: Counter[str] = Counter()
        self.last: dict[str, int] = {}
        self.missed: Counter[str] = Counter()
        self.over = ""
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        try:
            for line in self.client.pushed("*"):
                name, value = line.split(" ")[:2]
                self.came[name] += 1
                if name.endswith(".count"):
                    number = int(value)
                    self.missed[name] += number - self.last.get(name, number - 1) - 1
                    self.last[name] = number
        except (GatewayError, OSError, ValueError) as error:  # we close it under its own feet
            self.over = str(error)

    def reaches(self, name: str, number: int) -> None:
        until(lambda: self.over or self.last.get(f"{name}.count", 0) > number, f"{name} beyond {number}", every=0.002)
        assert not self.over, self.over

    def close(self) -> None:
        self.over = "closed"
        self.client.socket.shutdown(2)
        self.thread.join()
        self.client.close()
