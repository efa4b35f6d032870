"""EMC1413 and EMC1414: both ranges and their ends, diodes that are not there, and who it is."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.emc1413 import DRIVER, Emulator, Settings, Thermometer, decode
from tests.drivers.talk import Exchange, follow, meet

EMC1413, EMC1414 = 0x21, 0x25


def reads(*pairs: tuple[int, int]) -> list[Exchange]:
    return [(Transfer(bytes((register,)), 1), bytes((value,))) for register, value in pairs]


def measured(configuration: int, faults: int, *bytes_: int, diodes: Literal[0, 1, 2] = 2) -> list[object]:
    device = Thermometer(EMC1413, 2, Settings(diodes))
    places = (0x00, 0x29, 0x01, 0x10, 0x23, 0x24)[: 2 + 2 * diodes]
    script = reads((0x03, configuration), (0x1B, faults), *zip(places, bytes_, strict=True))
    return list(follow(device.measure(), script).values())


def test_on_the_wire() -> None:
    """As the wide range has it, 64 added, and as the other one."""
    assert measured(0x04, 0, 0x59, 0xA0, 0x40, 0x00, 0x3F, 0xE0) == [25.625, 0.0, -0.125]
    assert measured(0x00, 0, 0x19, 0xA0, 0x00, 0x20, 0x7F, 0xC0) == [25.625, 0.125, 127.75]


@pytest.mark.parametrize(("eighths", "wide"), [(0, False), (0x3FF, False), (0x400, False), (0, True), (0x7FF, True)])
def test_the_ends_of_a_range_are_no_reading(eighths: int, wide: bool) -> None:
    assert (decode(1, True), decode(0x7FE, True), decode(0x3FE, False)) == (-63.875, 191.75, 127.75)
    with pytest.raises(BadValue, match="end of the range"):
        decode(eighths, wide)


@pytest.mark.parametrize("faults", [0x02, 0x04])
def test_a_diode_that_is_open_is_no_reading(faults: int) -> None:
    assert measured(0x04, 0x08, 0x59, 0xA0, 0x59, 0x00, 0x59, 0x20)
    with pytest.raises(BadValue, match="open or shorted|end of"):
        device = Thermometer(EMC1413, 2, Settings())
        values = (0x59, 0xA0, 0x59, 0x00, 0x59, 0x20)[: 4 if faults == 2 else 6]
        places = zip((0x00, 0x29, 0x01, 0x10, 0x23, 0x24), values, strict=False)
        follow(device.measure(), reads((0x03, 0x04), (0x1B, faults), *places))


def test_one_that_is_not_wired_is_not_asked_for() -> None:
    assert measured(0x04, 0x06, 0x59, 0xA0, diodes=0) == [25.625]
    assert [each.name for each in DRIVER[0].having(Settings(1))] == ["temperature", "temperature_diode1"]


def test_start_sets_the_wide_range_once() -> None:
    who = reads((0xFE, 0x5D), (0xFD, 0x21))
    first: list[Exchange] = [*who, *reads((0x03, 0x58)), (Transfer(b"\x09\x1c"), b""), (Sleep(0.6), b"")]
    assert follow(Thermometer(EMC1413, 2, Settings()).start(), first) == ""
    assert follow(Thermometer(EMC1413, 2, Settings()).start(), [*who, *reads((0x03, 0x1C))]) == ""


def test_cold_is_a_reading_only_in_the_wide_range() -> None:
    device, emulator = Thermometer(EMC1414, 3, Settings()), Emulator(EMC1414)
    meet(device.start(), emulator)
    assert [round(float(value)) for value in meet(device.measure(), emulator).values()] == [35, 41, 47, 53]


def test_the_other_one_is_refused_and_a_held_line_is_none() -> None:
    with pytest.raises(WrongDevice, match="product 25: emc1414, no emc1413"):
        meet(Thermometer(EMC1413, 2, Settings()).start(), Emulator(EMC1414))
    for value in 0x00, 0xFF:
        with pytest.raises(BadFrame):
            follow(Thermometer(EMC1413, 2, Settings()).start(), reads((0xFE, value), (0xFD, value)))
