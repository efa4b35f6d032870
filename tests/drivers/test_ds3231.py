"""DS3231, DS1307, DS1338: times as their registers have them, clocks that stood still, and setting them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drivers.api import BadFrame, BadValue, Sample, Transfer, Writes
from drivers.ds3231 import CHIPS, DRIVER, SET_TIME, Clock, Emulator, Settable, Settings, moment, packed
from tests.drivers.talk import Exchange, follow, meet

NOW = "56 34 12 05 20 11 26"


def named(sample: Sample) -> dict[str, object]:
    return {quantity.name: value for quantity, value in sample.items()}


def ds3231(time: str = NOW, status: str = "08", celsius: str = "1940", control: str = "1c") -> dict[str, object]:
    answer = bytes.fromhex(f"{time} 00000000000000 {control} {status} 00 {celsius}")
    return named(follow(Clock(CHIPS["ds3231"]).measure(), [(Transfer(b"\x00", 19), answer)]))


def other(name: str, control: str, time: str = NOW) -> dict[str, object]:
    answer = bytes.fromhex(f"{time} {control}")
    return named(follow(Clock(CHIPS[name]).measure(), [(Transfer(b"\x00", 8), answer)]))


def test_ds3231_on_the_wire() -> None:
    """25.25 °C is the datasheet's example, 19 40."""
    assert ds3231() == {"time": "2026-11-20T12:34:56.000Z", "stopped": False, "temperature": 25.25}
    assert ds3231(celsius="e6c0")["temperature"] == -25.25


@pytest.mark.parametrize(
    ("registers", "time"),
    [
        ("59 59 23 04 31 12 99", datetime(2099, 12, 31, 23, 59, 59)),
        ("00 00 00 07 29 02 24", datetime(2024, 2, 29)),
        ("00 00 52 07 29 02 24", datetime(2024, 2, 29)),  # 12 a.m.
        ("00 30 72 07 29 02 24", datetime(2024, 2, 29, 12, 30)),  # 12:30 p.m.
        ("00 30 71 07 29 02 24", datetime(2024, 2, 29, 23, 30)),  # 11:30 p.m.
    ],
)
def test_times(registers: str, time: datetime) -> None:
    assert moment(bytes.fromhex(registers)) == time.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "registers",
    ["60 34 12 05 20 11 26", "5a 34 12 05 20 11 26", "56 34 24 05 20 11 26", "56 34 53 05 20 11 26"]
    + ["56 34 40 05 20 11 26", "56 34 12 00 20 11 26", "56 34 12 05 31 11 26", "56 34 12 05 29 02 26"]
    + ["56 34 12 05 00 11 26", "56 34 12 05 20 13 26", "56 34 12 05 20 11 a6", "56 b4 12 05 20 11 26"]
    + ["00 00 00 00 00 00 00", "ff ff ff ff ff ff ff"],
)
def test_what_no_calendar_has(registers: str) -> None:
    assert moment(bytes.fromhex(NOW))
    with pytest.raises(BadFrame):
        moment(bytes.fromhex(registers))


def test_a_century_bit_is_no_reading() -> None:
    with pytest.raises(BadValue, match="century"):
        ds3231("56 34 12 05 20 91 26")


def test_a_clock_that_stood_still_tells_no_time() -> None:
    assert ds3231(status="88") == {"stopped": True, "temperature": 25.25}
    assert other("ds1307", "00", f"d6{NOW[2:]}") == {"stopped": True}
    assert other("ds1338", "20") == other("ds1338", "00", f"d6{NOW[2:]}") == {"stopped": True}
    for name in "ds1307", "ds1338":
        assert other(name, "93") == {"time": "2026-11-20T12:34:56.000Z", "stopped": False}


def test_one_that_would_stop_on_battery_has_not_stopped() -> None:
    assert ds3231(control="9c")["stopped"] is False


@pytest.mark.parametrize(("status", "celsius"), [("18", "1940"), ("08", "1941")])
def test_bits_that_are_always_0(status: str, celsius: str) -> None:
    with pytest.raises(BadFrame, match="no Maxim DS3231 has"):
        ds3231(status=status, celsius=celsius)
    for name, control in ("ds1307", "20"), ("ds1338", "40"):
        with pytest.raises(BadFrame):
            other(name, control)


def test_sets_the_time_and_clears_the_flag() -> None:
    device = Settable(CHIPS["ds3231"])
    before = bytes.fromhex("00 00 00 01 01 01 00 00000000000000 9c 88 00 1940")
    after = bytes.fromhex(f"{NOW} 00000000000000 1c 08 00 1940")
    script: list[Exchange] = [
        (Transfer(b"\x00", 19), before),
        (Transfer(b"\x0e", 1), b"\x9c"),
        (Transfer(b"\x0e\x1c"), b""),
        (Transfer(b"\x00" + bytes.fromhex(NOW)), b""),
        (Transfer(b"\x0f", 1), b"\x88"),
        (Transfer(b"\x0f\x08"), b""),
        (Transfer(b"\x00", 19), after),
    ]
    sample = follow(device.write(SET_TIME, "2026-11-20T13:34:56+01:00"), script)
    assert named(sample)["time"] == "2026-11-20T12:34:56.000Z"


@pytest.mark.parametrize("name", CHIPS)
def test_each_is_set_and_goes_on(name: str) -> None:
    device, emulator = Settable(CHIPS[name]), Emulator(CHIPS[name])
    at, flag = CHIPS[name].flags[0]
    emulator.registers[at] |= flag
    assert named(meet(device.measure(), emulator))["stopped"] is True
    assert named(meet(device.write(SET_TIME, "2031-01-02 03:04:05.5"), emulator))["time"] == "2031-01-02T03:04:05.000Z"
    emulator.tick(60)
    assert named(meet(device.measure(), emulator))["time"] == "2031-01-02T03:05:05.000Z"


@pytest.mark.parametrize("text", ["noon", "", "1999-12-31T23:59:59Z", "2100-01-01", "0001-01-01T00:00+23:59"])
def test_times_that_cannot_be_set(text: str) -> None:
    assert packed("2026-11-20T12:34:56Z") == bytes.fromhex(NOW)
    with pytest.raises(BadValue):
        packed(text)


def test_only_who_wants_to_may_set_it() -> None:
    for row in DRIVER:
        assert isinstance(row.device(Settings(True)), Writes) and not isinstance(row.device(Settings()), Writes)
        assert [each.writable for each in row.having(Settings(True))][:2] == [True, False]
