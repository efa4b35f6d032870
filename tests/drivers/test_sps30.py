"""SPS30: frames of the datasheet (sections 5.3, 6.3), stuffing, and what it refuses."""

from __future__ import annotations

import struct

import pytest

from drivers.api import Ask, BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.codec import sensirion
from drivers.sps30 import (
    BEGINNING,
    DRIVER,
    FLOATS,
    LOOKS,
    PAUSE,
    QUANTITIES,
    SPS30,
    SPS30UART,
    TIMEOUT,
    WAIT,
    Settings,
    framed,
    opened,
    plain,
    seal,
)
from tests.drivers.talk import Exchange, follow

AIR = (1.25, 4.5, 7.0, 7.5, 1.5, 6.75, 10.0, 10.75, 10.875, 1.625)  # figures that a float has exactly
DATA = FLOATS.pack(*AIR)
SAMPLE = dict(zip(QUANTITIES, AIR, strict=True))
READ = bytes.fromhex("7e 00 03 00 fc 7e")
BEGIN = bytes.fromhex("7e 00 00 02 01 03 f9 7e")
PRODUCT = bytes.fromhex("7e 00 d0 01 00 2e 7e")
NUMBER = bytes.fromhex("7e 00 d0 01 03 2b 7e")
DONE = bytes.fromhex("7e 00 00 00 00 ff 7e")  # begins to measure
ALREADY = bytes.fromhex("7e 00 00 43 00 bc 7e")
NOTHING = bytes.fromhex("7e 00 03 00 00 fc 7e")


def answer(command: int, data: bytes, state: int = 0) -> bytes:
    return seal(bytes((0, command, state, len(data))) + data)


def asked(write: bytes, came: bytes) -> Exchange:
    return Ask(write, framed, TIMEOUT), came


def told(write: bytes, *words: int, wait: float = WAIT) -> list[Exchange]:
    """A command on I2C, and what it answers."""
    read: list[Exchange] = [(Transfer(read=3 * len(words)), sensirion.seal(*words))] if words else []
    return [(Transfer(write), b""), (Sleep(wait), b""), *read]


def letters(text: bytes, count: int) -> list[int]:
    return [each for (each,) in struct.iter_unpack(">H", text.ljust(2 * count, b"\0"))]


def test_frames_of_the_datasheet() -> None:
    assert seal(bytes.fromhex("00 03 00")) == READ
    assert seal(bytes.fromhex("00 00 02 01 03")) == BEGIN
    assert seal(bytes.fromhex("00 d0 01 00")) == PRODUCT and seal(bytes.fromhex("00 d0 01 03")) == NUMBER
    assert opened(DONE, 0, 0) == b"" == opened(NOTHING, 3, 0) == opened(ALREADY, 0, 0x43)


def test_stuffing() -> None:
    frame = seal(b"\x00\x03\x00\x05\x7e\x7d\x11\x13\x42")
    assert (
        frame[5:14] == bytes.fromhex("7d 5e 7d 5d 7d 31 7d 33 42")
        and plain(frame) == b"\x00\x03\x00\x05\x7e\x7d\x11\x13\x42"
    )


def test_serial_line() -> None:
    number = answer(0xD0, b"8CCABCFAE3201F49\0")
    device = SPS30UART(Settings())
    begun = [asked(PRODUCT, answer(0xD0, b"00080000\0")), asked(NUMBER, number), asked(BEGIN, DONE)]
    assert follow(device.start(), begun) == "8CCABCFAE3201F49"
    waited: list[Exchange] = [asked(READ, NOTHING), (Sleep(PAUSE), b""), asked(READ, answer(3, DATA))]
    assert follow(device.measure(), waited) == SAMPLE
    assert follow(device.measure(), [asked(READ, answer(3, DATA, 0x80))]) == SAMPLE  # a fan too slow is told elsewhere


def test_it_may_measure_already() -> None:
    begun = [asked(PRODUCT, answer(0xD0, b"00080000\0")), asked(NUMBER, answer(0xD0, b"1\0")), asked(BEGIN, ALREADY)]
    assert follow(SPS30UART(Settings()).start(), begun) == "1"


def test_i2c() -> None:
    device = SPS30(Settings())
    begun = [
        *told(b"\xd0\x02", *letters(b"00080000", 4)),
        *told(b"\xd0\x33", *letters(b"8CCABCFAE3201F49", 16)),
        *told(bytes.fromhex("00 10 03 00 ac"), wait=BEGINNING),
    ]
    assert follow(device.start(), begun) == "8CCABCFAE3201F49"
    words = struct.unpack(">20H", DATA)
    waited = [*told(b"\x02\x02", 0), (Sleep(PAUSE), b""), *told(b"\x02\x02", 1), *told(b"\x03\x00", *words)]
    assert follow(device.measure(), waited) == SAMPLE


def test_another_chip_is_refused() -> None:
    with pytest.raises(WrongDevice, match="00090000"):
        follow(SPS30(Settings()).start(), told(b"\xd0\x02", *letters(b"00090000", 4)))


def test_begun_anew_where_it_lost_power() -> None:
    device = SPS30(Settings())
    device.runs = True
    with pytest.raises(BadFrame, match="lost power"):
        follow(device.measure(), LOOKS * [*told(b"\x02\x02", 0), (Sleep(PAUSE), b"")])
    assert not device.runs


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 10_001.0])
def test_impossible_values(value: float) -> None:
    device = SPS30UART(Settings())
    device.runs = True
    assert follow(device.measure(), [asked(READ, answer(3, DATA))])
    with pytest.raises(BadValue):
        follow(device.measure(), [asked(READ, answer(3, FLOATS.pack(value, *AIR[1:])))])


@pytest.mark.parametrize(
    "frame", [answer(0, DATA), answer(3, DATA[:-1]), answer(3, DATA, 0x43), b"~~", b"~\x00\x03~", READ[:-2] + b"\x7d~"]
)
def test_what_is_no_answer(frame: bytes) -> None:
    device = SPS30UART(Settings())
    device.runs = True
    with pytest.raises(BadFrame):
        follow(device.measure(), [asked(READ, frame)])


def test_an_answer_behind_the_end_of_a_torn_one() -> None:
    torn = READ[-3:] + answer(3, DATA)
    assert framed(answer(3, DATA) + READ) == len(answer(3, DATA)) and framed(b"~") == 0
    passed = 0
    while passed < len(torn):
        try:
            size = framed(torn[passed:])
            break
        except BadFrame:
            passed += 1
    assert torn[passed : passed + size] == answer(3, DATA)


def test_rows() -> None:
    assert [row.name for row in DRIVER] == ["sps30", "sps30uart"]
