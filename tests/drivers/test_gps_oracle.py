"""GPS beside gpsd's own decoder: the captures, and the captures spoiled.

Both get the same bytes.  Times are compared by the time of day, for gpsd moves years by 1024 weeks.  In what is spoiled
gpsd takes sentences without a checksum and we do not, so that there each may have fixes the other has not."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from drivers.api import DeviceError
from drivers.codec.epochs import MODE, TIME
from drivers.codec.sentences import LATITUDE, LONGITUDE
from drivers.gps import GPS, BinaryEmulator, Emulator, Settings

CORPUS = Path(__file__).parents[1] / "corpus" / "gps"
CAPTURES = ("neo-m8n.log", "mt3339.log", "nmea-fuzzy-cases.log")
NEAR = 2e-6  # degrees
Fixes = dict[str, tuple[float, float]]  # time of day -> latitude, longitude


def capture(name: str) -> bytes:
    lines = (CORPUS / name).read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"#"))


def theirs(data: bytes) -> Fixes:
    assert shutil.which("gpsdecode"), "apt install gpsd-clients"
    said = subprocess.run(["gpsdecode", "-j"], input=data, capture_output=True, check=True, timeout=60).stdout
    found: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    return {each["time"][11:]: (each["lat"], each["lon"]) for each in found if {"time", "lat", "lon"} <= each.keys()}


def ours(data: bytes) -> Fixes:
    samples = [event for event in GPS(Settings()).feed(data) if not isinstance(event, DeviceError)]
    return {
        str(sample[TIME])[11:]: (float(sample[LATITUDE]), float(sample[LONGITUDE]))
        for sample in samples
        if TIME in sample and sample.get(MODE, "none") != "none"
    }


def near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))


def differing(our: Fixes, their: Fixes) -> list[str]:
    return sorted(time for time in our.keys() & their.keys() if not near(our[time], their[time]))


@pytest.mark.parametrize("name", CAPTURES)
def test_captures(name: str) -> None:
    our, their = ours(capture(name)), theirs(capture(name))
    assert their and not their.keys() - our.keys() and not differing(our, their)
    assert len(our.keys() - their.keys()) <= 1  # gpsdecode is silent about the first


@pytest.mark.parametrize("emulator", [Emulator, BinaryEmulator])
def test_emulators(emulator: type[Emulator]) -> None:
    data = emulator().tick(60.0)
    our, their = ours(data), theirs(data)
    assert len(their) >= 59 and not their.keys() - our.keys() and not differing(our, their)


def dropped(chance: random.Random, lines: list[bytes]) -> bytes:
    return b"".join(line for line in lines if chance.random() > 0.2)


def shuffled(chance: random.Random, lines: list[bytes]) -> bytes:
    for at in range(len(lines) - 1):
        if chance.random() < 0.2:
            lines[at : at + 2] = lines[at + 1], lines[at]
    return b"".join(lines)


def noisy(chance: random.Random, lines: list[bytes]) -> bytes:
    return b"".join(line + chance.randbytes(chance.randrange(40)) * chance.randrange(2) for line in lines)


def flipped(chance: random.Random, lines: list[bytes]) -> bytes:
    data = bytearray(b"".join(lines))
    for _ in range(30):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(chance: random.Random, lines: list[bytes]) -> bytes:
    data = bytearray(b"".join(lines))
    for _ in range(20):
        at = chance.randrange(len(data))
        del data[at : at + chance.randrange(90)]
    return bytes(data)


@pytest.mark.parametrize("spoil", [dropped, shuffled, noisy, flipped, cut])
@pytest.mark.parametrize("name", CAPTURES)
def test_spoiled_captures_hold_no_position_that_the_whole_has_not(name: str, spoil: Any) -> None:
    whole, chance = ours(capture(name)), random.Random(name)
    for _ in range(5):
        data = spoil(chance, capture(name).splitlines(keepends=True))
        our = ours(data)
        assert our and len(our.keys() - whole.keys()) <= 1  # a date that comes early dates what had none
        assert not differing(our, whole)
        assert not differing(our, theirs(data))
