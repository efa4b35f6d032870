"""German electricity meters that tell their values by light or wire in the Smart Message Language: EMH, ISKRA, DZG,
EasyMeter, Holley, eBZ, Itron and others.

Standard: VDE FNN "Smart Message Language" 1.04 (BSI TR-03109-1, annex IV); VDE FNN "Lastenheft EDL" and "Basiszaehler"
on what meters send.  The meter sends, unasked, a file every one to four seconds, at 9600 baud, 8N1:

    1B1B1B1B 01010101                                start
    76 .. 72 6307 01 77 ..                           a message: 0701 is a list of values, for a meter with this number
       77 07 0100100700FF 01 01 621B 52FF 5300A8 01  OBIS code 1-0:16.7.0, status, time, unit 27 (W), 10 to the -1, 16.8
       .. 63 C329 00                                 CRC of the message
    1B1B1B1B 1A 00 AE84                              end, fill, CRC of all before

Wiring: an infrared head on the meter's face, or RS-485.  Meters of today tell kilowatt hours only, until their PIN was
typed in (by flashes of a torch) and `Inf` set to on.

A value counts where the CRC of its file is right, and that of its message, too; other files are refused.

Published is what the meter tells, no sums; power is negative when it is fed in.  Lists of the past (whose code does not
end in 255) are passed over.  DZG's meters DVS74, numbers 42000000 to 48999999 and 55000000 to 58999999, write natural
numbers as integers: 53 8B28 is 356.24 W, not -299.12.  Whether those with numbers between do, nobody said: where it
matters, such a power is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import obis, sml
from drivers.codec.sml import Element, Field
from drivers.emulation import sway

LIST = 0x0701  # SML_GetList.Res
# DLMS UA Blue Book, table of units
UNITS = {27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 35: "V", 44: "Hz", 255: ""}
CURRENT = b"\x01\x00\x62\x0a\xff\xff"  # the list of what holds now
NUMBERS = (bytes((1, 0, 96, 1, 0, 255)), bytes((1, 0, 0, 0, 9, 255)))  # codes of the meter's own number
IDENTITY = re.compile(rb"[\x09\x0a]\x01([A-Z]{3})(.)(.{4})", re.DOTALL)  # DIN 43863-5
BROKEN = (range(42_000_000, 49_000_000), range(55_000_000, 59_000_000))  # of DZG; so says its maker
UNSURE = range(49_000_000, 55_000_000)
FARTHEST = 12  # powers of ten that a value may be away from its unit
PHASES = ("l1", "l2", "l3")
WAYS = ("import", "export", *(f"{way}_{phase}" for way in ("import", "export") for phase in PHASES))

QUANTITIES = (
    obis.named("serial"),
    *obis.all_of("energy", "import", "export", "total", "balance"),
    *obis.all_of("energy", *(f"{way}_t{number}" for way in ("import", "export") for number in obis.TARIFFS)),
    *obis.all_of("apparent_energy", "import", "export"),
    *obis.all_of("reactive_energy", "import", "export", "q1", "q2", "q3", "q4"),
    *obis.all_of("reactive_energy", *(f"{way}_t{number}" for way in ("import", "export") for number in obis.TARIFFS)),
    *obis.all_of("power", "", "total", *PHASES, *WAYS),
    *obis.all_of("reactive_power", *WAYS, "q1", "q2", "q3", "q4"),
    *obis.all_of("apparent_power", *WAYS),
    *obis.all_of("voltage", "", *PHASES, *(f"mean_{phase}" for phase in PHASES)),
    *obis.all_of("current", "", "n", *PHASES),
    *obis.all_of("power_factor", "", *PHASES),
    obis.named("frequency"),
)
PUBLISHED = frozenset(QUANTITIES)


@dataclass(frozen=True, slots=True)
class Settings:
    """The meter is taken as it is."""


class SML:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.files = sml.Files()

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        for message in self.files.feed(data):
            if isinstance(message, BadFrame):
                yield message
            elif message[0] == LIST:
                sample: dict[Quantity, Value] = {}
                yield from self.read(message[1], sample)
                if sample:
                    yield sample

    def read(self, held: list[Element], sample: dict[Quantity, Value]) -> Iterator[DeviceError]:
        """Put what a list of values says into *sample*; what is none of them comes out as an error."""
        if len(held) != 7 or not isinstance(held[4], list) or not isinstance(held[1], Field):
            yield BadFrame(f"no list of values: it has {len(held)} parts")
            return
        entries = [entry for entry in held[4] if isinstance(entry, list) and len(entry) == 7]
        if len(entries) != len(held[4]):
            yield BadFrame(f"{len(held[4]) - len(entries)} values are none")
        identity = held[1].raw
        found = IDENTITY.fullmatch(identity)
        dzg = int.from_bytes(found[3], "big") if found and found[1] == b"DZG" else 0
        for entry in entries:
            try:
                for quantity, value in said(entry, dzg):
                    sample.setdefault(quantity, value)
            except BadValue as error:
                yield error
        if sample and identity:
            sample.setdefault(obis.named("serial"), name(identity))


def said(entry: list[Element], dzg: int) -> Iterator[tuple[Quantity, Value]]:
    """What one entry says, if it is any of ours: code, status, time, unit, scaler, value, signature.  *dzg* is the
    number of a meter of that maker."""
    code, unit, scaler, value = entry[0], entry[3], entry[4], entry[5]
    if not (
        isinstance(code, Field) and isinstance(unit, Field) and isinstance(scaler, Field) and isinstance(value, Field)
    ):
        return
    if code.raw in NUMBERS and value.kind == sml.OCTETS and value.raw:
        yield obis.named("serial"), name(value.raw)
    if len(code.raw) != 6 or code.raw[0] != 1 or code.raw[1] > 1 or code.raw[5] != 255 or not value.raw:
        return
    c, d, e = code.raw[2:5]
    plain = f"{c}.{d}.{0 if e == 255 else e}"  # EasyMeter has 255 for all tariffs
    if plain not in obis.WHICH:
        return
    if unit.number() == 27 and value.kind == sml.INTEGER and len(value.raw) < 4 and value.raw[0] & 0x80:
        if dzg in UNSURE:
            raise BadValue(f"{plain}: {value.raw.hex()} is negative or not: DZG {dzg}")
        value = Field(sml.NATURAL if any(dzg in numbers for numbers in BROKEN) else value.kind, value.raw)
    number, ten = value.number(), scaler.number() or 0
    symbol = UNITS.get(255 if (known := unit.number()) is None else known)
    if number is None or symbol is None or abs(ten) > FARTHEST:
        raise BadValue(f"{plain}: {value.raw.hex()}, unit {unit.raw.hex()}, scaler {scaler.raw.hex()}")
    quantity, worth = obis.measured(plain, str(number), symbol, ten)
    if quantity not in PUBLISHED:
        raise BadValue(f"{plain} in {symbol or 'no unit'}")
    yield quantity, worth


def name(octets: bytes) -> str:
    """The number of a meter: 1DZG0012345678 where it is made as the standard says."""
    if found := IDENTITY.fullmatch(octets):
        return f"1{found[1].decode()}{found[2][0]:02d}{int.from_bytes(found[3], 'big'):08d}"
    text = octets.decode("latin-1")
    return text.strip() if text.isascii() and text.isprintable() else octets.hex()


class Emulator:
    """A meter in a cellar, with a roof that feeds in now and then.  A file in two seconds."""

    def __init__(self) -> None:
        self.age = self.waited = 0.0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        said, self.waited = b"", self.waited + seconds
        while self.waited >= 2.0:
            self.waited, self.age = self.waited - 2.0, self.age + 2.0
            said += self.file()
        return said

    def file(self) -> bytes:
        number, who = round(self.age) * 2, sml.octets(b"\x0a\x01GWY\x00" + (12345678).to_bytes(4, "big"))
        none, values = sml.octets(), sml.listed(*(entry(code, *value) for code, value in self.values()))
        return sml.filed(
            sml.sealed(number, 0x0101, sml.listed(none, none, sml.octets(bytes(4)), who, none, none)),
            sml.sealed(number + 1, LIST, sml.listed(none, who, sml.octets(CURRENT), none, values, none, none)),
            sml.sealed(number + 2, 0x0201, sml.listed(none)),
        )

    def values(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """OBIS code; unit, power of ten and number."""
        draw = round(sway(self.age, 800, 1500) * 10)
        yield from ((f"{c}.8.{e}", (30, -1, 10_000_000 * (e + 1) + round(self.age))) for c in (1, 2) for e in range(5))
        yield from ((f"{c}.8.0", (30 if c > 14 else 32, -1, 77_777)) for c in (3, 4, 5, 6, 7, 8, 15, 16))
        yield from ((f"{c}.8.0", (31, -1, 88_888)) for c in (9, 10))
        yield from ((f"{c}.8.{e}", (32, -1, 19_444)) for c in (3, 4) for e in obis.TARIFFS)
        for at in (0, 20, 40, 60):
            yield from ((f"{at + c}.7.0", (unit, -1, max(draw, 0))) for c, unit in ((1, 27), (2, 27), (3, 29), (4, 29)))
            yield from ((f"{at + c}.7.0", (unit, -1, draw + at)) for c, unit in ((9, 28), (10, 28), (16, 27)))
            yield from (
                (f"{at + c}.7.0", value)
                for c, value in ((11, (33, -2, 345)), (12, (35, -1, 2301)), (13, (255, -3, 950)))
            )
        yield from ((f"{at}.24.0", (35, -1, 2300)) for at in (32, 52, 72))
        yield from ((f"{c}.7.0", (29, -1, 42)) for c in (5, 6, 7, 8))
        yield from (("15.7.0", (27, -1, abs(draw))), ("91.7.0", (33, -2, 3)), ("14.7.0", (44, -2, 4999)))


def entry(code: str, unit: int, ten: int, number: int) -> bytes:
    named, none = sml.octets(bytes((1, 0, *map(int, code.split(".")), 255))), sml.octets()
    return sml.listed(named, none, none, sml.natural(unit), sml.integer(ten, 1), sml.integer(number, 8), none)


DRIVER = Driver(
    name="sml",
    title="German electricity meter, SML",
    link=Serial(baud=9600),
    quantities=QUANTITIES,
    period=4.0,
    settings=Settings,
    device=SML,
    emulator=Emulator,
    documentation=__doc__,
)
