"""What a number in one unit is in another."""

from __future__ import annotations

import pytest

from drivers import quantities
from gateway.units import converted, known, spelt


@pytest.mark.parametrize(
    ("value", "given", "wanted", "same"),
    [
        (2, "kV", "V", 2000), (230, "mV", "V", 0.23), (20, "Hz", "1/min", 1200), (1200, "rpm", "Hz", 20),
        (70, "°F", "°C", 21.1111111111), (-40, "°F", "°C", -40), (300, "K", "°C", 26.85), (0, "°C", "°F", 32),
        (1, "bar", "hPa", 1000), (29.92, "psi", "Pa", 206291.138212), (36, "km/h", "m/s", 10),
        (10, "kn", "m/s", 5.14444444444),
        (1, "mg/m³", "µg/m³", 1000), (5, "l/min", "m³/h", 0.3), (1, "kWh", "MJ", 3.6), (0.5, "1", "%", 50),
        (4, "%", "ppm", 40000), (3, "ft", "m", 0.9144), (90, "min", "h", 1.5), (0.1, "m", "mm", 100), (7, "V", "V", 7),
    ],
)  # fmt: skip
def test_it_measures_the_same(value: float, given: str, wanted: str, same: float) -> None:
    assert converted(value, given, wanted) == same


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("V", "A"), ("kv", "V"), ("°C", "V"), ("m", "s"), ("V", ""), ("V", "apples"), ("m/", "m"), ("/s", "Hz"),
     ("K/min", "°C/min"), ("kK", "K"), ("mm³", "m³"), ("°C/s", "K/s"), ("W", "VA")],
)  # fmt: skip
def test_it_measures_something_else(given: str, wanted: str) -> None:
    assert converted(1, given, wanted) is None


@pytest.mark.parametrize(
    ("typed", "unit"),
    [("degC", "°C"), ("C", "°C"), ("um", "µm"), ("ug/m3", "µg/m³"), ("μg/m^3", "µg/m³"), ("Ohm", "Ω"), ("kOhm", "kΩ"),
     ("lux", "lx"), ("V", "V"), ("1/cm3", "1/cm³"), ("", "")],
)  # fmt: skip
def test_units_as_keyboards_have_them(typed: str, unit: str) -> None:
    assert spelt(typed) == unit


def test_units_of_the_registry_are_known() -> None:
    q = quantities
    made = [q.temperature(0, 1, 1), q.humidity(), q.pressure(0, 1), q.particles("1", 1), q.number("1", 1), q.co2(0, 1),
            q.illuminance(), q.voltage(0, 1), q.current(0, 1), q.power(0, 1), q.energy(), q.frequency(), q.distance(),
            q.weight(), q.altitude(), q.speed(1), q.track()]  # fmt: skip
    assert [each.unit for each in made if known(each.unit) is None] == []
