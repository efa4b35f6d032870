"""A daemon that starts in 1970 and learns the time later, and whose clock is then set back: a real process under
libfaketime, which takes the offset of the system's clock out of a file and leaves the monotonic clock alone."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.integration.daemon import Daemon, config, environment, gateway_command, running, said

(LIBRARY,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
ATTIC = config(attic={"driver": "sht31", "bus": "i2c:1", "period": "200ms"})
CLOSE = 0.3  # seconds: what is too small a step to follow, and rounding
LOST = 100 - int(time.time())  # seconds to add to have it shortly after midnight in 1970


class Wall:
    """The system's clock, as the daemon sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "offset"
        self.noted = folder / "state/device-gateway/time"

    def set(self, offset: float) -> None:
        """Have it *offset* seconds later than it is."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset:+f}")
        fresh.replace(self.file)

    @contextmanager
    def running(self, offset: float, text: str = ATTIC) -> Iterator[Daemon]:
        self.set(offset)
        faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                 "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "FAKE_UTIME": "0"}  # fmt: skip
        with running(self.folder, text, "--emulate", **faked) as daemon:
            yield daemon


def reading(daemon: Daemon, name: str) -> dict[str, Any]:
    with daemon.client() as client:
        client.ask("json on")
        found: dict[str, Any] = json.loads(client.ask(f"get {name}")[0])
        return found


def wall(found: dict[str, Any]) -> float:
    return datetime.fromisoformat(found["time"]).timestamp()


def test_readings_get_their_time_once_it_is_known_and_a_step_back_loses_none(tmp_path: Path) -> None:
    clock = Wall(tmp_path)
    with clock.running(LOST) as daemon:
        daemon.until(lambda: daemon.value("attic.temperature") != "-", "a reading")
        line = daemon.ask("get attic.temperature")[0]
        assert re.fullmatch(r"attic\.temperature \S+ °C \+\d+\.\d{3} unsynced", line)
        before = time.time()
        daemon.ask("set first on")
        after = time.time()
        first = reading(daemon, "first")
        assert (first["time"], first["quality"]) == (None, "unsynced")
        facts = daemon.facts()
        assert facts["synced"] == "no" and facts["clock"].startswith("unknown: the system's clock says 1970-01-01T")

        clock.set(0)
        daemon.until(lambda: daemon.facts()["synced"] == "yes", "the time")
        told = reading(daemon, "first")
        assert before - CLOSE < wall(told) < after + CLOSE and told["quality"] == "good"
        assert {**told, "time": None, "quality": "unsynced"} == first

        seen = reading(daemon, "attic.temperature")
        clock.set(-3600)
        daemon.says("the wall clock was set by -3")  # 600.001, or 599.999
        assert reading(daemon, "first") == told
        before = time.time() - 3600
        daemon.ask("set second on")
        second = reading(daemon, "second")
        assert before - CLOSE < wall(second) < time.time() - 3600 + CLOSE
        assert (second["boot"], second["seq"]) > (told["boot"], told["seq"]) and wall(second) < wall(told)
        # A period is a period, whatever the clock says.
        daemon.until(lambda: reading(daemon, "attic.temperature")["seq"] > second["seq"], "a reading after the step")
        assert reading(daemon, "attic.temperature")["monotonic"] - seen["monotonic"] < 30
    assert before < clock.noted.stat().st_mtime < time.time() - 3600 + CLOSE


def test_no_boot_starts_before_the_last_known_time(tmp_path: Path) -> None:
    clock = Wall(tmp_path)
    with clock.running(0) as daemon:
        assert daemon.facts()["synced"] == "yes"
        before = time.time()
    known = clock.noted.stat().st_mtime
    assert before - CLOSE < known < time.time() + CLOSE
    for _ in range(2):
        with clock.running(LOST) as daemon:
            daemon.until(lambda: float(daemon.facts()["uptime"]) > 1, "a second")
            assert daemon.facts()["synced"] == "no"
        before, known = known, clock.noted.stat().st_mtime
        assert 1 < known - before < 30  # it goes on by as long as it ran


def test_a_time_may_be_believed_by_a_reload(tmp_path: Path) -> None:
    """Where there is nobody to say that a clock set by hand is right."""
    clock = Wall(tmp_path)
    with clock.running(LOST, f'[gateway]\ntime = "auto"\n{ATTIC}') as daemon:
        assert daemon.facts()["synced"] == "no"
        daemon.configure(f'[gateway]\ntime = "system"\n{ATTIC}')
        daemon.reload()
        daemon.until(lambda: daemon.facts()["synced"] == "yes", "the time")
        assert daemon.facts()["time"].startswith("1970-01-01T") and daemon.facts()["clock"].startswith("system")
    assert not clock.noted.exists()  # such a time is nothing to go by


def shows(daemon: Daemon, offset: float) -> bool:
    """Whether readings are as late as the system's clock."""
    found = reading(daemon, "attic.temperature")
    return found["time"] is not None and abs(wall(found) - offset - time.time()) < 60


def past(daemon: Daemon, name: str, start: float, end: float) -> list[dict[str, Any]]:
    with daemon.client() as client:
        client.ask("json on")
        return [json.loads(line) for line in client.ask(f"range {name} {start:.3f} {end:.3f}")]


def test_the_past_is_whole_over_steps_and_starts(tmp_path: Path) -> None:
    clock, text, day = Wall(tmp_path), f"[history]\n{ATTIC}", 86400.0
    with clock.running(LOST, text) as daemon, (tmp_path / "heard").open("w") as heard:
        command = gateway_command("watch", "--json", "attic.temperature", "--port", daemon.port)
        watch = subprocess.Popen(command, stdout=heard, env=environment(tmp_path))
        began = time.time()
        daemon.ask("set first 1")
        first = reading(daemon, "first")
        assert re.fullmatch(r"\+\d+\.\d{3} 1 unsynced", daemon.ask("range first +0")[0])
        for offset in (0.0, -3600.0, 7200.0, 0.0):
            clock.set(offset)
            daemon.until(partial(shows, daemon, offset), "a reading after the step")
        daemon.ask("set first 2")
        last = reading(daemon, "first")
        watch.terminate()
        watch.wait()
        seen = [(each["boot"], each["seq"]) for each in map(json.loads, (tmp_path / "heard").read_text().splitlines())]
        kept = past(daemon, "attic.temperature", began - day, began + day)
        order = [(each["boot"], each["seq"]) for each in kept]
        assert order == sorted(order) and len(seen) > 10 and set(seen) <= set(order)
        assert {each["quality"] for each in kept} == {"good"}
        walls = list(map(wall, kept))
        assert sum(after < before - 1000 for before, after in pairwise(walls)) == 2  # back an hour, and two
        shown = past(daemon, "first", began - 5, time.time() + 5)
        assert [each["seq"] for each in shown] == [first["seq"], last["seq"]]
        known = time.time()
    for offset, synced in ((0.0, "yes"), (LOST, "no")):  # the kept segments are as good as those of a running boot
        with clock.running(offset, text) as daemon:
            assert daemon.facts()["synced"] == synced
            assert past(daemon, "first", began - 5, known + 1) == shown
            assert past(daemon, "attic.temperature", began - day, known - 10 + day)[: len(kept)] == kept
            daemon.ask("set third 3")
            if synced == "no":
                told = said(tmp_path, "export", "manual.third", "--port", daemon.port).stdout.splitlines()
                assert [row.split(",")[4] for row in told[1:]] == ["good", "unsynced"]
    # What was measured without a time stands behind what was known before it.
    with clock.running(0, text) as daemon:
        (placed,) = [each for each in past(daemon, "third", known, known + day) if each["time"] is None]
        assert placed["boot"] == 3
        whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
        until = f"--to={time.time():.3f}"
        said(tmp_path, "export", "-o", whole, until, "--port", daemon.port)
        data = whole.read_bytes()
        assert data.count(b"\nattic.temperature,") > 10 and b"unsynced" in data
        behind = data.count(b"\nattic.humidity,")
        for rows in (5, behind + len(kept) // 2, data.count(b"\n") - 1):  # before, between and behind the steps
            part.write_bytes(b"".join(data.splitlines(keepends=True)[:rows]))
            said(tmp_path, "export", "-o", part, "--resume", until, "--port", daemon.port)
            assert part.read_bytes() == data
