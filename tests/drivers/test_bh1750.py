"""BH1750: the datasheet's figures and commands, and too much light."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.bh1750 import BH1750, ILLUMINANCE, Settings, decode
from tests.drivers.talk import Exchange, follow

Sensitivity = Literal["sun", "normal", "dark"]


def measure(sensitivity: Sensitivity, high: int, low: int, seconds: float, answer: bytes) -> float:
    script: list[Exchange] = [
        (Transfer(bytes((high,))), b""),
        (Transfer(bytes((low,))), b""),
        (Transfer(b"\x20"), b""),
        (Sleep(seconds), b""),
        (Transfer(read=2), answer),
    ]
    return float(follow(BH1750(Settings(sensitivity)).measure(), script)[ILLUMINANCE])


def test_example_of_the_datasheet() -> None:
    assert measure("normal", 0b01000_010, 0b011_00101, 0.18, b"\x83\x90") == pytest.approx(28067, abs=0.5)


def test_other_sensitivities() -> None:
    """M 138 halves the figure (datasheet, page 11); so 31 and 254 make it 69/31 and 69/254 times as much."""
    assert measure("sun", 0b01000_000, 0b011_11111, 0.18 * 31 / 69, b"\x83\x90") == pytest.approx(62471, abs=1)
    assert measure("dark", 0b01000_111, 0b011_11110, 0.18 * 254 / 69, b"\x83\x90") == pytest.approx(7624, abs=1)


def test_dark_is_a_reading() -> None:
    assert decode(b"\x00\x00", 69) == {ILLUMINANCE: 0}


def test_too_much_light_is_no_reading() -> None:
    assert decode(b"\xff\xfe", 69)
    with pytest.raises(BadValue, match="more light"):
        decode(b"\xff\xff", 69)


@pytest.mark.parametrize("answer", [b"", b"\x83", b"\x83\x90\x00"])
def test_wrong_length_is_no_reading(answer: bytes) -> None:
    with pytest.raises(BadFrame, match="in place of 2"):
        decode(answer, 69)
