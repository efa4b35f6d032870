"""Numbers in registers, and how many registers are read at once."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, Request
from drivers.codec.modbus import pdu
from drivers.codec.registers import KINDS, Order, Reads, blocks, decode, encode
from tests.drivers.talk import follow

ORDERS: tuple[Order, ...] = get_args(Order)


@pytest.mark.parametrize(
    ("kind", "order", "raw", "number"),
    [
        ("float32", "ABCD", "43 66 33 34", 230.2),  # Eastron's manual
        ("float32", "CDAB", "33 34 43 66", 230.2),
        ("float32", "BADC", "66 43 34 33", 230.2),
        ("float32", "DCBA", "34 33 66 43", 230.2),
        ("int32", "CDAB", "FF FE FF FF", -2),
        ("uint16", "ABCD", "08 D3", 2259),
        ("int16", "BADC", "FE FF", -2),
        ("uint64", "ABCD", "00 01 02 03 04 05 06 07", 0x0001020304050607),
        ("uint64", "CDAB", "06 07 04 05 02 03 00 01", 0x0001020304050607),
        ("uint64", "BADC", "01 00 03 02 05 04 07 06", 0x0001020304050607),
        ("int64", "DCBA", "FE FF FF FF FF FF FF FF", -2),
        ("float64", "ABCD", "3F F8 00 00 00 00 00 00", 1.5),
    ],
)
def test_numbers_lie_in_registers_in_four_ways(kind: str, order: Order, raw: str, number: float) -> None:
    found = decode(kind, bytes.fromhex(raw), order)
    assert found == pytest.approx(number, rel=1e-7)
    assert b"".join(word.to_bytes(2, "big") for word in encode(kind, found, order)) == bytes.fromhex(raw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
def test_each_way_there_has_its_way_back(kind: str, order: Order) -> None:
    words = encode(kind, 17, order)
    raw = b"".join(word.to_bytes(2, "big") for word in words)
    assert decode(kind, raw, order) == 17
    with pytest.raises(BadFrame):
        decode(kind, raw[1:], order)


def test_what_does_not_fit_is_refused() -> None:
    assert encode("uint16", 65535) == (65535,)
    for kind, number in (("uint16", 65536), ("uint16", -1), ("int16", 1.5), ("float32", 1e39)):
        with pytest.raises(BadValue):
            encode(kind, number)


@pytest.mark.parametrize(
    ("spans", "gap", "most", "wanted"),
    [
        ([], 0, 125, ()),
        ([(6, 2), (0, 2), (2, 2)], 0, 125, ((0, 4), (6, 2))),
        ([(0, 2), (6, 2)], 4, 125, ((0, 8),)),
        ([(0, 2), (6, 2)], 3, 125, ((0, 2), (6, 2))),
        ([(0, 4), (2, 1), (0, 4)], 0, 125, ((0, 4),)),
        ([(0, 100), (100, 25), (125, 1)], 0, 125, ((0, 125), (125, 1))),
        ([(0, 124), (124, 2)], 0, 125, ((0, 124), (124, 2))),
        ([(0, 2), (2, 2)], 0, 2, ((0, 2), (2, 2))),
    ],
)
def test_registers_are_read_in_blocks(
    spans: list[tuple[int, int]], gap: int, most: int, wanted: tuple[tuple[int, int], ...]
) -> None:
    assert blocks(spans, gap, most) == wanted


@given(
    spans=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 8)), min_size=1),
    gap=st.integers(0, 20),
    most=st.integers(8, 125),
)
def test_each_span_is_read_whole_and_no_block_too_long(spans: list[tuple[int, int]], gap: int, most: int) -> None:
    reads = Reads(3, spans, gap, most)
    assert all(1 <= request.count <= most for request in reads.requests)
    memory = {at: at.to_bytes(2, "big") for at in range(600)}
    talk = reads.fetch()
    request, got = next(talk), None
    while got is None:
        assert isinstance(request, Request)
        try:
            request = talk.send(b"".join(memory[request.address + at] for at in range(request.count)))
        except StopIteration as done:
            got = done.value
    assert got == tuple(b"".join(memory[start + at] for at in range(count)) for start, count in spans)


def test_spans_come_back_in_their_own_order() -> None:
    reads = Reads(4, [(0x46, 2), (0, 2)], gap=4)
    got = follow(reads.fetch(), [(Request(4, 0, 2), b"\0\1\0\2"), (Request(4, 0x46, 2), b"\0\3\0\4")])
    assert got == (b"\0\3\0\4", b"\0\1\0\2")


def test_a_span_that_is_too_long_is_a_bug() -> None:
    with pytest.raises(ValueError):
        pdu(next(request for request in Reads(3, [(0, 126)]).requests))
