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
dimensions while altitudes come, of four satellites at least.  Satellites in view are those of all systems, each once.

UBX needs no setting and may stand beside NMEA on the same line; then the sentences' positions are left out, for they
say the same with fewer digits.  NAV-PVT tells all but HDOP (DOP) and what is in view (SAT); of old receivers POSLLH,
STATUS, SOL, VELNED, DOP, TIMEUTC, TIMEGPS and SVINFO are put together (drivers/codec/ubx.py draws them).  SOL without
POSLLH has no height above the sea.

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
from datetime import date, datetime, timedelta
from math import cos, pi, radians
from struct import pack

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import nmea, ubx
from drivers.codec.gsv import InView
from drivers.codec.sentences import (
    ALTITUDE,
    ESTIMATED,
    HDOP,
    HEIGHTS,
    KNOT,
    LATITUDE,
    LONGITUDE,
    MEASURED,
    NONE,
    SATELLITES,
    SENTENCES,
    SPEED,
    TRACK,
    Epoch,
    Said,
)
from drivers.emulation import sway
from drivers.quantities import mode, satellites_in_view, time

TIME, MODE, IN_VIEW = time(), mode(), satellites_in_view()
QUANTITIES = (TIME, MODE, LATITUDE, LONGITUDE, ALTITUDE, SPEED, TRACK, SATELLITES, IN_VIEW, HDOP)
SOLVED = (TIME, LATITUDE, LONGITUDE, ALTITUDE, SPEED, TRACK, SATELLITES, IN_VIEW, HDOP)  # as ubx.Solution has them
SOLUTIONS = ("none", "estimated", "2d", "3d")  # by the dimensions it has

DAY, HOUR = 86_400_000, 3_600_000  # milliseconds
GSA_LIFE = 10  # samples for which a GSA holds: many receivers send it once a second and ten positions in between
FEW = (1, 2, 3)  # satellites that give no height; where nobody counts, there are 0
HABITS = 16  # kinds of epochs to remember; a receiver has two or three
GSV_REST = 3  # rounds of GSV left out when one is counted: they are most of what a receiver says, and change slowly
BINARY = ubx.START[:1]
UBX_LIFE = 10  # epochs of sentences that are left out after one in UBX
BAUDS = (9600, 38400, 115200, 4800, 57600, 19200)  # the usual ones, most usual first
BEGAN, ROLLED = date(1980, 1, 6), date(1999, 8, 22)  # week 0 of GPS, and week 1024, which is 0 again


@dataclass(frozen=True, slots=True)
class Settings:
    """The receiver is taken as it is set."""


class GPS:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.sentences, self.frames = nmea.Sentences(), ubx.Frames()
        self.epoch, self.epochs = Epoch(), ubx.Epochs()
        self.sky = InView()
        self.passed = 0  # by the sentences when the sky was last looked at
        self.rest = 0  # GSV still to be left out
        self.ubx_life = 0
        self.habits: dict[bytes, set[bytes]] = {}  # of what the last epoch was made that began with this sentence
        self.day: date | None = None  # as last told, carried on by the time of day
        self.at = 0  # milliseconds into it
        self.dimensions = self.gsa_life = 0
        self.height_life = 0  # samples for which an altitude tells that the next position has one, too
        self.in_view: dict[Quantity, Value] = {}  # counted, and not yet told

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
                for event in self.epochs.take(piece):
                    yield self.solve(event) if isinstance(event, ubx.Solution) else event

    def listen(self, data: bytes) -> Iterator[Sample | DeviceError]:
        """Take sentences."""
        for body in self.sentences.feed(data):
            if isinstance(body, BadFrame):
                yield body
            elif body[2:6] == b"GSV,":
                if self.rest:
                    self.rest -= 1
                elif error := self.look(body):
                    yield error
            elif (read := SENTENCES.get(body[2:6])) and body[:1] != nmea.PROPRIETARY:
                try:
                    said = read(body.split(b","))
                    samples = self.take(body[:5], said)
                except (ValueError, IndexError):
                    yield BadValue(f"unreadable field in ${body.decode()}")
                except BadValue as bad:
                    yield bad
                else:
                    if isinstance(said, Said) and said.fault:
                        yield said.fault
                    for sample in samples:
                        if sample and not self.ubx_life:
                            yield sample
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
            self.in_view = {IN_VIEW: count}
            self.rest, self.sky = GSV_REST * self.sky.size - 1, InView()
        return None

    def take(self, name: bytes, said: Said | int) -> tuple[Sample, ...]:
        """Add what was said, and give the samples of the epochs that this ended and completed."""
        if isinstance(said, int):
            self.dimension(said)
            return ()
        ended: tuple[Sample, ...] = ()
        if self.epoch.ends(name, said):
            ended = () if self.epoch.told else (self.sample(),)
            if len(self.habits) > HABITS:
                self.habits.clear()
            self.habits[self.epoch.first] = self.epoch.names
            self.epoch, self.in_view = Epoch(in_view=self.in_view), {}
        if said.moment:
            self.follow(said.moment.at, said.day)
        self.epoch.add(name, said)
        if self.epoch.told or not self.epoch.complete(self.habits.get(self.epoch.first, set())):
            return ended
        self.epoch.told = True
        return (*ended, self.sample())

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
        high = ALTITUDE in said or (self.height_life > 0 and HEIGHTS.isdisjoint(epoch.parts))
        dimensions = (
            self.dimensions if self.gsa_life and self.dimensions else 1 + (high and said.get(SATELLITES) not in FEW)
        )
        if dimensions == 1:
            said.pop(ALTITUDE, None)  # not measured, but held or typed in
        sample[MODE] = "estimated" if epoch.fix == ESTIMATED else MODE.choices[dimensions]
        return sample | said


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
