"""AHT20 and AHT10: the frame as the datasheet has it, the calibration, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.aht20 import AHT10, AHT20, AHTx0, Chip, Emulator, Settings
from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.codec.crc import crc8
from tests.drivers.talk import Exchange, follow, meet


def sealed(text: str) -> bytes:
    bare = bytes.fromhex(text)
    return bare + bytes((crc8(bare),))


def asked(answer: bytes) -> list[Exchange]:
    return [(Transfer(b"\xac\x33\x00"), b""), (Sleep(0.09), b""), (Transfer(read=len(answer)), answer)]


def measure(script: list[Exchange], chip: Chip = AHT20) -> dict[str, float]:
    sample = follow(AHTx0(chip, Settings()).measure(), script)
    return {quantity.name: float(value) for quantity, value in sample.items()}


# 0x66666 of 2^20 is 0.4: 40 %; 0x60000 is 0.375: 200 * 0.375 - 50 = 25 °C
ROOM = "1c 66666 60000"
WANTED = pytest.approx({"temperature": 25.0, "humidity": 40.0}, abs=1e-3)


def test_measures() -> None:
    assert measure(asked(sealed(ROOM.replace(" ", "")))) == WANTED


def test_aht10_has_no_checksum() -> None:
    assert measure(asked(bytes.fromhex(ROOM.replace(" ", ""))), AHT10) == WANTED


@pytest.mark.parametrize(("chip", "load"), [(AHT20, b"\xbe\x08\x00"), (AHT10, b"\xe1\x08\x00")])
def test_loads_a_calibration_only_where_there_is_none(chip: Chip, load: bytes) -> None:
    size = chip.frame.size
    fresh, good = sealed("106666660000")[:size], sealed("186666660000")[:size]
    loaded: list[Exchange] = [(Transfer(load), b""), (Sleep(0.01), b"")]
    assert measure(asked(fresh) + loaded + asked(good), chip) == WANTED
    with pytest.raises(BadFrame, match="not loaded"):
        measure(asked(fresh) + loaded + asked(fresh), chip)


def test_one_that_was_reset_is_loaded_again() -> None:
    device, emulator = AHTx0(AHT20, Settings()), Emulator(AHT20)
    meet(device.start(), emulator)
    emulator.status = 0x10
    assert meet(device.measure(), emulator) and emulator.status == 0x18


def test_busy_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="busy"):
        measure(asked(sealed("9c6666660000")))


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="checksum"):
        measure(asked(sealed("1c6666660000")[:-1] + b"\x00"))


def test_impossible_temperature_is_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature"):
        measure(asked(sealed("1c6666600000")))
