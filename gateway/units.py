"""Units that measure the same thing, and what a number in one is in the other.

Factors are those of the SI brochure (9th edition, 2019) and its tables 7 and 8; foot, inch, pound and the knot's mile
are by their international definitions, psi and mmHg follow from them (NIST SP 811, appendix B.8).
"""

from __future__ import annotations

from functools import lru_cache

Unit = tuple[str, float, float]  # what it measures; factor and offset to the unit that all of its kind are told in

PREFIXES = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9}
PLAIN: dict[str, Unit] = {  # with SI prefixes
    "m": ("length", 1, 0),
    "g": ("mass", 1, 0),
    "s": ("time", 1, 0),
    "l": ("volume", 1e-3, 0),
    "Pa": ("pressure", 1, 0),
    "bar": ("pressure", 1e5, 0),
    "V": ("voltage", 1, 0),
    "A": ("current", 1, 0),
    "Ω": ("resistance", 1, 0),
    "W": ("power", 1, 0),
    "VA": ("apparent power", 1, 0),
    "var": ("reactive power", 1, 0),
    "J": ("energy", 1, 0),
    "Wh": ("energy", 3600, 0),
    "Ah": ("charge", 3600, 0),
    "Hz": ("number/time", 1, 0),
    "lx": ("illuminance", 1, 0),
}
WHOLE: dict[str, Unit] = {  # without
    "1": ("number", 1, 0),
    "%": ("number", 1e-2, 0),
    "‰": ("number", 1e-3, 0),
    "ppm": ("number", 1e-6, 0),
    "ppb": ("number", 1e-9, 0),
    "rpm": ("number/time", 1 / 60, 0),
    "K": ("temperature", 1, 0),
    "°C": ("temperature", 1, 273.15),
    "°F": ("temperature", 5 / 9, 459.67 * 5 / 9),
    "°": ("angle", 1, 0),
    "min": ("time", 60, 0),
    "h": ("time", 3600, 0),
    "d": ("time", 86400, 0),
    "m²": ("area", 1, 0),
    "m³": ("volume", 1, 0),
    "dm³": ("volume", 1e-3, 0),
    "cm³": ("volume", 1e-6, 0),
    "t": ("mass", 1e6, 0),
    "lb": ("mass", 453.59237, 0),
    "ft": ("length", 0.3048, 0),
    "in": ("length", 0.0254, 0),
    "kn": ("length/time", 1852 / 3600, 0),
    "mph": ("length/time", 1609.344 / 3600, 0),
    "psi": ("pressure", 6894.757293168, 0),
    "mmHg": ("pressure", 133.322387415, 0),
}
SPELT = {"degC": "°C", "degF": "°F", "C": "°C", "F": "°F", "deg": "°", "ohm": "Ω", "Ohm": "Ω", "kOhm": "kΩ",
         "lux": "lx",         "percent": "%", "L": "l"}  # fmt: skip


def spelt(unit: str) -> str:
    """*unit* as the gateway writes it: ``degC`` is ``°C``, ``um`` is ``µm``, ``m3`` is ``m³``."""
    parts = []
    for part in unit.split("/"):
        part = part.replace("μ", "µ").replace("Ω", "Ω").replace("^", "")  # the Greek letters; two code points each
        part = SPELT.get(part, part)
        if part[-1:] in ("2", "3") and part[:-1] in ("m", "dm", "cm"):
            part = part[:-1] + "²³"[int(part[-1]) - 2]
        if part[:1] == "u" and part[1:] in PLAIN:
            part = "µ" + part[1:]
        parts.append(part)
    return "/".join(parts)


@lru_cache(200)
def known(unit: str) -> Unit | None:
    """What *unit* measures, as the gateway writes it, or None."""
    above, slash, below = unit.partition("/")
    if slash:
        up, down = known(above), known(below)
        if up is None or down is None or up[2] or down[2]:
            return None
        return f"{up[0]}/{down[0]}", up[1] / down[1], 0
    if (found := WHOLE.get(unit) or PLAIN.get(unit)) is not None:
        return found
    factor, base = PREFIXES.get(unit[:1]), PLAIN.get(unit[1:])
    return None if factor is None or base is None else (base[0], factor * base[1], 0)


def converted(value: float, given: str, wanted: str) -> float | None:
    """*value* in *given* as a number in *wanted*; None where they do not measure the same."""
    if given == wanted:
        return value
    here, there = known(given), known(wanted)
    if here is None or there is None or here[0] != there[0]:
        return None
    return float(f"{(value * here[1] + here[2] - there[2]) / there[1]:.12g}")  # 12 digits: without the dust of doubles
