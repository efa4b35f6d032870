"""AES-128 in Galois/Counter Mode, as meters encrypt with it: FIPS 197 and NIST SP 800-38D.

Slower by far than a library's, and there is no library among drivers: a telegram of 1200 bytes takes 0.6 ms of a fast
core, once in ten seconds.  All blocks of a message are encrypted at once, in sixteen strings: the first has byte 0 of
every block, the next byte 1; one step then goes through all of them.  Its time tells nothing of a key to whom it
matters: who could measure it reads the meter anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest

BLOCK = 16
REDUCE = 0xE1 << 120  # x^128 = 1 + x + x^2 + x^7, the lowest power first (SP 800-38D, 6.3)


def doubled(byte: int) -> int:
    """*byte* times x, modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2.1)."""
    return byte << 1 ^ (0x11B if byte & 0x80 else 0)


def substitutes() -> Iterator[tuple[int, int]]:
    """Each byte and what stands for it: its inverse, through the affine map (FIPS 197, 5.1.1)."""
    yield 0, 0x63
    powers = [1]
    while len(powers) < 255:
        powers.append(powers[-1] ^ doubled(powers[-1]))  # times x + 1, of which all but 0 are powers
    for power, byte in enumerate(powers):
        inverse = powers[-power % 255] * 0x101
        yield byte, (inverse ^ inverse >> 4 ^ inverse >> 5 ^ inverse >> 6 ^ inverse >> 7 ^ 0x63) & 0xFF


SBOX = bytes(found for _, found in sorted(substitutes()))
DOUBLE = bytes(doubled(byte) for byte in SBOX)


def expanded(key: bytes) -> list[bytes]:
    """The eleven round keys of *key* (FIPS 197, 5.2)."""
    words, constant = [key[at : at + 4] for at in range(0, BLOCK, 4)], 1
    while len(words) < 44:
        last = words[-1]
        if len(words) % 4 == 0:
            last = (last[1:] + last[:1]).translate(SBOX)
            last, constant = bytes((last[0] ^ constant, *last[1:])), doubled(constant)
        words.append(bytes(a ^ b for a, b in zip(words[-4], last, strict=True)))
    return [b"".join(words[at : at + 4]) for at in range(0, 44, 4)]


def encrypted(keys: list[bytes], blocks: bytes) -> bytes:
    """Every block of *blocks*, 16 bytes each, encrypted by itself (FIPS 197, 5.1)."""
    count = len(blocks) // BLOCK
    every = int.from_bytes(b"\1" * count, "big")  # times a byte: that byte for each block
    state = [int.from_bytes(blocks[at::BLOCK], "big") ^ keys[0][at] * every for at in range(BLOCK)]
    for key in keys[1:]:
        # Byte `row` of column `at // 4` comes from `row` columns further on: the rows are shifted.
        moved = [state[(at + at % 4 * 4) % BLOCK].to_bytes(count, "big") for at in range(BLOCK)]
        once = [int.from_bytes(part.translate(SBOX), "big") for part in moved]
        if key is not keys[-1]:
            twice = [int.from_bytes(part.translate(DOUBLE), "big") for part in moved]
            for at in range(0, BLOCK, 4):
                total = once[at] ^ once[at + 1] ^ once[at + 2] ^ once[at + 3]
                for row in range(4):
                    state[at + row] = total ^ once[at + row] ^ twice[at + row] ^ twice[at + (row + 1) % 4]
            once = state
        state = [part ^ key[at] * every for at, part in enumerate(once)]
    out = bytearray(len(blocks))
    for at, part in enumerate(state):
        out[at::BLOCK] = part.to_bytes(count, "big")
    return bytes(out)


def shifted(value: int) -> int:
    """*value* times x, in the field of GHASH."""
    return value >> 1 ^ (REDUCE if value & 1 else 0)


def sums(powers: list[int]) -> list[int]:
    """For each byte the sum of those of eight *powers* whose bits it has; the first is that of bit 7."""
    found = [0]
    for power in reversed(powers):
        found += [power ^ other for other in found]
    return found


def eight(value: int) -> list[int]:
    """*value* times 1, x ... x^7."""
    powers = [value]
    while len(powers) < 8:
        powers.append(shifted(powers[-1]))
    return powers


OVER = sums(eight(REDUCE))  # what the eight bits come back as that a shift by eight pushes out


class GCM:
    """One key of 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self.keys = expanded(key)
        self.products = sums(eight(int.from_bytes(encrypted(self.keys, bytes(BLOCK)), "big")))

    def hashed(self, *parts: bytes) -> int:
        """GHASH of *parts*, each filled up with zeros (SP 800-38D, 6.4)."""
        result, products, over = 0, self.products, OVER
        for part in parts:
            for at in range(0, len(part), BLOCK):
                mixed = result ^ int.from_bytes(part[at : at + BLOCK].ljust(BLOCK, b"\0"), "big")
                result = 0
                for byte in mixed.to_bytes(BLOCK, "little"):
                    result = result >> 8 ^ over[result & 0xFF] ^ products[byte]
        return result

    def stream(self, nonce: bytes, size: int) -> tuple[bytes, int]:
        """What the tag, and *size* bytes of text, are mixed with, for a *nonce* of 12 bytes (SP 800-38D, 7.1)."""
        blocks = b"".join(nonce + count.to_bytes(4, "big") for count in range(1, 2 - -size // BLOCK))
        pad = encrypted(self.keys, blocks)
        return pad[:BLOCK], int.from_bytes(pad[BLOCK : BLOCK + size], "big")

    def tag(self, mask: bytes, text: bytes, additional: bytes) -> bytes:
        lengths = (len(additional) * 8).to_bytes(8, "big") + (len(text) * 8).to_bytes(8, "big")
        whole = self.hashed(additional, text, lengths) ^ int.from_bytes(mask, "big")
        return whole.to_bytes(BLOCK, "big")

    def seal(self, nonce: bytes, plain: bytes, additional: bytes, size: int = BLOCK) -> bytes:
        """*plain*, encrypted, and a tag of *size* bytes."""
        mask, pad = self.stream(nonce, len(plain))
        text = (int.from_bytes(plain, "big") ^ pad).to_bytes(len(plain), "big")
        return text + self.tag(mask, text, additional)[:size]

    def open(self, nonce: bytes, sealed: bytes, additional: bytes, size: int = BLOCK) -> bytes | None:
        """What ``seal`` was given, or None: it was done with another key, or something is changed."""
        text = sealed[: len(sealed) - size]
        mask, pad = self.stream(nonce, len(text))
        if not compare_digest(self.tag(mask, text, additional)[:size], sealed[len(text) :]):
            return None
        return (int.from_bytes(text, "big") ^ pad).to_bytes(len(text), "big")
