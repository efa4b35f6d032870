"""MAX31865: the norm's table, faults, a chip that lost its power, and a bus without one."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.api import BadFrame, BadValue, NoAnswer, Sleep, Transfer
from drivers.max31865 import CONVERT, MAX31865, SETTLE, TEMPERATURE, Emulator, Settings, celsius, decode
from tests.drivers.talk import Exchange, follow, meet


@pytest.mark.parametrize(
    ("ohms", "degrees"),
    [(18.52, -200), (60.26, -100), (96.09, -10), (100, 0), (103.9, 10), (138.51, 100), (247.09, 400), (390.48, 850)],
)
def test_table_of_the_norm(ohms: float, degrees: float) -> None:
    """IEC 60751, table 1: Pt100."""
    assert celsius(ohms / 100) == pytest.approx(degrees, abs=0.02)


def answer(code: int, config: int = 0x81, faults: int = 0, fault: int = 0) -> bytes:
    return bytes((0x00, config)) + (code << 1 | fault).to_bytes(2) + bytes.fromhex("ff ff 00 00") + bytes((faults,))


@pytest.mark.parametrize(("code", "degrees"), [(0x2000, 0), (0x2C53, 100), (0x1348, -100)])
def test_codes_of_a_board_with_400_ohms(code: int, degrees: float) -> None:
    device = MAX31865(Settings(reference=400))
    script: list[Exchange] = [
        *((Transfer(b"\x80\x82"), b""), (Sleep(SETTLE), b""), (Transfer(b"\x00", 9), answer(0x2222, config=0x80))),
        *((Transfer(b"\x80\xa1"), b""), (Sleep(CONVERT), b"")),
        *((Transfer(b"\x00", 9), answer(code)), (Transfer(b"\x80\x01"), b"")),
    ]
    assert follow(device.measure(), script)[TEMPERATURE] == pytest.approx(degrees, abs=0.03)


def test_settings_reach_the_chip() -> None:
    device, emulator = MAX31865(Settings(wires=3, mains=60)), Emulator()
    assert 60 < float(meet(device.measure(), emulator)[TEMPERATURE]) < 90
    assert emulator.registers[0] == 0x10  # the bias is off again
    with pytest.raises(ValueError, match="are ohms"):
        Settings(nominal=0)
    with pytest.raises(ValueError, match="are ohms"):
        Settings(reference=float("nan"))


class Loose(Emulator):
    """Transfer number *lost* does not reach it."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost

    def transfer(self, write: bytes, read: int) -> bytes:
        self.lost -= 1
        return super().transfer(write, read) if self.lost else b"\xff" * read


@pytest.mark.parametrize("mains", [50, 60])
def test_the_reading_before_is_none_where_a_step_got_lost(mains: Any) -> None:
    for lost in range(1, 5):
        device, emulator = MAX31865(Settings(mains=mains)), Loose(0)
        before = meet(device.measure(), emulator)
        emulator.tick(100)
        emulator.lost = lost
        with pytest.raises((BadFrame, NoAnswer)):
            meet(device.measure(), emulator)
        emulator.lost = 5  # the bias stays on, for once
        assert meet(device.measure(), emulator) != before


def test_no_reading() -> None:
    assert decode(answer(0x2000), 0x81) == 0.25
    with pytest.raises(NoAnswer):
        decode(b"\x00" * 9, 0x81)
    with pytest.raises(NoAnswer):
        decode(b"\xff" * 9, 0x81)
    with pytest.raises(BadFrame, match="lost power"):
        decode(answer(0x2000, config=0x00), 0x81)
    with pytest.raises(BadFrame, match="8 bytes"):
        decode(answer(0x2000)[:-1], 0x81)
    with pytest.raises(BadValue, match="REFIN- is too high, REFIN- is too low"):
        decode(answer(0x2000, faults=0x30, fault=1), 0x81)
    with pytest.raises(BadValue, match="says no more"):
        decode(answer(0x2000, fault=1), 0x81)


def test_an_open_sensor_is_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature"):
        TEMPERATURE.check(celsius(0x7FFF / 32768 * 4.3))
    with pytest.raises(BadValue, match="no platinum"):
        celsius(10)
