"""Sensirion SPS30 particle sensor, on I2C or on a serial line.

Datasheet: Sensirion "Datasheet SPS30", version 1.0, sections 5 (SHDLC at 115200 baud, 8N1) and 6 (I2C, address 69).
On I2C commands are 16 bits, and each word, sent or answered, is followed by its CRC-8 (polynomial 0x31, start 0xFF):

    D0 02                 product type; "00080000" answers, two letters a word      D0 33   serial number, at most 32
    00 10 03 00 AC        begin to measure, in floats                               02 02   is it ready?  One word, 1
    03 00                 read; ten big-endian floats answer, each in two words

On the serial line a frame stands between 7E; of what is within, 7E 7D 11 13 are sent as 7D 5E, 7D 5D, 7D 31, 7D 33.
The sum is the complement of the lowest byte of the sum of all before it:

    7E 00 CC    LL ..   SS 7E        7E 00 CC    EE     LL ..   SS 7E
    command     data    sum          its answer  state  data    sum

    7E 00 D0 01 00 2E 7E   product type       7E 00 D0 01 03 2B 7E   serial number
    7E 00 00 02 01 03 F9 7E   begin to measure, in floats; state 43 says that it does so already
    7E 00 03 00 FC 7E      read; without data: there is nothing new yet, as for a second between measurements

The floats: mass up to 1, 2.5, 4 and 10 µm in µg/m³, how many from 0.3 to 0.5, 1, 2.5, 4 and 10 µm are in a cubic
centimetre, and the typical size in µm.  It promises 1000 µg/m³ and 3000/cm³; what it says beyond is told, too.

Wiring: VDD 5 V, lines 3.3 V (they bear 5).  SEL to GND for I2C, with pull-ups, no longer than 20 cm; SEL left open for
the serial line.  ``sps30`` is I2C, ``sps30uart`` serial.  Some thirty seconds pass until thin air is measured well.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from drivers.api import I2C, Ask, BadFrame, Driver, Emulates, Link, Sample, Serial, Sleep, Talk, Transfer, WrongDevice
from drivers.codec import sensirion
from drivers.codec.bits import unpack
from drivers.codec.framing import terminated
from drivers.emulation import sway
from drivers.quantities import number_between, particle_size, particles

MASS = tuple(particles(size, high=10_000, digits=1) for size in ("1", "2_5", "4", "10"))
COUNTS = tuple(number_between("0_3", size, high=30_000) for size in ("0_5", "1", "2_5", "4", "10"))
QUANTITIES = (*MASS, *COUNTS, particle_size(high=10))

PRODUCT = b"00080000"
FLOATS = struct.Struct(">10f")
LOOKS, PAUSE = 8, 0.5  # so often it is asked for a measurement, and seconds between; the first takes about one

TYPE, NUMBER, BEGIN, READY, READ = b"\xd0\x02", b"\xd0\x33", b"\x00\x10", b"\x02\x02", b"\x03\x00"  # I2C
WAIT, BEGINNING = 0.005, 0.02  # seconds for a command, table 28

INFORM, START, FETCH = 0xD0, 0x00, 0x03  # serial
END, ESCAPE = b"\x7e", b"\x7d"
STUFFED = {byte: bytes((0x7D, byte ^ 0x20)) for byte in b"\x7e\x7d\x11\x13"}
NOT_NOW = 0x43  # a state: not allowed as it is, that is, it measures already
TIMEOUT = 0.2  # seconds; the slowest answer takes 20 ms, table 13
WHOLE = terminated(END, start=END, longest=2 * 80)


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class SPS30:
    """One sensor on I2C."""

    def __init__(self, settings: Settings) -> None:
        self.runs = False

    def start(self) -> Talk[str]:
        self.runs = False
        if (found := (yield from self.about(product=True))) != PRODUCT:
            raise WrongDevice(f"product type {found!r} in place of {PRODUCT!r}")
        serial = yield from self.about(product=False)
        yield from self.begin()
        self.runs = True
        return serial.decode("ascii", "replace")

    def measure(self) -> Talk[Sample]:
        if not self.runs:
            yield from self.start()
        for _ in range(LOOKS):
            if data := (yield from self.fetch()):
                return decode(data)
            yield Sleep(PAUSE)
        self.runs = False  # the next measurement starts it again
        raise BadFrame(f"nothing was measured in {LOOKS * PAUSE:g} s: perhaps it lost power")

    def words(self, command: bytes, count: int) -> Talk[bytes]:
        return struct.pack(f">{count}H", *(yield from sensirion.asked(command, WAIT, count)))

    def about(self, product: bool) -> Talk[bytes]:
        letters = yield from self.words(TYPE, 4) if product else self.words(NUMBER, 16)
        return letters.rstrip(b"\0")

    def begin(self) -> Talk[None]:
        yield Transfer(BEGIN + sensirion.seal(0x0300))
        yield Sleep(BEGINNING)

    def fetch(self) -> Talk[bytes]:
        """A measurement; nothing where there is no new one."""
        if (yield from self.words(READY, 1)) != b"\0\1":
            return b""
        return (yield from self.words(READ, 20))


class SPS30UART(SPS30):
    """One sensor on a serial line."""

    def ask(self, command: int, data: bytes = b"", allowed: int = 0) -> Talk[bytes]:
        return opened((yield Ask(seal(bytes((0, command, len(data))) + data), framed, TIMEOUT)), command, allowed)

    def about(self, product: bool) -> Talk[bytes]:
        return (yield from self.ask(INFORM, b"\x00" if product else b"\x03")).rstrip(b"\0")

    def begin(self) -> Talk[None]:
        yield from self.ask(START, b"\x01\x03", NOT_NOW)

    def fetch(self) -> Talk[bytes]:
        return (yield from self.ask(FETCH))


def framed(buffer: bytes) -> int:
    """How long the answer is.  Of two ends the first is that of a torn frame."""
    if buffer.startswith(2 * END):
        raise BadFrame("a frame of nothing")
    return WHOLE(buffer)


def decode(data: bytes) -> Sample:
    """Turn ten floats into a sample.  What is no number at all lies in no range."""
    return {q: q.check(float(value)) for q, value in zip(QUANTITIES, unpack(FLOATS, data), strict=True)}


def seal(body: bytes) -> bytes:
    """Put sum and ends around *body*, stuffed."""
    whole = body + bytes((~sum(body) & 0xFF,))
    return END + b"".join(STUFFED.get(byte, bytes((byte,))) for byte in whole) + END


def plain(frame: bytes) -> bytes:
    """What stands in *frame*, without its sum."""
    first, *others = frame[1:-1].split(ESCAPE)
    body = first + b"".join(bytes((other[0] ^ 0x20,)) + other[1:] for other in others if other)
    if not all(others) or len(body) < 4 or body[-1] != ~sum(body[:-1]) & 0xFF:
        raise BadFrame(f"too short, or the sum is wrong: {frame.hex(' ')}")
    return body[:-1]


def opened(frame: bytes, command: int, allowed: int) -> bytes:
    """The data of an answer."""
    body = plain(frame)
    if body[:2] != bytes((0, command)) or len(body) < 4 or body[3] != len(body) - 4:
        raise BadFrame(f"no answer to command {command:02x}: {frame.hex(' ')}")
    if (state := body[2] & 0x7F) not in (0, allowed):  # bit 7: fan or laser are not well, which it measures in spite of
        raise BadFrame(f"command {command:02x} was refused with {state:02x}")
    return body[4:]


class Street:
    """The air that an emulated sensor is in.  It has something to say as soon as it measures."""

    def __init__(self) -> None:
        self.age, self.dust, self.measures = 0.0, 1.0, False

    def air(self) -> bytes:
        return FLOATS.pack(*(each * self.dust for each in (8.0, 12.0, 14.0, 15.0, 50.0, 60.0, 62.0, 62.5, 62.6)), 0.55)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.dust = sway(self.age, 1.0, 0.6, period=300.0)
        return b""


class Emulator(Street):
    """A sensor on I2C."""

    answer = b""

    def transfer(self, write: bytes, read: int) -> bytes:
        self.measures = self.measures or write == BEGIN + sensirion.seal(0x0300)
        known = {TYPE: PRODUCT, NUMBER: b"8CCABCFAE3201F49".ljust(32, b"\0"), READY: bytes((0, self.measures))}
        if write in known or write == READ:
            self.answer = sensirion.seal(
                *(each for (each,) in struct.iter_unpack(">H", known.get(write) or self.air()))
            )
        return self.answer[:read]


class SerialEmulator(Street):
    """A sensor on a serial line.  It hears requests cut into pieces."""

    heard = b""

    def receive(self, data: bytes) -> bytes:
        *requests, self.heard = (self.heard + data)[-80:].split(END)
        return b"".join(self.reply(request) for request in requests if request)

    def reply(self, request: bytes) -> bytes:
        try:
            body = plain(END + request + END)
        except BadFrame:
            return b""
        known = {b"\xd0\1\0": PRODUCT + b"\0", b"\xd0\1\3": b"8CCABCFAE3201F49\0", b"\0\2\1\3": b"", b"\3\0": b""}
        if body[1:] not in known:
            return b""
        data = self.air() if body[1] == FETCH and self.measures else known[body[1:]]
        state = NOT_NOW * self.measures if body[1] == START else 0
        self.measures = self.measures or body[1] == START
        return seal(bytes((0, body[1], state, len(data))) + data)


def row(
    name: str, title: str, link: Link, device: Callable[[Settings], SPS30], emulator: Callable[[], Emulates]
) -> Driver[Settings]:
    return Driver(
        name=name,
        title=title,
        link=link,
        quantities=QUANTITIES,
        period=10.0,
        settings=Settings,
        device=device,
        emulator=emulator,
        documentation=__doc__,
    )


DRIVER = (
    row("sps30", "Sensirion SPS30 particles, on I2C", I2C(addresses=(0x69,)), SPS30, Emulator),
    row("sps30uart", "Sensirion SPS30 particles, on a serial line", Serial(baud=115_200), SPS30UART, SerialEmulator),
)
