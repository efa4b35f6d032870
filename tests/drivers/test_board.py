"""The board: what each kind of board has in /sys, and what it lacks."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, NoAnswer, Value
from drivers.board import Board, Settings
from tests.drivers.talk import meet

PI = "devices/platform/soc/soc:firmware/get_throttled"
ZONE = "class/thermal/thermal_zone{}/{}"


class Tree:
    def __init__(self, files: dict[str, str]) -> None:
        self.files = {path: f"{text}\n" for path, text in files.items()}

    def tick(self, seconds: float) -> bytes:
        return b""


def measured(files: dict[str, str]) -> dict[str, Value]:
    device, tree = Board(Settings()), Tree(files)
    meet(device.start(), tree)
    return {quantity.name: value for quantity, value in meet(device.measure(), tree).items()}


def test_a_pi_with_its_own_kernel() -> None:
    clock = {"devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000"}
    files = {ZONE.format(0, "type"): "cpu-thermal", ZONE.format(0, "temp"): "48312", PI: "50005", **clock}
    assert measured(files) == {
        "temperature": pytest.approx(48.312),
        "frequency": 1.5e9,
        "undervoltage": True,
        "throttled": True,
    }


@pytest.mark.parametrize(
    ("flags", "under", "slow"),
    [("0", False, False), ("50000", False, False), ("1", True, False), ("2", False, True), ("8", False, True)]
    + [("e0004", False, True)],
)
def test_what_is_now_counts_and_not_what_was(flags: str, under: bool, slow: bool) -> None:
    assert measured({PI: flags}) == {"undervoltage": under, "throttled": slow}


@pytest.mark.parametrize(("alarm", "under"), [("0", False), ("1", True)])
def test_a_pi_with_another_kernel(alarm: str, under: bool) -> None:
    files = {"class/hwmon/hwmon0/name": "cpu_thermal", "class/hwmon/hwmon1/name": "rpi_volt"}
    assert measured({**files, "class/hwmon/hwmon1/in0_lcrit_alarm": alarm}) == {"undervoltage": under}


def test_a_pc_has_several_zones_and_its_processor_is_not_the_first() -> None:
    types = {ZONE.format(0, "type"): "acpitz", ZONE.format(1, "type"): "x86_pkg_temp"}
    files = {**types, ZONE.format(0, "temp"): "27800", ZONE.format(1, "temp"): "61000"}
    assert measured(files) == {"temperature": 61}
    assert measured({**files, ZONE.format(1, "type"): "iwlwifi_1"}) == {"temperature": 27.8}


def test_nothing_that_is_known() -> None:
    with pytest.raises(NoAnswer, match="nothing that is known"):
        measured({"kernel/notes": "x"})


@pytest.mark.parametrize("text", ["", "x", "0x1", "123456789"])
def test_flags_that_are_none(text: str) -> None:
    with pytest.raises(BadFrame, match="no flags"):
        measured({PI: text})
