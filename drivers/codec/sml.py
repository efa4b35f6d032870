"""Smart Message Language: files cut out of a stream of bytes, checked and taken apart, and put together for emulators.

    1B1B1B1B 01010101   messages   00..   1B1B1B1B 1A   nn        CC CC
    escape   version 1             fill   escape   end  of fill   CRC of all before

Four bytes 1B within are sent twice.  A message is a list of six: 76 transaction, group, abort, body, CRC, 00; what it
is made of says in its first byte (in two, where that has bit 7) what it is and how long: 0x octets, 4x a truth,
5x an integer, 6x a natural number, 7x a list of so many; 01 is nothing.

Standard: VDE FNN "Smart Message Language" 1.04 (BSI TR-03109-1, annex IV), sections 6 and 8.  Its CRC is that of
DIN EN 62056-46, CRC-16/X-25, low byte first.  Holley seals with CRC-16/KERMIT, high byte
first, and CRC-16/MODBUS is taken, too.

Both CRCs must be right, that of the file and that of the message: of spoilt files, which an infrared head that slips
gives all day, one in 22 000 has a CRC that fits one of the three kinds by chance.  No meter is known whose messages
have wrong ones: where people found such, their line was set wrong, or somebody had changed a file and sealed it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from drivers.api import BadFrame
from drivers.codec.checksums import CHECKSUMS

OCTETS, TRUTH, INTEGER, NATURAL, LIST = 0, 4, 5, 6, 7
ESCAPE = b"\x1b" * 4
START = re.compile(rb"\x1b{4}(?:\x01{4}|\x02{4})")
HEAD, TAIL = 8, 8  # bytes of the start, and of the end
LONGEST = 8192  # bytes of a file
DEEPEST = 8  # lists in lists
STRAY = 16  # bytes between two files that nobody needs to know of
SEALS = (("crc16-x25", "little"), ("crc16-kermit", "big"), ("crc16-modbus", "little"))


class Field(NamedTuple):
    """What is no list: its kind and its bytes.  Nothing at all is no octets."""

    kind: int
    raw: bytes

    def number(self) -> int | None:
        """None where it is no number."""
        known = self.kind in (INTEGER, NATURAL) and self.raw
        return int.from_bytes(self.raw, "big", signed=self.kind == INTEGER) if known else None


Element: TypeAlias = "Field | list[Element]"
Message: TypeAlias = tuple[int, list[Element]]  # what it is, and what it holds


def seals(data: bytes) -> Iterator[bytes]:
    """The CRCs, as two bytes, that *data* may have."""
    for name, order in SEALS:
        yield CHECKSUMS[name].of(data).to_bytes(2, "little" if order == "little" else "big")


class Files:
    """The reading side of one connection: bytes in, messages of whole files and errors out."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.noise = 0  # bytes since the last file
        self.began = False

    def feed(self, data: bytes) -> Iterator[Message | BadFrame]:
        self.buffer += data
        while True:
            yield from self.drop()
            if len(self.buffer) < HEAD + TAIL:
                return
            try:
                size = self.size()
            except BadFrame as error:
                del self.buffer[:HEAD]  # a true file may begin inside the false one
                self.noise = -LONGEST  # what else is left of that is not told again
                yield error
                continue
            if not size:
                return
            file = bytes(self.buffer[:size])
            del self.buffer[:size]
            yield from opened(file)

    def drop(self) -> Iterator[BadFrame]:
        """Pass over what is no file."""
        start = START.search(self.buffer)
        gone = self.buffer[: start.start() if start else max(len(self.buffer) - HEAD + 1, 0)]
        del self.buffer[: len(gone)]
        self.noise += len(gone.translate(None, b"\x00\xff"))
        while self.noise >= LONGEST:
            self.noise -= LONGEST
            yield BadFrame(f"{LONGEST} bytes without a file; is the baud rate right?")
        if start:
            if self.noise > STRAY and self.began:
                yield BadFrame(f"{self.noise} bytes that are no file")
            self.began, self.noise = True, 0

    def size(self) -> int:
        """How long the file is that the buffer begins with, 0 for "more"; BadFrame where it has no end."""
        at = HEAD
        while (at := self.buffer.find(ESCAPE, at)) >= 0 and at + TAIL <= min(len(self.buffer), LONGEST):
            what = self.buffer[at + 4 : at + 8]
            if what[0] == 0x1A:
                return at + TAIL
            if what == ESCAPE:
                at += 8
            elif what[0] == 0x1B:
                at += 1  # an octet of the message, before the escape
            else:
                raise BadFrame(f"a file without end: {what.hex(' ')} behind an escape")
        if len(self.buffer) >= LONGEST:
            raise BadFrame(f"a file of more than {LONGEST} bytes")
        return 0


def opened(file: bytes) -> Iterator[Message | BadFrame]:
    """The messages of *file*, escapes and all, each with a CRC of its own."""
    fill, seal = file[-3], file[-2:]
    if seal not in seals(file[:-2]):
        yield BadFrame(f"CRC {seal.hex()} of a file of {len(file)} bytes is wrong")
        return
    content = re.sub(rb"(\x1b{4})\x1b{4}", rb"\1", file[HEAD:-TAIL])
    end, at = len(content) - fill, 0
    try:
        while at < end:
            if not content[at]:
                at += 1
                continue
            body, behind = element(content, at)
            if not isinstance(body, list) or len(body) != 6:
                raise BadFrame(f"no message: {content[at : at + 16].hex(' ')}")
            yield message(body, content[at:behind])
            at = behind
    except BadFrame as error:
        yield error


def message(body: Sequence[Element], whole: bytes) -> Message | BadFrame:
    """What the list *body* says; an error where the CRC of *whole*, its bytes, is another."""
    content, crc = body[3], body[4]
    said = crc.number() if isinstance(crc, Field) else None
    tail = 2 + len(crc.raw) if isinstance(crc, Field) else 0  # the CRC, its own first byte, and the end of the message
    if said is None or f"{said:04x}" not in (seal.hex() for seal in seals(whole[:-tail])):
        return BadFrame(f"CRC of a message is wrong: {whole[:16].hex(' ')}")
    if not isinstance(content, list) or len(content) != 2:
        return BadFrame(f"a message without content: {whole[:16].hex(' ')}")
    kind, held = content
    number = kind.number() if isinstance(kind, Field) else None
    if number is None or not isinstance(held, list):
        return BadFrame(f"a message of no kind: {whole[:16].hex(' ')}")
    return number, held


def element(data: bytes, at: int, depth: int = 0) -> tuple[Element, int]:
    """What begins at *at*, and where the next one does."""
    begin, first = at, data[at] if at < len(data) else -1
    length = first & 0x0F
    while first & 0x80 and first >= 0 and length < LONGEST:
        at += 1
        first = data[at] if at < len(data) else -1
        length = length << 4 | first & 0x0F
    kind = data[begin] >> 4 & 7 if begin < len(data) else -1
    at += 1
    if kind == LIST and depth < DEEPEST and length <= len(data) - at:
        items: list[Element] = []
        for _ in range(length):
            item, at = element(data, at, depth + 1)
            items.append(item)
        return items, at
    end = max(begin + length, at)  # 00, the end of a message, has no length
    if kind not in (OCTETS, TRUTH, INTEGER, NATURAL) or end > len(data) or first < 0:
        raise BadFrame(f"a message that is torn: {data[begin : begin + 16].hex(' ')}")
    return Field(kind, data[at:end]), end


# The meter's side


def octets(data: bytes = b"") -> bytes:
    """Octets, or nothing."""
    length = len(data) + 1
    return (bytes((length,)) if length < 16 else bytes((0x80 | length + 1 >> 4, length + 1 & 15))) + data


def integer(value: int, size: int, kind: int = INTEGER) -> bytes:
    return bytes((kind << 4 | size + 1,)) + value.to_bytes(size, "big", signed=kind == INTEGER)


def natural(value: int, size: int = 1) -> bytes:
    return integer(value, size, NATURAL)


def listed(*items: bytes) -> bytes:
    count = len(items)
    head = bytes((LIST << 4 | count,)) if count < 16 else bytes((0x80 | LIST << 4 | count >> 4, count & 15))
    return head + b"".join(items)


def sealed(number: int, kind: int, content: bytes) -> bytes:
    """A message with that *number*, whose *kind* says what *content* is."""
    head = listed(
        octets(number.to_bytes(4, "big")), natural(0), natural(0), listed(natural(kind, 2), content), b"", b""
    )
    return head + b"\x63" + next(seals(head)) + b"\x00"


def filed(*messages: bytes) -> bytes:
    """A file of *messages*."""
    content = b"".join(messages).replace(ESCAPE, 2 * ESCAPE)
    fill = -len(content) % 4
    file = ESCAPE + b"\x01" * 4 + content + bytes(fill) + ESCAPE + bytes((0x1A, fill))
    return file + next(seals(file))
