"""BMP180: Bosch's own figures, the registers as the datasheet has them, and what is no reading."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.bmp180 import BMP180, PRESSURE, TEMPERATURE, TRIM, Emulator, Settings, calibration, decode
from tests.drivers.talk import Exchange, follow, meet

WORDS = (408, -72, -14383, 32741, 32757, 23153, 6190, 4, -32768, -8711, 2868)  # datasheet, figure 4
BLOCK = TRIM.pack(*WORDS)


def script(temperature: str, pressure: str, command: int = 0x34, seconds: float = 0.0045) -> list[Exchange]:
    return [
        (Transfer(b"\xd0", 1), b"\x55"),
        (Transfer(b"\xaa", 22), BLOCK),
        (Transfer(b"\xf4\x2e"), b""),
        (Sleep(0.0045), b""),
        (Transfer(b"\xf4", 4), bytes.fromhex(temperature)),
        (Transfer(bytes((0xF4, command))), b""),
        (Sleep(seconds), b""),
        (Transfer(b"\xf4", 5), bytes.fromhex(pressure)),
    ]


def test_example_of_the_datasheet() -> None:
    assert decode(27898, 23843, 0, WORDS) == {TEMPERATURE: 15.0, PRESSURE: 699.64}


def test_on_the_wire() -> None:
    """27898 is 6CFA and 23843 is 5D23."""
    sample = follow(BMP180(Settings()).measure(), script("0e 00 6cfa", "14 00 5d2300"))
    assert sample == {TEMPERATURE: 15.0, PRESSURE: 699.64}


@pytest.mark.parametrize(
    ("oversampling", "command", "seconds"), [(2, 0x74, 0.0075), (4, 0xB4, 0.0135), (8, 0xF4, 0.0255)]
)
def test_oversampling_is_the_same_pressure(oversampling: Literal[2, 4, 8], command: int, seconds: float) -> None:
    device = BMP180(Settings(oversampling))
    sample = follow(device.measure(), script("0e 00 6cfa", f"{command & 0xDF:02x} 00 5d2300", command, seconds))
    assert float(sample[PRESSURE]) == pytest.approx(699.64, abs=0.05)


def test_still_measuring_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="still measuring"):
        follow(BMP180(Settings()).measure(), script("0e 00 6cfa", "34 00 5d2300"))


@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("word", [b"\x00\x00", b"\xff\xff"])
def test_calibration_has_no_such_words(at: int, word: bytes) -> None:
    assert calibration(BLOCK) == WORDS
    with pytest.raises(BadFrame, match="no calibration"):
        calibration(BLOCK[: 2 * at] + word + BLOCK[2 * at + 2 :])


def test_raw_zeros_are_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature"):
        decode(0, 0, 0, WORDS)


def test_a_calibration_that_divides_by_zero_is_no_reading() -> None:
    words = list(WORDS)
    words[10] = -((27898 - words[5]) * words[4] >> 15)
    with pytest.raises(BadValue, match="divides by zero"):
        decode(27898, 23843, 0, tuple(words))


def test_says_what_it_found() -> None:
    emulator = Emulator()
    assert meet(BMP180(Settings()).start(), emulator) == ""
    emulator.registers[0xD0] = 0x58
    with pytest.raises(WrongDevice, match="0x58 is a BMP280; a BMP180 has 0x55"):
        meet(BMP180(Settings()).start(), emulator)
    emulator.registers[0xD0] = 0xFF
    with pytest.raises(BadFrame, match="held"):
        meet(BMP180(Settings()).start(), emulator)
