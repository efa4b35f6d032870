"""Checksums against published values."""

from __future__ import annotations

from drivers.codec.crc import crc8, crc8_maxim, crc16_modbus, negated8, sum16


def test_crc8_as_sensirion_prints_it() -> None:
    assert crc8(b"\xbe\xef") == 0x92  # Datasheet SHT3x-DIS, 4.12


def test_crc8_as_the_catalogue_has_it() -> None:
    assert crc8(b"123456789") == 0xF7  # CRC-8/NRSC-5: poly 31, init FF


def test_crc8_without_a_start_value() -> None:
    assert crc8(b"\x68\x3a", init=0) == 0x7C  # Datasheet HTU21D, section "CRC checksum"


def test_crc8_of_1_wire() -> None:
    assert crc8_maxim(bytes.fromhex("02 1c b8 01 00 00 00")) == 0xA2  # Maxim application note 27
    assert crc8_maxim(b"123456789") == 0xA1  # the catalogue's CRC-8/MAXIM-DOW


def test_crc16_of_modbus() -> None:
    assert crc16_modbus(bytes.fromhex("01 03 00 0A 00 02")) == 0x09E4  # and sent E4 09
    assert crc16_modbus(b"123456789") == 0x4B37  # the catalogue's check value


def test_sum16() -> None:
    assert sum16(bytes.fromhex("42 4d 00 14 00 01 00 01 00 01 00 01 00 01 00 01 00 00 00 00 00 51")) == 0x00FA
    assert sum16(b"\xff" * 300) == 300 * 255 % 65536


def test_negated8() -> None:
    assert negated8(bytes.fromhex("86 02 20 00 00 00 00")) == 0x58  # Datasheet MH-Z19B
