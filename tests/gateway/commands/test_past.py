"""What was: ``range``, page by page, and ``audit``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from drivers.quantities import state
from gateway.commands import Answer, Commands, Session, Who, past
from gateway.history.file import HistoryError
from tests.gateway.commands.house import PEOPLE, STATE, Device, House, lines, logged, say

DAY = "2026-11-20T17:"


@pytest.fixture
def house() -> House:
    made = House()
    for at in range(5):
        made.time.advance(60)
        made.measure(20 + at / 10)
    return made


@pytest.fixture
def session(house: House) -> Session:
    return house.open()


def objects(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(row.json) for row in getattr(answer, "result", answer).rows]


def test_readings_are_time_and_value_in_their_order(session: Session) -> None:
    assert say(session, "range attic.temperature -2m") == [
        f"{DAY}03:00.000Z 20.20", f"{DAY}04:00.000Z 20.30", f"{DAY}05:00.000Z 20.40", "OK 3",
    ]  # fmt: skip
    assert say(session, f"range attic.temperature {DAY}01 {DAY}03:00Z")[:-1] == [
        f"{DAY}01:00.000Z 20.00",
        f"{DAY}02:00.000Z 20.10",
    ]
    assert say(session, "range attic.temperature -1s -0.5s") == ["OK 0"]


def test_whoever_has_some_goes_on_behind_the_last(
    house: House, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "PAGE", 2)
    house.clock.set(1_795_190_000.0)  # what comes now is earlier than what was
    house.measure(30)
    session.json = True
    every = "range attic.* 0 2026-11-20T18:00"
    whole = objects_of_all(session, every)
    assert len(whole) == 12
    for at, row in enumerate(whole):
        behind = f"after={row['name']}@{row['boot']}-{round(row['monotonic'] * 1000)}-{row['seq']}"
        assert objects_of_all(session, f"{every} {behind}") == whole[at + 1 :]
    assert objects_of_all(session, f"{every} after=b.c@1-1-1") == []
    assert say(session, "range attic.* after=b.c@1-1-1") == ["ERR syntax FROM is missing: range attic.* -1h after=..."]
    assert say(session, f"{every} after=1-2") == [
        "ERR syntax 1-2 names no reading; write after=NAME@BOOT-MILLISECONDS-SEQ"
    ]
    assert say(session, f"{every} 1h after=a.b@1-1-1")[-1].startswith("ERR syntax after= is a reading, and a STEP")


def objects_of_all(session: Session, line: str) -> list[dict[str, Any]]:
    """Of every page."""
    answer: Any = session.perform(line)
    found = []
    while True:
        answer = getattr(answer, "result", answer)
        assert answer.ok
        found += objects(answer)
        if answer.more is None:
            return found
        answer = answer.more()


def test_a_reading_has_one_time_whoever_shows_it(house: House, session: Session) -> None:
    house.clock.set(1_795_194_000.70049, 300.00071)
    for _ in range(20):
        house.time.advance(0.01237)
        house.measure()
        (now,), *_, then = (objects(session.perform("get attic.temperature")),
                            *objects(session.perform("range attic.temperature -1s")))  # fmt: skip
        for field in "time", "boot", "seq", "monotonic":
            assert now[field] == then[field]


def test_with_a_step_there_is_one_value_for_each(session: Session) -> None:
    assert say(session, "range attic.temperature -1h now 2m") == [
        f"{DAY}00:00.000Z 20.00", f"{DAY}02:00.000Z 20.15", f"{DAY}04:00.000Z 20.35", "OK 3",
    ]  # fmt: skip
    assert say(session, "range attic.temperature -1h 2m max")[0] == f"{DAY}00:00.000Z 20.00"
    assert say(session, "range attic.temperature -1h 1h count") == [f"{DAY}00:00.000Z 5", "OK 1"]


def test_a_pattern_puts_the_name_in_front(session: Session) -> None:
    assert say(session, "range attic.* -30s") == [
        f"attic.humidity {DAY}05:00.000Z 40.0", f"attic.temperature {DAY}05:00.000Z 20.40", "OK 2",
    ]  # fmt: skip
    assert say(session, "range cellar.* -1h") == ["OK 0"]
    assert (
        say(session, "range pump.* -1h") == ["OK 0"] == say(session, "range pump.state -1h")
    )  # there, but never had a value


def test_other_kinds_than_numbers(house: House, session: Session) -> None:
    for line in ("set note two words", "set lamp on", "set lamp off"):
        house.time.advance(1)
        say(session, line)
    assert say(session, "range note -1m") == [f'{DAY}05:01.000Z "two words"', "OK 1"]
    assert say(session, "range lamp -1m") == [f"{DAY}05:02.000Z on", f"{DAY}05:03.000Z off", "OK 2"]
    assert say(session, "range manual.* -1m 1h") == [
        f"manual.lamp {DAY}00:00.000Z off",
        f'manual.note {DAY}00:00.000Z "two words"',
        "OK 2",
    ]
    assert say(session, "range manual.* -1m 1h mean") == [f"manual.lamp {DAY}00:00.000Z 0.500", "OK 1"]
    (refused,) = say(session, "range note -1m 1h mean")
    assert refused.startswith("ERR syntax manual.note is words, of which there is no mean")


def test_a_quality_that_is_not_good_is_a_third_column(house: House, session: Session) -> None:
    house.hub.publish("attic", {house.attic.card.quantities[0]: 99.0}, suspect=house.attic.card.quantities)
    assert say(session, "range attic.temperature -1s") == [
        f"{DAY}05:00.000Z 20.40",
        f"{DAY}05:00.000Z 99.00 suspect",
        "OK 2",
    ]


def test_before_the_time_is_known_it_is_seconds_of_this_boot() -> None:
    house = House(wall=None)
    session = house.open()
    for _ in range(3):
        house.time.advance(10)
        house.measure()
    assert say(session, "range attic.temperature -15s") == ["+20.000 21.53 unsynced", "+30.000 21.53 unsynced", "OK 2"]
    assert say(session, "range attic.temperature +10 +20") == ["+10.000 21.53 unsynced", "OK 1"]
    assert objects(session.perform("range attic.temperature +10 +20"))[0]["time"] is None
    house.clock.set(1_795_194_000.0)
    assert say(session, "range attic.temperature +10 +20") == ["2026-11-20T16:59:40.000Z 21.53", "OK 1"]


def test_what_is_gone_can_still_be_asked_for(house: House, session: Session) -> None:
    say(session, "set target 5")
    say(session, "delete target")
    del house.hub.devices["attic"]
    house.hub.forget("attic")
    assert say(session, "range target -1m") == [f"{DAY}05:00.000Z 5", "OK 1"]
    assert say(session, "range attic.temperature -30s") == [f"{DAY}05:00.000Z 20.40", "OK 1"]
    assert say(session, "range attic.temprature -1m") == [
        "ERR unknown attic.temprature: no such name; did you mean `attic.temperature`?"
    ]


def test_a_text_that_is_gone_does_not_end_a_pattern(house: House, session: Session) -> None:
    say(session, "set a 1")
    say(session, "set b hello")
    say(session, "set c 3")
    say(session, "delete b")
    assert say(session, "range manual.* -1m now 1h max") == [
        f"manual.a {DAY}00:00.000Z 1", f"manual.c {DAY}00:00.000Z 3", "OK 2",
    ]  # fmt: skip
    assert say(session, "range manual.* -1m now 1h")[1] == f'manual.b {DAY}00:00.000Z "hello"'
    assert say(session, "range b -1m now 1h") == [f'{DAY}00:00.000Z "hello"', "OK 1"]
    assert say(session, "range b -1m now 1h max")[0].startswith("ERR syntax manual.b is text")


def test_of_a_key_that_was_a_text_for_a_while_its_numbers_are_reckoned(house: House, session: Session) -> None:
    for line in ("set a 1", "set b hello", "set b 5", "set b 7", "set c 3", "set c again"):
        say(session, line)
    assert say(session, "range manual.* -1m now 1h mean") == [
        f"manual.a {DAY}00:00.000Z 1.000", f"manual.b {DAY}00:00.000Z 6.000", "OK 2",
    ]  # fmt: skip
    assert say(session, "range manual.* -1m now 1h")[1:3] == [
        f"manual.b {DAY}00:00.000Z 6.000", f'manual.c {DAY}00:00.000Z "again"',
    ]  # fmt: skip
    assert say(session, "range b -1m now 1h sum") == [f"{DAY}00:00.000Z 12", "OK 1"]
    assert say(session, "range b -1m now 1h count") == [f"{DAY}00:00.000Z 3", "OK 1"]
    assert say(session, "range c -1m now 1h mean")[0].startswith("ERR syntax manual.c is words")
    say(session, "delete c")
    assert say(session, "range c -1m now 1h mean") == [f"{DAY}00:00.000Z 3.000", "OK 1"]


def test_json(session: Session) -> None:
    say(session, "json on")
    assert objects(session.perform("range attic.temperature -1s")) == [
        {"name": "attic.temperature", "value": 20.4, "unit": "°C", "kind": "float", "digits": 2,
         "time": f"{DAY}05:00.000Z", "quality": "good",
         "boot": 7, "seq": 9, "monotonic": 300.0},
    ]  # fmt: skip
    assert objects(session.perform("range attic.temperature -1s now 1h max")) == [
        {"name": "attic.temperature", "value": 20.4, "unit": "°C", "kind": "float", "digits": 2,
         "time": f"{DAY}00:00.000Z", "quality": "good",
         "boot": None, "seq": None, "monotonic": None},
    ]  # fmt: skip


def test_a_long_answer_is_pages(house: House, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "PAGE", 3)
    pages = []
    answer: Any = session.perform("range attic.* -1h")
    while True:
        page = getattr(answer, "result", answer)
        pages.append(page)
        if page.more is None:
            break
        answer = page.more()
    assert [len(page.rows) for page in pages] == [3, 3, 3, 1] and pages[-1].status == "OK 10"
    assert len({row.text for page in pages for row in page.rows}) == 10
    assert pages[0].ok and pages[0].status == f"OK 3 and more: ask again from {DAY}03:00.000Z on, or with a STEP"
    assert not session.held


def test_the_memory_of_a_long_answer_is_a_page(house: House, session: Session) -> None:
    for _ in range(3000):
        house.time.advance(1)
        house.measure()
    first: Any = session.perform("range attic.temperature -2h")
    assert len(first.rows) == past.PAGE
    house.past.slow = True
    first.more()
    assert [question.limit for question, _ in house.past.asked] == [past.PAGE]


def test_who_leaves_is_not_waited_for(house: House, session: Session) -> None:
    house.past.slow = True
    answer = session.perform("range attic.temperature -1h")
    assert isinstance(answer, Deferred) and session.held
    session.close()
    assert house.past.asked[0][1].called and not session.held
    assert lines(answer.result)[0].startswith("ERR cancelled ")


def test_a_history_that_cannot_answer_says_why(house: House, session: Session) -> None:
    house.past.slow = True
    answer: Any = session.perform("range attic.temperature -1h")
    with logged() as events:
        house.past.asked[0][1].errback(HistoryError("the disk is read-only"))
    assert lines(answer.result) == ["ERR no-history the disk is read-only"] and events == []


def test_without_a_history(house: House) -> None:
    session = Commands(house.hub, house.manual, house.time).open(PEOPLE[0])
    for line in ("range attic.temperature -1h", "audit", "backup"):
        assert say(session, line) == ["ERR no-history no history is kept here"]
    assert say(session, "set x 1") == ["OK"]


# The audit trail


def test_a_write_is_kept_before_it_is_answered(house: House) -> None:
    session = house.commands.open(Who("ann", "operator", "127.0.0.1:5", "tcp"))
    house.hub.publish("pump", {STATE: False})
    answer: Any = session.perform("set pump.state on")
    assert house.past.done == []
    _, _, done = house.pump.told[0]
    kept: Deferred[None] = Deferred()
    house.past.deed = lambda deed: house.past.done.append((None, deed)) or kept  # type: ignore[method-assign, func-returns-value]
    done.callback(None)
    came: list[Answer] = []
    answer.addCallback(came.append)
    assert len(house.past.done) == 1 and came == []
    kept.callback(None)
    assert came == [Answer()]
    (_, deed) = house.past.done[0]
    assert (deed.who, deed.origin, deed.interface, deed.name, deed.old, deed.new, deed.result) == (
        "ann", "127.0.0.1:5", "tcp", "pump.state", "off", "on", "OK",
    )  # fmt: skip


def test_the_trail(house: House, session: Session) -> None:
    say(session, "set x 1")
    say(session, "set x 2")
    say(session, "set attic.temperature 5")
    say(house.open(1), "set x 3")
    say(session, "set y 1")
    say(session, "delete x")
    say(session, "clear")
    say(session, "get x")
    assert say(session, "audit") == [
        f"{DAY}05:00.000Z manual.x - -> 1 tester here - OK",
        f"{DAY}05:00.000Z manual.x 1 -> 2 tester here - OK",
        f"{DAY}05:00.000Z attic.temperature 20.40 -> 5 tester here - denied attic.temperature is measured, not set",
        f"{DAY}05:00.000Z manual.x 2 -> 3 guest there - denied `set` takes the role operator; you are viewer",
        f"{DAY}05:00.000Z manual.y - -> 1 tester here - OK",
        f"{DAY}05:00.000Z manual.x 2 -> - tester here - OK",
        f"{DAY}05:00.000Z manual.* 1 keys -> - tester here - OK",
        "OK 7",
    ]
    assert len(say(session, "audit 2")) == 3 and say(session, "audit 0")[0].startswith("ERR syntax 0 is no number")
    assert objects(session.perform("audit 1"))[0]["old"] == "1 keys"
    assert say(house.open(1), "audit")[0].startswith("ERR denied ")


@pytest.mark.parametrize("count", ["0", "1001", "0" * 19 + "5999", "0" * 19 + "5" * 6000, "²", "-1", "5.0"])
def test_a_number_that_is_none_or_beyond_its_bounds_is_refused(session: Session, count: str) -> None:
    (status,) = say(session, f"audit {count}")
    assert status.startswith("ERR syntax ") and status.endswith("is no number from 1 to 1000")


def test_refused_writes_do_not_fill_the_disk(house: House) -> None:
    guest = house.open(1)
    for _ in range(200):
        say(guest, "set x 1")
    assert len(house.past.done) == 60 and house.commands.audit.untold == 140
    say(house.open(), "set x 1")
    assert len(house.past.done) == 61
    house.time.advance(61)
    say(guest, "set x 1")
    assert len(house.past.done) == 62


def test_a_trail_that_cannot_be_kept_keeps_nobody_from_writing(house: House, session: Session) -> None:
    house.past.broken = HistoryError("the disk is full")
    with logged() as events:
        assert say(session, "set x 1") == ["OK"]
    assert any("the disk is full" in str(event.get("why")) for event in events)


def test_a_state_that_is_text_is_one_line_of_the_trail(house: House, session: Session) -> None:
    house.pump = Device(house.hub, "pump", state(writable=True))
    session.run("set", ["note", "two\nlines"])
    assert "\n" not in say(session, "audit 1")[0]


# A copy


def test_a_copy_is_named_with_its_size(session: Session) -> None:
    assert say(session, "backup") == ["/var/lib/gateway/history.db.backup 2048", "OK"]
