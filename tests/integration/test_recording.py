"""The flight recorder of a running daemon: what went over a wire becomes a file, and the file readings again."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.recording import parse
from tests.integration.daemon import PATIENCE, Daemon, config, environment, gateway_command, running, said, until

DEVICES = config(
    attic={"driver": "sht31", "bus": "i2c:1", "period": "250ms"},
    cellar={"driver": "bme280", "bus": "i2c:1", "period": "500ms"},
    roof={"driver": "gps", "port": "/dev/ttyUSB0"},
    office={"driver": "mhz19", "port": "/dev/ttyUSB1", "period": "500ms"},
    pump={"driver": "relay", "line": "gpio:GPIO17"},
    water={"driver": "counter", "line": "gpio:GPIO22"},
    spare={"driver": "relay", "line": "gpio:GPIO18", "enabled": False},
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("recording"), DEVICES, "--emulate") as made:
        for name in ("attic", "cellar", "roof", "office"):
            made.reaches(name, "running")
        made.until(lambda: len(made.ask("log attic 1000")) > 10, "bytes")
        yield made


def test_levels_of_lines_are_recorded_with_the_times_of_their_edges(daemon: Daemon, tmp_path: Path) -> None:
    daemon.ask("set pump.state on")
    daemon.until(lambda: int(daemon.value("water.count")) > 2, "pulses")
    for name in "pump", "water":
        file = tmp_path / f"{name}.rec"
        now = daemon.value(f"{name}.{'state' if name == 'pump' else 'count'}")
        file.write_text(said(tmp_path, "record", name, "--port", daemon.port).stdout)
        done = said(tmp_path, "replay", file, "--speed", "inf")
        assert "no errors" in done.stderr
        if name == "pump":
            assert f" {now} - " in done.stdout
    # A counter tells how far it is once a second, and a recording has milliseconds: which pulse is told may differ.
    pulses = [piece.at for piece in parse(file.read_text()).pieces for _ in range(piece.data.count(b"line 0\n"))]
    told = [int(line.split(" ")[1]) for line in done.stdout.splitlines() if line.startswith("water.count ")]
    assert int(now) <= len(pulses) and sum(at < pulses[-1] - 1.001 for at in pulses) <= told[-1] <= len(pulses)


@pytest.mark.parametrize("name", ["attic", "cellar", "roof", "office"])
def test_what_was_recorded_gives_the_same_readings_again(daemon: Daemon, tmp_path: Path, name: str) -> None:
    daemon.ask(f"read {name}")
    with daemon.client() as client:
        now = {line.split(" ")[0]: line.split(" ")[1] for line in client.ask(f"get {name}.*")}
    done = said(tmp_path, "record", name, "--port", daemon.port, "-o", "it.rec", cwd=tmp_path)
    assert "plays it" in done.stderr and not done.stdout
    recording = parse((tmp_path / "it.rec").read_text())
    assert recording.about["device"] == name and "date" in recording.about
    done = said(tmp_path, "replay", tmp_path / "it.rec", "--speed", "inf")
    assert "no errors" in done.stderr
    again = {f"{line.split(' ')[0]} {line.split(' ')[1]}" for line in done.stdout.splitlines()}
    assert now and {f"{each} {value}" for each, value in now.items()} <= again


def test_the_last_minutes_only(daemon: Daemon, tmp_path: Path) -> None:
    daemon.until(lambda: float(daemon.facts()["uptime"]) > 4, "four seconds")
    whole = parse(said(tmp_path, "record", "attic", "--port", daemon.port).stdout)
    part = parse(said(tmp_path, "record", "attic", "--port", daemon.port, "--minutes", "0.025").stdout)
    assert whole.pieces[-1].at > 2.5 and part.pieces[1:3] == whole.pieces[1:3]  # how it began
    late = [piece.at for piece in part.pieces if piece.at > 1.0]
    assert len(late) > 2 and late[-1] - late[0] <= 1.5
    (tmp_path / "part.rec").write_text(
        said(tmp_path, "record", "cellar", "--port", daemon.port, "--minutes", "0.02").stdout
    )
    done = said(tmp_path, "replay", tmp_path / "part.rec", "--speed", "inf")
    assert "no errors" in done.stderr and "cellar.pressure" in done.stdout


def test_what_follows_is_recorded_until_it_is_ended(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "live.rec"
    command = gateway_command("record", "attic", "--live", "--port", daemon.port, "-o", file)
    process = subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
    try:
        before = len(until(lambda: file.read_text().splitlines() if file.exists() else []))
        until(lambda: len(file.read_text().splitlines()) > before + 6, "lines that follow")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0 and process.stderr is not None
        assert "plays it" in process.stderr.read()
    finally:
        process.kill()
        process.communicate()
    recording = parse(file.read_text())
    assert [piece.way for piece in recording.pieces[:2]] == [">", "<"]
    assert "no errors" in said(tmp_path, "replay", file, "--speed", "inf").stderr


def test_what_cannot_be_recorded(daemon: Daemon, tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        return said(tmp_path, "record", *words, "--port", daemon.port, status=1).stderr

    assert "attick: no such device" in refused("attick")
    assert "nothing went over the wire of spare yet" in refused("spare")
    assert "of spare in the last 30 s" in refused("spare", "--minutes", "0.5")
    assert "No such file" in refused("attic", "-o", tmp_path / "none" / "it.rec")


def errors(daemon: Daemon, name: str) -> dict[str, int]:
    with daemon.client() as client:
        client.ask("json on")
        found: dict[str, int] = json.loads(client.ask(f"devices {name}")[0])["errors"]
        return found


def test_faults_by_command_and_by_script(tmp_path: Path) -> None:
    """Through true terminals, and the true watch on them."""
    script = tmp_path / "faults"
    script.write_text("1s  attic  nack\n")
    with running(tmp_path, DEVICES, "--emulate", "--faults", str(script)) as daemon:
        daemon.reaches("attic", "lost", "emulated fault: nack")
        daemon.ask("fault attic off")
        daemon.reaches("attic", "running")
        for name in "roof", "office":
            daemon.reaches(name, "running")
            daemon.ask(f"fault {name} unplug 1s")
            daemon.reaches(name, "lost")
            daemon.reaches(name, "running")
        daemon.ask("fault office corrupt")
        daemon.until(lambda: "BadFrame" in errors(daemon, "office"), "errors that are counted")
        daemon.ask("fault office off")
        daemon.reaches("office", "running")
    assert (
        "--faults is for emulated"
        in said(tmp_path, "run", "--config", daemon.config, "--faults", script, status=1).stderr
    )
