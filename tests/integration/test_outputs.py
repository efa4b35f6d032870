"""An output from the first call to the last: policies, the longest time, and what is written when."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import cast

import pytest

from drivers.api import ModbusEmulator
from drivers.codec.modbus_slave import Units
from gateway import catalog
from gateway.client import GatewayError
from tests.integration.daemon import Bench, config, running

HIGH, LOW = "output [17] [1]", "output [17] [0]"


def notes(folder: Path) -> list[str]:
    return [note for note in (folder / "board.log").read_text().splitlines() if " " in note]


@pytest.mark.parametrize(
    ("start", "stop", "active", "first", "last"),
    [
        ("off", "off", "high", "setup 17 out 0", LOW),
        ("on", "off", "high", "setup 17 out 1", LOW),
        ("off", "on", "high", "setup 17 out 0", HIGH),
        ("off", "off", "low", "setup 17 out 1", HIGH),
        ("hands-off", "hands-off", "high", "setup 17 out None", "setup 17 out None"),
        ("last", "last", "high", "setup 17 out None", LOW),
    ],
)
def test_policies(tmp_path: Path, start: str, stop: str, active: str, first: str, last: str) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "start": start, "stop": stop, "active": active}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        assert notes(tmp_path)[0] == first  # the level is there with the first call
        seen = notes(tmp_path)
        if start in ("on", "off"):
            assert daemon.value("pump.state") == start
            assert all(note.endswith(first[-1] + "]") for note in seen[1:])  # and no other in between
        daemon.stop()
    assert notes(tmp_path)[-1] == last


def test_what_was_set_stays_when_nobody_says_otherwise(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "start": "last", "stop": "last"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.ask("set pump.state on")
        daemon.stop()
    assert notes(tmp_path)[-1] == HIGH


def test_longest_time(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "max_on": "300ms"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.ask("set pump.state on")
        assert daemon.value("pump.state") == "on" and notes(tmp_path)[-1] == HIGH
        daemon.until(lambda: daemon.value("pump.state") == "off", "the pump's end")
        assert notes(tmp_path)[-1] == LOW
        daemon.says("pump.state: on for 0.3 s, switched off")


def test_longest_time_holds_from_the_start_on(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17", "max_on": "300ms", "start": "on"}
    with running(tmp_path, config(pump=pump), board=True) as daemon:
        daemon.says("pump.state: on for 0.3 s, switched off")
        daemon.until(lambda: daemon.value("pump.state") == "off", "the pump's end")


def test_reload_leaves_an_untouched_output_alone_and_stops_a_removed_one(tmp_path: Path) -> None:
    pump = {"driver": "relay", "line": "gpio:GPIO17"}
    fan = {"driver": "relay", "line": "gpio:GPIO18", "stop": "off"}
    with running(tmp_path, config(pump=pump, fan=fan), board=True) as daemon:
        daemon.reaches("pump", "running"), daemon.reaches("fan", "running")
        daemon.ask("set pump.state on")
        daemon.ask("set fan.state on")
        before = len(notes(tmp_path))
        daemon.configure(config(pump=pump))
        daemon.reload()
        assert notes(tmp_path)[before:] == ["output [18] [0]"]
        assert daemon.value("pump.state") == "on"


def test_board_without_gpio(tmp_path: Path) -> None:
    """What is not there is said; the daemon goes on."""
    devices = config(pump={"driver": "relay", "line": "gpio:GPIO17"}, attic={"driver": "sht31", "bus": "i2c:99"})
    with running(tmp_path, devices) as daemon:
        assert "RPi.GPIO" in daemon.reaches("pump", "absent", "GPIO")
        assert "/dev/i2c-99: no such bus" in daemon.reaches("attic", "absent", "bus")


def test_a_client_that_dies_and_a_door_that_opens(tmp_path: Path) -> None:
    """Who did it is told: by the device, by the audit trail, by the refusal."""
    text = config(pump={"driver": "relay", "line": "gpio:GPIO17", "renew": "4s", "only_if": "manual.door"})
    with running(tmp_path, text, board=True) as daemon, daemon.client() as client:
        daemon.reaches("pump", "running")
        with pytest.raises(GatewayError, match="locked pump.state stays off: manual.door has no value"):
            client.ask("set pump.state on")
        client.ask("set door on")
        for _ in range(4):
            client.ask("set pump.state on")
            time.sleep(1.5)
        assert daemon.value("pump.state") == "on"
        daemon.reaches("pump", "running", "state renew: not set again within 4 s")
        assert daemon.value("pump.state") == "off" and notes(tmp_path)[-1] == LOW
        client.ask("set pump.state on")
        client.ask("set door off")
        daemon.reaches("pump", "running", "state only_if: manual.door is off")
        assert daemon.value("pump.state") == "off"
        client.ask("json on")
        (pump,) = map(json.loads, client.ask("devices pump"))
        assert pump["outputs"]["state"]["renew"] == 4 and pump["outputs"]["state"]["only_if"] == ["manual.door"]
        told = [line.split(" ", 1)[1] for line in daemon.ask("audit 30") if "rule:" in line or "stays off" in line]
        assert told[0] == "pump.state - -> off gateway - rule:start OK"
        assert told[2:] == [
            "pump.state on -> off gateway - rule:renew OK",
            "pump.state on -> off gateway - rule:only_if OK",
        ]


def test_two_outputs_of_one_board_are_never_both_on(bench: Bench, tmp_path: Path) -> None:
    """Whoever asks for them, and however many at once."""
    board = cast(ModbusEmulator, catalog.find("modbusrelay8").emulator())
    adapter = bench.adapter("line", Units({1: board}))
    text = config(blinds={"driver": "modbusrelay8", "port": adapter.link})
    for one, other in ((1, 2), (2, 1)):
        text += f'[device.blinds.state_{one}]\nonly_if = "not blinds.state_{other}"\n'
    with running(tmp_path, text) as daemon, daemon.client() as up, daemon.client() as down:
        daemon.reaches("blinds", "running")
        for client, relay in (up, 1), (down, 2):
            client.socket.sendall(b"set blinds.state_%d on\n" % relay)
        daemon.until(lambda: len(daemon.ask("audit 30")) == 2, "both to be answered")
        assert board.answer(bytes((1, 0, 0, 0, 8)))[-1] in (0b01, 0b10)
        (refused,) = [line for line in daemon.ask("audit 30") if "stays off" in line]
        assert "is on" in refused


def test_last_is_known_after_a_restart_and_a_kill(tmp_path: Path) -> None:
    text = config(pump={"driver": "relay", "line": "gpio:GPIO17", "start": "last", "stop": "off"})
    for ending in ("stop", "kill"):
        with running(tmp_path, text, board=True) as daemon:
            daemon.reaches("pump", "running")
            daemon.ask("set pump.state on")
            getattr(daemon, ending)()
        with running(tmp_path, text, board=True) as daemon:
            daemon.reaches("pump", "running")
            assert [note for note in notes(tmp_path) if note.startswith("setup")][-1] == "setup 17 out 1"
            assert daemon.value("pump.state") == "on"
