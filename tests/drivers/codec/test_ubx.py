"""UBX framing, and the messages of old receivers.

The poll of NAV-PVT is that of many programs: its sums, 08 19, and those of the acknowledgement are published."""

from __future__ import annotations

from math import cos, radians, sin, sqrt
from struct import pack

import pytest

from drivers.api import BadFrame, DeviceError
from drivers.codec import ubx
from drivers.codec.ubx import (
    DOP,
    EOE,
    EQUATOR,
    POLE,
    POSLLH,
    PVT,
    SAT,
    SOL,
    STATUS,
    SVINFO,
    TIMEGPS,
    TIMEUTC,
    VELNED,
    Solution,
)

POLL = bytes.fromhex("b5 62 01 07 00 00 08 19")
ACK = bytes.fromhex("b5 62 05 01 02 00 06 01 0f 38")
PLACE = (51.4779, -0.0015)


def fed(*chunks: bytes) -> list[ubx.Frame | BadFrame | bytes]:
    frames = ubx.Frames()
    return [event for chunk in chunks for event in frames.feed(chunk)]


def fix(kind: int = 3, flags: int = 1) -> bytes:
    """The beginning of SOL and STATUS."""
    return pack("<BB", kind, flags)


def sol(kind: int = 3, flags: int = 1, latitude: float = PLACE[0]) -> bytes:
    phi, lam, height, flat = radians(latitude), radians(PLACE[1]), 90.0, 1 - POLE**2 / EQUATOR**2
    bow = EQUATOR / sqrt(1 - flat * sin(phi) ** 2)
    x, y = ((bow + height) * cos(phi) * turn for turn in (cos(lam), sin(lam)))
    z = (bow * (1 - flat) + height) * sin(phi)
    where = pack("<iiiI", *(round(each * 100) for each in (x, y, z)), 100)
    return pack("<ih", 0, 2400) + fix(kind, flags) + where + pack("<iiiIHBBI", 0, 300, 0, 5, 150, 0, 8, 0)


SAID = {
    POSLLH: pack("<iiiiII", round(PLACE[1] * 1e7), round(PLACE[0] * 1e7), 90_000, 44_000, 1000, 1000),
    STATUS: fix() + bytes(10),
    DOP: pack("<7H", 190, 150, 110, 120, 90, 70, 50),
    SOL: sol(),
    VELNED: pack("<iiiIIiII", 10, 20, 30, 37, 22, 6_343_495, 1, 1),
    TIMEGPS: pack("<ihbBI", 0, 2400, 18, 7, 30),
    TIMEUTC: pack("<IiHBBBBBB", 30, -300, 2026, 1, 7, 23, 59, 42, 7),
    EOE: b"",
}


def solved(said: dict[bytes, bytes], seconds: int = 3) -> list[Solution]:
    epochs = ubx.Epochs()
    events: list[Solution | DeviceError] = []
    for second in range(seconds):
        for kind, rest in said.items():
            events += epochs.take(ubx.Frame(kind, pack("<I", 345_600_000 + 1000 * second) + rest))
    assert not [event for event in events if isinstance(event, DeviceError)]
    return [event for event in events if isinstance(event, Solution)]


def only(*kinds: bytes) -> dict[bytes, bytes]:
    return {kind: SAID[kind] for kind in kinds}


def test_frames() -> None:
    assert fed(POLL + ACK) == [ubx.Frame(PVT, b""), ubx.Frame(b"\x05\x01", b"\x06\x01")]
    assert ubx.seal(PVT, b"") == POLL and ubx.seal(b"\x05\x01", b"\x06\x01") == ACK


def test_what_stands_between_comes_out_in_order() -> None:
    assert fed(b"$GP" + POLL + b"x\xb5y" + ACK) == [b"$GP", ubx.Frame(PVT, b""), b"x\xb5y", fed(ACK)[0]]


def test_chunks_of_any_size() -> None:
    data = b"noise" + ACK + b"$\xb5" + POLL + b"\xb5\x62\xff" + ACK
    whole = fed(data)
    for cut in range(len(data)):
        events = fed(data[:cut], data[cut:])
        assert [event for event in events if isinstance(event, ubx.Frame)] == [whole[1], whole[3], whole[5]]
        assert b"".join(event for event in events if isinstance(event, bytes)) == b"noise$\xb5\xb5\x62\xff"


def test_a_false_frame_costs_no_true_one() -> None:
    bad, *good = fed(b"\xb5\x62\x01\x07\x04\x00" + ACK + POLL)
    assert isinstance(bad, BadFrame)
    assert good == [b"\xb5\x62\x01\x07\x04\x00", *fed(ACK), *fed(POLL)]


def test_a_length_that_no_frame_has_holds_nothing_back() -> None:
    assert fed(b"\xb5\x62\x01\x07\xff\xff" + ACK) == [b"\xb5\x62\x01\x07\xff\xff", *fed(ACK)]


def test_every_flipped_bit_is_noticed() -> None:
    assert fed(ACK)  # or the rest proves nothing
    for at in range(len(ACK) * 8):
        spoiled = bytearray(ACK)
        spoiled[at // 8] ^= 1 << at % 8
        assert not [event for event in fed(bytes(spoiled)) if isinstance(event, ubx.Frame)]


def test_old_receivers() -> None:
    for one in solved(only(POSLLH, SOL, VELNED, TIMEUTC)):
        assert (one.dimensions, one.latitude, one.longitude, one.altitude) == (3, *PLACE, 44.0)
        assert (one.speed, one.satellites) == (0.22, 8) and one.track == pytest.approx(63.43495)
    assert solved(only(POSLLH, SOL, VELNED, TIMEUTC))[0].time == "2026-01-07T23:59:42.000Z"


def test_earth_centred() -> None:
    """What gpsd once set receivers to: no position but in metres from the Earth's centre, and GPS time."""
    first, *_ = solved(only(DOP, SOL, TIMEGPS))
    assert first.latitude == pytest.approx(PLACE[0], abs=2e-7)
    assert first.longitude == pytest.approx(PLACE[1], abs=2e-7)
    assert (first.altitude, first.hdop, first.time) == (None, 0.9, "2026-01-07T23:59:42.000Z")
    assert first.speed == pytest.approx(3, abs=1e-3)
    assert first.track == pytest.approx(90, abs=0.01)


@pytest.mark.parametrize("latitude", [-89.99999, -45, -1e-5, 0, 30, 60, 89.99999])
def test_every_latitude(latitude: float) -> None:
    first, *_ = solved({SOL: sol(latitude=latitude)})
    assert first.latitude == pytest.approx(latitude, abs=2e-7)


@pytest.mark.parametrize(("kind", "flags", "dimensions"), [
    (0, 1, 0), (1, 1, 1), (1, 0, 0), (2, 1, 2), (3, 1, 3), (4, 1, 3), (5, 1, 0), (3, 0, 0), (255, 255, 0),
])  # fmt: skip
def test_what_is_a_fix(kind: int, flags: int, dimensions: int) -> None:
    for said in ({SOL: sol(kind, flags)}, {**only(POSLLH), STATUS: fix(kind, flags) + bytes(10)}):
        first, *_ = solved(said)
        assert first.dimensions == dimensions and (first.latitude is not None) == (dimensions > 0)
    first, *_ = solved({STATUS: fix(kind, flags) + bytes(10), **only(POSLLH, SOL)})  # they differ
    assert first.dimensions == dimensions
    assert (first.altitude is not None) == (dimensions in (1, 3))


def test_a_position_of_which_nobody_says_that_it_is_a_fix() -> None:
    assert solved(only(POSLLH, TIMEUTC)) == []


def test_an_epoch_is_over_when_all_came_that_came_last_time() -> None:
    epochs, events = ubx.Epochs(), list[int]()
    for second in range(4):
        for kind in (POSLLH, SOL, TIMEUTC):
            events.append(len(list(epochs.take(ubx.Frame(kind, pack("<I", second) + SAID[kind])))))
    assert events == [0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1]


def test_a_question_is_no_answer() -> None:
    assert [*ubx.Epochs().take(ubx.Frame(PVT, b""))] == []


def test_a_payload_too_short_is_a_bad_frame() -> None:
    (error,) = ubx.Epochs().take(ubx.Frame(PVT, bytes(79)))
    assert isinstance(error, BadFrame)


# What comes at another pace than the position


def sky(elevation: int) -> bytes:
    return pack("<BBBbhhI", 0, 5, 40, elevation, 180, 0, 0)


def channel(elevation: int) -> bytes:
    return pack("<BBBBBbhi", 1, 5, 13, 7, 40, elevation, 180, 0)


SAID[SAT] = pack("<BBH", 1, 4, 0) + b"".join(map(sky, (53, 0, -3, -91)))
SAID[SVINFO] = pack("<BBH", 4, 3, 0) + b"".join(map(channel, (53, 0, -3, -91)))


def paced(slow: bytes, *quick: bytes, first: bool) -> list[Solution]:
    """Ten instants, of which each fifth has *slow* too."""
    epochs, events = ubx.Epochs(), list[Solution | DeviceError]()
    for second in range(10):
        rare = (slow,) if second % 5 == 2 else ()
        for kind in (*rare, *quick) if first else (*quick, *rare):
            events += epochs.take(ubx.Frame(kind, pack("<I", 345_600_000 + 1000 * second) + SAID[kind]))
    return [event for event in events if isinstance(event, Solution)]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("slow", [SAT, SVINFO])
def test_satellites_in_view_told_seldom(slow: bytes, first: bool) -> None:
    seen = [each.in_view for each in paced(slow, POSLLH, SOL, first=first)]
    assert seen.count(2) == 2 and seen.count(None) == len(seen) - 2


@pytest.mark.parametrize("first", [True, False])
def test_velocity_told_seldom(first: bool) -> None:
    solutions = paced(VELNED, POSLLH, STATUS, first=first)
    assert [each.speed for each in solutions if each.speed is not None] == [0.22, 0.22]
    assert all(each.latitude == PLACE[0] for each in solutions)


def test_leap_seconds_told_seldom() -> None:
    """Week and time of week stand in SOL, too, and flags 2 and 3 say so."""
    SAID[SOL] = sol(flags=0x0D)
    told = [each.time for each in paced(TIMEGPS, SOL, first=True)]
    assert told[:2] == [None, None] and told[2:4] == ["2026-01-07T23:59:44.000Z", "2026-01-07T23:59:45.000Z"]
    SAID[SOL] = sol()
    assert len([each.time for each in paced(TIMEGPS, SOL, first=True) if each.time]) == 2


def test_a_status_without_a_place_is_no_solution() -> None:
    """The place may stand in sentences beside it."""
    assert solved(only(STATUS, TIMEUTC, DOP)) == []


def test_raw_measurements_of_many_signals_are_a_frame() -> None:
    frame = ubx.seal(b"\x02\x15", bytes(16 + 32 * 120))
    assert fed(frame[:1000], frame[1000:]) == [ubx.Frame(b"\x02\x15", bytes(16 + 32 * 120))]
