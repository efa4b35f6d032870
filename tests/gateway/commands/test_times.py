"""Moments and durations as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from gateway.clock import Clock
from gateway.commands.grammar import CommandError
from gateway.commands.times import END, HERE, duration, moment, spanned

NOW = 1_795_194_000.0  # 2026-11-20T17:00:00Z
BOOT = 500.0  # seconds since the start


@pytest.fixture
def clock() -> Clock:
    made = Clock(7, lambda: BOOT)
    made.set(NOW)
    return made


@pytest.fixture
def unset() -> Clock:
    return Clock(7, lambda: BOOT)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("1.5h", 5400), ("1h30m", 5400), ("90", 90), ("2d", 172800), ("1w", 604800),
     ("5min", 300), ("5m", 300), ("0.001", 0.001)],
)  # fmt: skip
def test_a_duration(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "10 s", "-10s", "0", "0s", "1e3", "10x", "1h30", "٣s", "9" * 30, "99999999999999w", "nan"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(CommandError, match="is no duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW + HERE), ("-1h", NOW - 3600), ("-1h30m", NOW - 5400), ("-90", NOW - 90),
        ("2026-11-20", NOW - 61200),
        ("2026-11-20T16:00", NOW - 3600), ("2026-11-20T16:00:00.5Z", NOW - 3599.5), ("2026-11-20T18:00+01:00", NOW),
        ("1795194000", NOW), ("1795194000.25", NOW + 0.25), ("+100", NOW - 400), ("20261120", 20261120),
    ],
)  # fmt: skip
def test_a_moment(clock: Clock, text: str, seconds: float) -> None:
    assert moment(text, clock).seconds == seconds and not moment(text, clock).running


@pytest.mark.parametrize(
    ("text", "words"),
    [("1h", "1h is no time; write -1h"), ("yesterday", "is no time"), ("2026-13-01", "is no time"), ("-", "is no time"),
     ("+", "is no time"), ("1795194000000", "beyond the year 9999; Unix time is in seconds"), ("-0s", "is no duration"),
     ("x" * 500, "x... is no time"), ("2026-11-20T25:00", "is no time")],
)  # fmt: skip
def test_no_moment(clock: Clock, text: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        moment(text, clock)
    assert words in str(caught.value) and len(str(caught.value)) < 200


def test_no_moment_is_beyond_what_the_history_counts(clock: Clock, unset: Clock) -> None:
    for known in (clock, unset):
        assert moment("+" + "9" * 20, known).seconds <= 2 * END


def test_dates_may_be_as_old_as_they_like(clock: Clock) -> None:
    assert moment("0001-01-01", clock).seconds == datetime.fromisoformat("0001-01-01T00:00Z").timestamp()


@pytest.mark.parametrize(("text", "seconds"), [("now", BOOT + HERE), ("-100s", 400), ("-1h", 0), ("+12.345", 12.345)])
def test_while_the_time_is_not_known_moments_are_of_this_boot(unset: Clock, text: str, seconds: float) -> None:
    assert moment(text, unset).seconds == seconds and moment(text, unset).running
    assert not moment("2026-11-20", unset).running


def test_a_span(clock: Clock, unset: Clock) -> None:
    span = spanned(("-1h",), clock)
    assert (span.start, span.end, span.running, span.step, span.aggregate) == (
        NOW - 3600,
        NOW + HERE,
        False,
        None,
        None,
    )
    span = spanned(("-1h", "10m"), clock)
    assert (span.end, span.step, span.aggregate) == (NOW + HERE, 600, None)
    span = spanned(("-2h", "-1h", "60", "MAX"), clock)
    assert (span.end, span.step, span.aggregate) == (NOW - 3600, 60, "max")
    assert spanned(("-1m",), unset).running and spanned(("-1m",), unset).end == BOOT + HERE
    assert spanned(("2026-11-20",), unset).end == END and not spanned(("2026-11-20",), unset).running
    assert spanned(("2026-11-20", "now"), unset) == spanned(("2026-11-20",), unset)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-1h -2h", "-1h is later than the end; write FROM TO, as in -2h -1h"),
        ("-1h now 10m avg", "avg is no aggregate; there are mean, min, max"),
        ("-1h now 10m maxx", "maxx is no aggregate; did you mean `max`?"),
        ("-1h max", "max of how long each? Write a STEP before it: 10m max"),
        ("-1h now max 10m", "10m is one word too many; STEP comes before AGGREGATE"),
        ("-1h now 0s", "0s is no duration"),
        ("-1h tomorrow", "tomorrow is no time"),
    ],
)
def test_no_span(clock: Clock, line: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        spanned(tuple(line.split()), clock)
    assert words in str(caught.value)


def test_dates_and_seconds_since_the_start_do_not_mix(unset: Clock) -> None:
    with pytest.raises(CommandError, match="the time is not known yet"):
        spanned(("2026-11-20", "-1m"), unset)
