"""MPU-6050: scales of the register map, ends of the scale, and its many relatives."""

from __future__ import annotations

import struct

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.mpu6050 import MPU6050, Emulator, Settings
from tests.drivers.talk import Exchange, follow, meet


def start(settings: str) -> list[Exchange]:
    return [
        (Transfer(b"\x75", 1), b"\x68"),
        (Transfer(b"\x6b\x80"), b""),
        (Sleep(0.1), b""),
        (Transfer(b"\x6b\x01"), b""),
        (Transfer(b"\x19" + bytes.fromhex(settings)), b""),
        (Sleep(0.1), b""),
        (Transfer(b"\x6b", 1), b"\x01"),
    ]


def measured(settings: Settings, sets: str, *numbers: int, status: int = 1) -> dict[str, object]:
    answer = struct.pack(">B7h", status, *numbers)
    sample = follow(MPU6050(settings).measure(), [*start(sets), (Transfer(b"\x3a", 15), answer)])
    return {quantity.name: value for quantity, value in sample.items()}


def test_on_the_wire() -> None:
    """16384 is 1 g and 131 is 1 °/s at the narrowest scales (4.18, 4.20); -521 is 35 °C (4.19)."""
    sample = measured(Settings(), "00 03 00 00", 0, -16384, 16384, -521, 131, -131, 0)
    assert sample == pytest.approx(
        dict(acceleration_x=0, acceleration_y=-9.80665, acceleration_z=9.80665)
        | dict(rotation_x=1, rotation_y=-1, rotation_z=0, temperature=35.0),
        abs=0.003,
    )


@pytest.mark.parametrize(("g", "bits", "per_g"), [(2, "00", 16384), (4, "08", 8192), (8, "10", 4096), (16, "18", 2048)])
def test_scales_of_acceleration(g: int, bits: str, per_g: int) -> None:
    settings = Settings(acceleration=g)  # type: ignore[arg-type]  # g is one of the four
    sample = measured(settings, f"00 03 00 {bits}", per_g, 0, 0, 0, 0, 0, 0)
    assert sample["acceleration_x"] == pytest.approx(9.80665)
    assert 32766 / per_g == pytest.approx(g, rel=1e-3)


@pytest.mark.parametrize(
    ("degrees", "bits", "number"), [(250, "00", 1310), (500, "08", 655), (1000, "10", 328), (2000, "18", 164)]
)
def test_scales_of_rotation(degrees: int, bits: str, number: int) -> None:
    settings = Settings(rotation=degrees)  # type: ignore[arg-type]  # as above
    assert measured(settings, f"00 03 {bits} 00", 0, 0, 0, 0, 0, 0, number)["rotation_z"] == pytest.approx(10)


@pytest.mark.parametrize("end", [32767, -32768])
@pytest.mark.parametrize("at", [0, 1, 2, 4, 5, 6])
def test_the_end_of_a_scale_is_no_reading(at: int, end: int) -> None:
    numbers = [0] * 7
    assert measured(Settings(), "00 03 00 00", *numbers)
    numbers[at] = end
    with pytest.raises(BadValue, match="end of its scale"):
        measured(Settings(), "00 03 00 00", *numbers)


def test_old_data_are_no_reading() -> None:
    old = (Transfer(b"\x3a", 15), struct.pack(">B7h", 0, *range(7)))
    new = (Transfer(b"\x3a", 15), struct.pack(">B7h", 1, *range(7)))
    wait: Exchange = (Sleep(0.002), b"")
    assert follow(MPU6050(Settings()).measure(), [*start("00 03 00 00"), old, wait, new])
    with pytest.raises(BadFrame, match="no new data"):
        follow(MPU6050(Settings()).measure(), [*start("00 03 00 00"), old, wait, old, wait, old, wait])


@pytest.mark.parametrize(("who", "name"), [(0x70, "MPU-6500"), (0x71, "MPU-9250"), (0x42, "unknown")])
def test_relatives_are_refused(who: int, name: str) -> None:
    assert meet(MPU6050(Settings()).start(), Emulator()) == ""
    with pytest.raises(WrongDevice, match=name):
        meet(MPU6050(Settings()).start(), Emulator(who))


@pytest.mark.parametrize("who", [0x00, 0xFF])
def test_a_line_that_is_held_is_no_other_chip(who: int) -> None:
    with pytest.raises(BadFrame, match="held"):
        meet(MPU6050(Settings()).start(), Emulator(who))


def test_a_chip_that_lost_its_power_is_set_up_anew() -> None:
    device, emulator = MPU6050(Settings(16, 2000)), Emulator()
    meet(device.measure(), emulator)
    emulator = Emulator()
    with pytest.raises(BadFrame, match="forgot its settings"):
        meet(device.measure(), emulator)
    assert meet(device.measure(), emulator)
    assert emulator.registers[0x19:0x1D] == b"\x00\x03\x18\x18"
