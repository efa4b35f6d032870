"""Particle sensors: frames that real ones sent, each against the line that another program made of it.

Captures: PyPMS, tests/captured_data (MIT); tests/corpus/README.md has the rest."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Ask, Feeds, Operation, Sample, Sleep, Talk
from drivers.sps30 import INFORM, PRODUCT, START, seal
from gateway import catalog

CORPUS = Path(__file__).parents[1] / "corpus" / "particles"
COLUMNS = {
    **{"pm01": "pm1", "pm25": "pm2_5", "pm04": "pm4", "pm10": "pm10"},
    **{"n0_3": "n0_3", "n0_5": "n0_5", "n1_0": "n1", "n2_5": "n2_5", "n5_0": "n5", "n10_0": "n10"},
    **{"temp": "temperature", "rhum": "humidity"},
}
BETWEEN = {
    "n0_5": "n0_3_to_0_5",
    "n1_0": "n0_3_to_1",
    "n2_5": "n0_3_to_2_5",
    "n4_0": "n0_3_to_4",
    "n10_0": "n0_3_to_10",
}
SPS30 = {key: COLUMNS[key] for key in ("pm01", "pm25", "pm04", "pm10")} | BETWEEN | {"diam": "particle_size"}


def frames(name: str) -> list[bytes]:
    lines = (CORPUS / f"{name}.hexdump").read_text().splitlines()
    return [bytes.fromhex(line.partition(": ")[2].partition("  ")[0]) for line in lines]


def asked(talk: Talk[Any], answers: Iterator[bytes], known: Mapping[bytes, bytes]) -> Any:
    """What *talk* comes to that gets *known* answers to some questions, and the next of *answers* to others."""
    try:
        wanted: Operation | Sleep = next(talk)
        while True:
            came = b""
            if isinstance(wanted, Ask):
                came = known.get(wanted.write) or next(answers)
                assert wanted.frame(came) == len(came)
            wanted = talk.send(came)
    except StopIteration as done:
        return done.value


def samples(driver: str, name: str, known: Mapping[bytes, bytes]) -> list[Sample]:
    row = catalog.find(driver)
    device: Any = row.device(row.settings())
    if isinstance(device, Feeds):
        found: list[Any] = [event for frame in frames(name) for event in device.feed(frame)]
        return found
    answers = iter(frames(name))
    if hasattr(device, "start"):
        asked(device.start(), answers, known)
    return [asked(device.measure(), answers, known) for _ in frames(name)]


def question(command: int, data: bytes) -> bytes:
    return seal(bytes((0, command, len(data))) + data)


def reply(command: int, data: bytes) -> bytes:
    return seal(bytes((0, command, 0, len(data))) + data)


SPS30_BEGINS = {
    question(INFORM, b"\x00"): reply(INFORM, PRODUCT + b"\0"),
    question(INFORM, b"\x03"): reply(INFORM, b"8CCABCFAE3201F49\0"),
    question(START, b"\x01\x03"): reply(START, b""),
}


@pytest.mark.parametrize(
    ("driver", "name", "columns", "known"),
    [
        ("pms5003", "PMSx003", COLUMNS, {}),
        ("pms5003t", "PMS5003T", COLUMNS, {}),
        ("sds011", "SDS01x", COLUMNS, {}),
        ("hpma115c0", "HPMA115C0", COLUMNS, {b"\x68\x01\x20\x77": b"\xa5\xa5"}),
        ("sps30uart", "SPS30", SPS30, SPS30_BEGINS),
    ],
)
def test_captures(driver: str, name: str, columns: dict[str, str], known: dict[bytes, bytes]) -> None:
    """Figures of floats as far as the other program wrote them."""
    lines = [*csv.DictReader((CORPUS / f"{name}.csv").read_text().splitlines(), skipinitialspace=True)]
    found = samples(driver, name, known)
    assert len(lines) == len(found) == 10
    for line, sample in zip(lines, found, strict=True):
        said = {quantity.name: value for quantity, value in sample.items()}
        expected = {ours: line[theirs] for theirs, ours in columns.items() if theirs in line}
        assert said.keys() == expected.keys()
        for each, text in expected.items():
            places = len(text.partition(".")[2])
            assert said[each] == pytest.approx(float(text), abs=0.51 / 10**places), each
