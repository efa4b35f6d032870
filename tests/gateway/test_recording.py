"""The format of recordings: what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway import recording
from gateway.recording import FIRST, Piece, Recording, heading, lines, parse

ABOUT = {"device": "attic", "driver": "sht31", "settings": '{"repeatability": "high"}'}


def written(made: Recording) -> str:
    return "\n".join([*heading(made.about), *lines(made.pieces)]) + "\n"


def test_the_example_is_a_recording() -> None:
    assert recording.__doc__ is not None
    text = "\n".join(line[4:] for line in recording.__doc__.splitlines() if line.startswith("    "))
    made = parse(text)
    assert made.about["driver"] == "sht31"
    assert made.pieces == (Piece(0, ">", b"\x24\x00"), Piece(0.016, "<", bytes.fromhex("664c937d4bae")))
    assert written(made).rstrip("\n") == text


@given(some.lists(some.tuples(some.sampled_from("<>"), some.binary(min_size=1, max_size=50)), max_size=8))
def test_what_is_written_is_read_back(said: list[tuple[str, bytes]]) -> None:
    made = Recording(tuple(Piece(at / 8, way, data) for at, (way, data) in enumerate(said)), ABOUT)
    assert parse(written(made)) == made
    assert all(len(line) < 80 for line in lines(made.pieces))


def test_bytes_of_one_time_and_way_belong_together() -> None:
    made = parse(f"{FIRST}\n1.0 < 01\n1.0 < 02 03\n1.0 > 04\n1.5 > 05\n")
    assert made.pieces == (Piece(1, "<", b"\1\2\3"), Piece(1, ">", b"\4"), Piece(1.5, ">", b"\5"))


def test_notes_stand_anywhere_and_what_is_known_at_the_top() -> None:
    made = parse(f"{FIRST}\n# driver: gps\n\n1.0 < 01\n# driver: here it was pulled\n2.0 < 02\n")
    assert made.about == {"driver": "gps"} and len(made.pieces) == 2


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("$GPGGA,1,2\n", "line 1: a recording begins with"),
        ("", "line 1"),
        (f"{FIRST}\n1.0 < 0\n", "line 2: no `TIME < HEX`"),
        (f"{FIRST}\n1.0 = 00\n", "line 2: no `TIME < HEX`"),
        (f"{FIRST}\n-1 < 00\n", "line 2: no `TIME < HEX`"),
        (f"{FIRST}\n2.0 < 00\n1.0 < 00\n", "line 3: 1 s comes before 2 s"),
    ],
)
def test_what_is_no_recording(text: str, about: str) -> None:
    with pytest.raises(ValueError, match=about):
        parse(text)
