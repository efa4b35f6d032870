"""MAX6675: steps of a quarter, an open thermocouple, and a bus without a chip."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Transfer
from drivers.max6675 import MAX6675, TEMPERATURE, Settings, decode
from tests.drivers.talk import follow


@pytest.mark.parametrize(("word", "celsius"), [(0x7FF8, 1023.75), (0x0008, 0.25), (0x0C80, 100), (0x0C81, 100)])
def test_twelve_bits_of_a_quarter(word: int, celsius: float) -> None:
    assert follow(MAX6675(Settings()).measure(), [(Transfer(read=2), word.to_bytes(2))]) == {TEMPERATURE: celsius}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("0000", NoAnswer),
        ("ffff", NoAnswer),
        ("8c80", BadFrame),
        ("0c82", BadFrame),
        ("0c", BadFrame),
        ("0c84", BadValue),
    ],
)
def test_no_reading(raw: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        decode(bytes.fromhex(raw))
