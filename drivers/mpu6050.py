"""InvenSense MPU-6050 motion sensor: acceleration and rotation about three axes, and its own temperature, on I2C.

Datasheet: InvenSense "MPU-6000/MPU-6050 Register Map and Descriptions" (RM-MPU-6000A-00), rev. 4.2.  A byte chooses the
register, and goes on by itself; numbers are two's complement of 16 bits, high byte first:

    75      who am I: 68, whatever the address (4.32)
    6B      80 resets; 40 sleeps, as it does after power-on; 01 runs by the clock of the gyroscope (4.28)
    19 1A 1B 1C     1 kHz / (1 + n); filter; full scale of rotation and of acceleration in bits 4 and 3 (4.4, 4.5)
    3A              bit 0: new data (4.16), gone when it was read
    3B .. 48        acceleration x, y, z; temperature; rotation x, y, z

    g = n / 16384, 8192, 4096 or 2048 at 2, 4, 8 or 16 g          °C = n / 340 + 36.53
    °/s = n / 131, 65.5, 32.8 or 16.4 at 250, 500, 1000 or 2000 °/s

Example: 4000 at 2 g is 1 g, 9.807 m/s²; 0000 is 36.53 °C; FF7D at 250 °/s is -1 °/s.

Gravity is part of what is measured: at rest the axis that points up says 9.8 m/s².  A number at the end of its scale,
7FFF or 8000, is no reading.  One sample a second tells how something lies or leans; it is no measure of vibration.

Wiring: AD0 at ground is address 0x68, at the supply 0x69.  MPU-6500, MPU-9250, ICM-20602 and others look alike, sit on
the same boards, and are refused: their temperature is another.

There is no checksum; a chip that lost its power sleeps, is no reading, and is set up anew.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Sleep, Talk, Transfer, WrongDevice
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import acceleration, instance, rotation, temperature

AXES = "x", "y", "z"
ACCELERATIONS = tuple(instance(acceleration(160), axis) for axis in AXES)
ROTATIONS = tuple(instance(rotation(2000), axis) for axis in AXES)
TEMPERATURE = temperature(-40, 85, digits=1)
GRAVITY = 9.80665  # m/s²

RATE, STATUS, POWER, WHO = 0x19, 0x3A, 0x6B, 0x75
RESET, CLOCK, NEW = 0x80, 0x01, 0x01
FILTER = 0x03  # 44 and 42 Hz, table in 4.3
BYTE, DATA = struct.Struct("B"), struct.Struct(">B7h")
G = {2: (0, 16384), 4: (1, 8192), 8: (2, 4096), 16: (3, 2048)}
DEGREES = {250: (0, 131.0), 500: (1, 65.5), 1000: (2, 32.8), 2000: (3, 16.4)}
OTHERS = {0x70: "MPU-6500", 0x71: "MPU-9250", 0x73: "MPU-9255", 0x12: "ICM-20602", 0x98: "ICM-20689", 0x19: "MPU-6886"}
LOOKS, PAUSE = 3, 0.002  # for new data, and seconds between them


@dataclass(frozen=True, slots=True)
class Settings:
    """The ends of the two scales, in g and in °/s.  A narrow one has finer steps."""

    acceleration: Literal[2, 4, 8, 16] = 2
    rotation: Literal[250, 500, 1000, 2000] = 250


class MPU6050:
    """One sensor, measuring all the time."""

    def __init__(self, settings: Settings) -> None:
        g, self.per_g = G[settings.acceleration]
        degrees, self.per_degree = DEGREES[settings.rotation]
        self.set = bytes((RATE, 0, FILTER, degrees << 3, g << 3))
        self.started = False

    def start(self) -> Talk[str]:
        who = yield from byte(WHO)
        if who in (0x00, 0xFF):
            raise BadFrame(f"who am I: {who:02x}; the line is held, or disturbed")
        if who != 0x68:
            raise WrongDevice(f"who am I: {who:02x}, {OTHERS.get(who, 'unknown')}; an MPU-6050 says 68")
        yield Transfer(bytes((POWER, RESET)))
        yield Sleep(0.1)  # 4.28
        yield Transfer(bytes((POWER, CLOCK)))
        yield Transfer(self.set)
        yield Sleep(0.1)  # the gyroscope takes 30 ms, the filter some more
        self.started = True
        return ""

    def measure(self) -> Talk[Sample]:
        if not self.started:
            yield from self.start()
        if (power := (yield from byte(POWER))) != CLOCK:
            self.started = False
            raise BadFrame(f"it forgot its settings: power {power:02x} in place of {CLOCK:02x}")
        for _ in range(LOOKS):
            status, *numbers = unpack(DATA, (yield Transfer(bytes((STATUS,)), DATA.size)))
            if status & NEW:
                return self.decode(numbers)
            yield Sleep(PAUSE)
        raise BadFrame(f"no new data after {LOOKS * PAUSE:g} s")

    def decode(self, numbers: list[int]) -> Sample:
        sample = {}
        for quantity, number in zip(ACCELERATIONS, numbers[:3], strict=True):
            sample[quantity] = quantity.check(inside(quantity.name, number) / self.per_g * GRAVITY)
        for quantity, number in zip(ROTATIONS, numbers[4:], strict=True):
            sample[quantity] = quantity.check(inside(quantity.name, number) / self.per_degree)
        return sample | {TEMPERATURE: TEMPERATURE.check(numbers[3] / 340 + 36.53)}


def byte(register: int) -> Talk[int]:
    value: int = unpack(BYTE, (yield Transfer(bytes((register,)), 1)))[0]
    return value


def inside(name: str, number: int) -> int:
    if number in (0x7FFF, -0x8000):
        raise BadValue(f"{name} is at the end of its scale: choose a wider one")
    return number


class Emulator(Ages):
    """A sensor on a table that is leant on, asleep until it is woken."""

    def __init__(self, who: int = 0x68) -> None:
        self.who, self.pointer = who, 0
        self.registers = bytearray(128)
        self.set(POWER, RESET)

    def set(self, register: int, value: int) -> None:
        self.registers[register] = value
        if register == POWER and value & RESET:
            self.registers[:] = bytes(128)
            self.registers[POWER], self.registers[WHO] = 0x40, self.who

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[0] if write else self.pointer
        for register, value in enumerate(write[1:], self.pointer):
            self.set(register, value)
        if self.registers[POWER] == CLOCK:
            per_g, per_degree = 16384 >> (self.registers[RATE + 3] >> 3), 131 / (1 << (self.registers[RATE + 2] >> 3))
            lean = sway(self.age, 0, 0.1, 60)
            turns = (round(sway(self.age + 15, 0, rate, 60) * per_degree) for rate in (0.6, 0.2, 0.1))
            numbers = (round(lean * per_g), round(-lean / 2 * per_g), round(0.98 * per_g), -4200, *turns)
            self.registers[STATUS : STATUS + DATA.size] = DATA.pack(NEW, *numbers)
        return bytes(self.registers[self.pointer : self.pointer + read])


DRIVER = Driver(
    name="mpu6050",
    title="InvenSense MPU-6050 acceleration and rotation",
    link=I2C(addresses=(0x68, 0x69)),
    quantities=(*ACCELERATIONS, *ROTATIONS, TEMPERATURE),
    period=1.0,
    settings=Settings,
    device=MPU6050,
    emulator=Emulator,
    documentation=__doc__,
)
