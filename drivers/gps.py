"""A satellite navigation receiver (GPS, GLONASS, Galileo, BeiDou ...) that speaks NMEA 0183 or u-blox's UBX.

Datasheet: NMEA 0183 (IEC 61162-1), as its users describe it: https://gpsd.gitlab.io/gpsd/NMEA.html
The receiver talks by itself, mostly once a second, at 4800 to 115200 baud, 8N1.  When the port says no ``baud``, the
usual ones are tried in turn, for ten seconds each, while bytes come that make no sense.  xx is any talker:

    $xxRMC,time,A|V,lat,N|S,lon,E|W,knots,track,ddmmyy,variation,E|W[,mode[,status]]*hh
    $xxGGA,time,lat,N|S,lon,E|W,quality,satellites,HDOP,altitude,M,geoid,M,age,station*hh
    $xxGNS,time,lat,N|S,lon,E|W,modes,satellites,HDOP,altitude,geoid,age,station*hh
    $xxGLL,lat,N|S,lon,E|W,time,A|V[,mode]*hh
    $xxVTG,track,T,track,M,knots,N,km/h,K[,mode]*hh
    $xxZDA,time,day,month,year,zone,zone*hh
    $xxGSA,A|M,1|2|3,satellite x 12,PDOP,HDOP,VDOP*hh
    $xxGSV,sentences,number,in view{,satellite,elevation,azimuth,strength} x 0..4[,signal]*hh

A sentence without checksum is refused; what makers (``$P``), ships (``!AIVDM``) and other instruments aboard say is
passed over.  The sentences of one instant are an epoch, and give one sample, as soon as all came that came last time;
what comes later than it did, such as an RMC with each tenth GGA, gives another.  Without GSA a position is one in three
dimensions while altitudes come, of four satellites at least.  Satellites in view are those of all systems, each once;
of those used the largest count of an epoch is told, for some sentences count one system only.

A sum of eight bits is not much.  On a line that spoiled one of the last sixty epochs' sentences, an epoch is refused
whose sentences differ about place or fix, and one whose time or place jumps: the next one counts.

UBX needs no setting and may stand beside NMEA on the same line; then the sentences' positions are left out, for they
say the same with fewer digits.  NAV-PVT tells all but HDOP (DOP) and what is in view (SAT); of old receivers POSLLH,
STATUS, SOL, VELNED, DOP, TIMEUTC, TIMEGPS and SVINFO are put together (drivers/codec/ubx.py draws them).  SOL without
POSLLH has no height above the sea.  HNR-PVT tells ten times a second and more where it is now; then the others count
satellites only.

It is a fix when satellites were measured: mode A, D, F, P or R, quality 1 to 5 or 9.  What dead reckoning gives (E, 6;
in UBX fix 1), in a tunnel, is published with the mode `estimated`.  Typed-in (M, 7) and simulated (S, 8) positions are
none.  Where the sentences of an epoch differ about that, the least of it holds; so a status V, by which u-blox says
that it estimates too badly, makes it none.
What is published is what the receiver says, also where its date is of another decade: after 1024 weeks old ones begin
anew.  But before 6 January 1980 there was no GPS, and without a measured fix a date before 22 August 1999, when the
weeks first began anew, is a clock that nobody set: then there is no time.  A date that no calendar has is a bad value,
and costs nothing else.

Wiring: GND, supply as the module wants it, and its TX to our RX.  Our TX is not needed, nothing is sent to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi, radians
from struct import pack

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Sample, Serial
from drivers.codec import nmea, ubx
from drivers.codec.epochs import MODE, TIME, Epochs
from drivers.codec.gsv import InView
from drivers.codec.sentences import (
    ALTITUDE,
    HDOP,
    KNOT,
    LATITUDE,
    LONGITUDE,
    SATELLITES,
    SENTENCES,
    SPEED,
    TRACK,
    Said,
)
from drivers.emulation import sway
from drivers.quantities import satellites_in_view

IN_VIEW = satellites_in_view()
QUANTITIES = (TIME, MODE, LATITUDE, LONGITUDE, ALTITUDE, SPEED, TRACK, SATELLITES, IN_VIEW, HDOP)
SOLVED = (TIME, LATITUDE, LONGITUDE, ALTITUDE, SPEED, TRACK, SATELLITES, IN_VIEW, HDOP)  # as ubx.Solution has them
NOTHING = 6 * (None,)  # of time, place and way
SOLUTIONS = ("none", "estimated", "2d", "3d")  # by the dimensions it has

GSV_REST = 3  # rounds of GSV left out when one is counted: they are most of what a receiver says, and change slowly
BINARY = ubx.START[:1]
UBX_LIFE = 10  # epochs of sentences that are left out after one in UBX
QUICK_LIFE = 3  # solutions that lie behind after an HNR-PVT
BAUDS = (9600, 38400, 115200, 4800, 57600, 19200)  # the usual ones, most usual first


@dataclass(frozen=True, slots=True)
class Settings:
    """The receiver is taken as it is set."""


class GPS:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.sentences, self.frames = nmea.Sentences(), ubx.Frames()
        self.epochs, self.binary_epochs = Epochs(), ubx.Epochs()
        self.sky = InView()
        self.passed = 0  # by the sentences when the sky was last looked at
        self.rest = 0  # GSV still to be left out
        self.ubx_life = self.quick_life = 0

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        binary = self.frames.held or BINARY in data
        return self.part(data) if binary else self.listen(data)

    def part(self, data: bytes) -> Iterator[Sample | DeviceError]:
        """Take the frames of UBX, and what stands between them."""
        for piece in self.frames.feed(data):
            if isinstance(piece, bytes):
                yield from self.listen(piece)
            elif isinstance(piece, BadFrame):
                yield piece
            else:
                self.sentences.noise = 0  # what stands between, such as RTCM, is no sign of a wrong speed
                yield from self.read(piece)

    def read(self, frame: ubx.Frame) -> Iterator[Sample | DeviceError]:
        """Take one frame.  Where HNR-PVT speaks, the others tell of an instant that lies behind: of them counts what
        that does not tell."""
        if frame.kind == ubx.HNR and frame.payload:
            self.quick_life = QUICK_LIFE
            found = ubx.quick(frame)
            yield self.solve(found) if isinstance(found, ubx.Solution) else found
        for event in self.binary_epochs.take(frame):
            if not isinstance(event, ubx.Solution):
                yield event
            elif self.quick_life:
                self.quick_life -= 1
                yield self.solve(ubx.Solution(event.dimensions, *NOTHING, event.satellites, event.in_view, event.hdop))
            else:
                yield self.solve(event)

    def listen(self, data: bytes) -> Iterator[Sample | DeviceError]:
        """Take sentences."""
        for body in self.sentences.feed(data):
            if isinstance(body, BadFrame):
                self.epochs.spoilt()
                yield body
            elif body[2:6] == b"GSV,":
                if self.rest:
                    self.rest -= 1
                elif error := self.look(body):
                    yield error
            elif (read := SENTENCES.get(body[2:6])) and body[:1] != nmea.PROPRIETARY:
                try:
                    said = read(body.split(b","))
                except (ValueError, IndexError):
                    yield BadValue(f"unreadable field in ${body.decode()}")
                except BadValue as bad:
                    yield bad
                else:
                    if isinstance(said, Said) and said.fault:
                        yield said.fault
                    for event in self.epochs.take(body[:5], said):
                        if event and (isinstance(event, BadValue) or not self.ubx_life):
                            yield event
                        self.ubx_life = max(self.ubx_life - 1, 0)

    def solve(self, found: ubx.Solution) -> Sample | DeviceError:
        """What an instant told in UBX comes to."""
        self.ubx_life = UBX_LIFE
        dimensions, *values = found
        try:
            known = {q: q.check(value) for q, value in zip(SOLVED, values, strict=True) if value is not None}
        except BadValue as error:
            return error
        return {MODE: SOLUTIONS[dimensions], **known}

    def look(self, body: bytes) -> BadValue | None:
        """Count the satellites in view.  What was passed over may have told of some."""
        if self.sentences.passed != self.passed:
            self.passed = self.sentences.passed
            self.sky.lost()
        try:
            count = self.sky.add(body.split(b","))
        except (ValueError, IndexError):
            self.sky.lost()
            return BadValue(f"unreadable field in ${body.decode()}")
        if count is not None:
            self.epochs.in_view = {IN_VIEW: count}
            self.rest, self.sky = GSV_REST * self.sky.size - 1, InView()
        return None


class Emulator:
    """A receiver on a stroll around the observatory in Greenwich, ten minutes a round.  One epoch a second."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 17)
        self.walked = self.waited = 0.0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        epochs, self.waited = divmod(self.waited + seconds, 1.0)
        return b"".join(self.epoch() for _ in range(int(epochs)))

    def epoch(self) -> bytes:
        self.now += timedelta(seconds=1)
        self.walked += 1
        reach, at = 0.0005, self.walked
        north, east = sway(at + 150, 51.4779, reach), sway(at, -0.0015, reach / cos(radians(51.4779)))
        heading = (90 + at / 600 * 360) % 360
        pace = reach * 60 * 1852 * 2 * pi / 600
        return self.say(north, east, sway(at, 46.0, 1.5, 300.0), pace, heading)

    def say(self, north: float, east: float, height: float, pace: float, heading: float) -> bytes:
        place = f"{wire(north, 'NS', 2)},{wire(east, 'EW', 3)}"
        clock, knots = f"{self.now:%H%M%S}.00", pace / KNOT
        return b"".join(
            sentence(body)
            for body in (
                "GPGSV,1,1,04,01,53,280,36,03,29,301,24,08,38,166,16,11,40,245,29",
                "GLGSV,1,1,02,67,62,349,26,83,27,309,29",
                f"GNRMC,{clock},A,{place},{knots:.3f},{heading:.2f},{self.now:%d%m%y},,,A",
                f"GNGGA,{clock},{place},1,09,0.91,{height:.1f},M,45.9,M,,",
                "GNGSA,A,3,01,03,08,11,14,17,22,28,32,,,,1.56,0.91,1.27",
                f"GNVTG,{heading:.2f},T,,M,{knots:.3f},N,{knots * 1.852:.3f},K,A",
            )
        )


class BinaryEmulator(Emulator):
    """The same receiver, set to UBX.  It also says what it is in NMEA, as u-blox's do."""

    def say(self, north: float, east: float, height: float, pace: float, heading: float) -> bytes:
        tow = pack("<I", (self.now.isoweekday() % 7 * 86_400 + self.now.hour * 3600 + int(self.walked)) * 1000)
        clock = (self.now.year, self.now.month, self.now.day, self.now.hour, self.now.minute, self.now.second)
        place = (round(east * 1e7), round(north * 1e7), round(height * 1000) + 45_900, round(height * 1000))
        moves = (round(pace * 1000), round(heading * 1e5))
        solution = pack("<H5BBIiBBBB4i", *clock, 7, 30, -200, 3, 1, 0, 9, *place)
        above = b"".join(pack("<BBBb8x", 0, satellite, 30, 45) for satellite in range(1, 11))
        return (
            sentence("GNTXT,01,01,02,u-blox")
            + ubx.seal(ubx.DOP, tow + pack("<7H", 191, 156, 111, 127, 91, 70, 58))
            + ubx.seal(ubx.PVT, tow + solution + pack("<20x2i8xHH12x", *moves, 156, 0))
            + ubx.seal(ubx.SAT, tow + pack("<BB2x", 1, 10) + above)
        )


def wire(angle: float, letters: str, digits: int) -> str:
    """Degrees as a receiver writes them, in whole ten-thousandths of a minute so that 60.0000 never comes out."""
    whole, rest = divmod(round(abs(angle) * 600_000), 600_000)
    return f"{whole:0{digits}d}{rest // 10_000:02d}.{rest % 10_000:04d},{letters[angle < 0]}"


def sentence(body: str) -> bytes:
    return b"$%s*%02X\r\n" % (body.encode(), nmea.checksum(body.encode()))


def row(name: str, title: str, emulator: Callable[[], Emulator]) -> Driver[Settings]:
    return Driver(
        name=name,
        title=title,
        link=Serial(baud=BAUDS[0], bauds=BAUDS),
        quantities=QUANTITIES,
        period=1.0,
        settings=Settings,
        device=GPS,
        emulator=emulator,
        documentation=__doc__,
    )


DRIVER = (
    row("gps", "Satellite receiver, NMEA 0183 or UBX", Emulator),
    row("ublox", "u-blox satellite receiver, UBX or NMEA 0183", BinaryEmulator),
)
