"""The database's file: opened by one process alone, brought up to today's schema, or set aside when it is damaged."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from importlib.resources import files
from itertools import count
from pathlib import Path

from gateway.history.question import HistoryError as HistoryError

VERSION = 1  # of the schema
MEMORY = ":memory:"
BUSY, READ_ONLY, IO, CORRUPT, FULL, NO_FILE = 5, 8, 10, 11, 13, 14  # sqlite.org/rescode.html
NO_DATABASE = 26
DAMAGE = re.compile("malformed|decode to UTF-8")  # of an error without a code
PAGE = 2048
CHECKPOINT = 500  # pages of the log that are written into the database together


class Busy(HistoryError):
    """Another process has the file."""


class Damaged(HistoryError):
    """What is in the file is no longer a database."""


def connect(path: str) -> sqlite3.Connection:
    """The database at *path*, made when it is not there.  Raises HistoryError, or Damaged."""
    try:
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        for pragma in (
            "locking_mode=EXCLUSIVE",  # one process; and WAL needs no shared memory, which would be one more file
            f"page_size={PAGE}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={CHECKPOINT}",
            "journal_size_limit=8388608",
            "cache_size=-2000",
            "temp_store=MEMORY",
        ):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN IMMEDIATE")
        upgrade(db, path)
        db.execute("COMMIT")
    except sqlite3.Error as error:
        db.close()
        raise told(error, path) from error
    except UnicodeDecodeError as error:  # SQLite says what is wrong in words of the file
        db.close()
        raise Damaged(f"{path} is damaged: {error}") from error
    except BaseException:
        db.close()
        raise
    return db


def upgrade(db: sqlite3.Connection, path: str) -> None:
    """Bring the schema up to today's, within the transaction that is open."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise HistoryError(f"{path} was written by a newer version of the gateway; give it another path, or upgrade")
    for step in range(version + 1, VERSION + 1):
        for statement in (files("gateway.history") / "schema" / f"{step}.sql").read_text().split(";\n"):
            if statement.strip():
                db.execute(statement)
    if version < VERSION:
        db.execute(f"PRAGMA user_version={VERSION}")


def told(error: sqlite3.Error, path: str) -> HistoryError:
    """What *error* means to a person."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (CORRUPT, NO_DATABASE) or (not code and DAMAGE.search(str(error))):
        return Damaged(f"{path} is damaged: {error}")
    if code == BUSY:
        return Busy(f"{path} is in use by another process")
    words = {
        READ_ONLY: "cannot be written: the file or its file system is read-only",
        FULL: "cannot be written: the disk is full",
        IO: f"cannot be written or read: {error}",
        NO_FILE: "cannot be opened: is there such a folder, and may the gateway write into it?",
    }
    return HistoryError(f"{path} {words.get(code, f'cannot be used: {error}')}")


def set_aside(path: str) -> str:
    """Give a damaged database another name; what can be read of it is for `gateway history repair`."""
    stamp = f"{path}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    aside = next(name for number in count() if not os.path.exists(name := f"{stamp}-{number}" if number else stamp))
    for tail in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + tail):
            os.replace(path + tail, aside + tail)
    return aside
