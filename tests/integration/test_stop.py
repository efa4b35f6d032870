"""A clean end: in time, in order, whatever the devices are at; and the next start."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import gps, mhz19, pms5003
from tests.integration.daemon import Bench, Daemon, config, free_port, running

PUMP = {"driver": "relay", "line": "gpio:GPIO17", "start": "off", "stop": "off"}


def listeners() -> str:
    return "".join(
        f'[{name}]\nlisten = "tcp:{free_port()}:interface=127.0.0.1"\n' for name in ("http", "irc")
    )  # tcp is the harness's own


@pytest.fixture
def full() -> Iterator[int]:
    """A port at which no connection is ever made, nor refused: as many as may wait do so already."""
    with socket.socket() as listening, socket.socket() as first:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        first.connect(listening.getsockname())
        yield listening.getsockname()[1]


def everything(bench: Bench, full: int) -> str:
    """Every interface and every kind of place, and devices that keep the gateway waiting."""
    bench.adapter("gps", gps.DRIVER[0].emulator())
    bench.adapter("dust", pms5003.DRIVER[0].emulator())
    bench.adapter("office", mhz19.DRIVER.emulator())
    bench.adapter("mute")
    return listeners() + config(
        roof={"driver": "gps", "port": bench.folder / "gps"},
        street={"driver": "pms5003", "port": bench.folder / "dust"},
        office={"driver": "mhz19", "port": bench.folder / "office"},
        mute={"driver": "mhz19", "port": bench.folder / "mute"},  # in the middle of an attempt, all the time
        missing={"driver": "gps", "port": bench.folder / "missing"},
        far={"driver": "gps", "port": f"tcp:127.0.0.1:{full}"},
        nobody={"driver": "gps", "port": f"tcp:127.0.0.1:{free_port()}"},
        attic={"driver": "sht31", "bus": "i2c:1"},
        board={"driver": "lm75", "bus": "i2c:1"},
        pump=PUMP,
        door={"driver": "button", "line": "gpio:GPIO27"},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_with_everything_configured(bench: Bench, tmp_path: Path, full: int, number: int) -> None:
    with running(tmp_path, everything(bench, full), board=True) as daemon:
        for device in ("roof", "street", "office", "attic", "board", "pump", "door"):
            daemon.reaches(device, "running")
        assert daemon.state("far").startswith("opening") and "refused" in daemon.state("nobody")
        daemon.ask("set pump.state on")
        port, client = daemon.port, daemon.client()
        board = tmp_path / "board.log"
        assert board.read_text().splitlines()[-1] == "output [17] [1]"
        daemon.stop(number)
        notes = board.read_text().splitlines()
        # The policy is applied before the bus is closed, and nothing drives the line after it.
        assert notes.index("output [17] [0]", notes.index("output [17] [1]")) < notes.index("close /dev/i2c-1")
        assert [note for note in notes if note.startswith("output")][-1] == "output [17] [0]"
        client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_stop_twice_is_one_stop(tmp_path: Path) -> None:
    with running(tmp_path, config(pump=PUMP), board=True) as daemon:
        daemon.reaches("pump", "running")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.stop(signal.SIGTERM)


def test_second_start_follows_at_once_and_is_counted(bench: Bench, tmp_path: Path) -> None:
    bench.adapter("gps", gps.DRIVER[0].emulator())
    text = config(roof={"driver": "gps", "port": tmp_path / "gps"})
    port = free_port()
    boots = []
    for _ in range(2):
        daemon = Daemon(tmp_path, text, port=port)
        try:
            daemon.reaches("roof", "running")  # the port was given back
            boots.append(int(daemon.facts()["boot"]))
            daemon.stop()
        finally:
            daemon.kill()
    assert boots == [1, 2]


def test_what_a_kill_leaves_behind_keeps_nobody_out(bench: Bench, tmp_path: Path) -> None:
    bench.adapter("gps", gps.DRIVER[0].emulator())
    text, port = config(roof={"driver": "gps", "port": tmp_path / "gps"}), free_port()
    with running(tmp_path, text, port=port) as daemon:
        daemon.reaches("roof", "running")
        daemon.kill()
    with running(tmp_path, text, port=port) as daemon:
        daemon.reaches("roof", "running")


def test_start_is_quick(tmp_path: Path) -> None:
    with running(tmp_path, listeners()) as daemon:
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        spent = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")  # user's and system's: proc_pid_stat(5)
        assert spent < 5  # seconds of CPU, whoever else has it meanwhile; it is 0.6
