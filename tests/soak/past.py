"""The daemon is killed while it writes its history: what it acknowledged is there, and the file is whole."""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import datetime
from pathlib import Path

from gateway.client import Client, GatewayError
from tests.integration.daemon import Daemon, free_port, said
from tests.soak.figures import Tell

BATCH = 3.0  # seconds: a commit a second, and what a busy machine adds to it
LOAD = '[device.{name}]\ndriver = "sht31"\nbus = "i2c:1"\naddress = {address}\nperiod = "20ms"\n'
TABLE = '[history]\npath = "{path}"\n' + LOAD.format(name="attic", address="0x44") + LOAD.format(
    name="cellar", address="0x45"
)  # fmt: skip


def past(folder: Path, rounds: int, tell: Tell) -> str:
    """200 kills at any moment under load: it opens by itself, nothing acknowledged is lost, at most the last batch."""
    dice, port, path = random.Random(200), free_port(), folder / "history.db"
    text, number, longest, readings = TABLE.format(path=path), 0, 0.0, 0
    killed, told = 0.0, list[str]()
    (folder / "gateway.toml").write_text(text)
    for turn in range(rounds):
        (folder / "log").unlink(missing_ok=True)
        daemon = Daemon(folder, text, "--emulate", port=port)
        try:
            client = daemon.client()
            if turn:
                missing, readings = looked_into(client, number, killed, told)
                longest = max(longest, missing)
            setting = Setting(daemon.client(), number) if turn % 3 else None  # whose writes hurry the commits
            seconds = dice.uniform(0, 1.2) if turn % 4 else dice.uniform(0, 0.3)
            time.sleep(seconds)
            told = client.ask("get attic.temperature") if seconds > 1 else []
            killed = time.time()
            daemon.process.kill()
            daemon.process.wait()
            number = setting.end() if setting else number
            client.close()
        finally:
            daemon.kill()
        assert "Traceback" not in daemon.text(), daemon.text()
        if turn % 10 == 9 or turn == rounds - 1:
            found = said(folder, "history", "check", "--config", folder / "gateway.toml").stdout
            assert ": ok; " in found, found
            tell(f"{turn + 1} kills, {number} acknowledged, {readings} readings, the most missing {longest:.2f} s")
    return f"{rounds} kills: {number} writes acknowledged and all there; at most {longest:.2f} s of readings missing"


def looked_into(client: Client, number: int, killed: float, told: list[str]) -> tuple[float, int]:
    """Is everything there that was acknowledged?  How many seconds before the kill are missing, and how many
    readings there are."""
    history = next(line for line in client.ask("status") if line.startswith("history "))
    assert " on " in f" {history} " and ":" not in history, history
    client.ask("json on")
    kept = [json.loads(line) for line in client.ask("range manual.number 0")] if number else []
    values = [row["value"] for row in kept]
    assert values == sorted(values), "numbers out of order"
    assert set(range(1, number + 1)) <= set(values), f"lost {sorted(set(range(1, number + 1)) - set(values))[:10]}"
    newest = [json.loads(line) for line in client.ask(f"range attic.temperature {killed - 60:.3f} {killed:.3f}")]
    assert len({(row["boot"], row["seq"]) for row in newest}) == len(newest), "a reading is there twice"
    client.ask("json off")
    missing = 0.0
    if told:
        times = [datetime.fromisoformat(row["time"]).timestamp() for row in newest]
        missing = killed - max(times, default=0.0)
        assert missing < BATCH, f"{missing:.2f} s before the kill are missing"
    return missing, sum(int(line.split()[1]) for line in client.ask("range attic.temperature 0 now 3650d count"))


class Setting(threading.Thread):
    """Sets one number after the other, and remembers the last that was acknowledged."""

    def __init__(self, client: Client, last: int) -> None:
        super().__init__(daemon=True)
        self.client, self.last = client, last
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.client.ask(f"set number {self.last + 1}")
                self.last += 1
        except GatewayError:
            self.client.close()

    def end(self) -> int:
        self.join(10)
        return self.last
