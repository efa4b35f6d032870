"""UBX, the binary protocol of u-blox receivers: frames cut out of a stream, and what those of one instant come to.

Datasheet: u-blox 8 / u-blox M8 "Receiver description including protocol specification" (UBX-13003221), section 32; for
SOL, SVINFO and TIMEGPS that of the u-blox 6 (GPS.G6-SW-12013).  All numbers are little-endian:

    B5 62   CC II   LL LL    ..        AA BB
    start   class,  length   payload   sum of class to payload, and sum of its sums, modulo 256 (section 32.4)
            number

Payloads begin with iTOW, the GPS time of the week in ms (only TIMEUTC's and TIMEGPS's tell UTC):

    01 07 PVT      year U2, month, day, hour, minute, second, valid, accuracy U4, ns I4, fix, flags, flags, satellites,
                   longitude I4 1e-7 degrees, latitude, height mm, height above sea, accuracies, velocities 3 x I4,
                   speed over ground mm/s, heading 1e-5 degrees, accuracies, PDOP U2, flags X2 ...; 84 or 92 bytes
    01 02 POSLLH   longitude, latitude, height, height above sea, accuracies
    01 03 STATUS   fix, flags, ...
    01 04 DOP      GDOP U2 0.01, PDOP, TDOP, VDOP, HDOP, NDOP, EDOP
    01 06 SOL      ns I4, week I2, fix, flags, X Y Z I4 cm, accuracy, their velocities cm/s, ..., satellites (47)
    01 12 VELNED   velocities 3 x I4 cm/s, speed U4, speed over ground U4, heading 1e-5 degrees, accuracies
    01 20 TIMEGPS  ns I4, week I2, leap seconds I1, valid, accuracy
    01 21 TIMEUTC  accuracy U4, ns I4, year U2, month, day, hour, minute, second, valid
    01 30 SVINFO   channels, 3 bytes, 12 of each channel: it, satellite, flags, quality, strength, elevation I1 ...
    01 35 SAT      version, satellites, 2 bytes, 12 of each satellite: system, number, strength, elevation I1 ...
    01 61 EOE      the instant is over
    28 00 HNR-PVT  year U2, month, day, hour, minute, second, valid, ns I4, fix, flags, 2 bytes, longitude I4 1e-7
                   degrees, latitude, height mm, height above sea, speed over ground mm/s, speed, heading 1e-5 degrees

HNR-PVT comes ten to thirty times a second, of instants of its own, before those of the others, from receivers with
sensors of motion.

A fix is 2 or 3 dimensions, or 3 with dead reckoning (fix 2, 3, 4), and flag 0 says that it is good enough (section
8.1).  Dead reckoning alone (1) is an estimate, time alone (5) is none.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from math import atan2, cos, degrees, hypot, radians, sin
from struct import Struct
from typing import Any, NamedTuple

from drivers.api import BadFrame, BadValue, DeviceError

START = b"\xb5\x62"
HEAD = Struct("<2sBBH")  # start, class, number, length
SUMS = 2
LONGEST = 4096  # bytes of a payload: raw measurements of 127 signals; a longer one is noise
CLASSES = frozenset((1, 2, 4, 5, 6, 9, 10, 11, 13, 16, 19, 33, 39, 40, 41, 0xF0, 0xF1))  # table 32.2

PVT, POSLLH, STATUS, DOP, SOL, VELNED, TIMEGPS, TIMEUTC, SVINFO, SAT, EOE = (
    b"\x01" + bytes([number]) for number in (0x07, 0x02, 0x03, 0x04, 0x06, 0x12, 0x20, 0x21, 0x30, 0x35, 0x61)
)
HNR = b"\x28\x00"
QUICK = Struct("<I H5BB iBB2x ii4xi i4xi")
Quick = namedtuple(
    "Quick",
    "tow year month day hour minute second valid nano fix flags longitude latitude altitude speed heading "
    "satellites flags3",  # of PVT, which this has not
    defaults=(None, 0),
)
SKIES = {SVINFO: 5, SAT: 3}  # where of a satellite's 12 bytes its elevation stands
LAYOUTS: dict[bytes, tuple[Struct, Callable[..., Any]]] = {  # what of each payload is of use
    kind: (Struct(f"<{layout}"), namedtuple("Payload", names))
    for kind, layout, names in (
        (
            PVT,
            "I H5BB 4xi BBxB ii4xi 20x ii 8x 2xH",
            "tow year month day hour minute second valid nano fix flags satellites "
            "longitude latitude altitude speed heading flags3",
        ),
        (POSLLH, "I ii4xi 8x", "tow longitude latitude altitude"),
        (STATUS, "I BB 10x", "tow fix flags"),
        (DOP, "I 8xH4x", "tow hdop"),
        (SOL, "I ihBB iii4x iii4x 3xB4x", "tow nano week fix flags x y z to_x to_y to_z satellites"),
        (VELNED, "I 16xI i 8x", "tow speed heading"),
        (TIMEGPS, "I ihbB 4x", "tow nano week leap valid"),
        (TIMEUTC, "I 4xi H5BB", "tow nano year month day hour minute second valid"),
        (SVINFO, "I 4x", "tow"),
        (SAT, "I 4x", "tow"),
        (EOE, "I", "tow"),
    )
}
PLACES = frozenset((PVT, POSLLH, SOL))
DIMENSIONS = {1: 1, 2: 2, 3: 3, 4: 3}  # of what is a fix
BEGAN = datetime(1980, 1, 6)  # when GPS weeks began
EQUATOR, POLE = 6_378_137.0, 6_356_752.314245  # radii of WGS 84 in metres


class Frame(NamedTuple):
    kind: bytes  # class and number
    payload: bytes


def sums(body: bytes) -> bytes:
    """The checksum of *body*, which goes from class to payload."""
    return bytes((sum(body) & 0xFF, sum(accumulate(body)) & 0xFF))


def seal(kind: bytes, payload: bytes) -> bytes:
    body = kind + len(payload).to_bytes(2, "little") + payload
    return START + body + sums(body)


class Frames:
    """The reading side of one connection: bytes in; frames, bad ones, and the bytes between them out, in order."""

    def __init__(self) -> None:
        self.held = b""  # the beginning of a frame

    def feed(self, data: bytes) -> Iterator[Frame | BadFrame | bytes]:
        data, self.held = self.held + data, b""
        given = at = 0
        while (at := data.find(START[:1], at)) >= 0:
            size = framed(data[at : at + HEAD.size])
            if size == 0:
                at += 1
                continue
            if at + size > len(data):
                data, self.held = data[:at], data[at:]
                break
            body = data[at + len(START) : at + size - SUMS]
            if sums(body) == data[at + size - SUMS : at + size]:
                yield from (data[given:at],) if given < at else ()
                yield Frame(body[:2], body[4:])
                given = at = at + size
            else:  # skip the start only: what is in the false frame may be true
                yield BadFrame(f"sums of {data[at : at + min(size, 100)].hex(' ')} are {sums(body).hex(' ')}")
                at += len(START)
        if given < len(data):
            yield data[given:]


def framed(head: bytes) -> int:
    """How long the frame is that *head* begins, at least; 0 where it begins none."""
    if not START.startswith(head[:2]) or (len(head) > 2 and head[2] not in CLASSES):
        return 0
    length = int.from_bytes(head[4:6], "little") if len(head) == HEAD.size else 0
    return HEAD.size + length + SUMS if length <= LONGEST else 0


class Solution(NamedTuple):
    """What a receiver found out for one instant: degrees, metres, metres a second; None is not known."""

    dimensions: int  # 0: there is no fix, and so no position and no velocity; 1: it is estimated
    time: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None  # above mean sea level
    speed: float | None = None
    track: float | None = None
    satellites: int | None = None  # used
    in_view: int | None = None
    hdop: float | None = None


Said = Mapping[bytes, Any]  # the payloads of one instant by their kinds


class Epochs:
    """Puts the frames of one instant together: it is over when all came that came last time, or the next begins."""

    def __init__(self) -> None:
        self.said: dict[bytes, Any] = {}
        self.usual = {PVT}
        self.told = self.late = False  # late: came when all had been told; told again when the instant is over
        self.in_view: int | None = None  # satellites: counted, and not yet told
        self.leap: int | None = None  # seconds by which GPS time is ahead of UTC, once it was told

    def take(self, frame: Frame) -> Iterator[Solution | DeviceError]:
        if frame.kind not in LAYOUTS or not frame.payload:  # an empty one asks for the message, overheard
            return
        layout, make = LAYOUTS[frame.kind]
        if len(frame.payload) < layout.size:
            yield BadFrame(f"message {frame.kind.hex(' ')} of {len(frame.payload)} bytes, not {layout.size}")
            return
        payload = make(*layout.unpack_from(frame.payload))
        if any(payload.tow != other.tow for other in self.said.values()):
            if not self.told:
                yield from self.solved()
            self.said, self.told, self.late, self.usual = {}, False, False, {*self.said}
        if self.told and frame.kind not in {EOE, *SKIES, *self.said}:
            self.told, self.late = False, True
        self.said[frame.kind] = payload
        if frame.kind in SKIES:  # told with this instant's solution, or with the next one's
            self.in_view = in_view(frame.payload[layout.size + SKIES[frame.kind] :: 12])
        elif frame.kind == TIMEGPS and payload.valid & 4:
            self.leap = payload.leap
        if not self.told and (frame.kind == EOE or (not self.late and self.usual <= self.said.keys())):
            self.told = True
            yield from self.solved()

    def solved(self) -> Iterator[Solution | DeviceError]:
        """What the messages of one instant come to; nothing where none tells of a place, or whether it is a fix.  One
        doubt is enough."""
        judges = [self.said[kind] for kind in (PVT, SOL, STATUS) if kind in self.said]
        if judges and not PLACES.isdisjoint(self.said):
            dimensions = min(DIMENSIONS.get(judge.fix, 0) * (judge.flags & 1) for judge in judges)
            try:
                yield solution(self.said, dimensions, self.leap)._replace(in_view=self.in_view)
            except BadValue as error:
                yield error
            self.in_view = None


def in_view(elevations: bytes) -> int:
    """How many stand above the horizon; of some satellites the receiver knows no more than that they are."""
    return sum(elevation < 128 for elevation in elevations)


def quick(frame: Frame) -> Solution | DeviceError:
    """What an HNR-PVT says."""
    if len(frame.payload) < QUICK.size:
        return BadFrame(f"message {frame.kind.hex(' ')} of {len(frame.payload)} bytes, not {QUICK.size}")
    said = Quick(*QUICK.unpack_from(frame.payload))
    try:
        return solution({PVT: said}, DIMENSIONS.get(said.fix, 0) * (said.flags & 1), None)
    except BadValue as error:
        return error


def solution(said: Said, dimensions: int, leap: int | None) -> Solution:
    place = located(said) if dimensions else None
    counts = said.get(PVT) or said.get(SOL)
    known = Solution(
        dimensions if place else 0,
        told_time(said, leap),
        satellites=counts and counts.satellites,
    )
    if place is None:
        return known
    latitude, longitude, altitude = place
    speed, track = moved(said, latitude, longitude)
    return known._replace(
        latitude=latitude,
        longitude=longitude,
        altitude=None if dimensions == 2 else altitude,
        speed=speed,
        track=track,
        hdop=said[DOP].hdop / 100 if DOP in said else None,
    )


def located(said: Said) -> tuple[float, float, float | None] | None:
    """Latitude, longitude and height above the sea."""
    if place := said.get(PVT) or said.get(POSLLH):
        if PVT in said and place.flags3 & 1:  # invalidLlh
            return None
        return place.latitude / 1e7, place.longitude / 1e7, place.altitude / 1000
    if sol := said.get(SOL):
        return *geodetic(sol.x / 100, sol.y / 100, sol.z / 100), None
    return None


def geodetic(x: float, y: float, z: float) -> tuple[float, float]:
    """Latitude and longitude of a point near the ground, by Bowring's formula (Survey Review 181, 1976): good to a
    millionth of a metre there."""
    if not 0.99 < hypot(x, y, z) / EQUATOR < 1.02:
        raise BadValue(f"position {x:g} {y:g} {z:g} m from the Earth's centre")
    from_axis = hypot(x, y)
    reduced = atan2(z * EQUATOR, from_axis * POLE)
    flat = EQUATOR**2 - POLE**2
    latitude = atan2(z + flat / POLE * sin(reduced) ** 3, from_axis - flat / EQUATOR * cos(reduced) ** 3)
    return degrees(latitude), degrees(atan2(y, x))


def moved(said: Said, latitude: float, longitude: float) -> tuple[float | None, float | None]:
    """Speed over ground, and where to."""
    if PVT in said:
        return said[PVT].speed / 1000, said[PVT].heading / 1e5 % 360
    if VELNED in said:
        return said[VELNED].speed / 100, said[VELNED].heading / 1e5 % 360
    if SOL not in said:
        return None, None
    x, y, z = said[SOL].to_x / 100, said[SOL].to_y / 100, said[SOL].to_z / 100
    phi, lam = radians(latitude), radians(longitude)
    east = y * cos(lam) - x * sin(lam)
    north = z * cos(phi) - (x * cos(lam) + y * sin(lam)) * sin(phi)
    return hypot(east, north), degrees(atan2(east, north)) % 360


def told_time(said: Said, leap: int | None) -> str | None:
    """UTC in ISO 8601, to the millisecond.  GPS time is ahead of it by the leap seconds since 1980."""
    utc, gps, sol = said.get(TIMEUTC), said.get(TIMEGPS), said.get(SOL)
    if PVT in said and said[PVT].valid & 3 == 3:  # date and time
        utc = said[PVT]
    elif utc is None or not utc.valid & 4:
        if gps is None or gps.valid & 3 != 3:  # time of week, week
            gps = sol if sol and sol.flags & 12 == 12 else None  # the same
        if gps is None or leap is None:
            return None
        since = timedelta(weeks=gps.week, milliseconds=gps.tow, microseconds=gps.nano / 1000, seconds=-leap)
        return text(BEGAN + since)
    try:
        when = datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, min(utc.second, 59))
    except ValueError as error:
        raise BadValue(f"time of {utc}: {error}") from None
    told = text(when + timedelta(microseconds=utc.nano / 1000))
    return told if utc.second < 60 else told.replace(":59.", ":60.")


def text(when: datetime) -> str:
    return f"{(when + timedelta(microseconds=500)).isoformat(timespec='milliseconds')}Z"
