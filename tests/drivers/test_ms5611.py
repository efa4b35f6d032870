"""MS5611 and MS5607: the datasheets' examples, the application note's checksum, the cold, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, Sleep, Transfer
from drivers.ms5611 import MS5611, PRESSURE, SHIFTS, TEMPERATURE, Emulator, Settings, calibration, compensated, crc4
from tests.drivers.talk import Exchange, follow, meet

C5611 = (40127, 36924, 23317, 23282, 33464, 28312)
C5607 = (46372, 43981, 29059, 27842, 31553, 28165)


def test_examples_of_the_datasheets() -> None:
    """Figure 2 of each, whose whole numbers lose what is behind the point."""
    warm, pressed = compensated(9_085_466, 8_569_150, C5611, SHIFTS["MS5611"])
    assert (int(warm * 100), int(pressed * 100)) == (2007, 100_009)
    warm, pressed = compensated(6_465_444, 8_077_636, C5607, SHIFTS["MS5607"])
    assert (int(warm * 100), int(pressed * 100)) == (2000, 110_002)


def test_checksum_of_the_application_note() -> None:
    words = [0x3132, 0x3334, 0x3536, 0x3738, 0x3940, 0x4142, 0x4344, 0x450B]
    assert crc4(words) == 0xB and calibration(words) == tuple(words[1:7])
    for at in range(8):
        for bit in (bit for bit in range(16) if (at, bit & 12) != (7, 4)):  # four bits that nobody seals
            spoilt = [word ^ (1 << bit if at == n else 0) for n, word in enumerate(words)]
            with pytest.raises(BadFrame, match="checksum"):
                calibration(spoilt)


@pytest.mark.parametrize("held", [0x0000, 0xFFFF])
def test_a_line_that_is_held_has_no_calibration(held: int) -> None:
    with pytest.raises(BadFrame, match="calibration"):
        calibration([held] * 8)


def whole(d1: int, d2: int, trim: tuple[int, ...], wide: bool) -> tuple[int, int]:
    """Figures 2 and 3 in whole numbers, as their makers mean them: an oracle."""
    c1, c2, c3, c4, c5, c6 = trim
    dt = d2 - (c5 << 8)
    temp = 2000 + (dt * c6 >> 23)
    off = (c2 << (17 if wide else 16)) + (c4 * dt >> (6 if wide else 7))
    sens = (c1 << (16 if wide else 15)) + (c3 * dt >> (7 if wide else 8))
    if temp < 2000:
        t2, square = dt * dt >> 31, (temp - 2000) * (temp - 2000)
        off2, sens2 = (61 * square >> 4, 2 * square) if wide else (5 * square >> 1, 5 * square >> 2)
        if temp < -1500:
            icy = (temp + 1500) * (temp + 1500)
            off2 += (15 if wide else 7) * icy
            sens2 += 8 * icy if wide else 11 * icy >> 1
        temp, off, sens = temp - t2, off - off2, sens - sens2
    return temp, ((d1 * sens >> 21) - off) >> 15


@pytest.mark.parametrize("d2", [7_000_000, 7_700_000, 8_300_000, 8_569_150, 9_300_000])
def test_cold_and_warm_agree_with_whole_numbers(d2: int) -> None:
    for chip, trim, d1 in (("MS5611", C5611, 9_085_466), ("MS5607", C5607, 6_465_444)):
        warm, pressed = compensated(d1, d2, trim, SHIFTS[chip])
        t, p = whole(d1, d2, trim, chip == "MS5607")
        assert warm * 100 == pytest.approx(t, abs=1.5) and pressed * 100 == pytest.approx(p, abs=3)


def test_measures_temperature_then_pressure() -> None:
    device = MS5611("MS5611", Settings())
    meet(device.start(), Emulator("MS5611"))
    script: list[Exchange] = [
        *((Transfer(b"\x58"), b""), (Sleep(0.00904), b""), (Transfer(b"\x00", 3), (8_569_150).to_bytes(3))),
        *((Transfer(b"\x48"), b""), (Sleep(0.00904), b""), (Transfer(b"\x00", 3), (9_085_466).to_bytes(3))),
    ]
    sample = follow(device.measure(), script)
    assert sample[TEMPERATURE] == pytest.approx(20.08, abs=0.01)
    assert sample[PRESSURE] == pytest.approx(1000.09, abs=0.01)


def test_a_chip_that_was_still_busy_is_no_reading() -> None:
    device = MS5611("MS5611", Settings())
    meet(device.start(), Emulator("MS5611"))
    script: list[Exchange] = [(Transfer(b"\x58"), b""), (Sleep(0.00904), b""), (Transfer(b"\x00", 3), bytes(3))]
    with pytest.raises(BadFrame, match="nothing was measured"):
        follow(device.measure(), script)
    assert next(device.measure()) == Transfer(b"\x1e")  # it begins anew: perhaps it lost its power


def test_the_same_number_twice_is_no_reading() -> None:
    device = MS5611("MS5611", Settings())
    meet(device.start(), Emulator("MS5611"))
    same = (8_569_150).to_bytes(3)
    script: list[Exchange] = [
        *((Transfer(b"\x58"), b""), (Sleep(0.00904), b""), (Transfer(b"\x00", 3), same)),
        *((Transfer(b"\x48"), b""), (Sleep(0.00904), b""), (Transfer(b"\x00", 3), same)),
    ]
    with pytest.raises(BadFrame, match="once only"):
        follow(device.measure(), script)
