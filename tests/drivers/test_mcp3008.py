"""MCP3008: the frame of the datasheet, its settings, and a bus without a chip."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, DeviceError, NoAnswer, Transfer
from drivers.mcp3008 import DRIVER, MCP3008, VOLTAGES, Emulator, Settings, decode
from tests.drivers.talk import follow, meet


def test_each_input_is_asked_as_the_datasheet_draws_it() -> None:
    """Table 5-2: single-ended, D2 D1 D0 are the number of the input."""
    asked = [0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0]
    script = [(Transfer(bytes((1, control, 0)), 3), bytes((0xFF, 0xF8, at))) for at, control in enumerate(asked)]
    assert follow(MCP3008(Settings()).measure(), script) == {
        quantity: pytest.approx(at * 3.3 / 1024) for at, quantity in enumerate(VOLTAGES)
    }


def test_reference_and_inputs_are_settings() -> None:
    sample = follow(
        MCP3008(Settings(reference=5.0, inputs=(3,))).measure(), [(Transfer(b"\x01\xb0\x00", 3), b"\x00\x02\x00")]
    )
    assert sample == {VOLTAGES[3]: 2.5} and VOLTAGES[3].name == "voltage_3"
    assert DRIVER.having(Settings(inputs=(3, 0))) == (VOLTAGES[3], VOLTAGES[0])


@pytest.mark.parametrize(
    ("answer", "steps"), [("fffbff", 1023), ("000000", 0), ("00f800", 0), ("55 02 01", 513), ("aa 03 ff", 1023)]
)
def test_what_is_undefined_is_left_out(answer: str, steps: int) -> None:
    assert decode(bytes.fromhex(answer)) == steps


@pytest.mark.parametrize(("answer", "error"), [("ffffff", NoAnswer), ("0000", BadFrame), ("00000000", BadFrame)])
def test_no_reading(answer: str, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        decode(bytes.fromhex(answer))


@pytest.mark.parametrize(
    "wrong", [{"reference": 0.0}, {"reference": float("nan")}, {"inputs": ()}, {"inputs": (8,)}, {"inputs": (0, 0)}]
)
def test_settings_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="reference|inputs"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_emulator_knows_the_inputs_apart() -> None:
    values = list(meet(MCP3008(Settings()).measure(), Emulator(), DRIVER.link.operations).values())
    assert values == sorted(set(values)) and len(values) == 8
