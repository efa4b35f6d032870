"""Moments and durations as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from gateway.clock import Clock
from gateway.commands.grammar import CommandError, clip, nearest
from gateway.history.question import AGGREGATES, Aggregate

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
PART = r"(\d{1,12}(?:\.\d{1,9})?)(ms|min|s|m|h|d|w)"
DURATION = re.compile(f"(?:{PART})+", re.ASCII)
NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,9})?", re.ASCII)
END = 253_402_300_799  # the last second of the year 9999
HERE = 0.01  # seconds: what is read in the same moment belongs to now


@dataclass(frozen=True, slots=True)
class Moment:
    """Unix seconds; or, of a *running* boot that does not know the time yet, seconds since its start."""

    seconds: float
    running: bool


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, and how it is gathered."""

    start: float
    end: float
    running: bool
    step: float | None = None
    aggregate: Aggregate | None = None


def duration(text: str) -> float:
    """Seconds, above 0.  Raises CommandError."""
    if NUMBER.fullmatch(text):
        seconds = float(text)
    elif DURATION.fullmatch(text):
        seconds = sum(float(number) * SECONDS[unit] for number, unit in re.findall(PART, text))
    else:
        raise CommandError("syntax", f"{clip(text)} is no duration; write 500ms, 10s, 10m, 1h30m, 2d or seconds")
    if not 0.001 <= seconds <= END:
        raise CommandError("syntax", f"{clip(text)} is no duration; it is too {'short' if seconds < 1 else 'long'}")
    return seconds


def moment(text: str, clock: Clock) -> Moment:
    """What *text* means at this moment.  Raises CommandError, with what would do."""
    now, running = clock.now(), clock.now() is None
    here = clock.monotonic() if now is None else now
    if text == "now":
        return Moment(here + HERE, running)
    if text.startswith("+") and NUMBER.fullmatch(text[1:]):
        since = min(float(text[1:]), END)
        wall = clock.wall(clock.boot, since)
        return Moment(since if wall is None else wall, running)
    if text.startswith("-") and (NUMBER.fullmatch(text[1:]) or DURATION.fullmatch(text[1:])):
        return Moment(max(0.0, here - duration(text[1:])), running)
    if NUMBER.fullmatch(text):
        if float(text) > END:
            raise CommandError("syntax", f"{clip(text)} is beyond the year 9999; Unix time is in seconds here")
        return Moment(float(text), False)
    try:
        known = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            "syntax", f"{clip(text)} is no time; write -1h, now, 2026-11-20, 2026-11-20T16:00 or Unix seconds"
        ) from None
    return Moment((known if known.tzinfo else known.replace(tzinfo=UTC)).timestamp(), False)


def spanned(words: tuple[str, ...], clock: Clock) -> Span:
    """What ``FROM [TO] [STEP] [AGGREGATE]`` means.  Raises CommandError."""
    first, *rest = words
    end = rest.pop(0) if rest and not DURATION.fullmatch(rest[0]) and rest[0].lower() not in AGGREGATES else None
    step = rest.pop(0) if rest and rest[0].lower() not in AGGREGATES else None
    aggregate = rest.pop(0) if rest else None
    if rest:
        raise CommandError("syntax", f"{clip(rest[0])} is one word too many; STEP comes before AGGREGATE: 10m mean")
    return between(clock, first, end, step, aggregate)


def between(clock: Clock, first: str, last: str | None, step: str | None = None, aggregate: str | None = None) -> Span:
    """What these words mean together.  The end is now when it is left out.  Raises CommandError."""
    start = moment(first, clock)
    if last is not None:
        end = moment(last, clock)
        if last == "now" and end.running and not start.running:  # everything that there is
            end = Moment(END, False)
        if end.running != start.running:
            raise CommandError(
                "syntax", "the time is not known yet: -1h, now and +12.345 are seconds since the start, dates are not"
            )
    else:
        end = moment("now", clock) if start.running or clock.now() is not None else Moment(END, False)
    if end.seconds < start.seconds:
        raise CommandError("syntax", f"{clip(first)} is later than the end; write FROM TO, as in -2h -1h")
    seconds = None if step is None else duration(step)
    how = None if aggregate is None else chosen(aggregate.lower())
    if how is not None and step is None:
        raise CommandError("syntax", f"{how} of how long each? Write a STEP before it: 10m {how}")
    return Span(start.seconds, end.seconds, start.running, seconds, how)


def chosen(word: str) -> Aggregate:
    if word not in AGGREGATES:
        names = ", ".join(get_args(Aggregate))
        raise CommandError("syntax", f"{clip(word)} is no aggregate{nearest(word, AGGREGATES)}; there are {names}")
    return word
