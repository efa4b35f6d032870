"""Words on the wire of Sensirion's I2C sensors: 16 bits, big endian, each followed by its CRC-8.

Most commands are 16 bits without a checksum, and a while after one the words that answer it can be read.

Source: Sensirion "Datasheet SHT3x-DIS", version 7, section 4.12: polynomial 0x31, start 0xFF; that of BE EF is 92.
"""

from __future__ import annotations

from drivers.api import BadFrame, Sleep, Talk, Transfer
from drivers.codec.crc import crc8


def asked(command: bytes, seconds: float, count: int) -> Talk[list[int]]:
    """The *count* words that answer *command* after so many seconds."""
    yield Transfer(command)
    yield Sleep(seconds)
    return words((yield Transfer(read=3 * count)), count)


def serial_number(command: bytes, count: int) -> Talk[str]:
    """The words that answer *command* within a millisecond, as Sensirion writes a serial number."""
    return "".join(f"{word:04x}" for word in (yield from asked(command, 0.001, count)))


def words(answer: bytes, count: int) -> list[int]:
    """Verify and strip the checksums of an answer of *count* words, or raise BadFrame."""
    if len(answer) != 3 * count:
        raise BadFrame(f"{len(answer)} bytes in place of {3 * count}: {answer.hex(' ')}")
    for at in range(0, len(answer), 3):
        if crc8(answer[at : at + 2]) != answer[at + 2]:
            raise BadFrame(f"word {at // 3}: checksum wrong in {answer.hex(' ')}")
    return [int.from_bytes(answer[at : at + 2], "big") for at in range(0, len(answer), 3)]


def seal(*values: int) -> bytes:
    """Put each word's checksum behind it."""
    return b"".join(word + bytes([crc8(word)]) for word in (value.to_bytes(2, "big") for value in values))
