"""INA219 and INA226: their datasheets' examples, what is clipped, and which of the two it is."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sample, Sleep, Transfer, WrongDevice
from drivers.ina219 import CHIPS, RESET, Emulator, Monitor, Settings, decode, put
from tests.drivers.talk import Exchange, follow, meet

INA219, INA226 = CHIPS["ina219"], CHIPS["ina226"]


def named(sample: Sample) -> dict[str, object]:
    return {quantity.name: value for quantity, value in sample.items()}


def on_the_wire(name: str, shunt: str, bus: str, mask: str = "0008") -> dict[str, object]:
    device = Monitor(CHIPS[name], Settings(shunt=0.002, samples=1))
    read = {register: Transfer(bytes((register,)), 2) for register in (1, 2, 6)}
    script: list[Exchange] = [
        (Transfer(bytes.fromhex("00 3c43" if name == "ina219" else "00 4123")), b""),
        (Sleep(device.duration), b""),
        (read[2], bytes.fromhex(bus)) if name == "ina219" else (read[6], bytes.fromhex(mask)),
        (read[2], bytes.fromhex(bus)),
        (read[1], bytes.fromhex(shunt)),
    ]
    return named(follow(device.measure(), script))


@pytest.mark.parametrize(("name", "shunt", "bus"), [("ina219", "07d0", "5d9a"), ("ina226", "1f40", "2570")])
def test_example_of_the_datasheets(name: str, shunt: str, bus: str) -> None:
    assert on_the_wire(name, shunt, bus) == pytest.approx({"voltage": 11.98, "current": 10.0, "power": 119.8})


def test_current_flows_both_ways() -> None:
    """INA219 table 7: -300 mV is 8AD0; INA226 7.6.2: -80 mV is 8300."""
    assert on_the_wire("ina219", "8ad0", "5d9a")["current"] == pytest.approx(-150)
    assert on_the_wire("ina226", "8300", "2570")["current"] == pytest.approx(-40)


def test_waits_for_the_longest_conversion() -> None:
    """INA219 table 5: 64 samples take 34.05 ms for each of two; INA226: 64 times 1.21 ms at most."""
    assert Monitor(INA219, Settings(samples=64)).duration > 2 * 0.03405
    assert Monitor(INA226, Settings(samples=64)).duration > 2 * 64 * 0.00121 * 0.999


@pytest.mark.parametrize(("samples", "word"), [(1, 0x3C43), (4, 0x3D53), (16, 0x3E63), (64, 0x3F73)])
def test_configuration_of_an_ina219(samples: int, word: int) -> None:
    """32 V, 320 mV; codes 1000, 1010, 1100, 1110 (table 5); triggered."""
    assert INA219.once[samples] == word


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("ina219", -32000, 32000), ("ina226", -32768, 32767)],  # what it says of more
)
def test_the_end_of_the_range_is_no_reading(name: str, low: int, high: int) -> None:
    chip = CHIPS[name]
    for clipped, good in (low, low + 1), (high, high - 1):
        assert decode(chip, good, 0, 0.1)
        with pytest.raises(BadValue, match="end of the range"):
            decode(chip, clipped, 0, 0.1)


@pytest.mark.parametrize(("name", "good", "bad"), [("ina219", "cb22", "cb2a"), ("ina226", "7080", "7081")])
def test_more_than_the_chip_bears_is_no_reading(name: str, good: str, bad: str) -> None:
    assert on_the_wire(name, "0000", good)["voltage"] in (26.0, 36.0)
    with pytest.raises(BadValue, match="voltage"):
        on_the_wire(name, "0000", bad)


def test_no_conversion_no_reading() -> None:
    for name, bus, mask in ("ina219", "5d98", ""), ("ina226", "2570", "0004"):
        with pytest.raises(BadFrame, match="no measurement"):
            on_the_wire(name, "07d0", bus, mask)


def test_knows_the_one_from_the_other() -> None:
    for mine, other in (INA219, INA226), (INA226, INA219):
        assert meet(Monitor(mine, Settings()).start(), Emulator(mine)) == ""
        with pytest.raises(WrongDevice, match=f"this is an {other.title}"):
            meet(Monitor(mine, Settings()).start(), Emulator(other))


def test_another_die_is_refused_and_a_held_line_is_no_die() -> None:
    def start(maker: str, die: str) -> str:
        script = [
            (put(RESET), b""),
            (Transfer(b"\x00", 2), b"\x41\x27"),
            (Transfer(b"\xfe", 2), bytes.fromhex(maker)),
            (Transfer(b"\xff", 2), bytes.fromhex(die)),
        ]
        return follow(Monitor(INA226, Settings()).start(), script)

    assert start("5449", "2260") == ""
    with pytest.raises(WrongDevice, match="maker 5449 and die 2270"):
        start("5449", "2270")
    with pytest.raises(BadFrame):
        start("0000", "0000")


@pytest.mark.parametrize("shunt", [0.0, -0.1, float("nan"), 1000.0])
def test_shunts_that_cannot_be(shunt: float) -> None:
    assert Settings(shunt=0.0005)
    with pytest.raises(ValueError, match="shunt"):
        Settings(shunt=shunt)
