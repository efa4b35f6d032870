"""MLX90614: the datasheet's figures, its address and checksum, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Transfer
from drivers.mlx90614 import AMBIENT, MLX90614, OBJECT, Settings, celsius, code, opened
from tests.drivers.talk import Exchange, follow


def said(address: int, command: int, word: int) -> list[Exchange]:
    data = word.to_bytes(2, "little")
    return [(Transfer(bytes((command,)), 3), data + bytes((code(address, command, data),)))]


def started(address: int) -> list[Exchange]:
    script = said(address, 0x2E, 0xBE00 | address)
    for at, word in enumerate((0x1234, 0x5678, 0x9ABC, 0xDEF0)):
        script += said(address, 0x3C + at, word)
    return script


def test_example_of_the_datasheet() -> None:
    assert opened(b"\xd2\x3a\x30", 0x5A, 0x07) == 0x3AD2
    assert celsius(0x3AD2) == pytest.approx(28.01)


def test_ends_of_the_range() -> None:
    """The datasheet has them: 27AD is -70.01 °C and 7FFF is 382.19 °C."""
    assert (celsius(0x27AD), celsius(0x7FFF)) == pytest.approx((-70.01, 382.19))


@pytest.mark.parametrize("address", [0x5A, 0x5D])
def test_learns_its_address(address: int) -> None:
    device = MLX90614(Settings())
    assert follow(device.start(), started(address)) == "123456789abcdef0"
    sample = follow(device.measure(), said(address, 0x06, 14900) + said(address, 0x07, 0x3AD2))
    assert sample == {OBJECT: pytest.approx(28.01), AMBIENT: pytest.approx(24.85)}


def test_the_answer_of_another_address_is_no_reading() -> None:
    device = MLX90614(Settings())
    follow(device.start(), started(0x5A))
    with pytest.raises(BadFrame, match="checksum"):
        follow(device.measure(), said(0x5B, 0x06, 14900))


def test_an_answer_to_another_command_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="checksum"):
        opened(b"\xd2\x3a\x30", 0x5A, 0x06)


@pytest.mark.parametrize("held", [bytes(3), b"\xff" * 3])
def test_a_line_that_is_held_is_no_sensor(held: bytes) -> None:
    with pytest.raises(BadFrame):
        follow(MLX90614(Settings()).start(), [(Transfer(b"\x2e", 3), held)])


def test_error_flag_is_no_reading() -> None:
    device = MLX90614(Settings())
    with pytest.raises(BadValue, match="0x8000 is wrong"):
        follow(device.measure(), started(0x5A) + said(0x5A, 0x06, 0x8000))
