"""NMEA 0183 framing and fields.

Sentences are published examples: Dale DePriest's "NMEA data" (RMC, GGA), a u-blox NEO-6M without reception (RMC V),
gpsd's "NMEA Revealed" (ZDA)."""

from __future__ import annotations

import random
from datetime import date
from functools import reduce
from operator import xor

import pytest

from drivers.api import BadFrame, BadValue
from drivers.codec.nmea import LATITUDES, LONGEST, LONGITUDES, NOISE, Sentences, calendar, checksum, degrees, moment

RMC = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"
GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
VOID = b"$GPRMC,,V,,,,,,,,,,N*53\r\n"
ZDA = b"$GPZDA,201530.00,04,07,2002,00,00*60\r\n"
ALL = RMC + GGA + VOID + ZDA
BODIES = [line[1:-3] for line in ALL.splitlines()]


def fed(*chunks: bytes) -> list[bytes | str]:
    """Bodies, and the class names of errors."""
    sentences = Sentences()
    events = [event for chunk in chunks for event in sentences.feed(chunk)]
    return [event if isinstance(event, bytes) else type(event).__name__ for event in events]


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_checksum() -> None:
    assert checksum(b"") == 0
    assert checksum(GGA[1:-5]) == 0x47
    noise = random.Random(1)
    for length in range(LONGEST + 1):
        body = noise.randbytes(length)
        assert checksum(body) == reduce(xor, body, 0)


def test_sentences() -> None:
    assert fed(ALL) == BODIES


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b" \r\n", b"  \t\n", b"\0\n"], ids=repr)
def test_ends_of_line(end: bytes) -> None:
    data = ALL.replace(b"\r\n", end)
    assert fed(data) == fed(*single(data)) == BODIES


def test_chunks_of_any_size() -> None:
    for cut in range(len(ALL)):
        assert fed(ALL[:cut], b"", ALL[cut:]) == BODIES
    assert fed(*single(ALL)) == BODIES


def test_small_letters_in_the_checksum() -> None:
    assert fed(RMC.replace(b"6A", b"6a")) == BODIES[:1]


@pytest.mark.parametrize(
    "bad",
    [
        GGA.replace(b"*47", b"*48"),
        GGA.replace(b"*47", b""),
        GGA.replace(b"*47", b"*4"),
        GGA.replace(b"*47", b"*4G"),
        GGA.replace(b"*47", b"*+7"),
        GGA.replace(b"*47", b"*471"),
        GGA.replace(b"4807", b"4808"),
        GGA.replace(b"GPGGA", b"G\xc3PGGA"),
    ],
)
def test_without_its_checksum_it_is_no_sentence(bad: bytes) -> None:
    assert fed(RMC + bad + ZDA) == [BODIES[0], "BadFrame", BODIES[3]]


def test_bytes_past_ascii_are_refused_even_where_the_checksum_holds() -> None:
    body = b"GPTXT,\xff\xfe"
    assert fed(b"$%s*%02X\r\n" % (body, checksum(body))) == ["BadFrame"]


@pytest.mark.parametrize("cut", range(3, len(RMC) - 5))
def test_sentence_behind_a_torn_one_is_not_lost(cut: int) -> None:
    assert fed(RMC[:cut] + GGA) == fed(*single(RMC[:cut] + GGA)) == ["BadFrame", BODIES[1]]


def test_two_sentences_in_one_line() -> None:
    assert fed(RMC.strip() + GGA) == BODIES[:2]


def test_binary_frames_between_sentences_are_passed_over() -> None:
    ubx = bytes.fromhex("b562 0107 0500 0a24 0d24 ff 3a1c")  # UBX-NAV with line ends and $ in it
    assert fed(RMC + ubx + GGA + ubx + ZDA) == [BODIES[0], BODIES[1], BODIES[3]]


@pytest.mark.parametrize(
    "garmin", [b"$PGRME,15.0,M,45.0,M,25.0,M*1C\r\n", b"$PMTK001,604,3*00\r\n", b"$P" + b"9" * 500]
)
def test_what_makers_say_of_their_own_is_no_error(garmin: bytes) -> None:
    assert [body for body in fed(garmin + RMC) if body != garmin[1:-5]] == BODIES[:1]


def test_a_line_without_end_is_bounded_and_the_next_sentence_found() -> None:
    endless = b"$GPGGA," + b"1" * 500
    for chunks in ([endless + RMC], single(endless + RMC)):
        assert fed(*chunks) == ["BadFrame", BODIES[0]]
    sentences = Sentences()
    for byte in single(endless + RMC[:20] + endless):
        list(sentences.feed(byte))
        assert len(sentences.tail) <= LONGEST


def test_only_noise_is_told() -> None:
    noise = bytes(byte for byte in random.Random(2).randbytes(4000) if byte not in b"$")
    assert fed(noise[:NOISE]) == []
    assert set(fed(*single(noise))) == {"BadFrame"}
    assert fed(noise[:900], RMC, noise[:900]) == BODIES[:1]  # a sentence in between: the line is fine


def test_ships_that_speak_on_the_same_line_are_no_noise() -> None:
    """A multiplexer mixes AIS (!) with the receiver's sentences; the message is that of gpsd's "AIVDM/AIVDO"."""
    ais = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C\r\n"
    assert fed(ais * 60, RMC) == [ais[1:-5]] * 60 + BODIES[:1]
    assert fed(ais.replace(b"B", b"C") * 60) == ["BadFrame"] * 2  # a wrong checksum: that is noise


def test_tag_blocks_are_no_noise() -> None:
    sentences = Sentences()
    assert [*sentences.feed(b"\\s:mast,c:1234567890*55\\" + RMC)] == BODIES[:1]
    assert (sentences.noise, sentences.passed) == (0, 0)
    assert [*sentences.feed(b"!\\" + RMC)] == BODIES[:1] and sentences.passed == 2


def test_a_sentence_longer_than_the_standard_has_them() -> None:
    body = b"IIXDR" + b",A,-3.0,D,HEEL" * 15
    assert 200 < len(body) < LONGEST
    assert fed(b"$%s*%02X\r\n" % (body, checksum(body))) == [body]


def test_a_sentence_without_checksum_is_told_so() -> None:
    sentences = Sentences()
    (error,) = sentences.feed(b"$GPGLL,4916.45,N,12311.12,W,225444,A\r\n")
    assert str(error) == "no checksum: $GPGLL,4916.45,N,12311.12,W,225444,A"


@pytest.mark.parametrize(
    ("raw", "text", "at"),
    [
        (b"123519", "12:35:19.000", 45_319_000),
        (b"000000.2", "00:00:00.200", 200),
        (b"235959.9999", "23:59:59.999", 86_399_999),
        (b"235960.00", "23:59:60.000", 86_400_000),
    ],
)
def test_moment(raw: bytes, text: str, at: int) -> None:
    assert moment(raw) == (text, at)


@pytest.mark.parametrize(
    "raw", [b"240000", b"126000", b"120061", b"12351", b"1235199", b"12:519", b"123519.x", b"-12351"]
)
def test_no_clock_shows_it(raw: bytes) -> None:
    with pytest.raises(BadValue):
        moment(raw)


def test_calendar() -> None:
    assert calendar(b"23", b"03", b"94") == date(1994, 3, 23)
    assert calendar(b"20", b"11", b"26") == calendar(b"20", b"11", b"2026") == date(2026, 11, 20)
    assert calendar(b"29", b"02", b"24") == date(2024, 2, 29)
    assert calendar(b"", b"", b"") is None
    assert calendar(b"00", b"00", b"00") is calendar(b"00", b"00", b"0000") is None  # not known yet
    for wrong in ((b"29", b"02", b"23"), (b"00", b"01", b"20"), (b"01", b"13", b"20"), (b"+1", b"01", b"20")):
        with pytest.raises(BadValue):
            calendar(*wrong)


def test_degrees() -> None:
    assert degrees(b"4807.038", b"N", LATITUDES) == pytest.approx(48.1173, abs=1e-9)
    assert degrees(b"01131.000", b"W", LONGITUDES) == pytest.approx(-11.516666667, abs=1e-9)
    assert degrees(b"4134.49821229", b"S", LATITUDES) == pytest.approx(-41.574970205, abs=1e-9)
    for raw, letter in (
        (b"4860.000", b"N"),
        (b"-4807.038", b"N"),
        (b"4807.038", b""),
        (b"4807.0", b"E"),
        (b"nan", b"N"),
    ):
        with pytest.raises(BadValue):
            degrees(raw, letter, LATITUDES)


def test_errors_name_what_came() -> None:
    (error,) = Sentences().feed(b"$GPGGA,\xff*00\r\n")
    assert isinstance(error, BadFrame) and r"$GPGGA,\xff*00" in str(error)
