"""What electricity meters call their values: OBIS codes (IEC 62056-61), their units, and the quantities they are here.

A code is A-B:C.D.E: A is the medium (1 electricity, 0 the meter itself), B the channel, C what is measured, D how
(7 now, 8 counted since the beginning, 4 and 6 averages), E the tariff (0 is all of them):

    1-0:1.8.0   energy drawn            1-0:2.8.0    energy fed in         1-0:1.8.2   drawn at tariff 2
    1-0:1.7.0   power drawn             1-0:16.7.0   power, negative when fed in
    1-0:21.7.0  the same on phase 1     1-0:41.7.0 on phase 2, 1-0:61.7.0 on phase 3

A code says which, a unit says what: ``import`` in kWh is ``energy_import``, in kW it is ``power_import``.
"""

from __future__ import annotations

import re

from drivers import quantities as q
from drivers.api import BadValue, Quantity

TARIFFS = range(1, 5)
PHASES = ((0, ""), (20, "_l1"), (40, "_l2"), (60, "_l3"))
WAYS = tuple(zip((1, 2, 3, 4, 9, 10), ("import", "export") * 3, strict=True))  # active, reactive, apparent
NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,12})?")

# What C, or C, D and E, says: the instance behind the quantity's name.
WHICH: dict[str, str] = {
    **{f"{c}.8.0": which for c, which in WAYS},
    **{f"{c}.8.{e}": f"{which}_t{e}" for c, which in WAYS[:4] for e in TARIFFS},
    **{f"{c}.{d}.0": f"q{c - 4}" for c in range(5, 9) for d in (7, 8)},  # reactive, by its quadrant
    **{"15.8.0": "total", "16.8.0": "balance", "1.4.0": "demand", "1.6.0": "demand_max", "17.0.0": "limit"},
    **{f"{c}.7.0": "" for c in (11, 12, 13, 14, 16)} | {"15.7.0": "total", "91.7.0": "n"},
    **{f"{at + c}.7.0": which + phase for at, phase in PHASES for c, which in WAYS},
    **{f"{at + c}.7.0": phase[1:] for at, phase in PHASES[1:] for c in (11, 12, 13, 16)},
    **{f"{at + 11}.4.0": f"limit{phase}" for at, phase in PHASES[1:]},
    **{f"{at + 12}.24.0": f"mean{phase}" for at, phase in PHASES[1:]},  # of the voltage
}
FACTORS = {"13.7.0", "33.7.0", "53.7.0", "73.7.0"}  # what has no unit

# What a unit says: the quantity, and the exponent of ten that makes it ours.
UNITS: dict[str, tuple[str, int]] = {
    **{"Wh": ("energy", -3), "kWh": ("energy", 0), "MWh": ("energy", 3)},
    **{"varh": ("reactive_energy", -3), "kvarh": ("reactive_energy", 0)},
    **{"VAh": ("apparent_energy", -3), "kVAh": ("apparent_energy", 0)},
    **{"W": ("power", 0), "kW": ("power", 3), "var": ("reactive_power", 0), "kvar": ("reactive_power", 3)},
    **{"VA": ("apparent_power", 0), "kVA": ("apparent_power", 3)},
    **{"V": ("voltage", 0), "kV": ("voltage", 3), "A": ("current", 0), "Hz": ("frequency", 0), "": ("power_factor", 0)},
    **{"m3": ("volume", 0), "dm3": ("volume", -3), "l": ("volume", -3), "GJ": ("heat", 3), "MJ": ("heat", 0)},
}
SPELT = re.compile(r"^K|VAr")  # kVArh, as Aidon, Kamstrup and others write it
JOULES = 3.6  # megajoules in a kilowatt hour

BASES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *(q.energy(high=1e10, digits=4), q.reactive_energy(high=1e10), q.apparent_energy(high=1e10)),
        *(q.power(-1e7, 1e7, digits=2), q.reactive_power(-1e7, 1e7), q.apparent_power(-1e7, 1e7), q.power_factor()),
        *(q.voltage(0, 1e5, digits=1), q.current(-1e4, 1e4, digits=2), q.frequency(0, 1000), q.volume(high=1e8)),
        *(q.count(), q.time(), q.duration(), q.serial(), q.state(), q.tariff(), q.message()),
    )
}
MADE: dict[str, Quantity] = {}


def named(base: str, which: str = "") -> Quantity:
    """The one quantity of that base and instance: ``energy``, ``import_t1``."""
    name = f"{base}_{which}" if which else base
    if name not in MADE:
        MADE[name] = q.instance(BASES[base], which) if which else BASES[base]
    return MADE[name]


def all_of(base: str, *which: str) -> tuple[Quantity, ...]:
    return tuple(named(base, each) for each in which)


def measured(code: str, number: str, unit: str, more: int = 0) -> tuple[Quantity, float]:
    """The quantity and value of *number*, times ten to the power of *more*, in *unit*; BadValue when it is none.
    *code* is one of ``WHICH``."""
    if not unit and code not in FACTORS:
        raise BadValue(f"{code} {number} has no unit")
    quantity, value = counted(WHICH[code], number, unit, more)
    if (".8." in code) != ("energy" in quantity.name):
        raise BadValue(f"{code} {number} in {unit}")
    return quantity, value


def counted(which: str, number: str, unit: str, more: int = 0) -> tuple[Quantity, float]:
    """As ``measured``, where *which* of a kind it is was told otherwise."""
    if (spelt := SPELT.sub(lambda letters: letters[0].lower(), unit)) not in UNITS:
        raise BadValue(f"{which} {number}: unknown unit {unit!r}")
    if not NUMBER.fullmatch(number):
        raise BadValue(f"{which} {number!r} is no number")
    base, exponent = UNITS[spelt]
    value = float(f"{number}e{exponent + more}")  # exact: 1.001 kW times 1000 would not be 1001 W
    if base == "heat":
        base, value = "energy", value / JOULES
    quantity = named(base, which)
    return quantity, quantity.check(value)
