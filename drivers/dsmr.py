"""Smart electricity meters with a P1 port, and the gas, water and heat meters that report through them: the
Netherlands (DSMR 2.2 to 5), Belgium, Luxembourg, Switzerland, Austria, Hungary, Lithuania, Sweden, Finland, Ireland.

Standard: Netbeheer Nederland "P1 Companion Standard" 2.2, 3.0, 4.2 and 5.0.2, sections 5 and 6; Fluvius
"e-MUCS P1"; IEC 62056-21 mode D.  The meter sends, unasked, a telegram every second (version 5) or every ten:

    /ISk5\\2MT382-1000 CR LF CR LF                  maker and type
    0-0:1.0.0(170102192002W) CR LF                 OBIS code and value: YYMMDDhhmmss, W winter time, S summer time
    1-0:1.8.1(000004.426*kWh) CR LF
    0-1:24.1.0(003) CR LF                          channel 1 is a gas meter, and was read at this time
    0-1:24.2.1(170102161005W)(00000.107*m3) CR LF
    !6EEE CR LF                                    CRC-16 of all from / to !

Wiring: RJ12: 1 +5 V, 2 data request (to +5 V), 3 ground, 5 data, open collector and inverted; P1 cables invert it.
Versions 4 and 5 speak at 115200 baud, 8N1.  Versions 2.2 and 3 (driver `dsmr3`) speak at 9600 baud, 7E1, seal nothing,
and tell gas as 0-1:24.3.0(time)(status)(minutes)(count)(code)(m3) CR LF (00001.001); their times have no season, and
are not published.

Published is what the meter tells: no sums.  Of two gas meters on two channels it is the one that was read last; a meter
that was never read (at 632525252525) has no reading.  Heat is told in kWh.  A valve is on where it is open, a relay (of
meters in Luxembourg and elsewhere, 0-1:96.3.10 and so on) where it is closed.  Of tables of the past the newest row
is told: when the last long failure of power ended and how long it was (`long_failure`), and in Belgium the peak of the
last whole month (`demand_max_last`; `demand_max` is this month's).  Older rows are not: the peak of a year ago is no
reading of now, and a quantity for each would be another month's every month.  Times are UTC; `zone` is how many hours
winter time is ahead of it.

In Luxembourg the same telegram comes encrypted, as it does from P1 ports of some Austrian operators:

    DB 08  system title, 8 bytes  82  length, 2 bytes  30  frame counter, 4 bytes  text  tag, 12 bytes

It takes `key`, 32 hexadecimal digits that the operator of the meter tells its customer; outside Luxembourg also
`authentication`, another 32, where the operator tells such a key.  Without its key, with a wrong one, or spoilt, a
telegram is refused; the same one a second time too, for it tells nothing of now.  A counter that began again is none of
that.  The tag is over every byte: where it is right, nobody asks for the CRC within.  Source: "Specification for the
smarty P1", Luxmetering; AES-128-GCM of NIST SP 800-38D.  Austrian ports that send DLMS and no telegram within (on
M-Bus, mostly) are of another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from drivers.api import BadFrame, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import obis
from drivers.codec.p1 import CRCS, Said, Telegrams, contents
from drivers.codec.p1_codes import COUNTS, NEW, OLD, of_channels, of_itself
from drivers.codec.p1_encrypted import AUTHENTICATION, Envelope, Opened, Sure, sixteen
from drivers.emulation import sway


@dataclass(frozen=True, slots=True)
class Settings:
    """How many hours winter time is ahead of UTC: 1 in most of Europe, 0 in Ireland, 2 in Finland and Lithuania.
    And the keys, in hexadecimal, where telegrams come encrypted."""

    zone: int = 1
    key: str = field(default="", repr=False)
    authentication: str = field(default=AUTHENTICATION, repr=False)

    def __post_init__(self) -> None:
        sixteen("authentication", self.authentication)
        if self.key:
            sixteen("key", self.key)

    def envelope(self) -> Envelope | None:
        return Envelope(self.key, self.authentication) if self.key else None


class DSMR:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, published: frozenset[Quantity], settings: Settings) -> None:
        self.published, self.zone = published, timedelta(hours=settings.zone)
        self.opened, self.telegrams = Opened(settings.envelope()), Telegrams()

    def heard(self, data: bytes) -> Iterator[Said | BadFrame]:
        for part in self.opened.feed(data):
            if isinstance(part, BadFrame):
                yield part
            elif isinstance(part, Sure):
                yield contents(part)
            else:
                yield from self.telegrams.feed(part)

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        for said in self.heard(data):
            if isinstance(said, BadFrame):
                yield said
            else:
                sample: dict[Quantity, Value] = {}
                yield from of_itself(said, self.zone, sample)
                yield from of_channels(said, self.zone, sample)
                if published := {key: value for key, value in sample.items() if key in self.published}:
                    yield published


class Emulator:
    """A house with three phases and a meter of each kind.  A telegram in ten seconds, encrypted if there is a key."""

    def __init__(
        self, lines: Callable[[float, str], Iterator[str]], sealed: bool, settings: Settings | None = None
    ) -> None:
        self.lines, self.sealed, self.envelope = lines, sealed, settings and settings.envelope()
        self.age = self.waited = 0.0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        said, self.waited = b"", self.waited + seconds
        while self.waited >= 10.0:
            self.waited, self.age = self.waited - 10.0, self.age + 10.0
            now = f"{datetime(2026, 11, 20, 18) + timedelta(seconds=self.age):%y%m%d%H%M%S}"
            body = "\r\n".join(("/GWY5\\EMULATED", "", *self.lines(self.age, now), "!")).encode()
            body += b"%04X\r\n" % CRCS[0](body) if self.sealed else b"\r\n"
            said += self.envelope.seal(b"GWY\0\0\0\0\1", int(self.age / 10), body) if self.envelope else body
        return said


def registers(age: float, form: str) -> Iterator[str]:
    """Two kilowatts drawn, at two tariffs."""
    for way in (1, 2):
        for tariff in (1, 2):
            yield f"1-0:{way}.8.{tariff}({4000 * tariff + 2 * age / 3600:{form}}*kWh)"


def old(age: float, now: str) -> Iterator[str]:
    yield "0-0:96.1.1(4757593030303031)"
    yield from registers(age, "09.3f")
    yield "0-0:96.14.0(0002)"
    yield f"1-0:1.7.0({sway(age, 2, 1.5):07.2f}*kW)\r\n1-0:2.7.0(0000.00*kW)"
    yield "0-0:17.0.0(0999.00*kW)\r\n0-0:96.3.10(1)\r\n0-0:96.13.1(3037)\r\n0-0:96.13.0(476F6F64206461792E)"
    yield "0-1:24.1.0(3)\r\n0-1:24.4.0(1)"
    yield f"0-1:96.1.0(4757593030303032)\r\n0-1:24.3.0({now[:8]}0000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00124.477)"


def new(age: float, now: str) -> Iterator[str]:
    draw = sway(age, 2, 1.5)
    yield f"1-3:0.2.8(50)\r\n0-0:1.0.0({now}W)\r\n0-0:96.1.1(4757593030303031)"
    yield from registers(age, "010.3f")
    yield from (f"1-0:{way}.8.{tariff}({8000 + age / 1800:010.3f}*kWh)" for way in (1, 2) for tariff in (0, 3, 4))
    yield from (f"1-0:{c}.8.0(000123.456*kvarh)" for c in range(3, 9))
    yield from (f"1-0:{c}.8.0(000130.000*kVAh)" for c in (9, 10))
    yield from (f"1-0:{c}.8.{tariff}(000061.728*kvarh)" for c in (3, 4) for tariff in obis.TARIFFS)
    yield "1-0:15.8.0(012345.678*kWh)\r\n0-0:96.14.0(0002)"
    for at, part in ((0, 1.0), (20, 0.5), (40, 0.3), (60, 0.2)):
        for c, unit in ((1, "kW"), (2, "kW"), (3, "kvar"), (4, "kvar"), (9, "kVA"), (10, "kVA")):
            yield f"1-0:{at + c}.7.0({draw * part * (c % 2):06.3f}*{unit})"
        yield f"1-0:{at + 13}.7.0(0.{950 + at})"
    yield from (f"1-0:{c}.7.0(00.042*kvar)" for c in range(5, 9))
    yield from (f"1-0:{code}.0({draw:06.3f}*kW)" for code in ("15.7", "16.7", "1.4"))
    yield f"1-0:1.6.0({now}W)(05.123*kW)"
    yield from (
        f"1-0:{at}.7.0({sway(age + at, 230, 3):05.1f}*V)\r\n1-0:{at - 1}.7.0({draw:06.2f}*A)" for at in (32, 52, 72)
    )
    yield from (f"1-0:{at}.24.0(230.0*V)\r\n1-0:{at - 1}.4.0(999*A)" for at in (32, 52, 72))
    yield "1-0:91.7.0(000.03*A)\r\n1-0:14.7.0(50.01*Hz)"
    yield "0-0:17.0.0(999.9*kW)\r\n1-0:17.0.0(063*A)\r\n1-1:17.0.0(027.6*kVA)"
    yield "0-0:96.3.10(1)\r\n0-0:96.13.1(3037)\r\n0-0:96.13.0(476F6F64206461792E)"
    yield "1-0:99.97.0(1)(0-0:96.7.19)(261019020304S)(0000000240*s)"
    yield "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(261101000000W)(261007183000S)(06.007*kW)"
    yield from (f"{code}(00003)" for code in COUNTS)
    yield from (f"0-{channel}:96.3.10(1)" for channel in range(1, 5))
    for channel, (kind, unit) in enumerate(
        zip((3, 7, 6, 4, 10, 2), ("m3", "m3", "m3", "GJ", "GJ", "kWh"), strict=True), 1
    ):
        yield f"0-{channel}:24.1.0({kind:03d})\r\n0-{channel}:96.1.0(475759303030303{channel})"
        yield f"0-{channel}:24.4.0(1)"
        yield f"0-{channel}:24.2.1({now[:9]}000W)({100 * channel + age / 1e5:09.3f}*{unit})"


def row(
    name: str,
    title: str,
    link: Serial,
    quantities: tuple[Quantity, ...],
    lines: Callable[[float, str], Iterator[str]],
    sealed: bool,
    more: str = "",
) -> Driver[Settings]:
    return Driver(
        name=name,
        title=title,
        link=link,
        quantities=quantities,
        period=10.0,
        settings=Settings,
        device=partial(DSMR, frozenset(quantities)),
        emulator=partial(Emulator, lines, sealed),
        emulated=partial(Emulator, lines, sealed),
        documentation=(__doc__ or "") + more,
    )


UNSEALED = """
In versions 2.2 and 3 there is no checksum: what is refused is a line that is none, and a number that has lost a digit.
"""

DRIVER = (
    row("dsmr", "Smart meter, P1 port (DSMR 4 and 5)", Serial(115_200), OLD + NEW, new, True),
    row(
        "dsmr3",
        "Smart meter, P1 port (DSMR 2.2 and 3)",
        Serial(9600, "E", bits=7),
        OLD,
        old,
        False,
        UNSEALED,
    ),
)
