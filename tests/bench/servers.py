"""The programs that are measured: each started on the loopback, with its own configuration in a folder of its own.

CPU time is the kernel's own account of the whole process, threads included, in nanoseconds.  Where there are two
cores or more the servers share one and the load has another: what one does to the other's caches is no part of it.
"""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SCHEDULED = 2  # CPUCLOCK_SCHED, in the clock id that clock_getcpuclockid(3) would give
PATIENCE = 15.0  # seconds until a server has to answer
CORES = sorted(os.sched_getaffinity(0))
GATEWAY = Path(sys.executable).with_name("gateway")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin:/lib/nut"


class Server:
    """A running process, and what it has used so far."""

    def __init__(self, arguments: Sequence[str | Path], folder: Path, **environment: str) -> None:
        self.name = Path(arguments[0]).name
        self.log = folder / f"{self.name}.log"
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(
            arguments, cwd=folder, env={**kept, "PATH": PATH, "HOME": str(folder), **environment},
            stdin=subprocess.DEVNULL, stdout=self.log.open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        os.sched_setaffinity(self.process.pid, CORES[:1])

    def cpu(self) -> float:
        """Seconds of CPU time since it was started."""
        return time.clock_gettime((~self.process.pid << 3) | SCHEDULED)

    def memory(self) -> tuple[float, float]:
        """Resident megabytes, and the share of them that is its own (PSS)."""
        sizes = {}
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, size, _ = line.split(maxsplit=2)
            sizes[key] = int(size) * 1024 / 1e6
        return sizes["Rss:"], sizes["Pss:"]

    def connect(self, port: int) -> socket.socket:
        """A connection, as soon as it listens."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), PATIENCE)
            except ConnectionRefusedError:
                self.check(until, f"does not listen on {port}")
                time.sleep(0.001)

    def check(self, until: float, trouble: str) -> None:
        """Raise when it has ended, or when the time is up."""
        if self.process.poll() is not None:
            trouble = f"ended with {self.process.returncode}"
        elif time.monotonic() < until:
            return
        raise RuntimeError(f"{self.name} {trouble}:\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(*arguments: str | Path, folder: Path, **environment: str) -> Iterator[Server]:
    server = Server(arguments, folder, **environment)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def gateway(folder: Path, port: int, devices: str = "", *options: str) -> Iterator[Server]:
    """The installed gateway, as ``make bench`` installs it: from a wheel, compiled.  It listens on *port*."""
    path = folder / "gateway.toml"
    path.write_text(f'[tcp]\nlisten = "tcp:{port}:interface=127.0.0.1"\n{devices}')
    with running(GATEWAY, "run", "--config", path, *options, folder=folder) as server:
        yield server


@contextmanager
def redis(folder: Path, port: int) -> Iterator[Server]:
    settings = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder))
    with running("redis-server", "--port", str(port), *settings, folder=folder) as server:
        yield server


@contextmanager
def upsd(folder: Path, port: int) -> Iterator[Server]:
    """NUT's server with one UPS that NUT's own dummy driver plays; only the server is measured."""
    files = {
        "ups.conf": f"[bench]\ndriver = dummy-ups\nport = {folder}/bench.dev\nmode = dummy-once\n",
        "bench.dev": "ups.status: OL\nups.temperature: 21.53\n",
        "upsd.conf": f"LISTEN 127.0.0.1 {port}\nMAXCONN 1024\n",
        "upsd.users": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    places = {"NUT_CONFPATH": str(folder), "NUT_STATEPATH": str(folder)}
    user = pwd.getpwuid(os.getuid()).pw_name
    with running("/lib/nut/dummy-ups", "-a", "bench", "-u", user, "-F", folder=folder, **places) as driver:
        until = time.monotonic() + PATIENCE
        while not (folder / "dummy-ups-bench").exists():
            driver.check(until, "opens no socket")
            time.sleep(0.01)
        with running("/lib/nut/upsd", "-u", user, "-F", folder=folder, **places) as server:  # past Debian's switch
            with server.connect(port) as client:
                while b"21.53" not in ask(client, b"GET VAR bench ups.temperature\n"):  # the driver has yet to tell it
                    server.check(until, "knows no value")
                    time.sleep(0.05)
            yield server


def ask(client: socket.socket, line: bytes) -> bytes:
    """The first line of the answer."""
    client.sendall(line)
    with client.makefile("rb") as answer:
        return answer.readline()


@contextmanager
def mosquitto(folder: Path, port: int) -> Iterator[Server]:
    path = folder / "mosquitto.conf"
    path.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nlog_type error\n"
    )
    with running("mosquitto", "-c", path, folder=folder) as server:
        yield server


@contextmanager
def gpsd(folder: Path, port: int, terminal: str) -> Iterator[Server]:
    with running("gpsd", "-N", "-b", "-n", "-S", str(port), terminal, folder=folder) as server:
        yield server
