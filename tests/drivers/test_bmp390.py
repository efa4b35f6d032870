"""BMP390 and BMP388: the formulas against those in whole numbers, settings, and what must never become a reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer, WrongDevice
from drivers.bmp390 import (
    COEFFICIENTS,
    DATA,
    READY,
    TRIM,
    BMP3xx,
    Emulator,
    Settings,
    calibration,
    decode,
    pascal,
    warmth,
)
from tests.drivers.talk import meet

RAW = bytes(Emulator("BMP390").registers[TRIM : TRIM + COEFFICIENTS.size])
T = calibration(RAW)


def whole(adc_p: int, adc_t: int) -> tuple[int, int]:
    """Hundredths of °C and of Pa, as Bosch's sensor driver has them in whole numbers of 64 bits: an oracle."""
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11 = COEFFICIENTS.unpack(RAW)
    a = adc_t - 256 * t1
    lin = t2 * a * 262_144 + t3 * a * a
    lin = int(lin / 4_294_967_296)
    temperature = int(lin * 25 / 16_384)
    b = lin * lin
    c = int(int(b / 64) * lin / 256)
    offset = p5 * 140_737_488_355_328 + int(p8 * c / 32) + p7 * b * 16 + p6 * lin * 4_194_304
    sens = (p1 - 16_384) * 70_368_744_177_664 + p4 * c + p3 * b * 4 + (p2 - 16_384) * lin * 2_097_152
    d = int(sens / 16_777_216) * adc_p
    e = p10 * lin + 65_536 * p9
    f = int(int(e * adc_p / 8192) * adc_p / 512)
    g = int(p11 * adc_p * adc_p / 65_536) * adc_p // 128
    return temperature, int((offset // 4 + d + f + g) * 25 / 1_099_511_627_776)


@pytest.mark.parametrize("adc_t", [7_500_000, 8_300_000, 9_000_000])
@pytest.mark.parametrize("adc_p", [6_400_000, 7_000_000, 7_600_000])
def test_agrees_with_the_formulas_in_whole_numbers(adc_t: int, adc_p: int) -> None:
    celsius = warmth(adc_t, T[:3])
    hundredths, pressed = whole(adc_p, adc_t)
    assert celsius * 100 == pytest.approx(hundredths, abs=1.5)
    assert pascal(adc_p, celsius, T[3:]) == pytest.approx(pressed / 100, abs=1)


def answer(errors: int = 0, status: int = READY, p: int = 7_000_000, t: int = 8_300_000) -> bytes:
    return DATA.pack(errors, status, p.to_bytes(3, "little"), t.to_bytes(3, "little"))


def test_measures() -> None:
    sample = {quantity.name: value for quantity, value in decode(answer(), T).items()}
    assert sample == pytest.approx({"temperature": 21.5, "pressure": 1001.73}, abs=0.01)


def test_no_reading() -> None:
    for status in (0x00, 0x20, 0x40):
        with pytest.raises(BadFrame, match="nothing new"):
            decode(answer(status=status), T)
    with pytest.raises(BadFrame, match="settings"):
        decode(answer(errors=4), T)
    with pytest.raises(BadValue, match="not measured"):
        decode(answer(p=0x800000), T)
    with pytest.raises(BadFrame, match="in place of"):
        decode(answer()[:-1], T)
    for blank in (b"\x00", b"\xff"):
        with pytest.raises(BadFrame, match="no calibration"):
            calibration(blank * COEFFICIENTS.size)


def test_says_what_it_found() -> None:
    assert meet(BMP3xx("BMP388", Settings()).start(), Emulator("BMP388")) == ""
    with pytest.raises(WrongDevice, match="0x50 is a BMP388; a BMP390 has 0x60"):
        meet(BMP3xx("BMP390", Settings()).start(), Emulator("BMP388"))
    for held in (0x00, 0xFF):
        emulator = Emulator("BMP390")
        emulator.registers[0] = held
        with pytest.raises(BadFrame, match="held"):
            meet(BMP3xx("BMP390", Settings()).start(), emulator)


@pytest.mark.parametrize(("oversampling", "register", "least"), [(1, 0, 0.0048), (8, 3, 0.0189), (32, 13, 0.0695)])
def test_oversampling_reaches_the_chip_and_takes_its_time(oversampling: int, register: int, least: float) -> None:
    device, emulator = BMP3xx("BMP390", Settings(oversampling=oversampling)), Emulator("BMP390")  # type: ignore[arg-type]
    waited: list[float] = []

    def note(wanted: Transfer | Sleep | object, came: bytes) -> bytes:
        waited.extend([wanted.seconds] if isinstance(wanted, Sleep) else [])
        return came

    meet(device.start(), emulator)
    meet(device.measure(), emulator, cable=note)
    assert emulator.registers[0x1C] == register and waited == [device.duration] and least < device.duration < 0.1
