"""AES-128-GCM against the examples of its standards, and against a library."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.gcm import GCM, SBOX, encrypted, expanded

KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308")
NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
TEXT = bytes.fromhex(
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
)
ADDITIONAL = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")


def test_aes_as_fips_197_shows_it() -> None:
    """Figure 7, appendix A.1 and appendices B and C.1."""
    assert SBOX[:4] == bytes.fromhex("637c777b") and SBOX[0x53] == 0xED and SBOX[0xFF] == 0x16
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    assert expanded(key)[1].hex() == "a0fafe1788542cb123a339392a6c7605"
    assert expanded(key)[10].hex() == "d014f9a8c9ee2589e13f0cc8b6630ca6"
    block = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
    assert encrypted(expanded(key), block).hex() == "3925841d02dc09fbdc118597196a0b32"
    assert encrypted(expanded(key), block * 3) == encrypted(expanded(key), block) * 3
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert encrypted(expanded(bytes(range(16))), block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


@pytest.mark.parametrize(
    ("key", "nonce", "plain", "additional", "sealed"),
    [
        (bytes(16), bytes(12), b"", b"", "58e2fccefa7e3061367f1d57a4e7455a"),
        (bytes(16), bytes(12), bytes(16), b"", "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"),
        (KEY, NONCE, PLAIN, b"", TEXT.hex() + "4d5c2af327cd64a62cf35abd2ba6fab4"),
        (KEY, NONCE, PLAIN[:60], ADDITIONAL, TEXT[:60].hex() + "5bc94fbc3221a5db94fae95ae7121a47"),
    ],
    ids=["1", "2", "3", "4"],
)
def test_gcm_as_its_standard_shows_it(key: bytes, nonce: bytes, plain: bytes, additional: bytes, sealed: str) -> None:
    """Test cases 1 to 4 of "The Galois/Counter Mode of Operation", the proposal that became SP 800-38D, appendix B."""
    assert GCM(key).seal(nonce, plain, additional).hex() == sealed
    assert GCM(key).open(nonce, bytes.fromhex(sealed), additional) == plain


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=12, max_size=12),
    st.binary(max_size=99),
    st.binary(max_size=40),
)
def test_a_library_says_the_same(key: bytes, nonce: bytes, plain: bytes, additional: bytes) -> None:
    sealed = AESGCM(key).encrypt(nonce, plain, additional)
    assert GCM(key).seal(nonce, plain, additional) == sealed
    assert GCM(key).open(nonce, sealed, additional) == plain
    assert GCM(key).seal(nonce, plain, additional, 12) == sealed[:-4]
    assert GCM(key).open(nonce, sealed[:-4], additional, 12) == plain


def test_what_is_changed_is_not_opened() -> None:
    sealed = GCM(KEY).seal(NONCE, PLAIN[:20], ADDITIONAL, 12)
    assert GCM(KEY).open(NONCE, sealed, ADDITIONAL, 12) == PLAIN[:20]
    for bit in range(8 * len(sealed)):
        changed = (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big")
        assert GCM(KEY).open(NONCE, changed, ADDITIONAL, 12) is None
    assert GCM(KEY).open(NONCE, sealed, ADDITIONAL[:-1], 12) is None
    assert GCM(KEY).open(NONCE[:-1] + b"\0", sealed, ADDITIONAL, 12) is None
    assert GCM(bytes(16)).open(NONCE, sealed, ADDITIONAL, 12) is None
