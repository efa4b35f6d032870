"""LM75, LM75B, TMP102, TMP105, TMP75: the tables of their datasheets, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import I2C, BadFrame, BadValue, DeviceError, Sample, Sleep, Transfer
from drivers.lm75 import CHIPS, DRIVER, Emulator, Settings, Thermometer, decode
from tests.drivers.talk import Exchange, follow, meet


def value(sample: Sample) -> object:
    ((_, celsius),) = sample.items()
    return celsius


def measured(name: str, answer: str) -> object:
    talk = Thermometer(CHIPS[name], Settings()).measure()
    return value(follow(talk, [(Transfer(b"\x00", 2), bytes.fromhex(answer))]))


@pytest.mark.parametrize(
    ("nine_bits", "celsius"),
    [(0x0FA, 125), (0x032, 25), (0x001, 0.5), (0x000, 0), (0x1FF, -0.5), (0x1CE, -25), (0x192, -55)],
)
def test_lm75_table_of_the_datasheet(nine_bits: int, celsius: float) -> None:
    for undefined in (0x00, 0x7F):
        assert measured("lm75", f"{nine_bits << 7 | undefined:04x}") == celsius


@pytest.mark.parametrize(
    ("eleven_bits", "celsius"),
    [
        (0x3F8, 127),
        (0x3F7, 126.875),
        (0x3E8, 125),
        (0x0C8, 25),
        (0x001, 0.125),
        (0x7FF, -0.125),
        (0x738, -25),
        (0x649, -54.875),
    ],
)
def test_lm75b_table_of_the_datasheet(eleven_bits: int, celsius: float) -> None:
    assert decode((eleven_bits << 5).to_bytes(2, "big"), 11) == celsius


@pytest.mark.parametrize("name", ["tmp102", "tmp105", "tmp75"])
@pytest.mark.parametrize(
    ("twelve_bits", "celsius"),
    [(0x640, 100), (0x500, 80), (0x4B0, 75), (0x320, 50), (0x190, 25), (0x004, 0.25), (0x000, 0), (0xFFC, -0.25)]
    + [(0xE70, -25), (0xC90, -55)],
)
def test_tmp_tables_of_the_datasheets(name: str, twelve_bits: int, celsius: float) -> None:
    assert measured(name, f"{twelve_bits << 4:04x}") == celsius


def test_a_tmp105_that_is_still_at_nine_bits_reads_right() -> None:
    assert measured("tmp105", "1980") == 25.5


def test_sets_the_resolution_and_waits_for_a_conversion() -> None:
    script: list[Exchange] = [(Transfer(b"\x01\x60"), b""), (Transfer(b"\x01", 1), b"\x60"), (Sleep(0.32), b"")]
    assert follow(Thermometer(CHIPS["tmp105"], Settings()).start(), script) == ""


def test_tmp102_reads_back_its_changing_bits() -> None:
    """OS and AL are the chip's own: 60 A0 may read E0 80."""
    script: list[Exchange] = [
        (Transfer(b"\x01\x60\xa0"), b""),
        (Transfer(b"\x01", 2), b"\xe0\x80"),
        (Sleep(0.035), b""),
    ]
    assert follow(Thermometer(CHIPS["tmp102"], Settings()).start(), script) == ""


@pytest.mark.parametrize("found", [b"\xff", b"\x61", b"", b"\x60\x60"])
def test_configuration_that_does_not_read_back(found: bytes) -> None:
    script: list[Exchange] = [(Transfer(b"\x01\x60"), b""), (Transfer(b"\x01", 1), found)]
    with pytest.raises(BadFrame, match="perhaps no such chip"):
        follow(Thermometer(CHIPS["tmp105"], Settings()).start(), script)


@pytest.mark.parametrize(
    ("answer", "error"), [("19", BadFrame), ("", BadFrame), ("7fff", BadValue), ("8000", BadValue)]
)
def test_no_reading(answer: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        measured("lm75", answer)


def test_emulator_wakes_at_nine_bits_and_is_set_to_twelve() -> None:
    chip = CHIPS["tmp105"]
    device, emulator = Thermometer(chip, Settings()), Emulator(chip)
    emulator.celsius = -3.3125
    assert value(meet(device.measure(), emulator)) == -3.5
    meet(device.start(), emulator)
    assert value(meet(device.measure(), emulator)) == -3.3125


def test_addresses() -> None:
    assert {row.name: len(row.link.addresses) for row in DRIVER if isinstance(row.link, I2C)} == dict(
        lm75=8, lm75b=8, tmp75=8, tmp105=2, tmp102=4
    )
