"""AM2320: the datasheet's frame, frost, the sleep before the first answer, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.am2320 import AM2320, HUMIDITY, TEMPERATURE, Settings, decode, opened
from drivers.api import BadFrame, BadValue, NoAnswer, Sleep, Transfer
from drivers.codec.crc import crc16_modbus
from tests.drivers.talk import Exchange, follow

FRAME = bytes.fromhex("03 04 01 f4 00 fa 31 a5")


def framed(body: str) -> bytes:
    raw = bytes.fromhex(body)
    return raw + crc16_modbus(raw).to_bytes(2, "little")


def asked(answer: bytes, wake: bytes | NoAnswer) -> list[Exchange]:
    return [
        *((Transfer(b"\x00"), wake), (Sleep(0.001), b""), (Transfer(b"\x03\x00\x04"), b"")),
        *((Sleep(0.002), b""), (Transfer(read=8), answer)),
    ]


def test_example_of_the_datasheet() -> None:
    assert decode(opened(FRAME)) == {TEMPERATURE: 25.0, HUMIDITY: 50.0}


def test_it_sleeps_and_its_first_answer_is_old() -> None:
    """The first call is not acknowledged, and what it then tells was measured long ago."""
    old = framed("03 04 03 20 01 2c")
    script = [*asked(old, NoAnswer("asleep")), (Sleep(2.0), b""), *asked(FRAME, b"")]
    assert follow(AM2320(Settings()).measure(), script) == {TEMPERATURE: 25.0, HUMIDITY: 50.0}


def test_frost_has_a_minus_of_its_own() -> None:
    assert decode(opened(framed("03 04 01 f4 80 65")))[TEMPERATURE] == -10.1


@pytest.mark.parametrize("raw", ["03 04 01 f4 00 fa 31 a4", "03 04 01 f4 00 fa 31", "00 00 00 00 00 00 00 00"])
def test_wrong_checksums(raw: str) -> None:
    with pytest.raises(BadFrame, match="CRC"):
        opened(bytes.fromhex(raw))


def test_an_error_of_its_own_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="no answer to what was asked"):
        opened(framed("83 80 00 00 00 00"))
    with pytest.raises(BadValue, match="humidity"):
        decode(opened(framed("03 04 03 e9 00 fa")))
