"""NXP PCA9685: sixteen PWM outputs of twelve bits for LEDs, fans and servos, on I2C.

Datasheet: NXP "PCA9685" rev. 4, 7.3.  A byte chooses the register; the next ones follow when AI is set:

    00  MODE1   RESTART EXTCLK AI SLEEP x x x ALLCALL       01  MODE2   x x x INVRT OCH OUTDRV x x
    02 03 04 05     E2 E4 E8 E0: addresses for several chips at once, not used; here they tell which chip it is
    06 + 4 n        ON low, ON high, OFF low, OFF high of output n: when it goes on and off in 4096 steps;
                    bit 4 of ON high: always on; bit 4 of OFF high: always off, which wins
    FE  PRE_SCALE   25 MHz / (4096 * frequency) - 1, whole, 3 to 255; only while it sleeps

Example (7.3.5): 200 Hz is 1E.  06 00 00 99 01 is output 0 on for 409 of 4096 steps, 10 %.

Off is off whatever the duty is, and being switched on again it has the same; the chip itself keeps both.  A duty of 0
that is on is always off with ON at 1.  `channels` are those that are read and set; others stay as they are.  All have
one frequency, the nearest the chip can, 24 to 1526 Hz; another one stops all outputs for a moment.  Servos want 50 Hz
and a duty of about 5 to 10 %.

Wiring: A0 to A5 give the address, 0x40 to 0x7F; some of these are other chips' or reserved.  As it comes from its
power-on the chip answers at 0x70, too, like a multiplexer: with the start that ends.  An output bears 25 mA at 5.5 V at
most.  Where outputs sink the current of what hangs on the supply, `active = "low"` turns them over.

There is no checksum: modes and addresses are read back with every reading.  A chip that lost its power sleeps with all
outputs off; it is set up anew, and its `loss` policy holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Sleep, Talk, Transfer, Value, WrongDevice
from drivers.codec.bits import unpack
from drivers.quantities import duty, instance, state

ALL = tuple(range(16))
STATES = tuple(instance(state(writable=True), str(at)) for at in ALL)
DUTIES = tuple(instance(duty(writable=True), str(at)) for at in ALL)

MODE1, MODE2, ADDRESSES, OUTPUTS, PRE_SCALE = 0x00, 0x01, 0x02, 0x06, 0xFE
RESTART, EXTCLK, AI, ASLEEP = 0x80, 0x40, 0x20, 0x10
INVRT, OUTDRV = 0x10, 0x04
ALWAYS, COUNT, MARK = 0x1000, 0x0FFF, 0x0001
WHO = b"\xe2\xe4\xe8\xe0"
CLOCK, STEPS = 25_000_000, 4096
BYTE, MODES, OUTPUT = struct.Struct("B"), struct.Struct("BB4x"), struct.Struct("<HH")


@dataclass(frozen=True, slots=True)
class Settings:
    """*channels* that are used; the *frequency* of all in Hz; whether high or low is on."""

    channels: tuple[int, ...] = ALL
    frequency: float = 200
    active: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        if not isfinite(self.frequency) or not 24 <= self.frequency <= 1526:
            raise ValueError(f"`frequency` {self.frequency:g} Hz is not in 24..1526")
        if not self.channels or not set(self.channels) <= set(ALL) or len(set(self.channels)) < len(self.channels):
            raise ValueError("`channels` must be numbers from 0 to 15, each once, for example [0, 3]")


def chosen(settings: Settings) -> tuple[Quantity, ...]:
    return tuple(each for at in settings.channels for each in (STATES[at], DUTIES[at]))


class PCA9685:
    """One chip."""

    def __init__(self, settings: Settings) -> None:
        self.channels = settings.channels
        self.prescale = min(max(round(CLOCK / (STEPS * settings.frequency)) - 1, 3), 255)
        self.mode2 = OUTDRV | (INVRT if settings.active == "low" else 0)
        self.size = MODES.size + OUTPUT.size * (max(settings.channels) + 1)
        self.started = False

    def start(self) -> Talk[str]:
        who = b""
        for at in range(len(WHO)):  # one by one: AI may not be set
            who += bytes(unpack(BYTE, (yield Transfer(bytes((ADDRESSES + at,)), 1))))
        if who != WHO:
            error = BadFrame if len(set(who)) == 1 else WrongDevice
            raise error(f"{who.hex(' ')} where a PCA9685 has {WHO.hex(' ')}")
        (mode1,) = unpack(BYTE, (yield Transfer(bytes((MODE1,)), 1)))
        (prescale,) = unpack(BYTE, (yield Transfer(bytes((PRE_SCALE,)), 1)))
        yield Transfer(bytes((MODE2, self.mode2)))
        if prescale != self.prescale:
            yield Transfer(bytes((MODE1, AI | ASLEEP)))
            yield Transfer(bytes((PRE_SCALE, self.prescale)))
        yield Transfer(bytes((MODE1, AI)))
        if prescale != self.prescale or mode1 & ASLEEP:
            yield Sleep(0.0005)  # the oscillator starts, 7.3.1.1
            yield Transfer(bytes((MODE1, AI | RESTART)))  # outputs go on where they were
        self.started = True
        return ""

    def measure(self) -> Talk[Sample]:
        if not self.started:
            yield from self.start()
        answer = yield Transfer(bytes((MODE1,)), self.size)
        if len(answer) != self.size:
            raise BadFrame(f"{len(answer)} bytes in place of {self.size}")
        mode1, mode2 = unpack(MODES, answer[: MODES.size])
        if mode1 & ~EXTCLK != AI or mode2 != self.mode2 or answer[ADDRESSES:OUTPUTS] != WHO:
            raise BadFrame(f"not as it was set: {answer[:OUTPUTS].hex(' ')}")
        sample: dict[Quantity, Value] = {}
        for at in self.channels:
            start = OUTPUTS + OUTPUT.size * at
            sample[STATES[at]], steps = decode(answer[start : start + OUTPUT.size])
            sample[DUTIES[at]] = DUTIES[at].check(steps / STEPS * 100)
        return sample

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        at = next((at for at in self.channels if quantity in (STATES[at], DUTIES[at])), None)
        if at is None:
            raise BadValue(f"{quantity.name} cannot be set")
        now = {**(yield from self.measure()), quantity: value}
        steps = round(float(now[DUTIES[at]]) / 100 * STEPS)
        yield Transfer(bytes((OUTPUTS + OUTPUT.size * at,)) + encode(bool(now[STATES[at]]), steps))
        sample = yield from self.measure()
        return {each: sample[each] for each in (STATES[at], DUTIES[at])}


def encode(on: bool, steps: int) -> bytes:
    """The four registers of an output that is on for so many *steps*, or would be."""
    start = ALWAYS if steps >= STEPS else MARK if on and not steps else 0
    return OUTPUT.pack(start, (steps & COUNT) | (0 if on and steps else ALWAYS))


def decode(registers: bytes) -> tuple[bool, int]:
    """Whether it is on, and for how many steps; others may have it begin later in its turn."""
    start, end = unpack(OUTPUT, registers)
    if (start | end) & ~(ALWAYS | COUNT):
        raise BadFrame(f"no output has {registers.hex(' ')}")
    if end & ALWAYS:
        steps = STEPS if start & ALWAYS else end & COUNT
        return start == MARK and not steps, steps
    return True, STEPS if start & ALWAYS else end - start & COUNT


class Emulator:
    """A chip that was just switched on."""

    def __init__(self) -> None:
        self.registers = bytearray(b"\x11\x04" + WHO + bytes((0, 0, 0, 0x10)) * 16 + bytes(256 - 70))
        self.registers[PRE_SCALE] = 0x1E
        self.pointer = 0

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[0] if write else self.pointer
        for at, value in enumerate(write[1:], self.pointer):
            if at != PRE_SCALE or self.registers[MODE1] & ASLEEP:
                self.registers[at] = value & ~RESTART if at == MODE1 else value
        if self.registers[MODE1] & AI:
            return bytes(self.registers[self.pointer : self.pointer + read])
        return bytes(self.registers[self.pointer : self.pointer + 1]) * read

    def tick(self, seconds: float) -> bytes:
        return b""


DRIVER = Driver(
    name="pca9685",
    title="NXP PCA9685, sixteen PWM outputs",
    link=I2C(addresses=tuple(at for at in range(0x40, 0x78) if at != 0x70)),
    quantities=chosen(Settings()),
    period=2.0,
    settings=Settings,
    device=PCA9685,
    emulator=Emulator,
    documentation=__doc__,
    chosen=chosen,
)
