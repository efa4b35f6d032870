"""Three histories with the same readings: ours, InfluxDB 1 and VictoriaMetrics, each a server of its own.

Readings have two decimals and come about once a second.  ``LONG`` is one series with a million of them; ``MANY`` are
fifty with 20 000 each.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count, islice
from pathlib import Path
from urllib.parse import urlencode

from drivers.api import Quantity
from gateway.clock import Clock, Segment
from gateway.history.store import Store
from gateway.reading import Reading
from tests.bench.servers import PATIENCE, Server, free_port, gateway, running

LONG, MANY = 1_000_000, 20_000
NAMES = [f"s{number}" for number in range(50)]
DEGREES = Quantity("temperature", "°C", low=-1e6, high=1e6, digits=2)
BEGAN = 1_790_000_371  # Unix seconds; no bucket begins there
BATCH = 5000  # lines of one request
Told = tuple[str, int, float]  # name, milliseconds since BEGAN, value


def told() -> Iterator[Told]:
    """Everything: the long series, then the fifty, side by side."""
    dice = random.Random(20)
    yield from islice(wandering("long", dice, 0), LONG)
    series = [wandering(name, dice, 20 * number) for number, name in enumerate(NAMES)]
    for _ in range(MANY):
        yield from map(next, series)


def wandering(name: str, dice: random.Random, begin: int) -> Iterator[Told]:
    value = 2150
    for second in count():
        value += dice.choice((-2, -1, 0, 0, 1, 2))
        yield name, begin + 1000 * second + dice.randrange(5), value / 100


def readings(some: Iterable[Told], clock: Clock) -> Iterator[tuple[Reading]]:
    for seq, (name, ms, value) in enumerate(some):
        at = ms / 1000
        yield (Reading(f"{name}.temperature", DEGREES, value, clock.boot, seq, at, clock, "good", at + 5),)


def fill(path: Path) -> None:
    """Our database at *path*, by way of log and blocks."""
    store, clock, source = Store(str(path)), Clock(1, lambda: 0.0), told()
    store.begin(1, 0)
    store.learn(Segment(1, 0.0, float(BEGAN)))
    steps = readings(source, clock)
    while batch := list(islice(steps, BATCH)):
        store.take(batch)
        store.commit()
        store.pack()
    store.pack(everything=True)
    store.close()


def stored(folder: Path) -> int:
    """Bytes that all files below *folder* take; where nothing was ever written they take none."""
    return sum(512 * file.stat().st_blocks for file in folder.rglob("*") if file.is_file())


def asked(port: int, address: str, query: dict[str, object], body: bytes | None = None) -> bytes:
    """What a server answers over HTTP; raises RuntimeError with its words when it refuses."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET" if body is None else "POST", f"{address}?{urlencode(query)}", body)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{address}: {answer.status} {said[:300]!r}")
    return said


def pour(port: int) -> None:
    """Everything in the line protocol, which both peers take."""
    source = told()
    while batch := list(islice(source, BATCH)):
        lines = [f"temperature,name={name} value={value} {1000 * BEGAN + ms}" for name, ms, value in batch]
        asked(port, "/write", {"db": "bench", "precision": "ms"}, "\n".join(lines).encode())


def settled(folder: Path, most: float = 60.0) -> int:
    """What lies in *folder*, once that has been the same for three seconds."""
    size, since, end = 0, time.monotonic(), time.monotonic() + most
    while time.monotonic() < min(since + 3, end):
        time.sleep(0.25)
        if (now := stored(folder)) != size:
            size, since = now, time.monotonic()
    return size


class Peer:
    """A server of series, and how it is asked."""

    def __init__(self, server: Server, port: int, folder: Path) -> None:
        self.server, self.port, self.folder, self.size = server, port, folder, 0

    def fill(self) -> None:
        pour(self.port)
        self.size = settled(self.folder)


class Influx(Peer):
    def means(self, seconds: int) -> int:
        """The mean of each *seconds* of the long series; how many bytes the answer has."""
        asked_for = (
            f"SELECT mean(value) FROM temperature WHERE \"name\"='long' AND time >= {BEGAN}s "
            f"AND time < {BEGAN + LONG}s GROUP BY time({seconds}s)"
        )
        return len(asked(self.port, "/query", {"db": "bench", "epoch": "ms", "q": asked_for}))

    def all(self, name: str) -> int:
        asked_for = f"SELECT value FROM temperature WHERE \"name\"='{name}'"
        return len(asked(self.port, "/query", {"db": "bench", "epoch": "ms", "q": asked_for}))


class Victoria(Peer):
    def means(self, seconds: int) -> int:
        rolled = f"avg_over_time(temperature_value{{name='long'}}[{seconds}s])"
        query: dict[str, object] = {
            "query": rolled,
            "start": BEGAN,
            "end": BEGAN + LONG,
            "step": f"{seconds}s",
            "nocache": 1,
        }
        return len(asked(self.port, "/api/v1/query_range", query))

    def all(self, name: str) -> int:
        return len(asked(self.port, "/api/v1/export", {"match[]": f"temperature_value{{name='{name}'}}"}))

    def fill(self) -> None:
        pour(self.port)
        asked(self.port, "/internal/force_flush", {})
        asked(self.port, "/internal/force_merge", {})
        self.size = settled(self.folder)


INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
cache-snapshot-write-cold-duration = "1s"
compact-full-write-cold-duration = "2s"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""


@contextmanager
def influx(folder: Path) -> Iterator[Influx]:
    place, port = folder / "influx", free_port()
    place.mkdir()
    path = folder / "influx.conf"
    path.write_text(INFLUX.format(folder=place, rpc=free_port(), port=port))
    with running("influxd", "-config", path, folder=folder) as server:
        server.connect(port).close()
        asked(port, "/query", {"q": "CREATE DATABASE bench"}, b"")
        yield Influx(server, port, place)


@contextmanager
def victoria(folder: Path) -> Iterator[Victoria]:
    place, port = folder / "victoria", free_port()
    options = (f"-storageDataPath={place}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y")
    with running("victoria-metrics", *options, folder=folder) as server:
        server.connect(port).close()
        yield Victoria(server, port, place)


class Ours:
    """The daemon, asked over TCP."""

    def __init__(self, server: Server, port: int, path: Path) -> None:
        self.server, self.size = server, 512 * path.stat().st_blocks
        self.client = server.connect(port)
        self.client.settimeout(PATIENCE)

    def lines(self, words: str) -> int:
        """How many bytes the answer to *words* has."""
        self.client.sendall(words.encode() + b"\n")
        size, last = 0, b""
        while True:
            chunk = self.client.recv(1 << 20)
            size, last = size + len(chunk), (last + chunk)[-200:]
            if b"\nERR" in last or not chunk:
                raise RuntimeError(f"{words}: {last!r}")
            if last.endswith(b"\n") and b"\nOK " in last:
                return size

    def means(self, seconds: int) -> int:
        return self.lines(f"range long.temperature {BEGAN} {BEGAN + LONG} {seconds}")

    def all(self, name: str) -> int:
        return self.lines(f"range {name}.temperature {BEGAN} {BEGAN + LONG}")


@contextmanager
def ours(folder: Path, path: Path, more: str = "", *options: str) -> Iterator[Ours]:
    """A daemon with the database at *path*."""
    port = free_port()
    with gateway(folder, port, f'[history]\npath = "{path}"\n{more}', *options) as server:
        yield Ours(server, port, path)
