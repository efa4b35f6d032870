"""What there is to be asked about the wall clock: the kernel, the board, the note of an earlier boot, a receiver."""

from __future__ import annotations

import ctypes
from datetime import UTC, datetime
from pathlib import Path

UNSURE = 16_000_000  # µs: the error at which the kernel calls its clock not synchronised (NTP_PHASE_LIMIT)
EARLIEST, LATEST = 1_790_000_000, 2_500_000_000  # Unix times, 2026-09 and 2049-03: what is told may be true


class Timex(ctypes.Structure):
    """The beginning of adjtimex(2)'s struct, and more than enough room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )


def adjtimex() -> int | None:
    """The greatest error of the kernel's clock in µs, or None where a sandbox forbids to ask."""
    timex = Timex()
    asked: int = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return None if asked < 0 else int(timex.maxerror)


def synchronised(root: Path = Path("/")) -> bool:
    """Whether the kernel's clock follows a time source, as its greatest error tells, or as systemd-timesyncd notes.

    The error grows all the time, and only who follows a source makes it small again.  The flag STA_UNSYNC says less:
    chrony leaves it set, unless it is to keep the hardware clock, too."""
    error = adjtimex()
    return (error is not None and error < UNSURE) or (root / "run/systemd/timesync/synchronized").exists()


def may_be_wrong_at_boot(root: Path = Path("/")) -> bool:
    """Whether this is a board that has no clock of its own."""
    return (root / "proc/device-tree").exists() and not (root / "dev/rtc0").exists()


def plausible(wall: float) -> bool:
    """Whether a Unix time can be true; an old receiver is 1024 weeks late after its week counter rolled over."""
    return EARLIEST < wall < LATEST


def last_known(path: Path | None) -> float:
    """The time noted at *path*, as its modification time; 0 when there is none that can be true."""
    try:
        noted = path.stat().st_mtime if path is not None else 0.0
    except OSError:
        return 0.0
    return noted if plausible(noted) else 0.0


def told(text: str) -> float | None:
    """The Unix time in a receiver's words; without a zone it is UTC.  None where that is no time, or none that can
    be true."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    wall = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return wall if plausible(wall) else None
