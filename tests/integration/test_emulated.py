"""Devices without devices: --emulate, demo, emulate, replay."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from drivers.api import GPIO, I2C, SPI, Link, Modbus, Serial, Sysfs
from gateway import catalog, demo
from tests.integration.daemon import (
    PATIENCE,
    Process,
    environment,
    free_port,
    gateway_command,
    running,
    said,
    until,
)

CORPUS = Path(__file__).parents[1] / "corpus"
RESIDENT = 45e6  # bytes of ten devices on three ports, at most; it must have been compiled


def every_driver() -> str:
    """A configuration with each driver there is, each in a place of its own; board and kernel have theirs."""
    tables = [
        f'[device.{name}]\ndriver = "{name}"\n{place(row.link, number)}\n'
        for number, (name, row) in enumerate(catalog.shipped().items())
    ]
    return "".join(tables)


def place(link: Link, number: int) -> str:
    match link:
        case I2C():
            return f'bus = "i2c:{number}"'
        case SPI():
            return f'bus = "spi:{number}.0"'
        case GPIO():
            return "\n".join(f'{line} = "gpio:GPIO{number}"' for line in link.lines)
        case Sysfs():
            return f'{link.key} = "{link.example}"' if link.key else ""
        case Modbus():
            return f'port = "/dev/ttyUSB{number}"\nunit = 1'
        case Serial():
            return f'port = "/dev/ttyUSB{number}"'


def test_every_driver_runs_emulated(tmp_path: Path) -> None:
    with running(tmp_path, every_driver(), "--emulate") as daemon:
        for name, row in catalog.shipped().items():
            daemon.reaches(name, "running")
            quantities = daemon.until(lambda name=name: daemon.ask(f"get {name}.*"), f"readings of {name}")  # type: ignore[misc]
            assert {line.split(" ")[0] for line in quantities} <= {f"{name}.{each.name}" for each in row.quantities}
        assert daemon.facts()["errors"] == "0"


def test_demo(tmp_path: Path) -> None:
    """Ten devices on three ports."""
    tcp, http, irc = (free_port() for _ in range(3))
    process = Process(tmp_path, gateway_command("demo", "--tcp", tcp, "--http", http, "--irc", irc))
    try:
        process.says("Ctrl-C ends it.")
        assert f"http://127.0.0.1:{http}/" in process.text() and f"nc -N 127.0.0.1 {tcp}" in process.text()
        assert f"irssi -c 127.0.0.1 -p {irc}" in process.text()

        def running() -> bool:
            lines = said(tmp_path, "devices", "--port", tcp).stdout.splitlines()
            return len(lines) == 11 and all(line.split(" ")[1] == "running" for line in lines)

        process.until(running, "ten devices that run")
        names = said(tmp_path, "get", "--port", tcp).stdout
        for name in ("attic.temperature", "roof.latitude", "street.pm2_5", "office.co2", "door.state", "pump.state"):
            assert f"{name} " in names

        def drawn() -> bool:
            asked = f"http://127.0.0.1:{http}/api/v1/history?name=street.pm2_5&from=-1m"
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                return len(json.load(answer)["series"][0]["points"]) > 1

        process.until(drawn, "a chart of more than one point")
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert int(status.partition("VmRSS:")[2].split()[0]) * 1024 < RESIDENT
        process.stop(signal.SIGINT)
    finally:
        process.kill()


def test_demo_plug_falls_out_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In process, since the real one waits for twenty seconds."""
    from twisted.internet.task import Clock

    class Port:
        plugged = True

        def plug(self) -> None:
            self.plugged = True

        def unplug(self) -> None:
            self.plugged = False

    class Gateway:
        running = True

        class hardware:
            emulated = {demo.LOOSE: Port()}

    clock, port = Clock(), Gateway.hardware.emulated[demo.LOOSE]
    demo.play(clock, Gateway(), demo.Ports())  # type: ignore[arg-type]  # what it needs of one
    seen = []
    for _ in range(150):
        clock.advance(1)
        seen.append(port.plugged)
    assert (seen.index(False), seen.index(True, 20), seen.index(False, 30)) == (19, 29, 89)


def test_what_emulate_prints_runs(tmp_path: Path) -> None:
    """Pasted as it is."""
    for driver in ("gps", "mhz19"):
        folder = tmp_path / driver
        folder.mkdir()
        with (folder / "printed").open("w") as out:
            process = subprocess.Popen(
                gateway_command("emulate", driver), stdout=out, stderr=subprocess.PIPE, env=environment(folder)
            )
        try:
            pasted = until(lambda folder=folder: (folder / "printed").read_text())  # type: ignore[misc]
            with running(folder, pasted) as daemon:
                daemon.reaches(driver, "running")
                assert daemon.ask(f"get {driver}.*")
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0 and b"until Ctrl-C" in told and b"Traceback" not in told
            assert not os.path.lexists(pasted.split('port = "')[1].split('"')[0])
        finally:
            process.kill()


def test_emulate_refuses_what_has_no_terminal(tmp_path: Path) -> None:
    assert "sht31 is no serial device" in said(tmp_path, "emulate", "sht31", status=1).stderr
    assert "did you mean `gps`?" in said(tmp_path, "emulate", "gsp", status=1).stderr


# Replay


def replayed(folder: Path, name: str, driver: str, *options: object) -> list[dict[str, Any]]:
    """Samples: readings up to one that comes twice, or a new time."""
    done = said(folder, "replay", CORPUS / name, driver, "--json", *(options or ("--speed", 1000)))
    assert done.stderr.endswith("readings; no errors\n")
    samples: list[dict[str, Any]] = []
    for reading in map(json.loads, done.stdout.splitlines()):
        quantity = reading["name"].removeprefix(f"{driver}.")
        if not samples or quantity in samples[-1] or quantity == "time":
            samples.append({})
        samples[-1][quantity] = reading["value"]
    return samples


@pytest.mark.parametrize(("name", "count"), [("neo-m8n.log", 22), ("mt3339.log", 30), ("nmea-fuzzy-cases.log", 14)])
def test_receivers_replayed(tmp_path: Path, name: str, count: int) -> None:
    """Beside gpsd's own answer; by time of day, as a year may be 1024 weeks late."""
    lines = (CORPUS / f"gps/{name}.chk").read_text().splitlines()
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    theirs = [each for each in objects if each["class"] == "TPV" and "time" in each and "lat" in each]
    assert len({each["time"] for each in theirs}) == count  # or the rest proves nothing
    fixes = [sample for sample in replayed(tmp_path, f"gps/{name}", "gps") if "latitude" in sample]
    ours = {fix["time"][11:]: fix for fix in fixes if "time" in fix}
    for their in theirs:
        our = ours[their["time"][11:]]
        assert our["latitude"] == pytest.approx(their["lat"], abs=2e-6)
        assert our["longitude"] == pytest.approx(their["lon"], abs=2e-6)
    if name == "nmea-fuzzy-cases.log":
        assert {fix["time"] for fix in fixes} == {each["time"] for each in theirs}  # no false one


def test_particle_sensor_replayed(tmp_path: Path) -> None:
    table = (CORPUS / "particles/PMSx003.csv").read_text().splitlines()
    columns = {"pm01": "pm1", "pm25": "pm2_5", "pm10": "pm10", "n0_3": "n0_3", "n0_5": "n0_5", "n1_0": "n1",
               "n2_5": "n2_5", "n5_0": "n5", "n10_0": "n10"}  # fmt: skip
    expected = [
        {columns[key]: float(line[key]) for key in columns} for line in csv.DictReader(table, skipinitialspace=True)
    ]
    assert len(expected) == 10
    assert replayed(tmp_path, "particles/PMSx003.hexdump", "pms5003") == expected


def test_replay_loses_nothing_of_a_long_capture(tmp_path: Path) -> None:
    """All due at once."""
    notes, *sentences = (CORPUS / "gps/neo-m8n.log").read_bytes().split(b"\n$")
    long = b"\n$".join([notes, *sentences * 20])
    (tmp_path / "long.log").write_bytes(long)
    assert len(long) > 300_000
    samples = replayed(tmp_path, str(tmp_path / "long.log"), "gps", "--speed", 1e6)
    once = replayed(tmp_path, "gps/neo-m8n.log", "gps")
    assert len(samples) >= 20 * (len(once) - 1)


def test_replay_keeps_time(tmp_path: Path) -> None:
    """2746 bytes, less the notes, at 9600 baud, four times as fast."""
    began = time.monotonic()
    replayed(tmp_path, "gps/nmea-fuzzy-cases.log", "gps", "--speed", 4)
    data = [line for line in (CORPUS / "gps/nmea-fuzzy-cases.log").read_bytes().splitlines(True) if line[:1] != b"#"]
    assert time.monotonic() - began > sum(map(len, data[:-1])) * 10 / 9600 / 4


def test_replay_answers_who_asks(tmp_path: Path) -> None:
    answer = "ff 86 02 7c 42 00 00 00 ba"  # 636 ppm (Winsen MH-Z19 user's manual)
    (tmp_path / "co2.hexdump").write_text(f"00000000: {answer}\n00000009: {answer}\n")
    values = [sample["co2"] for sample in replayed(tmp_path, str(tmp_path / "co2.hexdump"), "mhz19", "--speed", 100)]
    assert values == [636, 636]


def test_replay_of_nothing_good(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 10)
    assert said(tmp_path, "replay", tmp_path / "noise", "gps", "--speed", 1000, status=1).stderr.startswith(
        "0 readings"
    )
    assert "No such file" in said(tmp_path, "replay", tmp_path / "none", "gps", status=1).stderr
    assert "above 0" in said(tmp_path, "replay", tmp_path / "noise", "gps", "--speed", "0", status=2).stderr
    assert "no serial device" in said(tmp_path, "replay", tmp_path / "noise", "sht31", status=1).stderr


def test_replay_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """And nothing of it elsewhere."""
    near, far = pty.openpty()
    command = gateway_command("replay", CORPUS / "gps/mt3339.log", "gps", "--speed", 1000)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=far, env=environment(tmp_path), timeout=PATIENCE)
    shown = os.read(near, 65536)
    os.close(near)
    os.close(far)
    assert done.returncode == 0 and b" 50 %\r" in shown and b"%" not in done.stdout
    assert "%" not in said(tmp_path, *command[3:]).stderr


def test_replay_whose_reader_leaves(tmp_path: Path) -> None:
    command = gateway_command("replay", CORPUS / "gps/mt3339.log", "gps", "--speed", 5)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"gps.")
        process.stdout.close()
        assert process.wait(PATIENCE) == 0 and process.stderr.read() == b""
