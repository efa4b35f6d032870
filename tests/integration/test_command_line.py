"""The command line, as a shell and its scripts see it: what is printed where, and with which status it ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import PATIENCE, Daemon, config, environment, free_port, gateway_command, running, said

BAD = """
[tcp]
listen = "tcp:{port}"
[device.attic]
driver = "sht3"
bus = "i2c:1"
[device.cellar]
driver = "sht31"
bus = "i2c:1"
adress = 0x45
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    devices = config(
        attic={"driver": "sht31", "bus": "i2c:1", "period": "200ms"}, pump={"driver": "relay", "line": "gpio:GPIO17"}
    )
    with running(tmp_path_factory.mktemp("commands"), devices, "--emulate") as made:
        made.reaches("attic", "running")
        yield made


def told(daemon: Daemon, *words: object, status: int = 0) -> str:
    done = said(daemon.folder, *words, "--port", daemon.port, status=status)
    assert (done.stderr == "") == (status == 0)
    return done.stdout if status == 0 else done.stderr


# Configurations


@pytest.mark.parametrize("command", ["check", "run"])
def test_all_mistakes_at_once(tmp_path: Path, command: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(BAD.format(port=free_port()))
    done = said(tmp_path, command, "--config", file, status=1)
    lines = done.stderr.splitlines()
    assert f"{file}:3: tcp.listen: " in lines[0] and 'anonymous = "viewer"' in lines[0]
    assert lines[1] == f"{file}:5: device.attic.driver: unknown driver `sht3`; did you mean `sht31`?"
    assert lines[2] == f"{file}:10: device.cellar.adress: unknown key; did you mean `address`?"
    assert lines[3:] == ([f"{file}: 3 mistakes"] if command == "check" else []) and done.stdout == ""


def test_check_of_a_good_one_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file.write_text(f'[tcp]\nlisten = "tcp:{taken.getsockname()[1]}:interface=127.0.0.1"\n'
                        + config(roof={"driver": "gps", "port": "/dev/none"}))  # fmt: skip
        done = said(tmp_path, "check", "--config", file)
    assert (done.stdout, done.stderr) == (f"{file}: good; 1 devices\n", "")


@pytest.mark.parametrize("command", ["check", "run"])
def test_no_configuration(tmp_path: Path, command: str) -> None:
    file = tmp_path / "none.toml"
    assert f"{file}: no such file" in said(tmp_path, command, "--config", file, status=1).stderr


def test_nonsense_is_refused_with_the_usage(tmp_path: Path) -> None:
    for words in (
        ["gte"],
        [],
        ["run", "--emulated-devices"],
        ["replay"],
        ["replay", "a", "gps", "--speed", "x"],
        ["record", "a", "--minutes", "-1"],
        ["record", "a", "--minutes", "nan"],
    ):
        assert "usage: gateway" in said(tmp_path, *words, status=2).stderr
    assert "usage: gateway" in said(tmp_path, "--help").stdout
    assert said(tmp_path, "--version").stdout == said(tmp_path, "version").stdout


def test_demo_refuses_one_port_for_two(tmp_path: Path) -> None:
    assert "demo:" in said(tmp_path, "demo", "--tcp", 7001, "--http", 7001, status=1).stderr


# Drivers


def test_drivers(tmp_path: Path) -> None:
    listed = said(tmp_path, "drivers").stdout.splitlines()
    names = [line.split()[0] for line in listed]
    assert names == sorted(names) and {"gps", "sht31", "pms5003", "relay", "keyvalue"} <= set(names)
    described = json.loads(said(tmp_path, "drivers", "--json").stdout)
    assert [each["name"] for each in described] == names
    assert "Datasheet" in said(tmp_path, "drivers", "sht31").stdout
    (only,) = json.loads(said(tmp_path, "drivers", "sht31", "--json").stdout)
    assert [each["name"] for each in only["quantities"]] == ["temperature", "humidity"]
    assert "did you mean `sht31`?" in said(tmp_path, "drivers", "sht32", status=1).stderr


def test_drivers_of_ones_own(tmp_path: Path) -> None:
    own, file = tmp_path / "drivers", tmp_path / "gateway.toml"
    own.mkdir()
    shipped = Path(__file__).parents[2] / "drivers/tables/keyvalue.toml"
    (own / "scale.toml").write_text(shipped.read_text())
    (own / "broken.toml").write_text("family = 'lime'\n")
    file.write_text(f'[gateway]\ndrivers = "{own}"\n')
    done = said(tmp_path, "drivers", "--config", file)
    assert "\nscale " in done.stdout and "did you mean `line`?" in done.stderr


# Talking to a gateway


def test_get(daemon: Daemon) -> None:
    (line,) = told(daemon, "get", "attic.temperature").splitlines()
    name, value, unit, _, quality = line.split(" ")
    assert (name, unit, quality) == ("attic.temperature", "°C", "good") and 15 < float(value) < 30
    assert len(told(daemon, "get").splitlines()) == len(told(daemon, "get", "*").splitlines()) >= 3
    reading = json.loads(told(daemon, "get", "attic.temperature", "--json"))
    assert reading["name"] == "attic.temperature" and isinstance(reading["value"], float)


def test_read(daemon: Daemon) -> None:
    assert [line.split(" ")[0] for line in told(daemon, "read", "attic").splitlines()] == [
        "attic.humidity", "attic.temperature",
    ]  # fmt: skip


def test_set(daemon: Daemon) -> None:
    for word in "on", "off":
        assert told(daemon, "set", "pump.state", word) == ""
        assert told(daemon, "get", "pump.state").split(" ")[1] == word
    assert told(daemon, "set", "note", "two words") == ""
    assert told(daemon, "get", "note").split(" ", 1)[1].startswith('"two words"')
    assert "takes on or off, not" in told(daemon, "set", "pump.state", "maybe", status=1)
    assert "is measured, not set" in told(daemon, "set", "attic.temperature", "20", status=1)
    assert "did you mean `pump.state`?" in told(daemon, "set", "pmup.state", "on", status=1)
    assert "usage: set NAME VALUE" in told(daemon, "set", "pump.state", status=1)


def test_devices_and_items(daemon: Daemon) -> None:
    assert "attic running sht31 i2c:1/0x44 -" in told(daemon, "devices").splitlines()
    devices = [json.loads(line) for line in told(daemon, "devices", "--json").splitlines()]
    assert {each["name"]: each["state"] for each in devices}["attic"] == "running"
    assert [line.split(" ")[0] for line in told(daemon, "items", "attic.*").splitlines()] == [
        "attic.humidity", "attic.temperature",
    ]  # fmt: skip
    assert all(
        json.loads(line)["unit"] in ("°C", "%") for line in told(daemon, "items", "attic.*", "--json").splitlines()
    )


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_watch_prints_at_once_and_ends_quietly_with_its_reader(daemon: Daemon, options: tuple[str, ...]) -> None:
    command = gateway_command("watch", "attic.temperature", "--port", daemon.port, *options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon.folder)
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline().decode() for _ in range(3)]
        assert all("attic.temperature" in line for line in lines)
        assert not options or all(json.loads(line)["name"] == "attic.temperature" for line in lines)
        process.stdout.close()
        assert process.wait(PATIENCE) == 0 and process.stderr.read() == b""


def test_watch_ends_by_ctrl_c_and_with_the_gateway(tmp_path: Path) -> None:
    devices = config(attic={"driver": "sht31", "bus": "i2c:1", "period": "200ms"})
    with running(tmp_path, devices, "--emulate") as daemon:
        watches = [
            subprocess.Popen(
                gateway_command("watch", "--port", daemon.port),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path),
            )
            for _ in range(2)
        ]  # fmt: skip
        for watch in watches:
            assert watch.stdout is not None and watch.stdout.readline()
        watches[0].send_signal(2)
        assert watches[0].communicate(timeout=PATIENCE)[1] == b"" and watches[0].returncode == 130
        daemon.stop()
        assert watches[1].communicate(timeout=PATIENCE)[1] == b"gateway: the gateway closed the connection\n"
        assert watches[1].returncode == 1


def test_broken_pipe(daemon: Daemon) -> None:
    command = " ".join(gateway_command("get", "--port", daemon.port))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        env=environment(daemon.folder), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("command", [["get"], ["watch"], ["set", "a", "1"], ["read", "a"], ["devices"], ["items"]])
def test_no_gateway(tmp_path: Path, command: list[str]) -> None:
    port = free_port()
    done = said(tmp_path, *command, "--port", port, status=1)
    assert done.stderr.startswith(f"gateway: no gateway at 127.0.0.1:{port}: Connection refused") and not done.stdout


def test_version(daemon: Daemon) -> None:
    assert said(daemon.folder, "version").stdout.startswith("device-gateway")


def test_state_that_cannot_be_kept_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with running(tmp_path, "") as daemon:
        daemon.says("no count of starts")
        assert daemon.facts()["boot"] == "1"


def test_count_that_a_power_cut_emptied(tmp_path: Path) -> None:
    count = tmp_path / "state/device-gateway/boot"
    count.parent.mkdir(parents=True)
    count.write_text("")
    for boot in "1", "2":
        with running(tmp_path, "") as daemon:
            assert daemon.facts()["boot"] == boot
    assert "boot.new" not in os.listdir(count.parent)


def test_a_notice_is_shown_by_status(tmp_path: Path) -> None:
    """What starts the gateway may have something to say, as the SD card's first boot does."""
    notice = tmp_path / "notice"
    notice.write_text("gateway.toml:3: tpc: unknown table\n")
    with running(tmp_path, config(), "--notice", str(notice)) as daemon:
        assert daemon.facts()["notice"] == "gateway.toml:3: tpc: unknown table"
        notice.write_text("")
        daemon.reload()
        assert daemon.facts()["notice"] == "-"
        notice.unlink()
        daemon.reload()
        assert daemon.facts()["notice"] == f"{notice}: No such file or directory"


@pytest.mark.parametrize("words", [("drivers",), ("drivers", "sdm120")])
def test_a_full_disk_is_told_in_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            gateway_command(*words), stdout=full, stderr=subprocess.PIPE, text=True, env=environment(tmp_path),
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "gateway: No space left on device\n")


def test_a_recording_on_a_full_disk(daemon: Daemon) -> None:
    done = said(daemon.folder, "record", "attic", "--port", daemon.port, "-o", "/dev/full", status=1)
    assert done.stderr == "gateway: No space left on device\n"
