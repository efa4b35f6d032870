"""Redis clients as people use them, against the daemon with a device on a real pseudo-terminal: redis-cli in a terminal
of tmux, redis-py, and ioredis in Node, which npm brings into a folder of ours when it is not there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from drivers import gps
from drivers.api import SerialEmulator
from tests.integration.daemon import (
    PATIENCE,
    Bench,
    Daemon,
    Process,
    config,
    free_port,
    gateway_command,
    running,
    until,
)
from tests.integration.test_irc_clients import Terminal

PROGRAMS = "redis-cli", "redis-benchmark", "tmux", "node", "npm"
IOREDIS = "5.8.2"
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "device-gateway" / f"ioredis-{IOREDIS}"
PAGE = Path(__file__).parents[2] / "docs/redis.md"
LINE = re.compile(r"roof\.mode \w+ - 20\d\d-\d\d-\d\dT[0-9:.]+Z good")


@pytest.fixture
def daemon(bench: Bench, tmp_path: Path) -> Iterator[Daemon]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"please install what this test is about: {' '.join(missing)}"
    bench.adapter("gps", cast(SerialEmulator, gps.DRIVER[0].emulator()))
    with running(tmp_path, config(roof={"driver": "gps", "port": tmp_path / "gps"})) as daemon:
        daemon.reaches("roof", "running")
        daemon.until(lambda: daemon.value("roof.mode") == "3d", "a fix")
        yield daemon


def said(port: int, *words: str) -> str:
    """What redis-cli prints when it is no terminal."""
    done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.rstrip("\n")


# redis-cli


@pytest.mark.parametrize("version", ["-2", "-3"])
def test_redis_cli_at_a_terminal(daemon: Daemon, tmp_path: Path, version: str) -> None:
    terminal = Terminal(tmp_path, "cli", "redis-cli", version, "-p", str(daemon.port))
    try:
        terminal.shows(f"127.0.0.1:{daemon.port}>")
        terminal.tmux("send-keys", "-t", "cli", "-l", "get ")
        terminal.shows("> get name")  # the hint is our own: it comes from COMMAND DOCS
        terminal.type("roof.mode")
        terminal.shows('"3d"')
        terminal.type("set target 21.50")
        terminal.shows("OK")
        terminal.type("mget target nobody.knows")
        terminal.shows('1) "21.50"')
        terminal.shows("2) (nil)")
        terminal.type("set roof.mode 2d")
        terminal.shows("(error) NOPERM roof.mode is measured, not set")
        terminal.type("hset a b c")
        terminal.shows("(error) ERR unknown command 'hset', with args beginning with: 'a' 'b' 'c'")
        terminal.type("psubscribe roof.*")
        terminal.shows('"roof.mode"')
        terminal.shows('"roof.mode 3d - ')
    finally:
        terminal.close()


def test_redis_cli_in_scripts(daemon: Daemon) -> None:
    assert said(daemon.port, "get", "roof.mode") == "3d"
    assert said(daemon.port, "--scan", "--pattern", "roof.mo*") == "roof.mode"
    assert "redis_version:" in said(daemon.port, "info", "server")
    many = b"".join(b"*3\r\n$3\r\nSET\r\n$4\r\nk%03d\r\n$1\r\n1\r\n" % at for at in range(500))
    command = ["redis-cli", "-p", str(daemon.port), "--pipe"]
    done = subprocess.run(command, input=many, capture_output=True, timeout=PATIENCE)
    assert b"errors: 0, replies: 500" in done.stdout, done
    assert "strings with" in said(daemon.port, "--bigkeys") and int(said(daemon.port, "dbsize")) > 500


def test_redis_cli_stat(daemon: Daemon) -> None:
    with subprocess.Popen(["redis-cli", "-p", str(daemon.port), "--stat", "-i", "0.1"], stdout=subprocess.PIPE) as stat:
        assert stat.stdout is not None
        lines = [stat.stdout.readline().decode() for _ in range(4)]
        stat.terminate()
    assert lines[0].startswith("------- data ------") and lines[1].split()[:3] == ["keys", "mem", "clients"]
    keys, memory, clients = lines[3].split()[:3]
    assert int(keys) > 3 and memory.endswith("M") and int(clients) >= 1


def test_redis_benchmark(daemon: Daemon) -> None:
    command = ["redis-benchmark", "-p", str(daemon.port), "-t", "ping_mbulk,set,get", "-n", "500", "-P", "16", "--csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == ['"PING_MBULK"', '"SET"', '"GET"'], done


# redis-py


@pytest.mark.parametrize("version", [2, 3])
def test_redis_py(daemon: Daemon, version: int) -> None:
    pool = redis.ConnectionPool(port=daemon.port, protocol=version, decode_responses=True, client_name="tests")
    client: Any = redis.Redis(connection_pool=pool)
    assert client.ping() and client.get("roof.mode") == "3d" and client.get("nobody.knows") is None
    assert client.client_getname() == "tests" and client.info()["redis_version"]
    assert client.set("target", "21.50") and client.get("target") == client.get("manual.target") == "21.50"
    assert set(client.scan_iter("roof.*")) == set(client.keys("roof.*")) > {"roof.latitude", "roof.mode"}
    assert client.ttl("roof.mode") > 0 and client.ttl("target") == -1 and client.type("target") == "string"
    for transaction in (True, False):
        with client.pipeline(transaction=transaction) as pipe:
            pipe.set("a", "1").get("a").set("roof.mode", "x").get("roof.mode").delete("a")
            got = pipe.execute(raise_on_error=False)
        assert got[:2] == [True, "1"] and got[3:] == ["3d", 1]
        assert isinstance(got[2], redis.exceptions.ResponseError) and "is measured, not set" in str(got[2])
    with pytest.raises(redis.exceptions.ResponseError, match="unknown command 'LPUSH'"):
        client.lpush("a", "b")
    with client.pipeline() as pipe:
        for at in range(2000):
            pipe.set("key", str(at))
        assert pipe.execute() == [True] * 2000
    client.close()
    pool.disconnect()


@pytest.mark.parametrize("version", [2, 3])
def test_redis_py_subscribes(daemon: Daemon, version: int) -> None:
    client: Any = redis.Redis(port=daemon.port, protocol=version, decode_responses=True)
    heard: list[Any] = []
    subscriber = client.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe(**{"roof.mode": heard.append})
    subscriber.psubscribe(**{"manual.*": heard.append})
    thread = subscriber.run_in_thread(sleep_time=0.01, daemon=True)
    try:
        until(lambda: heard)
        client.set("target", "5")
        until(lambda: any(message["type"] == "pmessage" for message in heard))
    finally:
        thread.stop()
        thread.join(PATIENCE)
    mode = next(message for message in heard if message["channel"] == "roof.mode")
    assert mode["type"] == "message" and LINE.fullmatch(mode["data"])
    target = next(message for message in heard if message["channel"] == "manual.target")
    assert target["pattern"] == "manual.*" and target["data"].startswith("manual.target 5 - 20")
    daemon.until(lambda: daemon.facts()["sessions"] <= "2", "the subscriber's leaving")
    client.close()


@pytest.mark.parametrize("version", [2, 3])
def test_redis_py_asks_for_the_past(daemon: Daemon, version: int) -> None:
    client: Any = redis.Redis(port=daemon.port, protocol=version, decode_responses=True)
    before = round(time.time() * 1000)
    for value in (1, 2, 6):
        client.set("level", value)
        time.sleep(0.005)
    ts = client.ts()
    newest, value = ts.get("level", latest=True)
    assert value == 6 and before <= newest <= time.time() * 1000
    assert [value for _, value in ts.range("manual.level", before, "+")] == [1, 2, 6]
    assert [value for _, value in ts.revrange("level", "-", "+", count=2, latest=True)] == [6, 2]
    for word, wanted in {"avg": 3, "min": 1, "max": 6, "sum": 9, "count": 3, "first": 1, "last": 6}.items():
        ((at, value),) = ts.range("level", "-", "+", aggregation_type=word, bucket_size_msec=10**11)
        assert (at % 10**11, value) == (0, wanted)
    many = ts.mrange("-", "+", ["device=manual", "quantity=level"], with_labels=True)
    series = many["manual.level"] if isinstance(many, dict) else many[0]["manual.level"]
    assert series[0] == {"name": "manual.level", "device": "manual", "quantity": "level"}
    assert [value for _, value in series[-1]] == [1, 2, 6]
    got = ts.mget(["device=roof", "unit=°"], with_labels=True)
    names = set(got) if isinstance(got, dict) else {name for each in got for name in each}
    assert {"roof.latitude", "roof.longitude"} <= names == set(ts.queryindex(["device=roof", "unit=°"]))
    info = ts.info("level")
    assert (info["totalSamples"] if isinstance(info, dict) else info.total_samples) == 3
    with pytest.raises(redis.exceptions.ResponseError, match="TSDB: the key does not exist"):
        ts.range("nobody.knows", "-", "+")
    client.close()


# ioredis

SCRIPT = """
const Redis = require("ioredis");
(async () => {
  const redis = new Redis({port: PORT, connectionName: "node", enableReadyCheck: true});
  const out = {mode: await redis.get("roof.mode"), nil: await redis.get("nobody.knows")};
  out.set = await redis.set("a", "b c");
  out.pipeline = await redis.pipeline().get("a").get("roof.mode").exec();
  out.multi = await redis.multi().set("a", "1").get("a").exec();
  out.error = await redis.lpush("a", "b").catch(error => error.message);
  out.range = await redis.call("TS.RANGE", "manual.a", "-", "+", "AGGREGATION", "count", "100000000000");
  out.scan = [];
  for await (const keys of redis.scanStream({match: "roof.mo*"})) out.scan.push(...keys);
  const ear = new Redis({port: PORT});
  const heard = new Promise(done => ear.on("pmessage", (...words) => done(words)));
  await ear.psubscribe("roof.mode*");
  out.heard = await heard;
  out.parallel = (await Promise.all(Array.from({length: 1000}, (_, at) => redis.echo(String(at))))).length;
  ear.disconnect();
  await redis.quit();
  console.log(JSON.stringify(out));
})().catch(error => { console.error(error); process.exit(1); });
"""


def ioredis() -> Path:
    """The folder that has the library, brought by npm the first time; by one, when two test runs begin at once."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (KEPT / "node_modules" / "ioredis" / "package.json").exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(KEPT), f"ioredis@{IOREDIS}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return KEPT / "node_modules"


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_examples_of_the_page(language: str, tmp_path: Path) -> None:
    """As they stand in docs/redis.md, with the demo."""
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    tcp, http, irc = free_port(), free_port(), free_port()
    demo = Process(tmp_path, gateway_command("demo", "--tcp", tcp, "--http", http, "--irc", irc))
    try:
        demo.says("Ctrl-C ends it")
        demo.until(lambda: "attic.temperature" in said(tcp, "keys", "*"), "a temperature")
        file = tmp_path / ("example.py" if language == "python" else "example.js")
        file.write_text(code.replace("7600", str(tcp)))
        program = sys.executable if language == "python" else "node"
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(ioredis())}
        done = subprocess.run([program, str(file)], capture_output=True, text=True, timeout=PATIENCE, env=environment)
        assert done.returncode == 0 and not done.stderr, done
        first, *_, last = done.stdout.splitlines()
        assert -40 < float(first) < 125 and re.fullmatch(r"attic\.\w+ attic\.\w+ -?[0-9.]+ \S+ 20\S+Z good", last)
        demo.stop(signal.SIGINT)
    finally:
        demo.kill()


def test_ioredis(daemon: Daemon) -> None:
    environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(ioredis())}
    command = ["node", "-e", SCRIPT.replace("PORT", str(daemon.port))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)
    assert done.returncode == 0, done
    got = json.loads(done.stdout)
    assert got["mode"] == "3d" and got["nil"] is None and got["set"] == "OK"
    assert got["pipeline"] == [[None, "b c"], [None, "3d"]] and got["multi"] == [[None, "OK"], [None, "1"]]
    assert got["error"].startswith("ERR unknown command 'lpush'") and got["scan"] == ["roof.mode"]
    ((_, count),) = got["range"]
    assert count == "2" and got["parallel"] == 1000  # the text that it was before is counted, too
    assert got["heard"][:2] == ["roof.mode*", "roof.mode"] and LINE.fullmatch(got["heard"][2])
