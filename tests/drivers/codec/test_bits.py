"""Sign extension and exact unpacking, which so many drivers elsewhere get wrong on their own."""

from __future__ import annotations

from struct import Struct

import pytest

from drivers.api import BadFrame
from drivers.codec.bits import signed, unpack


@pytest.mark.parametrize(
    ("value", "bits", "number"),
    [
        (0xF00, 12, -256),
        (0x7FF, 12, 2047),
        (0x800, 12, -2048),
        (0xFFFF, 16, -1),
        (0, 16, 0),
        (0x1FF, 8, -1),
        (1, 1, -1),
    ],
)
def test_signed(value: int, bits: int, number: int) -> None:
    assert signed(value, bits) == number


@pytest.mark.parametrize("size", [0, 2, 4])
def test_unpack_wants_every_byte_and_no_more(size: int) -> None:
    assert unpack(Struct(">BH"), b"\x01\x02\x03") == (1, 0x0203)
    with pytest.raises(BadFrame, match=f"{size} bytes in place of 3"):
        unpack(Struct(">BH"), bytes(size))
