"""``gateway export``: readings of the past from a running gateway into a file, which may be continued later."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from gateway.client import Client, GatewayError

COLUMNS = ("name", "time", "value", "unit", "quality", "boot", "seq", "monotonic", "kind", "digits")
ALL = "3650d count"
WIDE = 30  # characters of the bar
TAIL = 65_536  # bytes in which the last whole line of a file is


def export(client: Client, pattern: str, start: str, end: str, form: str, path: Path | None, resume: bool) -> int:
    """Write what fits *pattern* as *form* ("csv" or "json"); how many readings.  Raises GatewayError."""
    try:
        last = left_off(path, form) if resume and path is not None and path.exists() else None
        if path is not None and path.exists() and not resume:
            raise GatewayError(f"{path} is there already; --resume goes on with it, or choose another name")
        client.ask("json on")
        bar = Bar(client, pattern, start, end, last)
        found = rows(client, f"{pattern} {start} {end}{last.behind if last else ''}")
        first = list(islice(found, 1))  # what is refused is refused before there is a file
        if path is None:
            return write(chain(first, found), form, sys.stdout, bar, begins=True)
        with path.open("a", encoding="utf-8", newline="") as file:
            return write(chain(first, found), form, file, bar, begins=not file.tell())
    except OSError as error:
        if path is None:
            raise
        raise GatewayError(f"{path}: {error.strerror}") from None


def write(rows: Iterable[dict[str, Any]], form: str, file: TextIO, bar: Bar, begins: bool) -> int:
    table = csv.DictWriter(file, COLUMNS) if form == "csv" else None
    if table is not None and begins:
        table.writeheader()
    count = 0
    for row in rows:
        if table is not None:
            table.writerow({key: row[key] for key in COLUMNS})
        else:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
        bar.show(row["name"], count)
    bar.end(count)
    return count


def rows(client: Client, words: str) -> Iterator[dict[str, Any]]:
    """Every reading that is asked for, as the gateway sends them page by page."""
    for line in client.say(f"range {words}"):
        yield json.loads(line)


@dataclass(frozen=True, slots=True)
class Last:
    """The last reading of a file."""

    name: str
    time: str  # empty where that was not known
    boot: int
    ms: int
    seq: int

    @property
    def behind(self) -> str:
        return f" after={self.name}@{self.boot}-{self.ms}-{self.seq}"


def left_off(path: Path, form: str) -> Last | None:
    """The last whole row of the file at *path*; a torn one behind it is taken away.  Raises GatewayError when it is
    not what ``export`` writes."""
    with path.open("rb+") as file:
        before = max(0, file.seek(0, 2) - TAIL)
        quoted = form == "csv" and odd_quotes(file, before)
        file.seek(before)
        tail = file.read()
        ends = row_ends(tail, form, quoted)
        file.truncate(before + (ends[-1] if ends else 0))
    if not ends:
        return None
    line = tail[ends[-2] if len(ends) > 1 else 0 : ends[-1]].decode(errors="replace")
    if line.rstrip() == ",".join(COLUMNS):
        return None
    try:
        if form == "json":
            row = json.loads(line)
        else:
            row = dict(zip(COLUMNS, next(csv.reader(io.StringIO(line, newline=""))), strict=True))
        ms = round(float(row["monotonic"]) * 1000)
        return Last(str(row["name"]), row["time"] or "", int(row["boot"]), ms, int(row["seq"]))
    except (ValueError, KeyError, TypeError, StopIteration, csv.Error) as error:
        raise GatewayError(f"{path}: its last line is no reading as `export` writes it: {error}") from None


def odd_quotes(file: BinaryIO, before: int) -> bool:
    """Whether the byte at *before* stands within quotes, where a text may have lines of its own."""
    file.seek(0)
    count = 0
    while before and (part := file.read(min(before, TAIL))):
        count, before = count + part.count(b'"'), before - len(part)
    return count % 2 == 1


def row_ends(data: bytes, form: str, quoted: bool) -> list[int]:
    """Where rows end in *data*, which may begin *quoted*."""
    ends = []
    for found in re.finditer(rb'["\n]' if form == "csv" else rb"\n", data):
        if found[0] == b'"':
            quoted = not quoted
        elif not quoted:
            ends.append(found.end())
    return ends


class Bar:
    """How far it is, on a terminal.  How many there are is asked for beforehand: a boot without a time is not counted,
    and what comes meanwhile is not either."""

    def __init__(self, client: Client, pattern: str, start: str, end: str, last: Last | None) -> None:
        self.on, self.due, self.most = sys.stderr.isatty(), 0.0, 0
        if self.on:
            for row in rows(client, f"{pattern} {start} {end} {ALL}"):
                self.most += row["value"] if last is None or row["name"] > last.name else 0
            if last is not None:
                since = last.time or start
                self.most += sum(row["value"] for row in rows(client, f"{last.name} {since} {end} {ALL}"))

    def show(self, name: str, count: int) -> None:
        if self.on and time.monotonic() > self.due:
            self.due = time.monotonic() + 0.1
            most = max(count, self.most)
            bar = "#" * (WIDE * count // most)
            print(f"\r\033[K[{bar:<{WIDE}}] {count} of {most} readings, {name}", end="", file=sys.stderr, flush=True)

    def end(self, count: int) -> None:
        if self.on:
            print(f"\r\033[K{count} readings", file=sys.stderr)
