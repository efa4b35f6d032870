"""The relay board, by its maker's examples."""

from __future__ import annotations

import pytest

from drivers.api import BadValue, Request
from drivers.codec.modbus import RTU
from drivers.modbusrelay8 import READ, RELAYS, Emulator, ModbusRelay8, Settings
from drivers.quantities import state
from tests.drivers.talk import follow, meet


def test_frames_are_as_the_maker_shows_them() -> None:
    board = ModbusRelay8(Settings())
    on, off = next(board.write(RELAYS[0], True)), next(board.write(RELAYS[0], False))
    assert isinstance(on, Request) and isinstance(off, Request)
    assert RTU().begin(1, on).hex(" ") == "01 05 00 00 ff 00 8c 3a"
    assert RTU().begin(1, off).hex(" ") == "01 05 00 00 00 00 cd ca"
    assert RTU().begin(1, READ).hex(" ") == "01 01 00 00 00 08 3d cc"
    sample = follow(board.measure(), [(READ, b"\x05")])
    assert list(sample.values()) == [True, False, True, False, False, False, False, False]


def test_each_relay_is_its_own_coil() -> None:
    board, emulator = ModbusRelay8(Settings()), Emulator()
    for relay in RELAYS:
        assert meet(board.write(relay, True), emulator) == {relay: True}
        sample = meet(board.measure(), emulator)
        assert [each for each, on in sample.items() if on] == [relay]
        meet(board.write(relay, False), emulator)


def test_nothing_else_can_be_set() -> None:
    with pytest.raises(BadValue):
        next(ModbusRelay8(Settings()).write(state(writable=True), True))
