"""Adapters are pulled and plugged in again, also while they are asked, and others talk on beside them."""

from __future__ import annotations

import random
import time
from pathlib import Path

from drivers import mhz19
from tests.integration.daemon import Bench, config
from tests.soak.figures import Tell, held, same, watched
from tests.soak.watch import Watcher, counters, tables

STEADY, LOOSE = ("east", "north", "west"), ("boat", "car", "train")


def replug(folder: Path, rounds: int, tell: Tell) -> str:
    """2000 replugs of four devices beside three that stay: readings come back, and no other device loses one."""
    bench, dice = Bench(folder), random.Random(2000)
    emulators = counters(bench, *STEADY, *LOOSE)
    office = bench.adapter("office", mhz19.DRIVER.emulator())
    loose = {adapter.link.name: adapter for adapter in bench.adapters if adapter.link.name not in STEADY}
    asked = config(office={"driver": "mhz19", "port": folder / "office", "period": "500ms"})
    slowest = 0.0
    try:
        with watched(folder, tables(bench, emulators) + asked) as daemon:
            watcher = Watcher(daemon)
            for name in STEADY:
                watcher.reaches(name, 0)
            before = None
            for turn in range(rounds):
                for adapter in loose.values():
                    adapter.unplug()
                    time.sleep(dice.choice((0, 0, 0.01, 0.05)))
                time.sleep(dice.uniform(0, 0.1))
                for adapter in loose.values():
                    adapter.plug()
                came, plugged = watcher.came["office.co2"], time.monotonic()
                for name in LOOSE:
                    watcher.reaches(name, emulators[name].number + 1)
                daemon.until(lambda came=came: watcher.came["office.co2"] > came, "office")
                slowest = max(slowest, time.monotonic() - plugged)
                if turn == 12:
                    before = held(daemon)
                if turn % 25 == 0:
                    tell(f"{turn * 4} replugs, the slowest back after {slowest:.2f} s")
            assert before is not None and all(adapter.far >= 0 for adapter in (office, *loose.values()))
            after = held(daemon)
            missed = {name: watcher.missed[f"{name}.count"] for name in STEADY}
            counted = sum(watcher.came[f"{name}.count"] for name in STEADY)
            watcher.close()
            same(before, after, tell)
            assert not any(missed.values()), f"of {counted} numbers some are missing: {missed}"
            assert daemon.text().count("Traceback") == 0, daemon.text()
    finally:
        bench.close()
    return f"{rounds * 4} replugs, slowest back after {slowest:.2f} s; {counted} readings of neighbours, none missing"
