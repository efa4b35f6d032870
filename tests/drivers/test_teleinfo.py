"""Télé-information: frames of meters in both modes, and what spoils one.

The first two frames are those of esciara's "teleinfo" and of hallard's "teleinfo" for Raspberry Pi, single groups those
of other readers' tests; all are as meters sent them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, DeviceError
from drivers.teleinfo import LONGEST, NOISE, SP, Emulator, Settings, Teleinfo, sealed

FRAME = (
    b"\x02\nADCO 050022120078 2\r\nOPTARIF HC.. <\r\nISOUSC 45 ?\r\nHCHC 094939439 8\r\nHCHP 127970334 7\r"
    b"\nPTEC HP..  \r\nIINST 009  \r\nIMAX 049 L\r\nPAPP 02160 *\r\nHHPHC E 0\r\nMOTDETAT 400000 F\r\x03"
)
SAMPLE = {
    **{"serial": "050022120078", "current_limit": 45, "energy_import_hc": 94939.439, "energy_import_hp": 127970.334},
    **{"tariff": "HP..", "current": 9, "current_max": 49, "apparent_power": 2160},
}
TEMPO = (
    b"\x02\nADCO 031328141543 :\r\nOPTARIF BBR( S\r\nISOUSC 45 ?\r\nBBRHCJB 000010828 0\r\nBBRHPJB 000007345 =\r"
    b"\nBBRHCJW 000000000 2\r\nBBRHPJW 000000000 ?\r\nBBRHCJR 000000000 -\r\nBBRHPJR 000000000 :\r\nPTEC HPJB P\r"
    b'\nDEMAIN ---- "\r\nIINST 002 Y\r\nIMAX 030 B\r\nPAPP 00430 (\r\nHHPHC Y D\r\nMOTDETAT 000000 B\r\x03'
)


def events(*chunks: bytes) -> list[Any]:
    device = Teleinfo(Settings())
    found = [event for chunk in chunks for event in device.feed(chunk)]
    return [event if isinstance(event, DeviceError) else {q.name: v for q, v in event.items()} for event in found]


def historic(*bodies: str) -> list[Any]:
    return events(b"\x02" + b"".join(sealed(body.encode("latin-1"), SP) for body in bodies) + b"\x03")


def standard(*bodies: str) -> list[Any]:
    return events(b"\x02" + b"".join(sealed(f"{body}\t".encode("latin-1"), b"") for body in bodies) + b"\x03")


def test_historic_frame() -> None:
    assert events(FRAME) == [SAMPLE]
    assert events(FRAME * 3) == [SAMPLE] * 3


def test_tempo_frame() -> None:
    assert events(TEMPO) == [
        {
            **{"serial": "031328141543", "current_limit": 45, "tariff": "HPJB", "current": 2, "current_max": 30},
            **{"apparent_power": 430, "energy_import_hcjb": 10.828, "energy_import_hpjb": 7.345},
            **{f"energy_import_h{hour}j{day}": 0 for hour in "cp" for day in "wr"},
        }
    ]
    assert historic("DEMAIN ROUG") == [{"tariff_tomorrow": "ROUG"}]


def test_other_historic_labels() -> None:
    assert historic(
        *("BASE 004159823", "EJPHN 000000001", "EJPHPM 000000002", "PEJP 30", "ADPS 031", "PMAX 07700", "PPOT 00"),
        *("IINST1 001", "IINST2 002", "IINST3 003", "IMAX1 060", "IMAX2 060", "IMAX3 060", "ADIR2 061", "PTEC TH.."),
    ) == [
        {
            **{"energy_import": 4159.823, "energy_import_hn": 0.001, "energy_import_hpm": 0.002, "current_warning": 31},
            **{"power_max": 7700, "current_l1": 1, "current_l2": 2, "current_l3": 3, "current_warning_l2": 61},
            **{f"current_max_l{at}": 60 for at in (1, 2, 3)},
            "tariff": "TH..",
        }
    ]


def test_standard_groups_as_a_meter_sent_them() -> None:
    assert events(b"\x02\nUMOY1\tE221013203000\t235\t#\r\x03") == [{"voltage_mean_l1": 235}]


def test_standard_frame() -> None:
    assert standard(
        *(
            "ADSC\t041876097767",
            "VTIC\t02",
            "DATE\tH261120183000\t",
            "NGTF\t     TEMPO      ",
            "LTARF\t    HP  BLEU    ",
        ),
        *("EAST\t004159823", "EASF01\t000000001", "EASF10\t000000010", "EASD04\t000000004", "EAIT\t000000009"),
        *("ERQ1\t000000021", "IRMS1\t002", "URMS3\t231", "PREF\t09", "PCOUP\t09", "SINSTS\t00466", "SINSTS2\t00155"),
        *("SMAXSN\tH261120070102\t02155", "SMAXSN-1\tH261119070102\t03155", "SMAXSN3\tH261120070102\t00700"),
        *(
            "SINSTI\t00012",
            "SMAXIN\tH261120120102\t02200",
            "CCASN\tH261120180000\t00432",
            "CCAIN\tH261120180000\t00005",
        ),
        *(
            "STGE\t003A0001",
            "MSG1\tPAS DE          MESSAGE         ",
            "PRM\t16234567890123",
            "RELAIS\t000",
            "NTARF\t02",
        ),
        "PJOURF+1\t00008001 NONUTILE" + 9 * " NONUTILE",
    ) == [
        {
            **{
                "serial": "041876097767",
                "time": "2026-11-20T17:30:00.000Z",
                "tariff": "HP BLEU",
                "energy_import": 4159.823,
            },
            **{"energy_import_t1": 0.001, "energy_import_t10": 0.01, "energy_import_d4": 0.004, "energy_export": 0.009},
            **{"reactive_energy_q1": 0.021, "current_l1": 2, "voltage_l3": 231, "apparent_power_limit": 9000},
            **{
                "apparent_power_cutoff": 9000,
                "apparent_power": 466,
                "apparent_power_l2": 155,
                "apparent_power_max": 2155,
            },
            **{"apparent_power_max_l3": 700, "apparent_power_export": 12, "apparent_power_export_max": 2200},
            **{"power_mean": 432, "power_export_mean": 5, "message": "PAS DE MESSAGE", "serial_prm": "16234567890123"},
            **{"state_contact": False, "state_breaker": True},
            **{f"state_relay_{number}": False for number in range(1, 9)},
        }
    ]


def test_what_stands_in_the_bits_of_a_register() -> None:
    closed = {"state_contact": True, "state_breaker": True}
    assert standard("STGE\t093A0000") == [closed | {"tariff_today": "BLEU", "tariff_tomorrow": "BLAN"}]
    assert standard("STGE\t033A000A") == [closed | {"state_breaker": False, "tariff_today": "ROUG"}]
    (relays,) = standard("RELAIS\t130")
    assert [name for name, on in relays.items() if on] == ["state_relay_2", "state_relay_8"]
    assert historic("STGE 093A0000") == []
    for body in ("STGE\t93A0000", "STGE\t093A000G", "RELAIS\t0A0", "RELAIS\t-01"):
        assert [type(event) for event in standard(body)] == [BadValue]


def test_time() -> None:
    assert standard("DATE\tE260701000000\t") == [{"time": "2026-06-30T22:00:00.000Z"}]
    assert standard("DATE\te260701000000\t", "DATE\t 260701000000\t", "DATE\t\t") == []  # its clock has lost the time
    (bad,) = standard("DATE\tH261320000000\t")
    assert isinstance(bad, BadValue)


def test_empty_is_nothing() -> None:
    assert standard("MSG1\t", "EAST\t", "LTARF\t                ", "SMAXSN\tH261120070102\t") == []


@pytest.mark.parametrize(
    "body", ["BASE 00415982", "BASE 0041598230", "PAPP 0x290", "PAPP -0290", "PTEC HX..", "DEMAIN VERT"]
)
def test_a_value_that_is_none_is_refused_alone(body: str) -> None:
    bad, sample = historic(body, "IINST 009")
    assert isinstance(bad, BadValue) and sample == {"current": 9}


@pytest.mark.parametrize(
    "group", [b"PAPP 02160 +", b"PAPP 02160", b"PAPP", b"*", b"\xff", b"PAPP_02160 *", b"PAPP 2160 *"]
)
def test_a_group_that_is_none_is_refused_alone(group: bytes) -> None:
    told = events(FRAME.replace(b"PAPP 02160 *", group))
    assert {type(event) for event in told[:-1]} == {BadFrame}
    assert told[-1] == {key: value for key, value in SAMPLE.items() if key != "apparent_power"}


def test_each_mode_has_its_own_separator_and_checksum() -> None:
    good = sealed(b"IINST 009", SP)
    assert events(b"\x02" + good + b"\x03") == [{"current": 9}]
    other = b"\nIINST 009 %c\r" % ((sum(b"IINST 009 ") & 0x3F) + 0x20)  # with the separator behind
    assert [type(event) for event in events(b"\x02" + other + b"\x03")] == [BadFrame]


def test_frames_that_are_broken_off_torn_or_run_into_each_other() -> None:
    half = FRAME[: FRAME.index(b"PTEC")]
    known = {key: SAMPLE[key] for key in ("serial", "current_limit", "energy_import_hc", "energy_import_hp")}
    assert events(half + b"PTEC HP\x04" + FRAME) == [known, SAMPLE]  # as the meter does when somebody reads it out
    told = events(half + b"PTEC HP" + FRAME)
    assert isinstance(told[0], BadFrame) and told[1:] == [known, SAMPLE]
    assert events((FRAME[1:-1] * 3) + b"\x03") == [SAMPLE] * 3
    assert events(FRAME[30:] + FRAME)[-1] == SAMPLE
    assert events(FRAME.replace(b"\r\n", b"\n").replace(b"\x02\n", b"\x02")) == [SAMPLE]


def test_seven_bits_read_as_eight() -> None:
    even = bytes(byte | 0x80 * (byte.bit_count() % 2) for byte in FRAME)
    assert even != FRAME and events(even) == [SAMPLE]
    assert b"09\xb4939\xb439" in even  # HCHC 094939439
    spoilt = even.replace(b"09\xb4939\xb439", b"19\xb4839\xb439")  # two bits, which the checksum does not see
    refused, rest = events(spoilt)
    assert isinstance(refused, BadFrame)
    assert rest == {key: value for key, value in SAMPLE.items() if key != "energy_import_hc"}


def test_wrong_baud_rate_is_told() -> None:
    assert events(b"\xfe" * (NOISE - LONGEST)) == []
    assert [type(event) for event in events(b"\xfe" * (2 * NOISE + LONGEST))] == [BadFrame] * 2
    assert [type(event) for event in events(b"\n" + b"x" * LONGEST)] == [BadFrame]


def test_every_flipped_bit_is_noticed() -> None:
    assert events(FRAME) == [SAMPLE]
    for at in range(len(FRAME) * 8):
        spoilt = bytearray(FRAME)
        spoilt[at // 8] ^= 1 << at % 8
        assert all(event.items() <= SAMPLE.items() for event in events(bytes(spoilt)) if isinstance(event, dict))


def test_every_lost_byte_is_noticed() -> None:
    for at in range(len(FRAME)):
        told = events(FRAME[:at] + FRAME[at + 1 :])
        assert all(event.items() <= SAMPLE.items() for event in told if isinstance(event, dict))


STREAM = FRAME + b"noise" * 50 + TEMPO + FRAME[:99] + b"\x04" + FRAME[40:] + b"\n" + b"x" * 999 + FRAME


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_chunks_of_any_size(cuts: list[int]) -> None:
    whole = list(map(str, events(STREAM)))
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert list(map(str, events(*(STREAM[a:b] for a, b in zip(bounds, bounds[1:], strict=False))))) == whole
    assert len(whole) > 5


def test_byte_by_byte() -> None:
    chunks = [STREAM[at : at + 1] for at in range(len(STREAM))]
    assert list(map(str, events(*chunks))) == list(map(str, events(STREAM)))


@given(st.binary(max_size=400))
def test_anything_is_borne_and_little_kept(data: bytes) -> None:
    device = Teleinfo(Settings())
    assert all(isinstance(event, DeviceError) for event in device.feed(data))
    assert len(device.buffer) < LONGEST


def test_emulator_says_a_frame_in_two_seconds() -> None:
    emulator = Emulator()
    samples = events(*(emulator.tick(0.1) for _ in range(600)))
    assert 29 <= len(samples) <= 30 and {"power_mean", "tariff_tomorrow"} <= samples[0].keys() | samples[1].keys()
