"""DPS310: real chips' coefficients, the registers as the datasheet has them, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, WrongDevice
from drivers.dps310 import DPS310, PRESSURE, TEMPERATURE, Emulator, Settings, calibration, decode
from tests.drivers.talk import meet

# Two chips that people showed in Infineon's issues 23 and 30 of DPS310-Pressure-Sensor
CHIP = (223, -291, 80074, -56035, -3145, 1432, -9919, 152, -1321)
OTHER = (222, -297, 79832, -56308, -2295, 1444, -9701, 111, -1289)


def long_form(p: int, t: int, c: tuple[int, ...]) -> float:
    """The polynomial multiplied out, as Infineon's issue 23 has it: an oracle."""
    _, _, c00, c10, c01, c11, c20, c21, c30 = c
    k, kt = 253952, 524288
    linear = c00 + p * c10 / k + t * c01 / kt + t * p * c11 / (k * kt)
    return linear + p * p * c20 / k**2 + p**3 * c30 / k**3 + t * p * p * c21 / (k * k * kt)


@pytest.mark.parametrize("p", [-200_000, -104_437, -80_000, 60_000])
@pytest.mark.parametrize("coefficients", [CHIP, OTHER])
def test_pressure_of_real_chips(p: int, coefficients: tuple[int, ...]) -> None:
    sample = decode(p, 156_656, coefficients)
    assert sample[PRESSURE] == pytest.approx(long_form(p, 156_656, coefficients) / 100)


def test_a_real_chip_in_a_room() -> None:
    """Raw pressure -1509278 of 3670016 is -0.411246 of full scale, which is -104437 of our 253952."""
    sample = decode(-104_437, 156_656, CHIP)
    assert 1000 < float(sample[PRESSURE]) < 1020 and 24 < float(sample[TEMPERATURE]) < 25


def test_temperature_of_a_real_chip() -> None:
    """Issue 30 works it out: 200498 is -2.57 °C."""
    assert decode(-100_000, 200_498, OTHER)[TEMPERATURE] == pytest.approx(-2.57, abs=0.01)


def test_what_is_measured_has_a_sign() -> None:
    """Two's complement of 24 bits (sections 8.1 and 8.2), of temperature, too, though no chip in a bearable place gets
    there: a library that reads it without differs from us beyond c0 / 2, some 110 °C."""
    device, emulator = DPS310(Settings()), Emulator()
    emulator.raw = -95_000, -1000
    with pytest.raises(BadValue, match=r"temperature 102\.498"):  # 204 / 2 + 261 * 1000 / 524288
        meet(device.measure(), emulator)


def test_calibration_has_signs() -> None:
    assert calibration(bytes.fromhex("0ccefb 13a74f2ea0 f524 04ba d698 0028 faba")) == (
        *(204, -261, 80500, -53600),
        *(-2780, 1210, -10600, 40, -1350),
    )
    assert calibration(bytes.fromhex("8007ff 800007ffff 8000 7fff 7fff 7fff 7fff")) == (
        *(-2048, 2047, -524288, 524287),
        *(-32768, 32767, 32767, 32767, 32767),
    )
    with pytest.raises(BadFrame, match="no calibration"):
        calibration(bytes(18))


def test_settings_reach_the_chip() -> None:
    device, emulator = DPS310(Settings()), Emulator()
    assert meet(device.measure(), emulator)
    assert bytes(emulator.registers[6:10]) == b"\x04\x80\xc0\x04"


def test_the_wrong_gain_of_early_chips_is_put_right() -> None:
    device, emulator = DPS310(Settings()), Emulator()
    meet(device.start(), emulator)
    assert emulator.registers[0x62] == 0
    emulator.registers[0x32] = 0
    meet(device.start(), emulator)
    assert emulator.registers[0x62] == 0x02 and emulator.registers[0x0E] == 0


def test_a_chip_that_was_reset_is_set_up_again() -> None:
    device, emulator = DPS310(Settings()), Emulator()
    meet(device.measure(), emulator)
    emulator.transfer(b"\x0c\x89", 0)
    with pytest.raises(BadFrame, match="forgot its settings"):
        meet(device.measure(), emulator)
    assert len(meet(device.measure(), emulator)) == 2


def test_still_measuring_is_no_reading() -> None:
    def slow(wanted: object, answer: bytes) -> bytes:
        return b"\x04\x80\xc2\x04" if getattr(wanted, "write", b"") == b"\x06" else answer

    assert meet(DPS310(Settings()).measure(), Emulator())
    with pytest.raises(BadFrame, match="still measuring"):
        meet(DPS310(Settings()).measure(), Emulator(), cable=slow)


def test_what_no_place_has_is_no_reading() -> None:
    assert decode(-100_000, 156_656, CHIP)
    with pytest.raises(BadValue, match="pressure"):
        decode(253_952, 156_656, CHIP)
    with pytest.raises(BadValue, match="temperature"):
        decode(-100_000, -(2**23), CHIP)


def test_says_what_it_found() -> None:
    emulator = Emulator()
    emulator.registers[0x0D] = 0x11
    with pytest.raises(WrongDevice, match="product id 0x11; a DPS310 has 0x10"):
        meet(DPS310(Settings()).start(), emulator)
    emulator.registers[0x0D] = 0xFF
    with pytest.raises(BadFrame, match="held"):
        meet(DPS310(Settings()).start(), emulator)


def test_one_that_does_not_start_is_no_sensor() -> None:
    emulator = Emulator()
    device = DPS310(Settings()).start()

    def stopped(wanted: object, answer: bytes) -> bytes:
        return b"\x40" if getattr(wanted, "write", b"") == b"\x08" else answer

    with pytest.raises(BadFrame, match="not started"):
        meet(device, emulator, cable=stopped)
