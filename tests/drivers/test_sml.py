"""SML: files that meters sent, and what spoils one.

The file is that of a DZG meter, as its owner published it (volkszaehler/vzlogger, issue 544).  What is known of other
makers' ways: volkszaehler/libsml, issues 59, 75 and 136."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, DeviceError
from drivers.codec import sml
from drivers.codec.checksums import CHECKSUMS
from drivers.codec.sml import HEAD, LONGEST, filed, integer, listed, natural, octets, sealed
from drivers.sml import CURRENT, LIST, SML, Emulator, Settings

DZG = bytes.fromhex(
    "1b1b1b1b01010101 76058d9f9b1362006200 7263010176010102310b0a01445a470002fc07a7 7262016506 8a5f946202 63895a00"
    "76058e9f9b1362006200 72630701 77010b0a01445a470002fc07a7 070100620affff 726201 65068a5f94 74"
    "77070100603201 01 01726201620062005200 04445a47 01"
    "77070100600100ff 01 726201620062005200 0b0a01445a470002fc07a7 01"
    "77070100010800ff 64040104 72620162006 21e52ff 6505f94ab8 01"
    "77070100240700ff 01 72620162006 21b52fe 53c60c 01"
    "01 01 63908e00 76058f9f9b1362006200 7263020171 01 63941100 00 1b1b1b1b1a017cc8".replace(" ", "")
)
ISK = b"\x09\x01ISK\x00" + (67362659).to_bytes(4, "big")
WHO = b"\x0a\x01GWY\x00" + (1).to_bytes(4, "big")


def events(*chunks: bytes) -> list[Any]:
    device = SML(Settings())
    found = [event for chunk in chunks for event in device.feed(chunk)]
    return [event if isinstance(event, DeviceError) else {q.name: v for q, v in event.items()} for event in found]


def value(code: str, unit: bytes, ten: bytes, raw: bytes, end: int = 255, time: bytes = octets()) -> bytes:
    return listed(octets(bytes((*map(int, code.split(".")), end))), octets(), time, unit, ten, raw, octets())


def listing(*values: bytes, who: bytes = WHO) -> bytes:
    none = octets()
    return sealed(2, LIST, listed(none, octets(who), octets(CURRENT), none, listed(*values), none, none))


def said(*values: bytes, who: bytes = WHO) -> list[Any]:
    found = events(filed(listing(*values, who=who)))
    for event in found:
        if isinstance(event, dict):
            event.pop("serial")
    return [event for event in found if event]


TEN = integer(-1, 1)
WH, W = natural(30), natural(27)
POWER = value("1.0.16.7.0", W, TEN, integer(168, 4))


CORPUS = Path(__file__).parents[1] / "corpus" / "sml"
CODES = {  # of the captures: quantity, and how much of its unit what they have is
    **{"0100010800ff": ("energy_import", 1000), "0100010801ff": ("energy_import_t1", 1000)},
    **{"0100010802ff": ("energy_import_t2", 1000), "01000f0700ff": ("power_total", 1), "0100100700ff": ("power", 1)},
    **{"0100240700ff": ("power_l1", 1), "0100380700ff": ("power_l2", 1), "01004c0700ff": ("power_l3", 1)},
}


@pytest.mark.parametrize(
    ("name", "serial"), [("emh-ed300l", "06454d4801027156cd45"), ("iskra-mt175", "1ISK0067362659")]
)
def test_captures(name: str, serial: str) -> None:
    """Each value of each file against that of SmlLib."""
    expected = json.loads((CORPUS / "expect.json").read_text())[name]
    samples = events((CORPUS / f"{name}.bin").read_bytes())
    assert len(samples) == len(expected) > 0
    for sample, said in zip(samples, expected, strict=True):
        assert sample.pop("serial") == serial
        assert {CODES[code][0]: value / CODES[code][1] for code, value in said.items()} == pytest.approx(sample)


def test_a_capture_whose_files_are_all_torn() -> None:
    found = events((CORPUS / "dzg-dvs7420-torn.bin").read_bytes())
    assert len(found) == 7 and {type(event) for event in found} == {BadFrame}


def test_a_file_of_a_meter() -> None:
    bad, sample = events(DZG)
    assert sample == {"energy_import": 10022.3672, "serial": "1DZG0050071463"}
    assert isinstance(bad, BadValue) and str(bad) == "36.7.0: c60c is negative or not: DZG 50071463"


def test_values_with_their_units_and_scalers() -> None:
    assert said(
        value("1.0.1.8.0", WH, TEN, integer(224624136, 8)),
        value("1.0.1.8.1", WH, integer(3, 1), natural(22, 2)),
        value("1.0.2.8.0", WH, octets(), natural(5, 4)),
        POWER,
        value("1.0.36.7.0", W, integer(-2, 1), integer(-29912, 2)),
        value("1.0.32.7.0", natural(35), TEN, natural(2422, 2)),
        value("1.0.31.7.0", natural(33), integer(-2, 1), natural(725, 2)),
        value("1.0.14.7.0", natural(44), TEN, natural(500, 2)),
        value("1.0.33.7.0", natural(255), integer(-2, 1), integer(-95, 1)),
        value("1.0.3.8.0", natural(32), octets(), natural(1500, 2)),
        value("1.0.21.7.255", W, octets(), natural(117)),
        value("1.0.4.8.2", natural(32), octets(), natural(2500, 2)),
        value("1.0.9.8.0", natural(31), octets(), natural(3500, 2)),
        value("1.0.52.24.0", natural(35), TEN, natural(2301, 2)),
    ) == [
        {
            **{"energy_import": 22462.4136, "energy_import_t1": 22, "energy_export": 0.005, "power": 16.8},
            **{"power_l1": -299.12, "voltage_l1": 242.2, "current_l1": 7.25, "frequency": 50, "power_factor_l1": -0.95},
            **{"reactive_energy_import": 1.5, "power_import_l1": 117, "reactive_energy_export_t2": 2.5},
            **{"apparent_energy_import": 3.5, "voltage_mean_l2": 230.1},
        }
    ]


def test_what_is_passed_over() -> None:
    empty = value("1.0.16.7.0", octets(), octets(), octets())
    past = value("1.0.1.8.0", WH, TEN, natural(1), end=96)
    angle = value("1.0.81.7.1", natural(8), octets(), natural(120))
    maker = value("129.129.199.130.3", octets(), octets(), octets(b"ISK"))
    assert said(empty, past, angle, maker) == []
    assert said(empty, past, angle, maker, POWER) == [{"power": 16.8}]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (value("1.0.1.8.0", natural(35), TEN, natural(1)), "1.8.0 1 in V"),
        (value("1.0.1.8.0", natural(99), TEN, natural(1)), "1.8.0: 01, unit 63, scaler ff"),
        (value("1.0.1.8.0", octets(), TEN, natural(1)), "1.8.0 1 has no unit"),
        (value("1.0.1.8.0", WH, integer(99, 1), natural(1)), "1.8.0: 01, unit 1e, scaler 63"),
        (value("1.0.1.8.0", WH, TEN, octets(b"12")), "1.8.0: 3132, unit 1e, scaler ff"),
        (value("1.0.1.8.0", WH, integer(0, 1), integer(-1, 8)), "energy_import -0.001 kWh not in 0..1e+10"),
    ],
)
def test_a_value_that_is_none_is_refused_alone(odd: bytes, why: str) -> None:
    bad, sample = said(odd, POWER)
    assert isinstance(bad, BadValue) and str(bad) == why and sample == {"power": 16.8}


@pytest.mark.parametrize(
    ("number", "power"),
    [(42_082_910, 356.24), (55_000_000, 356.24), (40_221_297, -299.12), (60_000_000, -299.12)],
)
def test_dzg_writes_natural_numbers_as_integers(number: int, power: float) -> None:
    who = b"\x0a\x01DZG\x00" + number.to_bytes(4, "big")
    reading = value("1.0.16.7.0", W, integer(-2, 1), b"\x53\x8b\x28")
    assert said(reading, who=who) == [{"power": power}]
    assert said(value("1.0.16.7.0", W, integer(-2, 1), integer(-126061, 4)), who=who) == [{"power": -1260.61}]


def resealed(file: bytes, name: str, order: Any) -> bytes:
    """*file*, one of three messages, with its CRCs of another kind."""
    crc = CHECKSUMS[name]
    content = b""
    for message in file[HEAD : -8 - file[-3]].split(b"\x00\x76"):
        message = message.removeprefix(b"\x76").removesuffix(b"\x00")
        content += b"\x76" + message[:-3] + b"\x63" + crc.bytes_of(b"\x76" + message[:-3], order) + b"\x00"
    body = file[:HEAD] + content + bytes(file[-3]) + file[-8:-2]
    return body + crc.bytes_of(body, order)


@pytest.mark.parametrize(("name", "order"), sml.SEALS)
def test_seals_of_other_makers(name: str, order: str) -> None:
    file = filed(listing(POWER))
    assert b"\x00\x76" not in file
    assert events(resealed(file, name, order)) == events(file) and len(events(file)) == 1
    assert [type(event) for event in events(resealed(file, "crc16-xmodem", order))] == [BadFrame]


def test_a_file_that_was_changed_and_sealed_anew_is_refused() -> None:
    """As people do to publish one without their meter's number: the CRC of the file is right, that within is not."""
    file = filed(listing(POWER))
    changed = file.replace(WHO, WHO[:-1] + b"\x02")
    changed = changed[:-2] + next(sml.seals(changed[:-2]))
    (bad,) = events(changed)
    assert len(events(file)) == 1 and isinstance(bad, BadFrame) and "CRC of a message" in str(bad)


def test_holley_leaves_out_what_kind_of_time_it_is() -> None:
    assert said(value("1.0.1.8.0", WH, TEN, natural(12345, 4), time=natural(171639, 4))) == [{"energy_import": 1.2345}]


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("run", range(1, 14))
def test_escapes_within(run: int, before: int) -> None:
    text = b"x" * before + b"\x1b" * run
    file = filed(listing(value("1.0.96.1.0", octets(), octets(), octets(text)), POWER))
    assert events(file + file)[0]["serial"] == text.hex() and len(events(file + file)) == 2


def test_long_lists_and_long_octets() -> None:
    many = [value("1.0.81.7.1", natural(8), octets(), natural(at)) for at in range(40)]
    assert said(*many, POWER) == [{"power": 16.8}]
    long = b"\x83\x02" + b"s" * 48  # a public key of 48 bytes and its two-byte length
    file = filed(sealed(1, LIST, listed(octets(), octets(WHO), long, octets(), listed(POWER), octets(), octets())))
    assert events(file)[0]["power"] == 16.8


# What is no reading

GOOD = filed(sealed(1, 0x0101, listed(*[octets()] * 6)), listing(POWER), sealed(3, 0x0201, listed(octets())))
SAMPLE = {"power": 16.8, "serial": "1GWY0000000001"}


def test_every_flipped_bit_is_noticed() -> None:
    assert events(GOOD) == [SAMPLE]
    for at in range(len(GOOD) * 8):
        spoilt = bytearray(GOOD)
        spoilt[at // 8] ^= 1 << at % 8
        assert not [event for event in events(bytes(spoilt)) if event != SAMPLE and isinstance(event, dict)]


def test_a_message_with_a_wrong_crc_is_refused_though_that_of_the_file_is_right() -> None:
    wrong = listing(POWER).replace(b"\xa8", b"\xa9")
    bad, sample = events(filed(wrong, listing(POWER)))
    assert isinstance(bad, BadFrame) and sample == SAMPLE


def test_spoilt_and_torn_files_do_not_cost_the_next() -> None:
    for bad in (
        GOOD.replace(b"\xa8", b"\xa9", 1),
        GOOD[:-20],
        GOOD[20:],
        GOOD[:40] + GOOD[41:],
        GOOD[:30] + sml.ESCAPE + b"\x05abc" + GOOD[30:],
        b"x" * 100,
        sml.ESCAPE + b"\x01" * 4 + b"x" * (LONGEST - 8),
        filed(b"\x76" * 20),
        filed(b"\xff" * 20),
    ):
        assert [type(event) for event in events(GOOD + bad + GOOD)] == [dict, BadFrame, dict], bad.hex()
    assert events(GOOD[50:] + GOOD) == [SAMPLE]  # who begins to listen has lost nothing
    assert events(GOOD + b"\x00\xff" * 99 + GOOD) == [SAMPLE, SAMPLE]


def test_lists_that_are_none() -> None:
    none = octets()
    for content in (
        listed(none, none),
        listed(none, octets(WHO), none, none, none, none, none),
        listed(none, octets(WHO), none, none, listed(none, listed(none)), none, none),
        listed(*[listed(*[listed(*[listed(*[listed(*[listed(none)])])])])]),
    ):
        assert {type(event) for event in events(filed(sealed(1, LIST, content)))} == {BadFrame}
    assert events(filed(sealed(1, 0x0701, listed(none, octets(WHO), none, none, listed(POWER), none, none))))


STREAM = GOOD + b"noise" * 9 + DZG + GOOD[:99] + GOOD + GOOD[:-3] + b"\x1b" * 9 + GOOD + b"\x01" * 50 + DZG


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_chunks_of_any_size(cuts: list[int]) -> None:
    whole = list(map(str, events(STREAM)))
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert list(map(str, events(*(STREAM[a:b] for a, b in zip(bounds, bounds[1:], strict=False))))) == whole
    assert len(whole) > 7


def test_byte_by_byte() -> None:
    chunks = [STREAM[at : at + 1] for at in range(len(STREAM))]
    assert list(map(str, events(*chunks))) == list(map(str, events(STREAM)))


@given(st.binary(max_size=300))
def test_anything_in_a_sealed_file_is_borne(content: bytes) -> None:
    assert all(isinstance(event, BadFrame) for event in events(filed(content)))


@given(
    st.recursive(
        st.binary(max_size=9).map(octets), lambda inner: st.lists(inner, max_size=8).map(lambda of: listed(*of))
    )
)
def test_anything_in_a_sealed_message_is_borne(content: bytes) -> None:
    assert all(isinstance(event, DeviceError) for event in events(filed(sealed(1, LIST, content))))


def test_what_is_kept_is_bounded() -> None:
    device = SML(Settings())
    for data in (sml.ESCAPE + b"\x01" * 4, b"x" * 1000, b"\x1b" * 1000, bytes(1000)):
        for _ in range(20):
            list(device.feed(data))
        assert len(device.files.buffer) <= LONGEST + 1000


def test_emulator_says_a_file_in_two_seconds_and_feeds_in_now_and_then() -> None:
    emulator = Emulator()
    samples = events(*(emulator.tick(0.1) for _ in range(6000)))
    assert 299 <= len(samples) <= 300 and min(sample["power"] for sample in samples) < 0
