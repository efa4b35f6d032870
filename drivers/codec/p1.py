"""Telegrams of IEC 62056-21 mode D, as meters push them out of a P1 port: cut out of a stream of bytes, and checked.

    /ISk5\\2MT382-1000 CR LF CR LF  1-0:1.8.1(000004.426*kWh) CR LF ...  !6EEE CR LF
    maker and type                  OBIS code, groups in brackets        CRC-16 of all from / to !; or nothing

Standard: Netbeheer Nederland "P1 Companion Standard" 5.0.2, section 6.2: the CRC is that of polynomial A001h, start 0,
lowest bit first.  Some Hungarian meters seal with CRC-16/X-25 in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from drivers.api import BadFrame
from drivers.codec.checksums import CHECKSUMS

Said: TypeAlias = dict[str, list[str]]  # by the OBIS code: what stands in its brackets

LONGEST = 8192  # bytes of a telegram: messages of 2048 characters, and thirteen months of peaks
LINE = re.compile(r"(\d+-\d+:\d+\.\d+\.\d+)(?:[*.](\d+))?((?:\([^()]*\))+)\s*")
NOW = (None, "255")  # what stands behind the star, or the dot, of a value that holds now; others are of the past
GROUP = re.compile(r"\(([^()]*)\)")
FOLDED = re.compile(r"[\r\n]+\(")
NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?\*(\w+)")
ENCRYPTED = re.compile(
    rb"\xdb\x08[A-Z]{3}"
)  # general glo-ciphering, and a system title: its maker, in 8 bytes (Green Book)
LIMIT = "0-0:17.0.0"  # a threshold is written otherwise than what is measured
CRCS = CHECKSUMS["crc16-arc"].of, CHECKSUMS["crc16-x25"].of
STRANGE = re.compile(rb"[^\t\r\n -~]")
STARTS = b"/\xaf"  # without its parity, or with it
# A line of 7E1 that is read as 8N1 has its parity in bit 7.
PARITY = bytes(byte & 0x7F if byte > 0x7F and byte.bit_count() % 2 == 0 else byte for byte in range(256))
EVEN = bytes(0 if byte.bit_count() % 2 else byte & 0x7F for byte in range(256))


def seven(raw: bytes) -> bytes:
    """*raw* as bytes of seven bits.  Where one has its parity in bit 7, all have, and one that is wrong is a nought."""
    return raw if raw.isascii() else raw.translate(EVEN)


class Telegrams:
    """The reading side of one connection: bytes in, what telegrams say and errors out."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.noise = 0  # bytes since the last telegram
        self.torn = False  # among them the end of one
        self.began = False  # a telegram was heard
        self.sealer = b""  # the maker and type of the last one with a CRC
        self.weighed = b""  # and of the last one without
        self.forms: dict[str, tuple[int, int]] = {}
        self.last = b""  # bytes, as they came

    def feed(self, data: bytes) -> Iterator[Said | BadFrame]:
        raw = self.last + data
        self.last = raw[-4:]
        for _ in ENCRYPTED.finditer(raw):
            yield BadFrame(
                "encrypted, and not as P1 telegrams are: its operator can switch that off, or an adapter decrypt it"
            )
        self.buffer += data
        while True:
            yield from self.drop()
            end = self.buffer.find(b"!", 0, LONGEST)
            again = self.start(1, end if end > 0 else LONGEST)
            if again > 0 or (end < 0 and len(self.buffer) >= LONGEST):
                yield BadFrame(f"a telegram without end: {bytes(self.buffer[: max(again, 0) or 64][:64])!r}")
                del self.buffer[: max(again, 1)]
            elif end < 0 or not (size := closed(bytes(self.buffer[end + 1 : end + 5]).translate(PARITY))):
                return
            else:
                telegram = bytes(self.buffer[: end + 1])
                seal = bytes(self.buffer[end + 1 : end + size]).translate(PARITY)
                del self.buffer[: end + size]
                try:
                    yield self.read(telegram, seal)
                except BadFrame as error:
                    yield error

    def drop(self) -> Iterator[BadFrame]:
        """Pass over what is no telegram: some meters and adapters have something to say between two of them."""
        start = self.start(0, len(self.buffer))
        gone = self.buffer[: start if start >= 0 else len(self.buffer)]
        del self.buffer[: len(gone)]
        self.torn |= b"!" in gone
        self.noise += len(gone.translate(None, b" \t\r\n\xa0\x8d"))
        while self.noise >= LONGEST:
            self.noise -= LONGEST
            yield BadFrame(f"{LONGEST} bytes without a telegram; are baud rate and inversion right?")
        if start >= 0:
            if self.torn and self.began:  # at first, nobody begins to listen at the beginning
                yield BadFrame("the end of a telegram, without its beginning")
            self.began, self.torn, self.noise = True, False, 0

    def start(self, at: int, end: int) -> int:
        """Where the next telegram begins between *at* and *end*, or -1."""
        return min((place for byte in STARTS if (place := self.buffer.find(byte, at, end)) >= 0), default=-1)

    def read(self, raw: bytes, seal: bytes) -> Said:
        """What the telegram *raw* says.  BadFrame when it is spoilt."""
        telegram = raw.translate(PARITY) if seal else seven(raw)
        about, who = repr(telegram[:40]), telegram.splitlines()[0]
        if seal and int(seal, 16) not in sums(telegram):
            raise BadFrame(f"CRC {seal.decode()} is wrong: {about}")
        if not seal and (self.sealer == who or b":0.2.8(" in telegram or b":96.1.4(" in telegram):
            raise BadFrame(f"a telegram without its CRC: {about}")
        if not seal and STRANGE.search(telegram):  # the kernel gives a nought for a byte whose parity is wrong
            raise BadFrame(f"not of seven bits, or their parity is wrong: {about}")
        said = contents(telegram, strict=not seal)
        if seal:
            self.sealer = who
        else:
            self.forms, self.weighed = self.forms if self.weighed == who else {}, who
            self.weigh(said)
        return said

    def weigh(self, said: Mapping[str, list[str]]) -> None:
        """Where no CRC tells, a character that is lost shows in the form of its number only: those of a unit are alike
        in a telegram and the one before.  Meters that seal nothing write all digits, always."""
        forms: dict[str, tuple[int, int]] = {}
        for code, groups in said.items():
            found = [match for group in groups if (match := NUMBER.fullmatch(group))]
            if "m3" in groups:  # of versions 2 and 3
                found += [match for match in [NUMBER.fullmatch(f"{groups[-1]}*m3")] if match]
            for match in found if code != LIMIT else ():
                form = len(match[1]), len(match[2] or "")
                if forms.setdefault(match[3], form) != form:
                    raise BadFrame(f"{code} {match[0]} has another form than the others: a character is lost")
        known, self.forms = self.forms, forms
        if changed := [unit for unit, form in forms.items() if known.get(unit, form) != form]:
            raise BadFrame(f"numbers in {changed[0]} have another form than in the telegram before")


def contents(telegram: bytes, strict: bool = False) -> Said:
    """What *telegram* says, by its codes; of a code that comes twice the first.  Where it is *strict*, a line that is
    none is a BadFrame."""
    said: Said = {}
    for line in FOLDED.sub("(", telegram.partition(b"!")[0].decode("latin-1")).splitlines()[1:]:
        if match := LINE.fullmatch(line):
            if match[2] in NOW:
                said.setdefault(match[1], GROUP.findall(match[3]))
        elif line.rstrip().endswith(("98.1.0", "98.1.0(")):
            break  # a block of last month's values, under the same codes
        elif line.strip() and strict:
            raise BadFrame(f"a line that is none: {line[:64]!r}")
    return said


def sums(telegram: bytes) -> Iterator[int]:
    """The CRCs that *telegram* may have.  Some adapters send LF in place of CR LF, whose CRC the meter told."""
    yield from (crc(telegram) for crc in CRCS)
    if b"\r" not in telegram:
        yield from (crc(telegram.replace(b"\n", b"\r\n")) for crc in CRCS)


def closed(rest: bytes) -> int:
    """How many bytes the end of a telegram has, with its !, from the four behind that: 0 for "more"."""
    if rest[:1] in (b"\r", b"\n"):
        return 1
    if len(rest) < 4:
        return 0
    return 5 if all(byte in b"0123456789ABCDEFabcdef" for byte in rest) else 1
