"""HTS221: the two lines, telling it from its neighbours, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, WrongDevice
from drivers.hts221 import HTS221, HUMIDITY, TEMPERATURE, Emulator, Settings, calibration
from tests.drivers.talk import meet

# 30 % at -2000 and 70 % at -10000; 20 °C (160 eighths) at 100 and 40 °C (320, whose bit 8 stands in 35) at 900
POINTS = bytes.fromhex("3c 8c a0 40 00 04 30 f8 00 00 f0 d8 64 00 84 03")


def test_lines_through_two_points() -> None:
    humid, warmth = calibration(POINTS)
    assert (humid.at(-2000), humid.at(-6000), humid.at(-10000), humid.at(0)) == (30, 50, 70, 20)
    assert (warmth.at(100), warmth.at(500), warmth.at(900), warmth.at(-900)) == (20, 30, 40, -5)


def test_nine_bits_of_both_temperatures() -> None:
    spread = bytearray(POINTS)
    spread[2:6] = bytes((0x20, 0x30, 0x00, 0b1001))  # 256 + 32 and 512 + 48 eighths
    assert calibration(bytes(spread))[1].true == (36, 70)


@pytest.mark.parametrize(
    "raw",
    [bytes(16), b"\xff" * 16, POINTS[:15] + b"\x00", POINTS[:10] + b"\x30\xf8" + POINTS[12:], b"\x8c" + POINTS[1:]],
)
def test_no_calibration(raw: bytes) -> None:
    with pytest.raises(BadFrame, match="no calibration"):
        calibration(raw[:14] + b"\x64\x00" if raw[15] == 0 and raw[0] else raw)


def test_measures_once() -> None:
    device, emulator = HTS221(Settings()), Emulator()
    assert meet(device.start(), emulator) == ""
    assert meet(device.measure(), emulator) == {
        TEMPERATURE: pytest.approx(29.5, abs=2),
        HUMIDITY: pytest.approx(42.5, abs=5),
    }


def test_nothing_new_and_values_beyond_are_no_reading() -> None:
    device, emulator = HTS221(Settings()), Emulator()
    meet(device.start(), emulator)
    with pytest.raises(BadFrame, match="nothing new"):
        meet(device.measure(), emulator, cable=lambda wanted, came: b"\x01" + came[1:] if len(came) == 5 else came)
    with pytest.raises(BadValue, match="humidity"):
        meet(device.measure(), emulator, cable=lambda wanted, came: b"\x03\x00\x80\xe0\x01" if len(came) == 5 else came)


def test_says_what_it_found() -> None:
    for found, error in ((0xBD, WrongDevice), (0x00, BadFrame), (0xFF, BadFrame)):
        emulator = Emulator()
        emulator.memory[0x0F] = found
        with pytest.raises(error):
            meet(HTS221(Settings()).start(), emulator)
