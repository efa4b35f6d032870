"""Devices of the kernel's Industrial I/O: which files make a channel, and what they come to."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, Value, WrongDevice
from drivers.codec.sysfs import names, number
from drivers.iio import DRIVER, Sensor, Settings
from tests.drivers.talk import meet


class Shown:
    """A folder."""

    def __init__(self, **files: str) -> None:
        self.files = {"name": "x\n", **{name: f"{text}\n" for name, text in files.items()}}

    def tick(self, seconds: float) -> bytes:
        return b""


def measured(channel: int | None = None, **files: str) -> dict[str, Value]:
    device, shown = Sensor(Settings(channel)), Shown(**files)
    meet(device.start(), shown)
    return {quantity.name: value for quantity, value in meet(device.measure(), shown).items()}


def test_a_bme280_that_the_kernel_has() -> None:
    assert measured(
        in_temp_input="23130", in_pressure_input="100.653270000", in_humidityrelative_input="45123"
    ) == pytest.approx({"temperature": 23.13, "humidity": 45.123, "pressure": 1006.5327})


def test_one_input_of_a_converter_with_its_own_scale_or_the_common_one() -> None:
    files = {f"in_voltage{at}_raw": f"{at * 512}" for at in range(4)} | {"in_voltage_scale": "1.611328125"}
    assert measured(3, **files) == {"voltage": pytest.approx(2.475)}
    assert measured(3, **files, in_voltage3_scale="1.0") == {"voltage": pytest.approx(1.536)}


def test_the_offset_comes_before_the_scale() -> None:
    assert measured(in_temp_raw="2650", in_temp_offset="-500", in_temp_scale="10.0") == {"temperature": 21.5}


@pytest.mark.parametrize("channel", [None, 4])
def test_a_channel_that_is_not_there_is_told_with_those_that_are(channel: int | None) -> None:
    with pytest.raises(WrongDevice, match="in_voltage3_raw"):
        measured(channel, in_voltage3_raw="1")


@pytest.mark.parametrize(
    ("text", "error"), [("2e3", BadFrame), ("", BadFrame), ("nan", BadFrame), ("-300000", BadValue)]
)
def test_no_reading(text: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        measured(in_temp_input=text)


def test_numbers_and_names_end_with_their_line() -> None:
    assert number(b"-12.5\n") == -12.5 and names(b"a\nb\n\n") == ("a", "b") and names(b"\n") == ()
    for broken in b"", b"12", b"12\n\n", b"\xff\n":
        with pytest.raises(BadFrame):
            number(broken)
    for broken in b"", b"a\n", b"a\nb\n", b"\xff\n\n":
        with pytest.raises(BadFrame):
            names(broken)


def test_units_are_those_of_the_registry() -> None:
    found = measured(in_concentration_co2_input="0.0636", in_power_input="396", in_current_input="-120")
    assert found == pytest.approx({"co2": 636.0, "power": 0.396, "current": -0.12})


def test_the_channel_that_is_wanted_is_emulated() -> None:
    for settings in Settings(), Settings(3):
        assert set(meet(Sensor(settings).measure(), DRIVER.emulating(settings))) == set(DRIVER.quantities)
