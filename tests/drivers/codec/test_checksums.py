"""Checksums by name, each against the check value of the catalogue of parametrised CRC algorithms."""

from __future__ import annotations

import pytest

from drivers.codec.checksums import CHECKSUMS

CHECKED = {  # of 123456789
    **{"sum8": 0xDD, "sum16": 0x01DD, "xor8": 0x31, "negated8": 0x23, "negated16": 0xFE23, "inverted8": 0x22},
    **{"crc8": 0xF4, "crc8-sensirion": 0xF7, "crc8-dallas": 0xA1},
    **{"crc16-modbus": 0x4B37, "crc16-arc": 0xBB3D, "crc16-x25": 0x906E, "crc16-kermit": 0x2189},
    **{"crc16-ccitt": 0x29B1, "crc16-xmodem": 0x31C3, "crc32": 0xCBF43926},
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_check_value(name: str) -> None:
    assert CHECKSUMS[name].of(b"123456789") == CHECKED[name]


def test_bytes_as_they_stand_on_the_wire() -> None:
    assert CHECKSUMS["crc16-modbus"].bytes_of(bytes.fromhex("0103000A0002")).hex() == "e409"
    assert CHECKSUMS["crc16-modbus"].bytes_of(bytes.fromhex("0103000A0002"), "big").hex() == "09e4"
    assert CHECKSUMS["crc8-sensirion"].bytes_of(bytes.fromhex("BEEF")).hex() == "92"
