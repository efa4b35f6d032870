"""SCD30: Sensirion's own figures, waiting for a measurement, and what must never become a reading."""

from __future__ import annotations

import struct

import pytest

from drivers.api import BadFrame, BadValue, Sleep, Transfer
from drivers.codec.sensirion import seal, words
from drivers.scd30 import ALTITUDE, INTERVAL, SCD30, Emulator, Settings, decode
from tests.drivers.talk import Exchange, follow, meet

EXAMPLE = bytes.fromhex("43dbcb 8c2e8f 41d970 e7fff5 4243bf 3a1b74")  # interface description, section 1.4.5


def asked(command: str, answer: bytes) -> list[Exchange]:
    return [(Transfer(bytes.fromhex(command)), b""), (Sleep(0.004), b""), (Transfer(read=len(answer)), answer)]


STARTED = asked("d100", seal(0x0342)) + asked("4600", seal(2))
BEGUN: list[Exchange] = [(Transfer(b"\x00\x10\x00\x00\x81"), b"")]  # section 1.4.1 has this frame


def test_example_of_the_interface_description() -> None:
    sample = {quantity.name: value for quantity, value in decode(words(EXAMPLE, 6)).items()}
    assert sample == pytest.approx({"co2": 439.09, "temperature": 27.2, "humidity": 48.8}, abs=0.05)


def test_starts() -> None:
    assert follow(SCD30(Settings()).start(), STARTED + BEGUN) == ""


def test_sets_an_interval_that_is_another() -> None:
    wrong = asked("d100", seal(0x0342)) + asked("4600", seal(1800))
    told: list[Exchange] = [(Transfer(b"\x46\x00\x00\x02\xe3"), b""), (Sleep(0.004), b"")]
    follow(SCD30(Settings()).start(), wrong + told + asked("4600", seal(2)) + BEGUN)
    with pytest.raises(BadFrame, match="it says 1800"):
        follow(SCD30(Settings()).start(), wrong + told + asked("4600", seal(1800)))


def test_writes_a_setting_once() -> None:
    emulator, settings = Emulator(), Settings(altitude=1000, self_calibration=True)
    meet(SCD30(settings).start(), emulator)
    assert (emulator.kept[ALTITUDE], emulator.kept[INTERVAL]) == (1000, 2)
    device, written = SCD30(settings).start(), []
    wanted = next(device)
    with pytest.raises(StopIteration):
        while True:
            answer = b""
            if isinstance(wanted, Transfer):
                written.append(wanted.write)
                answer = emulator.transfer(wanted.write, wanted.read)
            wanted = device.send(answer)
    assert [each for each in written if len(each) > 2] == [b"\x00\x10\x00\x00\x81"]


def test_waits_until_it_is_ready() -> None:
    script = STARTED + BEGUN + asked("0202", seal(0)) + [(Sleep(0.5), b"")]
    script += asked("0202", seal(1)) + asked("0300", EXAMPLE)
    assert len(follow(SCD30(Settings()).measure(), script)) == 3


def test_one_that_does_not_measure_is_started_again() -> None:
    device, emulator = SCD30(Settings()), Emulator()
    assert meet(device.measure(), emulator)
    emulator.measures = False
    with pytest.raises(BadFrame, match="perhaps it lost power"):
        meet(device.measure(), emulator)
    assert meet(device.measure(), emulator)


@pytest.mark.parametrize(
    ("ppm", "celsius", "name"),
    [(0.0, 25.0, "co2"), (float("nan"), 25.0, "co2"), (50_000.0, 25.0, "co2"), (500.0, float("inf"), "temperature")],
)
def test_what_no_air_has_is_no_reading(ppm: float, celsius: float, name: str) -> None:
    def data(ppm: float, celsius: float) -> list[int]:
        return list(struct.unpack(">6H", struct.pack(">fff", ppm, celsius, 40.0)))

    assert decode(data(500.0, 25.0))
    with pytest.raises(BadValue, match=name):
        decode(data(ppm, celsius))


def test_wrong_checksum_is_no_reading() -> None:
    script = STARTED + BEGUN + asked("0202", seal(1)) + asked("0300", b"\x42" + EXAMPLE[1:])
    with pytest.raises(BadFrame, match="word 0"):
        follow(SCD30(Settings()).measure(), script)
