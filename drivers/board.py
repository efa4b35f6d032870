"""The board itself: the processor's temperature and clock, and whether its supply holds.

Standard: the kernel's Documentation/ABI/testing/sysfs-class-thermal and sysfs-devices-system-cpu; Raspberry Pi's
documentation of ``vcgencmd get_throttled``; the kernel's drivers/hwmon/raspberrypi-hwmon.c.  The files, below /sys:

    class/thermal/thermal_zoneN/type, temp                      "cpu-thermal" on a Pi, 0.001 °C
    devices/system/cpu/cpu0/cpufreq/scaling_cur_freq            kHz
    devices/platform/soc*/*firmware/get_throttled               hexadecimal, Raspberry Pi's own kernel:
        bit 0 too little voltage   bit 1 clock is capped   bit 2 throttled   bit 3 soft limit of temperature
        bits 16 to 19: the same, at some time since the start
    class/hwmon/hwmonN/in0_lcrit_alarm of "rpi_volt"            1: too little voltage; other kernels

Example: 50005 is too little voltage and throttled, now and before.  What a board does not have it does not tell.  There
is no checksum.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from drivers.api import BadFrame, Driver, NoAnswer, Quantity, Read, Sample, Sysfs, Talk, Value
from drivers.codec.sysfs import names, number
from drivers.emulation import sway
from drivers.quantities import frequency, temperature, throttled, undervoltage

TEMPERATURE = temperature(-55, 150, digits=1)
FREQUENCY = frequency(0, 1e11, digits=0)
UNDERVOLTAGE = undervoltage()
THROTTLED = throttled()

ZONES, HWMON, PLATFORM = "class/thermal", "class/hwmon", "devices/platform"
CLOCK = "devices/system/cpu/cpu0/cpufreq"
PROCESSOR = re.compile(r"cpu|soc|x86_pkg", re.IGNORECASE)  # in the type of its thermal zone; else the first is taken
WORD = re.compile(rb"[0-9a-f]{1,8}\n")


@dataclass(frozen=True, slots=True)
class Settings:
    """There is nothing to choose."""


class Board:
    """This machine.  *paths* are the files that it has, and what each says."""

    def __init__(self, settings: Settings) -> None:
        self.paths: dict[str, Callable[[bytes], dict[Quantity, Value]]] = {}

    def start(self) -> Talk[str]:
        kinds: dict[str, str] = {}
        for zone in (yield from within(ZONES)):
            if zone.startswith("thermal_zone"):
                kinds[zone] = yield from said(f"{ZONES}/{zone}/type")
        if kinds:
            zone = next((zone for zone, kind in kinds.items() if PROCESSOR.search(kind)), next(iter(kinds)))
            self.paths[f"{ZONES}/{zone}/temp"] = celsius
        if "scaling_cur_freq" in (yield from within(CLOCK)):
            self.paths[f"{CLOCK}/scaling_cur_freq"] = hertz
        yield from self.find_supply()
        if not self.paths:
            raise NoAnswer("nothing that is known in /sys")
        return ""

    def find_supply(self) -> Talk[None]:
        for soc in (yield from within(PLATFORM)):
            for firmware in (yield from within(f"{PLATFORM}/{soc}")) if soc.startswith("soc") else ():
                if firmware.endswith("firmware") and "get_throttled" in (
                    yield from within(f"{PLATFORM}/{soc}/{firmware}")
                ):
                    self.paths[f"{PLATFORM}/{soc}/{firmware}/get_throttled"] = supply
                    return
        for chip in (yield from within(HWMON)):
            if (yield from said(f"{HWMON}/{chip}/name")) == "rpi_volt":
                self.paths[f"{HWMON}/{chip}/in0_lcrit_alarm"] = alarm

    def measure(self) -> Talk[Sample]:
        if not self.paths:
            yield from self.start()
        sample: dict[Quantity, Value] = {}
        for path, decode in self.paths.items():
            sample.update(decode((yield Read(path))))
        return {quantity: quantity.check(value) for quantity, value in sample.items()}


def within(folder: str) -> Talk[tuple[str, ...]]:
    """The names in *folder*, none where there is no such folder."""
    try:
        return names((yield Read(folder)))
    except NoAnswer:
        return ()


def said(path: str) -> Talk[str]:
    """The word in a file, or "" where there is none."""
    try:
        answer = yield Read(path)
    except NoAnswer:
        return ""
    if not answer.endswith(b"\n") or not answer.isascii():
        raise BadFrame(f"no word: {answer[:40]!r}")
    return answer.decode("ascii").strip()


def celsius(answer: bytes) -> dict[Quantity, Value]:
    return {TEMPERATURE: number(answer) / 1000}


def hertz(answer: bytes) -> dict[Quantity, Value]:
    return {FREQUENCY: number(answer) * 1000}


def supply(answer: bytes) -> dict[Quantity, Value]:
    if not WORD.fullmatch(answer):
        raise BadFrame(f"no flags: {answer[:40]!r}")
    flags = int(answer, 16)
    return {UNDERVOLTAGE: bool(flags & 1), THROTTLED: bool(flags & 0b1110)}


def alarm(answer: bytes) -> dict[Quantity, Value]:
    return {UNDERVOLTAGE: bool(number(answer))}


class Emulator:
    """A Raspberry Pi with a weak supply in its past."""

    def __init__(self) -> None:
        self.age = 0.0
        self.files = {
            f"{ZONES}/thermal_zone0/type": "cpu-thermal\n",
            f"{CLOCK}/scaling_cur_freq": "1500000\n",
            f"{PLATFORM}/soc/soc:firmware/get_throttled": "50000\n",
        }
        self.tick(0)

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        self.files[f"{ZONES}/thermal_zone0/temp"] = f"{round(sway(self.age, 48_000, 6_000))}\n"
        return b""


DRIVER = Driver(
    name="board",
    title="The board itself: temperature, clock, supply",
    link=Sysfs(""),
    quantities=(TEMPERATURE, FREQUENCY, UNDERVOLTAGE, THROTTLED),
    period=10.0,
    settings=Settings,
    device=Board,
    emulator=Emulator,
    documentation=__doc__,
)
