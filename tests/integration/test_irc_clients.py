"""irssi and WeeChat as people use them, in a terminal of tmux, with the daemon and its devices on real
pseudo-terminals: they come in, join, hear devices and each other, ask, and see a device leave and come back."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from drivers import gps, pms5003
from drivers.api import SerialEmulator
from tests.integration.daemon import PATIENCE, Bench, Daemon, config, free_port, running, until

PROGRAMS = "irssi", "weechat-headless", "tmux"


class Terminal:
    """A screen with one program on it."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self.name, self.socket, self.folder = name, str(folder / "tmux"), folder
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", name, "-x", "220", "-y", "50", *command)

    def tmux(self, *words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "screen", "LC_ALL": "C.UTF-8"}
        command = ["tmux", "-u", "-S", self.socket, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def type(self, line: str) -> None:
        self.tmux("send-keys", "-t", self.name, "-l", line)
        self.tmux("send-keys", "-t", self.name, "Enter")

    def screen(self) -> str:
        return "\n".join(line.rstrip() for line in self.tmux("capture-pane", "-p", "-t", self.name).splitlines())

    def shows(self, *words: str) -> str:
        """Wait until the screen has all *words* on one line."""

        def found() -> str:
            lines = self.screen().splitlines()
            return next((line for line in lines if all(word in line for word in words)), "")

        with suppress(AssertionError):
            return until(found, every=0.2)
        raise AssertionError(f"{self.name} does not show {words} but\n{self.screen()}")

    def close(self) -> None:
        with suppress(AssertionError):  # it may have ended
            self.tmux("kill-session", "-t", self.name)


class Irssi(Terminal):
    def __init__(self, folder: Path, port: int, nick: str) -> None:
        super().__init__(
            folder, nick, "irssi", f"--home={folder / nick}", "-c", "127.0.0.1", "-p", str(port), "-n", nick
        )


class WeeChat(Terminal):
    """WeeChat without a screen of its own: it is told through its pipe, and the terminal shows its logs."""

    def __init__(self, folder: Path, port: int, nick: str) -> None:
        self.home = folder / nick
        version = subprocess.run(["weechat-headless", "--version"], capture_output=True, text=True, check=True).stdout
        plain = "-nossl" if version.startswith(("2.", "3.")) else "-notls"
        start = ("/set logger.file.flush_delay 0", "/set irc.server_default.anti_flood_prio_high 0",
                 f"/server add gateway 127.0.0.1/{port} {plain} -nicks={nick}", "/connect gateway")  # fmt: skip
        weechat = ["weechat-headless", "--dir", str(self.home), *(word for each in start for word in ("-r", each))]
        logs = [f"{self.home}/logs/irc.{name}.weechatlog" for name in ("server.gateway", "gateway.#readings")]
        shell = f"{shlex.join(weechat)} & exec {shlex.join(['tail', '-qn', '+1', '-F', *logs])}"
        super().__init__(folder, nick, "sh", "-c", shell)

    def close(self) -> None:
        super().close()
        for pipe in self.home.glob("weechat_fifo_*"):  # a hang-up does not end it
            with suppress(ProcessLookupError):
                os.kill(int(pipe.name.rpartition("_")[2]), signal.SIGTERM)

    def type(self, line: str) -> None:
        pipe = until(lambda: next(self.home.glob("weechat_fifo_*"), None), "WeeChat's pipe")
        assert pipe is not None
        joined = (self.home / "logs/irc.gateway.#readings.weechatlog").exists()
        with pipe.open("w") as file:
            file.write(f"irc.{'gateway.#readings' if joined else 'server.gateway'} *{line}\n")


@pytest.fixture
def chat(bench: Bench, tmp_path: Path) -> Iterator[tuple[Daemon, int]]:
    """A daemon with two devices and an IRC server, and the server's port."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"please install what this test is about: apt-get install {' '.join(missing)}"
    for name, driver in (("gps", gps.DRIVER[0]), ("dust", pms5003.DRIVER[0])):
        bench.adapter(name, cast(SerialEmulator, driver.emulator()))
    port = free_port()
    devices = config(
        roof={"driver": "gps", "port": tmp_path / "gps"}, street={"driver": "pms5003", "port": tmp_path / "dust"}
    )
    text = f'[irc]\nlisten = "tcp:{port}:interface=127.0.0.1"\nmin_interval = "2s"\n{devices}'
    with running(tmp_path, text) as daemon:
        daemon.reaches("roof", "running"), daemon.reaches("street", "running")
        yield daemon, port


@pytest.mark.parametrize("client", [Irssi, WeeChat])
def test_a_client_joins_hears_devices_and_gets_answers(
    client: type[Irssi] | type[WeeChat], chat: tuple[Daemon, int], bench: Bench, tmp_path: Path
) -> None:
    daemon, port = chat
    terminal = client(tmp_path, port, "amy")
    try:
        terminal.shows("End of /MOTD command")
        terminal.type("/join #readings")
        terminal.shows("gateway", "roof: ", "latitude ", " °")
        terminal.shows("gateway", "street: ", "pm2_5 ", "µg/m³")
        terminal.type("!get roof.mode")
        terminal.shows("gateway", "roof.mode 3d - 2", " good")
        terminal.type("!get roof.mod")
        terminal.shows("gateway", "ERR unknown", "did you mean `roof.mode`")
        bench.adapters[1].unplug()
        terminal.shows("gateway", "street: lost: ")
        bench.adapters[1].plug()
        terminal.shows("gateway", "street: running")
        print(terminal.screen())
        terminal.type("/quit tea")
        daemon.until(lambda: daemon.facts()["sessions"] == "1", "the client's leaving")
    finally:
        terminal.close()


def test_two_clients_hear_each_other(chat: tuple[Daemon, int], tmp_path: Path) -> None:
    _, port = chat
    terminals = (amy := Irssi(tmp_path, port, "amy"), bob := WeeChat(tmp_path, port, "bob"))
    try:
        for terminal in terminals:
            terminal.shows("End of /MOTD command")
            terminal.type("/join #readings")
            terminal.shows("joined", "#readings")
        amy.type("gr\u00fc\u00df dich")
        bob.shows("amy", "gr\u00fc\u00df dich")
        bob.type("!count *")
        amy.shows("bob", "!count *")
        amy.shows("gateway", "OK ")
        bob.shows("gateway", "OK ")
    finally:
        for terminal in terminals:
            terminal.close()


def test_a_slow_reader_gets_all_it_asked_for_and_holds_nobody_up(chat: tuple[Daemon, int]) -> None:
    daemon, port = chat
    with daemon.client() as manual:
        for at in range(200):
            manual.ask(f"set key{at:03} {'x' * 300}")
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as slow:
        slow.sendall(b"NICK slow\r\nUSER slow 0 * :Slow\r\n" + b"PRIVMSG gateway :get manual.*\r\n" * 15 + b"QUIT\r\n")
        time.sleep(1)
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as other:
            other.sendall(b"NICK other\r\nUSER other 0 * :Other\r\n")
            assert b" 001 other " in other.recv(1000)
        heard = b"".join(iter(lambda: slow.recv(65536), b""))
    lines = heard.split(b"\r\n")
    assert sum(b" PRIVMSG slow :manual.key" in line for line in lines) == 15 * 200
    assert lines[-2:] == [b"ERROR :Closing Link: 127.0.0.1 (Quit)", b""]
