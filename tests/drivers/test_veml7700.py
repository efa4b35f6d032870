"""VEML7700: Vishay's own figures, the search for a sensitivity, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.veml7700 import ILLUMINANCE, STEPS, VEML7700, Emulator, Settings, decode, straight
from tests.drivers.talk import Exchange, follow, meet


def counted(word: int, seconds: float, count: int, found: int | None = None) -> list[Exchange]:
    written = word.to_bytes(2, "little")
    read = written if found is None else found.to_bytes(2, "little")
    return [
        (Transfer(b"\x00" + written), b""),
        (Sleep(0.003 + 2 * seconds), b""),
        (Transfer(b"\x04", 2), count.to_bytes(2, "little")),
        (Transfer(b"\x00", 2), read),
        (Transfer(b"\x00\x11\x00"), b""),
    ]


def test_table_of_the_application_note() -> None:
    assert [step.lux for step in STEPS] == pytest.approx([0.5376, 0.0672, 0.0084])


def test_correction_of_the_application_note() -> None:
    assert straight(1500) == pytest.approx(1658, abs=1)


def test_measures() -> None:
    sample = follow(VEML7700(Settings()).measure(), counted(0x1010, 0.1, 1000))
    assert sample == {ILLUMINANCE: pytest.approx(537.6)}
    sample = follow(VEML7700(Settings()).measure(), counted(0x1010, 0.1, 3000))
    assert sample == {ILLUMINANCE: pytest.approx(straight(1612.8))}


def test_finds_its_sensitivity_and_keeps_it() -> None:
    device = VEML7700(Settings())
    dim = counted(0x1010, 0.1, 20) + counted(0x0010, 0.1, 160)
    assert follow(device.measure(), dim) == {ILLUMINANCE: pytest.approx(160 * 0.0672)}
    darker = counted(0x0010, 0.1, 99) + counted(0x0890, 0.4, 792)
    assert follow(device.measure(), darker) == {ILLUMINANCE: pytest.approx(792 * 0.0084)}
    lit = counted(0x0890, 0.4, 0xFFFF) + counted(0x0010, 0.1, 20000) + counted(0x1010, 0.1, 2500)
    assert follow(device.measure(), lit) == {ILLUMINANCE: pytest.approx(straight(1344.0))}


def test_dark_is_a_reading() -> None:
    device = VEML7700(Settings())
    device.at = 2
    assert follow(device.measure(), counted(0x0890, 0.4, 0)) == {ILLUMINANCE: 0}


def test_too_much_light_is_no_reading() -> None:
    assert decode(40_000, STEPS[0])
    for count in (0xFFFF, 60_000):
        with pytest.raises(BadValue):
            decode(count, STEPS[0])


def test_one_that_lost_power_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="1010 written, 0001 read"):
        follow(VEML7700(Settings()).measure(), counted(0x1010, 0.1, 1000, 0x0001))


def test_what_does_not_keep_its_configuration_is_no_veml7700() -> None:
    assert meet(VEML7700(Settings()).start(), Emulator()) == ""
    script: list[Exchange] = [(Transfer(b"\x00\x11\x00"), b""), (Transfer(b"\x00", 2), b"\x00\x00")]
    with pytest.raises(BadFrame, match="no VEML7700"):
        follow(VEML7700(Settings()).start(), script)
