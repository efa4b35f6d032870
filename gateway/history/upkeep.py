"""``gateway history``: what one does by hand to a database that no gateway has open."""

from __future__ import annotations

import sys
import time
from glob import glob
from itertools import chain
from pathlib import Path

from gateway.history import offline
from gateway.history.file import Busy
from gateway.history.question import HistoryError
from gateway.history.store import Store


def do(what: str, path: str, file: Path | None) -> int:
    """Check the database at *path*, import *file*, or repair it from *file* or all damaged ones beside it.  The exit
    status.  Raises HistoryError and OSError."""
    try:
        return done(what, path, file)
    except Busy as error:
        raise HistoryError(f"{error}: stop the gateway first; `gateway export` asks a running one") from None


def done(what: str, path: str, file: Path | None) -> int:
    if what == "check":
        return check(path)
    if what == "import":
        if file is None:
            raise HistoryError("say which file: gateway history import FILE")
        print(f"{added(path, [file], offline.lines)} readings imported")
        return 0
    damaged = [file] if file is not None else sorted(map(Path, glob(f"{path}.damaged-*[0-9]")))
    if not damaged:
        print(f"nothing damaged beside {path}")
        return 0
    count = added(path, damaged, offline.salvaged)
    print(f"{count} readings saved out of {', '.join(map(str, damaged))}; it is left as it is")
    return 0


def check(path: str) -> int:
    store = Store(path)
    try:
        found = [row[0] for row in store.db.execute("PRAGMA integrity_check")]
        readings = store.db.execute("SELECT sum(n) FROM span").fetchone()[0] or 0
    finally:
        store.close()
    print(f"{path}: {'; '.join(found)}; {readings} readings in {len(store.series)} series, {store.boot} starts")
    return 0 if found == ["ok"] else 1


def added(path: str, files: list[Path], read: offline.Read) -> int:
    for file in files:
        file.open("rb").close()  # or it is told what is wrong
    store, due = Store(path), 0.0

    def tell(count: int) -> None:
        nonlocal due
        if sys.stderr.isatty() and time.monotonic() > due:
            due = time.monotonic() + 0.1
            print(f"\r\033[K{count} readings read", end="", file=sys.stderr, flush=True)

    try:
        return offline.add(store, chain.from_iterable(map(read, files)), tell)
    finally:
        store.close()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
