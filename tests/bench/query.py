"""The query port under load: requests in both dialects, a crowd of connections, and what is told to many."""

from __future__ import annotations

import os
import resource
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tests.bench import servers
from tests.bench.load import Asking, Terminal, Watching
from tests.bench.measures import OURS, Figure, Tell, answer, each, medians
from tests.bench.servers import Server, free_port

VALUE = b"21.53"
BARE = VALUE + b"\r\n"
RESP = b"*2\r\n$3\r\nGET\r\n$12\r\nmanual.value\r\n"
CROWD = 5000
IDLE = 10_000
DELAYS = 1000  # readings, one by one
SAID = b"voltage=12.600\n"
KEYVALUE = '[device.box]\ndriver = "keyvalue"\nport = "{}"\n'


def gets(folder: Path, tell: Tell) -> list[Figure]:
    """One value, asked for over 50 connections: one request at a time on each, and sixteen."""
    said = {
        OURS: (servers.gateway, b"set value %s\n" % VALUE, b"get manual.value\n", b"\nOK\n"),
        f"{OURS}, RESP": (servers.gateway, b"set value %s\n" % VALUE, RESP, BARE),
        "redis-server": (servers.redis, b"SET manual.value %s\r\n" % VALUE, RESP, BARE),
        "upsd": (servers.upsd, b"GET VAR bench ups.status\n", b"GET VAR bench ups.temperature\n", b'"%s"\n' % VALUE),
    }  # fmt: skip
    figures = []
    with ExitStack() as stack:
        loads: dict[int, dict[str, Callable[[], float]]] = {1: {}, 16: {}}
        for name, (start, prepare, request, end) in said.items():
            port = free_port()
            server = stack.enter_context(start(folder, port))
            size = prepared(server, port, prepare, request, end)
            for depth, trials in loads.items():
                sockets = [server.connect(port) for _ in range(50)]
                load = stack.enter_context(closing(Asking(sockets, request, size, depth)))
                trials[name] = partial(each, server, partial(load.run, 0.7))
        for depth, most in ((1, 1.3), (16, 1.0)):
            title = f"a `get` at 50 connections, {'one by one' if depth == 1 else '16 at a time'}"
            values = medians(title, tell, loads[depth])
            resp = {OURS: values.pop(f"{OURS}, RESP"), "redis-server": values["redis-server"]}
            figures.append(Figure(title, "µs", values, {"redis-server": most}))
            figures.append(Figure(title.replace("`get`", "Redis client's `GET`"), "µs", resp, {"redis-server": most}))
    return figures


def prepared(server: Server, port: int, prepare: bytes, request: bytes, end: bytes) -> int:
    """Set the value, and say how many bytes the answer to *request* has."""
    with server.connect(port) as client:
        answer(client, prepare, b"\n")
    with server.connect(port) as client:
        return len(answer(client, request, end))


def crowd(folder: Path, tell: Tell) -> list[Figure]:
    """Many connections: that ask, that are only there, and that watch."""
    said = {
        OURS: (servers.gateway, b"set value %s\n" % VALUE, b"get manual.value\n", b"\nOK\n"),
        "redis-server": (servers.redis, b"SET manual.value %s\r\n" % VALUE, RESP, BARE),
    }
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loads: dict[str, dict[str, Callable[[], float]]] = {"alone": {}, "among": {}, "all": {}}
    with ExitStack() as stack:
        for name, (start, prepare, request, end) in said.items():
            for full in (False, True):  # the same program twice: with fifty clients, and with all
                port = free_port()
                server = stack.enter_context(start(folder, port))
                size = prepared(server, port, prepare, request, end)
                sockets = [server.connect(port) for _ in range(CROWD if full else 50)]
                for kind, some in (("among", sockets[-50:]), ("all", sockets)) if full else (("alone", sockets),):
                    load = stack.enter_context(closing(Asking(some, request, size, 1)))
                    loads[kind][name] = partial(each, server, partial(load.run, 0.5))
        titles = {
            "alone": "a `get` at 50 connections, no others there",
            "among": f"a `get` at 50 connections of {CROWD}, the others idle",
            "all": f"a `get` at {CROWD} connections, all of them busy",
        }
        values = {kind: medians(titles[kind], tell, trials) for kind, trials in loads.items()}
    before = values["alone"]
    growth = {name: value / before[name] for name, value in values["among"].items()}
    busy = {name: value / before[name] for name, value in values["all"].items()}
    return [
        Figure(titles["all"], "µs", values["all"], {"redis-server": 1.3}),
        Figure(f"{titles['among']}: against 50 alone", "times", growth, {"": 1.2}),
        Figure(f"{titles['all']}: against 50 alone", "times", busy, {"redis-server": 1.2}),
        watchers(folder, tell, min(IDLE, most - 200)),
    ]


def watchers(folder: Path, tell: Tell, count: int) -> Figure:
    """Memory of connections that watch one name and hear nothing."""
    title = f"memory (RSS) of one of {count} idle watchers"
    tell(title)
    port = free_port()
    with servers.gateway(folder, port) as ours, ExitStack() as stack:
        with ours.connect(port) as client:
            answer(client, b"set value 1\n", b"OK\n")
        sizes = []
        for more in (100, count - 100):
            for _ in range(more):
                answer(stack.enter_context(ours.connect(port)), b"watch manual.value\n", b"OK 1\n")
            sizes.append(ours.memory()[0])
    return Figure(title, "kB", {OURS: (sizes[1] - sizes[0]) * 1e3 / (count - 100)}, {"": 3})


def deliveries(folder: Path, tell: Tell, watchers: int = 1000) -> list[Figure]:
    """Readings of a device, told to a thousand: one by itself, and a hundred that come at once."""
    figures = []
    for together, most in ((1, 1.0), (100, 0.2)):
        with ExitStack() as stack:
            trials = {
                OURS: told(stack, folder, watchers, together),
                "mosquitto": spread(stack, folder, watchers, together),
            }
            several = f", {together} readings at once" if together > 1 else ""
            title = f"a delivery to each of {watchers} watchers{several}"
            figures.append(Figure(title, "µs", medians(title, tell, trials), {"mosquitto": most}))
    return figures


def told(stack: ExitStack, folder: Path, watchers: int, together: int) -> Callable[[], float]:
    terminal = stack.enter_context(closing(Terminal()))
    port = free_port()
    ours = stack.enter_context(servers.gateway(folder, port, KEYVALUE.format(terminal.path)))
    line = heard(ours, port, terminal)
    watching = stack.enter_context(closing(Watching(watchers, len(line) * together)))
    watching.join(lambda: ours.connect(port), b"watch box.voltage\n", b"OK 1\n")
    said = SAID * together
    work = partial(watching.run, lambda: terminal.say(said), max(1, 100 // together))
    return lambda: each(ours, work) / together


def heard(ours: Server, port: int, terminal: Terminal) -> bytes:
    """What a watcher gets of one reading, once the device is there."""
    with ours.connect(port) as client:
        answer(client, b"watch box.voltage\n", b"OK 1\n")
        client.settimeout(0.2)
        end = time.monotonic() + servers.PATIENCE
        while True:
            terminal.say(SAID)
            try:
                return client.recv(4096)
            except TimeoutError:
                ours.check(end, "passes no reading on")


def spread(stack: ExitStack, folder: Path, watchers: int, together: int) -> Callable[[], float]:
    port = free_port()
    broker = stack.enter_context(servers.mosquitto(folder, port))
    publisher = stack.enter_context(mqtt(broker, port, b"bench-source"))
    payload = b"box.voltage 12.600 V 2026-11-20T17:00:00.123Z good\n"  # as many bytes as ours
    publish = packet(0x30, text(b"manual.value") + payload)
    watching = stack.enter_context(closing(Watching(watchers, len(publish) * together)))
    numbers = iter(range(watchers))
    subscribe = packet(0x82, b"\0\1" + text(b"manual.value") + b"\0")
    watching.join(lambda: mqtt(broker, port, b"bench-%d" % next(numbers)), subscribe, b"\x90\3\0\1\0")
    work = partial(watching.run, partial(publisher.sendall, publish * together), max(1, 100 // together))
    return lambda: each(broker, work) / together


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT 3.1.1 packet of less than 128 bytes."""
    return bytes((kind, len(body))) + body


def text(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw


def mqtt(broker: Server, port: int, name: bytes) -> socket.socket:
    client = broker.connect(port)
    answer(client, packet(0x10, text(b"MQTT") + b"\4\2\0\0" + text(name)), b"\x20\2\0\0")
    return client


def delays(folder: Path, tell: Tell) -> list[Figure]:
    """From bytes on a terminal to the line at a watcher, as time on the wall; and how long ``cat`` takes to copy the
    same bytes to another terminal, which says how idle the machine was."""
    with ExitStack() as stack:
        terminal, near, far = (stack.enter_context(closing(Terminal())) for _ in range(3))
        port = free_port()
        ours = stack.enter_context(servers.gateway(folder, port, KEYVALUE.format(terminal.path)))
        heard(ours, port, terminal)
        client = stack.enter_context(ours.connect(port))
        answer(client, b"watch box.voltage\n", b"OK 1\n")
        stack.enter_context(servers.running("sh", "-c", f"exec cat <{near.path} >{far.path}", folder=folder))
        near.say(SAID)
        os.read(far.far, len(SAID))
        took: dict[str, list[float]] = {OURS: [], "cat": []}
        tell("from terminal to watcher")
        for _ in range(DELAYS):
            for name, there, take in (
                (OURS, terminal, partial(client.recv, 4096)),
                ("cat", near, partial(os.read, far.far, 4096)),
            ):
                time.sleep(0.003)  # it may fall asleep
                began = time.perf_counter()
                there.say(SAID)
                take()
                took[name].append((time.perf_counter() - began) * 1e3)
    middle = {name: statistics.median(values) for name, values in took.items()}
    late = {name: statistics.quantiles(values, n=100)[98] for name, values in took.items()}
    return [
        Figure("from terminal to watcher, half of all readings within", "ms", middle),
        Figure("from terminal to watcher, 99 of 100 within", "ms", late, {"": 1}),
        Figure("the same, beyond what `cat` took meanwhile", "ms", {OURS: late[OURS] - late["cat"]}, {"": 1}),
    ]
