"""The one place where quantities get their names and units.

A driver narrows the range and precision to what its device can do; it never
invents a name.  Prometheus, MQTT topics and IRC commands are derived from these.
"""

from __future__ import annotations

from dataclasses import replace

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


def particles(size: str, high: float, digits: int = 0) -> Quantity:
    """Mass concentration of airborne particles up to *size* micrometres."""
    return Quantity(f"pm{size}", "µg/m³", high=high, digits=digits)


def number(size: str, high: float) -> Quantity:
    """How many airborne particles larger than *size* micrometres are in a cubic centimetre."""
    return Quantity(f"n{size}", "1/cm³", high=high, digits=2)


def number_between(smallest: str, largest: str, high: float) -> Quantity:
    """How many airborne particles from *smallest* to *largest* micrometres are in a cubic centimetre."""
    return Quantity(f"n{smallest}_to_{largest}", "1/cm³", high=high, digits=2)


def particle_size(high: float) -> Quantity:
    """Typical size of airborne particles, in micrometres."""
    return Quantity("particle_size", "µm", high=high, digits=2)


def formaldehyde(high: float) -> Quantity:
    """Formaldehyde in air, by mass."""
    return Quantity("formaldehyde", "µg/m³", high=high)


def co2(low: float, high: float, digits: int = 0) -> Quantity:
    """Carbon dioxide in air, in parts per million."""
    return Quantity("co2", "ppm", low=low, high=high, digits=digits)


def co2_equivalent(low: float, high: float) -> Quantity:
    """The carbon dioxide that a sensor of other gases guesses from them, in parts per million: it is not measured."""
    return Quantity("co2_equivalent", "ppm", low=low, high=high)


def tvoc(high: float) -> Quantity:
    """All volatile organic compounds in air, in parts per billion."""
    return Quantity("tvoc", "ppb", high=high)


def voc_raw() -> Quantity:
    """What a hot metal oxide says of volatile organic compounds, in ticks without a unit; more compounds are fewer."""
    return Quantity("voc_raw", kind="int", high=65535)


def gas_resistance(high: float) -> Quantity:
    """Resistance of a hot metal oxide in air, in ohms; more reducing gases make it lower."""
    return Quantity("gas_resistance", "Ω", high=high)


def state(writable: bool = False) -> Quantity:
    """On or off: a relay, a contact, a button that is held."""
    return Quantity("state", kind="flag", writable=writable)


def illuminance(low: float = 0, high: float = 200_000, digits: int = 1) -> Quantity:
    """Light that falls on a surface, in lux."""
    return Quantity("illuminance", "lx", low=low, high=high, digits=digits)


def voltage(low: float, high: float, digits: int = 3) -> Quantity:
    """Electric voltage, in volts."""
    return Quantity("voltage", "V", low=low, high=high, digits=digits)


def current(low: float, high: float, digits: int = 3) -> Quantity:
    """Electric current, in amperes."""
    return Quantity("current", "A", low=low, high=high, digits=digits)


def power(low: float, high: float, digits: int = 1) -> Quantity:
    """Active electric power, in watts; negative when it is fed back."""
    return Quantity("power", "W", low=low, high=high, digits=digits)


def apparent_power(low: float, high: float, digits: int = 1) -> Quantity:
    """Apparent electric power, in volt-amperes."""
    return Quantity("apparent_power", "VA", low=low, high=high, digits=digits)


def reactive_power(low: float, high: float, digits: int = 1) -> Quantity:
    """Reactive electric power, in volt-amperes reactive; the sign is as the meter has it."""
    return Quantity("reactive_power", "var", low=low, high=high, digits=digits)


def power_factor(low: float = -1, high: float = 1, digits: int = 3) -> Quantity:
    """Active by apparent power; the sign is as the meter has it."""
    return Quantity("power_factor", low=low, high=high, digits=digits)


def energy(low: float = 0, high: float = 1e9, digits: int = 3) -> Quantity:
    """Electric energy since the counter began, in kilowatt hours."""
    return Quantity("energy", "kWh", low=low, high=high, digits=digits)


def frequency(low: float = 0, high: float = 1e9, digits: int = 2, writable: bool = False) -> Quantity:
    """Cycles per second, in hertz."""
    return Quantity("frequency", "Hz", low=low, high=high, digits=digits, writable=writable)


def distance(low: float = 0, high: float = 100_000, digits: int = 3) -> Quantity:
    """How far away something is, in metres."""
    return Quantity("distance", "m", low=low, high=high, digits=digits)


def weight(low: float = -1e6, high: float = 1e6, digits: int = 3) -> Quantity:
    """What a scale shows, in kilograms; negative when it was tared with something on it."""
    return Quantity("weight", "kg", low=low, high=high, digits=digits)


def level(low: float = 0, high: float = 100, digits: int = 1) -> Quantity:
    """How full a tank or a battery is, in percent."""
    return Quantity("level", "%", low=low, high=high, digits=digits)


def deviation() -> Quantity:
    """How far something is from what it should be, in per cent of that."""
    return Quantity("deviation", "%", low=-100, high=100, digits=1)


def moisture(low: float = 0, high: float = 100, digits: int = 1) -> Quantity:
    """Water in soil or wood, in percent of the sensor's scale."""
    return Quantity("moisture", "%", low=low, high=high, digits=digits)


def time() -> Quantity:
    """Date and time of day as the device tells them: UTC, ISO 8601 with milliseconds and Z."""
    return Quantity("time", kind="text")


def latitude() -> Quantity:
    """Geographic latitude on WGS 84, in degrees, north positive."""
    return Quantity("latitude", "°", low=-90, high=90, digits=7)


def longitude() -> Quantity:
    """Geographic longitude on WGS 84, in degrees, east positive."""
    return Quantity("longitude", "°", low=-180, high=180, digits=7)


def altitude() -> Quantity:
    """Height above mean sea level, in metres."""
    return Quantity("altitude", "m", low=-10_000, high=100_000, digits=2)


def speed(high: float) -> Quantity:
    """Speed over ground, in metres a second."""
    return Quantity("speed", "m/s", high=high, digits=3)


def track() -> Quantity:
    """Direction of movement over ground, in degrees from true north, clockwise."""
    return Quantity("track", "°", high=360, digits=2)


def mode() -> Quantity:
    """What a satellite receiver knows: no position; latitude and longitude, or altitude as well; or where it was and
    how it moved since, from which it estimates all of them."""
    return Quantity("mode", kind="choice", choices=("none", "2d", "3d", "estimated"))


def satellites() -> Quantity:
    """How many satellites are used in the fix."""
    return Quantity("satellites", kind="int", high=999)


def satellites_in_view() -> Quantity:
    """How many satellites are above the horizon, used or not."""
    return Quantity("satellites_in_view", kind="int", high=999)


def hdop() -> Quantity:
    """Horizontal dilution of precision: how much the satellites' geometry widens the error."""
    return Quantity("hdop", high=1000, digits=2)


def count() -> Quantity:
    """How often something happened since the device, or the gateway, began to look."""
    return Quantity("count", kind="int", high=2**53)


def fan() -> Quantity:
    """How fast a fan turns, in turns a minute."""
    return Quantity("fan", "1/min", high=100_000)


def undervoltage() -> Quantity:
    """Whether a board gets too little voltage right now."""
    return Quantity("undervoltage", kind="flag")


def throttled() -> Quantity:
    """Whether a board runs slower than it could right now, for its temperature or its supply."""
    return Quantity("throttled", kind="flag")


def instance(quantity: Quantity, which: str) -> Quantity:
    """One of several of a kind in one device: *quantity* with ``_which`` behind its name."""
    return replace(quantity, name=f"{quantity.name}_{which}")


def rate() -> Quantity:
    """How often something happens, in times a second; or its units, where a unit is several times."""
    return Quantity("rate", "1/s", high=1e9, digits=3)


def volume(high: float = 1e9) -> Quantity:
    """Water, gas or whatever flows, since the counter began, in cubic metres."""
    return Quantity("volume", "m³", high=high, digits=4)


def volume_flow(high: float = 1e6) -> Quantity:
    """Volume in time, in litres a minute."""
    return Quantity("volume_flow", "l/min", high=high, digits=3)


def motion() -> Quantity:
    """Whether something moves in sight."""
    return Quantity("motion", kind="flag")


def contact() -> Quantity:
    """A door or window: on is closed, off is open."""
    return Quantity("contact", kind="flag")


def duty(writable: bool = False) -> Quantity:
    """For which part of the time an output that switches fast is on, in percent."""
    return Quantity("duty", "%", high=100, digits=2, writable=writable)


def reactive_energy(low: float = 0, high: float = 1e9, digits: int = 3) -> Quantity:
    """Reactive electric energy since the counter began, in kilovolt-ampere reactive hours."""
    return Quantity("reactive_energy", "kvarh", low=low, high=high, digits=digits)


def tariff() -> Quantity:
    """Which tariff a meter counts at, as the meter calls it."""
    return Quantity("tariff", kind="text")


def serial() -> Quantity:
    """A device's number, as it tells it itself."""
    return Quantity("serial", kind="text")


def message() -> Quantity:
    """What a device has to say to people."""
    return Quantity("message", kind="text")


def apparent_energy(low: float = 0, high: float = 1e9, digits: int = 3) -> Quantity:
    """Apparent electric energy since the counter began, in kilovolt-ampere hours."""
    return Quantity("apparent_energy", "kVAh", low=low, high=high, digits=digits)


def charge(high: float = 1e9, low: float = 0) -> Quantity:
    """Electric charge since the counter began, in ampere hours; negative when a battery lacks it."""
    return Quantity("charge", "Ah", low=low, high=high, digits=3)


def angle(digits: int = 1) -> Quantity:
    """A phase angle, in degrees."""
    return Quantity("angle", "°", low=-360, high=360, digits=digits)


def distortion(high: float = 1000) -> Quantity:
    """Total harmonic distortion, in percent of the fundamental."""
    return Quantity("distortion", "%", high=high, digits=2)


def wind_speed(high: float = 120) -> Quantity:
    """Speed of the wind, in metres a second."""
    return Quantity("wind_speed", "m/s", high=high, digits=1)


def wind_direction() -> Quantity:
    """Where the wind comes from, in degrees from true north, clockwise."""
    return Quantity("wind_direction", "°", high=360)


def rain(high: float = 1e6) -> Quantity:
    """Rain that has fallen since the counter began, in millimetres."""
    return Quantity("rain", "mm", high=high, digits=2)


def uv_index() -> Quantity:
    """How strongly the sun burns the skin (ISO/CIE 17166)."""
    return Quantity("uv_index", high=40, digits=1)


def alarm() -> Quantity:
    """Whether the device complains of what it measures."""
    return Quantity("alarm", kind="flag")


def stable() -> Quantity:
    """Whether what is measured has come to rest."""
    return Quantity("stable", kind="flag")


def status(choices: tuple[str, ...] = ("ok", "fault")) -> Quantity:
    """What the device is doing, in one word."""
    return Quantity("status", kind="choice", choices=choices)


def stopped() -> Quantity:
    """Whether a clock stood still since it was set, so that it does not know the time."""
    return Quantity("stopped", kind="flag")


def acceleration(reach: float = 10_000, digits: int = 3) -> Quantity:
    """How fast velocity changes along an axis, gravity included, in metres a second squared."""
    return Quantity("acceleration", "m/s²", low=-reach, high=reach, digits=digits)


def rotation(reach: float = 100_000, digits: int = 2) -> Quantity:
    """How fast something turns about an axis, in degrees a second."""
    return Quantity("rotation", "°/s", low=-reach, high=reach, digits=digits)


def duration(high: float = 1e9) -> Quantity:
    """How long something lasts, or how long ago it was, in seconds."""
    return Quantity("duration", "s", high=high)


def error() -> Quantity:
    """What a device says is wrong with it, by its own number; 0 is nothing."""
    return Quantity("error", kind="int", high=65535)


def code(high: int = 2**32 - 1) -> Quantity:
    """A number by which a device says what it is, or is told something: its type, its version."""
    return Quantity("code", kind="int", high=high)


def version() -> Quantity:
    """Which program a device runs, as it tells it itself."""
    return Quantity("version", kind="text")


def setting(choices: tuple[str, ...], writable: bool = False) -> Quantity:
    """How a device is set, in one word."""
    return Quantity("setting", kind="choice", choices=choices, writable=writable)


def insulation() -> Quantity:
    """Resistance between what has a voltage and earth, in ohms."""
    return Quantity("insulation", "Ω", high=1e9)
