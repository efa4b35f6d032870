"""What a daemon holds, at one moment and another; more at the end than after the first rounds is a leak."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.daemon import BOARD, CODE, Daemon, running

INSIDE = Path(__file__).parent / "inside"
LOOKS = 5  # how often we look: timers come and go, and so the least counts
OBJECTS = 400  # that may come to be known late: caches, the log's own, another sentence of a driver
BLOCKS = 4000
HEAP = 1.5  # megabytes; what the rings of raw bytes hold is among them
MEMORY = 8.0  # megabytes that may stay resident between pieces in use: a page is given back when all of it is free
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Held:
    """Megabytes resident, open files, threads, delayed calls, descriptors that the reactor watches, all objects that
    Python's collector knows, small pieces of memory that Python has given out, and megabytes of larger ones."""

    rss: float
    files: int
    threads: int
    calls: int
    watched: int
    objects: int
    blocks: int
    heap: float
    types: Counter[str]

    def __str__(self) -> str:
        return (
            f"{self.rss:5.1f} MB {self.files:3} files {self.threads} threads {self.calls:3} calls"
            f" {self.watched:3} watched {self.objects:6} objects {self.blocks:6} blocks {self.heap:.2f} MB heap"
        )


@contextmanager
def watched(folder: Path, text: str, *options: str, **more: Any) -> Any:
    """A daemon that can be asked what it holds, on a board with chips on every bus."""
    path = f"{INSIDE}:{BOARD}:{CODE}"
    with running(folder, text, *options, PYTHONPATH=path, SOAK_FIGURES=str(folder / "figures"), **more) as daemon:
        yield daemon


def held(daemon: Daemon) -> Held:
    """The least of a few looks."""
    return min((look(daemon) for _ in range(LOOKS)), key=lambda each: (each.calls, each.objects))


def look(daemon: Daemon) -> Held:
    path, process = daemon.folder / "figures", Path(f"/proc/{daemon.pid}")
    path.unlink(missing_ok=True)
    os.kill(daemon.pid, signal.SIGUSR1)
    daemon.until(path.exists, "figures")
    time.sleep(0.13)  # the next look is at another moment of a second
    inside = json.loads(path.read_text())
    types = Counter[str](inside["types"])
    return Held(
        rss=rss(daemon),
        files=len(os.listdir(process / "fd")),
        threads=len(os.listdir(process / "task")),
        calls=inside["calls"],
        watched=inside["watched"],
        objects=types.total(),
        blocks=inside["blocks"],
        heap=inside["heap"],
        types=types,
    )


def rss(daemon: Daemon) -> float:
    """Megabytes resident."""
    pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def same(before: Held, after: Held, tell: Tell) -> None:
    """Print both, and raise AssertionError for what only a leak can be."""
    tell(f"    before {before}")
    tell(f"    after  {after}")
    more = (after.types - before.types).most_common(8)
    for kind in ("files", "threads", "calls", "watched"):
        assert getattr(after, kind) <= getattr(before, kind), f"{kind}: a leak; more than before: {more}"
    assert after.objects <= before.objects + OBJECTS, f"objects: a leak; more than before: {more}"
    assert after.blocks <= before.blocks + BLOCKS, f"blocks: a leak; more than before: {more}"
    assert after.heap <= before.heap + HEAP, f"heap: a leak; more than before: {more}"
    assert after.rss <= before.rss + MEMORY, f"memory: a leak; more than before: {more}"
