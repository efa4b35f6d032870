"""Si7021 and HTU21D: the datasheets' figures, telling the two apart, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.codec.crc import crc8
from drivers.si7021 import HTU21D, SI7021, UNNAMED, Emulator, Settings, SHT2x, Si70xx, figure, identity, sealed
from tests.drivers.talk import Exchange, follow, meet


def measure(chip: int, humidity: str, temperature: str) -> dict[str, float]:
    device = SHT2x(chip, Settings())
    script: list[Exchange] = [
        (Transfer(b"\xf5"), b""),
        (Sleep(device.humid), b""),
        (Transfer(read=3), bytes.fromhex(humidity)),
        (Transfer(b"\xf3"), b""),
        (Sleep(device.warm), b""),
        (Transfer(read=3), bytes.fromhex(temperature)),
    ]
    return {quantity.name: float(value) for quantity, value in follow(device.measure(), script).items()}


@pytest.mark.parametrize("chip", [SI7021, HTU21D, UNNAMED])
def test_examples_of_the_datasheet(chip: int) -> None:
    """HTU21D datasheet: 68 3A is 24.7 °C, 4E 85 is 32.3 %; the checksums are its examples, too."""
    wanted = pytest.approx({"temperature": 24.7, "humidity": 32.3}, abs=0.05)
    assert measure(chip, "4e856b", "683a7c") == wanted


def test_checksums_of_the_datasheet() -> None:
    assert (crc8(b"\xdc", init=0), crc8(b"\x68\x3a", init=0), crc8(b"\x4e\x85", init=0)) == (0x79, 0x7C, 0x6B)


def test_status_bits_are_no_part_of_the_figure() -> None:
    assert figure(b"\x4e\x85\x6b") == 0x4E84 == figure(sealed(0x4E86))


def test_beyond_100_is_not_cut() -> None:
    humid = sealed(0xDC00).hex()
    assert measure(SI7021, humid, "683a7c")["humidity"] == pytest.approx(101.4, abs=0.05)


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="checksum"):
        measure(SI7021, "4e856b", "683a7d")


def test_line_held_low_is_no_reading() -> None:
    """Three zeros have a right checksum."""
    with pytest.raises(BadFrame, match="held"):
        measure(SI7021, "000000", "683a7c")


def test_impossible_temperature_is_no_reading() -> None:
    with pytest.raises(BadValue, match="temperature"):
        measure(SI7021, "4e856b", sealed(0xFFFC).hex())


def test_tells_the_chips_apart() -> None:
    assert meet(Si70xx(SI7021, Settings()).start(), Emulator(SI7021)) == ""
    assert meet(Si70xx(SI7021, Settings()).start(), Emulator(0x00)) == ""  # an engineering sample
    with pytest.raises(WrongDevice, match="an HTU21D, not an Si7021"):
        meet(Si70xx(SI7021, Settings()).start(), Emulator(HTU21D))
    with pytest.raises(WrongDevice, match="an Si7021, not an HTU21D"):
        meet(Si70xx(HTU21D, Settings()).start(), Emulator(SI7021))


def test_second_checksum_may_go_over_all_or_half() -> None:
    first = sealed(0x15FF)
    assert identity(first + sealed(0xB5FF)) == 0x15
    over_all = b"\xb5\xff" + bytes((crc8(b"\x15\xff\xb5\xff", init=0),))
    assert identity(first + over_all) == 0x15
    with pytest.raises(BadFrame, match="second checksum"):
        identity(first + b"\xb5\xff" + bytes((over_all[2] ^ 1,)))


def test_line_held_low_is_no_chip() -> None:
    with pytest.raises(BadFrame, match="held"):
        identity(bytes(6))


def test_example_of_sensirion_s_datasheet() -> None:
    """SHT21, version 4, section 5.4: 63 50 is 42.5 %."""
    assert measure(UNNAMED, sealed(0x6350).hex(), "683a7c")["humidity"] == pytest.approx(42.5, abs=0.05)
    assert not hasattr(SHT2x(UNNAMED, Settings()), "start")  # a serial number tells nothing of what it is
