"""Names, patterns and values, from and to the words of Redis."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

from gateway.interfaces.query.resp.command import Client
from gateway.interfaces.query.resp.wire import Refused
from gateway.reading import Reading, written

PATTERN = 256  # bytes of a name or pattern to look for, at most


def full(client: Client, key: bytes) -> str:
    """The name that *key* stands for; what is no UTF-8 is no name of anything."""
    return client.session.full(key.decode(errors="replace"))


def fresh(client: Client, key: bytes) -> Reading | None:
    """The newest reading of *key*, unless its time is up."""
    reading = client.session.latest.get(full(client, key))
    return None if reading is None or reading.stale() else reading


def bare(reading: Reading) -> bytes:
    """The value and nothing else: a text without quotes."""
    value = reading.value
    text = value if isinstance(value, str) else written(reading.quantity, value)
    return text.encode(errors="backslashreplace")


def glob(pattern: bytes) -> str:
    r"""A pattern of Redis as one of ours: ``\x`` is ``[x]``, ``[^x]`` is ``[!x]``."""
    if len(pattern) > PATTERN:
        raise Refused(f"ERR limit a name or pattern has at most {PATTERN} bytes")
    out, escaped, inside = "", False, False
    for each in pattern.decode(errors="replace"):
        if escaped:
            out, escaped = out + (each if inside else literal(each)), False
        elif each == "\\":
            escaped = True
        else:
            out += "!" if inside and each == "^" and out.endswith("[") else each
            inside = each == "[" or (inside and each != "]")
    return out


def literal(name: str) -> str:
    """A pattern that only *name* itself fits."""
    return re.sub(r"([*?[])", r"[\1]", name)


@lru_cache(maxsize=500)
def matching(pattern: bytes) -> Callable[[str], object]:
    """What tells whether a name fits a pattern of Redis."""
    return re.compile(translate(glob(pattern))).match
