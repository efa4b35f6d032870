"""GSV: how many satellites are in view.  A receiver tells of each in turn, four to a sentence:

    $xxGSV,sentences,number,in view{,satellite,elevation,azimuth,strength} x 0..4[,signal]*hh

Standard: NMEA 0183 (IEC 61162-1), as its users describe it: https://gpsd.gitlab.io/gpsd/NMEA.html#_gsv
Each system has its own (GP, GL, GA, GB ...), and since 4.11 each signal of a system: a satellite that sends two is told
of twice.  How many there are is therefore counted, once a round: a round is over when the first system begins again.
"""

from __future__ import annotations

from collections.abc import Sequence


class InView:
    """Counts one round, and is then done.  A sentence that is lost would make the count too small: it begins again."""

    def __init__(self) -> None:
        self.groups: set[tuple[bytes, bytes]] = set()  # system and signal
        self.listed: dict[bytes, list[bytes]] = {}  # the satellites of each system
        self.name = b""  # of this group's system
        self.size = self.came = self.total = 0  # sentences of this round, and of this group: came and will come
        self.whole = True

    def lost(self) -> None:
        """Something was not understood: perhaps it was one of these."""
        self.whole = False

    def add(self, fields: Sequence[bytes]) -> int | None:
        """Add one sentence, its fields from talker to last.  Gives the count when it begins the next round."""
        name, number = fields[0], int(fields[2])
        if number == 1:
            self.whole = self.whole and self.came == self.total
            group = (name, fields[-1] if len(fields) % 4 else b"")
            if group in self.groups:
                if self.whole:
                    return sum(len({*each} - {b""}) for each in self.listed.values())
                self.groups, self.listed, self.size, self.whole = set(), {}, 0, True
            self.groups.add(group)
            self.listed.setdefault(name, [])
            self.name, self.came, self.total = name, 0, int(fields[1])
        self.size += 1
        self.came += 1
        if name == self.name and number == self.came <= self.total:
            self.listed[name] += fields[4 : len(fields) - 1 : 4]
        else:
            self.whole = False
        return None
