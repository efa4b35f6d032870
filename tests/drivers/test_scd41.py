"""SCD40 and SCD41: Sensirion's own figures, waiting for a measurement, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.codec.sensirion import seal, words
from drivers.scd41 import Emulator, SCD4x, Settings, decode
from tests.drivers.talk import Exchange, follow, meet

EXAMPLE = bytes.fromhex("01f433 6667a2 5eb93c")  # datasheet, "read_measurement"
STARTED: list[Exchange] = [
    (Transfer(b"\x3f\x86"), b""),
    (Sleep(0.5), b""),
    (Transfer(b"\x36\x82"), b""),
    (Sleep(0.001), b""),
    (Transfer(read=9), bytes.fromhex("f89631 9f07c2 3bbe89")),  # datasheet, "get_serial_number"
]
BEGUN: list[Exchange] = [(Transfer(b"\x21\xb1"), b"")]
READ: list[Exchange] = [(Transfer(b"\xec\x05"), b""), (Sleep(0.001), b""), (Transfer(read=9), EXAMPLE)]


def asked(ready: int) -> list[Exchange]:
    return [(Transfer(b"\xe4\xb8"), b""), (Sleep(0.001), b""), (Transfer(read=3), seal(ready))]


def test_example_of_the_datasheet() -> None:
    sample = {quantity.name: value for quantity, value in decode(words(EXAMPLE, 3)).items()}
    assert sample == pytest.approx({"co2": 500, "temperature": 25.0, "humidity": 37.0}, abs=5e-3)


def test_serial_number() -> None:
    assert follow(SCD4x(Settings()).start(), STARTED + BEGUN) == "f8969f073bbe"


def test_settings_reach_the_sensor() -> None:
    told: list[Exchange] = [
        (Transfer(b"\x24\x27\x03\xe8\xd4"), b""),  # 1000 m
        (Sleep(0.001), b""),
        (Transfer(b"\x24\x16\x00\x00\x81"), b""),
        (Sleep(0.001), b""),
    ]
    follow(SCD4x(Settings(altitude=1000, self_calibration=False)).start(), STARTED + told + BEGUN)


def test_an_altitude_that_no_place_has_is_refused() -> None:
    assert Settings(altitude=3000)
    with pytest.raises(ValueError, match=r"0\.\.3000"):
        Settings(altitude=8848)


def test_waits_until_it_is_ready() -> None:
    script = STARTED + BEGUN + asked(0x8000) + [(Sleep(1.0), b"")] + asked(0x8006) + READ
    assert len(follow(SCD4x(Settings()).measure(), script)) == 3


def test_one_that_lost_power_is_started_again() -> None:
    device, emulator = SCD4x(Settings()), Emulator()
    assert meet(device.measure(), emulator)
    emulator.measures = False
    with pytest.raises(BadFrame, match="perhaps it lost power"):
        meet(device.measure(), emulator)
    assert meet(device.measure(), emulator)


def test_no_carbon_dioxide_at_all_is_no_reading() -> None:
    assert decode([1, 0x6667, 0x5EB9])
    with pytest.raises(BadValue, match="co2 0 ppm"):
        decode([0, 0x6667, 0x5EB9])


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="word 0"):
        words(b"\x01\xf5" + EXAMPLE[2:], 3)
