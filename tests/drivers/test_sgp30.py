"""SGP30: its first seconds, which are no readings, and the wire as the datasheet has it."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.codec.sensirion import seal
from drivers.sgp30 import CO2_EQUIVALENT, SGP30, TVOC, Settings
from tests.drivers.talk import Exchange, follow

BEGUN: list[Exchange] = [
    (Transfer(b"\x36\x82"), b""),
    (Sleep(0.001), b""),
    (Transfer(read=9), seal(0, 0x00A1, 0xC2E4)),
    (Transfer(b"\x20\x03"), b""),
    (Sleep(0.01), b""),
]


def measured(answer: bytes) -> list[Exchange]:
    return [(Transfer(b"\x20\x08"), b""), (Sleep(0.012), b""), (Transfer(read=6), answer)]


SILENT: list[Exchange] = [*measured(seal(400, 0)), (Sleep(1.0), b"")]


def test_serial_number() -> None:
    assert follow(SGP30(Settings()).start(), BEGUN + measured(seal(401, 0))) == "000000a1c2e4"


def test_the_first_seconds_are_no_readings() -> None:
    script = BEGUN + 14 * SILENT + measured(seal(400, 3)) + measured(seal(412, 7))
    assert follow(SGP30(Settings()).measure(), script) == {CO2_EQUIVALENT: 412, TVOC: 7}


def test_clean_air_is_a_reading_after_them() -> None:
    script = BEGUN + 16 * SILENT + measured(seal(400, 0))
    assert follow(SGP30(Settings()).measure(), script) == {CO2_EQUIVALENT: 400, TVOC: 0}


@pytest.mark.parametrize("answer", [seal(399, 0), seal(0, 0), seal(0xFFFF, 0xFFFF)])
def test_what_it_cannot_say_is_no_reading(answer: bytes) -> None:
    with pytest.raises(BadValue, match="co2_equivalent"):
        follow(SGP30(Settings()).measure(), BEGUN + measured(seal(401, 0)) + measured(answer))


def test_wrong_checksum_is_no_reading() -> None:
    with pytest.raises(BadFrame, match="word 1"):
        follow(SGP30(Settings()).measure(), BEGUN + measured(seal(401, 0)) + measured(seal(400, 1)[:-1] + b"\x00"))
