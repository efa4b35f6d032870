"""Framers: each is shown its answer byte by byte, and what none is."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame
from drivers.codec.framing import Framer, anything, counted, fixed, terminated

LINE = terminated(b"\r\n", b"\n", start=b"+", longest=8)


@pytest.mark.parametrize(
    ("framer", "answer"),
    [
        (LINE, b"+1.5\r\n"),
        (LINE, b"+1.5\n"),
        (terminated(b"\r"), b"\r"),
        (terminated(b">", b"ERROR\r"), b"ERROR\r"),
        (fixed(4, start=b"\xff"), b"\xff\x01\x02\x03"),
        (counted(1, start=b"\x42"), b"\x42\x04\x00\x00"),
        (counted(1, extra=4, start=b"\x42"), b"\x42\x01\x09\x00\x00"),
        (counted(2, 2, "big", extra=4), b"BM\x00\x02\x01\x02"),
        (counted(0, 2, "little"), b"\x03\x00\x07"),
    ],
)
def test_an_answer_is_whole_with_its_last_byte(framer: Framer, answer: bytes) -> None:
    assert all(framer(answer[:size]) == 0 for size in range(len(answer)))
    assert framer(answer) == framer(answer + answer) == len(answer)


@pytest.mark.parametrize(
    ("framer", "good", "bad"),
    [
        (LINE, b"+1\n", b"1\n"),
        (LINE, b"+12345\r\n", b"+123456\r\n"),
        (LINE, b"+1234567", b"+12345678"),
        (fixed(2, start=b"\xff"), b"\xff\x00", b"\x00\xff"),
        (counted(1, start=b"\x42"), b"\x42\x02", b"\x42\x01"),
        (counted(0, 2, longest=10), b"\x00\x0a", b"\x00\x0b"),
        (anything(b"=", longest=3), b"=12", b"12"),
        (anything(b"=", longest=3), b"=12", b"=123"),
    ],
)
def test_what_no_answer_can_be_is_said_at_once(framer: Framer, good: bytes, bad: bytes) -> None:
    assert framer(good) in (0, len(good))
    with pytest.raises(BadFrame):
        framer(bad)


def test_only_silence_ends_anything() -> None:
    assert anything()(b"") == anything()(b"anything at all") == 0
