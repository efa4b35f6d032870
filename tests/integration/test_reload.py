"""SIGHUP and ``gateway reload``: only what changed starts anew."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from drivers import gps, pms5003
from tests.integration.daemon import Bench, config, free_port, running, said

EMPTY = config()


def test_what_did_not_change_goes_on(bench: Bench, tmp_path: Path) -> None:
    roof, street = bench.adapter("gps", gps.DRIVER[0].emulator()), bench.adapter("dust", pms5003.DRIVER[0].emulator())
    devices: dict[str, dict[str, object]] = {
        "roof": {"driver": "gps", "port": tmp_path / "gps"},
        "street": {"driver": "pms5003", "port": tmp_path / "dust"},
    }
    with running(tmp_path, config(**devices)) as daemon:
        daemon.reaches("roof", "running"), daemon.reaches("street", "running")
        roof.let_go()
        street.let_go()
        assert not roof.hung_up() and not street.hung_up()

        devices["street"] |= {"label": "the other side"}
        devices["late"] = {"driver": "gps", "port": tmp_path / "late"}
        daemon.configure(config(**devices))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.says("street: running", 2)
        daemon.reaches("late", "absent", "no such port")
        assert not roof.hung_up() and daemon.state("roof").startswith("running")

        before = int(daemon.facts()["readings"])
        daemon.until(lambda: int(daemon.facts()["readings"]) > before + 5, "more of the receiver's readings")

        devices["roof"] |= {"enabled": False}
        del devices["late"], devices["street"]
        daemon.configure(config(**devices))
        daemon.reload()
        assert daemon.ask("devices") == [
            "manual running manual memory -",
            f"roof absent gps {tmp_path / 'gps'} disabled in the configuration",
        ]
        assert roof.hung_up() and daemon.ask("get *") == []

        roof.unplug()
        roof.plug()
        devices["roof"] |= {"enabled": True}
        daemon.configure(config(**devices))
        daemon.reload()
        daemon.reaches("roof", "running")


def test_mistakes_change_nothing_and_are_told(bench: Bench, tmp_path: Path) -> None:
    roof = bench.adapter("gps", gps.DRIVER[0].emulator())
    good = config(roof={"driver": "gps", "port": tmp_path / "gps"})
    with running(tmp_path, good) as daemon:
        daemon.reaches("roof", "running")
        roof.let_go()
        reload = ("reload", "--port", daemon.port)
        daemon.configure(config(roof={"driver": "gsp", "port": tmp_path / "gps"}, attic={"driver": "sht31"}))
        for _ in range(2):
            told = said(tmp_path, *reload, status=1).stderr
            assert "gateway.toml" in told and "unknown driver `gsp`; did you mean `gps`?" in told
            assert "`bus` is missing" in told  # all of them
        assert not roof.hung_up() and daemon.state("roof").startswith("running")
        assert "`gsp`" in daemon.facts()["config"]
        told = said(tmp_path, *reload, "--config", daemon.config, status=1).stderr
        assert "2 mistakes" in told

        daemon.configure(good)
        assert said(tmp_path, *reload, "--config", daemon.config).stdout.endswith("reloaded\n")
        assert daemon.facts()["config"] == "-" and not roof.hung_up()


def test_nobody_to_reload(tmp_path: Path) -> None:
    port = free_port()
    assert f"no gateway at 127.0.0.1:{port}" in said(tmp_path, "reload", "--port", port, status=1).stderr


def test_listeners_move(tmp_path: Path) -> None:
    with running(tmp_path, EMPTY) as daemon, daemon.client() as before:
        old, daemon.port = daemon.port, free_port()
        daemon.configure(EMPTY)
        assert said(tmp_path, "reload", "--port", old).stdout == "reloaded\n"
        assert daemon.facts()["devices"] == "1"  # `manual`
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old))
        assert before.ask("get *") == []  # whoever was connected still is

        http = free_port()
        daemon.configure(f'[http]\nlisten = "tcp:{http}:interface=127.0.0.1"\n')
        daemon.reload()
        socket.create_connection(("127.0.0.1", http)).close()
        daemon.configure(EMPTY)
        daemon.reload()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", http))


def test_bus_is_closed_with_its_last_device(tmp_path: Path) -> None:
    attic, board = {"driver": "sht31", "bus": "i2c:1", "period": "1s"}, {"driver": "lm75", "bus": "i2c:1"}
    notes = tmp_path / "board.log"
    with running(tmp_path, config(attic=attic, board=board), board=True) as daemon:
        daemon.reaches("attic", "running"), daemon.reaches("board", "running")
        daemon.configure(config(attic=attic))
        daemon.reload()
        assert notes.read_text() == "open /dev/i2c-1\n" and daemon.state("attic").startswith("running")
        daemon.configure(EMPTY)
        daemon.reload()
        assert notes.read_text() == "open /dev/i2c-1\nclose /dev/i2c-1\n"
        daemon.configure(config(attic=attic))
        daemon.reload()
        daemon.reaches("attic", "running")


def test_many_signals_at_once(tmp_path: Path) -> None:
    with running(tmp_path, config(attic={"driver": "sht31", "bus": "i2c:1"}), "--emulate") as daemon:
        for number in range(10):
            daemon.configure(config(attic={"driver": "sht31", "bus": f"i2c:{number}"}))
            daemon.process.send_signal(signal.SIGHUP)
        daemon.reload()
        daemon.until(lambda: "i2c:9" in daemon.ask("devices attic")[0], "the last configuration")
        daemon.reaches("attic", "running")
