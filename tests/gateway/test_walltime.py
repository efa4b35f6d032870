"""When the wall clock is believed, and who sets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task

from drivers.api import Quantity
from drivers.quantities import time as told_time
from gateway import walltime as module
from gateway.clock import Clock
from gateway.hub import Hub
from gateway.manual import Manual
from gateway.walltime import WallTime, may_be_wrong_at_boot, plausible, synchronised

WALL = 1_795_194_000.0
TIME = told_time()


class Board:
    """A clock that can be set, under a gateway that watches it."""

    def __init__(self, trust: Any = "system") -> None:
        self.time, self.error = task.Clock(), 0.0
        self.clock = Clock(1, self.time.seconds)
        self.hub = Hub(self.clock)
        self.service = WallTime(self.clock, self.time, trust, lambda: WALL + self.time.seconds() + self.error)
        self.hub.subscribe(self.service.hear, "*.time")

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time.advance(1)


def test_a_trusted_clock_is_taken_at_once() -> None:
    board = Board()
    board.service.startService()
    assert board.clock.now() == WALL
    board.run(100)
    assert board.clock.edition == 1 and board.clock.now() == WALL + 100
    board.service.stopService()
    assert board.time.getDelayedCalls() == []


def test_a_step_is_noticed_within_a_second_and_slewing_is_none() -> None:
    board = Board()
    board.service.startService()
    for _ in range(100):
        board.error += 0.002  # 2000 ppm, more than adjtime ever does
        board.run(1)
    assert board.clock.edition == 1
    board.run(1)
    board.error += 3600
    board.run(1)
    assert board.clock.edition == 2 and board.clock.now() == pytest.approx(WALL + 102 + 3600.2)
    assert board.clock.wall(1, 50) == WALL + 50  # what was before the step stays where it was


def test_slewing_that_adds_up_is_followed() -> None:
    board = Board()
    board.service.startService()
    for _ in range(1000):
        board.error += 0.001
        board.run(1)
    now = board.clock.now()
    assert now is not None and abs(now - (WALL + 1000 + board.error)) <= module.STEP + 0.01


def test_a_clock_nobody_vouches_for_counts_once_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    says: list[bool] = []
    monkeypatch.setattr(module, "synchronised", lambda: bool(says))
    board = Board("synchronized")
    board.service.startService()
    board.run(5)
    assert board.clock.now() is None
    says.append(True)
    board.run(1)
    assert board.clock.now() == WALL + 6
    says.clear()  # a time server that is gone again takes nothing away
    board.error = 10
    board.run(1)
    assert board.clock.now() == WALL + 17


@pytest.mark.parametrize(("tree", "rtc", "wrong"), [(1, 0, True), (1, 1, False), (0, 0, False), (0, 1, False)])
def test_a_board_without_a_clock_of_its_own(tmp_path: Path, tree: int, rtc: int, wrong: bool) -> None:
    for there, name in ((tree, "proc/device-tree"), (rtc, "dev/rtc0")):
        if there:
            (tmp_path / name).mkdir(parents=True)
    assert may_be_wrong_at_boot(tmp_path) is wrong


def test_auto_asks_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "synchronised", lambda: False)
    for wrong in (True, False):
        monkeypatch.setattr(module, "may_be_wrong_at_boot", lambda wrong=wrong: wrong)
        board = Board("auto")
        board.service.startService()
        assert (board.clock.now() is None) is wrong


def test_the_kernel_answers() -> None:
    assert synchronised() in (True, False)


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(module, "synchronised", lambda: False)
    board = Board("synchronized")
    board.service.startService()
    return board


def test_a_receiver_sets_a_clock_that_nobody_else_has(unset: Board) -> None:
    unset.run(3)
    unset.hub.publish("roof", {TIME: "2026-11-20T17:00:03.500Z"})
    assert unset.clock.now() == WALL + 3.5
    unset.hub.publish("roof", {TIME: "2026-11-20T18:00:00.000Z"})  # once is enough
    assert unset.clock.now() == WALL + 3.5


def test_the_system_clock_takes_over_from_the_receiver(unset: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    unset.hub.publish("roof", {TIME: "2026-11-20T17:00:07.000Z"})
    monkeypatch.setattr(module, "synchronised", lambda: True)
    unset.run(1)
    assert unset.clock.now() == WALL + 1


@pytest.mark.parametrize(
    "text",
    [
        "2007-04-07T17:00:00.000Z",  # 1024 weeks too early
        "2056-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.999999",
        "17:00:00",
        "half past four",
        "",
    ],
)
def test_a_date_that_cannot_be_true_sets_nothing(unset: Board, text: str) -> None:
    unset.hub.publish("roof", {TIME: text})
    assert unset.clock.now() is None and unset.hub.errors == {}


def test_a_time_without_a_zone_is_utc_wherever_the_board_is(unset: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        unset.hub.publish("roof", {TIME: "2026-11-20T17:00:00"})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert unset.clock.now() == WALL


def test_only_a_receiver_is_believed(unset: Board) -> None:
    Manual(unset.hub).set("time", "2026-11-20T17:00:00.000Z")  # by hand: a note, no clock
    unset.hub.publish("meter", {Quantity("time", "s", high=1e9): 5.0})
    unset.hub.publish("roof", {TIME: "2026-11-20T17:00:00.000Z"}, suspect=(TIME,))
    assert unset.clock.now() is None
    unset.hub.publish("roof", {TIME: "2026-11-20T17:00:00.000Z"})
    assert unset.clock.now() == WALL


def test_what_is_plausible() -> None:
    assert plausible(WALL) and not plausible(WALL - 1024 * 7 * 86400) and not plausible(0)
