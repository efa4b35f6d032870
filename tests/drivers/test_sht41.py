"""SHT4x: the wire as the datasheet has it, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.codec.sensirion import seal
from drivers.sht41 import Settings, SHT4x
from tests.drivers.talk import Exchange, follow


def measure(answer: bytes) -> dict[str, float]:
    script: list[Exchange] = [(Transfer(b"\xfd"), b""), (Sleep(0.0083), b""), (Transfer(read=6), answer)]
    return {quantity.name: float(value) for quantity, value in follow(SHT4x(Settings()).measure(), script).items()}


def test_measures() -> None:
    # 0x6666 = 0.4 of full scale: -45 + 175 * 0.4 = 25 °C; 0x8000 is half: -6 + 62.5 %
    assert measure(b"\x66\x66\x93\x80\x00\xa2") == pytest.approx({"temperature": 25.0, "humidity": 56.501}, abs=1e-3)


def test_what_the_formula_gives_beyond_100_is_not_cut() -> None:
    # (101 + 6) / 125 of full scale; at most 119
    assert measure(seal(0x6666, 56098))["humidity"] == pytest.approx(101.0, abs=1e-2)
    assert measure(seal(0x6666, 0xFFFF))["humidity"] == 119


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="word 1"):
        measure(b"\x66\x66\x93\x80\x00\xa3")


@pytest.mark.parametrize("held", [b"\xff" * 6, b"\x00" * 6])
def test_line_that_is_held_is_no_reading(held: bytes) -> None:
    with pytest.raises(BadFrame):
        measure(held)


def test_impossible_temperature_is_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature 130"):
        measure(seal(0xFFFF, 0x8000))


def test_serial_number() -> None:
    script: list[Exchange] = [(Transfer(b"\x89"), b""), (Sleep(0.001), b""), (Transfer(read=6), seal(0xBEEF, 0x1234))]
    assert follow(SHT4x(Settings()).start(), script) == "beef1234"


@pytest.mark.parametrize(("repeatability", "command"), [("low", b"\xe0"), ("medium", b"\xf6")])
def test_other_repeatabilities(repeatability: str, command: bytes) -> None:
    assert next(SHT4x(Settings(repeatability)).measure()) == Transfer(command)  # type: ignore[arg-type]
