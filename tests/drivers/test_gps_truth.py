"""GPS: receivers of all habits, invented, and held to what is true.

Each says what it likes of an instant in an order of its own, some sentences at each fifth instant only; what comes of
it is compared with the instant itself, not with another decoder."""

from __future__ import annotations

import random
from typing import Any

import pytest

from drivers.api import BadFrame, DeviceError
from drivers.gps import GPS, Settings, sentence, wire

NAMES = ("RMC", "GGA", "GNS", "GLL", "VTG", "ZDA", "GSA", "GSV", "HDT", "DBT", "TXT", "PROP", "AIS")
TALKERS = ("GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ", "GI", "II", "IN", "BN", "WI")
NOISE = (b"noise\x00\x01\xff", b"+ 6: 28 (.....)\r\n", b"\xb5\x62\x05\x01\x02\x00\x06\x01\x0f\x38", b"$GPRMC,12")
Instant = dict[str, Any]


def said(name: str, talker: str, mode: str, now: Instant) -> str:
    clock, place, fixed = now["clock"], now["place"] if now["fixed"] else ",,,", now["fixed"]
    status, end = "A" if fixed else "V", f",{mode if fixed else 'N'}" if mode else ""
    pace, track, height = (f"{now[key]:.1f}" if fixed else "" for key in ("knots", "track", "height"))
    return {
        "RMC": f"{talker}RMC,{clock},{status},{place},{pace},{track},{now['day']:02d}1126,,{end}",
        "GGA": f"{talker}GGA,{clock},{place},{2 * fixed},08,0.9,{height},M,46.9,M,,",
        "GNS": f"{talker}GNS,{clock},{place},{'AN' if fixed else 'NN'},08,0.9,{height},46.9,,",
        "GLL": f"{talker}GLL,{place},{clock},{status}{end}",
        "VTG": f"{talker}VTG,{track},T,,M,{pace},N,,K{end}",
        "ZDA": f"{talker}ZDA,{clock},{now['day']},11,2026,00,00",
        "GSA": f"{talker}GSA,A,{1 + 2 * fixed},01,03,,,,,,,,,,,1.5,0.9,1.2",
        "GSV": f"{talker}GSV,1,1,02,01,53,280,36,03,29,301,24",
        "HDT": "HEHDT,4.0,T",
        "DBT": "SDDBT,7.7,f,2.3,M,1.3,F",
        "TXT": f"{talker}TXT,01,01,02,u-blox",
        "PROP": "PGRME,9.1,M,15.0,M,12.0,M",
        "AIS": "AIVDM,1,1,,B,13aGhtw0R<OJf=6LgQ?Ad1FF05`L,0",
    }[name]


def invented(chance: random.Random) -> tuple[bytes, dict[str, Instant]]:
    """What a receiver says of thirty instants, and they by their times."""
    names = chance.sample(NAMES, chance.randint(3, len(NAMES)))
    names += [] if {"RMC", "ZDA"} & {*names} else ["ZDA"]  # or nobody tells the day
    rare = [name for name in names if name != "VTG" and chance.random() < 0.15]  # VTG tells no time
    talker, mode, end = chance.choice(TALKERS), chance.choice("ADFRP "), chance.choice((b"\r\n", b"\n", b"\r"))
    rate = chance.choice((1, 1, 2, 5, 10))
    digits, lower = chance.randint(rate > 1, 3), chance.random() < 0.2
    start, north, east = chance.randint(0, 86_399), chance.uniform(-89.9, 89.9), chance.uniform(-179.9, 179.9)
    data, truth = b"", dict[str, Instant]()
    for tenth in range(0, 300 // rate, 10 // rate):
        days, second = divmod(start + tenth // 10, 86_400)
        clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
        north, east = north + chance.uniform(-1e-4, 1e-4), east + chance.uniform(-1e-4, 1e-4)
        now: Instant = {"day": 20 + days, "north": north, "east": east, "knots": chance.randint(0, 999) / 10}
        now |= {"clock": f"{clock}.{tenth % 10}00"[: 7 + digits] if digits else clock, "fixed": chance.random() < 0.9}
        now |= {"track": chance.randint(0, 3599) / 10, "height": chance.randint(-999, 9999) / 10}
        now |= {"place": f"{wire(north, 'NS', 2)},{wire(east, 'EW', 3)}"}
        now |= {"said": [name for name in names if name not in rare or tenth % (50 // rate) == 0]}
        truth[f"{clock[:2]}:{clock[2:4]}:{clock[4:]}.{tenth % 10}00Z"] = now
        for name in now["said"]:
            line = sentence(said(name, talker, mode.strip(), now)).strip()
            data += (line[:-2] + line[-2:].lower() if lower else line).replace(b"$AI", b"!AI") + end
        data += chance.choice(NOISE) if chance.random() < 0.05 else b""
    return data, truth


@pytest.mark.parametrize("seed", range(200))
def test_nothing_false_and_nothing_missing(seed: int) -> None:
    chance = random.Random(seed)
    data, truth = invented(chance)
    device, found = GPS(Settings()), dict[str, list[dict[str, Any]]]()
    at = 0
    while at < len(data):
        size = chance.randint(1, 500)
        for event in device.feed(data[at : at + size]):
            assert not isinstance(event, DeviceError) or (isinstance(event, BadFrame) and "$GPRMC,12" in str(event))
            if not isinstance(event, DeviceError):
                named = {quantity.name: value for quantity, value in event.items()}
                found.setdefault(str(named.get("time"))[11:], []).append(named)
        at += size
    for time, now in truth.items():
        samples, spoken = found.get(time, []), {*now["said"]}
        for sample in samples:
            assert sample["time"][:10] == f"2026-11-{now['day']}"
            assert ("latitude" in sample) <= now["fixed"], sample
            for name, value, near in (("latitude", now["north"], 2e-6), ("longitude", now["east"], 2e-6),
                                      ("altitude", now["height"], 0.001), ("speed", now["knots"] * 1852 / 3600, 0.001),
                                      ("track", now["track"], 0.001)):  # fmt: skip
                assert sample.get(name) is None or sample[name] == pytest.approx(value, abs=near), (time, name)
        if not now["fixed"] or now["said"] is [*truth.values()][-1]["said"]:  # of the last nobody says that it is over
            continue
        assert not spoken & {"RMC", "GGA", "GNS", "GLL"} or any("latitude" in sample for sample in samples), time
        assert not spoken & {"GGA", "GNS"} or any("altitude" in sample for sample in samples), time
        assert "RMC" not in spoken or any("speed" in sample and "track" in sample for sample in samples), time
