"""A row of the log: the readings of one commit, of all series, in the order they came."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from drivers.api import Value

Fresh = tuple[int, int, int, Value]  # series (below 0: suspect), milliseconds, number, value


def batched(fresh: Sequence[Fresh]) -> bytes:
    """The row of *fresh*.  Times and numbers are counted from the first: a row is written once a second for ever."""
    _, ms, seq, _ = fresh[0]
    flat: list[Any] = [ms, seq]
    for number, at, each, value in fresh:
        flat += number, at - ms, each - seq, value
    return zlib.compress(msgspec.msgpack.encode(flat), 1)


def unbatched(data: bytes) -> Iterator[tuple[int, int, int, int | float | str, bool]]:
    """What ``batched`` made a row of, and whether each is suspect.  Raises ValueError when it is damaged."""
    try:
        ms, seq, *flat = msgspec.msgpack.decode(zlib.decompress(data))
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError(f"a damaged row of the log: {error}") from None
    for number, at, each, value in zip(*[iter(flat)] * 4, strict=True):
        yield abs(number), at + ms, each + seq, value, number < 0
