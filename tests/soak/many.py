"""Many devices at once: some of them fail and the others do not notice; and what one costs beside 9 or 999 others."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from pathlib import Path

from gateway.client import Client
from tests.integration.daemon import Daemon, config, running
from tests.soak.figures import Tell, rss
from tests.soak.watch import Watcher

EACH = 64  # devices of each kind
KINDS = ("corrupt", "delay", "drop", "nack", "stuck", "unplug", "wrong")
PERIOD = 1.0
FAULTY = 10 * PERIOD
BACK = 2 * PERIOD + 1.0
BUSY = 1.5  # seconds more: here time is real, and the machine has other work
SIZES = (10, 100, 1000)
RATE = 100.0  # measurements a second, whoever makes them
FIFTH = 1.2
CPU = 2  # the clock of a process's CPU time, as in clock_getcpuclockid(3)


def many(folder: Path, rounds: int, tell: Tell) -> str:
    """64 serial and 64 I2C devices, one in four failing in turns: the others miss nothing, and those come back."""
    dice, late, counted, turns = random.Random(64), 0.0, 0, max(1, rounds // 30)
    names = [f"{kind}{number}" for kind in ("wire", "chip") for number in range(EACH)]
    with running(folder, devices(), "--emulate") as daemon, daemon.client() as client:
        daemon.until(lambda: states(client)["running"] > len(names), "all of them", 60)  # `manual` is one, too
        watcher = Watcher(daemon)
        for turn in range(turns):
            failing = set(dice.sample(names, len(names) // 4))
            before, began = Counter(watcher.came), time.monotonic()
            for name in failing:
                client.ask(f"fault {name} {dice.choice(KINDS)}")
            time.sleep(FAULTY)
            seconds, came = time.monotonic() - began, watcher.came - before
            for name in failing:
                client.ask(f"fault {name} off")
            ended = time.monotonic()
            daemon.until(lambda: states(client)["running"] > len(names), "all of them again", BACK + BUSY)
            late = max(late, time.monotonic() - ended)
            for name in names:
                if name not in failing:
                    each = came[f"{name}.co2"] + came[f"{name}.temperature"]
                    assert each >= seconds / PERIOD - 1.5, f"{name} measured {each} times in {seconds:.1f} s"
                    counted += each
            tell(f"{len(failing)} failed {turn + 1} times, the last was back after {late:.2f} s")
        watcher.close()
        assert daemon.text().count("Traceback") == 0, daemon.text()
    failed = f"{turns} times {len(failing)} of {len(names)} failed"
    return f"{failed}, the last back after {late:.2f} s; {counted} readings of others, none missing"


def devices() -> str:
    tables: dict[str, dict[str, object]] = {}
    for number in range(EACH):
        tables[f"wire{number}"] = {"driver": "mhz19", "port": f"/dev/ttyUSB{number}", "period": f"{PERIOD:g}s"}
        tables[f"chip{number}"] = chip(number, PERIOD)
    return config(**tables)


def chip(number: int, period: float) -> dict[str, object]:
    return {"driver": "sht31", "bus": f"i2c:{number // 2}", "address": 0x44 + number % 2, "period": f"{period:g}s"}


def states(client: Client) -> Counter[str]:
    return Counter(line.split(" ", 2)[1] for line in client.ask("devices"))


def costs(folder: Path, rounds: int, tell: Tell) -> str:
    """CPU of a reading with 10, 100 and 1000 devices, which measure as often all together; and memory of one."""
    micros, memory = dict[int, float](), dict[int, float]()
    for size in SIZES:
        (place := folder / str(size)).mkdir()
        text = config(**{f"chip{number}": chip(number, size / RATE) for number in range(size)})
        with running(place, text, "--emulate") as daemon, daemon.client() as client:
            daemon.until(lambda: states(client)["running"] > size, "all of them", 60)  # noqa: B023
            period = size / RATE
            time.sleep(2 + period)  # what is made once is no cost of a reading
            whole = max(1, round(rounds / 20 / period)) * period  # those of one period share wakeups, and come together
            micros[size] = statistics.median(cost(daemon, client, whole) for _ in range(3))
            memory[size] = rss(daemon)
        tell(f"{size} devices: {micros[size]:.0f} µs a reading, {memory[size]:.1f} MB")
    each = (memory[SIZES[-1]] - memory[SIZES[0]]) / (SIZES[-1] - SIZES[0]) * 1000
    told = ", ".join(f"{micros[size]:.0f}" for size in SIZES)
    assert max(micros.values()) <= FIFTH * micros[SIZES[0]], f"it grows: {told} µs a reading with {SIZES} devices"
    return f"{told} µs a reading with {', '.join(map(str, SIZES))} devices; {each:.1f} kB a device"


def cost(daemon: Daemon, client: Client, seconds: float) -> float:
    """Microseconds of CPU for each reading that comes in so many seconds."""
    clock = (~daemon.pid << 3) | CPU
    before, spent = readings(client), time.clock_gettime(clock)
    time.sleep(seconds)
    return (time.clock_gettime(clock) - spent) / (readings(client) - before) * 1e6


def readings(client: Client) -> int:
    return int(dict(line.split(" ", 1) for line in client.ask("status"))["readings"])
