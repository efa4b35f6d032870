"""Temperatures, fans, voltages, currents and power that the kernel watches over, through its hwmon.

Standard: the kernel's Documentation/hwmon/sysfs-interface.rst.  One file to a value, numbered:

    temp1_input       0.001 °C       fan1_input   turns a minute       humidity1_input   0.001 %
    in1_input         mV             curr1_input  mA                   power1_input, or power1_average   µW
    temp1_fault       1: the sensor is open or shorted, also for fans

Example: temp1_input 48312 is 48.312 °C.  ``channel`` is the number, 1 if not given; voltages begin at 0.  There is no
checksum.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import BadValue, Driver, Quantity, Read, Sample, Sysfs, Talk, WrongDevice
from drivers.codec.sysfs import names, number
from drivers.emulation import sway
from drivers.quantities import current, fan, humidity, power, temperature, voltage

KINDS: dict[str, tuple[Quantity, float]] = {  # quantity, and what one unit of the kernel's is in ours
    "temp": (temperature(-273.15, 2000, digits=3), 0.001),
    "fan": (fan(), 1.0),
    "in": (voltage(-10_000, 10_000), 0.001),
    "curr": (current(-10_000, 10_000), 0.001),
    "power": (power(-1e6, 1e6, digits=3), 1e-6),
    "humidity": (humidity(), 0.001),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """*channel* is the number in the names of the files."""

    channel: int = 1


class Watch:
    """One channel of one hwmon device."""

    def __init__(self, settings: Settings) -> None:
        self.number = settings.channel
        self.files: dict[str, tuple[str, ...]] = {}  # by kind: what says of a fault, if anything does, and the value

    def start(self) -> Talk[str]:
        shown = names((yield Read(".")))
        for kind in KINDS:
            fault = [name for name in (f"{kind}{self.number}_fault",) if name in shown]
            value = [name for what in ("input", "average") if (name := f"{kind}{self.number}_{what}") in shown]
            if value:
                self.files[kind] = (*fault, value[0])
        if not self.files:
            has = ", ".join(name for name in shown if name.endswith(("_input", "_average"))) or "none"
            raise WrongDevice(f"no channel {self.number}; its files are {has}")
        return ""

    def measure(self) -> Talk[Sample]:
        if not self.files:
            yield from self.start()
        sample = {}
        for kind, (*fault, value) in self.files.items():
            quantity, factor = KINDS[kind]
            for file in fault:
                if number((yield Read(file))):
                    raise BadValue(f"{file}: the sensor is open or shorted")
            sample[quantity] = quantity.check(number((yield Read(value))) * factor)
        return sample


class Emulator:
    """A board with one of each, at the channel of *settings*."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.age, self.number = 0.0, (settings or Settings()).channel
        self.files = {
            f"temp{self.number}_fault": "0\n",
            f"in{self.number}_input": "3304\n",
            f"curr{self.number}_input": "-120\n",
            f"power{self.number}_average": "396000\n",
            f"humidity{self.number}_input": "45000\n",
        }
        self.tick(0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.files[f"temp{self.number}_input"] = f"{round(sway(self.age, 48_000, 6_000))}\n"
        self.files[f"fan{self.number}_input"] = f"{round(sway(self.age, 1200, 300))}\n"
        return b""


DRIVER = Driver(
    name="hwmon",
    title="What the kernel watches over: temperature, fans, supply (hwmon)",
    link=Sysfs("class/hwmon/hwmon*", "hwmon", r"[\w@.:-]+(/[\w@.:-]+)?", "cpu_thermal"),
    quantities=tuple(quantity for quantity, _ in KINDS.values()),
    period=10.0,
    settings=Settings,
    device=Watch,
    emulator=Emulator,
    emulated=Emulator,
    documentation=__doc__,
)
