"""What systemd hears of the daemon's life."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import PATIENCE, config, running, until

ATTIC = {"driver": "sht31", "bus": "i2c:1", "period": "200ms"}


class Manager:
    """The socket of sd_notify(3)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path.replace("@", "\0", 1))
        self.socket.settimeout(PATIENCE)

    def hears(self, wanted: str) -> list[str]:
        """The lines of the first message that has one beginning with *wanted*."""
        while True:
            lines = self.socket.recv(4096).decode().splitlines()
            if any(line.startswith(wanted) for line in lines):
                return lines

    def heard(self) -> list[str]:
        """Everything since, without waiting."""
        found = list[str]()
        self.socket.setblocking(False)
        try:
            while True:
                found += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            self.socket.settimeout(PATIENCE)
            return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@gateway-{tmp_path.name}")
    with made.socket:
        yield made


def test_ready_reloading_stopping(manager: Manager, tmp_path: Path) -> None:
    with running(tmp_path, config(attic=ATTIC), "--emulate", NOTIFY_SOCKET=manager.path) as daemon:
        assert manager.hears("READY=1") == ["READY=1", "STATUS=1 devices"]
        before = time.monotonic_ns() // 1000
        daemon.process.send_signal(signal.SIGHUP)
        reloading, stamp = manager.hears("RELOADING=1")
        assert before < int(stamp.removeprefix("MONOTONIC_USEC=")) < time.monotonic_ns() // 1000
        assert manager.hears("READY=1")
        daemon.stop()
        assert manager.hears("STOPPING=1") == ["STOPPING=1"] and manager.heard() == []
    assert "WATCHDOG=1" not in manager.heard()  # nobody asked for it


def test_watchdog_is_fed_also_while_a_bus_is_known_to_be_stuck(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    hang = tmp_path / "board.log.hang"
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}
    with manager.socket, running(tmp_path, config(attic=ATTIC), board=True, **environment) as daemon:
        daemon.reaches("attic", "running")
        began = time.monotonic()
        manager.heard()
        for _ in range(9):
            manager.hears("WATCHDOG=1")
        assert time.monotonic() - began > 0.65  # each 0.1 s, half of what systemd waits; the first may be late
        hang.touch()
        daemon.reaches("attic", "lost", "stuck")
        manager.heard()
        manager.hears("WATCHDOG=1")


def test_watchdog_of_another_process_is_none_of_ours(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    with manager.socket, running(tmp_path, config(attic=ATTIC), "--emulate", **environment) as daemon:
        until(lambda: daemon.value("attic.temperature") != "-")
        assert "WATCHDOG=1" not in manager.heard()


def test_manager_that_went_away(tmp_path: Path) -> None:
    with running(tmp_path, config(attic=ATTIC), "--emulate", NOTIFY_SOCKET=str(tmp_path / "gone")) as daemon:
        daemon.reaches("attic", "running")
        daemon.reload()
