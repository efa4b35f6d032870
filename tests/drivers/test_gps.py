"""GPS: published sentences, epochs in every order receivers have, and captures beside what gpsd made of them.

Sentences: Dale DePriest's "NMEA data" (RMC, GGA, GLL), gpsd's "NMEA Revealed" (GNS, VTG, ZDA), and those of a
u-blox NEO-6M without reception."""

from __future__ import annotations

import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadFrame, BadValue, DeviceError, Quantity, Sample, Value
from drivers.codec import ubx
from drivers.codec.epochs import MODE, TIME
from drivers.codec.sentences import ALTITUDE, HDOP, LATITUDE, LONGITUDE, SATELLITES, SPEED, TRACK
from drivers.gps import GPS, IN_VIEW, BinaryEmulator, Emulator, Settings, sentence

CORPUS = Path(__file__).parents[1] / "corpus" / "gps"
RMC = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"
GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
FIX: dict[Quantity, Any] = {
    TIME: "1994-03-23T12:35:19.000Z",
    MODE: "3d",
    LATITUDE: pytest.approx(48.1173, abs=1e-7),
    LONGITUDE: pytest.approx(11.5166667, abs=1e-7),
    ALTITUDE: 545.4,
    SPEED: pytest.approx(11.5236, abs=1e-4),
    TRACK: 84.4,
    SATELLITES: 8,
    HDOP: 0.9,
}


def fed(*chunks: bytes) -> list[Sample | DeviceError]:
    device = GPS(Settings())
    return [event for chunk in chunks for event in device.feed(chunk)]


def told(*bodies: str) -> list[Sample | DeviceError]:
    return fed(*map(sentence, bodies))


def samples(*bodies: str) -> list[dict[str, Value]]:
    """Samples only, by name, when nothing was wrong."""
    events = told(*bodies)
    assert not [event for event in events if isinstance(event, DeviceError)]
    return [
        {quantity.name: value for quantity, value in event.items()}
        for event in events
        if not isinstance(event, DeviceError)
    ]


def rmc(time: str, date: str = "201126", status: str = "A") -> str:
    return f"GPRMC,{time},{status},4807.038,N,01131.000,E,10.0,84.4,{date},,,A"


def gga(time: str, quality: int = 1, altitude: str = "545.4") -> str:
    return f"GPGGA,{time},4807.038,N,01131.000,E,{quality},08,0.9,{altitude},M,46.9,M,,"


def times(*bodies: str) -> list[Value | None]:
    return [sample.get("time") for sample in samples(*bodies)]


def test_fix() -> None:
    assert fed(RMC + GGA) == fed(GGA + RMC) == [FIX]


def test_chunks_of_any_size() -> None:
    data = RMC + GGA + (RMC + GGA).replace(b"123519", b"123518").replace(b"*6A", b"*6B").replace(b"*47", b"*46")
    assert len(fed(data)) == 2
    assert fed(*(data[at : at + 1] for at in range(len(data)))) == fed(data)


def test_no_flipped_bit_makes_a_new_reading() -> None:
    ends = sentence("GPGLL,,,,,235959,V,N")
    assert fed(GGA + ends)[0] == {key: value for key, value in FIX.items() if key not in (TIME, SPEED, TRACK)}
    for at in range(len(GGA) * 8):
        spoiled = bytearray(GGA)
        spoiled[at // 8] ^= 1 << at % 8
        good = [event for event in fed(bytes(spoiled) + ends + ends) if not isinstance(event, BadFrame)]
        assert all(sample == fed(GGA + ends)[0] or sample == {MODE: "none"} for sample in good), bytes(spoiled)


def test_torn_sentence_does_not_cost_the_next() -> None:
    bad, *good = fed(RMC + b"$GPGGA,1234" + GGA)
    assert isinstance(bad, BadFrame) and good == [FIX]


# A line that spoils sentences

SPOILT = b"$GPGSV,1,1,00*00\r\n"


def epoch(clock: str, north: str = "4807.038", status: str = "A") -> bytes:
    return sentence(rmc(clock, status=status).replace("4807.038", north)) + sentence(gga(clock))


def doubted(*epochs: bytes, before: bytes = epoch("120000")) -> list[str]:
    """What becomes of *epochs* behind a spoilt sentence: times, or errors."""
    assert [sample[TIME] for sample in fed(before + b"".join(epochs)) if isinstance(sample, dict)]  # else all count
    return [event[TIME][11:19] if isinstance(event, dict) else str(event) for event in fed(before + SPOILT, *epochs)][
        2:
    ]


def test_in_doubt_sentences_of_one_instant_must_agree() -> None:
    apart = epoch("120001", north="4807.048")
    assert len(fed(epoch("120000") + apart + epoch("120002"))) == 3
    bad, good = doubted(apart, epoch("120002"))
    assert bad == "sentences of one instant differ about latitude, on a line that spoils some" and good == "12:00:02"
    bad, good = doubted(epoch("120001", status="V"), epoch("120002"))
    assert bad == "sentences of one instant differ about mode, on a line that spoils some" and good == "12:00:02"


def test_in_doubt_a_speed_that_two_sentences_differ_about_costs_itself_only() -> None:
    other = sentence("GPVTG,84.4,T,,M,12.0,N,,K")
    events = fed(SPOILT + sentence(rmc("120000")) + other + sentence(rmc("120001")))
    assert [type(event) for event in events[:2]] == [BadFrame, BadValue]
    assert isinstance(events[2], dict) and {LATITUDE, TRACK} < events[2].keys() and SPEED not in events[2]


def test_in_doubt_what_jumps_counts_from_the_next_on() -> None:
    jump = b"".join(sentence(body.replace("4807.038", "4808.038")) for body in (rmc("120001"), gga("120001")))
    for far in (jump, epoch("120101"), epoch("115901")):
        bad, good = doubted(far, epoch("120002"))
        assert bad.endswith("is a jump, on a line that spoils sentences") and good == "12:00:02"
    assert doubted(epoch("130001"), epoch("130002"))[1:] == ["13:00:02"]  # it has come to stay
    assert doubted(*(epoch(f"12{minute:02d}00") for minute in (1, 2, 3, 4)))[1::2] == ["12:02:00", "12:04:00"]
    assert doubted(*(epoch(f"1200{second:02d}") for second in range(1, 60)))[-1] == "12:00:59"


def test_in_doubt_a_date_that_jumps_is_not_carried_on() -> None:
    late = sentence(rmc("120001").replace("201126", "201136")) + sentence(gga("120001"))
    said = fed(epoch("120000") + SPOILT + late + sentence(gga("120002")) + sentence(gga("120003")) + epoch("120004"))
    days = [str(event[TIME])[:10] for event in said if isinstance(event, dict) and TIME in event]
    assert len(days) >= 3 and set(days) == {"2026-11-20"}


def test_in_doubt_two_receivers_on_one_line_are_not_mute() -> None:
    apart = [epoch(f"1200{second:02d}", north="4807.138") for second in range(1, 9)]
    assert [told for told in doubted(*apart) if not told.startswith("sentences")] == [
        *("12:00:02", "12:00:04", "12:00:06", "12:00:08")
    ]


def test_a_line_is_good_again_after_a_minute() -> None:
    still = b"".join(epoch(f"12{minute:02d}{second:02d}") for minute in range(2) for second in range(60))
    assert sum(isinstance(event, dict) for event in fed(SPOILT + still + epoch("150000"))) == 121


def test_how_many_dimensions_is_not_guessed_where_the_sentence_that_tells_was_refused() -> None:
    spoilt = sentence(gga("120000")).replace(b"545.4", b"545.5")
    assert samples(rmc("120000"), rmc("120001"))[0]["mode"] == "2d"
    refused, sample = fed(spoilt + sentence(rmc("120000")) + sentence(rmc("120001")))[:2]
    assert isinstance(refused, BadFrame) and isinstance(sample, dict) and LATITUDE in sample and MODE not in sample


# What no fix looks like

NEO_6M = b"""$GPRMC,,V,,,,,,,,,,N*53\r\n$GPVTG,,,,,,,,,N*30\r\n$GPGGA,,,,,,0,00,99.99,,,,,,*48
$GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99*30\r\n$GPGSV,1,1,00*79\r\n$GPGLL,,,,,,V,N*64\r\n"""


def test_without_reception() -> None:
    none: dict[Quantity, Value] = {MODE: "none", SATELLITES: 0}
    assert fed(3 * NEO_6M) == [none, none, none | {IN_VIEW: 0}]  # a round of one sentence is over when it comes again


@pytest.mark.parametrize(
    "bodies",
    [
        (rmc("120000", status="V"), gga("120000", quality=0)),
        (rmc("120000", status="V"), gga("120000")),  # they differ: no position is better than a false one
        (rmc("120000"), gga("120000", quality=0)),
        ("GPRMC,120000,A,4807.038,N,01131.000,E,10,84,201126,,,N", gga("120000")),
        ("GPRMC,120000,A,,,,,,,201126,,,A", "GPGGA,120000,,,,,1,08,0.9,,M,,M,,"),
    ],
)
def test_void(bodies: tuple[str, ...]) -> None:
    assert samples(*bodies) == [{"time": "2026-11-20T12:00:00.000Z", "mode": "none", "satellites": 8}]


# Where an epoch ends

UBLOX = (
    "GPRMC,{},A,4807.038,N,01131.000,E,10.0,84.4,201126,,,A",
    "GPVTG,84.4,T,,M,10.0,N,18.5,K,A",
    "GPGGA,{},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
    "GNGSA,A,3,01,11,,,,,,,,,,,1.5,0.9,1.2",
    "GNGSA,A,3,67,83,,,,,,,,,,,1.5,0.9,1.2",
    "GPGSV,2,1,05,01,53,280,36,03,29,301,24,04,55,223,37,08,38,166,16",
    "GPGSV,2,2,05,12,76,331,31",
    "GPGLL,4807.038,N,01131.000,E,{},A,A",
    "GPZDA,{},20,11,2026,00,00",
)


@pytest.mark.parametrize("turn", range(len(UBLOX)))
@pytest.mark.parametrize("backwards", [False, True])
def test_one_sample_an_epoch_whatever_comes_first(turn: int, backwards: bool) -> None:
    order = (UBLOX[turn:] + UBLOX[:turn])[:: -1 if backwards else 1]
    bodies = [body.format(f"12000{tenth // 10}.{tenth % 10}") for tenth in range(0, 50, 2) for body in order]
    assert times(*bodies) == [f"2026-11-20T12:00:0{tenth // 10}.{tenth % 10}00Z" for tenth in range(0, 50, 2)]


def test_a_new_time_ends_it() -> None:
    assert [sample["altitude"] for sample in samples(gga("120000"), gga("120001", altitude="1"), gga("120002"))] == [
        545.4,
        1,
        545.4,  # at once: two epochs in a row had nothing else
    ]


def test_a_sentence_that_repeats_ends_it() -> None:
    track = "GPVTG,{},T,,M,10.0,N,18.5,K,A"
    one, two = samples(track.format(1), gga("120000"), track.format(2), gga("120001"), track.format(3))
    assert (one["track"], two["track"]) == (1, 2)
    assert len(samples(*3 * (rmc("120000"), gga("120000")))) == 3  # ten a second, by a clock of whole seconds


def test_sentences_by_turns_are_told_at_once_from_their_second_round_on() -> None:
    """As a Humminbird Matrix 37 does it: each second another sentence, and what goes with it."""
    rounds = [
        [rmc(f"12000{second}"), f"GPGLL,4807.038,N,01131.000,E,12000{second + 1},A", "GPVTG,84.4,T,,M,10.0,N,18.5,K",
         gga(f"12000{second + 2}"), f"GPZDA,12000{second + 2},20,11,2026,,"]
        for second in (0, 3)
    ]  # fmt: skip
    found = samples(*rounds[0], *rounds[1])
    assert [sample["time"] for sample in found] == [f"2026-11-20T12:00:0{second}.000Z" for second in range(6)]
    assert [sample["mode"] for sample in found] == ["2d", "2d", *4 * ["3d"]]  # an altitude holds for the next ones
    assert [sample.get("speed") is None for sample in found] == [False, False, True, False, False, True]


def test_what_comes_late_is_told_too() -> None:
    """As an inertial receiver of OxTS does it: ten GGA a second, and RMC once."""
    said = [
        body
        for second in (0, 1, 2)
        for tenth in range(10)
        for body in (gga(f"12000{second}.{tenth}0"), *([] if tenth else [rmc(f"12000{second}.00")]))
    ]
    found = samples(*said)
    assert len(found) == 1 + 9 + 2 * (1 + 10)  # each whole second is told by GGA, and again when RMC has come
    fast = [sample for sample in found if "speed" in sample]
    assert [sample["time"] for sample in fast] == [f"2026-11-20T12:00:0{second}.000Z" for second in (0, 1, 2)]
    assert all(sample["altitude"] == 545.4 for sample in fast)


def test_what_is_doubted_late_is_taken_back() -> None:
    said = [*(gga(f"12000{second}") for second in range(4)), rmc("120003", status="V")]
    assert [sample["mode"] for sample in samples(*said)] == [*4 * ["3d"], "none"]
    other = [body for second in range(4) for body in (rmc(f"12000{second}"), gga(f"12000{second}"),
                                                      "AI" + rmc(f"12000{second}", status="V")[2:])]  # fmt: skip
    assert [sample["mode"] for sample in samples(*other)] == 4 * ["3d"]  # a transponder without reception beside it


def test_position_only() -> None:
    gll = b"$GPGLL,4916.45,N,12311.12,W,225444,A,*1D\r\n"
    sample, none = fed(gll, sentence("GPGLL,,,,,225445,V,"))
    assert sample == {MODE: "2d", LATITUDE: pytest.approx(49.2741667), LONGITUDE: pytest.approx(-123.1853333)}
    assert none == {MODE: "none"}


def test_gns_and_those_of_each_system_behind_it() -> None:
    gns = (
        "GNGNS,014035.00,4332.69262,S,17235.48549,E,RR,13,0.9,25.63,11.24,,",
        "GPGNS,014035.00,,,,,,8,,,,1.0,23",
        "GLGNS,014035.00,,,,,,5,,,,1.0,23",
    )
    assert sentence(gns[0]).endswith(b"*70\r\n")
    (sample,) = samples(*gns, "GPZDA,014035.00,04,07,2002,00,00", "GNGNS,014036.00,,,,,NN,,,,,,")
    expected = {"time": "2002-07-04T01:40:35.000Z", "mode": "3d", "altitude": 25.63, "satellites": 13, "hdop": 0.9}
    assert {name: sample[name] for name in expected} == expected
    assert sample["latitude"] == pytest.approx(-43.54487700)
    assert sample["longitude"] == pytest.approx(172.59142483)


@pytest.mark.parametrize(
    ("body", "speed"),
    [
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K", 2.82944),
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A", 2.82944),
        ("GPVTG,054.7,T,,,,,010.2,K,A", 2.83333),
        ("GPVTG,054.7,T,034.4,M,,N,,K,A", None),
        ("GPVTG,054.7,034.4,005.5,010.2", 2.82944),
        ("GPVTG,054.7,034.4,,010.2", 2.83333),
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,N", None),
    ],
)
def test_speed(body: str, speed: float | None) -> None:
    (sample,) = samples(gga("120000"), body, gga("120001"))
    assert sample.get("speed") == (speed and pytest.approx(speed, abs=1e-5))


def test_mode_is_that_of_gsa() -> None:
    gsa = "GNGSA,A,{},01,11,,,,,,,,,,,1.5,0.9,1.2"
    (sample,) = samples(gsa.format(2), gga("120000"), rmc("120000"))
    assert sample["mode"] == "2d" and "altitude" not in sample
    (sample,) = samples(
        gsa.format(1), gsa.format(3), gsa.format(1), gga("120000"), rmc("120000")
    )  # one for each system
    assert sample["mode"] == "3d"
    later = samples(
        gsa.format(2), *(body for second in range(10, 30) for body in (gga(f"1200{second}"), rmc(f"1200{second}")))
    )
    assert [sample["mode"] for sample in later] == 9 * ["2d"] + 11 * ["3d"]  # an old one does not hold for ever


# Dates


def test_date_over_midnight() -> None:
    ends = ("GPGLL,,,,,000002.00,V", "GPGLL,,,,,000003.00,V")
    assert times(rmc("235959.80", "311226"), gga("235959.80"), gga("000000.00"), gga("000000.20"), *ends) == [
        "2026-12-31T23:59:59.800Z",
        "2027-01-01T00:00:00.000Z",
        "2027-01-01T00:00:00.200Z",
        "2027-01-01T00:00:02.000Z",
        "2027-01-01T00:00:03.000Z",
    ]  # fmt: skip


def test_leap_second() -> None:
    assert times(rmc("235959", "311216"), gga("235959"), gga("235960"), gga("000000"), gga("000001")) == [
        "2016-12-31T23:59:59.000Z",
        "2016-12-31T23:59:60.000Z",
        "2017-01-01T00:00:00.000Z",
        "2017-01-01T00:00:01.000Z",
    ]


def test_a_date_nobody_said() -> None:
    assert times(gga("120000"), gga("120001"), gga("120002")) == [None, None, None]
    assert times(rmc("120000"), gga("120000"), gga("180000"), gga("180001")) == [
        "2026-11-20T12:00:00.000Z",
        None,
        None,
    ]


def test_a_date_of_another_decade_is_what_the_receiver_says() -> None:
    assert times(rmc("120000", "060180"), gga("120000")) == ["1980-01-06T12:00:00.000Z"]
    assert times(rmc("120000", "050180"), gga("120000")) == [None]  # before there was any GPS


@pytest.mark.parametrize(("date", "told"), [("220899", True), ("210899", False), ("060180", False)])
def test_without_a_fix_a_date_of_the_first_weeks_is_a_clock_that_nobody_set(date: str, told: bool) -> None:
    assert (times(rmc("120000", date, "V"), gga("120000", 0)) == [None]) != told


@pytest.mark.parametrize("date", ["2208-1", "310226", "20112a"])
def test_a_date_that_is_none_costs_no_position(date: str) -> None:
    """After 1024 weeks some receivers write such ones, as Telit's HE910 did on 7 April 2019."""
    error, found = told(rmc("120000", date), gga("120000"))
    assert isinstance(error, BadValue) and "date" in str(error)
    assert found == {key: value for key, value in FIX.items() if key != TIME} | {SPEED: pytest.approx(5.1444, abs=1e-4)}
    error, *_ = told("GPZDA,120000,32,12,2026,,", gga("120000"))
    assert isinstance(error, BadValue) and "date" in str(error)


# What is a fix


@pytest.mark.parametrize("mode", ["A", "D", "F", "P", "R", ""])
def test_modes_of_a_fix(mode: str) -> None:
    assert samples(f"{rmc('120000')[:-1]}{mode}", gga("120000"))[0]["mode"] == "3d"
    assert samples(f"{rmc('120000')[:-1]}{mode},V", gga("120000"))[0]["mode"] == "3d"  # status of navigation: unknown


@pytest.mark.parametrize("mode", ["M", "N", "S", "V", "ME", "SE"])
def test_modes_without_satellites_are_no_fix(mode: str) -> None:
    assert samples(f"{rmc('120000')[:-1]}{mode}", gga("120000"))[0]["mode"] == "none"
    gll = "GPGLL,4807.038,N,01131.000,E,12000{},A,{}"
    assert samples(*(gll.format(second, "A") for second in range(3)))[-1]["mode"] == "2d"
    assert samples(*(gll.format(second, mode) for second in range(3)))[-1]["mode"] == "none"
    gns = "GNGNS,120000,4807.038,N,01131.000,E,{},13,0.9,25.63,11.24,,"
    assert samples(gns.format(mode + "A"), rmc("120000"))[0]["mode"] == "3d"
    assert samples(gns.format(2 * mode), rmc("120000"))[0]["mode"] == "none"


DEAD = f"{rmc('120000')[:-1]}E"
ESTIMATED = FIX | {TIME: "2026-11-20T12:00:00.000Z", MODE: "estimated", SPEED: pytest.approx(5.1444, abs=1e-4)}


@pytest.mark.parametrize(
    "bodies",
    [
        (DEAD, gga("120000", 6)),
        (DEAD, gga("120000")),  # one measured it, the other one did not: nobody may take it for measured
        (rmc("120000"), gga("120000", 6)),
        (rmc("120000"), "GPVTG,84.4,T,,M,10.0,N,18.5,K,E", gga("120000")),
        (rmc("120000"), "GPGLL,4807.038,N,01131.000,E,120000,A,E", gga("120000")),
        (DEAD, "GPGSA,A,3,,,,,,,,,,,,,1.5,0.9,1.2", gga("120000", 6)),
        (DEAD, "GNGNS,120000,4807.038,N,01131.000,E,EN,08,0.9,545.4,46.9,,"),
    ],
)
def test_dead_reckoning_is_an_estimate(bodies: tuple[str, ...]) -> None:
    assert told(*bodies) == [ESTIMATED]


def test_what_is_estimated_too_badly_is_none() -> None:
    """u-blox's dead reckoning beyond its limits: quality 6, and V."""
    assert samples(f"{rmc('120000', status='V')[:-1]}E", gga("120000", 6))[0]["mode"] == "none"
    assert samples(gga("120000", 6), "GPGLL,4807.038,N,01131.000,E,120000,V,E", rmc("120000"))[0]["mode"] == "none"


def test_an_estimate_that_is_told_late() -> None:
    said = [gga("115959"), gga("120000"), DEAD]
    assert [sample["mode"] for sample in samples(*said)] == ["3d", "3d", "estimated"]


def test_without_a_measured_fix_a_date_of_the_first_weeks_is_none() -> None:
    """A receiver that kept its place, and no clock, estimates before it hears any satellite."""
    dead = f"{rmc('120000', '060180')[:-1]}E"
    assert "time" not in samples(dead, gga("120000", 6))[0] and "time" in samples(dead[:-1] + "A", gga("120000"))[0]


def test_a_vtg_that_is_estimated_alone_tells_nothing() -> None:
    assert samples(*3 * ["GPVTG,84.4,T,,M,10.0,N,18.5,K,A"])[-1] == {
        "track": 84.4,
        "speed": pytest.approx(5.1444, abs=1e-4),
    }
    assert samples(*3 * ["GPVTG,84.4,T,,M,10.0,N,18.5,K,E"])[-1] == {"mode": "none"}


def test_ubx_dead_reckoning() -> None:
    dead = bytearray(BinaryEmulator().tick(1.0))
    at = dead.index(b"\xb5\x62\x01\x07")
    dead[at + 6 + 20] = 1
    dead[at + 98 : at + 100] = ubx.sums(bytes(dead[at + 2 : at + 98]))
    (found,) = [event for event in fed(bytes(dead)) if not isinstance(event, DeviceError)]
    assert found[MODE] == "estimated" and {TIME, LATITUDE, LONGITUDE, ALTITUDE, SPEED, TRACK} <= found.keys()


@pytest.mark.parametrize(("satellites", "mode"), [(0, "3d"), (1, "2d"), (3, "2d"), (4, "3d")])
def test_a_height_from_three_satellites_is_held(satellites: int, mode: str) -> None:
    """mtk-3301 of gpsd's logs: GGA with three, before the GSA that says 2.  Some count none, and have a height."""
    (found,) = samples(rmc("120000"), gga("120000").replace(",08,", f",{satellites:02d},"))
    assert found["mode"] == mode and ("altitude" in found) == (mode == "3d")


def test_status_of_a_fix_with_corrections() -> None:
    assert samples(rmc("120000", status="D"), gga("120000"))[0]["mode"] == "3d"


@pytest.mark.parametrize("quality", range(10))
def test_qualities(quality: int) -> None:
    assert (samples(rmc("120000"), gga("120000", quality))[0]["mode"] == "3d") == (quality not in (0, 6, 7, 8))


@pytest.mark.parametrize("talker", ["GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ", "GI", "II", "IN"])
def test_any_talker(talker: str) -> None:
    assert samples(talker + rmc("120000")[2:], talker + gga("120000")[2:])[0]["mode"] == "3d"


def test_the_antimeridian_and_the_pole() -> None:
    (sample,) = samples(
        "GPRMC,120000,A,9000.000,S,18000.000,W,0,0,201126,,,A", gga("120000")[:12] + ",,,,,1,8,1,-12.5,M,,,,"
    )
    assert (sample["latitude"], sample["longitude"], sample["altitude"]) == (-90, -180, -12.5)


# How many satellites are in view

GP = "GPGSV,2,{},05,{}"
TWO_ROUNDS = (GP.format(1, "01,53,280,36,03,29,301,24,04,55,223,37,08,38,166,16"), GP.format(2, "12,76,331,31"),
              "GLGSV,1,1,02,67,62,349,26,83,27,309,", "GAGSV,1,1,00")  # fmt: skip


def in_view(*rounds: tuple[str, ...]) -> list[Value | None]:
    said = [
        body for second, each in enumerate(rounds) for body in (*each, rmc(f"12000{second}"), gga(f"12000{second}"))
    ]
    return [event.get(IN_VIEW) for event in fed(*map(sentence, said)) if not isinstance(event, DeviceError)]


def test_in_view_are_those_of_all_systems() -> None:
    assert in_view(*3 * [TWO_ROUNDS]) == [None, 7, None]  # counted when the next round begins, and then not each time
    assert in_view(*6 * [TWO_ROUNDS]) == [None, 7, None, None, None, 7]


def test_a_satellite_with_two_signals_is_one() -> None:
    both = (TWO_ROUNDS[0] + ",1", TWO_ROUNDS[1] + ",1", "GPGSV,1,1,02,01,53,280,36,14,29,301,24,6")
    assert in_view(both, both) == [None, 6]


@pytest.mark.parametrize("gone", range(3))
def test_a_round_with_a_gap_has_no_count(gone: int) -> None:
    torn = (*TWO_ROUNDS[:gone], TWO_ROUNDS[gone] + "?\x80", *TWO_ROUNDS[gone + 1 :])
    assert in_view(torn, TWO_ROUNDS, TWO_ROUNDS)[1] is None
    if gone < 2:
        assert in_view((*TWO_ROUNDS[:gone], *TWO_ROUNDS[gone + 1 :]), TWO_ROUNDS, TWO_ROUNDS)[1] is None


# UBX


def test_ubx_beside_sentences() -> None:
    """The sentences' positions are left out while the same comes in UBX, and come again when it ends."""
    binary, text = BinaryEmulator(), Emulator()
    mixed = fed(*(part for _ in range(20) for part in (text.tick(1.0), binary.tick(1.0))))
    good = [event for event in mixed if not isinstance(event, DeviceError)]
    assert len(good) == len(mixed) == 21 and good[1:] == fed(BinaryEmulator().tick(20.0))
    device = GPS(Settings())
    assert len([*device.feed(BinaryEmulator().tick(1.0))]) == 1
    assert len([*device.feed(Emulator().tick(30.0))]) == 20


def test_corrections_between_frames_of_ubx_are_no_wrong_speed() -> None:
    rtcm, receiver = b"\xd3\x00\xff" + bytes(700), BinaryEmulator()
    frames = [said[said.index(b"\xb5b") :] for said in (receiver.tick(1.0) for _ in range(20))]
    mixed = fed(*(part for said in frames for part in (rtcm, said)))
    assert len(mixed) == 20 and not [event for event in mixed if isinstance(event, DeviceError)]
    assert isinstance(fed(20 * rtcm)[0], BadFrame)


def test_ubx_and_sentences_agree() -> None:
    for one, other in zip(fed(BinaryEmulator().tick(60.0)), fed(Emulator().tick(60.0)), strict=True):
        assert not isinstance(one, DeviceError) and not isinstance(other, DeviceError)
        assert (one[TIME], one[MODE]) == (other[TIME], "3d")
        assert float(one[LATITUDE]) == pytest.approx(float(other[LATITUDE]), abs=1e-6)
        assert float(one[LONGITUDE]) == pytest.approx(float(other[LONGITUDE]), abs=1e-6)
        assert float(one[ALTITUDE]) == pytest.approx(float(other[ALTITUDE]), abs=0.051)
        assert float(one[SPEED]) == pytest.approx(float(other[SPEED]), abs=1e-3)


# What is wrong


@pytest.mark.parametrize(
    "body",
    [
        "GPGGA,120000,9000.001,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4860.000,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,N,18000.001,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,NS,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,nan,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,N,01131.000,E,1,eight,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,N,01131.000,E,1,08,0.9,inf,M,46.9,M,,",
        "GPGGA,240000,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,120000,4807.038,N",
        "GPRMC,,A",
        "GPGGA,120000,,,,,1",
        "GNGNS,120000,,,,,AA",
        "GPGLL,4807.038,N,01131.000",
        "GPRMC,120000,A,4807.038,N,01131.000,E,022.4,084.4,310226,003.1,W",
        "GPRMC,120000,A,4807.038,N,01131.000,E,022.4,360.1,230394,003.1,W",
        "GPRMC,120000,A,4807.038,N,01131.000,E,-22.4,084.4,230394,003.1,W",
        "GPZDA,120000,32,12,2026,,",
        *(f"GP{name}" + "," * fields for name in ("RMC", "GGA", "GNS", "VTG", "ZDA") for fields in (1, 2)),
    ],
)
def test_impossible_values(body: str) -> None:
    (event,) = told(body)
    assert isinstance(event, BadValue)


@pytest.mark.parametrize(
    "body", ["PGRMC,A,218.8,100,6378137,298.257,0,0,0,A", "GPGSV,1,1,00", "GPTXT,01,01,02,u-blox", "GPQ"]
)
def test_sentences_of_no_use(body: str) -> None:
    assert told(body) == []


FIELD = st.sampled_from(["", "0", "00", "1", "3", "A", "V", "N", "E", "M", "T", "K", "4807.038", "01131.000", "123519",
                         "235960", "201126", "2026", "-1", "1e400", "nan", "x"])  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["RMC", "GGA", "GNS", "GLL", "VTG", "ZDA", "GSA"]), st.lists(FIELD))))
def test_no_sentence_is_a_bug_whatever_its_fields(said: list[tuple[str, list[str]]]) -> None:
    for event in told(*(",".join((f"GN{name}", *fields)) for name, fields in said)):
        if not isinstance(event, DeviceError):
            assert {quantity.check(value) for quantity, value in event.items()}


def test_a_date_of_noughts_is_none() -> None:
    assert samples("GPZDA,000000,00,00,0000,00,00", *(rmc(time, date="000000") for time in ("120000", "120001")))


def test_a_position_without_time_as_old_receivers_give_it() -> None:
    """Its validity is unknown, so it is none; but nor is it an error each second."""
    for gll in ("GPGLL,3751.65,S,14507.36,E", "GPGLL,3751.65,S,14507.36,E,120000"):
        assert float(samples(gll, rmc("120000"), gga("120000"))[0]["latitude"]) > 0


# Captures


def fixes(name: str) -> list[dict[str, Any]]:
    data = b"".join(
        line for line in (CORPUS / name).read_bytes().splitlines(keepends=True) if not line.startswith(b"#")
    )
    events = fed(data)
    assert not [event for event in events if isinstance(event, DeviceError)]
    return [{quantity.name: value for quantity, value in event.items()} for event in events]  # type: ignore[union-attr]  # no errors


def data_of(name: str) -> bytes:
    """A capture without the notes at its beginning: in UBX a line may begin with #, too."""
    data = (CORPUS / name).read_bytes()
    while data.startswith(b"#"):
        data = data.partition(b"\n")[2]
    return data


def expected(name: str) -> list[dict[str, Any]]:
    lines = (CORPUS / f"{name}.chk").read_text().splitlines()
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in objects if each["class"] == "TPV" and "time" in each and "lat" in each]


@pytest.mark.parametrize(("name", "count"), [("neo-m8n.log", 22), ("mt3339.log", 30), ("nmea-fuzzy-cases.log", 14)])
def test_capture(name: str, count: int) -> None:
    ours, theirs = {fix["time"][11:]: fix for fix in fixes(name) if "time" in fix}, expected(name)
    assert len({each["time"] for each in theirs}) == count  # or the rest proves nothing
    for their in theirs:
        our = ours[their["time"][11:]]
        assert our["mode"] == f"{their['mode']}d"
        assert our["latitude"] == pytest.approx(their["lat"], abs=2e-6)
        assert our["longitude"] == pytest.approx(their["lon"], abs=2e-6)
        assert our["altitude"] == pytest.approx(their["altMSL"], abs=0.001)
        assert our["speed"] == pytest.approx(their["speed"], abs=0.001)
        assert our.get("track") == (pytest.approx(their["track"], abs=0.001) if "track" in their else None)


@pytest.mark.parametrize(
    ("name", "count", "height"), [("ublox-zed-f9p-rtk.log", 9, True), ("navisys-gr701w.log", 60, False)]
)
@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_capture_in_ubx(name: str, count: int, height: bool, size: int) -> None:
    """A ZED-F9P, and a u-blox 7 that tells metres from the Earth's centre: from these gpsd has a height above the sea
    by a model of its own, and we have none."""
    data = data_of(name)
    events = fed(*(data[at : at + size] for at in range(0, len(data), size)))
    assert not [event for event in events if isinstance(event, DeviceError)]
    ours = {str(event[TIME])[11:]: event for event in events if not isinstance(event, DeviceError)}
    theirs = expected(name)
    assert len({each["time"] for each in theirs}) == count
    for their in theirs:
        our = ours[their["time"][11:]]
        assert our[TIME] == their["time"] and our[MODE] == f"{their['mode']}d"
        assert float(our[LATITUDE]) == pytest.approx(their["lat"], abs=1e-7)
        assert float(our[LONGITUDE]) == pytest.approx(their["lon"], abs=1e-7)
        assert float(our[SPEED]) == pytest.approx(their["speed"], abs=0.001)
        assert float(our[TRACK]) == pytest.approx(their["track"], abs=0.001)
        assert our.get(ALTITUDE) == (pytest.approx(their["altMSL"], abs=0.001) if height else None)


def test_capture_of_an_estimate_that_the_receiver_itself_does_not_trust() -> None:
    """A Garmin whose reception goes: two dimensions of three satellites, then quality 6 with V and E, then nothing."""
    found = {fix["time"][11:19]: fix for fix in fixes("garmin-10x.log") if "time" in fix}
    assert [found[f"16:50:{second}"]["mode"] for second in ("08", "09", "10", "19")] == ["3d", "2d", "none", "none"]
    assert "altitude" not in found["16:50:09"] and "latitude" not in found["16:50:10"]


def test_capture_of_odd_cases_holds_no_false_fix() -> None:
    assert {fix["time"] for fix in fixes("nmea-fuzzy-cases.log")} == {
        each["time"] for each in expected("nmea-fuzzy-cases.log")
    }


def test_year_of_the_capture_is_the_receivers() -> None:
    assert {fix["time"][:10] for fix in fixes("neo-m8n.log") if "time" in fix} == {"2015-03-18"}


# The emulator


def test_emulator_walks_on() -> None:
    data = Emulator().tick(600.0)
    good: list[Any] = fed(data)
    assert len(good) == 600 and data == Emulator().tick(600.0)
    assert good[0][TIME] == "2026-11-20T17:00:01.000Z"
    north = [sample[LATITUDE] for sample in good]
    assert max(north) - min(north) == pytest.approx(0.001, abs=1e-5)
    a, b = good[0], good[10]  # it moves where it says, as fast as it says
    metres = (b[LONGITUDE] - a[LONGITUDE]) * 111_120 * 0.6228
    assert metres == pytest.approx(10 * a[SPEED], rel=0.02) and 89 < a[TRACK] < 92


# As a NEO-M8L said them, one after the other (gpsd, test/daemon/ublox-neo-m8l.log)
QUICK = (228_731_100, 2024, 1, 30, 15, 31, 53, 0x37, 100_000_003, 4, 0x1D)
HERE = (93_117_350, 487_409_613, 0, 264_809, 287, 0, 22_457_686, 22_457_686)


def quick(fix: int = 4, flags: int = 0x1D) -> bytes:
    return ubx.seal(ubx.HNR, pack("<IH6BiBB2x8i20x", *QUICK[:9], fix, flags, *HERE))


def test_high_rate_positions_of_ublox() -> None:
    here = {TIME: "2024-01-30T15:31:53.100Z", MODE: "3d", LATITUDE: 48.7409613, LONGITUDE: 9.311735}
    here |= {ALTITUDE: 264.809, SPEED: 0.287, TRACK: pytest.approx(224.57686)}
    assert fed(quick()) == [here]
    assert fed(quick(fix=1))[0][MODE] == "estimated"  # type: ignore[index]
    assert fed(quick(flags=0x1C)) == fed(quick(fix=5)) == [{TIME: here[TIME], MODE: "none"}]
    assert fed(ubx.seal(ubx.HNR, b"")) == []
    assert [type(event) for event in fed(ubx.seal(ubx.HNR, bytes(47)))] == [BadFrame]


def test_beside_high_rate_positions_the_others_lie_behind() -> None:
    said = BinaryEmulator().tick(6.0)
    alone, (quicker, behind, *later) = fed(said), fed(quick() + said)
    assert isinstance(alone[0], dict) and isinstance(behind, dict) and quicker == fed(quick())[0]
    assert behind == {key: alone[0][key] for key in (MODE, SATELLITES, HDOP)}
    assert later[-1] == alone[-1]  # it has stopped


GNS = "GNGNS,120000,4807.038,N,01131.000,E,AA,08,0.9,545.4,46.9,,"


def test_satellites_of_one_system_are_not_those_of_all() -> None:
    """A Sirfstar V tells GGA of each system, a Furuno GNS of all and GGA of one."""
    for bodies in (
        (gga("120000"), gga("120000").replace("GPGGA", "GLGGA").replace(",08,", ",02,"), rmc("120000")),
        (GNS, rmc("120000"), gga("120000").replace(",08,", ",00,")),
    ):
        assert samples(*bodies, rmc("120001"))[0]["satellites"] == 8
