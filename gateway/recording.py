"""A recording: what went over a device's wire, as text that people read and compare, and that replays.

    # Device Gateway recording
    # device: attic
    # driver: sht31
    # date: 2026-11-20T17:00:00.000Z
    0.000 > 24 00                                            # $.
    0.016 < 66 4c 93 7d 4b ae                                # fL.}K.

Each line holds seconds since that date, ``>`` to the device or ``<`` from it, at most sixteen bytes in hexadecimal, and
the same as text, which is not read back.  Bytes of one time and way belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

FIRST = "# Device Gateway recording"
WIDTH = 16  # bytes in a line
LINE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?) ([<>]) ((?:[0-9a-fA-F]{2} ?)+)\s*(?:#.*)?")
ABOUT = re.compile(r"# (\w+): ?(.*)")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that went one way at once, so many seconds after the beginning."""

    at: float
    way: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """Bytes, and what is known of the device: driver, period (seconds), settings (JSON), date and more, as text."""

    pieces: tuple[Piece, ...]
    about: Mapping[str, str] = field(default_factory=dict)


def heading(about: Mapping[str, str]) -> Iterator[str]:
    """The first lines."""
    yield FIRST
    for key, text in about.items():
        yield f"# {key}: {' '.join(text.split())}"


def lines(pieces: Iterable[Piece]) -> Iterator[str]:
    for piece in pieces:
        for at in range(0, len(piece.data), WIDTH):
            part = piece.data[at : at + WIDTH]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
            yield f"{piece.at:.3f} {piece.way} {part.hex(' '):{WIDTH * 3}} # {text}"


def parse(text: str) -> Recording:
    """The recording in *text*.  ValueError, with the number of the line, where it is none."""
    about: dict[str, str] = {}
    pieces: list[Piece] = []
    if not text.startswith(FIRST):
        raise ValueError(f"line 1: a recording begins with `{FIRST}`")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            if not pieces and (found := ABOUT.fullmatch(line.rstrip())):
                about[found[1]] = found[2]
            continue
        if (match := LINE.fullmatch(line)) is None:
            raise ValueError(f"line {number}: no `TIME < HEX`: {line[:60]}")
        piece = Piece(float(match[1]), match[2], bytes.fromhex(match[3]))
        if pieces and piece.at < pieces[-1].at:
            raise ValueError(f"line {number}: {piece.at:g} s comes before {pieces[-1].at:g} s")
        if pieces and (piece.at, piece.way) == (pieces[-1].at, pieces[-1].way):
            piece = Piece(piece.at, piece.way, pieces.pop().data + piece.data)
        pieces.append(piece)
    return Recording(tuple(pieces), about)
