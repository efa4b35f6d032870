"""Settings that are secret: used, and never told."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from gateway import catalog
from gateway.config import Config, parse
from gateway.hardware import Hardware
from gateway.plan import planned
from gateway.table import ConfigError

KEY = "00112233445566778899aabbccddeeff"
HOUSE = '[device.house]\ndriver = "dsmr"\nport = "/dev/ttyUSB0"\n'


def read(text: str) -> Config:
    return parse(text, "g.toml", catalog.find, catalog.names())


def test_a_key_is_used_and_not_on_the_card() -> None:
    (device,) = read(HOUSE + f'key = "{KEY}"\n').devices
    plan = planned(device)
    assert plan.settings.key == KEY and plan.card.settings == {"zone": 1}
    assert KEY not in repr(plan)
    (other,) = read(HOUSE).devices
    assert plan != planned(other)  # a new key is a change


def test_a_key_that_is_none_is_told_where_it_stands() -> None:
    with pytest.raises(ConfigError) as raised:
        read(HOUSE + 'key = "secret"\n')
    (problem,) = raised.value.problems
    assert str(problem).startswith("g.toml:1: device.house: `key` is 32 hexadecimal digits") and "secret" not in str(
        problem
    )


def test_what_stands_for_a_device_has_its_key() -> None:
    told = list[bytes]()
    for text in (HOUSE, HOUSE + f'key = "{KEY}"\n'):
        make = Hardware(Clock(), True).emulator(read(text).devices[0])
        assert make is not None
        emulator: Any = make()
        told.append(emulator.tick(10.0))
    plain, secret = told
    assert plain.startswith(b"/GWY5") and secret.startswith(b"\xdb\x08")
