"""Channels, and what is said in them unasked: at a rate that people can read.

In ``#readings`` a device says what has changed, in one line, at most once in ``min_interval``; a switch that was quiet
for so long speaks at once; and all together say at most one line a second.  Its own channel has every sample, but
one line a second, too.  Only the newest is ever kept.  Nothing here knows of connections' limits, or of time but what
it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from gateway.commands import Card, Status
from gateway.interfaces.irc.message import line
from gateway.reading import Reading, Readings, written

if TYPE_CHECKING:
    from gateway.interfaces.irc.connection import Connection

READINGS, ALERTS = "#readings", "#alerts"
SHARE, DIGITS = 0.01, 2  # what changed by less than one percent, or two of the last digit, is no news
# Where one percent says nothing, because zero is arbitrary or far away: what does, in the quantity's unit.
BANDS = {"temperature": 0.2, "pressure": 0.5, "latitude": 0.0005, "longitude": 0.0005, "altitude": 10.0, "track": 20.0,
         "frequency": 0.05, "time": inf}  # fmt: skip
SHOWN = 60  # characters of a text
PASSING = ("opening", "identifying")  # on the way to another state


@dataclass(slots=True, eq=False)
class Channel:
    """Who is there, by folded nick.  ``device`` is empty for the channels that are about all of them."""

    name: str
    device: str = ""
    topic: str = ""
    told: str = ""  # the topic that everybody there was told last
    people: dict[str, Connection] = field(default_factory=dict)

    def put(self, data: bytes, but: Connection | None = None, tags: str = "") -> None:
        for person in self.people.values():
            if person is not but:
                person.put(data, tags)

    def say(self, source: str, text: str) -> None:
        self.put(line(source, "PRIVMSG", self.name, text))

    def tell_topic(self, source: str) -> None:
        if self.topic != self.told:
            self.told = self.topic
            self.put(line(source, "TOPIC", self.name, self.topic))


def moved(said: Reading | None, reading: Reading) -> bool:
    """Whether *reading* is news to those who heard *said*."""
    quantity, new = reading.quantity, reading.value
    band = BANDS.get(quantity.name.partition("_")[0])  # voltage_l1 is a voltage
    if said is None:
        return band != inf
    old = said.value
    if isinstance(old, (str, bool)) or isinstance(new, (str, bool)):
        return old != new and band != inf
    least = max(abs(old) * SHARE if band is None else band, DIGITS * 10.0**-quantity.digits)
    return abs(new - old) > least * (1 - 1e-9)  # 21.7 - 21.5 is a little less than 0.2


def phrase(reading: Reading) -> str:
    """``temperature 21.53 °C``."""
    value = written(reading.quantity, reading.value)
    shown = value if len(value) <= SHOWN else value[:SHOWN] + "..."
    doubt = "(suspect)" if reading.mark == "suspect" else ""
    return " ".join(filter(None, (reading.name.rpartition(".")[2], shown, reading.quantity.unit, doubt)))


def phrases(readings: Iterable[Reading]) -> str:
    return ", ".join(map(phrase, readings))


def life(device: str, status: Status) -> str:
    """``street: lost: unplugged``."""
    return ": ".join(filter(None, (device, status.state, status.reason)))


def topic(card: Card, status: Status) -> str:
    return f"{life(card.name, status)} | {card.label or card.title} | {card.driver} at {card.where}"


def summary(devices: list[tuple[Card, Status]]) -> str:
    """All devices in a line: ``10 devices: 9 running, 1 lost (street)``."""
    states: dict[str, list[str]] = {}
    for card, status in devices:
        states.setdefault(status.state, []).append(card.name)
    counts = [f"{len(names)} {state}" + (f" ({' '.join(names[:5])}{' ...' * (len(names) > 5)})" * (state != "running"))
              for state, names in sorted(states.items(), key=lambda item: item[0] != "running")]  # fmt: skip
    return f"{len(devices)} devices: {', '.join(counts)} | say !help"


class Speech:
    """What waits to be said.  Times are seconds of any one clock."""

    def __init__(self, min_interval: float) -> None:
        self.min_interval = min_interval
        self.said: dict[str, Reading] = {}  # by name
        self.when: dict[str, float] = {}  # by name: when that was
        self.spoke: dict[str, float] = {}  # by device: when it said what had changed
        self.fresh: dict[str, dict[str, Reading]] = {}  # by device, by name: for its own channel
        self.news: dict[str, dict[str, Reading]] = {}  # the same for all; who waits longest stands first
        self.settled: dict[str, Status] = {}  # by device: as it was when it was not on the way to another state
        self.states: dict[str, str] = {}  # by device: as told last
        self.lives: dict[str, Status] = {}  # by device: to be told

    def begin(self, readings: Iterable[Reading]) -> None:
        """Somebody listens again, and is told the newest of all there is."""
        for each in (self.said, self.when, self.spoke, self.news):
            each.clear()
        for reading in readings:
            self.take((reading,))
        self.fresh.clear()

    def take(self, readings: Readings) -> None:
        device = readings[0].name.rpartition(".")[0]
        fresh = self.fresh.setdefault(device, {})
        for reading in readings:
            name = reading.name
            fresh[name] = reading
            if moved(self.said.get(name), reading):
                self.news.setdefault(device, {})[name] = reading
            elif (news := self.news.get(device)) and news.pop(name, None) and not news:  # back where it was
                del self.news[device]

    def hear(self, device: str, status: Status) -> None:
        if status.state in PASSING:
            return
        self.settled[device] = status
        if status.state == self.states.get(device):
            self.lives.pop(device, None)
        elif device not in self.lives or self.lives[device].state != status.state:
            self.lives[device] = status  # with the first reason: later ones are of attempts
        if status.state != "running":  # an old value must never pass for a fresh one
            for each in (self.fresh, self.news, self.spoke):
                each.pop(device, None)
            for name in [name for name in self.said if name.rpartition(".")[0] == device]:
                del self.said[name], self.when[name]

    def forget(self, latest: Mapping[str, Reading]) -> None:
        """What is gone meanwhile, as a key that was deleted, is not said any more."""
        for waiting in self.fresh, self.news:
            for device, readings in tuple(waiting.items()):
                for name in [name for name, reading in readings.items() if latest.get(name) is not reading]:
                    del readings[name]
                    self.said.pop(name, None)
                if not readings:
                    del waiting[device]

    def steady(self, card: Card, status: Status) -> tuple[Card, Status]:
        """Attempts to open a lost device come and go; until one succeeds, it is lost."""
        return card, self.settled.get(card.name, status) if status.state in PASSING else status

    def samples(self) -> Iterator[tuple[str, str]]:
        """What each device says in its own channel: device and text."""
        fresh, self.fresh = self.fresh, {}
        return ((device, phrases(readings.values())) for device, readings in fresh.items())

    def lived(self) -> tuple[str, Status] | None:
        """The next change of a device's life, when there is one."""
        for device, status in self.lives.items():
            del self.lives[device]
            self.states[device] = status.state
            return device, status
        return None

    def next(self, now: float) -> str:
        """The next line of news for ``#readings``, or nothing."""
        for device, news in self.news.items():
            if due := self.due(device, news, now):
                del self.news[device]
                if left := {name: reading for name, reading in news.items() if name not in due}:
                    self.news[device] = left  # behind all others
                self.said |= due
                self.when |= dict.fromkeys(due, now)
                return f"{device}: {phrases(due[name] for name in sorted(due))}"
        return ""

    def due(self, device: str, news: dict[str, Reading], now: float) -> dict[str, Reading]:
        if now - self.spoke.get(device, -inf) >= self.min_interval:
            self.spoke[device] = now
            return dict(news)
        return {name: reading for name, reading in news.items() if reading.quantity.kind in ("flag", "choice")
                and now - self.when.get(name, -inf) >= self.min_interval}  # fmt: skip
