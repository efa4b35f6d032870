"""PWM: which file is written when."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.api import BadValue, NoAnswer, WrongDevice
from drivers.pwm import DUTY, FREQUENCY, STATE, Emulator, Output, Settings
from tests.drivers.talk import meet

OWN = "pwmchip0/pwm0"


class Noted(Emulator):
    """Notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = list[tuple[str, str]]()
        outer, files = self, self.files

        class Watched(type(files)):  # type: ignore[misc]
            def __setitem__(self, path: str, text: str) -> None:
                outer.written.append((path.removeprefix(f"{OWN}/"), text.rstrip("\n")))
                super().__setitem__(path, text)

        self.files = Watched(files)


def started(**settings: Any) -> tuple[Output, Noted]:
    device, emulator = Output(Settings(**settings)), Noted()
    meet(device.start(), emulator)
    return device, emulator


def test_a_channel_is_exported_and_gets_a_period_but_is_not_switched_on() -> None:
    device, emulator = started(frequency=50)
    assert emulator.written == [("pwmchip0/export", "0"), ("period", "20000000")]
    assert meet(device.measure(), emulator) == {STATE: False, DUTY: 0.0, FREQUENCY: 50.0}
    emulator.written.clear()
    meet(device.start(), emulator)  # one that is there already is left as it is
    assert emulator.written == []


def test_duty_and_frequency_are_written_so_that_the_duty_is_never_above_the_period() -> None:
    device, emulator = started()
    emulator.written.clear()
    meet(device.write(DUTY, 25.0), emulator)
    meet(device.write(STATE, True), emulator)
    assert meet(device.write(FREQUENCY, 2000.0), emulator) == {STATE: True, DUTY: 25.0, FREQUENCY: 2000.0}
    meet(device.write(FREQUENCY, 100.0), emulator)
    assert emulator.written == [
        *(("period", "1000000"), ("duty_cycle", "250000")),  # the worked example
        ("enable", "1"),
        *(("duty_cycle", "125000"), ("period", "500000")),
        *(("period", "10000000"), ("duty_cycle", "2500000")),
    ]


def test_an_output_that_is_on_when_low() -> None:
    _, emulator = started(active="low")
    assert emulator.written[1:3] == [("enable", "0"), ("polarity", "inversed")]


def test_what_is_not_there() -> None:
    assert started(channel=3)  # a Raspberry Pi 5 has four
    with pytest.raises(WrongDevice, match="no channel 4"):
        started(channel=4)
    emulator = Noted()
    emulator.files = {"pwmchip0/npwm": "1\n", "pwmchip0/export": ""}  # and nothing comes of it
    with pytest.raises(NoAnswer, match="does not show pwm0"):
        meet(Output(Settings()).start(), emulator)
    emulator.files = {"uevent": ""}
    with pytest.raises(WrongDevice, match="0 PWM chips"):
        meet(Output(Settings()).start(), emulator)


def test_nonsense_is_a_bad_value() -> None:
    device, emulator = started()
    emulator.files[f"{OWN}/duty_cycle"] = "1000001\n"
    with pytest.raises(BadValue, match="1000001|1e\\+06 of 1e\\+06"):
        meet(device.measure(), emulator)


@pytest.mark.parametrize("wrong", [{"channel": 64}, {"channel": -1}, {"frequency": 0}])
def test_settings_have_ranges(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="channel|frequency"):
        Settings(**wrong)  # type: ignore[arg-type]
