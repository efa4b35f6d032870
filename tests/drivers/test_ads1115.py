"""ADS1115 and ADS1015: codes of the datasheet, what is beyond the scale, and differences."""

from __future__ import annotations

from typing import get_args

import pytest

from drivers.ads1115 import DRIVER, INPUTS, SCALES, VOLTAGES, Converter, Emulator, Input, Settings, decode
from drivers.api import BadFrame, BadValue, Sleep, Transfer
from tests.drivers.talk import Exchange, follow, meet


@pytest.mark.parametrize(
    ("code", "volts"),
    [("7ffe", 2.048 * 32766 / 32768), ("4000", 1.024), ("0001", 62.5e-6), ("0000", 0), ("ffff", -62.5e-6)]
    + [("8001", -2.048 * 32767 / 32768), ("7fe0", 2.048 * 2046 / 2048), ("0010", 0.001), ("fff0", -0.001)],
)
def test_codes_of_the_datasheets(code: str, volts: float) -> None:
    """62.5 µV is a step of an ADS1115 at 2.048 V, 1 mV one of an ADS1015."""
    assert decode(bytes.fromhex(code), 2.048) == pytest.approx(volts, abs=1e-9)


@pytest.mark.parametrize("code", ["7fff", "7ff0", "8000"])
def test_the_ends_of_the_scale_are_no_reading(code: str) -> None:
    with pytest.raises(BadValue, match="beyond the full scale"):
        decode(bytes.fromhex(code), 4.096)


def script(word: int, back: int, code: str) -> list[Exchange]:
    return [
        (Transfer(b"\x01" + word.to_bytes(2, "big")), b""),
        (Sleep(Converter(128, Settings()).duration), b""),
        (Transfer(b"\x01", 2), back.to_bytes(2, "big")),
        (Transfer(b"\x00", 2), bytes.fromhex(code)),
    ]


def measured(back: int) -> object:
    """Input 2 above input 3 at 0.256 V: 1 011 101 1 100 00011."""
    device = Converter(128, Settings(("2-3",), 0.256))
    ((quantity, value),) = follow(device.measure(), script(0xBB83, back, "f000")).items()
    assert quantity.name == "voltage_2_3"
    return value


def test_on_the_wire() -> None:
    assert measured(0xBB83) == pytest.approx(-0.032)


@pytest.mark.parametrize(
    ("back", "message"), [(0x3B83, "still converting"), (0x8583, "written, 8583 read"), (0x0000, "no such chip")]
)
def test_another_configuration_is_no_reading(back: int, message: str) -> None:
    with pytest.raises(BadFrame, match=message):
        measured(back)


def test_waits_for_the_slowest_clock() -> None:
    """Data rates are within 10 %."""
    assert Converter(128, Settings()).duration > 1 / (128 * 0.91)
    assert Converter(1600, Settings()).duration < 0.001


@pytest.mark.parametrize("scale", SCALES[:2])
@pytest.mark.parametrize("bits", [12, 16])
def test_every_input_and_difference(bits: int, scale: float) -> None:
    assert set(get_args(Input)) == set(INPUTS)
    emulator = Emulator(bits)
    sample = meet(Converter(128, Settings(INPUTS, scale)).measure(), emulator)
    for each, quantity in VOLTAGES.items():
        high, *low = (emulator.volts(int(at)) for at in each.split("-"))
        assert sample[quantity] == pytest.approx(high - sum(low), abs=scale / 2 ** (bits - 1))


def test_inputs_choose_the_quantities() -> None:
    for row in DRIVER:
        assert [each.name for each in row.having(Settings())] == ["voltage_0", "voltage_1", "voltage_2", "voltage_3"]
        assert [each.name for each in row.having(Settings(("3", "0-1")))] == ["voltage_3", "voltage_0_1"]


def test_settings_that_cannot_be() -> None:
    assert Settings(("0",), 6.144)
    with pytest.raises(ValueError, match="`full_scale` 5 V"):
        Settings(full_scale=5.0)
    for inputs in (), ("0", "0"):
        with pytest.raises(ValueError, match="each once"):
            Settings(inputs)
