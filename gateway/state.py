"""What outlives the daemon, and where: a folder with the number of starts, the history's database and what is
remembered."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from gateway.config import History


def state_folder() -> Path:
    """Where the daemon may keep what outlives it: the service's folder, or the user's."""
    if folder := os.environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "device-gateway"


def database(history: History | None, folder: Path | None) -> str | None:
    """Where the history lies: as configured, or in *folder*; None is: in memory."""
    if history is None:
        return None
    return history.path or (str(folder / "history.db") if folder else None)


def next_boot(folder: Path) -> int:
    """Count this start of the daemon.  The number lies in *folder*; where nothing can be written, it is 1 each time."""
    path = folder / "boot"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        boot = int(text) + 1 if text.strip().isdecimal() else 1
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(f"{boot}\n")
            file.flush()
            os.fsync(file.fileno())  # or a power cut may leave an empty file
        fresh.replace(path)
    except OSError as error:
        Logger().warn("no count of starts: {path}: {error}", path=path, error=error)
        return 1
    return boot
