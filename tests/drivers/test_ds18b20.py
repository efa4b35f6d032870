"""DS18B20 as w1_therm shows it: the datasheet's table, and every text that is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Read, Write
from drivers.codec.crc import crc8_maxim
from drivers.ds18b20 import BULK, DRIVER, DS18B20, TEMPERATURE, Emulator, Settings, decode, memory, shown
from tests.drivers.talk import follow, meet

GOOD = "72 01 4b 46 7f ff 0e 10 57"
TEXT = f"{GOOD} : crc=57 YES\n{GOOD} t=23125\n"
TRIGGER = Write(BULK, "trigger\n")


def text(low_high: str, config: int = 0x7F, sixth: int = 0x10) -> bytes:
    """What the kernel shows of a sensor whose memory begins so."""
    bare = bytes.fromhex(low_high) + bytes((0x4B, 0x46, config, 0xFF, sixth, 0x10))
    return shown(bare + bytes((crc8_maxim(bare),))).encode()


def test_a_known_memory() -> None:
    assert decode(TEXT.encode()) == 23.125


@pytest.mark.parametrize(
    ("low_high", "celsius"),
    [("d007", 125), ("9101", 25.0625), ("a200", 10.125), ("0800", 0.5), ("0000", 0), ("f8ff", -0.5)]
    + [("5eff", -10.125), ("6ffe", -25.0625), ("90fc", -55)],
)
def test_table_of_the_datasheet(low_high: str, celsius: float) -> None:
    assert decode(text(low_high)) == celsius


def test_undefined_bits_of_a_lower_resolution_are_left_out() -> None:
    assert [decode(text("7701", config)) for config in (0x7F, 0x5F, 0x3F, 0x1F)] == [23.4375, 23.375, 23.25, 23.0]


def test_eighty_five_is_refused_when_just_switched_on_and_taken_when_it_is_true() -> None:
    with pytest.raises(BadValue, match="just switched on"):
        decode(text("5005", sixth=0x0C))
    assert decode(text("5005", sixth=0x10)) == 85


@pytest.mark.parametrize(
    ("shown", "error"),
    [
        ("", "got nothing"),
        (TEXT.replace("YES", "NO"), "checksum wrong"),  # the second line is the measurement before
        (TEXT.replace("72 01", "73 01"), "checksum wrong"),  # as if the kernel had not looked
        (TEXT.replace("crc=57", "crc=58"), "checksum wrong"),
        (f"{GOOD} : crc=57 YES\n{shown(memory(20.0)).splitlines()[1]}\n", "another measurement"),
        (TEXT.replace("t=23125", "t=23000"), "another measurement"),
        (shown(bytes(9)), "held down"),
        (TEXT[:-1], "not what w1_therm shows"),
        (TEXT.replace("\n", "\r\n"), "not what w1_therm shows"),
        ("23125\n", "not what w1_therm shows"),
    ],
)
def test_no_reading(shown: str, error: str) -> None:
    with pytest.raises(BadFrame, match=error):
        decode(shown.encode())


def test_beyond_what_the_sensor_can() -> None:
    with pytest.raises(BadValue):
        decode(text("e007"))


def test_has_the_whole_bus_convert_and_reads() -> None:
    device = DS18B20(Settings())
    for _ in range(2):
        assert follow(device.measure(), [(TRIGGER, b""), (Read("w1_slave"), TEXT.encode())]) == {TEMPERATURE: 23.125}


@pytest.mark.parametrize("error", [NoAnswer("no such file"), BadFrame("Input/output error")])
def test_without_the_right_to_that_it_only_reads(error: DeviceError) -> None:
    device = DS18B20(Settings())
    talk = device.measure()
    assert next(talk) == TRIGGER
    assert talk.throw(error) == Read("w1_slave")
    with pytest.raises(StopIteration) as done:
        talk.send(TEXT.encode())
    assert done.value.value == {TEMPERATURE: 23.125}
    assert follow(device.measure(), [(Read("w1_slave"), TEXT.encode())]) == {TEMPERATURE: 23.125}


def test_emulator() -> None:
    emulator = Emulator()
    assert meet(DS18B20(Settings()).measure(), emulator) == {TEMPERATURE: 21.5}
    assert DRIVER.emulator().files["w1_slave"].count("YES") == 1  # type: ignore[union-attr]
