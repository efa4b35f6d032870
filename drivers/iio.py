"""Any sensor or converter that the kernel knows by itself, through its Industrial I/O.

Standard: the kernel's Documentation/ABI/testing/sysfs-bus-iio.  A channel is one or three files:

    in_TYPE[N]_input                                   the value
    in_TYPE[N]_raw, in_TYPE[N]_scale, .._offset        value = (raw + offset) * scale; the last two also without N

    TYPE              unit there      here          TYPE           unit there     here
    temp              0.001 °C        °C            illuminance    lx             lx
    humidityrelative  0.001 %         %             voltage        mV             V
    pressure          kPa             hPa           current        mA             A
    concentration_co2 %               ppm           power          mW             W

Example: in_voltage3_raw 2048, in_voltage_scale 1.611328125 is 3300 mV.  Without ``channel`` the channels without a
number are read; with ``channel = 3`` those with that number.  There is no checksum.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import Driver, Quantity, Read, Sample, Sysfs, Talk, WrongDevice
from drivers.codec.sysfs import names, number
from drivers.emulation import sway
from drivers.quantities import co2, current, humidity, illuminance, power, pressure, temperature, voltage

KINDS: dict[str, tuple[Quantity, float]] = {  # quantity, and what one unit of the kernel's is in ours
    "temp": (temperature(-273.15, 2000, digits=3), 0.001),
    "humidityrelative": (humidity(digits=3), 0.001),
    "pressure": (pressure(0, 100_000), 10.0),
    "concentration_co2": (co2(0, 1_000_000), 10_000.0),
    "illuminance": (illuminance(), 1.0),
    "voltage": (voltage(-10_000, 10_000, digits=6), 0.001),
    "current": (current(-10_000, 10_000, digits=6), 0.001),
    "power": (power(-1e6, 1e6, digits=3), 0.001),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """*channel* is the number in the names of the channel's files; without one, those that have none."""

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """The files of one channel; "" is one that there is not."""

    quantity: Quantity
    factor: float
    value: str
    offset: str
    scale: str


class Sensor:
    """One IIO device, or one channel of it."""

    def __init__(self, settings: Settings) -> None:
        self.number = "" if settings.channel is None else str(settings.channel)
        self.channels: tuple[Channel, ...] = ()

    def start(self) -> Talk[str]:
        shown = names((yield Read(".")))
        self.channels = tuple(channel for kind in KINDS if (channel := find(kind, self.number, shown)))
        if not self.channels:
            has = ", ".join(name for name in shown if name.startswith("in_")) or "none"
            wanted = f"channel {self.number}" if self.number else "channel without a number"
            raise WrongDevice(f"no {wanted} of a kind that is known; its files are {has}")
        return ""

    def measure(self) -> Talk[Sample]:
        if not self.channels:
            yield from self.start()
        sample = {}
        for channel in self.channels:
            value = number((yield Read(channel.value)))
            if channel.offset:
                value += number((yield Read(channel.offset)))
            if channel.scale:
                value *= number((yield Read(channel.scale)))
            sample[channel.quantity] = channel.quantity.check(value * channel.factor)
        return sample


def find(kind: str, number: str, shown: tuple[str, ...]) -> Channel | None:
    """The channel of *kind*, if the folder has its files."""
    quantity, factor = KINDS[kind]
    own, shared = f"in_{kind}{number}", f"in_{kind}"
    if f"{own}_input" in shown:
        return Channel(quantity, factor, f"{own}_input", "", "")
    if f"{own}_raw" not in shown:
        return None
    offset, scale = (
        next((name for name in (f"{own}_{what}", f"{shared}_{what}") if name in shown), "")
        for what in ("offset", "scale")
    )
    return Channel(quantity, factor, f"{own}_raw", offset, scale)


class Emulator:
    """A board with all there is, some of it raw, at the channel of *settings*."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.age, channel = 0.0, settings and settings.channel
        self.number = "" if channel is None else str(channel)
        self.files = {
            "in_temp_offset": "-500\n",
            "in_temp_scale": "10.000000000\n",
            f"in_pressure{self.number}_input": "101.325000000\n",
            f"in_concentration_co2{self.number}_input": "0.063600000\n",
            f"in_illuminance{self.number}_input": "420\n",
            f"in_voltage{self.number}_raw": "2048\n",
            "in_voltage_scale": "1.611328125\n",
            f"in_current{self.number}_input": "120\n",
            f"in_power{self.number}_input": "396\n",
        }
        self.tick(0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.files[f"in_temp{self.number}_raw"] = f"{round(sway(self.age, 2650, 200))}\n"
        self.files[f"in_humidityrelative{self.number}_input"] = f"{round(sway(self.age, 45_000, 5_000))}\n"
        return b""


DRIVER = Driver(
    name="iio",
    title="What the kernel measures by itself (Industrial I/O)",
    link=Sysfs("bus/iio/devices/iio:device*", "iio", r"[\w@.:-]+(/[\w@.:-]+)?", "bme280"),
    quantities=tuple(quantity for quantity, _ in KINDS.values()),
    period=10.0,
    settings=Settings,
    device=Sensor,
    emulator=Emulator,
    emulated=Emulator,
    documentation=__doc__,
)
