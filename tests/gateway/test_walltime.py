"""When the wall clock is believed, and who sets it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task
from twisted.logger import capturedLogs

from drivers.api import Quantity
from drivers.quantities import mode
from drivers.quantities import time as told_time
from gateway import timesource
from gateway import walltime as module
from gateway.clock import Clock, Segment, iso
from gateway.hub import Hub
from gateway.manual import Manual
from gateway.timesource import EARLIEST, adjtimex, last_known, may_be_wrong_at_boot, plausible, synchronised
from gateway.walltime import WallTime

WALL = 1_795_194_000.0
TIME, MODE = told_time(), mode()


class Board:
    """A clock that can be set, under a gateway that watches it."""

    def __init__(self, trust: Any = "system", *, path: Path | None = None, error: float = 0.0) -> None:
        self.time, self.error = task.Clock(), error
        self.clock = Clock(1, self.time.seconds, floor=last_known(path))
        self.hub = Hub(self.clock)
        self.facts: dict[str, Any] = {}
        self.service = WallTime(
            self.clock,
            self.time,
            trust,
            lambda: WALL + self.time.seconds() + self.error,
            receiver="roof",
            path=path,
            facts=self.facts,
        )
        self.hub.subscribe(self.service.hear, "*.time", "*.mode")

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
    assert board.facts == {"clock": "unknown: the system's clock follows no time source yet"}
    says.append(True)
    board.run(1)
    assert board.clock.now() == WALL + 6
    assert board.facts == {"clock": "synchronized, within 0.25 s"}
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
    error = adjtimex()
    assert error is None or 0 <= error <= timesource.UNSURE


@pytest.mark.parametrize(
    ("error", "note", "follows"),
    [
        (0, False, True),
        (15_999_999, False, True),
        (16_000_000, False, False),
        (16_000_000, True, True),  # it keeps its hardware clock in local time
        (None, False, False),  # a sandbox forbids to ask
        (None, True, True),
    ],
)
def test_who_says_that_the_clock_follows_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None, note: bool, follows: bool
) -> None:
    monkeypatch.setattr(timesource, "adjtimex", lambda: error)
    if note:
        (tmp_path / "run/systemd/timesync").mkdir(parents=True)
        (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert synchronised(tmp_path) is follows


def test_a_refused_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's sandbox answers EPERM; taken for "not TIME_ERROR" that would be trust."""

    class Refusing:
        def adjtimex(self, timex: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Refusing())
    assert adjtimex() is None


# What was before


def test_the_last_known_time_is_noted_seldom_and_at_the_end(tmp_path: Path) -> None:
    path, board = tmp_path / "time", Board(path=tmp_path / "time")
    assert last_known(path) == 0
    board.service.startService()
    assert last_known(path) == WALL and path.stat().st_size == 0
    board.run(599)
    assert last_known(path) == WALL
    board.run(2)
    assert last_known(path) == pytest.approx(WALL + 600, abs=1.5)
    board.error = 5000.0  # set: noted sooner, but not at once
    board.run(5)
    assert last_known(path) < WALL + 5000
    board.run(60)
    assert last_known(path) > WALL + 5000
    board.run(7)
    board.service.stopService()
    assert last_known(path) == board.clock.now()


def test_the_first_time_of_all_is_noted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "synchronised", lambda: False)
    board = Board("synchronized", path=tmp_path / "time")
    board.service.startService()
    board.run(10)
    assert last_known(tmp_path / "time") == 0
    monkeypatch.setattr(module, "synchronised", lambda: True)
    board.run(1)
    assert last_known(tmp_path / "time") == WALL + 11


def test_a_clock_before_the_last_known_time_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The battery of the clock is empty, or somebody set it back."""
    says: list[bool] = []
    monkeypatch.setattr(module, "synchronised", lambda: bool(says))
    monkeypatch.setattr(module, "may_be_wrong_at_boot", lambda: False)
    path = tmp_path / "time"
    for error, trust, known in ((-3600.0, "auto", False), (-3600.0, "system", True), (3600.0, "auto", True)):
        first = Board(path=path)
        first.service.startService()
        first.run(100)
        first.service.stopService()
        with capturedLogs() as logged:
            board = Board(trust, path=path, error=error)
            board.service.startService()
            board.run(3)
        assert (board.clock.now() is not None) is known
        assert board.clock.floor == WALL + 100
        warned = [event for event in logged if "is not known" in event["log_format"]]
        assert len(warned) == (not known)
        if not known:
            assert board.facts["clock"] == (f"unknown: the system's clock says {iso(WALL - 3597)}, "
                                            f"but {iso(WALL + 100)} has been already")  # fmt: skip
            says.append(True)  # a time server knows better than we
            board.run(1)
            assert board.clock.now() == WALL - 3596
            says.clear()
        board.service.stopService()


def test_a_boot_without_time_is_at_least_as_long_after_the_last_known_one(tmp_path: Path) -> None:
    path = tmp_path / "time"
    first = Board(path=path)
    first.service.startService()
    first.service.stopService()
    for boots in (1, 2):
        board = Board("auto", path=path, error=-1e9)
        board.service.startService()
        board.run(50)
        board.service.stopService()
        assert board.clock.now() is None and last_known(path) == WALL + 50 * boots


def test_a_time_before_this_program_is_no_time_whoever_vouches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "synchronised", lambda: True)
    board = Board("auto", error=EARLIEST - WALL - 10)
    board.service.startService()
    board.run(9)
    assert board.clock.now() is None
    board.run(1)
    assert board.clock.now() == EARLIEST


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    with capturedLogs() as logged:
        board = Board(path=tmp_path / "none" / "time")
        board.service.startService()
        board.run(2000)
        board.service.stopService()
    assert len([event for event in logged if "cannot be noted" in event["log_format"]]) == 1
    assert board.clock.now() == WALL + 2000


def test_a_note_that_cannot_be_true_is_none(tmp_path: Path) -> None:
    path = tmp_path / "time"
    path.touch()
    for when in (0, EARLIEST - 1, timesource.LATEST + 1):
        os.utime(path, (when, when))
        assert last_known(path) == 0
    assert last_known(None) == 0


# Steps, and more steps


def test_a_processor_that_is_busy_between_two_looks_makes_no_wrong_time() -> None:
    """Neither between the two clocks, nor while the log waits for the disk."""
    board = Board()
    stalls = iter([0.0, 0.7, 0.9, 0.0, 0.0, 0.0])  # before each of the looks at a clock: monotonic, wall, monotonic ...

    def stalled(look: Callable[[], float]) -> Callable[[], float]:
        def now() -> float:
            board.time.rightNow += next(stalls, 0.3)
            return look()

        return now

    board.clock.monotonic, board.service.system = stalled(board.time.seconds), stalled(board.service.system)
    board.service.look()
    (segment,) = board.clock.segments[1]
    assert segment.offset == pytest.approx(WALL)


def test_a_clock_that_is_set_over_and_over_again_fills_no_memory() -> None:
    board = Board()
    board.service.startService()
    for _ in range(20_000):
        board.error = 0.0 if board.error else 1.0
        board.run(1)
    assert len(board.clock.segments[1]) == 2000  # only steps of more than a second count by then
    assert board.facts["clock"] == "system, within 1 s"
    now = board.clock.now()
    assert now is not None and abs(now - (WALL + 20_000 + board.error)) <= 1


def test_a_step_back_keeps_the_order_of_what_was(tmp_path: Path) -> None:
    board = Board()
    board.service.startService()
    heard = []
    for second in range(10):
        if second == 5:
            board.error = -3600.0
        board.run(1)
        board.hub.publish("roof", {TIME: "x"})
        heard.append(board.hub.latest["roof.time"])
    walls = [reading.wall for reading in heard]
    assert [reading.seq for reading in heard] == sorted(reading.seq for reading in heard)
    assert walls == [WALL + second + 1 - 3600 * (second >= 5) for second in range(10)]
    assert board.clock.segments[1] == [Segment(1, 0.0, WALL), Segment(1, 6.0, WALL - 3600)]


# Receivers


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(module, "synchronised", lambda: False)
    board = Board("synchronized")
    board.service.startService()
    return board


def say(board: Board, *texts: str, device: str = "roof", **more: Any) -> None:
    for text in texts:
        board.hub.publish(device, {TIME: text}, **more)


def test_a_receiver_sets_a_clock_that_nobody_else_has(unset: Board) -> None:
    unset.run(3)
    say(unset, "2026-11-20T17:00:03.500Z")
    assert unset.clock.now() is None  # once is an accident
    say(unset, "2026-11-20T17:00:03.500Z")
    assert unset.clock.now() == WALL + 3.5 and unset.facts == {"clock": "roof, within 2 s"}
    say(unset, "2026-11-20T17:00:04.900Z", "2026-11-20T17:00:04.900Z")  # it tells late or early
    assert unset.clock.now() == WALL + 3.5


def test_a_receiver_is_followed_as_our_own_quartz_runs_away(unset: Board) -> None:
    say(unset, "2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z")
    unset.run(10)
    say(unset, "2026-11-20T17:00:13Z")
    assert unset.clock.now() == WALL + 10
    say(unset, "2026-11-20T17:00:13Z")
    assert unset.clock.now() == WALL + 13 and len(unset.clock.segments[1]) == 2


def test_two_tellings_that_do_not_agree_set_nothing(unset: Board) -> None:
    say(unset, "2026-11-20T17:00:00Z", "2026-11-20T18:00:00Z", "2026-11-20T17:00:00Z")
    assert unset.clock.now() is None
    say(unset, "2026-11-20T17:00:00Z")
    assert unset.clock.now() == WALL


def test_without_a_fix_a_receiver_is_not_believed(unset: Board) -> None:
    for word in ("none", "none", "estimated", "estimated", "2d", "none"):
        unset.hub.publish("roof", {TIME: "2026-11-20T17:00:00Z", MODE: word})
        assert unset.clock.now() is None
    unset.hub.publish("roof", {TIME: "2026-11-20T17:00:00Z", MODE: "3d"})
    assert unset.clock.now() == WALL


def test_only_the_receiver_that_was_named_is_believed_and_another_is_told_of_once(unset: Board) -> None:
    with capturedLogs() as logged:
        say(unset, *["2026-11-20T17:00:00Z"] * 5, device="boat")
    assert unset.clock.now() is None
    (hint,) = logged
    assert hint["log_format"].format(**hint).startswith('boat tells the time; `time_from = "boat"` in [gateway]')
    unset.service.configure("synchronized", "boat")
    say(unset, *["2026-11-20T17:00:00Z"] * 2, device="boat")
    assert unset.clock.now() == WALL
    unset.service.configure("system", "")
    unset.run(1)
    assert unset.facts == {"clock": "system, within 0.25 s"}


def test_the_system_clock_takes_over_from_the_receiver(unset: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    say(unset, "2026-11-20T17:00:07.000Z", "2026-11-20T17:00:07.000Z")
    monkeypatch.setattr(module, "synchronised", lambda: True)
    unset.run(1)
    assert unset.clock.now() == WALL + 1
    say(unset, "2026-11-20T18:00:07.000Z", "2026-11-20T18:00:07.000Z")
    assert unset.clock.now() == WALL + 1


def test_a_receiver_is_not_believed_when_it_was_later_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "synchronised", lambda: False)
    path = tmp_path / "time"
    path.touch()
    os.utime(path, (WALL, WALL))
    board = Board("synchronized", path=path)
    board.service.startService()
    say(board, "2026-11-20T16:59:59Z", "2026-11-20T16:59:59Z")
    assert board.clock.now() is None
    say(board, "2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z")
    assert board.clock.now() == WALL


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
    say(unset, text, text)
    assert unset.clock.now() is None and unset.hub.errors == {}


def test_a_time_without_a_zone_is_utc_wherever_the_board_is(unset: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        say(unset, "2026-11-20T17:00:00", "2026-11-20T17:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert unset.clock.now() == WALL


def test_only_what_is_measured_is_believed(unset: Board) -> None:
    unset.service.configure("synchronized", "manual")
    for _ in range(2):
        Manual(unset.hub).set("time", "2026-11-20T17:00:00.000Z")  # by hand: a note, no clock
    unset.service.configure("synchronized", "roof")
    for _ in range(2):
        unset.hub.publish("roof", {Quantity("time", "s", high=1e10): WALL})
    say(unset, *["2026-11-20T17:00:00.000Z"] * 2, suspect=(TIME,))
    assert unset.clock.now() is None
    say(unset, *["2026-11-20T17:00:00.000Z"] * 2)
    assert unset.clock.now() == WALL


def test_what_is_plausible() -> None:
    assert plausible(WALL) and not plausible(WALL - 1024 * 7 * 86400) and not plausible(0)
