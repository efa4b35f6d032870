"""Counters of a daemon as a process of its own: what they counted goes on in the next."""

from __future__ import annotations

from pathlib import Path

from tests.integration.daemon import Daemon, config, running

METER = config(meter={"driver": "counter", "line": "gpio:GPIO5", "period": "1s"})


def counted(daemon: Daemon, least: int) -> int:
    daemon.until(lambda: int(daemon.value("meter.count")) >= least, f"{least} pulses")
    return int(daemon.value("meter.count"))


def test_a_count_goes_on_after_a_stop_and_a_kill(tmp_path: Path) -> None:
    with running(tmp_path, METER, "--emulate") as daemon:
        daemon.reaches("meter", "running")
        before = counted(daemon, 3)
        daemon.stop()
    (kept,) = (tmp_path / "state").rglob("counter:meter")
    assert int(kept.read_bytes()) >= before
    with running(tmp_path, METER, "--emulate") as daemon:
        daemon.reaches("meter", "running")
        assert before <= counted(daemon, 1) < before + 10
        counted(daemon, before + 3)
        daemon.kill()  # what came since it began is not on disk yet: it loses that and no more
    with running(tmp_path, METER, "--emulate") as daemon:
        daemon.reaches("meter", "running")
        assert counted(daemon, 1) >= before
