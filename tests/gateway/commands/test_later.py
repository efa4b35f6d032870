"""``after``, ``jobs`` and ``cancel``; what a job does, and when, is in tests/gateway/test_jobs.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from gateway.commands import Session
from gateway.history.question import HistoryError
from gateway.jobs import JOBS, Jobs
from tests.gateway.commands.house import House, say

DAY = "2026-11-20T17:"


def test_a_job_outlives_its_author(house: House, session: Session) -> None:
    assert say(session, "after 10s set pump.state off") == ["OK job 1"]
    session.close()
    other = house.open(1)
    assert say(other, "jobs") == [f"1 {DAY}00:10.000Z waiting tester set pump.state off", "OK 1"]
    house.time.advance(10)
    (quantity, value, done) = house.pump.told[0]
    assert (quantity.name, value) == ("state", False)
    assert say(other, "jobs")[0] == f"1 {DAY}00:10.000Z running tester set pump.state off"
    done.callback(None)
    assert say(other, "jobs") == [f"1 {DAY}00:10.000Z done tester set pump.state off", "OK 1"]
    (_, deed) = house.past.done[-1]
    assert (deed.who, deed.origin, deed.interface, deed.name, deed.result) == (
        "tester",
        "here",
        "job:1",
        "pump.state",
        "OK",
    )
    assert house.commands.sessions == 1


def test_it_says_why_it_failed(house: House, session: Session) -> None:
    say(session, "after 1 set pump.state off")
    house.time.advance(1)
    house.pump.told[0][2].errback(HistoryError("oh"))
    assert say(session, "jobs")[0].endswith("failed tester set pump.state off: ERR no-history oh")


def test_cancel(house: House, session: Session) -> None:
    say(session, "after 10s clear")
    assert say(session, "cancel 1") == ["OK"] and say(session, "jobs") == ["OK 0"]
    assert say(session, "cancel 1") == ["ERR unknown 1: no such job; see `jobs`"]
    assert say(session, "cancel all")[0].startswith("ERR syntax all is no number from 1")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("after 10s get attic.temperature", "ERR denied `get` cannot be done later; only set, read, delete, clear can"),
        ("after 10s after 10s clear", "ERR denied `after` cannot be done later; only set, read, delete, clear can"),
        ("after soon clear", "ERR syntax soon is no duration; write 500ms, 10s, 10m, 1h30m, 2d or seconds"),
        ("after 400d clear", "ERR limit 400d is too long to wait; 366d at most"),
        ("after 10s", "ERR syntax usage: after DURATION COMMAND; for example: after 10s set pump.state off"),
        ("after 10s set pump.stat on", "ERR unknown pump.stat: no such name; did you mean `pump.state`?"),
        ("after 10s set pump.state maybe", "ERR bad-value state takes on or off, not maybe"),
        ("after 10s set attic.temperature 1", "ERR denied attic.temperature is measured, not set"),
        ("after 10s set bad%key 1", "ERR bad-value 'bad%key' is no key: up to 64 letters, digits and any of _ : / -"),
        ("after 10s read cellar", "ERR unknown manual.cellar: no such name"),
        ("after 10s delete attic.temperature", "ERR denied attic.temperature: only keys of `manual` can be deleted"),
        ("after 10s flurble", "ERR unknown-command flurble: no such command; try `help`"),
    ],
)
def test_a_slip_is_told_at_once(house: House, session: Session, line: str, status: str) -> None:
    assert say(session, line) == [status] and say(session, "jobs") == ["OK 0"]


def test_a_viewer_plans_nothing(house: House) -> None:
    guest = house.open(1)
    for line in ("after 10s clear", "cancel 1"):
        assert say(guest, line)[0].endswith("takes the role operator; you are viewer")


def test_what_cannot_be_kept_is_not_promised(house: House, session: Session) -> None:
    house.past.broken = HistoryError("the disk is full")
    assert say(session, "after 10s clear") == ["ERR no-history the disk is full"] and say(session, "jobs") == ["OK 0"]


def test_the_value_is_the_rest_of_the_line(house: House, session: Session) -> None:
    say(session, "after 1s set note  two  words ")
    house.time.advance(1)
    assert say(session, "get note")[0].startswith('manual.note "two  words" ')


def test_json(session: Session) -> None:
    say(session, "after 10s clear")
    answer: Any = session.perform("jobs")
    assert json.loads(answer.rows[0].json) == {
        "job": 1, "time": f"{DAY}00:10.000Z", "state": "waiting", "who": "tester", "origin": "here", "role": "operator",
        "command": "clear", "result": "",
    }  # fmt: skip


def test_before_the_time_is_known() -> None:
    house = House(wall=None)
    session = house.open()
    say(session, "after 10s clear")
    assert say(session, "jobs")[0] == "1 +10.000 waiting tester clear"


def test_while_the_disk_is_read_there_are_no_numbers(house: House, session: Session) -> None:
    house.commands.jobs = Jobs(house.time, house.clock, house.past, lambda job: Deferred(), house.hub.fail)
    assert say(session, "after 1s clear")[0].startswith("ERR limit the jobs on disk are not read yet")


def test_only_so_many(house: House, session: Session) -> None:
    for _ in range(JOBS):
        say(session, "after 1d clear")
    assert say(session, "after 1d clear") == [f"ERR limit there are {JOBS} jobs already; cancel some"]
