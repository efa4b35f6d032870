"""``gateway record``: what went over a device's wire, from a running gateway into a file that replays.  No Twisted."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from gateway.client import Client, GatewayError
from gateway.recording import Piece, heading, lines

MOST = 8000  # lines that the gateway gives at once, more than it remembers
Row = dict[str, Any]


def record(client: Client, device: str, minutes: float | None, live: bool, file: Path | None) -> int:
    """Write what the gateway remembers of *device*: all, or the last *minutes*; with *live* what follows, too, until
    Ctrl-C."""
    client.ask("json on")
    about = described(client, device)
    rows = following(client, device) if live else iter(remembered(client, device, minutes, about))
    try:
        out = file.open("w") if file else sys.stdout
    except OSError as error:
        raise GatewayError(f"{file}: {error.strerror}") from error
    try:
        count = write(out, about, rows, live)
    finally:
        if file:
            out.close()
    if not count:
        when = "yet" if minutes is None else f"in the last {60 * minutes:g} s"
        print(f"gateway: nothing went over the wire of {device} {when}", file=sys.stderr)
    elif file:
        print(f"{file}: {count} bytes; `gateway replay {shlex.quote(str(file))}` plays it", file=sys.stderr)
    return 0 if count else 1


def described(client: Client, device: str) -> dict[str, str]:
    """The first lines of the recording.  Raises GatewayError where there is no such device."""
    found = [json.loads(line) for line in client.ask(f"devices {device}")]
    if len(found) != 1:
        raise GatewayError(f"{device}: no such device; `gateway devices` lists them")
    about: Row = found[0]
    try:
        release = version("device-gateway")
    except PackageNotFoundError:
        release = "unknown"
    return {
        "device": about["name"],
        **{key: str(about[key]) for key in ("driver", "where", "period")},
        "settings": json.dumps(about["settings"], ensure_ascii=False),
        "gateway": release,
    }


def remembered(client: Client, device: str, minutes: float | None, about: dict[str, str]) -> list[Row]:
    """What is asked for of *device*; *about* is told where it goes on after how the connection began."""
    facts = {key: fact for line in client.ask("status") for key, fact in json.loads(line).items()}
    rows = list(asked(client, device))
    if minutes is None:
        return rows
    since = facts["uptime"] - 60 * minutes
    rows = last(rows, since)
    late = next((row["monotonic"] for row in rows if row["monotonic"] >= since), 0.0)
    if rows and rows[0]["monotonic"] < since:
        about["resumed"] = f"{late - rows[0]['monotonic']:.3f}"
    return rows


def last(rows: list[Row], since: float) -> list[Row]:
    """Those from second *since* on, and how their connection began, if that was a conversation: without it no driver
    understands the rest."""
    early, late = [[row for row in rows if (row["monotonic"] >= since) is wanted] for wanted in (False, True)]
    while early and not early[-1].get("opening"):
        early.pop()
    at = next((at for at in range(len(early), 0, -1) if not early[at - 1].get("opening")), 0)
    began = early[at:]
    asked = any(row["way"] == ">" for row in began) and not (late and late[0].get("opening"))
    return [*began, *late] if asked and late else late


def asked(client: Client, device: str) -> Iterator[Row]:
    return map(json.loads, client.ask(f"log {device} {MOST}"))


def following(client: Client, device: str) -> Iterator[Row]:
    """What is remembered, as a replay needs the beginning, and what comes."""
    client.ask(f"log {device} live")
    last = -1.0
    for row in asked(client, device):
        last = row["monotonic"]
        yield row
    for line in client.follow(f"log {device} live"):  # it does already; what came meanwhile is given first
        row = json.loads(line)
        if row["monotonic"] > last:
            yield row


def write(out: TextIO, about: dict[str, str], rows: Iterable[Row], live: bool) -> int:
    """Write the recording, each line at once, and show how it goes.  Gives the number of bytes in it."""
    began, first, count = time.monotonic(), 0.0, 0
    try:
        for row in rows:
            if "lost" in row:
                print(f"# {row['lost']} lines were lost here: this reader was too slow", file=out)
                continue
            if not count:
                first = row["monotonic"]
                date = {"date": row["time"]} if row["time"] else {}
                print("\n".join(heading(about | date)), file=out)
            data = bytes.fromhex(row["hex"])
            count += len(data)
            print("\n".join(lines([Piece(max(0.0, row["monotonic"] - first), row["way"], data)])), file=out, flush=live)
            if live and sys.stderr.isatty():
                told = f"{time.monotonic() - began:.0f} s, {count} bytes; Ctrl-C ends it"
                print(f"\r\033[K{told}", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
    return count
