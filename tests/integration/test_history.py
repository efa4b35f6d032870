"""The history of a daemon as its users run it: killed at any moment, exported, imported, repaired."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from gateway.history.file import PAGE
from tests.integration.daemon import Daemon, environment, gateway_command, running, said
from tests.soak.past import past

TEXT = """
[history]
path = "{path}"
[device.attic]
driver = "sht31"
bus = "i2c:1"
period = "20ms"
"""


def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    past(tmp_path, 20, lambda step: None)


def filled(folder: Path, count: int = 100) -> str:
    """A configuration whose history holds so many readings, and more."""
    text = TEXT.format(path=folder / "history.db")
    with running(folder, text, "--emulate") as daemon:
        client = daemon.client()
        client.ask('set note "a text, with a comma"')
        daemon.until(lambda: len(client.ask("range attic.temperature -1h")) >= count, "readings")
    return text


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    text = filled(tmp_path)
    with running(tmp_path, text, "--emulate") as daemon:
        port, file = daemon.port, tmp_path / "all.json"
        assert f"{file}: " in said(tmp_path, "export", "--json", "-o", file, "--port", port).stdout
        table = said(tmp_path, "export", "attic.temperature", "--to=-1s", "--port", port).stdout.splitlines()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["name"] for line in lines} == {"attic.temperature", "attic.humidity", "manual.note"}
    assert {line["boot"] for line in lines if line["name"] == "attic.temperature"} == {1, 2}
    assert table[0].startswith("name,time,value,unit,quality,boot,seq") and len(table) > 50
    other = tmp_path / "other"
    other.mkdir()
    (other / "gateway.toml").write_text(TEXT.format(path=other / "history.db"))
    config = ("--config", other / "gateway.toml")
    assert said(tmp_path, "history", "import", file, *config).stdout == f"{len(lines)} readings imported\n"
    assert said(tmp_path, "history", "import", file, *config).stdout == "0 readings imported\n"
    with running(other, TEXT.format(path=other / "history.db"), "--emulate") as daemon:
        assert daemon.facts()["boot"] == "3"
        busy = said(tmp_path, "history", "check", *config, status=1).stderr
        assert "history.db is in use by another process: stop the gateway first" in busy
        again = other / "again.json"
        said(tmp_path, "export", "--json", "-o", again, "--port", daemon.port)
    assert [json.loads(line) for line in again.read_text().splitlines() if json.loads(line)["boot"] < 3] == lines


def test_an_export_that_was_cut_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    text = filled(tmp_path)
    with running(tmp_path, text.replace('"20ms"', '"1h"'), "--emulate") as daemon:
        whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
        end = ("--to", daemon.ask("status")[0].split()[1], "--port", daemon.port)
        said(tmp_path, "export", "-o", whole, *end)
        refused = said(tmp_path, "export", "-o", whole, *end, status=1)
        assert "--resume goes on with it" in refused.stderr
        data = whole.read_bytes()
        above, below = os.openpty()
        words = gateway_command("export", "-o", tmp_path / "shown.csv", *end)
        subprocess.run(words, stderr=below, check=True, env=environment(tmp_path))
        count, shown = data.count(b"\n") - 1, os.read(above, 10_000).decode()
        os.close(above)
        os.close(below)
        assert re.search(rf"\[#* *\] \d+ of {count} readings, attic.humidity", shown)
        assert shown.endswith(f"{count} readings\r\n")
        for size in (len(data) // 3, len(data) - 4, 20):
            part.write_bytes(data[:size])
            said(tmp_path, "export", "-o", part, "--resume", *end)
            assert part.read_bytes() == data
        part.write_text("something else\n")
        assert "part.csv: its last line" in said(tmp_path, "export", "-o", part, "--resume", *end, status=1).stderr


def test_a_damaged_database_is_set_aside_and_its_readings_saved(tmp_path: Path) -> None:
    text = filled(tmp_path, 300)
    path, config = tmp_path / "history.db", ("--config", tmp_path / "gateway.toml")
    with running(tmp_path, text.replace('"20ms"', '"1h"'), "--emulate"):
        pass  # what the log held is in blocks now
    before = [row["seq"] for row in rows(tmp_path, text) if row["boot"] == 1]
    with sqlite3.connect(path) as db:
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name='log'")
    db.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * PAGE : root * PAGE] = b"\xff" * PAGE
    path.write_bytes(data)
    refused = said(tmp_path, "history", "check", *config, status=1).stderr
    assert "history.db is damaged" in refused and "Traceback" not in refused
    with running(tmp_path, text.replace('"20ms"', '"1h"'), "--emulate") as daemon:
        assert "see `gateway history repair`" in daemon.text()
        assert daemon.facts()["history"].startswith(f"on {path}")
    (aside,) = tmp_path.glob("history.db.damaged-*")
    assert aside.read_bytes() == data
    assert f"saved out of {aside}" in said(tmp_path, "history", "repair", *config).stdout
    assert [row["seq"] for row in rows(tmp_path, text) if row["boot"] == 1] == before and len(before) >= 300
    assert aside.exists()


def rows(folder: Path, text: str) -> list[dict[str, Any]]:
    """All that the history has of the temperature."""
    with running(folder, text.replace('"20ms"', '"1h"'), "--emulate") as daemon:
        out = said(folder, "export", "attic.temperature", "--json", "--port", daemon.port).stdout
    return [json.loads(line) for line in out.splitlines()]


def test_without_room_it_says_so_and_goes_on(tmp_path: Path) -> None:
    text = TEXT.format(path="/proc/history/history.db")
    daemon = Daemon(tmp_path, text, "--emulate")
    try:
        client = daemon.client()
        daemon.until(lambda: len(client.ask("range attic.temperature -1h")) > 10, "readings in memory")
        history = next(line for line in client.ask("status") if line.startswith("history "))
        assert history.startswith("history in memory: /proc/history/history.db"), history
        daemon.stop()
    finally:
        daemon.kill()
