"""What systemd is told, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import notify, watchdog


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@gateway-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(name.replace("@", "\0"))
        made.setblocking(False)
        yield made


def test_it_is_told(heard: socket.socket) -> None:
    notify("READY=1", "STATUS=3 Geräte")
    assert heard.recv(1000) == "READY=1\nSTATUS=3 Geräte".encode()


def test_a_listener_that_is_busy_stops_nobody(heard: socket.socket) -> None:
    for _ in range(2000):
        notify("WATCHDOG=1")
    assert heard.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize("name", ["", "/nowhere/at/all", "@nobody-listens-here", "/" + "x" * 200])
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")


def test_not_under_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    notify("READY=1")
    assert watchdog() is None


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [("30000000", None, 15.0), ("30000000", str(os.getpid()), 15.0), ("30000000", "1", None), ("0", None, None),
     ("", None, None), ("soon", None, None)],
)  # fmt: skip
def test_how_often_a_sign_of_life_is_wanted(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, process: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if process is not None:
        monkeypatch.setenv("WATCHDOG_PID", process)
    assert watchdog() == seconds
