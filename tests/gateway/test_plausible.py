"""Which values are believed: bounds, spikes, and steps that last."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from drivers import sht31
from drivers.api import BadValue, Quantity
from gateway.handle import Card
from gateway.plan import Plan
from gateway.plausible import Plausible

WATER, LAMP = Quantity("temperature", "°C", digits=1), Quantity("state", kind="flag")


def planned(slope: float = inf, low: float = -inf, high: float = inf) -> Plan:
    card = Card(name="x", label="", driver="x", title="", documentation="", where="", period=1.0, settings={},
                quantities=(WATER,))  # fmt: skip
    return Plan(card=card, driver=sht31.DRIVER, settings=None, scales={}, limits={"temperature": (low, high)},
                slopes={} if slope == inf else {"temperature": slope})  # fmt: skip


def judge(**chosen: float) -> Plausible:
    return Plausible(planned(**chosen))


def test_a_whole_number_stays_one() -> None:
    pulses = Quantity("count", kind="int", high=2**53)
    corrected = Plausible(replace(planned(), scales={"count": (0.1, 7)})).corrected({pulses: 126})
    assert corrected == {pulses: 20} and type(corrected[pulses]) is int


def test_a_correction_beyond_all_numbers_gives_none() -> None:
    with pytest.raises(BadValue, match="beyond all numbers"):
        Plausible(replace(planned(), scales={"temperature": (1e308, 0)})).corrected({WATER: 20.0})


def doubted(judging: Plausible, *values: float, every: float = 1.0) -> list[float]:
    """Those of *values*, one *every* so many seconds, that are suspect."""
    return [value for at, value in enumerate(values) if judging.doubtful({WATER: value, LAMP: True}, at * every)]


def test_a_spike_does_not_make_the_values_after_it_suspect() -> None:
    assert doubted(judge(slope=0.5), 20.0, 20.2, 85.0, 20.3, 20.7, -40.0, 20.8) == [85.0, -40.0]


def test_spikes_of_every_other_value_are_never_taken_for_a_step() -> None:
    assert doubted(judge(slope=0.5), *[20.0, 85.0] * 20) == [85.0] * 20


def test_a_step_that_lasts_is_believed_with_its_third_value() -> None:
    assert doubted(judge(slope=0.5), 20.0, 50.0, 50.1, 50.2, 50.3, 20.0) == [50.0, 50.1, 20.0]


def test_values_that_do_not_agree_with_each_other_are_no_step() -> None:
    assert doubted(judge(slope=0.5), 20.0, 50.0, 60.0, 50.0, 60.0, 50.0, 20.0) == [50.0, 60.0, 50.0, 60.0, 50.0]


def test_what_takes_its_time_is_believed() -> None:
    assert doubted(judge(slope=0.5), 20.0, 24.9, 29.9, every=10.0) == []
    assert doubted(judge(slope=0.5), 20.0, 25.2, every=10.0) == [25.2]
    assert doubted(judge(slope=0.001), 20.0, 20.1, 20.0, 20.1) == []  # the last digit is no change


def test_a_value_beyond_its_bounds_is_no_measure_for_the_next() -> None:
    assert doubted(judge(slope=0.5, high=30.0), 20.0, 50.0, 50.0, 50.0, 50.0, 20.1) == [50.0] * 4
