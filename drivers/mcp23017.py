"""Microchip MCP23017: sixteen lines more, each an input or an output, on I2C.

Datasheet: Microchip "MCP23017/MCP23S17" (DS20001952), table 3-1 and 3.5.  A byte chooses the register, and goes on by
itself; each has one bit for a line, first the register of port A, then that of port B:

    00 01  IODIR    1: input; so it is after power-on        0A 0B  IOCON   both are one: 0, ports alternate
    02 03  IPOL     1: turned over; not used                 0C 0D  GPPU    1: pulled up, about 100 kohm
    04 05  GPINTEN  interrupts; not used                     12 13  GPIO    the level at the pin
    06 07  DEFVAL   for interrupts: holds A5 5A, our mark    14 15  OLAT    the level an output drives
    08 09  INTCON   not used

Example: 14 01 00, then 00 FE FF: a0 is to be high, and is an output; fifteen stay inputs.

Wiring: A0, A1, A2 at ground or supply give the address, 0x20 to 0x27; RESET needs the supply.  A line bears 25 mA, all
together 150 mA (supply) or 125 mA: a relay needs a transistor.  The datasheet of 2022 has a7 and b7 as outputs only: a
change there during a transfer may spoil a bit.  A line is an input unless it stands in `outputs`, and each such one has
a switch `state_a0` with the policies of outputs.  It is made an output by the first write, with its level set before,
so nothing clicks that nobody switched; what a chip drove when the gateway came it goes on driving until then.
`active_low` is for lines where low is on: boards of relays mostly, and buttons to ground, which want `pull_up`, too.

There is no checksum and no identity: all settings are read back with every reading.  A chip that lost its power has
lost its mark, and its outputs are inputs: it is set up anew, and its `loss` policy holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from drivers.api import I2C, BadFrame, BadValue, Driver, Quantity, Sample, Talk, Transfer, Value
from drivers.codec.bits import unpack
from drivers.emulation import Ages
from drivers.quantities import instance, state

Line = Literal["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"]
LINES: tuple[Line, ...] = (
    *("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"),
    *("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"),
)  # by their bits
INPUTS = {line: instance(state(), line) for line in LINES}
OUTPUTS = {line: instance(state(writable=True), line) for line in LINES}

IODIR, IPOL, GPINTENB, OLAT = 0x00, 0x02, 0x05, 0x14  # in the other bank IOCON is where GPINTENB is in ours
ALL = struct.Struct("<H12sxxxxHH")  # from IODIR on: IODIR, what we set from IPOL to GPPU, interrupts, GPIO, OLAT
PAIR = struct.Struct("<H")
SET = b"\x00\x00\x00\x00\xa5\x5a\x00\x00\x00\x00"  # from IPOL to IOCON


@dataclass(frozen=True, slots=True)
class Settings:
    """Which lines are *outputs*; which *inputs* are read, else all others; where low is on; what is pulled up."""

    outputs: tuple[Line, ...] = ()
    inputs: tuple[Line, ...] = LINES
    active_low: tuple[Line, ...] = ()
    pull_up: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        for name in "outputs", "inputs", "active_low", "pull_up":
            lines = getattr(self, name)
            if len(set(lines)) < len(lines):
                raise ValueError(f"`{name}` has a line twice")
        if self.inputs != LINES and (both := set(self.inputs) & set(self.outputs)):
            raise ValueError(f"{', '.join(sorted(both))}: in `inputs` and in `outputs`")
        if not self.outputs and not self.inputs:
            raise ValueError("neither `inputs` nor `outputs`: nothing is left")

    @property
    def quantities(self) -> dict[Quantity, Line]:
        read = {INPUTS[line]: line for line in self.inputs if line not in self.outputs}
        return {OUTPUTS[line]: line for line in self.outputs} | read


def mask(lines: tuple[Line, ...]) -> int:
    return sum(1 << LINES.index(line) for line in lines)


class Inputs:
    """A chip all of whose lines are inputs."""

    def __init__(self, settings: Settings) -> None:
        self.lines = settings.quantities
        self.outputs, self.low = mask(settings.outputs), mask(settings.active_low)
        self.set = SET + PAIR.pack(mask(settings.pull_up))
        self.driven = 0  # outputs that we made so
        self.started = False

    def start(self) -> Talk[str]:
        yield Transfer(bytes((GPINTENB, 0)))  # or IOCON: then ports alternate from now on
        yield Transfer(bytes((IPOL,)) + self.set)
        (inputs,) = unpack(PAIR, (yield Transfer(bytes((IODIR,)), PAIR.size)))
        yield Transfer(bytes((IODIR,)) + PAIR.pack(inputs | 0xFFFF & ~self.outputs))
        self.started = True
        return ""

    def look(self) -> Talk[tuple[int, int, int]]:
        """Which lines are inputs, the levels of all, and the latches of the outputs."""
        if not self.started:
            yield from self.start()
        inputs, found, pins, latches = unpack(ALL, (yield Transfer(bytes((IODIR,)), ALL.size)))
        if found != self.set or ~inputs & 0xFFFF & ~self.outputs or inputs & self.driven:
            raise BadFrame(f"not as it was set, or no such chip: inputs {inputs:04x}, {found.hex(' ')}")
        return inputs, pins & inputs | latches & ~inputs, latches

    def measure(self) -> Talk[Sample]:
        _, levels, _ = yield from self.look()
        on = levels ^ self.low
        return {quantity: bool(on >> LINES.index(line) & 1) for quantity, line in self.lines.items()}


class Lines(Inputs):
    """A chip with outputs, too."""

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        if not quantity.writable or quantity not in self.lines:
            raise BadValue(f"{quantity.name} cannot be set")
        bit = 1 << LINES.index(self.lines[quantity])
        inputs, _, latches = yield from self.look()
        high = bool(value) != bool(self.low & bit)
        yield Transfer(bytes((OLAT,)) + PAIR.pack(latches | bit if high else latches & ~bit))
        if inputs & bit:
            yield Transfer(bytes((IODIR,)) + PAIR.pack(inputs & ~bit))
        self.driven |= bit
        return {quantity: (yield from self.measure())[quantity]}


class Emulator(Ages):
    """A chip with nothing but switches at its lines, which somebody plays with."""

    def __init__(self) -> None:
        self.registers = bytearray(b"\xff\xff" + bytes(20))
        self.pointer = 0

    def transfer(self, write: bytes, read: int) -> bytes:
        if write:
            self.pointer = write[0]
            self.registers[self.pointer : self.pointer + len(write) - 1] = write[1:]
        switches = int(self.age / 10) * 0x0101
        inputs, latches = (int.from_bytes(self.registers[at : at + 2], "little") for at in (IODIR, OLAT))
        self.registers[0x12:0x14] = (switches & inputs | latches & ~inputs).to_bytes(3, "little")[:2]
        return bytes(self.registers[self.pointer : self.pointer + read])


def chosen(settings: Settings) -> tuple[Quantity, ...]:
    return tuple(settings.quantities)


def made(settings: Settings) -> Inputs:
    return Lines(settings) if settings.outputs else Inputs(settings)


DRIVER = Driver(
    name="mcp23017",
    title="Microchip MCP23017, sixteen inputs and outputs",
    link=I2C(addresses=tuple(range(0x20, 0x28))),
    quantities=chosen(Settings()),
    period=1.0,
    settings=Settings,
    device=made,
    emulator=Emulator,
    documentation=__doc__,
    chosen=chosen,
)
