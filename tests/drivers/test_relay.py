"""Relay: which level is on, and that its state is the one the line has."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers.api import BadValue, Edge, SetLines
from drivers.quantities import state
from drivers.relay import STATE, Relay, Settings
from tests.drivers.talk import follow


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("active", ["high", "low"])
def test_drives_the_level_that_is_meant_and_reads_it_back(active: Literal["high", "low"], on: bool) -> None:
    device, level = Relay(Settings(active)), on == (active == "high")
    assert follow(device.write(STATE, on), [(SetLines((("line", level),)), b"")]) == {STATE: on}
    assert list(device.feed((Edge("line", level, 1.0), Edge("line", not level, 2.0)))) == [{STATE: on}, {STATE: not on}]


def test_sets_nothing_else() -> None:
    with pytest.raises(BadValue, match="cannot be set"):
        next(Relay(Settings()).write(state(writable=True), True))
