"""PCA9685: frequency and counts as in the datasheet, off and its duty, and a chip that lost its power."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.pca9685 import DRIVER, DUTIES, PCA9685, STATES, STEPS, Emulator, Settings, decode, encode
from tests.drivers.talk import Exchange, follow, meet


@pytest.mark.parametrize(("hertz", "prescale"), [(200, 0x1E), (50, 121), (1526, 3), (24, 253), (1000, 5)])
def test_prescale(hertz: float, prescale: int) -> None:
    """200 Hz is the example of 7.3.5; 3 is 1526 Hz, FF 24 Hz."""
    assert PCA9685(Settings(frequency=hertz)).prescale == prescale


@pytest.mark.parametrize(
    ("registers", "on", "steps"),
    [
        ("0000 9901", True, 409),  # 10 %
        ("9901 cc04", True, 819),  # 20 % after a delay of 10 % (7.3.3, example 1)
        ("ff0e cc01", True, 717),  # over the end of the turn
        ("0010 0000", True, STEPS),
        ("0000 0010", False, 0),  # as after power-on
        ("0010 0010", False, STEPS),  # always off wins
        ("0000 9911", False, 409),
        ("0100 0010", True, 0),
    ],
)
def test_registers(registers: str, on: bool, steps: int) -> None:
    assert decode(bytes.fromhex(registers)) == (on, steps)


@pytest.mark.parametrize("steps", [0, 1, 2, 2048, 4095, 4096])
@pytest.mark.parametrize("on", [True, False])
def test_off_keeps_its_duty(on: bool, steps: int) -> None:
    assert decode(encode(on, steps)) == (on, steps)
    start, end = encode(on, steps)[1], encode(on, steps)[3]
    assert bool(end & 0x10) == (not on or not steps)
    assert bool(start & 0x10) == (steps == STEPS)


def test_bits_that_no_output_has() -> None:
    with pytest.raises(BadFrame):
        decode(b"\x00\x20\x00\x00")


WHO: list[Exchange] = [(Transfer(bytes((at,)), 1), bytes((byte,))) for at, byte in enumerate(b"\xe2\xe4\xe8\xe0", 2)]
FIRST: list[Exchange] = [
    *WHO,
    (Transfer(b"\x00", 1), b"\x11"),
    (Transfer(b"\xfe", 1), b"\x1e"),
    (Transfer(b"\x01\x04"), b""),
    (Transfer(b"\x00\x30"), b""),
    (Transfer(b"\xfe\x79"), b""),
    (Transfer(b"\x00\x20"), b""),
    (Sleep(0.0005), b""),
    (Transfer(b"\x00\xa0"), b""),
]


def test_a_first_start_sets_the_frequency() -> None:
    assert follow(PCA9685(Settings(frequency=50)).start(), FIRST) == ""


def test_a_second_start_does_not_disturb_what_runs() -> None:
    script: list[Exchange] = [
        *WHO,
        (Transfer(b"\x00", 1), b"\x20"),
        (Transfer(b"\xfe", 1), b"\x79"),
        (Transfer(b"\x01\x14"), b""),
        (Transfer(b"\x00\x20"), b""),
    ]
    assert follow(PCA9685(Settings(frequency=50, active="low")).start(), script) == ""


def test_writes_one_output() -> None:
    device = PCA9685(Settings((0, 1), frequency=50))
    before, after = "2004 e2e4e8e0 00000010 00000010", "2004 e2e4e8e0 00000010 00009a11"
    script: list[Exchange] = [
        *FIRST,
        (Transfer(b"\x00", 14), bytes.fromhex(before)),
        (Transfer(b"\x0a\x00\x00\x9a\x11"), b""),
        (Transfer(b"\x00", 14), bytes.fromhex(after)),
    ]
    assert follow(device.write(DUTIES[1], 10.0), script) == {STATES[1]: False, DUTIES[1]: 410 / 40.96}


def test_each_output_is_its_own() -> None:
    device, emulator = PCA9685(Settings()), Emulator()
    for at in range(16):
        meet(device.write(DUTIES[at], 100 * at / 16), emulator)
        meet(device.write(STATES[at], at % 2 == 0), emulator)
    sample = meet(device.measure(), emulator)
    assert [sample[each] for each in DUTIES] == [100 * at / 16 for at in range(16)]
    assert [sample[each] for each in STATES] == [at % 2 == 0 for at in range(16)]


def test_a_chip_that_lost_its_power_is_no_reading_and_is_set_up_anew() -> None:
    device, emulator = PCA9685(Settings((3,), frequency=50)), Emulator()
    meet(device.write(STATES[3], True), emulator)
    emulator = Emulator()
    for _ in range(3):
        with pytest.raises(BadFrame, match="not as it was set: 11 11"):
            meet(device.measure(), emulator)
    assert meet(PCA9685(Settings((3,), frequency=50)).measure(), emulator)[STATES[3]] is False
    assert emulator.registers[0xFE] == 121


def test_another_chip_is_refused_and_a_held_line_is_none() -> None:
    other, held = Emulator(), Emulator()
    other.registers[4] = 0x29
    held.registers[2:6] = bytes(4)
    with pytest.raises(WrongDevice, match="e2 e4 29 e0 where a PCA9685"):
        meet(PCA9685(Settings()).start(), other)
    with pytest.raises(BadFrame):
        meet(PCA9685(Settings()).start(), held)


def test_channels_choose_the_quantities() -> None:
    assert [each.name for each in DRIVER.having(Settings((3,)))] == ["state_3", "duty_3"]
    with pytest.raises(BadValue, match="duty_4 cannot be set"):
        next(PCA9685(Settings((3,))).write(DUTIES[4], 1.0))
    for channels in (), (16,), (1, 1):
        with pytest.raises(ValueError, match="`channels`"):
            Settings(channels)
    for hertz in 20.0, 2000.0, float("nan"):
        with pytest.raises(ValueError, match="`frequency`"):
            Settings(frequency=hertz)
