"""Aosong DHT22 (AM2302, AM2303) and DHT11 temperature and humidity sensors, through the kernel's dht11.

Datasheet: Aosong "Digital-output relative humidity & temperature sensor/module AM2303 (DHT22)"; the kernel's
drivers/iio/humidity/dht11.c.  One frame has five bytes: humidity and temperature in tenths, high byte first, and the
sum of the four.  02 8C 01 5F EE is 65.2 % and 35.1 °C, and the kernel shows it as

    in_humidityrelative_input   65200      thousandths of a percent
    in_temp_input               35100      thousandths of a degree

The kernel checks the sum; its files have no checksum of their own.  For two seconds it shows one frame, so both values
are of one.  Its driver times single bits while others want the processor, too: "the kernel's driver understood
nothing" and "the device does not answer" are usual, and the sensor may be asked again after two seconds.
``/boot/firmware/config.txt`` wants ``dtoverlay=dht11,gpiopin=4`` for a sensor on GPIO4.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import DeviceError, Driver, Read, Sample, Sleep, Sysfs, Talk
from drivers.codec.sysfs import number
from drivers.emulation import sway
from drivers.quantities import humidity, temperature

TEMPERATURE = temperature(-40, 80, digits=1)
HUMIDITY = humidity()

TRIES = 3
PAUSE = 2.0  # seconds that the sensor takes to be ready again


@dataclass(frozen=True, slots=True)
class Settings:
    """The sensor has nothing to choose."""


class DHT22:
    """One sensor.  It keeps nothing between two measurements."""

    def __init__(self, settings: Settings) -> None:
        pass

    def measure(self) -> Talk[Sample]:
        for left in reversed(range(TRIES)):
            try:
                celsius = yield Read("in_temp_input")
                percent = yield Read("in_humidityrelative_input")
            except DeviceError:
                if not left:
                    raise
                yield Sleep(PAUSE)
            else:
                break
        return {
            TEMPERATURE: TEMPERATURE.check(number(celsius) / 1000),
            HUMIDITY: HUMIDITY.check(number(percent) / 1000),
        }


class Emulator:
    """A sensor in a room, as the kernel shows it."""

    def __init__(self) -> None:
        self.age = 0.0
        self.files: dict[str, str] = {}
        self.tick(0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        tenths = {"in_temp_input": sway(self.age, 215, 20), "in_humidityrelative_input": sway(self.age, 450, 50)}
        self.files.update({name: f"{round(value)}00\n" for name, value in tenths.items()})
        return b""


def row(chip: str, example: str) -> Driver[Settings]:
    return Driver(
        name=chip.lower(),
        title=f"Aosong {chip} temperature and humidity",
        link=Sysfs("bus/iio/devices/iio:device*", "iio", r"[\w@.:-]+(/[\w@.:-]+)?", example),
        quantities=(TEMPERATURE, HUMIDITY),
        period=10.0,
        settings=Settings,
        device=DHT22,
        emulator=Emulator,
        documentation=__doc__,
    )


DRIVER = (row("DHT22", "dht11@4"), row("DHT11", "dht11@17"))
