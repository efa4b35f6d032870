"""SHTC3: woken, asked and put to sleep, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.codec.sensirion import seal
from drivers.shtc3 import SHTC3, Emulator, Settings
from tests.drivers.talk import Exchange, follow, meet


def measure(answer: bytes) -> dict[str, float]:
    script: list[Exchange] = [
        (Transfer(b"\x35\x17"), b""),
        (Sleep(0.001), b""),
        (Transfer(b"\x78\x66"), b""),
        (Sleep(0.0121), b""),
        (Transfer(read=6), answer),
        (Transfer(b"\xb0\x98"), b""),
    ]
    return {quantity.name: float(value) for quantity, value in follow(SHTC3(Settings()).measure(), script).items()}


def start(identity: bytes) -> str:
    script: list[Exchange] = [
        (Transfer(b"\x35\x17"), b""),
        (Sleep(0.001), b""),
        (Transfer(b"\xef\xc8"), b""),
        (Transfer(read=3), identity),
        (Transfer(b"\xb0\x98"), b""),
    ]
    return follow(SHTC3(Settings()).start(), script)


def test_measures() -> None:
    # 0x6666 = 0.4 of full scale: 25 °C; 0x8000 is half: 50 %
    assert measure(b"\x66\x66\x93\x80\x00\xa2") == pytest.approx({"temperature": 25.0, "humidity": 50.0}, abs=2e-3)


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="word 0"):
        measure(b"\x66\x67\x93\x80\x00\xa2")


def test_impossible_temperature_is_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature"):
        measure(seal(0xFFF0, 0x8000))


def test_knows_its_identity_whatever_the_free_bits_are() -> None:
    assert start(seal(0x0887)) == start(seal(0x0807)) == start(seal(0xF7C7 | 0x0800)) == ""


@pytest.mark.parametrize("identity", [0x0007, 0x0047, 0x0806])
def test_another_chip_is_refused(identity: int) -> None:
    with pytest.raises(WrongDevice, match="no SHTC3"):
        start(seal(identity))


def test_is_left_asleep() -> None:
    device, emulator = SHTC3(Settings()), Emulator()
    meet(device.start(), emulator)
    assert not emulator.awake
    assert meet(device.measure(), emulator) and not emulator.awake
