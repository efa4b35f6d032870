"""TSL2591: the registers as the datasheet has them, the search for a gain, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.tsl2591 import ILLUMINANCE, TSL2591, Emulator, Settings, decode
from tests.drivers.talk import Exchange, follow, meet


def counted(gain: int, answer: str) -> list[Exchange]:
    return [
        (Transfer(b"\xa0\x00"), b""),
        (Transfer(bytes((0xA1, gain << 4))), b""),
        (Transfer(b"\xa0\x03"), b""),
        (Sleep(0.12), b""),
        (Transfer(b"\xb3", 5), bytes.fromhex(answer)),
        (Transfer(b"\xa0\x00"), b""),
    ]


def lux(light: int, infrared: int, gain: int) -> float:
    return float(decode(light, infrared, gain)[ILLUMINANCE])


def test_measures() -> None:
    # 10000 and 2500 at gain 25 in 100 ms: 7500 * 0.75 / (2500 / 408) = 918 lx
    sample = follow(TSL2591(Settings()).measure(), counted(1, "11 1027 c409"))
    assert sample == {ILLUMINANCE: pytest.approx(918.0)}


def test_finds_its_gain_and_keeps_it() -> None:
    device = TSL2591(Settings())
    bright, good = counted(1, "11 ff8f 4023"), counted(0, "11 1027 c409")  # 36863 is full
    assert follow(device.measure(), bright + good) == {ILLUMINANCE: pytest.approx(918.0 * 25)}
    assert follow(device.measure(), good) == {ILLUMINANCE: pytest.approx(918.0 * 25)}
    dim = counted(0, "11 0a00 0200") + counted(1, "11 fa00 3200") + counted(2, "11 be10 2f04")
    assert float(follow(device.measure(), dim)[ILLUMINANCE]) == pytest.approx(22.98, abs=0.1)


def test_emulated_light_is_the_same_at_each_gain() -> None:
    device, emulator = TSL2591(Settings()), Emulator()
    for light in (1.0, 30.0, 1000.0, 20_000.0):
        emulator.light = light
        assert float(meet(device.measure(), emulator)[ILLUMINANCE]) == pytest.approx(light * 2.295, rel=0.02)


def test_too_much_light_is_no_reading() -> None:
    assert lux(35_999, 9000, 1)
    with pytest.raises(BadValue, match="more light"):
        lux(36_863, 9000, 1)


def test_more_infrared_than_light_is_no_reading() -> None:
    assert lux(100, 99, 428)
    with pytest.raises(BadValue, match="infrared"):
        lux(100, 111, 428)


def test_dark_is_a_reading() -> None:
    assert lux(0, 0, 428) == lux(3, 5, 428) == 0


def test_not_measured_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="nothing was measured"):
        follow(TSL2591(Settings()).measure(), counted(1, "10 1027 c409"))


def test_says_what_it_found() -> None:
    for answer in (b"\x00\x50", b"\xc0\x50"):
        assert follow(TSL2591(Settings()).start(), [(Transfer(b"\xb1", 2), answer)]) == ""
    for answer in (b"\x00\x51", b"\x10\x50"):
        with pytest.raises(WrongDevice, match="package and device id"):
            follow(TSL2591(Settings()).start(), [(Transfer(b"\xb1", 2), answer)])
    for answer in (b"\x00\x00", b"\xff\xff"):
        with pytest.raises(BadFrame, match="held"):
            follow(TSL2591(Settings()).start(), [(Transfer(b"\xb1", 2), answer)])
