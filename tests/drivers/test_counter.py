"""Pulse counters: what is counted, how fast it comes, and what is told when nothing does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from drivers.api import BadValue, DeviceError, Edge, Sample
from drivers.counter import COUNT, DRIVER, ENERGY, FLOW, POWER, RATE, VOLUME, Counter, Settings

ROWS = {row.name: row for row in DRIVER}


def made(name: str = "counter", **settings: Any) -> Counter:
    row = ROWS[name]
    device: Counter = row.device(row.settings(**settings))
    return device


def wave(*pulses: float) -> list[Edge]:
    """A line that is high, and low for a tenth of a second at each of *pulses*."""
    return [Edge("line", level, at + late) for at in pulses for level, late in ((False, 0.0), (True, 0.1))]


def fed(device: Counter, edges: Iterable[Edge]) -> list[Sample | DeviceError]:
    return list(device.feed(tuple(edges)))


def again(device: Counter, at: float, level: bool = True) -> Any:
    (sample,) = fed(device, [Edge("line", level, at)])
    return sample


def test_the_first_level_is_told_and_is_no_pulse() -> None:
    assert again(made(), 0.0) == {COUNT: 0} == again(made(), 0.0, level=False)


def test_pulses_are_told_at_most_once_a_second() -> None:
    device = made()
    again(device, 0.0)
    samples = fed(device, wave(*(1 + step / 4 for step in range(20))))
    assert [sample[COUNT] for sample in samples] == [1, 5, 9, 13, 17]  # type: ignore[index]
    assert [sample.get(RATE) for sample in samples] == [None, 4.0, 4.0, 4.0, 4.0]  # type: ignore[union-attr]
    assert again(device, 10.0) == {COUNT: 20, RATE: 4.0}


@pytest.mark.parametrize(
    ("name", "pulses", "sample"),
    [
        # 15 pulses in 2 s of a YF-S201: 7.5 Hz, 1 l/min
        ("flowmeter", [step / 7.5 for step in range(16)], {VOLUME: 16 / 450_000, FLOW: 1.0}),
        # an S0 output of 1000 pulses a kWh, one each 3.6 s
        ("s0meter", [0.0, 3.6, 7.2], {ENERGY: 0.003, POWER: 1000.0}),
        ("counter", [0.0, 0.5, 1.0], {COUNT: 3, RATE: 2.0}),
    ],
)
def test_worked_examples(name: str, pulses: list[float], sample: Sample) -> None:
    device = made(name)
    again(device, 0.0)
    fed(device, wave(*(1 + at for at in pulses)))
    assert again(device, 1.2 + pulses[-1]) == {quantity: pytest.approx(value) for quantity, value in sample.items()}


def test_pulses_of_a_unit_of_one_s_own() -> None:
    """An anemometer with two pulses a turn: the count is of pulses, the rate of turns."""
    device = made(pulses_per_unit=2)
    again(device, 0.0)
    fed(device, wave(1.0, 2.0, 3.0))
    assert again(device, 3.5) == {COUNT: 3, RATE: 0.5}


def test_no_pulse_is_told_as_what_it_may_be_at_most_and_then_as_rest() -> None:
    device = made(idle=60)
    again(device, 0.0)
    assert again(device, 30.0) == {COUNT: 0}  # not known yet
    assert again(device, 60.0) == {COUNT: 0, RATE: 0.0}
    assert fed(device, wave(70.0, 70.5))[0] == {COUNT: 1}  # how fast they come tells the next
    assert again(device, 75.0) == {COUNT: 2, RATE: 2.0}
    assert again(device, 80.5) == {COUNT: 2, RATE: 0.1}
    assert again(device, 90.5) == {COUNT: 2, RATE: 0.05}
    assert again(device, 131.0) == {COUNT: 2, RATE: 0.0}


def test_a_pulse_after_a_pause_gives_the_mean_since_the_one_before() -> None:
    device = made()
    again(device, 0.0)
    fed(device, wave(1.0))
    assert fed(device, wave(21.0)) == [{COUNT: 2, RATE: 0.05}]


def test_pulses_of_the_other_kind() -> None:
    device = made(active="high")
    again(device, 0.0, level=False)
    assert fed(device, [Edge("line", True, 1.0), Edge("line", False, 1.5)]) == [{COUNT: 1}]


def test_the_count_goes_on_after_a_restart() -> None:
    before, after = made(), made()
    again(before, 0.0)
    fed(before, wave(1.0, 2.0))
    after.restore(before.state())
    assert again(after, 0.0) == {COUNT: 2}
    for nonsense in (b"", b"-1", b"x"):
        with pytest.raises(ValueError, match="no count"):
            after.restore(nonsense)


def test_what_no_meter_can_show_is_an_error() -> None:
    device = made("s0meter", pulses_per_unit=1e-6)
    again(device, 0.0)
    fed(device, wave(1.0, 1.5))
    assert isinstance(again(device, 2.0), BadValue)


@pytest.mark.parametrize("wrong", [{"pulses_per_unit": 0}, {"debounce": -1}, {"idle": 1}, {"idle": float("nan")}])
def test_settings_have_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
