"""A Modbus line on which most are dead, and everybody is asked as often as may be."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

from drivers.api import ModbusEmulator
from drivers.codec.modbus_slave import Units
from gateway import catalog
from tests.integration.daemon import Bench, config, running
from tests.soak.figures import Tell
from tests.soak.watch import Watcher

ALIVE, DEAD = 1, (7, 8, 9)
PERIOD, TIMEOUT = 0.25, 0.5  # seconds
TENTH = 0.1
FIRST = 2  # tries that each of the dead has before it rests
ENOUGH = 0.8  # of the readings there would be without the dead


class Counted(Units):
    """The line, which counts who was asked."""

    def __init__(self) -> None:
        super().__init__({ALIVE: cast(ModbusEmulator, catalog.find("sdm120").emulator())})
        self.asked = Counter[int]()

    def receive(self, data: bytes) -> bytes:
        self.asked[data[0]] += 1
        return super().receive(data)


def share(folder: Path, rounds: int, tell: Tell) -> str:
    """One unit of a Modbus line is there and three are not: they take a tenth of its time, and it misses little."""
    bench, line = Bench(folder), Counted()
    units: dict[str, Any] = {}
    port = f"serial:{bench.adapter('line', line).link}:baud=9600"
    for name, unit in (("alive", ALIVE), *((f"dead{number}", number) for number in DEAD)):
        units[name] = {"driver": "sdm120", "port": port, "unit": unit, "period": f"{PERIOD:g}s",
                       "timeout": f"{TIMEOUT:g}s"}  # fmt: skip
    try:
        with running(folder, config(**units)) as daemon:
            daemon.reaches("alive", "running")
            watcher, before, began = Watcher(daemon), line.asked.copy(), time.monotonic()
            while (seconds := time.monotonic() - began) < rounds:
                time.sleep(1)
                tell(f"{seconds:.0f} of {rounds} s, asked {dict(line.asked)}")
            asked, came = line.asked - before, watcher.came["alive.voltage"]
            watcher.close()
            assert daemon.text().count("Traceback") == 0, daemon.text()
    finally:
        bench.close()
    lost = sum(asked[unit] for unit in DEAD) * TIMEOUT
    first = len(DEAD) * FIRST * TIMEOUT
    assert all(line.asked[unit] > FIRST for unit in DEAD), f"nobody looks for them: {line.asked}"
    assert lost <= TENTH * seconds + first, f"the dead took {lost:.1f} of {seconds:.1f} s"
    assert came >= ENOUGH * seconds / PERIOD, f"the living one was read {came} times in {seconds:.1f} s"
    return f"the dead took {lost / seconds:.1%} of {seconds:.0f} s, the living one was read {came} times"
