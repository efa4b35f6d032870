"""Settings that choose the quantities, from the configuration to the card of the device."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import catalog
from gateway.config import Config, parse
from gateway.plan import planned
from gateway.table import ConfigError

SHED = '[device.shed]\ndriver = "mcp23017"\nbus = "i2c:1"\n'


def read(text: str) -> Config:
    return parse(text, "g.toml", catalog.find, catalog.names())


def told(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(text)
    return [str(problem).removeprefix("g.toml:") for problem in raised.value.problems]


def test_what_was_chosen_is_on_the_card_with_what_can_be_switched() -> None:
    (device,) = read(SHED + 'outputs = ["a0", "b7"]\ninputs = ["a1"]\nstart = "on"\n').devices
    plan = planned(device)
    assert {each.name: each.writable for each in plan.card.quantities} == {
        "state_a0": True,
        "state_b7": True,
        "state_a1": False,
    }


def test_what_was_not_chosen_has_no_output_keys() -> None:
    assert read(SHED + 'outputs = ["a0"]\nstart = "on"\n')
    (mistake,) = told(SHED + 'start = "on"\n')
    assert mistake.startswith("4: device.shed.start: `start` is for outputs, and `mcp23017` has nothing to ")


def test_what_was_not_chosen_has_no_table() -> None:
    inputs = SHED.replace("mcp23017", "ads1115") + 'inputs = ["0-1"]\n'
    assert read(inputs + "voltage_0_1 = { scale = 2 }\n")
    (mistake,) = told(inputs + "voltage_2_3 = { scale = 2 }\n")
    assert "voltage_2_3" in mistake


def test_a_mistake_in_what_was_chosen_is_the_only_one_told() -> None:
    (mistake,) = told(SHED + 'outputs = ["c0"]\nstart = "on"\n')
    assert mistake.startswith("4: device.shed.outputs")


def test_a_clock_is_believed_unless_it_may_be_set() -> None:
    clock = SHED.replace("mcp23017", "ds3231") + '[gateway]\ntime_from = "shed"\n'
    assert read(clock).time_from == "shed"
    (mistake,) = told(clock.replace("[gateway]", "settable = true\n[gateway]"))
    assert "'shed' is no device that tells the time" in mistake


def test_the_pages_example_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs/buses.md").read_text("utf-8")
    (block,) = (
        each for each in re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "mcp23017" in each
    )
    assert {device.name: len(planned(device).card.quantities) for device in read(block).devices} == {
        "greenhouse": 3,
        "probes": 2,
        "strips": 6,
    }
