"""TI ADS1115 and ADS1015 converters: four voltages, or differences of two, 16 or 12 bits, on I2C.

Datasheet: TI "ADS111x" (SBAS444E) and "ADS101x" (SBAS473F), register map.  A pointer byte chooses a register of 16
bits, high byte first:

    00  conversion      two's complement; an ADS1015 has its 12 bits on the left
    01  configuration   o i i i g g g m r r r x x x q q
            o   written 1: convert once; read 1: nothing is under way
            i   000 0-1   001 0-3   010 1-3   011 2-3     differences; 100 to 111: inputs 0 to 3 against ground
            g   full scale +-6.144 V, 4.096, 2.048, 1.024, 0.512, 0.256 (000 to 101)
            m   1: once, then sleep     r   100: 128 a second, ADS1015 1600     qq  11: no comparator

    volts = conversion * full scale / 32768         Example: 4000 is half of the full scale, FFFF one step below 0.

7FFF (7FF0) and 8000 are the ends of the scale and everything beyond it: they are no reading.  Choose a full scale that
is wider; but no input may be above the supply or below ground by more than 0.3 V, whatever the scale.

Wiring: ADDR at ground, V+, SDA or SCL is address 0x48, 0x49, 0x4A or 0x4B.  `inputs = ["0", "2-3"]` reads input 0
against ground as `voltage_0`, and how much input 2 is above input 3 as `voltage_2_3`.  What stands in front of an
input, as a divider, is put right by `scale` in a table of the quantity.

There is no checksum, and nothing tells which chip it is; each conversion is read only where the configuration that
was written for it reads back.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Sleep, Talk, Transfer
from drivers.codec.bits import unpack
from drivers.emulation import Ages, sway
from drivers.quantities import instance, voltage

Input = Literal["0", "1", "2", "3", "0-1", "0-3", "1-3", "2-3"]
INPUTS: tuple[Input, ...] = ("0-1", "0-3", "1-3", "2-3", "0", "1", "2", "3")  # by their code
VOLTAGES = {each: instance(voltage(-6.144, 6.144, digits=5), each.replace("-", "_")) for each in INPUTS}
SCALES = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256)  # volts, by their code

CONVERSION, CONFIGURATION = b"\x00", b"\x01"
RESULT, WORD = struct.Struct(">h"), struct.Struct(">H")
IDLE, ONCE = 0x8000, 0x8183  # start, once, rate 100, no comparator
SLACK = 1.1  # the clock may be a tenth slower
WAKE = 50e-6  # seconds; twice what is typical


@dataclass(frozen=True, slots=True)
class Settings:
    """*inputs* that are read, one after the other; *full_scale* in volts, the same for all."""

    inputs: tuple[Input, ...] = INPUTS[4:]
    full_scale: float = 4.096

    def __post_init__(self) -> None:
        if self.full_scale not in SCALES:
            raise ValueError(f"`full_scale` {self.full_scale:g} V is none of {', '.join(map(str, SCALES))}")
        if not self.inputs or len(set(self.inputs)) < len(self.inputs):
            raise ValueError('`inputs` must be some of 0, 1, 2, 3, 0-1, 0-3, 1-3, 2-3, each once: ["0", "2-3"]')


def chosen(settings: Settings) -> tuple[Quantity, ...]:
    return tuple(VOLTAGES[each] for each in settings.inputs)


class Converter:
    """One chip, which converts when it is told and sleeps in between.  *rate* is how often it could, in a second."""

    def __init__(self, rate: int, settings: Settings) -> None:
        self.settings, self.duration = settings, SLACK / rate + WAKE
        self.base = ONCE | SCALES.index(settings.full_scale) << 9

    def measure(self) -> Talk[Sample]:
        sample = {}
        for each in self.settings.inputs:
            wanted = self.base | INPUTS.index(each) << 12
            yield Transfer(CONFIGURATION + WORD.pack(wanted))
            yield Sleep(self.duration)
            (found,) = unpack(WORD, (yield Transfer(CONFIGURATION, 2)))
            if found | IDLE != wanted:
                raise BadFrame(f"configuration {wanted:04x} written, {found:04x} read: perhaps no such chip")
            if not found & IDLE:
                raise BadFrame(f"still converting after {self.duration * 1000:.2f} ms: perhaps another chip")
            volts = decode((yield Transfer(CONVERSION, 2)), self.settings.full_scale)
            sample[VOLTAGES[each]] = VOLTAGES[each].check(volts)
        return sample


def decode(answer: bytes, full_scale: float) -> float:
    """Volts."""
    result: int = unpack(RESULT, answer)[0]
    if result >= 0x7FF0 and result in (0x7FF0, 0x7FFF) or result == -0x8000:
        raise BadValue(f"{answer.hex()}: at or beyond the full scale of {full_scale:g} V")
    return result * full_scale / 32768


class Emulator(Ages):
    """Four potentiometers between ground and 3.3 V."""

    def __init__(self, bits: int) -> None:
        self.bits, self.pointer = bits, CONVERSION
        self.configuration, self.result = 0x8583, 0

    def volts(self, at: int) -> float:
        return sway(self.age, 0.5 + 0.75 * at, 0.1, 600 + 60 * at)

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[:1]
        if self.pointer == CONFIGURATION and len(write) == 3:
            self.configuration = int.from_bytes(write[1:], "big") | IDLE
            if write[1] & 0x80:
                self.convert()
        word = self.configuration if self.pointer == CONFIGURATION else self.result & 0xFFFF
        return word.to_bytes(2, "big")[:read]

    def convert(self) -> None:
        high, *low = map(int, INPUTS[self.configuration >> 12 & 7].split("-"))
        volts = self.volts(high) - (self.volts(low[0]) if low else 0)
        steps = round(volts / SCALES[min(self.configuration >> 9 & 7, 5)] * 2 ** (self.bits - 1))
        most = 2 ** (self.bits - 1)
        self.result = min(max(steps, -most), most - 1) << 16 - self.bits


def row(name: str, bits: int, rate: int) -> Driver[Settings]:
    return Driver(
        name=name,
        title=f"TI {name.upper()}, four voltages of {bits} bits",
        link=I2C(addresses=(0x48, 0x49, 0x4A, 0x4B)),
        quantities=chosen(Settings()),
        period=10.0,
        settings=Settings,
        device=partial(Converter, rate),
        emulator=partial(Emulator, bits),
        documentation=__doc__,
        chosen=chosen,
    )


DRIVER = (row("ads1115", 16, 128), row("ads1015", 12, 1600))
