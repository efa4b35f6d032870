"""``gateway export``: readings of the past from a running gateway into a file, which may be continued later."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from gateway.client import Client, GatewayError

COLUMNS = ("name", "time", "value", "unit", "quality", "boot", "seq", "monotonic", "kind", "digits")
WIDE = 30  # characters of the bar
TAIL = 65_536  # bytes in which the last whole line of a file is


def export(client: Client, pattern: str, start: str, end: str, form: str, path: Path | None, resume: bool) -> int:
    """Write what fits *pattern* as *form* ("csv" or "json"); how many readings.  Raises GatewayError."""
    last = left_off(path, form) if resume and path is not None and path.exists() else None
    if path is not None and path.exists() and not resume:
        raise GatewayError(f"{path} is there already; --resume goes on with it, or choose another name")
    file = sys.stdout if path is None else path.open("a", encoding="utf-8", newline="")
    try:
        return write(client, pattern, start, end, form, file, last)
    finally:
        if path is not None:
            file.close()


def write(client: Client, pattern: str, start: str, end: str, form: str, file: TextIO, last: Any) -> int:
    client.ask("json on")
    counts: dict[str, int] = {}
    for row in rows(client, pattern, start, f"{end} 3650d count"):
        counts[row["name"]] = counts.get(row["name"], 0) + row["value"]
    names = sorted(name for name in counts if last is None or name >= last["name"])
    table = csv.DictWriter(file, COLUMNS, lineterminator="\n") if form == "csv" else None
    if table is not None and (file is sys.stdout or not file.tell()):
        table.writeheader()
    count, bar = 0, Bar(sum(counts[name] for name in names))
    for name in names:
        since = last["time"] if last is not None and name == last["name"] and last["time"] else start
        for row in rows(client, name, since, end):
            if last is None or name != last["name"] or (row["boot"], row["seq"]) > (last["boot"], last["seq"]):
                if table is not None:
                    table.writerow({key: row[key] for key in COLUMNS})
                else:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
                bar.show(name, count)
    bar.end(count)
    return count


def rows(client: Client, name: str, start: str, end: str) -> Iterator[dict[str, Any]]:
    """Every reading of *name*, as the gateway sends them page by page."""
    for line in client.say(f"range {name} {start} {end}"):
        yield json.loads(line)


def left_off(path: Path, form: str) -> dict[str, Any] | None:
    """The last whole row of the file at *path*; a torn one behind it is taken away.  Raises GatewayError when it is
    not what ``export`` writes."""
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(size - len(tail) + len(whole))
    lines = whole.decode(errors="replace").splitlines()
    if not lines or lines == [",".join(COLUMNS)]:
        return None
    try:
        if form == "json":
            row = json.loads(lines[-1])
        else:
            row = dict(zip(COLUMNS, next(csv.reader([lines[-1]])), strict=True))
        return {"name": row["name"], "time": row["time"] or None, "boot": int(row["boot"]), "seq": int(row["seq"])}
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise GatewayError(f"{path}: its last line is no reading as `export` writes it: {error}") from None


class Bar:
    """How far it is, on a terminal."""

    def __init__(self, most: int) -> None:
        self.most, self.on = max(1, most), sys.stderr.isatty()
        self.due = 0.0

    def show(self, name: str, count: int) -> None:
        if self.on and time.monotonic() > self.due:
            self.due = time.monotonic() + 0.1
            bar = "#" * min(WIDE, WIDE * count // self.most)
            print(
                f"\r\033[K[{bar:<{WIDE}}] {count} of {self.most} readings, {name}", end="", file=sys.stderr, flush=True
            )

    def end(self, count: int) -> None:
        if self.on:
            print(f"\r\033[K{count} readings", file=sys.stderr)
