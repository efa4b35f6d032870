"""MAX31855: tables 4 and 5 of the datasheet, the faults, and a bus without a chip."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Transfer
from drivers.max31855 import INTERNAL, MAX31855, TEMPERATURE, Settings, decode
from tests.drivers.talk import follow


@pytest.mark.parametrize(
    ("bits", "celsius"),
    [("01100100000000", 1600), ("00111110100000", 1000), ("00000110010011", 100.75), ("00000001100100", 25)]
    + [("00000000000000", 0), ("11111111111111", -0.25), ("11111111111100", -1), ("11110000011000", -250)],
)
def test_table_4_of_the_datasheet(bits: str, celsius: float) -> None:
    word = int(bits, 2) << 18 | 0x190 << 4
    assert decode(word.to_bytes(4)) == {TEMPERATURE: celsius, INTERNAL: 25}


@pytest.mark.parametrize(
    ("bits", "celsius"),
    [("011111110000", 127), ("011001001001", 100.5625), ("000110010000", 25), ("000000000000", 0)]
    + [("111111111111", -0.0625), ("111111110000", -1), ("111011000000", -20), ("110010010000", -55)],
)
def test_table_5_of_the_datasheet(bits: str, celsius: float) -> None:
    word = 0x64 << 18 | int(bits, 2) << 4
    assert decode(word.to_bytes(4)) == {TEMPERATURE: 25, INTERNAL: celsius}


def test_reads_four_bytes() -> None:
    sample = follow(MAX31855(Settings()).measure(), [(Transfer(read=4), bytes.fromhex("01901900"))])
    assert sample == {TEMPERATURE: 25, INTERNAL: 25}
    assert [quantity.name for quantity in sample] == ["temperature", "temperature_internal"]


@pytest.mark.parametrize(
    ("bits", "words"), [(1, "open"), (2, "touches ground"), (4, "touches the supply"), (5, "open and .* the supply")]
)
def test_faults_have_words(bits: int, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        decode((0x01911900 | bits).to_bytes(4))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("00000000", NoAnswer),
        ("ffffffff", NoAnswer),
        ("01921900", BadFrame),  # a reserved bit
        ("01901908", BadFrame),
        ("01911900", BadFrame),  # a fault without one
        ("01901901", BadFrame),
        ("019019", BadFrame),
        ("7ffc1900", BadValue),  # 2047 °C
    ],
)
def test_no_reading(answer: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        decode(bytes.fromhex(answer))
