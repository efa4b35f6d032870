"""MCP23017: which line is which bit, that an output has its level before it is one, and a chip that lost its power."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Transfer, Writes
from drivers.mcp23017 import DRIVER, INPUTS, LINES, OUTPUTS, Emulator, Inputs, Lines, Settings, made
from tests.drivers.talk import Exchange, follow, meet

SET = "0000 0000 a55a 0000 0000"  # IPOL, GPINTEN, DEFVAL, INTCON, IOCON
SETTINGS = Settings(outputs=("a0", "b7"), active_low=("b7", "a1"), pull_up=("a1",))


def chip(inputs: str, pins: str, latches: str, pulled: str = "0200", set: str = SET) -> bytes:
    return bytes.fromhex(f"{inputs} {set} {pulled} 0000 0000 {pins} {latches}")


LOOK = Transfer(b"\x00", 22)
START: list[Exchange] = [
    (Transfer(b"\x05\x00"), b""),
    (Transfer(b"\x02" + bytes.fromhex(f"{SET} 0200")), b""),
    (Transfer(b"\x00", 2), b"\xff\xff"),
    (Transfer(b"\x00\xff\xff"), b""),
]


def on(device: Inputs, answer: bytes) -> set[str]:
    sample = follow(device.measure(), [*START, (LOOK, answer)])
    return {quantity.name.removeprefix("state_") for quantity, value in sample.items() if value}


def test_which_bit_is_which_line() -> None:
    """Port A first, its lowest bit is a0.  What is low is on where that was said: b7, and a1."""
    assert on(Lines(SETTINGS), chip("ffff", "0280", "0000")) == set()
    assert on(Lines(SETTINGS), chip("ffff", "0580", "0000")) == {"a0", "a1", "a2"}
    assert on(Lines(SETTINGS), chip("ffff", "0201", "0000")) == {"b0", "b7"}


def test_an_output_is_what_its_latch_drives() -> None:
    """A lamp without a resistor pulls the pin down; it is on all the same."""
    assert on(Lines(SETTINGS), chip("feff", "0280", "0100")) == {"a0"}
    assert on(Lines(SETTINGS), chip("feff", "0380", "0000")) == set()


@pytest.mark.parametrize(
    ("line", "value", "latches", "inputs"),
    [("a0", True, "0100", "feff"), ("a0", False, "0000", "feff")]
    + [("b7", True, "0000", "ff7f"), ("b7", False, "0080", "ff7f")],  # low is on
)
def test_has_its_level_before_it_is_an_output(line: str, value: bool, latches: str, inputs: str) -> None:
    quantity = next(quantity for quantity, each in SETTINGS.quantities.items() if each == line)
    script: list[Exchange] = [
        *START,
        (LOOK, chip("ffff", "0280", "0000")),
        (Transfer(b"\x14" + bytes.fromhex(latches)), b""),
        (Transfer(b"\x00" + bytes.fromhex(inputs)), b""),
        (LOOK, chip(inputs, "0280", latches)),
    ]
    assert follow(Lines(SETTINGS).write(quantity, value), script) == {quantity: value}


def test_switching_one_leaves_the_others() -> None:
    device, emulator = Lines(Settings(LINES, ())), Emulator()
    for line in LINES:
        assert meet(device.write(OUTPUTS[line], True), emulator) == {OUTPUTS[line]: True}
    assert set(meet(device.measure(), emulator).values()) == {True}
    meet(device.write(OUTPUTS["a3"], False), emulator)
    assert [q.name for q, value in meet(device.measure(), emulator).items() if not value] == ["state_a3"]


def test_what_it_drove_before_stays() -> None:
    emulator = Emulator()
    meet(Lines(SETTINGS).write(OUTPUTS["a0"], True), emulator)
    anew = Lines(SETTINGS)
    meet(anew.start(), emulator)
    assert meet(anew.measure(), emulator)[OUTPUTS["a0"]] is True
    assert emulator.registers[0] == 0xFE


def test_a_chip_that_lost_its_power_is_no_reading_until_it_is_set_up_anew() -> None:
    device, emulator = Lines(SETTINGS), Emulator()
    meet(device.write(OUTPUTS["a0"], True), emulator)
    emulator = Emulator()
    for _ in range(3):
        with pytest.raises(BadFrame, match="not as it was set"):
            meet(device.measure(), emulator)
    assert meet(Lines(SETTINGS).measure(), emulator)[OUTPUTS["a0"]] is False


@pytest.mark.parametrize(
    "answer",
    [
        bytes(22),
        b"\xff" * 22,
        chip("feff", "0280", "0000", pulled="0000"),
        chip("fcff", "0280", "0000"),  # a1 is none of our outputs
        chip("feff", "0280", "0000", set="0100 0000 a55a 0000 0000"),
    ],
)
def test_other_settings_are_no_reading(answer: bytes) -> None:
    assert on(Lines(SETTINGS), chip("feff", "0280", "0000")) == set()
    with pytest.raises(BadFrame):
        on(Lines(SETTINGS), answer)


def test_inputs_cannot_be_set() -> None:
    assert not isinstance(made(Settings()), Writes) and isinstance(made(SETTINGS), Writes)
    with pytest.raises(BadValue, match="state_a1 cannot be set"):
        next(Lines(SETTINGS).write(INPUTS["a1"], True))
    with pytest.raises(BadValue, match="state_a2 cannot be set"):
        next(Lines(SETTINGS).write(OUTPUTS["a2"], True))


def test_settings_choose_the_quantities() -> None:
    assert len(DRIVER.having(Settings())) == 16
    named = {each.name: each.writable for each in DRIVER.having(Settings(("a0",), ("b0",)))}
    assert named == {"state_a0": True, "state_b0": False}
    assert Settings(inputs=("a0",), outputs=("a1",))
    with pytest.raises(ValueError, match="a0: in `inputs` and in `outputs`"):
        Settings(inputs=("a0",), outputs=("a0",))
    with pytest.raises(ValueError, match="twice"):
        Settings(pull_up=("a0", "a0"))
    with pytest.raises(ValueError, match="nothing is left"):
        Settings(inputs=())
