"""BME280 and BMP280: Bosch's own figures, the registers as the datasheet has them, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, Measures, Sleep, Starts, Transfer, WrongDevice
from drivers.bme280 import DRIVER, BMx280, Emulator, Settings, calibration, decode, fine_temperature, pascal, percent
from tests.drivers.talk import Exchange, follow, meet

BME, BMP = 0x60, 0x58

# BMP280 datasheet, 3.12: T1 27504, T2 26435, T3 -1000, P1 36477 ... P9 6000
COMMON = bytes.fromhex("706b 4367 18fc 7d8e 43d6 d00b 270b 8c00 f9ff 8c3c f8c6 7017")
TRIM = calibration(COMMON)
# H1 75, then H2 378, H3 0, H4 0x139, H5 0x032, H6 30: the two nibbles of E5 differ
HUMID = bytes.fromhex("4b 7a01 00 13 29 03 1e")


def test_example_of_the_datasheet() -> None:
    fine = fine_temperature(519888, TRIM.t)
    assert fine == pytest.approx(128422.287, abs=1e-3)
    assert fine / 5120 == pytest.approx(25.08, abs=5e-3)
    assert pascal(415148, fine, TRIM.p) == pytest.approx(100653.27, abs=5e-3)


def test_calibration() -> None:
    trim = calibration(COMMON, HUMID)
    assert trim.t == (27504, 26435, -1000)
    assert trim.p == (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    assert trim.h == (75, 378, 0, 0x139, 0x032, 30)


def test_twelve_bit_calibration_has_a_sign() -> None:
    trim = calibration(COMMON, bytes.fromhex("00 0000 00 f0 c1 ff 80"))
    assert trim.h == (0, 0, 0, -255, -4, -128)


def integer_humidity(adc: int, fine: int, h: tuple[int, ...]) -> float:
    """The other formula of the BME280 datasheet (4.2.3), in whole numbers: an oracle."""
    h1, h2, h3, h4, h5, h6 = h
    v = fine - 76800
    scaled = ((adc << 14) - (h4 << 20) - h5 * v + 16384) >> 15
    v = scaled * (((((((v * h6) >> 10) * (((v * h3) >> 11) + 32768)) >> 10) + 2097152) * h2 + 8192) >> 14)
    v -= ((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4
    return (min(max(v, 0), 419430400) >> 12) / 1024


@pytest.mark.parametrize("adc", [22000, 25000, 29000, 32768, 36000])
@pytest.mark.parametrize("adc_t", [400000, 519888, 600000])
def test_humidity_agrees_with_the_formula_in_whole_numbers(adc: int, adc_t: int) -> None:
    trim = calibration(COMMON, HUMID)
    fine = fine_temperature(adc_t, trim.t)
    assert 5 < percent(adc, fine, trim.h) < 100
    assert percent(adc, fine, trim.h) == pytest.approx(integer_humidity(adc, int(fine), trim.h), abs=0.03)


def test_fog_is_100_but_nonsense_is_no_reading() -> None:
    trim = calibration(COMMON, HUMID)
    seen = [percent(adc, 128422.0, trim.h) for adc in range(36000, 45000, 50)]
    assert 100.0 in seen and max(seen) > 103
    with pytest.raises(BadValue, match="humidity"):
        decode(415148, 519888, 45000, trim)


def bmp_script(data: str) -> list[Exchange]:
    return [
        (Transfer(b"\xd0", 1), b"\x58"),
        (Transfer(b"\xe0\xb6"), b""),
        (Sleep(0.005), b""),
        (Transfer(b"\x88", 24), COMMON),
        (Transfer(b"\xf5\x00"), b""),
        (Transfer(b"\xf4\x25"), b""),
        (Sleep(BMx280(BMP, Settings()).duration), b""),
        (Transfer(b"\xf3", 12), bytes.fromhex(data)),
    ]


def test_bmp280_on_the_wire() -> None:
    sample = follow(BMx280(BMP, Settings()).measure(), bmp_script("00 24 00 00 655ac0 7eed00 8000"))
    assert {quantity.name: value for quantity, value in sample.items()} == pytest.approx(
        {"temperature": 25.08, "pressure": 1006.53}, abs=0.005
    )


def test_waits_for_the_longest_measurement() -> None:
    """BMP280 datasheet, table 13: 6.4 ms at ultra low power, and at x16 16 steps of 2.3 ms for each of two."""
    assert BMx280(BMP, Settings()).duration == pytest.approx(0.0064, abs=5e-5)
    assert BMx280(BMP, Settings(oversampling=16)).duration > 2 * 16 * 0.0023


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("00 24 00 00 800000 7eed00 8000", BadValue),  # pressure was not measured
        ("00 24 00 00 655ac0 800000 8000", BadValue),  # temperature was not
        ("08 24 00 00 655ac0 7eed00 8000", BadFrame),  # still measuring
        ("00 24 1c 00 655ac0 7eed00 8000", BadFrame),  # the filter is not as we set it
        ("00 24 00 00 655ac0 7eed00 80", BadFrame),  # short
    ],
)
def test_no_reading(data: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        follow(BMx280(BMP, Settings()).measure(), bmp_script(data))


def test_humidity_that_was_not_measured_is_no_reading() -> None:
    with pytest.raises(BadValue, match="not measured"):
        decode(415148, 519888, 0x8000, calibration(COMMON, HUMID))


def test_says_what_it_found() -> None:
    with pytest.raises(WrongDevice, match="chip id 0x58 is BMP280; a BME280 has 0x60"):
        meet(BMx280(BME, Settings()).start(), Emulator(BMP))


@pytest.mark.parametrize("found", [0x00, 0xFF])
def test_a_line_that_is_held_is_no_other_chip(found: int) -> None:
    """WrongDevice would be final; a disturbance passes."""
    with pytest.raises(BadFrame, match=f"chip id {found:#04x}"):
        meet(BMx280(BME, Settings()).start(), Emulator(found))


@pytest.mark.parametrize("blank", [b"\x00" * 24, b"\xff" * 24])
def test_blank_calibration_is_refused(blank: bytes) -> None:
    with pytest.raises(BadFrame, match="no calibration"):
        calibration(blank)


def test_settings_reach_the_chip() -> None:
    device, emulator = BMx280(BME, Settings(oversampling=16, filter=4)), Emulator(BME)
    meet(device.start(), emulator)
    meet(device.measure(), emulator)
    assert [emulator.registers[at] for at in (0xF2, 0xF4, 0xF5)] == [0b101, 0b101_101_01, 0b010_00]


def test_a_chip_that_was_reset_is_set_up_again() -> None:
    device, emulator = BMx280(BME, Settings(filter=16)), Emulator(BME)
    meet(device.measure(), emulator)
    emulator.transfer(b"\xe0\xb6", 0)
    with pytest.raises(BadFrame, match="forgot its settings"):
        meet(device.measure(), emulator)
    assert len(meet(device.measure(), emulator)) == 3


def test_emulator_measures_only_when_told() -> None:
    """Between two measurements its data registers stand still, as the chip's do."""
    for row in DRIVER:
        device, emulator = row.device(row.settings()), row.emulator()
        assert isinstance(device, Measures) and isinstance(device, Starts) and isinstance(emulator, Emulator)
        before = meet(device.measure(), emulator)
        data = bytes(emulator.registers[0xF7:0xFF])
        emulator.tick(60.0)
        assert bytes(emulator.registers[0xF7:0xFF]) == data
        assert meet(device.measure(), emulator) != before
