"""NMEA 0183: sentences cut out of a stream of bytes and checked, and the forms that their fields have.

    $ GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,, * 47 CR LF
      talker GP, type GGA, fields                                     exclusive or of all between $ and *

Standard: NMEA 0183 (IEC 61162-1), as its users describe it: https://gpsd.gitlab.io/gpsd/NMEA.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from drivers.api import BadFrame, BadValue

LONGEST = 256  # bytes from $ to checksum; the standard says 82, receivers of high precision say more
NOISE = 1024  # bytes without a sentence before we say so; a receiver's own binary frames are shorter
PROPRIETARY = b"P"  # such a sentence means what its maker likes
LATITUDES = {b"N": 1, b"S": -1}
LONGITUDES = {b"E": 1, b"W": -1}
STARTS = (b"$", b"!")  # ! begins AIS, what ships say of themselves: a sentence, too
ENDS = (b"\r", b"\n")
TAG = b"\\"  # stands on both sides of a TAG block
DIGITS = "0123456789ABCDEFabcdef"
ENDINGS = {f"*{high}{low}".encode(): int(high + low, 16) for high in DIGITS for low in DIGITS}


def checksum(body: bytes) -> int:
    """Exclusive or of all bytes, at most LONGEST.  Folding one long number costs 0.6 of reduce(xor, body)."""
    folded = int.from_bytes(body, "little")
    folded ^= folded >> 1024
    folded ^= folded >> 512
    folded ^= folded >> 256
    folded ^= folded >> 128
    folded ^= folded >> 64
    folded ^= folded >> 32
    folded ^= folded >> 16
    return (folded ^ folded >> 8) & 0xFF


class Sentences:
    """The reading side of one connection: bytes in, bodies of sentences (between $ and \\*) and errors out.

    What stands between sentences is passed over, and so is what a maker's own sentence holds, and a TAG block before it
    (NMEA 0183 4.0: who said it, and when), as ``\\s:mast*hh\\$GPRMC``; only a long stretch without any sentence is an
    error: the baud rate is wrong, or something else talks."""

    def __init__(self) -> None:
        self.tail = b""
        self.noise = 0
        self.passed = 0  # bytes, and sentences refused, since the beginning: something may be missing

    def feed(self, data: bytes) -> Iterator[bytes | BadFrame]:
        lines = (self.tail + data).splitlines()
        self.tail = b"" if data.endswith(ENDS) or not lines else lines.pop()
        if len(self.tail) > LONGEST:
            lines.append(self.overlong())
        for line in lines:
            body = line[1:-3]
            if line[:1] in STARTS and b"$" not in body and whole(body, line[-3:]):
                self.noise = 0
                yield body
            elif line:
                yield from self.pick(line)

    def overlong(self) -> bytes:
        """Take from the tail what can no longer be the beginning of a sentence."""
        start = self.tail.rfind(b"$")
        cut = start if len(self.tail) - start <= LONGEST else len(self.tail)
        gone, self.tail = self.tail[:cut], self.tail[cut:]
        return gone

    def pick(self, line: bytes) -> Iterator[bytes | BadFrame]:
        """Find the sentences in a line that is not exactly one: torn ones, and those behind noise."""
        before, *pieces = line.split(b"$")
        if not (before[:1] == before[-1:] == TAG):
            self.noise += len(before)
            self.passed += len(before)
        for ship in before.split(b"!")[1:]:  # behind a TAG block
            if whole(ship[:-3], ship[-3:]):
                self.noise = 0
                yield ship[:-3]
        for piece in pieces:
            piece = piece.rstrip(b" \t\0")
            if whole(piece[:-3], piece[-3:]):
                self.noise = 0
                yield piece[:-3]
                continue
            self.passed += 1
            if piece[:1] == PROPRIETARY or not piece[:1].isupper():
                self.noise += len(piece)
            else:
                what = "sentence" if b"*" in piece else "checksum"
                yield BadFrame(f"no {what}: ${piece[:LONGEST].decode('ascii', 'backslashreplace')}")
        if self.noise > NOISE:
            self.noise = 0
            yield BadFrame(f"{NOISE} bytes without a sentence; is the baud rate right?")


def whole(body: bytes, end: bytes) -> bool:
    """Whether *end*, such as ``*47``, is the checksum of *body*, all that stands before it and behind the $."""
    return len(body) < LONGEST and ENDINGS.get(end) == checksum(body) and body.isascii()


class Moment(NamedTuple):
    """A time of day in UTC: ``17:00:00.200``, and in milliseconds.  A leap second lies behind the day's end."""

    text: str
    at: int


@lru_cache(8)  # all sentences of one instant hold the same
def moment(raw: bytes) -> Moment | None:
    """Read ``hhmmss[.sss]``; None if it is empty, BadValue if no clock shows it."""
    if not raw:
        return None
    whole, _, part = raw.partition(b".")
    if len(whole) != 6 or not (whole + part).isdigit() or whole[:2] > b"23" or whole[2:4] > b"59" or whole[4:] > b"60":
        raise BadValue(f"time {raw!r}")
    hours, minutes, seconds = whole[:2].decode(), whole[2:4].decode(), whole[4:].decode()
    thousandths = (part + b"000")[:3].decode()
    at = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return Moment(f"{hours}:{minutes}:{seconds}.{thousandths}", at * 1000 + int(thousandths))


@lru_cache(4)  # it is the same all day
def calendar(day: bytes, month: bytes, year: bytes) -> date | None:
    """A date; None if it is empty or all noughts, BadValue if no calendar has it.  Two digits mean 1980, when GPS
    began, to 2079."""
    if not (day and month and year) or not (day + month + year).strip(b"0"):
        return None
    if not (day + month + year).isdigit() or len(year) not in (2, 4):
        raise BadValue(f"date {day!r} {month!r} {year!r}")
    century = 0 if len(year) == 4 else 1900 if year >= b"80" else 2000
    try:
        return date(century + int(year), int(month), int(day))
    except ValueError as error:
        raise BadValue(f"date {day!r} {month!r} {year!r}: {error}") from None


def degrees(raw: bytes, letter: bytes, letters: Mapping[bytes, int]) -> float:
    """Read ``dddmm.mmm`` and the letter of its half of the globe: 4807.038 N is 48.1173."""
    whole, minutes = divmod(float(raw), 100)
    if not (whole >= 0 and minutes < 60) or letter not in letters:  # NaN compares false
        raise BadValue(f"angle {raw!r} {letter!r}")
    return letters[letter] * (whole + minutes / 60)
