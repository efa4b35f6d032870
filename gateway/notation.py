"""How single values are written in the configuration: durations, sizes, names, words.

Each function takes what TOML gave and returns what it means, in SI units, or raises ValueError with what is wrong
and the way out.  None of them knows about files, keys or lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import isfinite
from os.path import commonprefix
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Za-z]+)")
DEVICE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
HOST = re.compile(rf"{LABEL}(\.{LABEL})*")


def nearest(word: object, known: Iterable[str]) -> str:
    """What may have been meant by *word*: the end of a sentence, empty when nothing known is like it."""
    from difflib import SequenceMatcher, get_close_matches  # a mistake is rare, and this import is not small

    word = str(word).lower()
    near = get_close_matches(word, known, 3)
    if not near:
        return ""
    best = max(near, key=lambda each: (SequenceMatcher(None, each, word).ratio(), len(commonprefix((each, word)))))
    return f"; did you mean `{best}`?"


def text(value: Any) -> str:
    """Words for people, on one line."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f'{value!r} must be text on one line, in quotes: "..."')
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} must be true or false, without quotes")
    return value


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"{value!r} must be a number, without quotes")
    return float(value)


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A whole number from *low* to *high*."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{value!r} must be a whole number from {low} to {high}, without quotes")
        return value

    return read


def one_of(choices: tuple[T, ...]) -> Callable[[Any], T]:
    """One of a few words or numbers."""

    def read(value: Any) -> T:
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return choice
        known = ", ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices)
        raise ValueError(f"{value!r} is none of {known}{nearest(value, [c for c in choices if isinstance(c, str)])}")

    return read


def duration(value: Any) -> float:
    """Seconds, above 0, from a number of them or a text such as "10m"."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value > 0:
        return float(value)
    match = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match and match[2] in SECONDS and float(match[1]) > 0:
        return float(match[1]) * SECONDS[match[2]]
    raise ValueError(f'{value!r} is no duration; write "500ms", "10s", "10m", "1h", "400d", or a number of seconds')


def size(value: Any) -> int:
    """Bytes, 1 or more, from a number of them or a text such as "1GB"."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match:
        for unit, factor in BYTES.items():
            if unit.lower() == match[2].lower() and float(match[1]) * factor >= 1:
                return int(float(match[1]) * factor)
    raise ValueError(f'{value!r} is no size; write "64kB", "500MB", "1GB", or a number of bytes')


def path(value: Any) -> str:
    """A path from the root: the daemon runs in no folder that anybody would expect."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise ValueError(f"{value!r} must be a full path, beginning with /")
    return value


def host(value: Any) -> str:
    """A host's name, in lower case, without scheme or port."""
    if not isinstance(value, str) or not HOST.fullmatch(value):
        raise ValueError(f'{value!r} is no host name; write "gateway.example.org", without http:// and port')
    return value.lower()


def device_name(name: str) -> None:
    """See that a device may have this *name*."""
    if name == "manual":
        raise ValueError("`manual` is built in, for values set by hand; choose another name")
    if not DEVICE.fullmatch(name):
        better = re.sub(r"[^a-z0-9_.-]+", "_", name.lower()).strip("._")
        way = f", such as `{better}`" if DEVICE.fullmatch(better) else ""
        raise ValueError(f"a device's name has lower-case letters, digits, _ and -, and dots between{way}")
