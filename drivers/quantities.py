"""The one place where quantities get their names and units.

A driver narrows the range and precision to what its device can do; it never
invents a name.  Prometheus, MQTT topics and IRC commands are derived from these.
"""

from __future__ import annotations

from drivers.api import Quantity


def temperature(low: float, high: float, digits: int) -> Quantity:
    """Air or body temperature, in degrees Celsius."""
    return Quantity("temperature", "°C", low=low, high=high, digits=digits)


def humidity(low: float = 0, high: float = 100, digits: int = 1) -> Quantity:
    """Relative humidity of air, in percent."""
    return Quantity("humidity", "%", low=low, high=high, digits=digits)


def pressure(low: float, high: float, digits: int = 2) -> Quantity:
    """Absolute air pressure at the sensor, in hectopascals."""
    return Quantity("pressure", "hPa", low=low, high=high, digits=digits)


def particles(size: str, high: float) -> Quantity:
    """Mass concentration of airborne particles up to *size* micrometres."""
    return Quantity(f"pm{size}", "µg/m³", high=high)


def number(size: str, high: float) -> Quantity:
    """How many airborne particles larger than *size* micrometres are in a cubic centimetre."""
    return Quantity(f"n{size}", "1/cm³", high=high, digits=2)


def formaldehyde(high: float) -> Quantity:
    """Formaldehyde in air, by mass."""
    return Quantity("formaldehyde", "µg/m³", high=high)


def co2(low: float, high: float) -> Quantity:
    """Carbon dioxide in air, in parts per million."""
    return Quantity("co2", "ppm", "int", low, high)


def state(writable: bool = False) -> Quantity:
    """On or off: a relay, a contact, a button that is held."""
    return Quantity("state", kind="flag", writable=writable)


def count() -> Quantity:
    """How often something happened since the gateway began to look."""
    return Quantity("count", kind="int", high=2**53)
