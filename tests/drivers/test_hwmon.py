"""hwmon: numbered files, faults, and numbers that there are not."""

from __future__ import annotations

import pytest

from drivers.api import BadValue, Value, WrongDevice
from drivers.hwmon import DRIVER, Settings, Watch
from tests.drivers.talk import meet
from tests.drivers.test_iio import Shown


def measured(channel: int = 1, **files: str) -> dict[str, Value]:
    device, shown = Watch(Settings(channel)), Shown(**files)
    meet(device.start(), shown)
    return {quantity.name: value for quantity, value in meet(device.measure(), shown).items()}


def test_the_processor_of_a_pi() -> None:
    assert measured(temp1_input="48312") == {"temperature": pytest.approx(48.312)}


def test_a_supply_sensor() -> None:
    files = {"in1_input": "5123", "curr1_input": "-512", "power1_input": "2623000", "in0_input": "82"}
    assert measured(1, **files) == pytest.approx({"voltage": 5.123, "current": -0.512, "power": 2.623})
    assert measured(0, **files) == {"voltage": 0.082}


def test_a_fan_of_several() -> None:
    assert measured(2, fan1_input="900", fan2_input="1200", power2_average="1000000") == {"fan": 1200, "power": 1}


def test_a_sensor_that_the_kernel_says_is_broken_is_no_reading() -> None:
    assert measured(temp1_input="48312", temp1_fault="0") == {"temperature": pytest.approx(48.312)}
    with pytest.raises(BadValue, match="temp1_fault: the sensor is open or shorted"):
        measured(temp1_input="-128000", temp1_fault="1")


def test_a_number_that_there_is_not() -> None:
    with pytest.raises(WrongDevice, match="no channel 3; its files are temp1_input"):
        measured(3, temp1_input="1")


def test_the_channel_that_is_wanted_is_emulated() -> None:
    for settings in Settings(), Settings(3):
        assert set(meet(Watch(settings).measure(), DRIVER.emulating(settings))) == set(DRIVER.quantities)
