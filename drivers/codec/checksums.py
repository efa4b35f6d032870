"""Checksums by their name, each with its bytes as they usually stand on the wire.

The names, polynomials and check values (of the nine characters 123456789) are those of Greg Cook's "Catalogue of
parametrised CRC algorithms".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import xor
from typing import Literal
from zlib import crc32

from drivers.codec.crc import crc8, crc8_maxim, crc16_modbus, negated8, sum16

Order = Literal["big", "little"]


@dataclass(frozen=True, slots=True)
class Checksum:
    """How many bytes it has, in which order they usually are, and how it is worked out."""

    size: int
    order: Order
    of: Callable[[bytes], int]

    def bytes_of(self, data: bytes, order: Order | None = None) -> bytes:
        return self.of(data).to_bytes(self.size, order or self.order)


@lru_cache
def table(poly: int) -> tuple[int, ...]:
    """For each byte what a CRC-16 of this reflected polynomial becomes."""
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ poly if byte & 1 else byte >> 1
        found.append(byte)
    return tuple(found)


def reflected(data: bytes, poly: int, start: int, last: int) -> int:
    """A CRC-16, lowest bit first; all its bits are turned at the end where *last* is FFFFh."""
    crc, rows = start, table(poly)
    for byte in data:
        crc = crc >> 8 ^ rows[(crc ^ byte) & 0xFF]
    return crc ^ last


def ccitt(data: bytes, start: int) -> int:
    """A CRC-16 of the polynomial 1021h, highest bit first."""
    crc = start
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


CHECKSUMS: dict[str, Checksum] = {
    "sum8": Checksum(1, "big", lambda data: sum(data) & 0xFF),
    "sum16": Checksum(2, "big", sum16),
    "xor8": Checksum(1, "big", lambda data: reduce(xor, data, 0)),
    "negated8": Checksum(1, "big", negated8),  # two's complement of the sum
    "negated16": Checksum(2, "big", lambda data: -sum(data) & 0xFFFF),
    "inverted8": Checksum(1, "big", lambda data: ~sum(data) & 0xFF),  # one's complement of it
    "crc8": Checksum(1, "big", lambda data: crc8(data, 0x07, 0x00)),  # CRC-8/SMBUS
    "crc8-sensirion": Checksum(1, "big", crc8),  # CRC-8/NRSC-5
    "crc8-dallas": Checksum(1, "big", crc8_maxim),  # CRC-8/MAXIM-DOW
    "crc16-modbus": Checksum(2, "little", crc16_modbus),
    "crc16-arc": Checksum(2, "little", lambda data: reflected(data, 0xA001, 0, 0)),
    "crc16-x25": Checksum(2, "little", lambda data: reflected(data, 0x8408, 0xFFFF, 0xFFFF)),  # CRC-16/IBM-SDLC
    "crc16-kermit": Checksum(2, "little", lambda data: reflected(data, 0x8408, 0, 0)),
    "crc16-ccitt": Checksum(2, "big", lambda data: ccitt(data, 0xFFFF)),  # CRC-16/IBM-3740, often called CCITT-FALSE
    "crc16-xmodem": Checksum(2, "big", lambda data: ccitt(data, 0)),
    "crc32": Checksum(4, "little", crc32),  # CRC-32/ISO-HDLC
}
