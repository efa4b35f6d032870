"""What the gateway costs on an arm64 board, counted and not timed: an emulated processor's speed says nothing of a
real one's, but what it executes is the same.  QEMU lets a nanosecond go by with each instruction, so a second of the
guest's CPU time is a thousand million instructions.  docs/benchmarks.md takes it from there to real boards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emulated import disk
from tests.emulated.board import VIRT, Board
from tests.emulated.container import Container
from tests.emulated.figures import note

MOST = 48  # MB: a leap shall be noticed; the target itself, 45, is `make bench`'s

# CPU time of all threads in ns, and memory in kB.
START = "(setsid gateway demo >/run/demo.log 2>&1 & echo $! >/run/demo.pid)"
ANSWER = "until gateway devices >/dev/null 2>&1; do sleep 0.2; done"
SPENT = "cat /proc/$(cat /run/demo.pid)/task/*/schedstat"
SIZE = "sed -n 's/VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$(cat /run/demo.pid)/status"


def measure(run: Callable[[str], str], readings: str) -> tuple[float, float, float]:
    """CPU seconds to the first answer with ten devices, RSS in MB, CPU µs for a reading."""
    run(START)
    run(ANSWER)
    spent = sum(int(line.split()[0]) for line in run(SPENT).splitlines()) / 1e9
    run("sleep 10")
    size = int(run(SIZE)) / 1024
    run("kill $(cat /run/demo.pid)")
    return spent, size, float(run(readings))


@pytest.fixture
def counting(image: Path) -> Iterator[Board]:
    board = Board(replace(VIRT, arguments=(*VIRT.arguments, "-icount", "shift=0")), image)
    board.start()
    yield board
    board.close()


def test_what_it_costs_on_arm64(counting: Board) -> None:
    spent, size, reading = measure(lambda command: counting.run(command, 300), "python3 /opt/readings.py")
    note("arm64, ten devices: instructions to the first answer", f"{spent:.2f} thousand million")
    note("arm64, ten devices: RSS", f"{size:.1f} MB")
    note("arm64: instructions for a reading", f"{reading * 1000:.0f}")
    assert size < MOST


def test_what_it_costs_here(container: Container, package: Path) -> None:
    container.install(package)
    container.run("systemctl stop gateway")
    script = (disk.GUEST / "opt/readings.py").read_text()
    (container.root / "opt/readings.py").write_text(script)
    spent, size, reading = measure(container.run, "python3 /opt/readings.py")
    note("x86-64, ten devices: CPU to the first answer", f"{spent:.2f} s")
    note("x86-64, ten devices: RSS", f"{size:.1f} MB")
    note("x86-64: a reading", f"{reading:.2f} µs")
    assert size < MOST
