"""A copy of the database, made while readings go on being written to it.

Between two checkpoints SQLite leaves the database alone and writes to the log beside it (sqlite.org/wal.html, 2.2).  So
the log is emptied, checkpoints wait, and the file is copied: by another process, since closing it in this one would
give up the locks that keep others out (sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Generator
from pathlib import Path

from gateway.history.file import CHECKPOINT, MEMORY, HistoryError
from gateway.history.store import Store

SUFFIX = ".backup"
LOOK = 0.005  # seconds between two looks whether the copy is made


def copied(store: Store) -> Generator[None, None, tuple[str, int]]:
    """Copy all that is kept to a file beside the database: its path, and its size in bytes.  Raises HistoryError."""
    if store.path == MEMORY:
        raise HistoryError("the history is in memory, of which there is no copy")
    path = Path(store.path + SUFFIX)
    store.commit()
    store.db.execute("PRAGMA wal_autocheckpoint=0")
    try:
        while store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # an answer is being read
            yield
        copying = subprocess.Popen(["cp", "--", store.path, path], stderr=subprocess.PIPE, text=True)
        try:
            while copying.poll() is None:
                time.sleep(LOOK)
                yield
        finally:
            copying.kill()
            _, told = copying.communicate()
        if copying.returncode:
            if path.is_file():
                path.unlink()  # half of it
            raise HistoryError(f"no copy: {told.strip()}")
    finally:
        store.db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
    return str(path), path.stat().st_size
