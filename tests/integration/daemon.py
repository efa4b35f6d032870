"""The daemon as its users run it: a process of its own, serial devices on real pseudo-terminals, and answers
over its ports.  Whatever a test waits for, it waits for by looking, and gives up with the daemon's own log."""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import gateway
from drivers.api import Emulates, SerialEmulator
from gateway.client import Client, GatewayError

CODE = Path(gateway.__file__).parents[1]  # what we test is what the programs we start shall run
BOARD = Path(__file__).parent / "board"
PATIENCE = 60.0  # seconds: two busy cores, and others at work on them
T = TypeVar("T")


def free_port() -> int:
    """One that is still free when its daemon asks for it: the kernel gives those above to clients meanwhile, and to
    whoever asks for any."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def until(look: Callable[[], T], what: str = "", patience: float = PATIENCE, every: float = 0.02) -> T:
    """What *look* gives, once that is something."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"waited {patience:g} s in vain: {what or look}"
        time.sleep(every)
    return found


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a program started by a test gets: our code, and its own place for what it keeps."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "STATE_DIRECTORY")}
    ours = {"PYTHONPATH": str(CODE), "XDG_STATE_HOME": str(folder / "state"), "BOARD_LOG": str(folder / "board.log")}
    return kept | ours | more


def gateway_command(*words: object) -> list[str]:
    return [sys.executable, "-m", "gateway", *map(str, words)]


def said(folder: Path, *words: object, status: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run ``gateway`` with *words* to its end, which must have *status*."""
    done = subprocess.run(
        gateway_command(*words), env=environment(folder), capture_output=True, text=True, timeout=PATIENCE, **more
    )
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Process:
    """A program that runs until it is told to stop.  Its output lies in *log*."""

    def __init__(self, folder: Path, command: list[str], **environ: str) -> None:
        self.folder, self.log = folder, folder / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(folder, **environ),
                cwd=folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text()

    def until(self, look: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
        def alive() -> T | None:
            found = look()
            assert found or self.process.poll() is None, f"it ended with {self.process.returncode}\n{self.text()}"
            return found or None

        try:
            return until(alive, what, patience)  # type: ignore[return-value]  # never None: it would wait on
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None

    def says(self, words: str, times: int = 1) -> None:
        self.until(lambda: self.text().count(words) >= times, f"{words!r} in the log")

    def stop(self, number: int = signal.SIGTERM, status: int = 0) -> None:
        """Have it end, cleanly and with *status*."""
        self.process.send_signal(number)
        try:
            assert self.process.wait(PATIENCE) == status, self.text()
        finally:
            self.kill()
        assert "Traceback" not in self.text(), self.text()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Daemon(Process):
    """``gateway run`` with the configuration *text*, to which it adds the query port *port*."""

    def __init__(self, folder: Path, text: str, *options: str, port: int = 0, board: bool = False, **environ: str):
        self.port = port or free_port()
        self.config = folder / "gateway.toml"
        self.configure(text)
        if board:
            environ["PYTHONPATH"] = f"{BOARD}:{CODE}"
        super().__init__(folder, gateway_command("run", "--config", self.config, *options), **environ)

    def configure(self, text: str) -> None:
        tcp = "" if "[tcp]" in text else f'[tcp]\nlisten = "tcp:{self.port}:interface=127.0.0.1"\n'
        self.config.write_text(tcp + text)

    def client(self) -> Client:
        def connected() -> list[Client]:
            with suppress(GatewayError):
                return [Client("127.0.0.1", self.port, PATIENCE)]
            return []

        return self.until(connected, f"a connection to port {self.port}")[0]

    def ask(self, command: str) -> list[str]:
        with self.client() as client:
            return client.ask(command)

    def facts(self) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in self.ask("status"))

    def state(self, device: str) -> str:
        """State and reason, such as "absent no such port"."""
        line = next(iter(self.ask(f"devices {device}")), "gone - - - -")
        _, state, _, _, reason = line.split(" ", 4)
        return f"{state} {reason}"

    def reaches(self, device: str, *words: str, patience: float = PATIENCE) -> str:
        """Wait until state and reason of *device* hold all *words*."""

        def there() -> str:
            state = self.state(device)
            return state if all(word in state for word in words) else ""

        return self.until(there, f"{device} {words}, but it is {self.state(device)}", patience)

    def value(self, name: str) -> str:
        return self.ask(f"get {name}")[0].split(" ")[1]

    def reload(self) -> None:
        """Have it read its configuration, and wait until it has."""
        before = self.facts()["loads"]
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.facts()["loads"] != before, "the reload")


@contextmanager
def running(folder: Path, text: str, *options: str, **more: Any) -> Iterator[Daemon]:
    """A daemon that answers, and is stopped in the end."""
    daemon = Daemon(folder, text, *options, **more)
    try:
        daemon.client().close()
        yield daemon
        if daemon.process.poll() is None:
            daemon.stop()
    finally:
        daemon.kill()


class Adapter:
    """A serial adapter at the path *link*, with the device *emulator* behind it, or with none."""

    def __init__(self, link: Path, emulator: Emulates | None = None) -> None:
        self.link, self.emulator = link, cast(SerialEmulator | None, emulator)
        self.heard = b""
        self.far = self.near = -1
        self.lock = threading.Lock()
        self.plug()

    def plug(self) -> None:
        far, near = os.openpty()
        tty.setraw(near)
        os.set_blocking(far, False)
        with self.lock:
            self.far, self.near = far, near
        self.link.symlink_to(os.ttyname(near))

    def unplug(self) -> None:
        if self.far >= 0:
            self.link.unlink(missing_ok=True)
            with self.lock:
                far, near, self.far, self.near = self.far, self.near, -1, -1
            os.close(far)
            if near >= 0:
                os.close(near)

    def let_go(self) -> None:
        """Close our own end of the terminal: from now on ``hung_up`` tells when the daemon closes its."""
        os.close(self.near)
        self.near = -1

    def hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self.far, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def say(self, data: bytes) -> None:
        os.write(self.far, data)

    def turn(self, seconds: float) -> None:
        with self.lock, suppress(OSError, termios.error):
            if self.far < 0:
                return
            if self.near >= 0:
                fcntl.ioctl(self.near, termios.TIOCNXCL)  # a true adapter loses it with its last user; we stay
            said = self.emulator.tick(seconds) if self.emulator else b""
            with suppress(BlockingIOError, OSError):
                heard = os.read(self.far, 4096)
                self.heard += heard
                said += self.emulator.receive(heard) if self.emulator else b""
            if said:
                os.write(self.far, said)


class Bench:
    """Adapters, played by a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.adapters: list[Adapter] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def adapter(self, name: str, emulator: Emulates | None = None) -> Adapter:
        made = Adapter(self.folder / name, emulator)
        self.adapters.append(made)
        return made

    def play(self) -> None:
        before = time.monotonic()
        while not self.ended.wait(0.02):
            now = time.monotonic()
            for adapter in list(self.adapters):
                adapter.turn(now - before)
            before = now

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        for adapter in self.adapters:
            adapter.unplug()


def config(**devices: Mapping[str, object]) -> str:
    """Tables of devices, from keyword arguments: ``config(roof={"driver": "gps", "port": "/dev/ttyUSB0"})``."""
    tables = []
    for name, keys in devices.items():
        lines = [f"{key} = {written(value)}" for key, value in keys.items()]
        tables.append("\n".join([f"[device.{name}]", *lines, ""]))
    return "\n".join(tables)


def written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
