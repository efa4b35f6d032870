"""The SDM120, by its maker's own example and by requests that were seen."""

from __future__ import annotations

from math import nan
from struct import pack

import pytest

from drivers.api import BadValue, Request
from drivers.codec.modbus import RTU
from drivers.sdm120 import FACTOR, FIELDS, FREQUENCY, READS, SDM120, TOTAL, VOLTAGE, Emulator, Settings, decoded
from tests.drivers.talk import follow, meet

VOLTS = bytes.fromhex("43 66 33 34")  # Eastron's example: 230.2 V
ZEROS = (b"\0\0\0\0",) * len(FIELDS)


def test_three_requests_read_the_whole_meter() -> None:
    assert READS.requests == (Request(4, 0x00, 32), Request(4, 0x46, 6), Request(4, 0x156, 2))
    assert RTU().begin(1, Request(4, 0, 2)).hex(" ") == "01 04 00 00 00 02 71 cb"
    block = VOLTS + bytes(56) + pack(">f", 0.5)
    script = [
        (Request(4, 0x00, 32), block),
        (Request(4, 0x46, 6), pack(">fff", 50.0, 1.0, 2.0)),
        (Request(4, 0x156, 2), pack(">f", 3.0)),
    ]
    sample = follow(SDM120(Settings()).measure(), script)
    assert sample[VOLTAGE] == pytest.approx(230.2, abs=1e-4)
    assert (sample[FACTOR], sample[FREQUENCY], sample[TOTAL]) == (0.5, 50.0, 3.0)


@pytest.mark.parametrize("volts", [nan, -1.0, 400.0])
def test_what_no_meter_shows_is_a_bad_value(volts: float) -> None:
    good = list(ZEROS)
    good[6] = pack(">f", 50.0)
    assert decoded(tuple(good))[VOLTAGE] == 0.0
    with pytest.raises(BadValue):
        decoded((pack(">f", volts), *good[1:]))


def test_the_emulated_meter_adds_up() -> None:
    emulator = Emulator()
    before = meet(SDM120(Settings()).measure(), emulator)
    for _ in range(3600):
        emulator.tick(1.0)
    after = meet(SDM120(Settings()).measure(), emulator)
    used = float(after[TOTAL]) - float(before[TOTAL])
    assert 0.7 < used < 0.9, "an hour of 800 W on average"
