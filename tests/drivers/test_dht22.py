"""DHT22 through the kernel: the datasheet's example, and the failures that are usual."""

from __future__ import annotations

import pytest

from drivers.api import BadFrame, BadValue, DeviceError, NoAnswer, Read, Sleep
from drivers.dht22 import DHT22, HUMIDITY, TEMPERATURE, Settings
from tests.drivers.talk import follow

CELSIUS, PERCENT = Read("in_temp_input"), Read("in_humidityrelative_input")


def test_example_of_the_datasheet() -> None:
    talk = DHT22(Settings()).measure()
    assert follow(talk, [(CELSIUS, b"35100\n"), (PERCENT, b"65200\n")]) == {TEMPERATURE: 35.1, HUMIDITY: 65.2}


def test_below_zero() -> None:
    talk = DHT22(Settings()).measure()
    assert follow(talk, [(CELSIUS, b"-10100\n"), (PERCENT, b"65200\n")]) == {TEMPERATURE: -10.1, HUMIDITY: 65.2}


def test_asks_three_times_with_the_pause_that_the_sensor_needs() -> None:
    talk = DHT22(Settings()).measure()
    assert next(talk) == CELSIUS
    assert talk.throw(BadFrame("Input/output error")) == Sleep(2.0)
    assert talk.send(b"") == CELSIUS
    assert talk.send(b"35100\n") == PERCENT
    assert talk.throw(NoAnswer("timed out")) == Sleep(2.0)
    assert talk.send(b"") == CELSIUS
    with pytest.raises(NoAnswer, match="third"):
        talk.throw(NoAnswer("the third time"))


@pytest.mark.parametrize(
    ("celsius", "percent", "error"),
    [(b"", b"65200\n", BadFrame), (b"35100", b"65200\n", BadFrame), (b"35100\n", b"100100\n", BadValue)]
    + [(b"-40100\n", b"0\n", BadValue)],
)
def test_no_reading(celsius: bytes, percent: bytes, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        follow(DHT22(Settings()).measure(), [(CELSIUS, celsius), (PERCENT, percent)])
