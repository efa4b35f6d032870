"""The daemon is killed, again and again, as a power supply or the kernel's memory killer would."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

from gateway.client import Client, GatewayError
from tests.integration.daemon import Bench, Daemon, free_port
from tests.soak.figures import Tell
from tests.soak.watch import counters, tables

DEVICES = ("east", "north", "west")
PLACES = ("http", "irc")


def kill(folder: Path, rounds: int, tell: Tell) -> str:
    """300 kills under load, one in five while it starts: it comes up by itself, and its boots are counted."""
    bench, dice = Bench(folder), random.Random(300)
    emulators = counters(bench, *DEVICES)
    ports = {name: free_port() for name in PLACES}
    listen = "".join(f'[{name}]\nlisten = "tcp:{port}:interface=127.0.0.1"\n' for name, port in ports.items())
    text, port, boot, slowest, early = listen + tables(bench, emulators), free_port(), 0, 0.0, 0
    try:
        for turn in range(rounds):
            (folder / "log").unlink(missing_ok=True)
            began = time.monotonic()
            daemon = Daemon(folder, text, port=port)
            try:
                if dice.random() < 0.2:
                    early += 1
                    time.sleep(dice.uniform(0, 0.8))
                    daemon.process.kill()
                    daemon.process.wait()
                    assert counted(folder) in (boot, boot + 1), f"boot {boot} became {counted(folder)}"
                else:
                    clients = up(daemon, boot, ports.values())
                    slowest = max(slowest, time.monotonic() - began)
                    load(clients, dice.uniform(0, 0.15))
                    daemon.process.kill()
                    daemon.process.wait()
                    assert counted(folder) == boot + 1
                    for client in clients:
                        client.close()
                assert "Traceback" not in daemon.text(), daemon.text()
            finally:
                daemon.kill()
            boot = counted(folder)
            if turn % 10 == 0:
                tell(f"{turn} kills, boot {boot}, the slowest start took {slowest:.2f} s")
    finally:
        bench.close()
    return (
        f"{rounds} kills, {early} of them while it started; slowest start to all readings {slowest:.2f} s; boot {boot}"
    )


def counted(folder: Path) -> int:
    path = folder / "state/device-gateway/boot"
    return int(path.read_text()) if path.exists() else 0


def up(daemon: Daemon, boot: int, ports: object) -> list[Client]:
    """Wait until all is there: each port listens, each device gives a reading; clients that watch."""
    client = daemon.client()
    facts = dict(line.split(" ", 1) for line in client.ask("status"))
    assert int(facts["boot"]) == boot + 1, f"boot {facts['boot']} came after {boot}"
    assert facts["not_listening"] == "-", facts["not_listening"]
    for port in ports:  # type: ignore[attr-defined]
        socket.create_connection(("127.0.0.1", port), 5).close()
    daemon.until(lambda: len(client.ask("get *")) == len(DEVICES), f"readings; there are {client.ask('devices')}")
    watching = [daemon.client() for _ in range(5)]
    for each in watching:
        each.ask("watch *")
    return [client, *watching]


def load(clients: list[Client], seconds: float) -> None:
    """Ask and set as fast as answers come."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            for at, client in enumerate(clients):
                client.ask("get *")
                client.ask(f"set key{at} {time.monotonic()}")
    except GatewayError as error:
        raise AssertionError(f"it refused: {error}") from error
