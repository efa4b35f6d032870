"""Clients as rude as they come, on all three ports, beside one that behaves."""

from __future__ import annotations

import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.integration.daemon import Bench, Daemon, free_port
from tests.soak.figures import Held, Tell, held, rss, same, watched
from tests.soak.watch import Watcher, counters, tables

DEVICES = ("east", "north", "west")
OPEN = 40  # rude clients at a time
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
JOINED = b"NICK %s\r\nUSER u 0 * :u\r\nJOIN #readings\r\n"
RUDE: dict[str, tuple[Callable[[bytes], bytes], ...]] = {
    "tcp": (
        lambda name: b"",
        lambda name: b"get east.cou",
        lambda name: b"watch *\n",
        lambda name: b"watch *\n" + b"devices\nhelp\n" * 2000,
        lambda name: b"x" * 1_000_000,
        lambda name: b"get \xff\xfe\xc3\n",
        lambda name: b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        lambda name: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        lambda name: b"*1\r\n$4\r\nPING\r\n",
        lambda name: b"read east\nread north\nget *\n",
    ),
    "http": (
        lambda name: b"",
        lambda name: b"GET /api/v1/rea",
        lambda name: b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda name: b"GET /api/v1/readings HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
        lambda name: b"GET /" + b"x" * 1_000_000,
        lambda name: b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000,
        lambda name: b"\xff\xfe\xc3\r\n\r\n",
        lambda name: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        lambda name: b"get *\n",
        lambda name: b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ),
    "irc": (
        lambda name: b"",
        lambda name: b"NICK " + name,
        lambda name: JOINED % name,
        lambda name: JOINED % name + b"PRIVMSG #readings :!get *\r\n" * 200,
        lambda name: JOINED % name + b"PRIVMSG #readings :" + b"x" * 1_000_000,
        lambda name: JOINED % name + b"PRIVMSG #readings :\xff\xfe\xc3\r\n",
        lambda name: b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        lambda name: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        lambda name: b"CAP LS 302\r\nNICK %s\r\n" % name,
        lambda name: JOINED % name + b"QUIT\r\n",
    ),
}


def clients(folder: Path, rounds: int, tell: Tell) -> str:
    """5000 rude clients on three ports, forty at a time: one who watches misses nothing, nothing is kept of them."""
    bench, dice = Bench(folder), random.Random(5000)
    ports = {name: free_port() for name in RUDE}
    listen = "".join(f'[{name}]\nlisten = "tcp:{port}:interface=127.0.0.1"\n' for name, port in ports.items())
    counters(bench, *DEVICES)
    open = deque[socket.socket]()
    reset, before = 0, None
    kinds = [(name, what) for name, all in RUDE.items() for what in all]
    try:
        with watched(folder, listen + tables(bench, DEVICES), port=ports["tcp"]) as daemon:
            watcher = Watcher(daemon)
            for name in DEVICES:
                watcher.reaches(name, 0)
            for turn in range(rounds):
                name, what = kinds[turn % len(kinds)]
                open.append(rude(ports[name], what(b"n%d" % turn)))
                while len(open) > OPEN:
                    reset += drop(open.popleft(), dice)
                if turn == max(len(kinds), rounds // 10):
                    before = settled(daemon, open, dice)
                if turn % 100 == 0:
                    tell(f"{turn} clients, {sum(watcher.came.values())} readings watched, {rss(daemon):.1f} MB")
            after = settled(daemon, open, dice)
            counted = sum(watcher.came.values())
            watcher.close()
            assert before is not None
            same(before, after, tell)
            assert not any(watcher.missed.values()), f"of {counted} numbers some are missing: {watcher.missed}"
            assert daemon.text().count("Traceback") == 0, daemon.text()
    finally:
        bench.close()
    return f"{rounds} rude clients, {reset} ended with a reset; {counted} readings watched beside, none missing"


def rude(port: int, said: bytes) -> socket.socket:
    """Connect and say it, as far as it is taken at once; nothing is ever read."""
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(0.05)
    with suppress(OSError):
        client.sendall(said)
    return client


def drop(client: socket.socket, dice: random.Random) -> bool:
    """Leave: with a reset, after half a close, or just so."""
    way = dice.randrange(3)
    with suppress(OSError):
        if way == 0:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif way == 1:
            client.shutdown(socket.SHUT_WR)
    client.close()
    return way == 0


def settled(daemon: Daemon, open: deque[socket.socket], dice: random.Random) -> Held:
    """What it holds when all of them have gone: nobody lingers for longer than a few seconds."""
    while open:
        drop(open.popleft(), dice)
    daemon.until(lambda: daemon.facts()["sessions"] == "2", f"two sessions; there are {daemon.facts()['sessions']}", 40)
    daemon.until(lambda: held(daemon).calls <= 8, "timers that end", 90)
    return held(daemon)
