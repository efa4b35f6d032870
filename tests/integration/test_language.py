"""The command language on a real daemon with a history on disk: the past, jobs, raw bytes and the audit trail, through
both Python clients and the command line."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from gateway.client import Client, GatewayError, Reading
from gateway.reactor import Reactor
from gateway.remote import Remote, connect
from tests.integration.daemon import PATIENCE, Daemon, config, environment, gateway_command, running, said

DEVICES = "[history]\n" + config(
    attic={"driver": "sht31", "bus": "i2c:1", "period": "200ms"}, pump={"driver": "relay", "line": "gpio:GPIO17"}
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("language"), DEVICES, "--emulate") as made:
        made.reaches("attic", "running")
        made.reaches("pump", "running")
        yield made


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with daemon.client() as made:
        yield made


def told(daemon: Daemon, *words: object, status: int = 0) -> list[str]:
    done = said(daemon.folder, *words, "--port", daemon.port, status=status)
    return (done.stdout or done.stderr).splitlines()


def test_the_past_as_a_script_sees_it(daemon: Daemon, client: Client) -> None:
    def some() -> list[Any]:
        return points if len(points := list(client.range("attic.temperature", "-1h"))) > 3 else []

    points = daemon.until(some, "four readings")
    assert all(point.quality == "good" and isinstance(point.value, float) for point in points)
    assert datetime.now(UTC) - points[-1].time < timedelta(seconds=30)
    (hour,) = list(client.range("attic.temperature", "-1m", step="1d", aggregate="count"))
    assert isinstance(hour.value, int) and hour.value >= len(points)
    client.set("target", "21.5 °C")
    assert [(point.name, point.value) for point in client.range("manual.*", "-1m")] == [("manual.target", 21.5)]


def test_a_long_answer_comes_in_pages_without_a_hole(daemon: Daemon, client: Client) -> None:
    for at in range(2500):
        client.socket.sendall(b"set n %d\n" % at)
        if at % 100 == 99:
            for _ in range(100):
                assert next(client.take()) == "OK"
    assert [point.value for point in client.range("n", "-1h")] == list(range(2500))
    assert client.status == "OK 2500"


def test_who_set_what(daemon: Daemon, client: Client) -> None:
    client.set("pump.state", True)
    with pytest.raises(GatewayError, match="takes on or off"):
        client.set("pump.state", "maybe")
    first, second = (line.split(" ", 8) for line in client.ask("audit 2"))
    assert first[1:6] == ["pump.state", "off", "->", "on", "anonymous"] and first[7:] == ["tcp", "OK"]
    assert second[1:5] == ["pump.state", "on", "->", "maybe"] and second[8].startswith(
        "bad-value state takes on or off"
    )


def test_raw_bytes_as_they_come(daemon: Daemon, client: Client) -> None:
    rows = client.ask("log attic 4")
    assert len(rows) == 4 and {row.split()[1] for row in rows} == {"<", ">"}
    live = client.follow("log attic live")
    assert [next(live).split()[0] for _ in range(4)] == ["attic"] * 4


def test_on_the_command_line(daemon: Daemon) -> None:
    assert told(daemon, "range", "attic.temperature", "-1m", "now", "1d", "count")[0].startswith("20")
    found = [json.loads(line) for line in told(daemon, "range", "attic.*", "-1m", "1d", "--json")]
    assert [each["name"] for each in found] == ["attic.humidity", "attic.temperature"]
    assert "pump.state" in "".join(told(daemon, "items")) and int(told(daemon, "count", "attic.*")[0]) == 2
    assert any(line.startswith("uptime ") for line in told(daemon, "status"))
    assert told(daemon, "set", "gone", "1") == [] and told(daemon, "delete", "gone") == ["1"]
    assert told(daemon, "fault", "attic")[0].split()[0].endswith(":")
    assert told(daemon, "delete", "pump.state", status=1) == [
        "gateway: denied pump.state: only keys of `manual` can be deleted"
    ]
    assert told(daemon, "set", "below", "-5") == [] and told(daemon, "get", "below")[0].startswith("manual.below -5 ")
    assert told(daemon, "range", "below", "soon", status=1) == [
        "gateway: syntax soon is no time; write -1h, now, 2026-11-20, 2026-11-20T16:00 or Unix seconds"
    ]
    (job,) = told(daemon, "after", "1h", "set", "pump.state", "off")
    assert job.startswith("job ") and told(daemon, "jobs")[0].split()[2:] == [
        "waiting",
        "anonymous",
        "set",
        "pump.state",
        "off",
    ]
    assert told(daemon, "cancel", job.split()[1]) == [] and told(daemon, "jobs") == []
    assert len(told(daemon, "audit", "1")) == 1 and len(told(daemon, "log", "attic", "3", "--json")) == 3
    command = gateway_command("log", "attic", "live", "--port", daemon.port)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(daemon.folder), text=True) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("attic 20")
        process.stdout.close()
        assert process.wait(PATIENCE) == 0


def test_a_job_is_kept_through_a_power_cut_and_one_that_was_missed_is_told(tmp_path: Path) -> None:
    with running(tmp_path, DEVICES, "--emulate") as daemon:
        daemon.reaches("pump", "running")
        assert daemon.ask("after 1s set missed 1") == daemon.ask("after 8s set kept 1") == []
        daemon.kill()
        time.sleep(1.2)
        again = Daemon(tmp_path, DEVICES, "--emulate", port=daemon.port)
        try:
            first, second = again.until(lambda: rows if len(rows := again.ask("jobs")) == 2 else [], "both jobs")
            assert first.startswith("1 ") and first.endswith(" missed anonymous set missed 1")
            assert second.startswith("2 ") and second.endswith(" waiting anonymous set kept 1")
            again.says("job 1 of anonymous, set missed 1: its time came while the gateway was off")
            again.until(
                lambda: again.ask("count kept") == [] and any("kept" in line for line in again.ask("get *")),
                "job 2",
                40,
            )
            assert again.ask("get missed*") == [] and again.ask("cancel 1") == []
            assert " job:2 OK" in again.ask("audit 1")[0]
            again.stop()
        finally:
            again.kill()


class Turned:
    """The Twisted client of a daemon, on a reactor that the test turns."""

    def __init__(self, port: int) -> None:
        self.reactor: Any = Reactor()
        self.remote: Remote = connect(self.reactor, f"tcp:127.0.0.1:{port}")

    def until(self, look: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < end, "waited in vain"
            self.reactor.iterate(0.02)
        return found

    def get(self, wanted: Deferred[Any]) -> Any:
        done: list[Any] = []
        wanted.addBoth(done.append)
        found = self.until(lambda: done)[0]
        if hasattr(found, "raiseException"):
            found.raiseException()
        return found

    def close(self) -> None:
        self.get(self.remote.close())
        self.reactor.removeAll()
        self.reactor._poller.close()


def test_as_a_twisted_program_sees_it(tmp_path: Path) -> None:
    with running(tmp_path, DEVICES, "--emulate") as daemon:
        daemon.reaches("attic", "running")
        daemon.reaches("pump", "running")
        turned = Turned(daemon.port)
        seen: list[Reading] = []
        try:
            turned.get(turned.remote.watch(seen.append, "attic.temperature"))
            turned.get(turned.remote.set("pump.state", True))
            assert turned.get(turned.remote.get("pump.state")).value is True
            assert {each.name for each in turned.get(turned.remote.read("attic"))} == {
                "attic.temperature",
                "attic.humidity",
            }
            assert turned.get(turned.remote.range("attic.temperature", "-1m"))[0].quality == "good"
            turned.until(lambda: len(seen) > 2)
            daemon.stop()
            again = Daemon(tmp_path, DEVICES, "--emulate", port=daemon.port)
            try:
                count = len(seen)
                turned.until(lambda: len(seen) > count + 2)
                assert again.facts()["sessions"] == "2"
                again.stop()
            finally:
                again.kill()
        finally:
            turned.close()
