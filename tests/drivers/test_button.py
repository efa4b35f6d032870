"""Button: which level is pressed, and what counts as a press."""

from __future__ import annotations

import pytest

from drivers.api import Edge
from drivers.button import COUNT, STATE, Button, Emulator, Settings


def said(settings: Settings, *levels: bool) -> list[tuple[object, object]]:
    device = Button(settings)
    return [
        (sample[STATE], sample[COUNT])
        for at, level in enumerate(levels)
        for sample in device.feed((Edge("line", level, float(at)),))
    ]


def test_a_press_to_ground() -> None:
    assert said(Settings(), True, False, True, False) == [(False, 0), (True, 1), (False, 1), (True, 2)]


def test_a_press_to_the_supply() -> None:
    settings = Settings(active="high", pull="down")
    assert said(settings, False, True, False) == [(False, 0), (True, 1), (False, 1)]


def test_held_from_the_first_is_no_press() -> None:
    assert said(Settings(), False, True, False) == [(True, 0), (False, 0), (True, 1)]


def test_a_level_told_twice_is_no_press() -> None:
    assert said(Settings(), True, False, False) == [(False, 0), (True, 1), (True, 1)]


def test_edges_of_one_reading_keep_their_order() -> None:
    edges = tuple(Edge("line", level, 0.0) for level in (True, False, True, False))
    assert [sample[COUNT] for sample in Button(Settings()).feed(edges)] == [0, 1, 1, 2]


@pytest.mark.parametrize("debounce", [-0.01, 11.0, float("nan")])
def test_debounce_has_a_range(debounce: float) -> None:
    with pytest.raises(ValueError, match="debounce"):
        Settings(debounce=debounce)


def test_emulator_presses_every_five_seconds_for_half_a_second() -> None:
    emulator, levels = Emulator(), []
    for _ in range(200):
        emulator.tick(0.05)
        levels.append(emulator.levels["line"])
    presses = [at for at in range(1, 200) if levels[at - 1] and not levels[at]]
    assert levels[0] and 19 <= levels.count(False) <= 21
    assert len(presses) == 2 and 99 <= presses[1] - presses[0] <= 101
