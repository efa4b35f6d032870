"""SGP40: the wire as the datasheet has it, and two measurements that must agree."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, Sleep, Transfer
from drivers.codec.sensirion import seal
from drivers.sgp40 import SGP40, VOC_RAW, Settings
from tests.drivers.talk import Exchange, follow


def measured(*answers: bytes) -> list[Exchange]:
    command = bytes.fromhex("260f 8000a2 666693")  # the datasheet's own, without compensation
    return [
        step
        for answer in answers
        for step in ((Transfer(command), b""), (Sleep(0.03), b""), (Transfer(read=3), answer))
    ]


def test_measures_twice() -> None:
    assert follow(SGP40(Settings()).measure(), measured(seal(30000), seal(30012))) == {VOC_RAW: 30012}


def test_two_that_differ_are_no_reading() -> None:
    with pytest.raises(BadFrame, match="30000 and 31000"):
        follow(SGP40(Settings()).measure(), measured(seal(30000), seal(31000)))


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="word 0"):
        follow(SGP40(Settings()).measure(), measured(seal(30000), b"\x75\x30\x00"))


def test_serial_number() -> None:
    script: list[Exchange] = [
        (Transfer(b"\x36\x82"), b""),
        (Sleep(0.001), b""),
        (Transfer(read=9), seal(0, 0x0512, 0xA4B8)),
    ]
    assert follow(SGP40(Settings()).start(), script) == "00000512a4b8"
