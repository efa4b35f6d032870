"""Commands after which the gateway speaks by itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isclose
from typing import TYPE_CHECKING, TypeGuard

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from drivers.api import Value
from gateway.commands.grammar import GLOB, Answer, CommandError, clip
from gateway.commands.times import duration
from gateway.hub import matcher
from gateway.manual import NAME as MANUAL
from gateway.reading import Reading, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.commands.session import Session
    from gateway.reading import Readings

PATTERNS = 100  # watched by one session, at most
NAMES = 20_000  # that a sieve remembers; keys of ``manual`` come and go


@dataclass(frozen=True, slots=True)
class Terms:
    """Which readings of a pattern are told: one that *changed*, or by *band* at least, and one *every* so many seconds
    at most."""

    changed: bool = False
    every: float = 0.0
    band: float = 0.0


PLAIN = Terms()


def do_watch(me: Session, *words: str) -> Answer:
    if me.push is None:
        raise CommandError("denied", "nothing can be pushed to you here")
    patterns, terms = understood(list(words))
    wanted = dict.fromkeys(map(me.full, patterns or ("*",)), terms)
    kept = {pattern: those for pattern, those in me.watched.items() if pattern not in wanted or those == terms}
    watched = kept | wanted  # one whose terms are new comes last, and the last counts
    if len(watched) > PATTERNS:
        raise CommandError("limit", f"{PATTERNS} patterns at most; one such as attic.* fits many names")
    for pattern in wanted:
        if not GLOB.intersection(pattern):
            me.quantity(pattern, allow=MANUAL)
    match = matcher(watched)
    me.subscribe(watched)
    return Answer(status=f"OK {sum(1 for name in me.names() if match(name))}")


def do_unwatch(me: Session, *patterns: str) -> Answer:
    me.settle()
    gone = set(map(me.full, patterns)) or set(me.watched)
    me.subscribe({pattern: terms for pattern, terms in me.watched.items() if pattern not in gone})
    return Answer(status=f"OK {len(me.watched)}")


def understood(words: list[str]) -> tuple[list[str], Terms]:
    """Patterns, and the terms behind them: a key that is called as one of these is written ``manual.every``."""
    patterns: list[str] = []
    changed, every, band = False, 0.0, 0.0
    while words:
        word = words.pop(0)
        if word == "changed":
            changed = True
        elif word in ("every", "band"):
            if not words:
                raise CommandError("syntax", f"{word} what? Write every 10s, or band 0.5")
            if word == "every":
                every = duration(words.pop(0))
            else:
                band = width(words.pop(0))
        else:
            patterns.append(word)
    terms = Terms(changed, every, band)
    return patterns, PLAIN if terms == PLAIN else terms


def width(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < inf:
        raise CommandError("syntax", f"{clip(text)} is no dead band; write a number above 0, as in band 0.5")
    return found


class Sieve:
    """Passes on those readings that the terms let through.  A name goes by the last pattern that fits it."""

    def __init__(
        self,
        watched: Mapping[str, Terms],
        push: Callable[[Readings], None],
        time: IReactorTime,
        latest: Mapping[str, Reading],
    ) -> None:
        self.rules = [(matcher((pattern,)), terms) for pattern, terms in reversed(list(watched.items()))]
        self.push, self.time, self.latest = push, time, latest
        self.terms: dict[str, Terms] = {}
        self.told: dict[str, tuple[Reading, float]] = {}
        self.held: dict[str, tuple[Reading, float]] = {}  # and when they may go
        self.call: IDelayedCall | None = None

    def follow(self, before: Sieve) -> None:
        """Go on where *before* was."""
        self.told = before.told
        self.held = {name: each for name, each in before.held.items() if any(match(name) for match, _ in self.rules)}
        if self.held:
            self.call = self.time.callLater(0, self.release)

    def take(self, readings: Readings) -> None:
        if through := tuple(reading for reading in readings if self.passes(reading)):
            self.push(through)

    def passes(self, reading: Reading) -> bool:
        name = reading.name
        if (terms := self.terms.get(name)) is None:
            if len(self.terms) >= NAMES:
                self.terms.clear()
                self.told.clear()
            terms = self.terms[name] = next(terms for match, terms in self.rules if match(name))
        if terms is PLAIN:
            return True
        now = self.time.seconds()
        self.held.pop(name, None)  # a newer one is here
        if (before := self.told.get(name)) is not None:
            last, at = before
            if not differs(last, reading, terms):
                return False
            if now < at + terms.every:
                self.held[name] = reading, at + terms.every
                if self.call is None:
                    self.call = self.time.callLater(at + terms.every - now, self.release)
                return False
        self.told[name] = reading, now
        return True

    def release(self) -> None:
        """Pass on what was held back for long enough, unless its key or device is gone."""
        now = self.time.seconds()
        over = [reading for reading, when in self.held.values() if when <= now]
        for reading in over:
            del self.held[reading.name]
        due = [reading for reading in over if self.latest.get(reading.name) is reading]
        for reading in due:
            self.told[reading.name] = reading, now
        self.call = None
        if self.held:
            self.call = self.time.callLater(min(when for _, when in self.held.values()) - now, self.release)
        if due:
            self.push(tuple(due))

    def close(self) -> None:
        if self.call is not None:
            self.call.cancel()
            self.call = None


def differs(last: Reading, reading: Reading, terms: Terms) -> bool:
    """Whether *reading* is worth telling after *last*."""
    old, new = last.value, reading.value
    if last.mark != reading.mark or last.quantity.unit != reading.quantity.unit:
        return True
    if terms.band and numeric(old) and numeric(new):
        apart = abs(new - old)  # 16.4 - 16.3 is less than 0.1, but only to a computer
        return apart >= terms.band or isclose(apart, terms.band)
    if not (terms.changed or terms.band):
        return True
    return written(last.quantity, old) != written(reading.quantity, new)  # what nobody sees is no change


def numeric(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
