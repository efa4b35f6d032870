"""Bytes into numbers: what every decoder needs, right once."""

from __future__ import annotations

from struct import Struct
from typing import Any

from drivers.api import BadFrame


def signed(value: int, bits: int) -> int:
    """Read the lowest *bits* of *value* as two's complement: 0xF00 in 12 bits is -256."""
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


def unpack(layout: Struct, answer: bytes) -> tuple[Any, ...]:
    """The fields of *answer*.  One that is too short or too long is a BadFrame, never a struct.error."""
    if len(answer) != layout.size:
        raise BadFrame(f"{len(answer)} bytes in place of {layout.size}: {answer.hex(' ')}")
    return layout.unpack(answer)
