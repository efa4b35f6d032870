"""A lamp, fan or motor on a PWM output of the processor, through the kernel.

Standard: the kernel's Documentation/ABI/testing/sysfs-class-pwm.  A chip's channel appears when its number is written
to ``export``, after which its files are, in nanoseconds:

    pwmchip0/pwm1/period       1000000     1 kHz
    pwmchip0/pwm1/duty_cycle    250000     25 %; never above the period, so the order of two writes matters
    pwmchip0/pwm1/polarity      normal, or inversed; only while it is off
    pwmchip0/pwm1/enable        1          on

Off is off whatever the duty is; being switched on again it has the same.  The kernel goes on with its output when the
gateway is gone.  There is no checksum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.api import (
    BadFrame,
    BadValue,
    Driver,
    NoAnswer,
    Quantity,
    Read,
    Sample,
    Sleep,
    Sysfs,
    Talk,
    Value,
    Write,
    WrongDevice,
)
from drivers.codec.sysfs import names, number
from drivers.quantities import duty, frequency, state

STATE, DUTY = state(writable=True), duty(writable=True)
FREQUENCY = frequency(low=1, high=1e6, writable=True)

SECOND = 1_000_000_000  # ns
TURNS, PAUSE = 10, 0.2  # looks for a channel that is exported, and seconds between them: udev has its say, too
POLARITY = {"high": b"normal\n", "low": b"inversed\n"}
CHIP = "pwmchip0"  # the emulator's


@dataclass(frozen=True, slots=True)
class Settings:
    """*channel* of the chip; the *frequency* in Hz that it gets when it has none; the level that is on."""

    channel: int = 0
    frequency: float = 1000
    active: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        if not FREQUENCY.low <= self.frequency <= FREQUENCY.high:
            raise ValueError(f"frequency {self.frequency:g} not in 1..1000000 Hz")
        if not 0 <= self.channel < 64:
            raise ValueError(f"channel {self.channel} not in 0..63")


class Output:
    """One channel."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = ""

    def start(self) -> Talk[str]:
        chips = [name for name in names((yield Read("."))) if name.startswith("pwmchip")]
        if len(chips) != 1:
            raise WrongDevice(f"{len(chips)} PWM chips in its folder, and not one")
        self.folder = f"{chips[0]}/pwm{self.settings.channel}"
        yield from self.export(chips[0])
        wanted = POLARITY[self.settings.active]
        if (found := (yield Read(f"{self.folder}/polarity"))) not in POLARITY.values():
            raise BadFrame(f"no polarity: {found!r}")
        if found != wanted:
            yield self.put("enable", 0)
            yield Write(f"{self.folder}/polarity", wanted.decode())
        if not (yield from self.read("period")):
            yield self.put("period", round(SECOND / self.settings.frequency))
        return ""

    def export(self, chip: str) -> Talk[None]:
        """Have the kernel show the channel."""
        name = f"pwm{self.settings.channel}"
        if name in names((yield Read(chip))):
            return
        if not self.settings.channel < number((yield Read(f"{chip}/npwm"))):
            raise WrongDevice(f"{chip} has no channel {self.settings.channel}")
        yield Write(f"{chip}/export", f"{self.settings.channel}\n")
        for _ in range(TURNS):
            yield Sleep(PAUSE)
            if name in names((yield Read(chip))):
                return
        raise NoAnswer(f"{chip} does not show {name}")

    def read(self, file: str) -> Talk[float]:
        return number((yield Read(f"{self.folder}/{file}")))

    def put(self, file: str, value: int) -> Write:
        return Write(f"{self.folder}/{file}", f"{value}\n")

    def measure(self) -> Talk[Sample]:
        if not self.folder:
            yield from self.start()
        enabled, period = (yield from self.read("enable")), (yield from self.read("period"))
        high = yield from self.read("duty_cycle")
        if enabled not in (0, 1) or not 0 <= high <= period or not period:
            raise BadValue(f"enable {enabled:g}, {high:g} of {period:g} ns")
        share, hertz = high / period * 100, SECOND / period
        return {STATE: enabled == 1, DUTY: DUTY.check(share), FREQUENCY: FREQUENCY.check(hertz)}

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        now = yield from self.measure()
        if quantity is STATE:
            yield self.put("enable", int(value is True))
            return (yield from self.measure())
        share, hertz = (float(value if quantity is each else now[each]) for each in (DUTY, FREQUENCY))
        period = round(SECOND / hertz)
        steps = [("period", period), ("duty_cycle", round(period * share / 100))]
        for file, nanoseconds in steps if hertz <= float(now[FREQUENCY]) else reversed(steps):
            yield self.put(file, nanoseconds)
        return (yield from self.measure())


class Files(dict[str, str]):
    """A channel that is there once it is exported."""

    def __setitem__(self, path: str, text: str) -> None:
        super().__setitem__(path, text)
        if path == f"{CHIP}/export" and text.strip():
            own = f"{CHIP}/pwm{text.strip()}"
            for file, first in ("period", "0"), ("duty_cycle", "0"), ("enable", "0"), ("polarity", "normal"):
                super().setdefault(f"{own}/{file}", f"{first}\n")


class Emulator:
    """A chip of four channels, as in a Raspberry Pi 5; its elders have two."""

    def __init__(self) -> None:
        self.files: dict[str, str] = Files({f"{CHIP}/npwm": "4\n", f"{CHIP}/export": ""})

    def tick(self, seconds: float) -> bytes:
        return b""


DRIVER = Driver(
    name="pwm",
    title="PWM output of the processor",
    link=Sysfs("bus/platform/devices/{}/pwm", "pwm", r"[\w.:-]+", "3f20c000.pwm"),
    quantities=(STATE, DUTY, FREQUENCY),
    period=10.0,
    settings=Settings,
    device=Output,
    emulator=Emulator,
    documentation=__doc__,
)
