"""What the history costs, beside InfluxDB 1 and VictoriaMetrics with the same readings; and what its writing costs,
how large it makes the gateway, and whether anybody waits for a slow disk."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import time
import zlib
from array import array
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import Any, cast

from gateway import config
from gateway.clock import Clock, Segment
from gateway.history.answer import answer
from gateway.history.block import HEAD, LENGTHS, SIZE, Points, packed, summed
from gateway.history.blocks import columns
from gateway.history.head import Series
from gateway.history.question import Question
from gateway.history.service import History
from gateway.history.store import Store
from gateway.reading import Reading
from tests.bench import pasts, servers
from tests.bench.load import SILENCE, until
from tests.bench.measures import OURS, ROUNDS, Figure, Tell, medians
from tests.bench.pasts import BEGAN, LONG, MANY, NAMES, Ours, Peer, readings, wandering
from tests.bench.servers import free_port

INFLUX, VICTORIA = "influxdb", "victoria-metrics"
BUCKET = 1000  # seconds; blocks hold as many readings, and none of them fits
COMMITS, EACH = 1000, 50  # a second of readings in each
VAST = 100_000  # blocks
STORED = Struct("<BHH")  # a deflated block that is not compressed: its kind, length, and the length's complement
SLOW = "inject=fsync,fdatasync:delay_enter=300000"  # microseconds
GETS, PAUSE = 1000, 0.003  # in one round, and seconds between two
LOAD = '[device.attic]\ndriver = "sht31"\nbus = "i2c:1"\nperiod = "40ms"\n'  # 50 readings a second


def history(folder: Path, tell: Tell) -> list[Figure]:
    path = folder / "history.db"
    tell("history: filling ours")
    pasts.fill(path)
    figures = [*beside(folder, path, tell), *inside(path, tell), *kept(folder / "kept.db", tell)]
    return [*figures, *grown(folder, tell), *waiting(folder, path, tell)]


def beside(folder: Path, path: Path, tell: Tell) -> list[Figure]:
    """The same questions to three servers with the same readings."""
    with ExitStack() as stack:
        peers: dict[str, Peer] = {INFLUX: stack.enter_context(pasts.influx(folder))}
        peers[VICTORIA] = stack.enter_context(pasts.victoria(folder))
        for name, peer in peers.items():
            tell(f"history: filling {name}")
            peer.fill()
        all: dict[str, Peer | Ours] = {OURS: stack.enter_context(pasts.ours(folder, path)), **peers}
        count = LONG + MANY * len(NAMES)
        sizes = {name: each.size / count for name, each in all.items()}
        figures = [Figure("a reading on the disk, of two million", "B", sizes, {"": 10})]
        for title, ask in (
            ("a million readings as a thousand means, asked over the network", lambda each: each.means(BUCKET)),
            ("20 000 readings, asked over the network", lambda each: each.all("s7")),
        ):
            trials = {name: partial(spent, each, partial(ask, each)) for name, each in all.items()}
            figures.append(Figure(title, "ms", medians(title, tell, trials)))
        memory = {name: each.server.memory()[0] for name, each in all.items()}
    return [*figures, Figure("resident memory (RSS) after these", "MB", memory)]


def spent(each: Peer | Ours, ask: Callable[[], int]) -> float:
    """Milliseconds of the server's CPU time."""
    before = each.server.cpu()
    if ask() < 10_000:
        raise RuntimeError("that was no answer")
    return (each.server.cpu() - before) * 1e3


def inside(path: Path, tell: Tell) -> list[Figure]:
    """What of it is the history's own work: no text, no network."""
    store = Store(str(path))
    whole = Question("long.temperature", BEGAN, BEGAN + LONG, limit=2 * BUCKET)

    def asked(**more: Any) -> float:
        before = time.thread_time()
        steps = cast("Generator[None, None, Any]", answer(store, Question(**{**fields(whole), **more})))
        try:
            while True:
                next(steps)
        except StopIteration as end:
            if len(end.value) < BUCKET:
                raise RuntimeError("that was no answer") from None
        return (time.thread_time() - before) * 1e3

    figures = []
    for title, most, more in (
        ("a million readings as a thousand means, within", {"": 50.0}, {"step": float(BUCKET)}),
        ("the same weighed by time", {}, {"step": float(BUCKET), "aggregate": "twa"}),
        ("20 000 readings, within", {"": 5.0}, {"name": "s7.temperature", "limit": MANY}),
    ):
        figures.append(Figure(title, "ms", medians(title, tell, {OURS: partial(asked, **more)}), most))
    store.close()
    return figures


def fields(question: Question) -> dict[str, Any]:
    return {name: getattr(question, name) for name in question.__slots__}


def kept(path: Path, tell: Tell) -> list[Figure]:
    """Fifty readings of fifty series and a commit, over and over, as every second of a year; the kernel's account of
    what that wrote is that of /proc/self/io."""
    store, clock = Store(str(path)), Clock(1, lambda: 0.0)
    past = History(None, clock, store, config.MEMORY, path=str(path))
    past.begin()
    store.learn(Segment(1, 0.0, float(BEGAN)))
    series = [wandering(name, random.Random(number), 20 * number) for number, name in enumerate(NAMES)]
    written: list[float] = []

    def second() -> list[tuple[Reading]]:
        return list(readings(map(next, series), clock))

    def commits() -> float:
        batches = [second() for _ in range(COMMITS)]
        size, before = past.meter.seen(), time.process_time()
        for batch in batches:
            for each in batch:
                past.hear(each)
            store.take(given := past.inbox.give())
            past.inbox.taken(given)
            past.commit()
        store.pack(everything=True)
        used = time.process_time() - before
        written.append((past.meter.seen() - size) / COMMITS / EACH)
        return used / COMMITS / EACH * 1e6

    title = "a reading that is kept, 50 in a commit: CPU"
    figures = [Figure(title, "µs", medians(title, tell, {OURS: commits}), {"": 4})]
    store.close()
    return [*figures, Figure("the same: bytes written", "B", {OURS: statistics.median(written[1:])}, {"": 200})]


# A hundred million


def grown(folder: Path, tell: Tell) -> list[Figure]:
    """How much more memory a gateway takes whose history is long, both asked the same."""
    sizes = []
    for blocks in (len(NAMES), VAST):
        tell(f"history: {blocks} blocks")
        path = folder / f"{blocks}.db"
        vast(path, blocks)
        with pasts.ours(folder, path) as each:
            end = BEGAN + blocks // len(NAMES) * SIZE
            for words in (f"{BEGAN} {end} {(end - BEGAN) // 100}", f"{end - 900}"):
                each.lines(f"range s7.temperature {words}")
            sizes.append(each.server.memory()[0])
        path.unlink()
    title = "RSS with a hundred million readings on the disk, beyond that with few"
    return [Figure(title, "MB", {OURS: sizes[1] - sizes[0]}, {"": 12})]


def vast(path: Path, blocks: int) -> None:
    """The same thousand readings over and over at other times, deflated once."""
    store = Store(str(path))
    store.begin(1, 0)
    store.learn(Segment(1, 0.0, float(BEGAN)))
    for number, name in enumerate(NAMES, 1):
        series = store.series[number] = Series(number, f"{name}.temperature", "float", "°C", 2, 5000)
        store.put("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)", *(getattr(series, each) for each in Series.__slots__))
    store.commit()
    some = list(islice(wandering("s", random.Random(1), 0), SIZE))
    ms = array("q", [each[1] for each in some])
    values, seqs = array("q", [round(100 * each[2]) for each in some]), array("q", range(SIZE))
    points = Points(1, 0, ms, 0, values, None, (seqs, set()))
    made, much = columns(summed(points, 0, SIZE, 5000)), packed(ms) + packed(values)
    little, body = zlib.compress(packed(seqs)), deflated(much[HEAD.size :])
    with store.writing():
        for row in range(blocks):
            turn, number = divmod(row, len(NAMES))
            start = turn * 1000 * SIZE
            data = spliced(HEAD.pack(ms[0] + start, much[HEAD.size - 1 : HEAD.size]), much[HEAD.size :], body)
            data = LENGTHS.pack(SIZE, len(data)) + data + little
            store.db.execute("INSERT INTO block VALUES (?, ?, 1, ?)", (row + 1, number + 1, data))
            span = (number + 1, 1, ms[0] + start, turn * SIZE, ms[-1] + start, row + 1, SIZE, *made)
            store.db.execute(f"INSERT INTO span VALUES ({', '.join('?' * 15)})", span)
    store.close()


def deflated(data: bytes) -> bytes:
    press = zlib.compressobj(6, wbits=-15)
    return press.compress(data) + press.flush()


def spliced(head: bytes, rest: bytes, body: bytes) -> bytes:
    """A zlib stream (RFC 1950, 1951) of *head*, not compressed, and of *rest*, whose deflated form is *body*."""
    check = zlib.adler32(rest, zlib.adler32(head)).to_bytes(4, "big")
    return b"\x78\x9c" + STORED.pack(0, len(head), 0xFFFF ^ len(head)) + head + body + check


# A slow disk


def waiting(folder: Path, path: Path, tell: Tell) -> list[Figure]:
    """The longest that a `get` takes while each fsync takes 0.3 s more, and while it does not."""
    title = f"the longest of {GETS} `get`s, each fsync 0.3 s slower"
    log = folder / "strace.log"
    trace = ("strace", "-D", "-f", "-o", log, "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", SLOW)
    with ExitStack() as stack:
        if os.geteuid() == 0:  # others' work is no part of it
            stack.callback(os.sched_setscheduler, 0, os.sched_getscheduler(0), os.sched_getparam(0))
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        trials = {}
        for name, wrap in ((OURS, trace), ("with a quick disk", ())):
            port, place = free_port(), folder / name.replace(" ", "-")
            place.mkdir()
            shutil.copy(path, place / "history.db")
            (place / "gateway.toml").write_text(
                f'[tcp]\nlisten = "tcp:{port}:interface=127.0.0.1"\n[history]\npath = "{place}/history.db"\n{LOAD}'
            )
            run = (servers.GATEWAY, "run", "--emulate", "--config", place / "gateway.toml")
            server = stack.enter_context(servers.running(*wrap, *run, folder=place))
            client = stack.enter_context(server.connect(port))
            client.settimeout(SILENCE)
            time.sleep(2)  # until there is a reading
            trials[name] = partial(longest, client)
        found = medians(title, tell, trials)
    if log.read_text().count("DELAYED") < ROUNDS:
        raise RuntimeError("no fsync was slow")
    return [Figure(title, "ms", found, {"": 5})]


def longest(client: Any) -> float:
    worst = 0.0
    for _ in range(GETS):
        before = time.monotonic()
        client.sendall(b"get attic.temperature\n")
        until(client, b"\nOK\n")
        worst = max(worst, time.monotonic() - before)
        time.sleep(PAUSE)
    return worst * 1e3
