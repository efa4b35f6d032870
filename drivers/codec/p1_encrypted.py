"""Telegrams of a P1 port that come encrypted: cut out of a stream of bytes, checked, and opened.

    DB 08 <title, 8> 82 <length, 2> 30 <counter, 4> <text> <tag, 12>      length: of all behind it, high byte first

Luxembourg's "Specification for the smarty P1", after general-glo-ciphering of the DLMS Green Book: AES-128-GCM, whose
nonce is title and counter; the tag is also over the byte 30 and the authentication key.  Within is a telegram like any
other.  Its CRC is not asked for: nothing that the tag does not notice would change it on its way.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import BadFrame
from drivers.codec.gcm import GCM
from drivers.codec.p1 import LONGEST

START, WIDE, SECURITY = b"\xdb\x08", b"\x82", b"\x30"  # a length of two bytes follows; encrypted and authenticated
TITLE, LENGTH, BEHIND, COUNTER = 2, 11, 13, 18  # where the title begins, and the length; where that and the head end
TAG = 12
LEAST = COUNTER - BEHIND + TAG
AUTHENTICATION = "00112233445566778899AABBCCDDEEFF"  # Luxembourg's, the same for all


class Sure(bytes):
    """A whole telegram, whose tag was right."""


def sixteen(name: str, digits: str) -> bytes:
    """A key, as operators write it.  ValueError when *digits*, the setting *name*, are none."""
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ValueError(f"`{name}` is 32 hexadecimal digits, as the operator of the meter tells them")
    return key


class Envelope:
    """A key, and what is done with it."""

    def __init__(self, key: str, authentication: str = AUTHENTICATION) -> None:
        self.gcm, self.additional = GCM(sixteen("key", key)), SECURITY + sixteen("authentication", authentication)

    def seal(self, title: bytes, counter: int, plain: bytes) -> bytes:
        said = counter.to_bytes(4, "big")
        length = (LEAST + len(plain)).to_bytes(2, "big")
        head = START + title + WIDE + length + SECURITY + said
        return head + self.gcm.seal(title + said, plain, self.additional, TAG)

    def open(self, frame: bytes) -> bytes | None:
        """What is in *frame*, or None where the tag is wrong."""
        nonce = frame[TITLE : TITLE + 8] + frame[BEHIND + 1 : COUNTER]
        return self.gcm.open(nonce, frame[COUNTER:], self.additional, TAG)


class Opened:
    """The reading side of one connection: bytes in; out come those of telegrams, opened, and errors.  What is not
    encrypted passes as it is."""

    def __init__(self, envelope: Envelope | None) -> None:
        self.envelope = envelope
        self.buffer = bytearray()
        self.last = b""  # the last one that was right

    def feed(self, data: bytes) -> Iterator[bytes | BadFrame]:
        self.buffer += data
        while self.buffer:
            start = self.buffer.find(START[:1])
            if start:
                yield self.take(start if start > 0 else len(self.buffer))
            elif not begins(self.buffer):
                yield self.take(1)
            elif len(self.buffer) < BEHIND or len(self.buffer) < (end := size(self.buffer)):
                return
            else:
                yield self.open(bytes(self.buffer[:end]))

    def take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def open(self, frame: bytes) -> bytes | BadFrame:
        """What is in *frame*, with which the buffer begins."""
        plain = self.envelope.open(frame) if self.envelope else None
        if plain is None:
            # Where bytes were lost, the next one began in it.  Of whole heads only the last counts, or noise that is
            # full of them would be deciphered as often.
            places = range(1, len(frame))
            heads = [at for at in places if frame[at] == START[0] and begins(frame[at : at + COUNTER])]
            whole = [at for at in heads if len(frame) - at > BEHIND]
            self.take(next(iter(whole[-1:] or heads), len(frame)))
            if self.envelope:
                return BadFrame(f"an encrypted telegram: wrong key, or it is spoilt: {frame[:COUNTER].hex(' ')}")
            return BadFrame("a telegram that is encrypted: set its `key`, which the operator of the meter tells")
        self.take(len(frame))
        # The counter alone does not tell: that of a meter that begins again comes to where it was, with other news.
        if frame == self.last:
            return BadFrame(f"an encrypted telegram came again: {frame[:COUNTER].hex(' ')}")
        self.last = frame
        return Sure(plain) if plain.startswith(b"/") and b"!" in plain else plain


def size(head: bytes | bytearray) -> int:
    """How many bytes the telegram has that begins with *head*."""
    return BEHIND + int.from_bytes(head[LENGTH:BEHIND], "big")


def begins(data: bytes | bytearray) -> bool:
    """Whether one may begin with *data*, as far as that goes."""
    return (
        START.startswith(data[: len(START)])
        and WIDE.startswith(data[LENGTH - 1 : LENGTH])
        and SECURITY.startswith(data[BEHIND : BEHIND + 1])
        and (len(data) < BEHIND or LEAST <= size(data) - BEHIND <= LEAST + LONGEST)
    )
