"""What stands in the brackets of a P1 telegram: whole numbers, texts, times, and tables of the past.

    1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)     long power failures: how
                many, of what, and of each when it ended and how long it was
    0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)(200423192538S)(03.695*kW)(200401 ...   Belgium, monthly peaks:
                how many, of what, and of each the month's end, when the peak was and how high

Standard: Netbeheer Nederland "P1 Companion Standard" 5.0.2, section 6; Fluvius "e-MUCS P1".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from drivers.api import BadValue

TIME = re.compile(r"\d{12}[WS]?")
NEVER = ("6325", "7001", "0001")  # how a time begins that never was: nothing was read yet, or the clock not yet set
FAILURES, PEAK = "0-0:96.7.19", "1-0:1.6.0"  # what a table is of


def whole(code: str, number: str) -> int:
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise BadValue(f"{code} {number!r} is no whole number")
    return int(number)


@lru_cache(32)  # a gas meter is read once in five minutes, or once an hour, and a table stays the same for a month
def utc(stamp: str, zone: timedelta) -> str:
    """A time and its season, ``170102192002W``; "" where it has none, or never was."""
    if stamp[-1:] not in ("W", "S") or not TIME.fullmatch(stamp) or stamp.startswith(NEVER):
        return ""
    try:
        moment = datetime.fromisoformat(
            f"20{stamp[:2]}-{stamp[2:4]}-{stamp[4:6]}T{stamp[6:8]}:{stamp[8:10]}:{stamp[10:12]}"
        )
    except ValueError:
        raise BadValue(f"time {stamp}") from None
    return f"{(moment - zone - timedelta(hours=stamp[-1] == 'S')).isoformat()}.000Z"


def text(octets: str) -> str:
    """What hexadecimal octets say, where they say something; else they themselves."""
    try:
        said = bytes.fromhex(octets).decode("ascii")
    except ValueError:
        return octets.strip()
    return said.strip() if said.isprintable() else octets


def last_failure(groups: Sequence[str], zone: timedelta) -> tuple[str, int] | None:
    """When the last long failure of power ended, and how many seconds it was; None where there was none."""
    ended = [(utc(stamp, zone), lasted) for stamp, lasted in rows(groups, FAILURES, 1, 2)]
    when, lasted = max(ended, default=("", ""))
    number, _, unit = lasted.partition("*")
    if when and unit != "s":
        raise BadValue(f"1-0:99.97.0 {lasted!r}: not in seconds")
    return (when, whole("1-0:99.97.0", number)) if when else None


def last_peak(groups: Sequence[str], zone: timedelta) -> tuple[str, str] | None:
    """When the peak of the last whole month was, "" where nobody says, and how high; None where there is no table."""
    months = [(utc(month, zone), when, peak) for month, when, peak in rows(groups, PEAK, 2, 3)]
    month, when, peak = max(months, default=("", "", ""))
    return (utc(when, zone), peak) if month else None


def rows(groups: Sequence[str], what: str, columns: int, wide: int) -> list[tuple[str, ...]]:
    """The rows of a table of *what*, which is said once for each of *columns*; none where it is of something else."""
    if list(groups[1 : 1 + columns]) != [what] * columns:
        return []
    cells = [cell for cell in groups[1 + columns :] if cell]
    if len(cells) != wide * whole(what, groups[0]):
        raise BadValue(f"a table of {groups[0]} {what} with {len(cells)} cells")
    return list(zip(*[iter(cells)] * wide, strict=True))
