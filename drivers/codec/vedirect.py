"""VE.Direct: blocks of text and HEX messages, cut out of a stream of bytes and checked.

    0D 0A  V 09 12540   0D 0A  I 09 -40   ...   0D 0A  Checksum 09 DC        label, value in mV, mA ...
                                                                   the sum of all bytes of a block is 0, modulo 256
    :7 F0ED 00 9600 DB 0A        a HEX message, anywhere between: command, register and value low byte first;
                                 the sum of the command and all bytes is 55h, modulo 256

Standard: Victron "VE.Direct Protocol", 3.33, and "BlueSolar HEX protocol MPPT".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from drivers.api import BadFrame

LONGEST, MESSAGE = 1024, 256  # bytes of a block, and of a HEX message
END = b"Checksum\t"
LINE = re.compile(r"([A-Za-z0-9_#+-]{1,16})\t([ -~]{0,64})")
HEX = re.compile(rb":([0-9A-Fa-f]*)")
# What a device is, does and remembers: all that does not move from block to block
STEADY = frozenset(
    (
        *("PID", "SER#", "FW", "FWE", "BMV", "MON", "MODE", "CS", "MPPT", "OR", "ERR", "WARN", "AR", "LOAD", "HSDS"),
        *("Relay", "RELAY", "Alarm", "ALARM", "H4", "H5", "H7", "H8", *(f"H{number}" for number in range(10, 24))),
    )
)
KINDS = 16  # of blocks to remember; a device has one or two
CALM = 100  # blocks in a row that make a line good again

Block: TypeAlias = dict[str, str]  # label: text


class Message(NamedTuple):
    """A HEX message: its command, and the bytes between that and the sum."""

    command: int
    raw: bytes


class Stream:
    """The reading side of one connection: bytes in; blocks, HEX messages and errors out.

    Two wrong bits in a block may leave its sum as it was.  So on a line that spoils some, each must have labels that
    were there before, in their order, and say the same behind STEADY ones.  A block that does not is refused; the next
    with its labels counts."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.began = False
        self.calm = CALM  # blocks since one was spoilt
        self.kinds: dict[tuple[str, ...], Block] = {}  # labels: the last block that had them

    def feed(self, data: bytes) -> Iterator[Block | Message | BadFrame]:
        self.buffer += data
        while True:
            end, at = self.buffer.find(END, 0, LONGEST), self.buffer.find(b":", 0, LONGEST)
            if at >= 0 and (at < end or end < 0):
                if not (size := extent(self.buffer, at)):
                    return
                said = bytes(self.buffer[at : at + size])
                del self.buffer[at : at + size]  # what stands around it is one
                yield message(said)
            elif end >= 0:
                if len(self.buffer) <= end + len(END):
                    return
                ended = bytes(self.buffer[: end + len(END) + 1])
                del self.buffer[: len(ended)]
                yield from self.take(ended)
            elif len(self.buffer) >= LONGEST:
                del self.buffer[: LONGEST - len(END)]
                yield BadFrame(f"{LONGEST} bytes without a checksum; is it a VE.Direct port?")
            else:
                return

    def take(self, ended: bytes) -> Iterator[Block | BadFrame]:
        """What ends as a block does.  Before it the rest of another may stand, or noise."""
        began, self.began = self.began, True
        for begin in (ended.find(b"\r\n"), ended.rfind(b"\r\nPID\t")):
            if begin >= 0 and sum(ended[begin:]) & 0xFF == 0:
                if begin and began:  # nobody begins to listen at the beginning
                    yield self.refuse(f"{begin} bytes that are no block: {ended[:begin][:64]!r}")
                yield self.read(ended[begin:])
                return
        if began or ended.startswith(b"\r\n"):
            yield self.refuse(f"sum {sum(ended) & 0xFF:02x} of a block: {ended[:64]!r}")

    def refuse(self, why: str) -> BadFrame:
        self.calm = 0
        return BadFrame(why)

    def read(self, block: bytes) -> Block | BadFrame:
        """What a block says, its sum checked."""
        lines = block[2 : -len(END) - 1].decode("latin-1").split("\r\n")[:-1]
        said = {match[1]: match[2] for line in lines if (match := LINE.fullmatch(line))}
        if not lines or len(said) != len(lines):
            return self.refuse(f"lines that are none, or twice the same: {block[:64]!r}")
        labels = tuple(said)
        before = self.kinds.get(labels)
        if before is None and len(self.kinds) >= KINDS:
            self.kinds.clear()
        self.calm += 1
        if self.calm > CALM or (before is not None and like(said, before)):
            self.kinds[labels] = said
            return said
        self.kinds[labels] = {}
        return BadFrame(f"a block unlike the one before, on a line that spoils some: {block[:64]!r}")


def like(block: Block, before: Block) -> bool:
    """Whether the same stands behind steady labels; after a block that was refused for it, anything may."""
    return not before or all(text == before[label] for label, text in block.items() if label in STEADY)


def extent(buffer: bytearray, at: int) -> int:
    """How long the HEX message at *at* is, 0 for "more"."""
    match = HEX.match(buffer, at)
    end = match.end() if match else at
    if end == len(buffer):
        return 0 if end - at < MESSAGE else end - at
    return end - at + (buffer[end] == 0x0A)


def message(said: bytes) -> Message | BadFrame:
    """A HEX message: a colon, one digit, pairs of them, and the end of the line."""
    digits = said[1:-1].decode("ascii")
    if not said.endswith(b"\n") or len(digits) < 3 or len(digits) % 2 == 0:
        return BadFrame(f"no HEX message: {said!r}")
    command, raw = int(digits[0], 16), bytes.fromhex(digits[1:])
    if (command + sum(raw)) & 0xFF != 0x55:
        return BadFrame(f"sum of a HEX message is wrong: {said!r}")
    return Message(command, raw[:-1])


def sealed(body: bytes) -> bytes:
    """A block from *body*, which ends in END: the byte behind makes the sum of all 0."""
    return body + bytes((-sum(body) & 0xFF,))
