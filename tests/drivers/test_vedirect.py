"""VE.Direct: blocks and HEX messages of devices as their owners published them, and what spoils one.

The charger's block was read off a MPPT 75/15; HEX messages are those of Victron's own documents, and of an Orion XS
(community.victronenergy.com, topic 6562)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, DeviceError
from drivers.codec.vedirect import CALM, END, LONGEST, MESSAGE, sealed
from drivers.vedirect import Emulator, Settings, VEDirect

MPPT = (
    b"\r\nPID\t0xA075\r\nFW\t175\r\nSER#\tHQ25492XRJM\r\nV\t13360\r\nI\t-40\r\nVPV\t10\r\nPPV\t0\r\nCS\t0\r\nMPPT\t0"
    b"\r\nOR\t0x00000001\r\nERR\t0\r\nLOAD\tON\r\nIL\t0\r\nH19\t467\r\nH20\t0\r\nH21\t0\r\nH22\t3\r\nH23\t26\r\nHSDS\t59"
    b"\r\nChecksum\t\xdc"
)
SAMPLE = {
    **{"serial": "HQ25492XRJM", "voltage": 13.36, "current": -0.04, "voltage_pv": 0.01, "power_pv": 0, "status": "off"},
    **{
        "status_tracker": "off",
        "error": 0,
        "state_load": True,
        "current_load": 0,
        "energy_yield": 4.67,
        "energy_yield_today": 0,
    },
    **{
        "power_max_today": 0,
        "energy_yield_yesterday": 0.03,
        "power_max_yesterday": 26,
        "version": "1.75",
        "code_off": 1,
    },
}
PANEL = b":7F0ED009600DB\n"


def events(*chunks: bytes) -> list[Any]:
    device = VEDirect(Settings())
    found = [event for chunk in chunks for event in device.feed(chunk)]
    return [event if isinstance(event, DeviceError) else {q.name: v for q, v in event.items()} for event in found]


def block(*lines: str) -> bytes:
    return sealed("".join(f"\r\n{line}" for line in lines).encode("latin-1") + b"\r\n" + END)


def message(body: str) -> bytes:
    command, raw = int(body[0], 16), bytes.fromhex(body[1:])
    return b":%s%02X\n" % (body.encode(), 0x55 - command - sum(raw) & 0xFF)


def test_a_block_of_a_solar_charger() -> None:
    assert events(MPPT) == [SAMPLE]
    assert events(MPPT * 3) == [SAMPLE] * 3


def test_blocks_of_a_battery_monitor() -> None:
    first = block(
        *(
            "PID\t0xA381",
            "V\t12341",
            "VS\t12800",
            "T\t---",
            "I\t-1500",
            "P\t-19",
            "CE\t-13200",
            "SOC\t876",
            "TTG\t1440",
        ),
        *("Alarm\tOFF", "Relay\tOFF", "AR\t0", "BMV\t712 Smart", "FW\t0408", "MON\t0"),
    )
    second = block(
        *(
            "H1\t-188890",
            "H2\t0",
            "H3\t-133402",
            "H4\t1",
            "H5\t0",
            "H6\t-1183888",
            "H7\t12333",
            "H8\t14499",
            "H9\t3600",
        ),
        *("H10\t4", "H11\t0", "H12\t0", "H15\t-12", "H16\t12900", "H17\t1563", "H18\t2095"),
    )
    assert events(first + second) == [
        {
            **{"voltage": 12.341, "voltage_aux": 12.8, "current": -1.5, "power": -19, "charge": -13.2, "level": 87.6},
            **{"duration_left": 86400, "alarm": False, "state_relay": False, "error_alarm": 0},
            "version": "4.08",
        },
        {
            **{"charge_deepest": -188.89, "charge_last": 0, "charge_mean": -133.402, "charge_drawn": -1183.888},
            **{"count_cycles": 1, "count_full_discharges": 0, "voltage_min": 12.333, "voltage_max": 14.499},
            **{"duration_since_full": 3600, "count_syncs": 4, "count_low_voltage": 0, "count_high_voltage": 0},
            **{"voltage_aux_min": -0.012, "voltage_aux_max": 12.9, "energy_discharged": 15.63, "energy_charged": 20.95},
        },
    ]


@pytest.mark.parametrize(
    ("lines", "seal", "sample"),
    [
        (
            "PID\t0x203 V\t12169 I\t-2684 P\t-33 CE\t-66033 SOC\t837 TTG\t3416 Alarm\tOFF Relay\tOFF AR\t0 BMV\t700 "
            "FW\t0308",
            b"K",
            {
                **{"voltage": 12.169, "current": -2.684, "power": -33, "charge": -66.033, "level": 83.7},
                **{"duration_left": 204_960, "alarm": False, "state_relay": False, "error_alarm": 0, "version": "3.08"},
            },
        ),
        (
            "H1\t-149322 H2\t-82854 H3\t0 H4\t0 H5\t0 H6\t-5526853 H7\t11733 H8\t16161 H9\t368455 H10\t26 H11\t0 "
            "H12\t0 H17\t6843 H18\t8527",
            b"\xb0",
            {
                **{"charge_deepest": -149.322, "charge_last": -82.854, "charge_mean": 0, "charge_drawn": -5526.853},
                **{"count_cycles": 0, "count_full_discharges": 0, "voltage_min": 11.733, "voltage_max": 16.161},
                **{"duration_since_full": 368_455, "count_syncs": 26, "count_low_voltage": 0, "count_high_voltage": 0},
                **{"energy_discharged": 68.43, "energy_charged": 85.27},
            },
        ),
        (
            "PID\t0xA05F FW\t139 SER#\tHQ18486U2B4 V\t12810 I\t-10 VPV\t10 PPV\t0 CS\t0 MPPT\t0 ERR\t0 LOAD\tON "
            "IL\t0 H19\t0 H20\t0 H21\t0 H22\t0 H23\t0 HSDS\t0",
            b"\xe4",
            {
                **{"version": "1.39", "serial": "HQ18486U2B4", "voltage": 12.81, "current": -0.01, "voltage_pv": 0.01},
                **{"power_pv": 0, "status": "off", "status_tracker": "off", "error": 0, "state_load": True},
                **{"current_load": 0, "energy_yield": 0, "energy_yield_today": 0, "power_max_today": 0},
                **{"energy_yield_yesterday": 0, "power_max_yesterday": 0},
            },
        ),
    ],
)
def test_as_a_bmv_702_and_a_smartsolar_said_it(lines: str, seal: bytes, sample: dict[str, Any]) -> None:
    """Out of test/bvm702.dump and test/smartsolar_1.39.dump of github.com/karioja/vedirect, with their own sums."""
    said = b"".join(b"\r\n" + line.encode() for line in lines.split(" ")) + b"\r\n" + END + seal
    assert events(said) == [sample]


def test_blocks_of_an_inverter_and_a_converter() -> None:
    inverter = block("PID\t0xA279", "MODE\t2", "CS\t9", "AC_OUT_V\t12003", "AC_OUT_I\t2", "AC_OUT_S\t24", "WARN\t0")
    converter = block("PID\t0xA3F0", "DC_IN_V\t1345", "DC_IN_I\t12", "DC_IN_P\t16", "T\t-5", "RELAY\tON")
    assert events(inverter + converter) == [
        {
            "status_mode": "inverter",
            "status": "inverting",
            "voltage_ac": 120.03,
            "current_ac": 0.2,
            "apparent_power_ac": 24,
            "error_warning": 0,
        },
        {"voltage_in": 13.45, "current_in": 1.2, "power_in": 16, "temperature": -5, "state_relay": True},
    ]


def test_versions_and_what_the_middle_of_a_battery_is_off() -> None:
    for line, told in (
        ("FW\t0208", "2.08"),
        ("FW\tC208", "C2.08"),
        ("FW\t1010", "10.10"),
        ("FWE\t0208FF", "2.08"),
        ("FWE\t020802", "2.08 beta 2"),
    ):
        assert events(block(line)) == [{"version": told}]
    assert events(block("VM\t6251", "DM\t-12")) == [{"voltage_mid": 6.251, "deviation_mid": -1.2}]
    assert events(block("OR\t0x00000081")) == [{"code_off": 129}]


def test_what_is_nothing() -> None:
    assert events(block("T\t---", "SOC\t---", "TTG\t-1", "V\t", "UNKNOWN\tx")) == []
    assert events(block("T\t---", "V\t12000")) == [{"voltage": 12}]


def test_states_of_inverters_that_charge() -> None:
    assert [events(block(f"CS\t{number}"))[0]["status"] for number in (8, 10, 244)] == [
        *("passing through", "assisting", "sustain")
    ]


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        (PANEL, {}),  # maximum current of the charger: none of ours
        (message("AD5ED003905"), {"voltage": 13.37}),
        (message("ABBED00D007"), {"voltage_pv": 20}),
        (message("7BCED0010270000"), {"power_pv": 100}),
        (message("ADBED00F4FF"), {"temperature_charger": -0.12}),
        (message("A8CED00C4F9FFFF"), {"current": -1.596}),
        (message("AFF0F001027"), {"level": 100}),
        (b":A0002000148\n", {}),
        (message("A01020005"), {"status": "float"}),
        (b":A0102000642\n", {"status": "storage"}),
    ],
)
def test_hex_messages(text: bytes, sample: dict[str, Any]) -> None:
    assert events(text) == ([sample] if sample else [])
    assert events(MPPT + text + MPPT) == [SAMPLE, *([sample] if sample else []), SAMPLE]
    for at in (2, MPPT.index(b"CS"), MPPT.index(b"Checksum")):  # within a block
        assert events(MPPT[:at] + text + MPPT[at:])[-1] == SAMPLE


def test_hex_messages_that_say_nothing() -> None:
    assert events(b":154\n" + b":51641F9\n" + b":451\n") == []  # a ping, its answer, a question
    assert events(message("A010200FF")) == []  # a state it does not know of
    assert (
        events(message("ABBED01D007") + message("ABBED00FFFF") + message("AFF0F00FFFF") + message("ADBED00FF7F")) == []
    )


@pytest.mark.parametrize(
    "text", [b":7F0ED009600DC\n", b":7\n", b":\n", b":7F0ED009600D\n", b":7F0ED009600DBx", b":" + b"0" * MESSAGE]
)
def test_hex_messages_that_are_none(text: bytes) -> None:
    told = events(MPPT + text + MPPT + MPPT)
    assert isinstance(told[1], BadFrame) and told[0] == told[-1] == SAMPLE


def test_hex_messages_with_values_that_are_none() -> None:
    assert [type(event) for event in events(message("ABBED0001"))] == [BadValue]
    assert [type(event) for event in events(message("A01020063"))] == [BadValue]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("V\t12.5", "V '12.5' is no number"),
        ("V\t9999999", "voltage 10000 V not in -1000..1000"),
        ("SOC\t1001", "level 100.1 % not in 0..100"),
        ("LOAD\tYES", "LOAD 'YES' is neither ON nor OFF"),
        ("CS\t99", "CS 99 is unknown"),
        ("CS\tx", "CS -1 is unknown"),
        ("MPPT\t3", "MPPT 3 is unknown"),
        ("SER#\thq", "SER# 'hq'"),
        ("OR\t1", "OR '1'"),
        ("FW\t1", "FW '1'"),
        ("V\t012", "V '012' is no number"),
    ],
)
def test_a_value_that_is_none_is_refused_alone(line: str, why: str) -> None:
    bad, sample = events(block(line, "I\t1000"))
    assert isinstance(bad, BadValue) and str(bad) == why and sample == {"current": 1}


def test_spoilt_and_torn_blocks_do_not_cost_the_next() -> None:
    for bad in (
        MPPT.replace(b"13360", b"13361"),
        MPPT[:-1] + b"\xdd",
        block("V\t1", "V\t2"),
        block("V 1"),
        sealed(END),
    ):
        assert [type(event) for event in events(MPPT + bad + MPPT)] == [dict, BadFrame, dict], bad
    for bad in (MPPT[:60], b"noise", b"\r\nnoise", MPPT[30:40]):
        assert [type(event) for event in events(MPPT + bad + MPPT)] == [dict, BadFrame, dict], bad
        assert events(bad + MPPT)[-1] == SAMPLE
    assert events(MPPT[24:] + MPPT) == [SAMPLE]  # who begins to listen has lost nothing
    assert [type(event) for event in events(b"x" * LONGEST)] == [BadFrame]


CHARGING = MPPT.replace(b"CS\t0", b"CS\t3").replace(b"MPPT\t0", b"MPPT\t2")[:-1] + b"\xd7"
SPOILT = MPPT[:-1] + b"\xdd"


def test_on_a_line_that_spoils_blocks_what_changes_counts_from_the_next_on() -> None:
    other = MPPT.replace(b"XRJM", b"XRHM").replace(b"13360", b"15360")  # a bit less and a bit more: the same sum
    assert [event["status"] for event in events(MPPT + CHARGING)] == ["off", "bulk"]  # a good line
    assert events(MPPT + other)[1]["voltage"] == 15.36
    for odd in (other, MPPT.replace(b"PPV", b"PPT").replace(b"V\t10", b"X\t10"), CHARGING):
        assert [type(event) for event in events(MPPT + SPOILT + odd + odd)] == [dict, BadFrame, BadFrame, dict]
    moved = MPPT.replace(b"13360", b"13351")
    assert [type(event) for event in events(MPPT + SPOILT + moved)] == [dict, BadFrame, dict]
    assert [type(event) for event in events(MPPT + SPOILT + MPPT * CALM + CHARGING)][-2:] == [dict, dict]


@given(st.lists(st.tuples(st.integers(0, len(MPPT) - 1), st.integers(0, 7)), min_size=2, max_size=6))
def test_blocks_with_wrong_bits_tell_at_most_numbers_that_move(flips: list[tuple[int, int]]) -> None:
    spoilt = bytearray(MPPT)
    for at, bit in flips:
        spoilt[at] ^= 1 << bit
    moving = {"voltage", "voltage_pv", "power_pv", "current", "current_load"}
    for event in events(MPPT + SPOILT + bytes(spoilt)):
        if isinstance(event, dict):
            assert {name: value for name, value in event.items() if name not in moving}.items() <= SAMPLE.items()


def test_any_byte_may_be_the_sum() -> None:
    seen = set()
    for at in range(256):
        one = block("I\t1000", f"X\t{'@' * (at // 64)}{chr(59 + at % 64)}")
        seen.add(one[-1])
        assert events(one + one) == [{"current": 1}] * 2, one
    assert len(seen) == 256


def test_every_flipped_bit_is_noticed() -> None:
    for at in range(len(MPPT) * 8):
        spoilt = bytearray(MPPT)
        spoilt[at // 8] ^= 1 << at % 8
        assert not [event for event in events(bytes(spoilt)) if isinstance(event, dict)]


STREAM = (
    MPPT
    + PANEL
    + b"noise"
    + MPPT
    + MPPT[:99]
    + b":A0102000642\n"
    + MPPT[99:]
    + MPPT[40:]
    + b"x" * 1500
    + MPPT
    + b":zz"
    + MPPT
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_chunks_of_any_size(cuts: list[int]) -> None:
    whole = list(map(str, events(STREAM)))
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert list(map(str, events(*(STREAM[a:b] for a, b in zip(bounds, bounds[1:], strict=False))))) == whole
    assert len(whole) > 6


def test_byte_by_byte() -> None:
    chunks = [STREAM[at : at + 1] for at in range(len(STREAM))]
    assert list(map(str, events(*chunks))) == list(map(str, events(STREAM)))


@given(st.binary(max_size=3000))
def test_anything_is_borne_and_little_kept(data: bytes) -> None:
    device = VEDirect(Settings())
    assert all(isinstance(event, DeviceError) for event in device.feed(data))
    assert len(device.stream.buffer) <= LONGEST + MESSAGE


def test_emulator_says_a_block_in_a_second() -> None:
    emulator = Emulator()
    samples = events(*(emulator.tick(0.1) for _ in range(300)))
    assert 57 <= len(samples) <= 60 and not any(isinstance(sample, DeviceError) for sample in samples)
