"""24Cxx: which bytes are asked for, checksums, and what is no text."""

from __future__ import annotations

from typing import get_args, get_type_hints
from zlib import crc32

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, Transfer
from drivers.at24c import CHECKSUMS, DRIVER, SERIAL, SIZES, Emulator, Memory, Settings
from drivers.codec.crc import crc8_maxim, crc16_modbus
from tests.drivers.talk import follow, meet


def read(settings: Settings, *answers: bytes) -> object:
    device = Memory(settings)
    return follow(device.measure(), [(device.read, answer) for answer in answers])[SERIAL]


@pytest.mark.parametrize(
    ("chip", "start", "address"), [("24c02", 250, "fa"), ("24c32", 250, "00fa"), ("24c512", 65000, "fde8")]
)
def test_the_address_has_one_byte_or_two(chip: str, start: int, address: str) -> None:
    settings = Settings(chip, start, 6)  # type: ignore[arg-type]  # chip is one of the names
    assert Memory(settings).read == Transfer(bytes.fromhex(address), 6)


def test_address_of_a_node() -> None:
    """24AA02E48: six bytes from FA on, beginning with Microchip's 00 04 A3."""
    eui = bytes.fromhex("0004a3123456")
    assert read(Settings("24c02", 250, 6, "hex"), eui, eui) == "0004a3123456"


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"GW-0001\x00\xff\xff", "GW-0001"), (b"GW-0001\xff\x00G", "GW-0001"), (b"  Pumpe \xc3\xa4", "Pumpe ä")]
    + [(b"0123456789", "0123456789")],
)
def test_text_ends_where_nobody_wrote(data: bytes, text: str) -> None:
    assert read(Settings(length=10), data, data) == text


@pytest.mark.parametrize(
    "data", [b"\x00" * 4, b"\xff" * 4, b"\x00abc", b"a\nbc", b"\xe4bcd", b"\xc3\xa4\xc3\x00", b"    "]
)
def test_no_text_no_reading(data: bytes) -> None:
    assert read(Settings(length=4), b"abcd", b"abcd") == "abcd"
    with pytest.raises(BadValue):
        read(Settings(length=4), data, data)


@pytest.mark.parametrize("blank", [b"\x00" * 4, b"\xff" * 4])
def test_blank_is_no_number_either(blank: bytes) -> None:
    assert read(Settings(length=4, shows="hex"), b"\x00\x00\x00\x01", b"\x00\x00\x00\x01") == "00000001"
    with pytest.raises(BadValue, match="nobody has written"):
        read(Settings(length=4, shows="hex"), blank, blank)


def test_without_a_checksum_all_is_read_twice() -> None:
    with pytest.raises(BadFrame, match="not the same"):
        read(Settings(length=4), b"abcd", b"abcf")


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("crc8", bytes((crc8_maxim(b"123456789"),))),
        ("crc16", crc16_modbus(b"123456789").to_bytes(2, "little")),
        ("crc32", crc32(b"123456789").to_bytes(4, "little")),
    ],
)
def test_checksums(name: str, check: bytes) -> None:
    """Their published check values are A1, 4B37 and CBF43926."""
    assert check[::-1].hex() in ("a1", "4b37", "cbf43926")
    settings = Settings(length=9, checksum=name)  # type: ignore[arg-type]  # name is one of them
    assert read(settings, b"123456789" + check) == "123456789"
    for at in range(9 + len(check)):
        spoilt = bytearray(b"123456789" + check)
        spoilt[at] ^= 1
        with pytest.raises(BadFrame, match="checksum"):
            read(settings, bytes(spoilt))


def test_its_text_is_its_identity() -> None:
    assert meet(Memory(Settings()).start(), Emulator()) == "GW-10000"


def test_a_chip_with_the_other_kind_of_address_is_no_reading() -> None:
    with pytest.raises(DeviceError):
        meet(Memory(Settings("24c02", first=9)).measure(), Emulator())


@pytest.mark.parametrize(
    "settings",
    [Settings("24c02", 250, 6, "hex"), Settings("24c512", 65000, 20, checksum="crc32"), Settings(checksum="crc16")],
)
def test_what_is_emulated_stands_where_the_settings_look_for_it(settings: Settings) -> None:
    text = meet(Memory(settings).start(), DRIVER.emulating(settings))
    assert text == (b"GW-100".hex() if settings.shows == "hex" else "GW-10000")


@pytest.mark.parametrize(
    ("chip", "start", "length", "checksum"),
    [("24c02", 250, 7, "none"), ("24c02", 250, 6, "crc8"), ("24c32", -1, 4, "none"), ("24c32", 0, 0, "none")]
    + [("24c32", 0, 129, "none"), ("24c01", 128, 1, "none")],
)
def test_bytes_that_it_does_not_have(chip: str, start: int, length: int, checksum: str) -> None:
    assert Settings("24c02", 250, 6)
    with pytest.raises(ValueError):
        Settings(chip, start, length, "text", checksum)  # type: ignore[arg-type]  # they are


def test_every_choice_is_known() -> None:
    hints = get_type_hints(Settings)
    assert set(get_args(hints["chip"])) == set(SIZES) and set(get_args(hints["checksum"])) == set(CHECKSUMS)
