"""The measurements: for each kind of work the servers are loaded in turn, over and over, and the median counts."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from drivers import gps
from gateway.demo import TEXT
from tests.bench import servers
from tests.bench.load import Receiver, until
from tests.bench.servers import Server, free_port

OURS = "gateway"
ROUNDS = 7
STARTS = 3
REPEATS = 12  # of the capture in one round
PACE = 0.0003  # seconds for a sentence: faster than any receiver, slower than either daemon
CAPTURE = Path(__file__).parents[1] / "corpus/gps/neo-m8n.log"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one kind of work costs each program, and what ours may cost at most: so many times a peer's cost,
    or, where the peer is "", so much."""

    title: str
    unit: str
    values: dict[str, float]
    most: dict[str, float] = field(default_factory=dict)

    def limits(self) -> list[tuple[str, float]]:
        """What ours may cost, in words and in units."""
        return [
            (f"{times:g} × {peer}" if times != 1 else peer, times * self.values[peer])
            if peer
            else (f"{times:g} {self.unit}", times)
            for peer, times in self.most.items()
        ]

    def met(self) -> bool:
        return all(self.values[OURS] <= limit for _, limit in self.limits())


def medians(title: str, tell: Tell, trials: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Each trial once to warm up, then ``ROUNDS`` times, all in turn."""
    found: dict[str, list[float]] = {name: [] for name in trials}
    for number in range(ROUNDS + 1):
        tell(f"{title}: round {number} of {ROUNDS}")
        for name, trial in trials.items():
            value = trial()
            if number:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def each(server: Server, work: Callable[[], int]) -> float:
    """Microseconds of the server's CPU time for each unit of *work*."""
    before = server.cpu()
    count = work()
    return (server.cpu() - before) / count * 1e6


def answer(client: socket.socket, request: bytes, end: bytes) -> bytes:
    client.sendall(request)
    return until(client, end)


def sentences(folder: Path, tell: Tell) -> list[Figure]:
    """A receiver's sentences, from a terminal to a client that gets every position."""
    said = [line for line in CAPTURE.read_bytes().splitlines(keepends=True) if line.startswith(b"$")]
    epochs = sum(line[3:6] == b"RMC" for line in said)
    figures = []
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(closing(Receiver(said))) for name in (OURS, "gpsd")}
        port = free_port()
        device = f'[device.roof]\ndriver = "gps"\nport = "{receivers[OURS].path}"\n'
        ours = stack.enter_context(servers.gateway(folder, port, device))
        watcher = stack.enter_context(ours.connect(port))
        answer(watcher, b"watch roof.*\n", b"OK %d\n" % len(gps.QUANTITIES))
        port = free_port()
        gpsd = stack.enter_context(servers.gpsd(folder, port, receivers["gpsd"].path))
        client = stack.enter_context(gpsd.connect(port))
        answer(client, b'?WATCH={"enable":true,"json":true}\n', b"}\r\n")
        listeners = {OURS: (ours, watcher, b"* roof.latitude "), "gpsd": (gpsd, client, b'"class":"TPV"')}

        def hear(name: str, together: int) -> float:
            server, client, mark = listeners[name]
            receiver = receivers[name]
            spent = each(server, partial(receiver.run, client, REPEATS, together, PACE * together))
            if (fixes := receiver.heard.count(mark)) < 0.9 * REPEATS * epochs:
                raise RuntimeError(f"{name} told of {fixes} positions, not of {REPEATS * epochs}")
            return spent

        for together, how in ((1, "each by itself"), (16, "16 at a time")):
            title = f"an NMEA sentence, {how}"
            trials = {name: partial(hear, name, together) for name in listeners}
            figures.append(Figure(title, "µs", medians(title, tell, trials), {"gpsd": 3.0}))
    return figures


def starting(folder: Path, tell: Tell) -> list[Figure]:
    """Ten emulated devices on TCP, HTTP and IRC: the CPU time until the first answer, and what stays in memory when
    each interface has a client."""
    spent: dict[str, list[float]] = {name: [] for name in ("seconds", "resident", "own")}
    for number in range(STARTS):
        tell(f"ten devices, three interfaces: start {number + 1} of {STARTS}")
        port, http, irc = free_port(), free_port(), free_port()
        devices = TEXT[TEXT.index("[http]") :].format(http=http, irc=irc)
        with servers.gateway(folder, port, devices, "--emulate") as ours, ExitStack() as stack:
            client = stack.enter_context(ours.connect(port))
            answer(client, b"get pump.state\n", b"\n")
            spent["seconds"].append(ours.cpu())
            end = time.monotonic() + servers.PATIENCE
            while answer(client, b"devices\n", b"OK 11\n").count(b" running ") < 11:  # `manual` is one, too
                ours.check(end, "has not all ten devices running")
                time.sleep(0.1)
            answer(client, b"watch *\n", b"\n")
            for request, end_of_it in (
                (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"</html>\n"),
                (b"GET /api/v1/readings HTTP/1.1\r\nHost: localhost\r\n\r\n", b"]"),
            ):
                answer(stack.enter_context(ours.connect(http)), request, end_of_it)
            chat = b"NICK bench\r\nUSER bench 0 * :bench\r\nJOIN #readings\r\n"
            answer(stack.enter_context(ours.connect(irc)), chat, b"\r\n")
            time.sleep(2)
            resident, own = ours.memory()
            spent["resident"].append(resident)
            spent["own"].append(own)
    seconds, resident, own = (statistics.median(values) for values in spent.values())
    peers = idle(folder)
    return [
        Figure("CPU time to the first answer, ten devices", "s", {OURS: seconds} | peers["seconds"], {"": 0.6}),
        Figure("resident memory (RSS), ten devices", "MB", {OURS: resident} | peers["resident"], {"": 45}),
        Figure("its own share of that (PSS)", "MB", {OURS: own} | peers["own"]),
    ]


def idle(folder: Path) -> dict[str, dict[str, float]]:
    """The peers after their start, with nothing to do."""
    found: dict[str, dict[str, float]] = {name: {} for name in ("seconds", "resident", "own")}
    with closing(Receiver(())) as receiver:
        for name, start in {
            "redis-server": servers.redis,
            "upsd": servers.upsd,
            "mosquitto": servers.mosquitto,
            "gpsd": lambda folder, port: servers.gpsd(folder, port, receiver.path),
        }.items():
            port = free_port()
            with start(folder, port) as server, server.connect(port):
                found["seconds"][name] = server.cpu()
                time.sleep(1)
                found["resident"][name], found["own"][name] = server.memory()
    return found
