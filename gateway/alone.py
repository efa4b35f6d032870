"""Who runs in a state folder: any number of gateways, or one ``gateway safe`` alone."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO


def claim(folder: Path, alone: bool = False) -> TextIO | None:
    """The folder, until the result is closed or this process has ended, however.  A gateway waits until a ``safe`` has
    ended, which takes seconds.  Raises BlockingIOError when one is to be *alone* and is not.  None: the folder cannot
    be written, so nobody is kept out."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
    except OSError:
        file.close()
        raise
    return file
