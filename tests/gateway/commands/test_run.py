"""What is answered, to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from drivers.api import BadFrame, NoAnswer
from gateway.commands import Answer, Session
from gateway.commands.grammar import parse
from gateway.commands.usage import COMMANDS, TOPICS
from gateway.handle import Status
from gateway.reading import Readings
from tests.gateway.commands.house import House, lines, logged, say

NOW = "2026-11-20T17:00:00.000Z"


def objects(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(row.json) for row in answer.rows]


# Seeing


def test_get_of_one_name_is_two_lines(session: Session) -> None:
    assert say(session, "get attic.temperature") == [f"attic.temperature 21.53 °C {NOW} good", "OK"]
    assert say(session, "get pump.state") == ["pump.state - - - stale", "OK"]  # there, but without a value


def test_get_takes_names_and_globs_each_name_once(session: Session) -> None:
    assert say(session, "get pump.speed attic.* *.temperature") == [
        "pump.speed - 1/min - stale",
        f"attic.humidity 40.0 % {NOW} good",
        f"attic.temperature 21.53 °C {NOW} good",
        "OK 3",
    ]
    assert say(session, "get attic.temp?rature")[1:] == ["OK 1"]
    assert say(session, "get cellar.*") == ["OK 0"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("get attic.temprature", "attic.temprature: no such name; did you mean `attic.temperature`?"),
        ("get attic.* attic.humidty", "attic.humidty: no such name; did you mean `attic.humidity`?"),
        ("watch atic.humidity", "atic.humidity: no such name; did you mean `attic.humidity`?"),
        ("get nothing.of.this.kind", "nothing.of.this.kind: no such name"),
        ("get attic", "attic is a device: try `attic.*`"),
        ("watch attic", "attic is a device: try `attic.*`"),
        ("read atic", "manual.atic: no such name"),
        ("read cellar.temperature", "cellar.temperature: no such name; did you mean `attic.temperature`?"),
        ("set pump.stat on", "pump.stat: no such name; did you mean `pump.state`?"),
    ],
)
def test_a_name_nobody_knows(session: Session, line: str, message: str) -> None:
    session.push = lambda readings: None
    assert say(session, line) == [f"ERR unknown {message}"]


def test_what_is_late_is_stale(house: House, session: Session) -> None:
    house.time.advance(32.1)
    assert say(session, "get attic.temperature") == [f"attic.temperature 21.53 °C {NOW} stale", "OK"]
    assert objects(session.perform("get attic.humidity"))[0]["quality"] == "stale"


def test_items_are_all_names_and_count_those_with_a_value(session: Session) -> None:
    assert [line.split()[0] for line in say(session, "items")] == [
        "attic.humidity", "attic.temperature", "pump.level", "pump.mode", "pump.note", "pump.speed", "pump.state", "OK",
    ]  # fmt: skip
    assert say(session, "items *.s*") == ["pump.speed - 1/min - stale", "pump.state - - - stale", "OK 2"]
    assert say(session, "count") == ["OK 2"] and say(session, "count *.humidity pump.*") == ["OK 1"]


def test_devices_are_columns_with_the_reason_last(house: House, session: Session) -> None:
    house.pump.status = Status(state="lost", reason="the line\n  was taken away")
    assert say(session, "devices") == [
        "attic running sht31 i2c:1/0x44 -",
        "manual running manual memory -",
        "pump lost sht31 gpio:GPIO17 the line was taken away",
        "OK 3",
    ]
    house.hub.fail("pump", NoAnswer("gone"))
    pump = objects(session.perform("devices p*"))[0]
    assert (pump["where"], pump["errors"], pump["state"]) == ("gpio:GPIO17", {"NoAnswer": 1}, "lost")


def test_status_is_one_fact_a_line(house: House, session: Session) -> None:
    house.commands.facts["config"] = ""
    house.pump.status = Status(state="lost")
    told = dict(line.split(" ", 1) for line in say(session, "status")[:-1])
    assert told == {
        "time": NOW, "uptime": "0.0", "boot": "7", "synced": "yes", "devices": "3", "running": "2", "names": "7",
        "readings": "2", "sessions": "1", "dropped": "0", "errors": "0", "jobs": "0",
        "history": "in memory", "config": "-",
    }  # fmt: skip
    assert say(session, "status")[-1] == "OK 14"


def test_dropped_readings_are_counted_while_their_session_lives_and_after(house: House, session: Session) -> None:
    session.dropped += 3
    assert "dropped 3" in say(session, "status")
    other = house.open()
    session.close()
    assert {"dropped 3", "sessions 1"} <= set(say(other, "status"))


def test_before_the_time_is_known() -> None:
    house = House(wall=None)
    house.time.advance(12.345)
    house.measure()
    session = house.open()
    assert say(session, "get attic.temperature") == ["attic.temperature 21.53 °C +12.345 unsynced", "OK"]
    assert objects(session.perform("get attic.temperature"))[0]["time"] is None
    assert {"time +12.345", "synced no"} <= set(say(session, "status"))


def test_help_is_for_reading(session: Session) -> None:
    told = say(session, "help")
    assert told[-1] == f"OK {len(COMMANDS)}" and told[:2] == [
        "Looking:", "  get NAME|PATTERN...         newest readings: name, value, unit, time, quality",
    ]  # fmt: skip
    commands = [line for line in told[:-1] if line.startswith("  ")]
    assert len(commands) == len(COMMANDS) and all(line[28:30] == "  " and line[30] > " " for line in commands)
    assert max(map(len, told)) <= 80 and told[-2].startswith("More: help COMMAND, help answers, help names")
    said = say(session, "help SET")
    assert said[0] == "set NAME VALUE [UNIT]: set a quantity, or a key of `manual` (operator)"
    assert "  > set pump.state on" in said and said[-1] == "OK"
    assert say(session, "help gte") == ["ERR unknown-command gte: no such command; did you mean `get`?"]
    assert objects(session.perform("help quit")) == [
        {"command": "quit", "arguments": "", "about": "say goodbye", "role": "viewer"}
    ]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_explained(session: Session, topic: str) -> None:
    told = say(session, f"help {topic}")
    assert len(told) > 2 and told[-1] == "OK" and max(map(len, told)) <= 120
    assert objects(session.perform(f"help {topic}"))[0] == {"topic": topic, "more": told[0]}


EXAMPLES = [line for usage in COMMANDS.values() for line in usage.examples]


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_of_help_are_commands(line: str) -> None:
    parse(line)


def test_what_is_long_or_waits_has_examples() -> None:
    assert {word for word, usage in COMMANDS.items() if usage.most and not usage.examples} <= {"unwatch", "unlog"}


def test_version_names_what_runs(session: Session) -> None:
    first, status = say(session, "version")
    assert first.split()[0::2] == ["device-gateway", "python", "twisted"] and status == "OK"


def test_quit_asks_to_close(session: Session) -> None:
    assert session.perform("quit") == Answer(status="OK bye", last=True)


# Setting


def test_manual_is_a_store(session: Session) -> None:
    assert say(session, "set target 21.5") == ["OK"]
    assert say(session, "get target") == [f"manual.target 21.5 - {NOW} good", "OK"]
    say(session, "set manual.note hello  world")
    assert say(session, "get manual.*") == [
        f'manual.note "hello  world" - {NOW} good', f"manual.target 21.5 - {NOW} good", "OK 2",
    ]  # fmt: skip
    assert say(session, "delete target manual.none") == ["OK 1"]
    assert say(session, "get target") == ["ERR unknown manual.target: no such name"]
    for key in ("room1", "room2", "roof"):
        say(session, f"set {key} on")
    assert say(session, "delete room?") == ["OK 2"] and say(session, "delete manual.roo*") == ["OK 1"]
    assert say(session, "clear") == ["OK 1"] and say(session, "count manual.*") == ["OK 0"]


@pytest.mark.parametrize("line", ["delete attic.temperature", "delete ok attic.temperature", "delete *.temperature"])
def test_only_keys_of_manual_are_deleted(session: Session, line: str) -> None:
    say(session, "set ok 1")
    (status,) = say(session, line)
    assert status.startswith("ERR denied ") and status.endswith("only keys of `manual` can be deleted")
    assert say(session, "count ok") == ["OK 1"]


def test_a_quantity_is_set_when_the_device_says_so(house: House, session: Session) -> None:
    came: list[Answer] = []
    answer = session.perform("set pump.state on")
    assert isinstance(answer, Deferred) and came == []
    answer.addCallback(came.append)
    quantity, value, done = house.pump.told[0]
    assert (quantity.name, value) == ("state", True)
    done.callback(None)
    assert came == [Answer()]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("state", "on", True), ("state", "OFF", False), ("state", "true", True), ("state", "0", False),
        ("speed", "1500", 1500), ("level", "12.5", 12.5), ("level", "7", 7.0), ("mode", "eco", "eco"),
        ("speed", "25 Hz", 1500), ("speed", "1500rpm", 1500), ("speed", "1500 1/min", 1500), ("level", "50 %", 50.0),
        ("level", "12.5percent", 12.5), ("note", "two words", "two words"),
        ("note", '"a \\"quoted\\" one"', 'a "quoted" one'),
    ],
)  # fmt: skip
def test_values_as_people_write_them(house: House, session: Session, name: str, text: str, value: Any) -> None:
    assert isinstance(session.perform(f"set pump.{name} {text}"), Deferred)
    assert house.pump.told[0][1] == value and type(house.pump.told[0][1]) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("state", "maybe", "state takes on or off, not maybe"),
        ("speed", "12.5", "speed takes a whole number, not 12.5"),
        ("speed", "9" * 400, "speed takes a whole number, not 999"),
        ("speed", "9" * 5000, "speed takes a whole number, not 999"),
        ("speed", "1_000", "speed takes a whole number, not 1_000"),
        ("speed", "25.001 Hz", "speed takes a whole number, not 25.001 Hz"),
        ("speed", "100 Hz", "speed 6000 1/min not in 0..3000"),
        ("speed", "12 V", "speed takes 1/min, not V"),
        ("level", "5 apples", "level takes %, not apples"),
        ("level", "0x10", "level takes a number, not 0x10"),
        ("level", "5 5", "level takes %, not 5"),
        ("state", "on 5", "state takes on or off, not on 5"),
        ("speed", "4000", "speed 4000 1/min not in 0..3000"),
        ("level", "nan", "level nan % not in 0..100"),
        ("level", "inf", "level inf % not in 0..100"),
        ("level", "much", "level takes a number, not much"),
        ("level", "1e400", "level inf % not in 0..100"),
        ("mode", "turbo", "mode 'turbo' is none of eco, full"),
        ("note", '"open', "note: "),
        ("note", "x" * 5000, "note: 5000 characters; at most 4096"),
    ],
)
def test_values_that_will_not_do(house: House, session: Session, name: str, text: str, words: str) -> None:
    (status,) = say(session, f"set pump.{name} {text}")
    assert status.startswith(f"ERR bad-value {words}") and len(status) < 200 and house.pump.told == []


def test_a_device_is_no_key(session: Session) -> None:
    """It would look as if something had been switched."""
    assert say(session, "set pump on") == ["ERR unknown pump is a device, and no key of `manual`: set pump.state"]
    assert say(session, "set attic 5") == [
        "ERR unknown attic is a device, and no key of `manual`: none of its quantities can be set"
    ]


def test_what_cannot_be_set_or_read_names_the_way_out(session: Session) -> None:
    assert say(session, "set room.target 5") == [
        "ERR unknown room.target: no such name; a key of your own has no dot: set room-target ..."
    ]
    assert say(session, "set attic.temprature 5")[0].endswith("did you mean `attic.temperature`?")
    assert say(session, "set pump.* off") == ["ERR syntax pump.*: `set` takes one name, no pattern"]
    assert say(session, "read attic.*") == ["ERR syntax attic.*: `read` takes one name or device, no pattern"]


def test_what_is_measured_is_not_set(session: Session) -> None:
    assert say(session, "set attic.temperature 20") == ["ERR denied attic.temperature is measured, not set"]


# Waiting


def test_read_gives_what_was_measured(house: House, session: Session) -> None:
    one, both = [Deferred[Any](), Deferred[Any]()]
    for line, done in (("read attic.temperature", one), ("read attic", both)):
        answer = session.perform(line)
        assert isinstance(answer, Deferred)
        answer.chainDeferred(done)
    house.time.advance(5)
    house.measure(23)
    for asked in house.attic.asked:
        asked.callback(None)
    assert lines(one.result) == ["attic.temperature 23.00 °C 2026-11-20T17:00:05.000Z good", "OK"]
    assert [line.split()[0] for line in lines(both.result)] == ["attic.humidity", "attic.temperature", "OK"]


def test_read_of_one_name_is_two_lines_also_without_a_value(house: House, session: Session) -> None:
    answer = session.perform("read pump.speed")
    house.pump.read = None  # type: ignore[assignment, method-assign]
    house.pump.asked[0].callback(None)
    assert lines(answer.result) == ["pump.speed - 1/min - stale", "OK"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoAnswer("silent\nfor 2 s"), "ERR no-answer silent for 2 s"),
        (BadFrame("CRC"), "ERR bad-frame CRC"),
        (CancelledError(), "ERR cancelled the gateway gave up waiting for it"),
    ],
)
def test_a_device_that_fails(house: House, session: Session, error: Exception, status: str) -> None:
    answer = session.perform("read attic")
    with logged() as events:
        house.attic.asked[0].errback(error)
    assert lines(answer.result) == [status] and events == []  # type: ignore[union-attr]


def test_what_is_done_at_once_is_answered_at_once(session: Session) -> None:
    say(session, "set x 1")
    assert say(session, "read manual") == [f"manual.x 1 - {NOW} good", "OK 1"]
    assert say(session, "read x") == [f"manual.x 1 - {NOW} good", "OK"]


def test_a_bug_is_told_logged_and_survived(house: House, session: Session) -> None:
    house.attic.read = lambda whole=False: 1 // 0  # type: ignore[assignment, method-assign, return-value]
    with logged() as events:
        assert say(session, "read attic") == ["ERR internal ZeroDivisionError; the log has more"]
    assert len(events) == 1 and "ZeroDivisionError" in str(events[0]["log_failure"])
    assert say(session, "count") == ["OK 2"]


# Watching


def names(taken: list[Readings]) -> list[str]:
    return [reading.name for readings in taken for reading in readings]


@pytest.fixture
def taken(session: Session) -> list[Readings]:
    taken: list[Readings] = []
    session.push = taken.append
    return taken


def test_watch_and_unwatch(house: House, session: Session, taken: list[Readings]) -> None:
    assert say(session, "watch attic.*") == ["OK 2"] and taken == []
    assert say(session, "watch x attic.*") == ["OK 2"]  # a key of manual may come later
    house.measure()
    say(session, "set x 5")
    assert names(taken) == ["attic.temperature", "attic.humidity", "manual.x"]
    assert say(session, "unwatch attic.*") == ["OK 1"]
    house.measure()
    say(session, "set x 6")
    assert names(taken)[3:] == ["manual.x"]
    assert say(session, "unwatch never.watched") == ["OK 1"] and say(session, "unwatch") == ["OK 0"]
    say(session, "set x 7")
    assert len(taken) == 3 and len(house.hub.subscriptions) == 1


def test_watch_without_a_pattern_is_everything(house: House, session: Session, taken: list[Readings]) -> None:
    assert say(session, "watch") == ["OK 7"]
    house.measure()
    say(session, "set y on")
    assert names(taken) == ["attic.temperature", "attic.humidity", "manual.y"]


def test_a_watch_outlives_its_device(house: House, session: Session, taken: list[Readings]) -> None:
    say(session, "watch attic.temperature")
    attic = house.hub.devices.pop("attic")  # a reload
    assert say(session, "watch pump.state") == ["OK 1"]
    house.hub.devices["attic"] = attic
    house.measure()
    assert names(taken) == ["attic.temperature"]


def test_a_watch_that_is_refused_changes_nothing(house: House, session: Session, taken: list[Readings]) -> None:
    say(session, "watch attic.temperature")
    assert say(session, "watch attic.humidity attic.humidty")[0].startswith("ERR unknown ")
    (refused,) = say(session, "watch " + " ".join(f"k{at}" for at in range(100)))
    assert refused == "ERR limit 100 patterns at most; one such as attic.* fits many names"
    house.measure()
    assert names(taken) == ["attic.temperature"]


def test_who_cannot_be_pushed_to_cannot_watch(session: Session) -> None:
    assert say(session, "watch") == ["ERR denied nothing can be pushed to you here"]


def test_closing_ends_the_watch(house: House, session: Session, taken: list[Readings]) -> None:
    say(session, "watch")
    session.close()
    house.measure()
    assert taken == [] and len(house.hub.subscriptions) == 1 and house.commands.sessions == 0


# Roles


@pytest.mark.parametrize("line", ["set x 1", "set pump.state on", "delete x", "clear", "read attic"])
def test_a_viewer_is_told_what_it_takes(house: House, line: str) -> None:
    word = line.split()[0]
    assert say(house.open(1), line) == [f"ERR denied `{word}` takes the role operator; you are viewer"]
    assert house.pump.told == [] and house.attic.asked == [] and not house.manual.keys


@pytest.mark.parametrize("line", ["get attic.*", "items", "count", "devices", "status", "help", "version", "json on"])
def test_a_viewer_sees(house: House, line: str) -> None:
    assert say(house.open(1), line)[-1].startswith("OK")


# JSON


def test_json_rows(session: Session) -> None:
    say(session, "json on")
    assert session.json
    assert objects(session.perform("get attic.temperature")) == [
        {"name": "attic.temperature", "value": 21.53, "unit": "°C", "time": NOW, "quality": "good", "boot": 7, "seq": 1,
         "monotonic": 0.0},
    ]  # fmt: skip
    assert objects(session.perform("get pump.state")) == [
        {"name": "pump.state", "value": None, "unit": "", "time": None, "quality": "stale"}
    ]
    assert say(session, "json maybe") == ["ERR syntax usage: json [on|off]"]
    say(session, "json off")
    assert not session.json
