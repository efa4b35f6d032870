"""BME680: Bosch's formulas in fractions against those in whole numbers, the registers, and what is no reading."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Operation, Sleep, Transfer, WrongDevice
from drivers.bme680 import (
    BME680,
    BME688,
    DATA,
    GAS,
    HUMIDITY,
    BME68x,
    Emulator,
    Settings,
    calibration,
    decode,
    fine_temperature,
    heat_register,
    ohms,
    ohms_688,
    pascal,
    percent,
)
from tests.drivers.talk import meet

REGISTERS = Emulator().registers
TRIM = calibration(bytes(REGISTERS[0x8A:0xA1]), bytes(REGISTERS[0xE1:0xEF]), bytes(REGISTERS[0:5]))
# The tables of the gas formula in whole numbers
ONE = {5: 2126008810, 7: 2130303777, 10: 2143188679, 11: 2136746228, 13: 2126008810}
TWO = (4096000000, 2048000000, 1024000000, 512000000, 255744255, 127110228, 64000000, 32258064, 16016016, 8000000,
       4000000, 2000000, 1000000, 500000, 250000, 125000)  # fmt: skip


def whole_temperature(adc: int) -> int:
    """t_fine, as the datasheet's other formula has it; the functions below likewise: oracles."""
    t1, t2, t3 = TRIM.t
    a = (adc >> 3) - (t1 << 1)
    return (a * t2 >> 11) + (((a >> 1) * (a >> 1) >> 12) * (t3 << 4) >> 14)


def whole_pressure(adc: int, fine: int) -> int:
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = TRIM.p
    a = (fine >> 1) - 64000
    b = (((a >> 2) * (a >> 2) >> 11) * p6 >> 2) + (a * p5 << 1)
    b = (b >> 2) + (p4 << 16)
    c = ((((a >> 2) * (a >> 2) >> 13) * (p3 << 5)) >> 3) + (p2 * a >> 1) >> 18
    c = (32768 + c) * p1 >> 15
    p = ((1048576 - adc - (b >> 12)) * 3125 << 1) // c
    d = p9 * ((p >> 3) * (p >> 3) >> 13) >> 12
    return p + (d + ((p >> 2) * p8 >> 13) + ((p >> 8) ** 3 * p10 >> 17) + (p7 << 7) >> 4)


def whole_humidity(adc: int, fine: int) -> float:
    h1, h2, h3, h4, h5, h6, h7 = TRIM.h
    t = fine * 5 + 128 >> 8
    a = adc - h1 * 16 - (t * h3 // 100 >> 1)
    b = h2 * (t * h4 // 100 + (t * (t * h5 // 100) >> 6) // 100 + (1 << 14)) >> 10
    c = a * b
    d = (h6 << 7) + t * h7 // 100 >> 4
    e = (c >> 14) * (c >> 14) >> 10
    return ((c + (d * e >> 1) >> 10) * 1000 >> 12) / 1000


def whole_gas(adc: int, range_: int, error: int) -> int:
    a = (1340 + 5 * error) * ONE.get(range_, 2147483647) >> 16
    b = (adc << 15) - 16777216 + a
    return ((TWO[range_] * a >> 9) + (b >> 1)) // b


def whole_heat(target: int) -> int:
    (g1, g2, _), (value, range_, _) = TRIM.g, TRIM.heater
    b = (g1 + 784) * (((g2 + 154009) * target * 5 // 100 + 3276800) // 10)
    c = b // 2 / (range_ + 4) / (131 * value + 65536)
    return int(((c - 250) * 34 + 50) / 100)


def test_calibration() -> None:
    assert TRIM.t == (26050, 26400, 3)
    assert TRIM.p == (36400, -10400, 88, 7000, -120, 30, 40, -3000, -2500, 30)
    assert TRIM.h == (790, 1010, 0, 45, 20, 120, -100)
    assert (TRIM.g, TRIM.heater) == ((-30, -5600, 18), (40, 1, 1))


def test_heater_calibration_has_signs() -> None:
    heater = b"\xd8\x00\x30\x00\xf7"
    assert calibration(bytes(REGISTERS[0x8A:0xA1]), bytes(REGISTERS[0xE1:0xEF]), heater).heater == (-40, 3, -1)


@pytest.mark.parametrize("adc_t", [400_000, 485_000, 560_000])
def test_agrees_with_the_formulas_in_whole_numbers(adc_t: int) -> None:
    fine, whole = fine_temperature(adc_t, TRIM.t), whole_temperature(adc_t)
    assert fine / 5120 == pytest.approx((whole * 5 + 128 >> 8) / 100, abs=0.01)
    for adc in (300_000, 340_000, 420_000):
        assert pascal(adc, fine, TRIM.p) == pytest.approx(whole_pressure(adc, whole), abs=12)
    for adc in (16_000, 20_500, 26_000):
        assert percent(adc, fine / 5120, TRIM.h) == pytest.approx(whole_humidity(adc, whole), abs=0.1)


@pytest.mark.parametrize("range_", range(16))
@pytest.mark.parametrize("adc", [0, 300, 700, 1023])
@pytest.mark.parametrize("error", [-8, 0, 7])
def test_gas_agrees_with_the_formula_in_whole_numbers(range_: int, adc: int, error: int) -> None:
    assert ohms(adc, range_, error) == pytest.approx(whole_gas(adc, range_, error), rel=1e-3, abs=1)


@pytest.mark.parametrize(("register", "error"), [(0x00, 0), (0x70, 7), (0xF0, -1), (0x80, -8)])
def test_the_error_of_its_range_has_a_sign(register: int, error: int) -> None:
    """Four bits, as the datasheet and Bosch's own code have them.  Who reads them without, as some libraries
    do, is up to 4 % off where they are negative."""
    trim = calibration(bytes(REGISTERS[0x8A:0xA1]), bytes(REGISTERS[0xE1:0xEF]), bytes((40, 0, 0x10, 0, register)))
    assert decode(answer(), trim)[GAS] == pytest.approx(whole_gas(500, 7, error), abs=1)


@pytest.mark.parametrize("target", [200, 320, 400])
def test_heater_agrees_with_the_formula_in_whole_numbers(target: int) -> None:
    """But for the air around it, of which the whole numbers lose nearly all."""
    assert heat_register(target, 0, TRIM) == pytest.approx(whole_heat(target), abs=1)
    # 18 / 1024 * 100 * 4 / (4 + 1) / (1 + 40 * 0.002) * 3.4 is 4.4
    assert heat_register(target, 100, TRIM) - heat_register(target, 0, TRIM) in (4, 5)


def answer(status: int = 0x80, gas: int = 0x37, p: int = 330_000, h: int = 20_500) -> bytes:
    return DATA[BME680].pack(status, (p << 4).to_bytes(3, "big"), (485_000 << 4).to_bytes(3, "big"), h, 125, gas)


def test_measures() -> None:
    sample = {quantity.name: value for quantity, value in decode(answer(), TRIM).items()}
    wanted = {"temperature": 21.47, "pressure": 1034.5, "humidity": 38.9, "gas_resistance": 63_576}
    assert sample == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("gas", [0x27, 0x17, 0x07])
def test_gas_that_is_not_valid_or_of_a_cold_plate_is_left_out(gas: int) -> None:
    assert GAS in decode(answer(), TRIM)
    sample = decode(answer(gas=gas), TRIM)
    assert GAS not in sample and len(sample) == 3


def test_no_reading() -> None:
    with pytest.raises(BadFrame, match="nothing new"):
        decode(answer(status=0x20), TRIM)
    with pytest.raises(BadValue, match="not measured"):
        decode(answer(p=0x80000), TRIM)
    with pytest.raises(BadValue, match="not measured"):
        decode(answer(h=0x8000), TRIM)
    with pytest.raises(BadFrame, match="in place of 15"):
        decode(answer()[:-1], TRIM)


def test_fog_is_not_cut_but_nonsense_is_no_reading() -> None:
    foggy = next(h for h in range(20_500, 60_000, 20) if percent(h, 21.47, TRIM.h) > 101)
    assert 101 < float(decode(answer(h=foggy), TRIM)[HUMIDITY]) < 102
    with pytest.raises(BadValue, match="humidity"):
        decode(answer(h=foggy + 2000), TRIM)


def test_settings_reach_the_chip_and_it_waits() -> None:
    device, emulator = BME68x(BME680, Settings(oversampling=16)), Emulator()
    waited: list[Operation | Sleep] = []

    def note(wanted: Operation | Sleep, came: bytes) -> bytes:
        waited.append(wanted)
        return came

    meet(device.measure(), emulator, cable=note)
    r = emulator.registers
    assert [r[at] for at in (0x64, 0x70, 0x71, 0x72, 0x74, 0x75)] == [0x65, 0, 0x10, 5, 0b101_101_01, 0]
    assert r[0x5A] == heat_register(320, 25, TRIM)
    assert [each.seconds for each in waited if isinstance(each, Sleep)] == [device.duration] and device.duration > 0.24


def test_one_that_lost_power_is_told_all_again() -> None:
    device, emulator = BME68x(BME680, Settings()), Emulator()
    meet(device.measure(), emulator)
    emulator.registers[0x5A:0x76] = bytes(0x1C)
    assert len(meet(device.measure(), emulator)) == 4 and emulator.registers[0x71] == 0x10


def test_says_what_it_found() -> None:
    emulator = Emulator()
    assert meet(BME68x(BME680, Settings()).start(), emulator) == ""
    told = (0xF0, 1, "variant 0x1: a BME680 has 0x0"), (0xD0, 0x60, "0x60 is a BME280; a BME680 or 688 has 0x61")
    for register, value, words in told:
        emulator = Emulator()
        emulator.registers[register] = value
        with pytest.raises(WrongDevice, match=words):
            meet(BME68x(BME680, Settings()).start(), emulator)


@pytest.mark.parametrize("found", [0x00, 0xFF])
def test_a_line_that_is_held_is_no_other_chip(found: int) -> None:
    emulator = Emulator()
    emulator.registers[0xD0] = found
    with pytest.raises(BadFrame, match="held"):
        meet(BME68x(BME680, Settings()).start(), emulator)
    assert next(BME68x(BME680, Settings()).start()) == Transfer(b"\xd0", 1)


def test_blank_calibration_is_refused() -> None:
    for blank in (b"\x00", b"\xff"):
        with pytest.raises(BadFrame, match="no calibration"):
            calibration(blank * 23, blank * 14, bytes(5))


def test_a_bme688_has_its_gas_elsewhere() -> None:
    """The formula of its datasheet, 3.4.1, in whole numbers."""
    for range_ in range(16):
        for adc in (0, 300, 700, 1023):
            whole = 10000 * (262144 >> range_) * 100 // (4096 + 3 * (adc - 512))
            assert ohms_688(adc, range_) == pytest.approx(whole, abs=1)
    device, emulator = BME68x(BME688, Settings()), Emulator(BME688)
    assert meet(device.start(), emulator) == ""
    sample = {quantity.name: value for quantity, value in meet(device.measure(), emulator).items()}
    assert emulator.registers[0x71] == 0x20 and sample["pressure"] == pytest.approx(1034.5, rel=2e-3)
    assert sample["gas_resistance"] == pytest.approx(1e6 * 2048 / (4096 + 3 * (500 - 512)))
    with pytest.raises(WrongDevice, match="a BME688 0x1"):
        meet(device.start(), Emulator(BME680))
