"""What the NMEA sentences of one instant come to: they are an epoch, and give one sample.

An epoch is told as soon as all came that came last time; what comes later than it did gives another sample.  Where the
sentences of an epoch differ about whether there is a fix, the least of it holds.

The sum of a sentence has eight bits, and two wrong ones may leave it as it was.  So on a line that spoils sentences
what two of an epoch say must agree, or it is refused, and so is one whose time or place jumps: the next one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from math import cos, hypot, radians

from drivers.api import BadValue, Quantity, Sample, Value
from drivers.codec import nmea
from drivers.codec.sentences import (
    ALTITUDE,
    ESTIMATED,
    HEIGHTS,
    LATITUDE,
    LONGITUDE,
    MEASURED,
    NONE,
    SATELLITES,
    SPEED,
    TRACK,
    Said,
)
from drivers.quantities import mode, time

TIME, MODE = time(), mode()
DAY, HOUR = 86_400_000, 3_600_000  # milliseconds
GSA_LIFE = 10  # samples for which a GSA holds: many receivers send it once a second and ten positions in between
FEW = (1, 2, 3)  # satellites that give no height; where nobody counts, there are 0
HABITS = 16  # kinds of epochs to remember; a receiver has two or three
BEGAN, ROLLED = date(1980, 1, 6), date(1999, 8, 22)  # week 0 of GPS, and week 1024, which is 0 again

DOUBT = 60  # samples for which a line is in doubt once a sentence was refused
AGREED: dict[Quantity, float] = {LATITUDE: 3e-6, LONGITUDE: 3e-6, SPEED: 0.06, TRACK: 0.1}  # what two may differ by
MOVING = {SPEED, TRACK}
BACK, GAP = 1000, 20_000  # milliseconds to the next epoch that are no jump
NEAR, PACE = 100.0, 5.0  # metres, and m/s, that a place may be off where it is said to stand still
DEGREE = 111_195.0  # metres
TORN = 2  # epochs in which a sentence may be missing that was refused


@dataclass(slots=True)
class Epoch:
    """What was said of one instant so far."""

    names: set[bytes] = field(default_factory=set)  # talker and type
    parts: set[bytes] = field(default_factory=set)  # type
    values: dict[Quantity, Value] = field(default_factory=dict)
    disputed: set[Quantity] = field(default_factory=set)  # what two said differently
    day: date | None = None
    moment: nmea.Moment | None = None
    fix: int | None = None
    in_view: dict[Quantity, Value] = field(default_factory=dict)
    first: bytes = b""  # the name of the sentence that began it
    told: bool = False  # its sample is out; another follows only if something new comes

    def ends(self, name: bytes, said: Said) -> bool:
        """Whether *said* is of another instant."""
        return name in self.names or None not in (said.moment, self.moment) and said.moment != self.moment

    def add(self, name: bytes, said: Said) -> None:
        values = said.values
        if self.told:
            new = values.keys() - self.values.keys()
            if not said.moment:
                new &= {SPEED}  # a VTG may well be the next instant's: all else was told
            less = said.fix is not None and self.fix is not None and said.fix < self.fix
            doubted = less and any(known[:2] == name[:2] for known in self.names)
            self.told = not new and not doubted  # what another talker doubts is its own position
        self.first = self.first or name
        self.names.add(name)
        self.parts.add(name[2:])
        counted = self.values.get(SATELLITES)
        self.values |= values
        if counted is not None and SATELLITES in values:  # GGA counts those of one system, GNS of all
            self.values[SATELLITES] = max(int(counted), int(values[SATELLITES]))
        self.moment = said.moment or self.moment
        if said.fix is not None:
            self.fix = said.fix if self.fix is None else min(said.fix, self.fix)  # one doubt is enough

    def compare(self, said: Said) -> None:
        """Note what *said* says otherwise than another sentence did."""
        for quantity, near in AGREED.items():
            if quantity in said.values and quantity in self.values:
                apart = abs(float(said.values[quantity]) - float(self.values[quantity]))
                if min(apart, abs(360 - apart)) > near:
                    self.disputed.add(quantity)
        if None not in (said.fix, self.fix) and NONE in (said.fix, self.fix) and said.fix != self.fix:
            self.disputed.add(MODE)

    def complete(self, usual: set[bytes]) -> bool:
        """Whether nothing of use is to come, or nothing at all where a receiver says less: *usual* is what it does."""
        known = b"RMC" in self.parts and not HEIGHTS.isdisjoint(self.parts)
        return known or (self.fix is not None and usual == self.names)

    def follows(self, before: Epoch) -> bool:
        """Whether one receiver may have said this after *before*."""
        passed = 1000
        if self.moment and before.moment:
            days = (self.day - before.day).days if self.day and before.day else int(self.moment.at < before.moment.at)
            passed = days * DAY + self.moment.at - before.moment.at
        if not -BACK <= passed <= GAP:
            return False
        here, there = ([float(each.values.get(q, 0)) for q in (LATITUDE, LONGITUDE, SPEED)] for each in (self, before))
        if LATITUDE not in self.values or LATITUDE not in before.values:
            return True
        north, east = DEGREE * (here[0] - there[0]), DEGREE * ((here[1] - there[1] + 180) % 360 - 180)
        reach = NEAR + (PACE + here[2] + there[2]) * abs(passed) / 1000
        return hypot(north, east * cos(radians(here[0]))) <= reach


class Epochs:
    """Puts the sentences of one instant together."""

    def __init__(self) -> None:
        self.epoch = Epoch()
        self.habits: dict[bytes, set[bytes]] = {}  # of what the last epoch was made that began with this sentence
        self.day: date | None = None  # as last told, carried on by the time of day
        self.at = 0  # milliseconds into it
        self.dimensions = self.gsa_life = 0
        self.height_life = 0  # samples for which an altitude tells that the next position has one, too
        self.in_view: dict[Quantity, Value] = {}  # counted, and not yet told
        self.doubt = 0  # epochs until the line counts as a good one again
        self.held: Epoch | None = None  # the last one that counted
        self.heard: Epoch | None = None  # the last one
        self.refused = False  # which did not count

    def spoilt(self) -> None:
        """A sentence was refused."""
        self.doubt = DOUBT

    def take(self, name: bytes, said: Said | int) -> tuple[Sample | BadValue, ...]:
        """Add what was said, and give the samples of the epochs that this ended and completed."""
        if isinstance(said, int):
            self.dimension(said)
            return ()
        ended: tuple[Sample | BadValue, ...] = ()
        if self.epoch.ends(name, said):
            ended = () if self.epoch.told else self.weighed()
            if len(self.habits) > HABITS:
                self.habits.clear()
            self.habits[self.epoch.first] = self.epoch.names
            self.epoch, self.in_view = Epoch(in_view=self.in_view), {}
        if said.moment:
            self.follow(said.moment.at, said.day)
        if self.doubt:
            self.epoch.compare(said)
        self.epoch.add(name, said)
        if self.epoch.told or not self.epoch.complete(self.habits.get(self.epoch.first, set())):
            return ended
        self.epoch.told = True
        return *ended, *self.weighed()

    def dimension(self, said: int) -> None:
        """A GSA tells no time, and of several systems each has its own: the best since the last sample holds."""
        self.dimensions = max(said, self.dimensions) if self.gsa_life == GSA_LIFE else said
        self.gsa_life = GSA_LIFE

    def follow(self, at: int, day: date | None) -> None:
        """Keep the date, also over midnight; after a jump nobody said which day it is."""
        if day is None and self.day is not None:
            ahead = (at - self.at + HOUR) % DAY - HOUR
            day = self.day + timedelta((self.at + ahead - at) // DAY) if ahead < HOUR else None
        self.day, self.at = day, at

    def weighed(self) -> tuple[Sample | BadValue, ...]:
        """The sample of the epoch; in doubt without what its sentences differ about, or none."""
        epoch, held, heard = self.epoch, self.held, self.heard
        epoch.day, self.heard = self.day, epoch
        sample = self.sample()
        if not self.doubt:
            self.held = epoch
            return (sample,)
        self.doubt -= 1
        names = ", ".join(sorted(quantity.name for quantity in epoch.disputed))
        differ = BadValue(f"sentences of one instant differ about {names}, on a line that spoils some")
        if not self.refused:
            self.refused = True
            if not epoch.disputed <= MOVING:
                return (differ,)
            if held and heard and not epoch.follows(held) and not epoch.follows(heard):
                self.day, self.at = held.day, held.moment.at if held.moment else 0
                moment, place = epoch.moment, (epoch.values.get(LATITUDE), epoch.values.get(LONGITUDE))
                return (BadValue(f"{moment and moment.text} {place} is a jump, on a line that spoils sentences"),)
        self.refused, self.held = False, epoch
        if not epoch.disputed:
            return (sample,)
        return differ, {quantity: sample[quantity] for quantity in sample if quantity not in epoch.disputed & MOVING}

    def sample(self) -> Sample:
        """What the epoch comes to.  Without a valid position it holds nothing that would need one."""
        epoch, said = self.epoch, dict(self.epoch.values)
        sample, epoch.in_view = epoch.in_view, {}
        self.gsa_life, self.height_life = max(self.gsa_life - 1, 0), max(self.height_life - 1, 0)
        if self.day and epoch.moment and self.day >= (BEGAN if epoch.fix == MEASURED else ROLLED):
            sample[TIME] = f"{self.day.isoformat()}T{epoch.moment.text}Z"
        if epoch.fix is None:
            return sample | said
        if epoch.fix == NONE or LATITUDE not in said:
            sample[MODE] = "none"
            return sample | {SATELLITES: said[SATELLITES]} if SATELLITES in said else sample
        if ALTITUDE in said:
            self.height_life = GSA_LIFE
        told = self.dimensions if self.gsa_life else 0
        high = ALTITUDE in said or (self.height_life > 0 and HEIGHTS.isdisjoint(epoch.parts))
        dimensions = told or 1 + (high and said.get(SATELLITES) not in FEW)
        if dimensions == 1:
            said.pop(ALTITUDE, None)  # not measured, but held or typed in
        if epoch.fix == ESTIMATED:
            sample[MODE] = "estimated"
        elif told or high or self.doubt <= DOUBT - TORN:  # else the sentence that tells may be the one refused
            sample[MODE] = MODE.choices[dimensions]
        return sample | said
