"""A storm of reloads: devices come, change and go, listeners move, and mistakes are made."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from drivers import gps
from tests.integration.daemon import Bench, Daemon, config, free_port
from tests.soak.figures import Held, Tell, held, same, watched
from tests.soak.watch import Counting, Watcher, counters, tables

STEADY, CHANGING = ("east", "north"), ("west", "south")


def reload(folder: Path, rounds: int, tell: Tell) -> str:
    """500 SIGHUPs with seven configurations in turn: what did not change never notices, and nothing is left behind."""
    bench, dice = Bench(folder), random.Random(500)
    emulators = counters(bench, *STEADY, *CHANGING)
    bench.adapter("roof", gps.DRIVER[0].emulator())
    texts = configurations(bench, [free_port() for _ in range(4)])
    try:
        with watched(folder, texts[0]) as daemon:
            watcher = Watcher(daemon)
            for name in STEADY:
                watcher.reaches(name, 0)
            before = None
            loads = int(daemon.facts()["loads"])
            for turn in range(rounds):
                configure(daemon, texts[turn % len(texts)])
                daemon.process.send_signal(signal.SIGHUP)
                if turn % 5 == 4:  # now and then the next comes before this one is done
                    continue
                time.sleep(dice.uniform(0, 0.25))  # devices are anywhere between opening and running
                daemon.until(lambda loads=loads: int(daemon.facts()["loads"]) > loads, "the reload")
                loads = int(daemon.facts()["loads"])
                if before is None and turn >= rounds // 10:
                    before = settled(daemon, watcher, texts[0], emulators)
                if turn % 25 == 1:
                    tell(f"{turn} reloads, {daemon.facts()['readings']} readings")
            assert before is not None
            after = settled(daemon, watcher, texts[0], emulators)
            counted = sum(watcher.came[f"{name}.count"] for name in STEADY)
            missed = {name: watcher.missed[f"{name}.count"] for name in STEADY}
            watcher.close()
            same(before, after, tell)
            assert not any(missed.values()), f"of {counted} numbers some are missing: {missed}"
            for name in STEADY:
                assert daemon.text().count(f"{name}: running") == 1, f"{name} was opened again"
            assert daemon.text().count("Traceback") == 0, daemon.text()
            opened = (folder / "board.log").read_text()
            assert opened.count("open") == opened.count("close") > 0, opened
    finally:
        bench.close()
    return f"{rounds} reloads, {opened.count('open')} of a bus; {counted} readings of what did not change, none missing"


def configurations(bench: Bench, ports: list[int]) -> list[str]:
    """The first is good and whole; the last is a mistake."""
    steady, changing = tables(bench, STEADY), tables(bench, CHANGING)
    http, other, irc, moved = (f'listen = "tcp:{port}:interface=127.0.0.1"\n' for port in ports)
    roof = config(roof={"driver": "gps", "port": bench.folder / "roof"})
    bus = config(attic={"driver": "sht31", "bus": "i2c:77"}, cellar={"driver": "lm75", "bus": "i2c:77"})
    lost = config(lost={"driver": "gps", "port": bench.folder / "lost"})
    return [
        steady + changing + roof,
        f"[http]\n{http}" + steady + tables(bench, ("west",)),
        f"[http]\n{other}[irc]\n{irc}" + steady + changing.replace("keyvalue", "jsonlines") + lost,
        f"[irc]\n{moved}" + steady + bus + roof,
        steady + roof.replace('"gps"', '"gps"\nenabled = false', 1) + changing + lost,
        f"[http]\n{http}" + steady + bus.replace("77", "78") + roof,
        steady.replace("keyvalue", "keyvlaue") + changing,
    ]


def configure(daemon: Daemon, text: str) -> None:
    """In one step: a signal that is still under way must not find half a file."""
    config, daemon.config = daemon.config, daemon.config.with_suffix(".new")
    daemon.configure(text)
    daemon.config = daemon.config.replace(config)


def settled(daemon: Daemon, watcher: Watcher, text: str, emulators: Mapping[str, Counting]) -> Held:
    """What it holds with the first configuration, when all of its devices run."""
    configure(daemon, text)
    daemon.reload()  # maybe the one before
    daemon.reload()
    for name, emulator in emulators.items():
        watcher.reaches(name, emulator.number + 1)
    daemon.reaches("roof", "running")
    return held(daemon)
