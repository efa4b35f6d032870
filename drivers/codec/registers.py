"""What Modbus registers hold, and how many of them are read at once.

A register has 16 bits, sent high byte first.  How a number of 32 or 64 bits lies in several of them is every maker's
own choice; the four ways are called by where the bytes A B C D of a 32-bit number, highest first, are found:

    ABCD   high word first, as the standard's registers suggest
    CDAB   low word first
    BADC   high word first, each with its bytes swapped
    DCBA   low word first and bytes swapped, which is little-endian
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from struct import error as StructError
from typing import Literal, TypeAlias

from drivers.api import BadFrame, BadValue, Request, Talk
from drivers.codec.modbus import REGISTERS

Order: TypeAlias = Literal["ABCD", "CDAB", "BADC", "DCBA"]
Span: TypeAlias = tuple[int, int]  # the first register, and how many
KINDS = {
    **{"int16": Struct(">h"), "int32": Struct(">i"), "int64": Struct(">q")},
    **{"uint16": Struct(">H"), "uint32": Struct(">I"), "uint64": Struct(">Q")},
    **{"float32": Struct(">f"), "float64": Struct(">d")},
}


def ordered(raw: bytes, order: Order) -> bytes:
    """*raw* with its highest byte first, or, from that, as *order* has it: each of them undoes itself."""
    if order == "DCBA":
        return raw[::-1]
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order == "CDAB":
        words.reverse()
    elif order == "BADC":
        words = [word[::-1] for word in words]
    return b"".join(words)


def decode(kind: str, raw: bytes, order: Order = "ABCD") -> int | float:
    """The number of that *kind* in the registers *raw*."""
    layout = KINDS[kind]
    if len(raw) != layout.size:
        raise BadFrame(f"{kind} takes {layout.size} bytes, not {raw.hex(' ')}")
    number: int | float = layout.unpack(raw if order == "ABCD" else ordered(raw, order))[0]
    return number


def encode(kind: str, number: int | float, order: Order = "ABCD") -> tuple[int, ...]:
    """The registers that hold *number*; BadValue where it does not fit."""
    try:
        raw = ordered(KINDS[kind].pack(number), order)
    except (StructError, OverflowError) as error:
        raise BadValue(f"{number!r} is no {kind}: {error}") from None
    return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))


def blocks(spans: Iterable[Span], gap: int = 0, most: int = REGISTERS) -> tuple[Span, ...]:
    """The fewest requests that read all *spans* in order, none in two pieces: at most *gap* registers that nobody
    wants lie between two of them, since some devices refuse registers they do not have, and *most* in one request."""
    found: list[Span] = []
    for start, count in sorted(set(spans)):
        first, size = found[-1] if found else (start, 0)
        end = max(first + size, start + count)
        if found and start <= first + size + gap and end - first <= most:
            found[-1] = first, end - first
        else:
            found.append((start, count))
    return tuple(found)


class Reads:
    """Registers that are read together: *spans* of them by *function* 3 or 4, in as few requests as may be."""

    def __init__(self, function: Literal[3, 4], spans: Iterable[Span], gap: int = 0, most: int = REGISTERS) -> None:
        wanted = tuple(spans)
        self.requests = tuple(Request(function, *block) for block in blocks(wanted, gap, most))
        self.places = tuple(self.place(span) for span in wanted)

    def place(self, span: Span) -> tuple[int, slice]:
        """Which request reads *span*, and where in its answer it lies."""
        for number, request in enumerate(self.requests):
            at = span[0] - request.address
            if 0 <= at <= at + span[1] <= request.count:
                return number, slice(2 * at, 2 * (at + span[1]))
        raise ValueError(f"{span} does not fit into one request")

    def fetch(self) -> Talk[tuple[bytes, ...]]:
        """Ask, and give the bytes of each span in the order they were given in."""
        answers = []
        for request in self.requests:
            answers.append((yield request))
        return tuple(answers[number][place] for number, place in self.places)
