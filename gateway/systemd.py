"""What systemd wants to hear (sd_notify(3)), and what it told us."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*states: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1`` and the like, when somebody listens."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as out:  # who does not listen misses it
            out.sendto("\n".join(states).encode(), "\0" + path[1:] if path.startswith("@") else path)


def watchdog() -> float | None:
    """Seconds between two signs of life: half of what systemd waits.  None when it does not watch."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    wait = os.environ.get("WATCHDOG_USEC", "")
    return int(wait) / 2e6 or None if wait.isdecimal() else None
