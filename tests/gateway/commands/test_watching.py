"""Watching on terms.  Plain watching is in test_run.py."""

from __future__ import annotations

import pytest

from gateway.commands import Session
from gateway.commands.watching import PLAIN, Terms, understood
from gateway.reading import Readings
from tests.gateway.commands.house import HUMIDITY, TEMPERATURE, House, say


@pytest.fixture
def told(house: House) -> list[str]:
    return []


@pytest.fixture
def session(house: House, told: list[str]) -> Session:
    session = house.open()

    def push(readings: Readings) -> None:
        told.extend(f"{reading.name.partition('.')[2]} {reading.value:g}" for reading in readings)

    session.push = push
    return session


def measure(house: House, *values: float, every: float = 1.0) -> None:
    for value in values:
        house.hub.publish("attic", {TEMPERATURE: value})
        house.time.advance(every)


def test_changed_is_what_differs_as_it_is_written(house: House, session: Session, told: list[str]) -> None:
    assert say(session, "watch attic.* changed") == ["OK 2"]
    measure(house, 20, 20, 20.001, 20.1, 20.1, 20)
    assert told == ["temperature 20", "temperature 20.1", "temperature 20"]
    house.hub.publish("attic", {TEMPERATURE: 20.0}, suspect=(TEMPERATURE,))
    assert told[3:] == ["temperature 20"]  # the same value, but now it is doubtful


def test_band_counts_from_what_was_told(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.temperature band 0.5")
    measure(house, 20, 20.3, 20.4, 20.5, 20.9, 20.1, 20.0)
    assert told == ["temperature 20", "temperature 20.5", "temperature 20"]


def test_a_band_is_decimal_as_people_write_it(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.temperature band 0.1")
    measure(house, 16.3, 16.4, 16.45, 16.3)
    assert told == ["temperature 16.3", "temperature 16.4", "temperature 16.3"]


def test_a_key_that_is_written_with_other_decimals_keeps_its_band(house: House, session: Session) -> None:
    seen: list[object] = []
    session.push = lambda readings: seen.extend(reading.value for reading in readings)
    say(session, "watch target band 1")
    for value in ("21.5", "22", "22.49", "22.5", "5 °C", "5.5 °C", "on", "1", "0"):
        say(session, f"set target {value}")
    assert seen == [21.5, 22.5, 5, True, 1, 0]


def test_every_is_the_newest_in_so_long(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.* every 10s")
    house.hub.publish("attic", {HUMIDITY: 40.0})
    measure(house, *range(15))
    assert told == ["humidity 40", "temperature 0", "temperature 9"]
    house.time.advance(100)
    assert told[3:] == ["temperature 14"]
    house.time.advance(100)
    measure(house, 50)
    assert told[4:] == ["temperature 50"] and house.time.getDelayedCalls() == []


def test_together(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.temperature changed every 10s")
    measure(house, 20, 21, 20)  # back where it was: nothing to tell
    house.time.advance(100)
    assert told == ["temperature 20"]


def test_flags_and_texts_change_too(house: House, session: Session) -> None:
    seen: list[object] = []
    session.push = lambda readings: seen.extend(reading.value for reading in readings)
    say(session, "watch manual.* band 5")
    for value in ("on", "on", "off", "hello", "hello", "5", "7", "10"):
        say(session, f"set x {value}")
    assert seen == [True, False, "hello", 5, 10]


def test_a_name_goes_by_the_last_pattern_that_fits(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch * every 1h")
    say(session, "watch attic.temperature")
    measure(house, 1, 2)
    house.hub.publish("attic", {HUMIDITY: 40.0})
    house.hub.publish("attic", {HUMIDITY: 41.0})
    assert told == ["temperature 1", "temperature 2", "humidity 40"]
    say(session, "watch attic.* changed")
    measure(house, 2, 3)
    assert told[3:] == ["temperature 2", "temperature 3"]


def test_what_was_told_is_remembered_when_more_is_watched(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.temperature changed")
    measure(house, 20)
    say(session, "watch attic.humidity every 1m")
    measure(house, 20)
    assert told == ["temperature 20"]
    house.hub.publish("attic", {HUMIDITY: 40.0})
    house.hub.publish("attic", {HUMIDITY: 41.0})
    say(session, "watch pump.* changed")
    house.time.advance(60)
    assert told[1:] == ["humidity 40", "humidity 41"]


def test_nothing_is_told_after_unwatch_or_the_end(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch attic.* every 10s")
    measure(house, 1, 2)
    assert say(session, "unwatch") == ["OK 0"]
    house.time.advance(100)
    say(session, "watch attic.* every 10s")
    measure(house, 3, 4)
    session.close()
    house.time.advance(100)
    assert told == ["temperature 1", "temperature 3"] and house.time.getDelayedCalls() == []


def test_what_is_gone_meanwhile_is_not_told(house: House, session: Session, told: list[str]) -> None:
    say(session, "watch * every 10s")
    measure(house, 1, 2)
    for value in 3, 4:
        say(session, f"set key {value}")
        say(session, f"set other {value}")
    assert told == ["temperature 1", "key 3", "other 3"]
    house.hub.forget("attic")  # unplugged, or no longer configured
    say(session, "delete key")
    house.time.advance(100)
    assert told[3:] == ["other 4"] and house.time.getDelayedCalls() == []


def test_plain_watching_goes_through_no_sieve(session: Session) -> None:
    say(session, "watch attic.*")
    assert session.sieve is None
    say(session, "watch pump.* changed")
    assert session.sieve is not None
    say(session, "unwatch pump.*")
    assert session.sieve is None


@pytest.mark.parametrize(
    ("words", "patterns", "terms"),
    [
        ("", [], PLAIN),
        ("a.* b", ["a.*", "b"], PLAIN),
        ("changed", [], Terms(changed=True)),
        ("a.* changed every 1m30s band 0.5", ["a.*"], Terms(True, 90, 0.5)),
        ("manual.every every 5", ["manual.every"], Terms(every=5)),
    ],
)
def test_words(words: str, patterns: list[str], terms: Terms) -> None:
    assert understood(words.split()) == (patterns, terms)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("watch * every", "ERR syntax every what? Write every 10s, or band 0.5"),
        ("watch * every soon", "ERR syntax soon is no duration; write 500ms, 10s, 10m, 1h30m, 2d or seconds"),
        ("watch * band -1", "ERR syntax -1 is no dead band; write a number above 0, as in band 0.5"),
        ("watch * band nan", "ERR syntax nan is no dead band; write a number above 0, as in band 0.5"),
    ],
)
def test_terms_that_make_no_sense(session: Session, line: str, status: str) -> None:
    assert say(session, line) == [status] and not session.watched
