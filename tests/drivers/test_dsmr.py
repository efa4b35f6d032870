"""P1: telegrams of every version as others published them, and what spoils one.

Telegrams: dsmr_parser, test/example_telegrams.py (MIT); lines of Belgian, Luxembourgish and Hungarian ones as their
owners published them; the capture is dsmr_parser's, with what it makes of it beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, DeviceError, Feeds
from drivers.codec.p1 import CRCS, LONGEST
from drivers.codec.p1_encrypted import AUTHENTICATION, Envelope
from drivers.dsmr import DRIVER, DSMR

ROWS = {row.name: row for row in DRIVER}
CORPUS = Path(__file__).parents[1] / "corpus" / "dsmr"
V5 = (CORPUS / "v5.telegram").read_bytes()


def events(*chunks: bytes, name: str = "dsmr", **chosen: Any) -> list[Any]:
    """What comes out: samples by the names of their quantities, errors as they are."""
    device = ROWS[name].device(ROWS[name].settings(**chosen))
    assert isinstance(device, Feeds)
    found = [event for chunk in chunks for event in device.feed(chunk)]
    return [event if isinstance(event, DeviceError) else {q.name: v for q, v in event.items()} for event in found]


def text(*lines: str, seal: str | None = None) -> bytes:
    """A telegram of *lines*, sealed as it should be unless *seal* says how."""
    body = "\r\n".join((r"/ISk5\2MT382-1000", "", *lines, "!")).encode()
    return body + (f"{CRCS[0](body):04X}" if seal is None else seal).encode() + b"\r\n"


def said(*lines: str) -> Any:
    (sample,) = events(text("1-0:1.7.0(00.001*kW)", *lines))
    assert sample.pop("power_import") == 1
    return sample


def test_capture() -> None:
    """Each value against that of dsmr_parser, which has kW and local time."""
    (sample,) = events(V5)
    expected = json.loads((CORPUS / "v5.expect.json").read_text())
    names = {
        **{"ELECTRICITY_USED_TARIFF_1": "energy_import_t1", "ELECTRICITY_USED_TARIFF_2": "energy_import_t2"},
        **{"ELECTRICITY_DELIVERED_TARIFF_1": "energy_export_t1", "ELECTRICITY_DELIVERED_TARIFF_2": "energy_export_t2"},
        **{"CURRENT_ELECTRICITY_USAGE": "power_import", "CURRENT_ELECTRICITY_DELIVERY": "power_export"},
        **{"LONG_POWER_FAILURE_COUNT": "count_long_failures", "SHORT_POWER_FAILURE_COUNT": "count_failures"},
        **{f"VOLTAGE_{kind}_L{n}_COUNT": f"count_{kind.lower()}s_l{n}" for kind in ("SAG", "SWELL") for n in (1, 2, 3)},
        **{f"INSTANTANEOUS_VOLTAGE_L{n}": f"voltage_l{n}" for n in (1, 2, 3)},
        **{f"INSTANTANEOUS_CURRENT_L{n}": f"current_l{n}" for n in (1, 2, 3)},
        **{f"INSTANTANEOUS_ACTIVE_POWER_L{n}_POSITIVE": f"power_import_l{n}" for n in (1, 2, 3)},
        **{f"INSTANTANEOUS_ACTIVE_POWER_L{n}_NEGATIVE": f"power_export_l{n}" for n in (1, 2, 3)},
    }
    for name, ours in names.items():
        value = expected[name]["value"]
        assert sample.pop(ours) == (value * 1000 if expected[name]["unit"] == "kW" else value), name
    gas = expected["MBUS_DEVICES"][0]["MBUS_METER_READING"]
    assert sample == {
        "time": expected["P1_MESSAGE_TIMESTAMP"]["value"].replace("+00:00", ".000Z"),
        "serial": bytes.fromhex(expected["EQUIPMENT_IDENTIFIER"]["value"]).decode(),
        "tariff": expected["ELECTRICITY_ACTIVE_TARIFF"]["value"],
        "volume_gas": gas["value"],
        "time_gas": gas["datetime"].replace("+00:00", ".000Z"),
        "serial_gas": "2222ABCD123456789",
    }


V2 = rb"""/ISk5\2MT382-1004

0-0:96.1.1(00000000000000)
1-0:1.8.1(00001.001*kWh)
1-0:1.8.2(00001.002*kWh)
1-0:2.8.1(00001.003*kWh)
1-0:2.8.2(00001.004*kWh)
0-0:96.14.0(0001)
1-0:1.7.0(0001.01*kW)
1-0:2.7.0(0000.00*kW)
0-0:17.0.0(0999.00*kW)
0-0:96.3.10(1)
0-0:96.13.1()
0-0:96.13.0()
0-1:24.1.0(3)
0-1:96.1.0(000000000000)
0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)
(00001.005)
0-1:24.4.0(1)
!
""".replace(b"\n", b"\r\n")
V2_SAYS = {
    **{"serial": "00000000000000", "energy_import_t1": 1.001, "energy_import_t2": 1.002, "energy_export_t1": 1.003},
    **{"energy_export_t2": 1.004, "tariff": "0001", "power_import": 1010, "power_export": 0, "power_limit": 999_000},
    **{"state_breaker": True, "volume_gas": 1.005, "serial_gas": "000000000000", "state_valve_gas": True},
}


def test_version_2_2() -> None:
    assert events(V2, name="dsmr3") == [V2_SAYS]


def test_version_2_2_of_seven_bits_read_as_eight() -> None:
    even = bytes(byte | 0x80 * (byte.bit_count() % 2) for byte in V2)
    assert events(even, name="dsmr3") == [V2_SAYS]
    first = even.index(b"0000\xb1.00\xb1")
    for at in range(first, first + 9):
        for bit in range(8):
            spoilt = even[:at] + bytes((even[at] ^ 1 << bit,)) + even[at + 1 :]
            assert {type(event) for event in events(spoilt, name="dsmr3")} == {BadFrame}, (at, bit)


@pytest.mark.parametrize("spoilt", [b"\x00", b"\x1b", b"\x7f"])
def test_version_2_2_a_byte_of_wrong_parity_costs_the_telegram(spoilt: bytes) -> None:
    (error,) = events(V2.replace(b"96.1.1(00", b"96.1.1(0" + spoilt), name="dsmr3")
    assert isinstance(error, BadFrame) and "parity" in str(error)


def test_version_3() -> None:
    telegram = (
        V2.replace(b"0001.01*kW", b"001.19*kW")
        .replace(b"0000.00*kW", b"000.00*kW")
        .replace(b"(0999.00*kW)", b"(016*A)")
    )
    assert events(telegram.replace(b"(3)", b"(03)"), name="dsmr3") == [
        {key: value for key, value in V2_SAYS.items() if key != "power_limit"} | {"power_import": 1190}
    ]
    assert events(telegram)[0]["current_limit"] == 16  # `dsmr` has all, whatever the version


SAGEMCOM = rb"""/EST5\253710000_A

1-3:0.2.8(50)
0-0:1.0.0(221006155014S)
1-0:1.8.0(006545766*Wh)
1-0:1.8.1(005017120*Wh)
1-0:1.8.2(001528646*Wh)
1-0:1.7.0(000000286*W)
1-0:2.8.0(000000058*Wh)
1-0:2.8.1(000000000*Wh)
1-0:2.8.2(000000058*Wh)
1-0:2.7.0(000000000*W)
1-0:3.8.0(000000747*varh)
1-0:3.8.1(000000000*varh)
1-0:3.8.2(000000747*varh)
1-0:3.7.0(000000000*var)
1-0:4.8.0(003897726*varh)
1-0:4.8.1(002692848*varh)
1-0:4.8.2(001204878*varh)
1-0:4.7.0(000000166*var)
!7EF9
""".replace(b"\n", b"\r\n")


def test_austria_has_other_units() -> None:
    (sample,) = events(SAGEMCOM)
    assert sample == {
        **{"time": "2022-10-06T13:50:14.000Z", "energy_import": 6545.766, "energy_import_t1": 5017.12},
        **{"energy_import_t2": 1528.646, "energy_export": 0.058, "energy_export_t1": 0, "energy_export_t2": 0.058},
        **{"power_import": 286, "power_export": 0, "reactive_energy_import": 0.747, "reactive_energy_export": 3897.726},
        **{"reactive_power_import": 0, "reactive_power_export": 166},
        **{"reactive_energy_import_t1": 0, "reactive_energy_import_t2": 0.747},
        **{"reactive_energy_export_t1": 2692.848, "reactive_energy_export_t2": 1204.878},
    }


def test_belgium() -> None:
    lines = (
        *("0-0:96.1.4(50217)", "0-0:96.1.1(3153414733313030373736353933)", "0-0:1.0.0(200512135409S)"),
        *("1-0:1.4.0(02.351*kW)", "1-0:1.6.0(200509134558S)(02.589*kW)"),
        "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)(200423192538S)(03.695*kW)(200401000000S)(200305122139S)(05.980*kW)",
        *("0-0:96.3.10(2)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0(48692C20796F75)"),
        *("0-1:24.1.0(003)", "0-1:96.1.1(37464C4F32313139303333373333)", "0-1:24.4.0(1)"),
        *("0-1:24.2.3(200512134558S)(00112.384*m3)", "0-2:24.1.0(007)", "0-2:96.1.1(3853414731323334353637383930)"),
        "0-2:24.2.1(200512134558S)(00872.234*m3)",
    )
    assert said(*lines) == {
        **{"serial": "1SAG3100776593", "time": "2020-05-12T11:54:09.000Z", "power_demand": 2351, "message": "Hi, you"},
        **{"power_demand_max": 2589, "time_demand_max": "2020-05-09T11:45:58.000Z", "state_breaker": False},
        **{"power_limit": 999_900, "current_limit_l1": 999, "state_valve_gas": True},
        **{"power_demand_max_last": 3695, "time_demand_max_last": "2020-04-23T17:25:38.000Z"},
        **{"volume_gas": 112.384, "time_gas": "2020-05-12T11:45:58.000Z", "serial_gas": "7FLO2119033733"},
        **{"volume_water": 872.234, "time_water": "2020-05-12T11:45:58.000Z", "serial_water": "8SAG1234567890"},
    }


MONTHS = "0-0:98.1.0({})(1-0:1.6.0)(1-0:1.6.0)"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (MONTHS.format(0), {}),
        (MONTHS.format(0) + "()()()", {}),
        (MONTHS.format(1) + "(200501000000S)(632525252525W)(00.000*kW)", {"power_demand_max_last": 0}),
        (  # the oldest first, as most have them
            MONTHS.format(2) + "(200401000000S)(200305122139S)(05.980*kW)(200501000000S)(200423192538S)(03.695*kW)",
            {"power_demand_max_last": 3695, "time_demand_max_last": "2020-04-23T17:25:38.000Z"},
        ),
        ("0-0:98.1.0(1)(1-0:2.6.0)(1-0:2.6.0)(200501000000S)(200423192538S)(03.695*kW)", {}),  # of something else
    ],
)
def test_belgium_the_last_whole_month(table: str, told: dict[str, Any]) -> None:
    assert said(table) == told


@pytest.mark.parametrize("rows", ["", "(200501000000S)(200423192538S)", "(200501000000S)(200423192538S)(03.695*kWh)"])
def test_belgium_a_table_that_is_none_is_refused_alone(rows: str) -> None:
    bad, sample = events(text(MONTHS.format(1) + rows, "1-0:2.7.0(00.001*kW)"))
    assert isinstance(bad, BadValue) and sample == {"power_export": 1}


FAILURES = "1-0:99.97.0({})(0-0:96.7.19)"


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (FAILURES.format(0), {}),
        ("1-0:99.97.0()", {}),
        (
            FAILURES.format(2) + "(101208151004W)(0000000301*s)(101208152415W)(0000000240*s)",
            {"time_long_failure": "2010-12-08T14:24:15.000Z", "duration_long_failure": 240},
        ),
        (  # a KAIFA's, whose clock was not set then
            FAILURES.format(3)
            + "(000104180320W)(0000237126*s)(000101000001W)(2147583646*s)(000102000003W)(2317482647*s)",
            {},
        ),
    ],
)
def test_the_last_long_failure_of_power(log: str, told: dict[str, Any]) -> None:
    assert said(log) == told


@pytest.mark.parametrize(
    "rows", ["(101208151004W)", "(101208151004W)(301)", "(101208151004W)(3*min)", "(101308151004W)(3*s)"]
)
def test_a_log_of_failures_that_is_none_is_refused_alone(rows: str) -> None:
    bad, sample = events(text(FAILURES.format(1) + rows, "1-0:2.7.0(00.001*kW)"))
    assert isinstance(bad, BadValue) and sample == {"power_export": 1}


def test_messages_and_valves() -> None:
    water = ("0-2:24.1.0(007)", "0-2:24.2.1(201120180000W)(00010.000*m3)")
    assert said("0-0:96.13.1(3031)", *water, "0-2:24.4.0(2)") == {
        **{"message_code": "01", "volume_water": 10, "time_water": "2020-11-20T17:00:00.000Z"},
        "state_valve_water": False,
    }
    assert "state_valve_water" not in said(*water, "0-2:24.4.0()")


def test_a_clock_that_was_never_set_tells_no_time() -> None:
    assert said("0-0:1.0.0(000101000140W)") == {}


def test_belgium_a_month_without_a_peak() -> None:
    assert said("1-0:1.6.0(632525252525W)(00.000*kW)") == {"power_demand_max": 0}


def test_belgium_a_peak_and_behind_it_a_time_without_season() -> None:
    """As meters of ISKRA have it since the end of 2025."""
    assert said("1-0:1.6.0(08.796*kW)(260102010000)") == {"power_demand_max": 8796}


def test_switzerland_and_lithuania() -> None:
    assert said(
        *("0-0:0.0.0(353738303337)", "1-1:1.8.1(000025.600*kWh)", "1-1:1.6.0(240906083000S)(03.468*kW)"),
        *("1-0:3.8.4(000001.500*kvarh)", "1-0:72.24.0(243.0*V)"),
    ) == {
        **{"serial": "578037", "energy_import_t1": 25.6, "power_demand_max": 3468},
        **{"time_demand_max": "2024-09-06T06:30:00.000Z", "reactive_energy_import_t4": 1.5, "voltage_mean_l3": 243},
    }


def test_sweden_and_finland_spell_units_otherwise() -> None:
    lines = ("1-0:3.8.0(00000021.988*kVArh)", "1-0:4.7.0(0000.309*kVAr)", "1-0:1.8.0(00006678.394*KWh)")
    assert said(*lines) == {
        **{"reactive_energy_import": 21.988, "reactive_power_export": 309, "energy_import": 6678.394},
    }
    bad, _ = events(text("1-0:1.7.0(00.001*kW)", "1-0:4.7.0(0000.309*kvAR)"))
    assert isinstance(bad, BadValue)


FLUVIUS = (CORPUS / "fluvius.telegram").read_bytes()


def test_line_ends_that_an_adapter_made_shorter() -> None:
    (sample,) = events(FLUVIUS)
    assert sample["power_import"] == 560 and sample["volume_gas"] == 3806.07 and sample["power_demand_max"] == 3506
    assert sample["time_demand_max"] == "2026-03-24T18:00:00.000Z" and sample["time"] == "2026-03-30T15:46:29.000Z"
    short = FLUVIUS.replace(b"\r\n", b"\n")
    assert events(short) == [sample]
    assert [type(event) for event in events(short.replace(b"00.560", b"00.561"))] == [BadFrame]


def test_values_of_the_past_are_passed_over() -> None:
    assert said("1-0:1.8.0*01(000001.000*kWh)", "1-0:2.8.0*255(000002.000*kWh)") == {"energy_export": 2}
    assert said("1-0:31.7.0.255(001*A)", "1-0:51.7.0.1(002*A)") == {"current_l1": 1}  # as version 4.0 writes it


def test_luxembourg() -> None:
    lines = ("0-0:42.0.0(53414731303330373030303132373031)", "1-0:1.8.0(000273.764*kWh)", "1-0:2.8.0(112743.030*kWh)")
    more = (
        "1-0:3.8.0(000462.590*kvarh)",
        "0-0:17.0.0(027.6*kVA)",
        "1-0:10.7.0(00.913*kVA)",
        "1-1:31.4.0(040*A)(-040*A)",
    )
    phases = ("0-1:96.3.10(0)", "1-0:24.7.0(00.154*kvar)", "0-0:96.13.2()", "0-0:96.7.21(01067)")
    assert said(*lines, *more, *phases) == {
        **{"serial": "SAG1030700012701", "energy_import": 273.764, "energy_export": 112743.03, "current_limit_l1": 40},
        **{"reactive_energy_import": 462.59, "apparent_power_limit": 27600, "apparent_power_export": 913},
        **{"reactive_power_export_l1": 154, "count_failures": 1067, "state_relay_1": False},
    }


def test_a_breaker_in_words() -> None:
    assert said("0-0:96.50.68(OFF)") == {"state_breaker": False}
    (bad,) = events(text("0-0:96.50.68(OFFEN)"))
    assert isinstance(bad, BadValue)


def test_hungary() -> None:
    lines = (
        *("0-0:42.0.0(53414733303832323030303032313630)", "0-0:96.1.0(383930303832323030303032313630)"),
        *("1-0:1.8.3(000000.001*kWh)", "1-0:8.8.0(000143.346*kvarh)", "1-0:15.8.0(000800.817*kWh )"),
        *("1-0:14.7.0(50.00*Hz)", "1-0:7.7.0(00.504*kvar)", "1-0:51.4.0(200.00*A)", "1-0:33.7.0(0.542)"),
        *("0-1:96.3.10(1)", "0-4:96.3.10(2)", "0-5:96.3.10(1)", "0-0:96.50.68(ON)"),
        "0-0:98.1.0(230701000000S)(000040.777*kWh)(000008.950*kWh)",
    )
    assert said(*lines) == {
        **{
            "serial": "890082200002160",
            "energy_import_t3": 0.001,
            "reactive_energy_q4": 143.346,
            "energy_total": 800.817,
        },
        **{"state_relay_1": True, "state_relay_4": False, "state_breaker": True},
        **{"frequency": 50, "reactive_power_q3": 504, "current_limit_l2": 200, "power_factor_l1": 0.542},
    }


def test_hungary_a_factor_that_is_none_costs_nothing_else() -> None:
    bad, sample = events(text("1-0:13.7.0(4.556)", "1-0:33.7.0(0.556)"))
    assert isinstance(bad, BadValue) and str(bad) == "power_factor 4.556  not in -1..1"
    assert sample == {"power_factor_l1": 0.556}


def test_hungary_sealed_with_x25_and_with_last_month_under_the_same_codes() -> None:
    body = b"/HLY5/D545"  # a meter that begins anew within a message: the first is torn
    telegram = text(
        "1-0:1.8.0(00003668.743*kWh)", "0-0:98.1.0", "(", "1-0:1.8.0(00001111.000*kWh)", "1-0:1.8.1(1*kWh)", ")"
    )
    telegram = telegram[: telegram.index(b"!") + 1]
    sealed = telegram + b"%04X\r\n" % CRCS[1](telegram)
    bad, sample = events(body + sealed)[-2:]
    assert isinstance(bad, BadFrame) and sample == {"energy_import": 3668.743}


Q3D = (
    rb"""/ESY5Q3DB1024 V3.04

1-0:0.0.0*255(0272031312565)
1-0:1.8.0*255(00052185.7825309*kWh)
1-0:2.8.0*255(00019949.3221493*kWh)
1-0:21.7.0*255(000747.85*W)
1-0:41.7.0*255(000737.28*W)
1-0:61.7.0*255(000639.73*W)
1-0:1.7.0*255(002124.86*W)
1-0:96.5.5*255(80)
0-0:96.1.255*255(1ESY1313002565)
!
  25803103
""".replace(b"\n", b"\r\n")
    + b"\xff" * 33
    + b"\r\n"
)


def test_easymeter_and_what_its_adapter_adds() -> None:
    sample = {
        **{"serial": "1ESY1313002565", "energy_import": 52185.7825309, "energy_export": 19949.3221493},
        **{"power_import_l1": 747.85, "power_import_l2": 737.28, "power_import_l3": 639.73, "power_import": 2124.86},
    }
    assert events(Q3D * 3) == [sample] * 3


# Meters on channels


GAS = ("0-1:24.1.0(003)", "0-1:24.2.1(201120180000W)(00010.000*m3)", "0-2:24.1.0(003)")


def test_of_two_gas_meters_the_one_read_last() -> None:
    older, newer = "0-2:24.2.1(190101180000W)(00999.000*m3)", "0-2:24.2.1(201120190000W)(00020.000*m3)"
    assert said(*GAS, newer) == {"volume_gas": 20, "time_gas": "2020-11-20T18:00:00.000Z"}
    assert said(*GAS, older) == said(*GAS) == {"volume_gas": 10, "time_gas": "2020-11-20T17:00:00.000Z"}


@pytest.mark.parametrize(
    "line",
    [
        "0-1:24.2.1(632525252525W)(00000.000*m3)",
        "0-1:24.2.1(632525252525S)(00000.000)",
        "0-1:24.2.1(700101010000W)(00000000)",
        "0-1:24.2.1(000101000000W)(00000.000*m3)",
        "0-1:24.2.1()()",
        "0-1:24.2.1()",
        "0-1:24.3.0(000101000000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n()",
    ],
)
def test_a_meter_that_was_never_read_has_no_reading(line: str) -> None:
    assert said("0-1:24.1.0(003)", line) == {}
    assert said("0-1:24.1.0(003)", "0-1:24.2.1(201120180000W)(00010.000*m3)")


def test_heat_is_told_in_kilowatt_hours() -> None:
    assert said("0-3:24.1.0(012)", "0-3:24.2.1(201120180000W)(00003.600*GJ)")["energy_heat"] == pytest.approx(1000)


def test_a_meter_whose_kind_nobody_told_is_none() -> None:
    assert said("0-1:24.2.1(201120180000W)(00010.000*m3)") == said("0-1:24.1.0(014)", GAS[1]) == {}


def test_time_zone_and_season() -> None:
    line = "0-0:1.0.0(260701000000S)"
    assert events(text(line)) == [{"time": "2026-06-30T22:00:00.000Z"}]
    assert events(text(line), zone=0) == [{"time": "2026-06-30T23:00:00.000Z"}]
    assert events(text("0-0:1.0.0(260701000000)")) == []  # nobody can tell


# What is no reading


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1-0:1.8.1(00000000)", "1.8.1 00000000 has no unit"),
        ("1-0:32.7.0(0.5)", "32.7.0 0.5 has no unit"),
        ("1-0:1.8.1(000001.000*V)", "1.8.1 000001.000 in V"),
        ("1-0:1.7.0(00.001*V)", "1-0:1.7.0 '00.001*V': not in that unit"),
        ("1-0:1.8.1(000001.000*kW)", "1.8.1 000001.000 in kW"),
        ("1-0:1.7.0(00.001*kWh)", "1.7.0 00.001 in kWh"),
        ("1-0:1.7.0(xx.xxx*kW)", "import 'xx.xxx' is no number"),
        ("1-0:1.7.0(1_0*kW)", "import '1_0' is no number"),
        ("1-0:1.7.0(99999.999*kW)", "power_import 1e+08 W not in -1e+07..1e+07"),
        ("0-0:96.7.21(x)", "0-0:96.7.21 'x' is no whole number"),
        ("0-0:1.0.0(261320000000W)", "time 261320000000W"),
        (
            "0-1:24.1.0(003)\r\n0-1:24.2.1(201120180000W)(00010.000*kWh)",
            "0-1:24 '00010.000*kWh': not in that unit for gas",
        ),
    ],
)
def test_a_value_that_is_none_is_refused_alone(line: str, why: str) -> None:
    bad, sample = events(text("1-0:2.7.0(00.001*kW)", line))
    assert isinstance(bad, BadValue) and str(bad) == why and sample == {"power_export": 1}


def test_spoilt_torn_and_unsealed_telegrams_do_not_cost_the_next() -> None:
    good = events(V5)
    for bad in (
        V5.replace(b"0230.0", b"0231.0", 1),
        V5[:300],
        V5.replace(b"!6EEE", b"!"),
        V5.replace(b"!6EEE", b"!6EE"),
        V5.replace(b"\r\n1-3:0.2.8(50)", b"").replace(b"!6EEE", b"!"),
        b"/",
        b"/" + b"x" * (LONGEST - 1),
    ):
        assert [type(event) for event in events(V5 + bad + V5)] == [dict, BadFrame, dict], bad
        assert events(V5 + bad + V5)[::2] == good * 2
    assert events(V5[200:] + V5) == good  # who begins to listen has lost nothing
    assert [type(event) for event in events(V5 + V5[200:] + V5)] == [dict, BadFrame, dict]


def test_what_is_no_telegram_at_all_is_told() -> None:
    assert events(bytes(LONGEST - 1)) == []
    assert [type(event) for event in events(bytes(LONGEST * 2))] == [BadFrame] * 2
    assert events(bytes(LONGEST - 1) + V5) == events(V5)


def test_without_a_seal_a_lost_digit_is_noticed() -> None:
    for before, after in (
        (b"00001.001*kWh", b"0001.001*kWh"),
        (b"0001.01*kW", b"001.01*kW"),
        (b"(00001.005)", b"(0001.005)"),
        (b"1-0:1.7.0(", b"1-0:1.7.0"),
    ):
        assert before in V2
        told = events(V2 + V2.replace(before, after, 1) + V2 + V2, name="dsmr3")
        assert told[0] == told[-1] == V2_SAYS and [event for event in told[1:-1] if event != V2_SAYS], before
        assert all(event == V2_SAYS or isinstance(event, BadFrame) for event in told)


KEY = "D491470F47126332B07D1923B3504188"
SMARTY = (CORPUS / "smarty.telegram").read_bytes()
HEAD = 18
BARE = ("3.7.0 00.000", "4.7.0 00.007", "17.0.0 77.376")


def sealed(plain: bytes, counter: int = 1, key: str = KEY, authentication: str = AUTHENTICATION) -> bytes:
    return Envelope(key, authentication).seal(b"SAGtitle", counter, plain)


def test_an_encrypted_telegram_says_so() -> None:
    for secret in (SMARTY, sealed(V5)):
        for pieces in ([secret], [secret[:3], secret[3:]], [bytes((byte,)) for byte in secret]):
            (bad,) = events(*pieces)
            assert isinstance(bad, BadFrame) and "encrypted" in str(bad) and "`key`" in str(bad)
        assert events(secret + V5)[1:] == events(V5)


def test_another_encryption_says_so_too() -> None:
    """Heads of DLMS that holds no telegram: with a length of one byte, or without authentication."""
    for head in ("db084b464d6750000009 81f8 20 0000002a", "db08 5341476770 01bd54 82 0101 20 00000001"):
        secret = bytes.fromhex(head) + bytes(range(0xB0, 0x100)) * 3
        for pieces in ([secret], [bytes((byte,)) for byte in secret]):
            for key in ("", KEY):
                (bad,) = events(*pieces, key=key)
                assert isinstance(bad, BadFrame) and "not as P1 telegrams are" in str(bad)


def test_a_smarty_of_luxembourg() -> None:
    """One telegram and its key, as openHAB has them in its tests; the values as they stand in it.  Whatever was done
    to it before: the tag is right, the CRC within is not, and three values have no unit."""
    plain = Envelope(KEY).open(SMARTY)
    assert plain is not None and plain.startswith(b"/Lux5\\253663629_D\r\n") and plain.endswith(b"!CFDE\r\n")
    right = sealed(plain.replace(b"!CFDE", b"!99BD"))
    assert list(map(str, events(SMARTY, key=KEY))) == list(map(str, events(right, key=KEY)))
    (bad,) = events(plain)  # bare, its CRC is all that vouches for it
    assert isinstance(bad, BadFrame) and "CRC CFDE is wrong" in str(bad)
    *bare, sample = events(right, key=KEY)
    assert [str(error) for error in bare] == [f"{code} has no unit" for code in BARE]
    assert sample == {
        **{"time": "2018-01-30T09:21:22.000Z", "serial": "SAG1030700114004SAG1030700114004SAG1030700114004"},
        **{"energy_import": 6.695, "energy_export": 0.025, "power_import": 0, "power_export": 0},
        **{"reactive_energy_import": 0.818, "reactive_energy_export": 2.745},
        **{"state_breaker": True, "count_failures": 69},
        **{"count_sags_l1": 44, "count_sags_l2": 3, "count_sags_l3": 2},
        **{f"count_swells_l{phase}": 0 for phase in (1, 2, 3)},
        **{f"current_l{phase}": 0 for phase in (1, 2, 3)},
    }
    assert events(right, key=KEY.lower())[-1] == sample


def test_what_is_within_is_what_comes_without() -> None:
    assert events(sealed(V5), key=KEY) == events(V5) == events(V5, key=KEY)
    assert events(sealed(V5, 1) + V5 + sealed(V5, 2), key=KEY) == events(V5) * 3
    other = "0123456789abcdef0123456789abcdef"  # an Austrian operator has another for each meter
    assert events(sealed(V5, authentication=other), key=KEY, authentication=other) == events(V5)
    assert [type(event) for event in events(sealed(V5, authentication=other), key=KEY)] == [BadFrame]
    assert events(sealed(V5.replace(b"6EEE", b"6EEF")), key=KEY) == events(V5)  # the tag is over more than the CRC


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"key": KEY[:-1]}, "`key` is 32 hexadecimal digits"),
        ({"key": KEY[:-1] + "G"}, "`key` is 32 hexadecimal digits"),
        ({"key": KEY + "00"}, "`key` is 32 hexadecimal digits"),
        ({"key": KEY, "authentication": ""}, "`authentication` is 32 hexadecimal digits"),
    ],
)
def test_a_key_that_is_none(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ROWS["dsmr"].settings(**keys)


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(ROWS["dsmr"].settings(key=KEY))


def test_a_wrong_key_and_a_spoilt_telegram_are_told() -> None:
    for bad, key in ((SMARTY, KEY[::-1]), (sealed(V5, key=KEY[::-1]), KEY)):
        (error,) = events(bad, key=key)
        assert isinstance(error, BadFrame) and "wrong key" in str(error)
    good = sealed(V5)
    for at in (2, HEAD - 1, HEAD, len(good) - 13, len(good) - 1):
        spoilt = good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]
        error, sample = events(spoilt + good, key=KEY)
        assert isinstance(error, BadFrame) and [sample] == events(V5)


def test_the_same_again_is_no_news_and_a_counter_that_began_again_is() -> None:
    first, again = events(sealed(V5) * 2, key=KEY)
    assert isinstance(first, dict) and isinstance(again, BadFrame) and "again" in str(again)
    other = V5.replace(b"!6EEE", b"") + b"1-0:14.7.0(50.00*Hz)\r\n!"
    other += b"%04X\r\n" % CRCS[0](other)
    for counters in ((7, 8), (8, 7), (2**32 - 1, 0), (7, 7)):  # the last: switched off and on again in between
        told = events(sealed(V5, counters[0]), sealed(other, counters[1]), key=KEY)
        assert [type(event) for event in told] == [dict, dict]


@given(st.integers(1, 800), st.integers(0, 300), st.lists(st.integers(0, 3000), max_size=9))
@settings(max_examples=50)
def test_bytes_lost_and_noise_cost_one_telegram(at: int, lost: int, cuts: list[int]) -> None:
    """Whatever was lost of the second: the third comes out, from chunks of any size."""
    second = sealed(V5, 2)
    stream = sealed(V5, 1) + b"\xdb\x08\xdb" + second[: at % len(second)] + second[at % len(second) + lost + 1 :]
    stream += sealed(V5, 3) + sealed(V5, 4)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    told = events(*(stream[a:b] for a, b in zip(bounds, bounds[1:], strict=False)), key=KEY)
    good = [event for event in told if isinstance(event, dict)]
    assert good == events(V5) * 3 and told[-1] == good[-1]


def test_a_false_beginning_is_passed_over_and_what_is_kept_is_bounded() -> None:
    for key in (KEY, ""):
        device = ROWS["dsmr"].device(ROWS["dsmr"].settings(key=key))
        assert isinstance(device, DSMR)
        for noise in (b"\xdb", b"\xdb\x08" + bytes(8), SMARTY[:13] + b"0", b"\xdb\x08" + bytes(8) + b"\x82\xff\xff0"):
            for _ in range(3 * LONGEST // len(noise)):
                list(device.feed(noise))
                assert len(device.opened.buffer) <= 2 * LONGEST


def test_noise_full_of_beginnings_is_deciphered_once() -> None:
    head = SMARTY[:HEAD]  # a telegram of 711 bytes, it says
    told = events(head * 1000, key=KEY)
    assert 0 < len(told) <= 1000 * HEAD // (len(SMARTY) - HEAD) + 1


def test_the_emulator_has_the_key_of_its_device() -> None:
    row = ROWS["dsmr"]
    secret, plain = row.emulating(row.settings(key=KEY)), row.emulating(row.settings())
    told = secret.tick(30.0)
    assert told.startswith(b"\xdb\x08") and b"kWh" not in told and b"kWh" in plain.tick(30.0)
    assert events(told, key=KEY) == events(row.emulator().tick(30.0)) and len(events(told, key=KEY)) == 3


def test_meters_of_every_kind_on_one_line() -> None:
    """As in a file of captures: what one seals says nothing of the next."""
    for name in ROWS:
        assert [type(event) for event in events(V5 + V2 + FLUVIUS + Q3D + SAGEMCOM + V2 + V5, name=name)] == [dict] * 7


STREAM = V5 + b"noise!\xff\x00/" + V2 + Q3D + b"!" + V5[:99] + SAGEMCOM + V5.replace(b"6EEE", b"6EEF") + V5


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_chunks_of_any_size(cuts: list[int]) -> None:
    whole = list(map(str, events(STREAM)))
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert list(map(str, events(*(STREAM[a:b] for a, b in zip(bounds, bounds[1:], strict=False))))) == whole
    assert len(whole) > 5


def test_byte_by_byte() -> None:
    chunks = [STREAM[at : at + 1] for at in range(len(STREAM))]
    assert list(map(str, events(*chunks))) == list(map(str, events(STREAM)))


def test_what_is_kept_is_bounded() -> None:
    device: Any = ROWS["dsmr"].device(ROWS["dsmr"].settings())
    for data in (b"/", b"x", b"!", b"/!"):
        for _ in range(50):
            list(device.feed(data * 1000))
        assert len(device.telegrams.buffer) <= LONGEST
