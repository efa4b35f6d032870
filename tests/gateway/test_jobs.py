"""Jobs: when they are done, what of them is on disk, and what a start finds there."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock as Time
from twisted.logger import formatEvent

from gateway import jobs as module
from gateway.clock import Clock
from gateway.jobs import Job, Jobs, Missed
from tests.gateway.commands.house import logged

NOW = 1_795_194_000.0


class Disk:
    """What outlives the gateway."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.story: list[str] = []
        self.broken = False

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]:
        if self.broken:
            return fail(OSError("no disk"))
        self.story.append(f"{key} {'gone' if data is None else 'kept'}")
        if data is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = data
        return succeed(None)

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]:
        return fail(OSError("no disk")) if self.broken else succeed(dict(self.rows))


class Life:
    """One boot of a gateway that has jobs."""

    def __init__(self, disk: Disk, boot: int = 1, wall: float | None = NOW, before: tuple[Any, ...] = ()) -> None:
        self.time = Time()
        self.clock = Clock(boot, self.time.seconds, before)
        if wall is not None:
            self.clock.set(wall)
        self.disk, self.done, self.told = disk, [], []  # type: ignore[var-annotated]
        self.answer: Deferred[str] | None = None
        self.jobs = Jobs(self.time, self.clock, disk, self.perform, lambda who, error: self.told.append(error))
        self.jobs.start()

    def perform(self, job: Job) -> Deferred[str]:
        self.disk.story.append(f"{job.command} done")
        self.done.append((job.command, job.name, job.role))
        return self.answer or succeed("OK")

    def add(self, seconds: float, command: str = "set x 1") -> int:
        found: list[Job] = []
        self.jobs.add(seconds, command, "ann", "operator", "here").addCallback(found.append)
        return found[0].number

    def states(self) -> list[tuple[int, str]]:
        return [(job.number, job.state) for job in self.jobs.all()]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def life(disk: Disk) -> Life:
    return Life(disk)


def test_a_job_is_done_when_its_time_comes(life: Life) -> None:
    assert (life.add(10, "set a 1"), life.add(5, "set b 1")) == (1, 2)
    assert life.states() == [(2, "waiting"), (1, "waiting")]
    life.time.advance(9.9)
    assert life.done == [("set b 1", "ann", "operator")]
    life.time.advance(0.2)
    assert [command for command, _, _ in life.done] == ["set b 1", "set a 1"]
    assert life.states() == [(2, "done"), (1, "done")] and life.time.getDelayedCalls() == []


def test_it_is_on_disk_before_it_is_promised_and_gone_before_it_begins(life: Life, disk: Disk) -> None:
    life.add(10)
    assert disk.story == ["last kept", "1 kept"]
    life.time.advance(10)
    assert disk.story[2:] == ["1 gone", "set x 1 done"] and set(disk.rows) == {"last"}


def test_what_cannot_be_kept_is_not_promised(life: Life, disk: Disk) -> None:
    disk.broken = True
    failed: list[Any] = []
    life.jobs.add(10, "set x 1", "ann", "operator", "here").addErrback(failed.append)
    assert failed[0].check(OSError) and life.states() == [] and life.time.getDelayedCalls() == []


def test_while_it_is_done_it_runs(life: Life) -> None:
    life.answer = Deferred()
    life.add(1)
    life.time.advance(1)
    assert life.states() == [(1, "running")]
    life.clock.set(NOW + 1000)
    life.answer.callback("ERR no-answer silent")
    assert life.states() == [(1, "failed")] and life.jobs.over[0].result == "ERR no-answer silent"


def test_a_bug_in_a_job_is_its_result(life: Life) -> None:
    life.answer = fail(ZeroDivisionError("oh"))
    life.add(1)
    life.time.advance(1)
    assert life.jobs.over[0].result == "ERR internal oh"


def test_a_cancelled_job_is_not_done(life: Life, disk: Disk) -> None:
    number = life.add(10)
    assert life.jobs.cancel(number) is not None and life.jobs.cancel(number) is None
    life.time.advance(20)
    assert life.done == [] and set(disk.rows) == {"last"}


def test_a_job_outlives_the_gateway(life: Life, disk: Disk) -> None:
    life.add(3600)
    life.jobs.stop()
    assert life.time.getDelayedCalls() == []
    after = Life(disk, 2, NOW + 600)
    assert after.states() == [(1, "waiting")] and after.jobs.when(after.jobs.all()[0]) == NOW + 3600
    after.time.advance(2999)
    assert after.done == []
    after.time.advance(1)
    assert after.done == [("set x 1", "ann", "operator")]
    assert after.add(5) == 2


def test_one_whose_time_came_meanwhile_is_told_and_not_done(life: Life, disk: Disk) -> None:
    life.add(3600)
    after = Life(disk, 2, NOW + 7200)
    assert after.states() == [(1, "missed")] and after.done == []
    assert isinstance(after.told[0], Missed) and "job 1 of ann, set x 1: its time came" in str(after.told[0])
    after.time.advance(10_000)
    again = Life(disk, 3, NOW + 20_000)
    assert again.states() == [(1, "missed")] and again.told == [] and after.done == again.done == []
    assert again.jobs.cancel(1) is not None and again.states() == []
    assert Life(disk, 4, NOW + 30_000).states() == []


def test_each_that_was_missed_is_in_the_log(life: Life, disk: Disk) -> None:
    """What is told of errors is one a minute, and the job behind the first may be the one that switches off."""
    life.add(3600, "set a 1")
    life.add(3601, "set pump.state off")
    with logged() as events:
        Life(disk, 2, NOW + 7200)
    said = [formatEvent(event) for event in events]
    assert said == ["job 1 of ann, set a 1: missed", "job 2 of ann, set pump.state off: missed"]


def test_until_the_time_is_known_nobody_knows(life: Life, disk: Disk) -> None:
    life.add(3600)
    life.add(60)
    after = Life(disk, 2, None)
    after.time.advance(100_000)
    assert after.states() == [(1, "waiting"), (2, "waiting")] and after.done == []
    after.clock.set(NOW + 600)
    assert after.states() == [(2, "missed"), (1, "waiting")]
    after.time.advance(3000)
    assert len(after.done) == 1


def test_a_job_of_a_boot_that_learned_its_time_later(disk: Disk) -> None:
    life = Life(disk, 1, None)
    life.add(3600)
    life.time.advance(60)
    life.clock.set(NOW + 60)
    segments = tuple(life.clock.segments[1])
    assert Life(disk, 2, NOW + 600, segments).states() == [(1, "waiting")]
    disk.rows = {key: data for key, data in disk.rows.items() if key == "last"}
    lost = Life(disk, 3, None)
    lost.add(3600)
    assert Life(disk, 4, NOW + 600).states() == [(2, "missed")]  # boot 3 never learned the time


def test_a_clock_that_was_wrong_when_the_job_was_given(life: Life, disk: Disk) -> None:
    life.add(3600)
    life.clock.set(NOW + 86_400)  # it is a day later than was thought
    after = Life(disk, 2, NOW + 86_400 + 600, tuple(life.clock.segments[1]))
    assert after.states() == [(1, "waiting")] and after.jobs.when(after.jobs.all()[0]) == NOW + 86_400 + 3600


@pytest.mark.parametrize(("step", "left"), [(-600, 3600), (600, 2400), (7200, 0)])
def test_a_step_of_the_clock_moves_a_job_of_an_earlier_boot(life: Life, disk: Disk, step: float, left: float) -> None:
    life.add(3600)
    after = Life(disk, 2, NOW + 600)
    after.add(50, "set y 2")
    after.clock.set(NOW + 600 + step)
    after.time.advance(50)
    assert [command for command, *_ in after.done][-1:] == ["set y 2"]  # seconds from now are seconds
    if left:
        after.time.advance(left - 51)
        assert len(after.done) == 1
        after.time.advance(1)
    assert ("set x 1", "ann", "operator") in after.done and not after.told


def test_numbers_are_not_given_twice(life: Life, disk: Disk) -> None:
    life.add(1)
    life.time.advance(1)
    assert Life(disk, 2).add(1) == 2


def test_what_makes_no_sense_on_disk_is_passed_over(disk: Disk) -> None:
    disk.rows = {"last": b"7", "5": b"{}", "6": b"\xff"}
    life = Life(disk)
    assert life.states() == [] and life.add(1) == 8


def test_without_a_disk_there_are_new_jobs_only(disk: Disk) -> None:
    disk.broken = True
    life = Life(disk)
    assert life.jobs.ready
    disk.broken = False
    assert life.add(1) == 1


def test_there_are_only_so_many(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOBS", 2)
    life.add(1)
    assert not life.jobs.full
    life.add(1)
    assert life.jobs.full
    life.time.advance(1)
    assert not life.jobs.full
    for _ in range(50):
        life.add(1)
        life.time.advance(1)
    assert len(life.jobs.all()) == module.OVER
