"""French electricity meters with a customer's output ("télé-information client"): Linky, and electronic ones before it.

Standard: Enedis-NOI-CPT_54E "Sorties de télé-information client des appareils de comptage Linky", version 3, sections
5 and 6; Enedis-NOI-CPT_02E on older meters.  The meter sends, unasked, one frame behind the other:

    02  0A BASE 20 004159823 20 2B 0D  0A PAPP 20 00290 20 2C 0D ...  03            historic: 1200 baud, 7E1
        label      data         checksum
    02  0A EAST 09 004159823 09 2F 0D  0A SMAXSN 09 H261120070102 09 02155 09 .. 0D ...  03   standard: 9600 baud, 7E1
                                                     time and season

04 breaks a frame off.  The checksum of a group is the sum of what stands from its label to its data, in standard mode
with the separator behind, its lowest six bits plus 20h.  That is not much: so a number must have all the digits that
the standard gives it, and a text only capitals, figures and .-/+' (nothing else comes of them by one wrong bit).

Wiring: I1 and I2 carry 50 kHz; an optocoupler or a "TIC" adapter makes serial data of it.  Linky speaks in historic
mode until your supplier switches it.  Both drivers understand both modes: `teleinfo` sets the line for historic mode,
`linky` for standard mode.

STGE is a register of 32 bits (section 6.2.3.14), of which are told: the dry contact (bit 0) and the breaker (bits 1 to
3), both noughts where closed, and the colours of Tempo today (bits 24 and 25) and tomorrow (26 and 27): 1 blue, 2
white, 3 red.  RELAIS has a bit for each of eight relays, the lowest is that contact's.

Published is what the meter tells.  Tomorrow's colour is told once it is known, the time while the meter's clock is
right.  A warning (ADPS, ADIR) is only there while more is drawn than agreed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import obis
from drivers.codec.p1 import seven
from drivers.emulation import sway

HT, SP = b"\t", b" "
LONGEST = 160  # bytes of a group; the longest tells the hours of tomorrow
ENDS = re.compile(rb"[\x02\x03\x04\n\r\x82\x84\x8d]")  # the last three with their parity, which the others do not show
TIME = re.compile(r"[HE]\d{12}")
WORDS = re.compile(r"[A-Z0-9 .\-/+']+")
PHASES = ("l1", "l2", "l3")
TARIFFS = ("TH..", "HC..", "HP..", "HN..", "PM..", *(f"H{hour}J{day}" for hour in "CP" for day in "BWR"))
COLOURS = ("BLEU", "BLAN", "ROUG")
CONTACT, BREAKER = obis.all_of("state", "contact", "breaker")
TODAY, TOMORROW = obis.all_of("tariff", "today", "tomorrow")
RELAYS = obis.all_of("state", *(f"relay_{number}" for number in range(1, 9)))
WINTER, SUMMER = timedelta(hours=1), timedelta(hours=2)  # ahead of UTC
NOISE = 1024  # bytes without a group before we say so


@dataclass(frozen=True, slots=True)
class Number:
    """A label whose data are so many *digits*: tens of *power* of the quantity's unit."""

    quantity: Quantity
    digits: int
    power: int = 0

    def read(self, data: str) -> Value:
        if not (data.isascii() and data.isdigit() and len(data) == self.digits):
            raise BadValue(f"{self.quantity.name} {data!r} is no number of {self.digits} digits")
        return self.quantity.check(float(f"{data}e{self.power}"))


@dataclass(frozen=True, slots=True)
class Text:
    """A label whose data are a text of *size*; where there are *words*, one of them."""

    quantity: Quantity
    size: int
    words: tuple[str, ...] = ()

    def read(self, data: str) -> Value:
        known = data in self.words if self.words else WORDS.fullmatch(data)
        if len(data) != self.size or not known:
            raise BadValue(f"{self.quantity.name} {data!r}")
        return " ".join(data.split())


@dataclass(frozen=True, slots=True)
class Register:
    """A label whose data are a number of *digits* in *base*, with several quantities in its bits."""

    digits: int
    base: int
    quantities: tuple[Quantity, ...]
    parts: Callable[[int], Sample]

    def read(self, data: str) -> Sample:
        try:
            value = int(data, self.base) if len(data) == self.digits and data.isalnum() else -1
        except ValueError:
            value = -1
        if value < 0:
            raise BadValue(f"{data!r} is no register of {self.digits} digits")
        return self.parts(value)


def stge(bits: int) -> Sample:
    sample: dict[Quantity, Value] = {CONTACT: not bits & 1, BREAKER: not bits >> 1 & 7}
    for quantity, at in ((TODAY, 24), (TOMORROW, 26)):
        if colour := bits >> at & 3:
            sample[quantity] = COLOURS[colour - 1]
    return sample


def relais(bits: int) -> Sample:
    return {relay: bool(bits >> at & 1) for at, relay in enumerate(RELAYS)}


def energy(which: str) -> Number:
    return Number(obis.named("energy", which), 9, -3)


def phases(base: str, label: str, digits: int, which: str = "", power: int = 0) -> dict[str, Number]:
    return {
        f"{label}{at}": Number(obis.named(base, which + phase), digits, power) for at, phase in enumerate(PHASES, 1)
    }


HISTORIC: dict[str, Number | Text] = {
    "ADCO": Text(obis.named("serial"), 12),
    "ISOUSC": Number(obis.named("current", "limit"), 2),
    "BASE": energy("import"),
    **{label: energy(f"import_{label[2:].lower()}") for label in ("HCHC", "HCHP")},
    **{label: energy(f"import_{label[3:].lower()}") for label in ("EJPHN", "EJPHPM")},
    **{label: energy(f"import_{label[3:].lower()}") for label in (f"BBR{word}" for word in TARIFFS[5:])},
    "PTEC": Text(obis.named("tariff"), 4, TARIFFS),
    "DEMAIN": Text(TOMORROW, 4, COLOURS),
    "IINST": Number(obis.named("current"), 3),
    **phases("current", "IINST", 3),
    "IMAX": Number(obis.named("current", "max"), 3),
    **phases("current", "IMAX", 3, "max_"),
    "ADPS": Number(obis.named("current", "warning"), 3),
    **phases("current", "ADIR", 3, "warning_"),
    "PMAX": Number(obis.named("power", "max"), 5),
    "PAPP": Number(obis.named("apparent_power"), 5),
}
STANDARD: dict[str, Number | Text] = {
    "ADSC": Text(obis.named("serial"), 12),
    "PRM": Text(obis.named("serial", "prm"), 14),
    "LTARF": Text(obis.named("tariff"), 16),
    "MSG1": Text(obis.named("message"), 32),
    "EAST": energy("import"),
    "EAIT": energy("export"),
    **{f"EASF{at:02d}": energy(f"import_t{at}") for at in range(1, 11)},
    **{f"EASD{at:02d}": energy(f"import_d{at}") for at in range(1, 5)},
    **{f"ERQ{at}": Number(obis.named("reactive_energy", f"q{at}"), 9, -3) for at in range(1, 5)},
    **phases("current", "IRMS", 3),
    **phases("voltage", "URMS", 3),
    **phases("voltage", "UMOY", 3, "mean_"),
    "PREF": Number(obis.named("apparent_power", "limit"), 2, 3),
    "PCOUP": Number(obis.named("apparent_power", "cutoff"), 2, 3),
    "SINSTS": Number(obis.named("apparent_power"), 5),
    **phases("apparent_power", "SINSTS", 5),
    "SMAXSN": Number(obis.named("apparent_power", "max"), 5),
    **phases("apparent_power", "SMAXSN", 5, "max_"),
    "SINSTI": Number(obis.named("apparent_power", "export"), 5),
    "SMAXIN": Number(obis.named("apparent_power", "export_max"), 5),
    "CCASN": Number(obis.named("power", "mean"), 5),
    "CCAIN": Number(obis.named("power", "export_mean"), 5),
}
REGISTERS = {
    "STGE": Register(8, 16, (CONTACT, BREAKER, TODAY, TOMORROW), stge),
    "RELAIS": Register(3, 10, RELAYS, relais),
}
NOTHING = "----"  # the colour of tomorrow, before it is known
CLOCK = obis.named("time")


@dataclass(frozen=True, slots=True)
class Settings:
    """The meter is taken as it is."""


class Teleinfo:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.buffer = bytearray()
        self.open = False  # whether the buffer begins where a group does
        self.sample: dict[Quantity, Value] = {}
        self.noise = 0  # bytes since the last group

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        self.buffer += data
        while True:
            end = ENDS.search(self.buffer, 0, LONGEST)
            if not end and len(self.buffer) < LONGEST:
                return
            size = end.start() if end else LONGEST
            whole = seven(bytes(self.buffer[: end.end() if end else LONGEST]))
            piece, mark = whole[:size], whole[size:]
            del self.buffer[: len(whole)]
            yield from self.take(piece, mark)
            self.open = mark in (b"\x02", b"\n")

    def take(self, piece: bytes, mark: bytes) -> Iterator[Sample | DeviceError]:
        """What stands between two marks, and the second of them, or none where it is too long for a group."""
        if self.open and piece and mark and mark != b"\x04":  # the line ends of some captures were changed
            self.noise = 0
            try:
                found = group(piece)
                if not found.keys().isdisjoint(self.sample):  # the marks between two frames are lost
                    yield from self.end()
                self.sample |= found
            except (BadFrame, BadValue) as error:
                yield error
        elif self.open and not mark:
            yield BadFrame(f"a group without end: {piece!r}")
        else:
            self.noise += len(piece)
        if self.noise >= NOISE:
            self.noise -= NOISE
            yield BadFrame(f"{NOISE} bytes without a group; is the baud rate that of the meter's mode?")
        if mark in (b"\x02", b"\x03", b"\x04"):
            yield from self.end()

    def end(self) -> Iterator[Sample]:
        if self.sample:
            yield self.sample
        self.sample = {}


def checksum(body: bytes) -> int:
    return (sum(body) & 0x3F) + 0x20


def group(raw: bytes) -> Sample:
    """What a group says, if it is any of ours."""
    mark = raw[-2:-1]
    if mark not in (HT, SP) or not raw.isascii() or checksum(raw[: -1 if mark == HT else -2]) != raw[-1]:
        raise BadFrame(f"checksum of {raw!r} is wrong")
    label, *rest = raw[:-2].decode("ascii").split(mark.decode(), 1 if mark == SP else 2)
    if not rest:
        raise BadFrame(f"a group without data: {raw!r}")
    if label == "DATE":
        return {CLOCK: utc(rest[0])} if TIME.fullmatch(rest[0]) else {}  # h, e and blank: it does not know
    known, data = (STANDARD if mark == HT else HISTORIC).get(label), rest[-1]
    if not data.strip() or data == NOTHING:
        return {}
    if mark == HT and label in REGISTERS:
        return REGISTERS[label].read(data)
    return {known.quantity: known.read(data)} if known else {}


def utc(stamp: str) -> str:
    """A season, H of winter or E of summer, and the local time, as UTC."""
    year, month, day, hour, minute, second = (stamp[at : at + 2] for at in range(1, 13, 2))
    try:
        local = datetime.fromisoformat(f"20{year}-{month}-{day}T{hour}:{minute}:{second}")
    except ValueError:
        raise BadValue(f"time {stamp}") from None
    return f"{(local - (WINTER if stamp[0] == 'H' else SUMMER)).isoformat()}.000Z"


class Emulator:
    """A meter that changes its mode with each frame, as no true one does.  A frame in two seconds."""

    def __init__(self) -> None:
        self.age = self.waited = 0.0
        self.standard = False

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        said, self.waited = b"", self.waited + seconds
        while self.waited >= 2.0:
            self.waited, self.age, self.standard = self.waited - 2.0, self.age + 2.0, not self.standard
            said += self.frame()
        return said

    def frame(self) -> bytes:
        groups = [self.group(label, known) for label, known in (STANDARD if self.standard else HISTORIC).items()]
        if self.standard:
            now = datetime(2026, 11, 20, 18) + timedelta(seconds=self.age)
            groups.insert(1, sealed(f"DATE\tH{now:%y%m%d%H%M%S}\t\t".encode(), b""))
            groups += [sealed(b"STGE\t093A0001\t", b""), sealed(b"RELAIS\t002\t", b"")]
        return b"\x02" + b"".join(groups) + b"\x03"

    def group(self, label: str, known: Number | Text) -> bytes:
        if isinstance(known, Text):
            data = known.words[0] if known.words else "EMULATION"[: known.size].ljust(known.size)
        else:
            data = f"{round(sway(self.age, 50, 40) * 10 ** (known.digits - 2)):0{known.digits}d}"
        stamp = "H261120070102\t" if label.startswith("SMAX") else ""
        return (
            sealed(f"{label}\t{stamp}{data}\t".encode(), b"")
            if self.standard
            else sealed(f"{label} {data}".encode(), SP)
        )


def sealed(body: bytes, mark: bytes) -> bytes:
    return b"\n%b%b%c\r" % (body, mark, checksum(body))


def row(name: str, title: str, baud: int) -> Driver[Settings]:
    known = (label.quantity for label in (HISTORIC | STANDARD).values())
    bits = (quantity for register in REGISTERS.values() for quantity in register.quantities)
    return Driver(
        name=name,
        title=title,
        link=Serial(baud=baud, parity="E", bits=7),
        quantities=tuple(dict.fromkeys((CLOCK, *known, *bits))),
        period=4.0,
        settings=Settings,
        device=Teleinfo,
        emulator=Emulator,
        documentation=__doc__,
    )


DRIVER = (
    row("teleinfo", "French electricity meter, historic mode", 1200),
    row("linky", "Linky electricity meter, standard mode", 9600),
)
