"""What becomes of outputs when the gateway is killed: ``gateway safe``, as systemd runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import cast

import pytest

from drivers.api import ModbusEmulator
from drivers.codec.modbus_slave import Units
from gateway import catalog
from tests.integration.daemon import BOARD, CODE, PATIENCE, Bench, config, environment, gateway_command, running

COILS = bytes((1, 0, 0, 0, 8))  # read all of a board
PUMP = {"driver": "relay", "line": "gpio:GPIO17", "stop": "off"}


def notes(folder: Path) -> list[str]:
    return [note for note in (folder / "board.log").read_text().splitlines() if " " in note]


def safe(folder: Path, status: int = 0, **environ: str) -> list[str]:
    """What it says, ending with *status*."""
    done = subprocess.run(
        gateway_command("safe", "--config", folder / "gateway.toml"),
        env=environment(folder, PYTHONPATH=f"{BOARD}:{CODE}", **environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == status, f"{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return (done.stdout + done.stderr).splitlines()


def killed(folder: Path, text: str, *names: str) -> None:
    """A gateway switches *names* on, and is killed."""
    with running(folder, text, board=True) as daemon:
        for name in names:
            daemon.reaches(name.rpartition(".")[0], "running")
            daemon.ask(f"set {name} on")
        daemon.kill()


@pytest.mark.parametrize(("stop", "level"), [("off", 0), ("on", 1)])
def test_a_killed_gateway_s_outputs_go_where_their_stop_policy_wants_them(
    tmp_path: Path, stop: str, level: int
) -> None:
    text = "[history]\n" + config(pump={**PUMP, "stop": stop})
    killed(tmp_path, text, "pump.state")
    before = notes(tmp_path)
    assert before[-1] == "output [17] [1]"  # as it was left
    assert safe(tmp_path, SERVICE_RESULT="signal") == [f"pump.state {stop}"]
    after = notes(tmp_path)[len(before) :]
    assert after[0] == f"setup 17 out {level}" and {note[-2] for note in after[1:]} <= {str(level)}  # no other between
    with running(tmp_path, text, board=True) as daemon:
        (audited,) = [line for line in daemon.ask("audit") if "rule:stop" in line]
        assert f"pump.state - -> {stop} gateway safe rule:stop OK" in audited


def test_last_is_where_it_was_when_the_gateway_was_killed(tmp_path: Path) -> None:
    killed(tmp_path, config(pump={**PUMP, "stop": "last"}), "pump.state")
    assert safe(tmp_path) == ["pump.state on"]


def test_it_leaves_alone_what_is_to_be_left_alone(tmp_path: Path) -> None:
    killed(tmp_path, config(pump={**PUMP, "stop": "hands-off"}), "pump.state")
    before = notes(tmp_path)
    assert safe(tmp_path) == [] and notes(tmp_path) == before


def test_after_a_clean_end_there_is_nothing_to_do(tmp_path: Path) -> None:
    with running(tmp_path, config(pump=PUMP), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.stop()
    before = notes(tmp_path)
    assert safe(tmp_path, SERVICE_RESULT="success") == [] and notes(tmp_path) == before
    assert safe(tmp_path) == ["pump.state off"]  # and by hand it does no harm


def test_it_keeps_away_from_a_gateway_that_runs(tmp_path: Path) -> None:
    with running(tmp_path, config(pump=PUMP), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.ask("set pump.state on")
        before = notes(tmp_path)
        (told,) = safe(tmp_path, status=1)
        assert "a gateway runs" in told and notes(tmp_path) == before and daemon.value("pump.state") == "on"


def test_outputs_on_a_line_and_one_that_cannot_be_reached(bench: Bench, tmp_path: Path) -> None:
    board, other = (cast(ModbusEmulator, catalog.find("modbusrelay8").emulator()) for _ in range(2))
    adapter = bench.adapter("line", Units({1: board, 2: other}))
    text = config(
        relays={"driver": "modbusrelay8", "port": adapter.link, "unit": 1},
        others={"driver": "modbusrelay8", "port": adapter.link, "unit": 2, "stop": "hands-off"},
        pump=PUMP,
    )
    killed(tmp_path, text, "relays.state_3", "pump.state")
    assert board.answer(COILS)[-1] == 0b100
    assert sorted(safe(tmp_path)) == ["pump.state off", *(f"relays.state_{number} off" for number in range(1, 9))]
    assert board.answer(COILS)[-1] == 0 and notes(tmp_path)[-1] == "output [17] [0]"
    adapter.unplug()
    told = safe(tmp_path, status=1)
    assert "pump.state off" in told
    assert f"relays.state_3 is not known to be off: absent {adapter.link}: no such port" in told
