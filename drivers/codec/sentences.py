"""What each sentence of NMEA 0183 says of a position: its fields, read and checked.  drivers/gps.py draws them.

Standard: NMEA 0183 (IEC 61162-1), as its users describe it: https://gpsd.gitlab.io/gpsd/NMEA.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from drivers.api import BadValue, Quantity, Value
from drivers.codec import nmea
from drivers.quantities import altitude, hdop, latitude, longitude, satellites, speed, track

LATITUDE, LONGITUDE, ALTITUDE = latitude(), longitude(), altitude()
SPEED, TRACK, SATELLITES, HDOP = speed(high=10_000), track(), satellites(), hdop()

HEIGHTS = frozenset((b"GGA", b"GNS"))  # the sentences with an altitude

KNOT = 1852 / 3600  # m/s
KMH = 1 / 3.6  # m/s
VALID = (b"A", b"D")  # status; D is some makers', with corrections
NONE, ESTIMATED, MEASURED = 0, 1, 2  # what a position may be, the worst first
UNMEASURED = b"EMNSV"  # modes: estimated, manual, none, simulated, void; the others are kinds of fixes
QUALITIES = {**dict.fromkeys((b"1", b"2", b"3", b"4", b"5", b"9"), MEASURED), b"6": ESTIMATED}  # the same for GGA


class Said(NamedTuple):
    """What one sentence says.  *fix* is None where it does not speak of that; *fault* is a date that is none: what
    else it says holds."""

    values: Mapping[Quantity, Value]
    moment: nmea.Moment | None = None
    fix: int | None = None
    day: date | None = None
    fault: BadValue | None = None


@lru_cache(4)  # RMC, GGA and GLL of one instant hold the same
def position(north: bytes, south: bytes, east: bytes, west: bytes) -> Mapping[Quantity, Value]:
    """Latitude, letter, longitude, letter."""
    if not north or not east:
        return {}
    return {
        LATITUDE: LATITUDE.check(nmea.degrees(north, south, nmea.LATITUDES)),
        LONGITUDE: LONGITUDE.check(nmea.degrees(east, west, nmea.LONGITUDES)),
    }


def number(quantity: Quantity, raw: bytes, factor: float = 1) -> dict[Quantity, Value]:
    return {quantity: quantity.check(float(raw) * factor)} if raw else {}


def kind(modes: bytes) -> int:
    """What a position is that has the mode of each system: measured, where any is.  Before NMEA 2.3 nobody told."""
    if not modes or modes.strip(UNMEASURED):
        return MEASURED
    return ESTIMATED if b"E" in modes and not modes.strip(b"EN") else NONE


def dated(day: bytes, month: bytes, year: bytes) -> tuple[date | None, BadValue | None]:
    """A date.  A receiver whose weeks began anew may write one that is none, and still know its place."""
    try:
        return nmea.calendar(day, month, year), None
    except BadValue as error:
        return None, error


def rmc(f: list[bytes]) -> Said:
    fix = kind(f[12] if len(f) > 12 else b"") if f[2] in VALID else NONE
    values = {**position(f[3], f[4], f[5], f[6]), **number(SPEED, f[7], KNOT), **number(TRACK, f[8])} if fix else {}
    return Said(values, nmea.moment(f[1]), fix, *dated(f[9][:2], f[9][2:4], f[9][4:]))


def gga(f: list[bytes]) -> Said:
    """Also GNS, whose modes are a letter for each system: N where it gave nothing."""
    fix = kind(f[6]) if f[6].isalpha() else QUALITIES.get(f[6], NONE)
    values: dict[Quantity, Value] = {SATELLITES: SATELLITES.check(int(f[7]))} if f[7] else {}
    if fix:
        values |= {**position(f[2], f[3], f[4], f[5]), **number(HDOP, f[8]), **number(ALTITUDE, f[9])}
    return Said(values, nmea.moment(f[1]), fix)


def gns(f: list[bytes]) -> Said:
    """Behind the GNS of all systems together one of each may follow, with its satellites only."""
    return gga(f) if f[6] else Said({}, nmea.moment(f[1]))


def gll(f: list[bytes]) -> Said:
    """NMEA 0183 before 2.0 tells neither time nor validity, or the time alone."""
    if len(f) in (5, 6):
        return Said({}, nmea.moment(f[5]) if len(f) == 6 else None)
    fix = kind(f[7] if len(f) > 7 else b"") if f[6] in VALID else NONE
    return Said(position(f[1], f[2], f[3], f[4]) if fix else {}, nmea.moment(f[5]), fix)


def vtg(f: list[bytes]) -> Said:
    """NMEA 0183 before 2.0 has no letters between: track, magnetic track, knots, km/h.  One that is estimated says so
    of its whole instant."""
    if len(f) == 5:
        return Said((number(SPEED, f[3], KNOT) or number(SPEED, f[4], KMH)) | number(TRACK, f[1]))
    fix = kind(f[9] if len(f) > 9 else b"")
    if not fix:
        return Said({})
    knots = f[5] if f[6] == b"N" else b""
    pace = number(SPEED, knots, KNOT) or (number(SPEED, f[7], KMH) if f[8] == b"K" else {})
    values = pace | number(TRACK, f[1]) if f[2] == b"T" else pace
    return Said(values, fix=ESTIMATED if values and fix == ESTIMATED else None)


def zda(f: list[bytes]) -> Said:
    return Said({}, nmea.moment(f[1]), None, *dated(f[2], f[3], f[4]))


def gsa(f: list[bytes]) -> int:
    """A place in MODE.choices."""
    return {b"2": 1, b"3": 2}.get(f[2], 0)


SENTENCES: dict[bytes, Callable[[list[bytes]], Said | int]] = {
    b"RMC,": rmc,
    b"GGA,": gga,
    b"GNS,": gns,
    b"GLL,": gll,
    b"VTG,": vtg,
    b"ZDA,": zda,
    b"GSA,": gsa,
}
