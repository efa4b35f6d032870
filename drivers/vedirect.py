"""Victron's solar chargers, battery monitors, inverters and DC converters with a VE.Direct port.

Datasheet: Victron "VE.Direct Protocol", 3.33, and "BlueSolar HEX protocol MPPT", "BMV-7xx HEX Protocol".  The device
sends, unasked, a block every second (battery monitors two kinds of block in turn), at 19200 baud, 8N1:

    0D 0A  V 09 12540   0D 0A  I 09 -40   ...   0D 0A  Checksum 09 DC        label, value in mV, mA ...
    :7 F0ED 00 9600 DB 0A        a HEX message, anywhere between: command, register and value

Both have sums of eight bits (drivers/codec/vedirect.py draws them), which is not much: each line must also be one, and
what its label says must be a number, or a word of ours.  On a line that spoils blocks one that is unlike the one before
is refused, too: its labels, the device's number, its states and counts are as they were, or it counts from the next
block on.  A device that has no such sensor says `---`, and then there is no reading; nor is there of an infinite time
to go (-1).

Wiring: 4-pin JST-PH: 1 ground, 2 receive, 3 transmit, 4 +5 V; 3.3 or 5 V, best with Victron's isolated USB cable.

Current is negative when the battery is discharged.  Energy is told in steps of 10 Wh.  What HEX messages tell of known
registers is published; the gateway asks for none.  `code_off` is why it is off, a sum of 1 (no input), 2 (switched
off), 4 (switched off by a register), 8 (remote input), 16 (protection), 32 (pay as you go), 64 (battery management),
128 (the engine stands still) and 256 (it weighs its input); 0 while it is on.  Not published are PID and BMV (the
product), HSDS (a number of the day) and MON (what a monitor measures).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import obis
from drivers.codec.bits import signed
from drivers.codec.vedirect import END, Block, Message, Stream, sealed
from drivers.emulation import sway
from drivers.quantities import (
    alarm,
    charge,
    code,
    current,
    deviation,
    duration,
    error,
    instance,
    level,
    power,
    status,
    temperature,
    version,
    voltage,
)

NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,11})")
SERIAL = re.compile(r"[A-Z0-9]{5,16}")
REASON = re.compile(r"0x[0-9A-Fa-f]{1,8}")
VERSION = re.compile(r"([A-Z]?)0?(\d{1,2})(\d\d)")  # C208: a candidate for 2.08
EDITION = re.compile(r"0?(\d{1,2})(\d\d)([0-9A-F]{2})")  # 020801: the first trial of 2.08; 0208FF: it itself
NOTHING = ("", "---")
GET, ASYNC = 7, 10  # commands that tell a register
STAGES = {
    **{0: "off", 1: "low power", 2: "fault", 3: "bulk", 4: "absorption", 5: "float", 6: "storage", 7: "equalize"},
    **{8: "passing through", 9: "inverting", 10: "assisting", 11: "power supply", 244: "sustain", 245: "starting"},
    **{
        246: "repeated absorption",
        247: "auto equalize",
        248: "battery safe",
        249: "load detect",
        250: "blocked",
        251: "test",
        252: "external control",
    },
}

TRACKER = {0: "off", 1: "limited", 2: "active"}
MODES = {1: "charger", 2: "inverter", 4: "off", 5: "eco", 253: "hibernate"}

VOLTAGE, CURRENT, POWER = voltage(-1000, 1000), current(-10_000, 10_000), power(-1e6, 1e6)
CHARGE, ENERGY, COUNT = charge(1e6, -1e6), obis.BASES["energy"], obis.BASES["count"]
APPARENT, DURATION, ERROR = obis.BASES["apparent_power"], duration(), error()
OFF, EDITED = instance(code(), "off"), version()
STATUS, LEVEL, IDENTITY = status(tuple(STAGES.values())), level(), obis.BASES["serial"]
TEMPERATURE = temperature(-100, 200, digits=2)
LOAD, RELAY, ALARM = instance(obis.BASES["state"], "load"), instance(obis.BASES["state"], "relay"), alarm()

# Label: quantity, and the factor that makes the number ours
NUMBERS: dict[str, tuple[Quantity, float]] = {
    **{"V": (VOLTAGE, 1e-3), "V2": (instance(VOLTAGE, "2"), 1e-3), "V3": (instance(VOLTAGE, "3"), 1e-3)},
    **{"VS": (instance(VOLTAGE, "aux"), 1e-3), "VM": (instance(VOLTAGE, "mid"), 1e-3)},
    "DM": (instance(deviation(), "mid"), 0.1),
    **{"VPV": (instance(VOLTAGE, "pv"), 1e-3), "PPV": (instance(POWER, "pv"), 1), "P": (POWER, 1)},
    **{"I": (CURRENT, 1e-3), "I2": (instance(CURRENT, "2"), 1e-3), "I3": (instance(CURRENT, "3"), 1e-3)},
    **{"IL": (instance(CURRENT, "load"), 1e-3), "T": (TEMPERATURE, 1), "SOC": (LEVEL, 0.1), "CE": (CHARGE, 1e-3)},
    **{"TTG": (instance(DURATION, "left"), 60), "H9": (instance(DURATION, "since_full"), 1)},
    **{"H1": (instance(CHARGE, "deepest"), 1e-3), "H2": (instance(CHARGE, "last"), 1e-3)},
    **{"H3": (instance(CHARGE, "mean"), 1e-3), "H6": (instance(CHARGE, "drawn"), 1e-3)},
    **{"H4": (instance(COUNT, "cycles"), 1), "H5": (instance(COUNT, "full_discharges"), 1)},
    **{"H10": (instance(COUNT, "syncs"), 1), "H11": (instance(COUNT, "low_voltage"), 1)},
    **{"H12": (instance(COUNT, "high_voltage"), 1), "H13": (instance(COUNT, "low_voltage_aux"), 1)},
    **{"H14": (instance(COUNT, "high_voltage_aux"), 1), "H7": (instance(VOLTAGE, "min"), 1e-3)},
    **{"H8": (instance(VOLTAGE, "max"), 1e-3), "H15": (instance(VOLTAGE, "aux_min"), 1e-3)},
    **{"H16": (instance(VOLTAGE, "aux_max"), 1e-3), "H17": (instance(ENERGY, "discharged"), 0.01)},
    **{"H18": (instance(ENERGY, "charged"), 0.01), "H19": (instance(ENERGY, "yield"), 0.01)},
    **{"H20": (instance(ENERGY, "yield_today"), 0.01), "H22": (instance(ENERGY, "yield_yesterday"), 0.01)},
    **{"H21": (instance(POWER, "max_today"), 1), "H23": (instance(POWER, "max_yesterday"), 1)},
    **{"ERR": (ERROR, 1), "AR": (instance(ERROR, "alarm"), 1), "WARN": (instance(ERROR, "warning"), 1)},
    **{"AC_OUT_V": (instance(VOLTAGE, "ac"), 0.01), "AC_OUT_I": (instance(CURRENT, "ac"), 0.1)},
    **{"AC_OUT_S": (instance(APPARENT, "ac"), 1), "DC_IN_V": (instance(VOLTAGE, "in"), 0.01)},
    **{"DC_IN_I": (instance(CURRENT, "in"), 0.1), "DC_IN_P": (instance(POWER, "in"), 1)},
}
# Label: quantity, and its word for each number
WORDS: dict[str, tuple[Quantity, dict[int, str]]] = {
    "CS": (STATUS, STAGES),
    "MPPT": (instance(status(tuple(TRACKER.values())), "tracker"), TRACKER),
    "MODE": (instance(status(tuple(MODES.values())), "mode"), MODES),
}
FLAGS = {"LOAD": LOAD, "Relay": RELAY, "RELAY": RELAY, "Alarm": ALARM, "ALARM": ALARM}
TEXTS = {"SER#": (IDENTITY, SERIAL), "FW": (EDITED, VERSION), "FWE": (EDITED, EDITION), "OR": (OFF, REASON)}
# Register: quantity, bytes, whether it has a sign, and the factor
REGISTERS: dict[int, tuple[Quantity, int, bool, float]] = {
    **{0xEDBB: (NUMBERS["VPV"][0], 2, False, 0.01), 0xEDBC: (NUMBERS["PPV"][0], 4, False, 0.01)},
    **{0xEDD5: (VOLTAGE, 2, False, 0.01), 0xEDD7: (instance(CURRENT, "charger"), 2, False, 0.1)},
    **{0xEDAD: (NUMBERS["IL"][0], 2, False, 0.1), 0xEDDB: (instance(TEMPERATURE, "charger"), 2, True, 0.01)},
    **{0xED8D: (VOLTAGE, 2, True, 0.01), 0xED8C: (CURRENT, 4, True, 0.001), 0xED8E: (POWER, 2, True, 1)},
    **{0x0FFF: (LEVEL, 2, False, 0.01)},
}
STATE = 0x0201  # of one byte, as CS
Reading: TypeAlias = tuple[Quantity, Value]


@dataclass(frozen=True, slots=True)
class Settings:
    """The device is taken as it is."""


class VEDirect:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.stream = Stream()

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        for said in self.stream.feed(data):
            if isinstance(said, BadFrame):
                yield said
            elif isinstance(said, Message):
                yield from told(said)
            else:
                yield from decode(said)


def decode(block: Block) -> Iterator[Sample | BadValue]:
    sample: dict[Quantity, Value] = {}
    for label, text in block.items():
        try:
            if found := field(label, text):
                sample[found[0]] = found[1]
        except BadValue as bad:
            yield bad
    if sample:
        yield sample


def field(label: str, text: str) -> Reading | None:
    if text in NOTHING or (label, text) == ("TTG", "-1"):
        return None
    if label in NUMBERS:
        quantity, factor = NUMBERS[label]
        if not NUMBER.fullmatch(text):
            raise BadValue(f"{label} {text!r} is no number")
        return quantity, scaled(quantity, int(text), factor)
    if label in FLAGS:
        if text not in ("ON", "OFF"):
            raise BadValue(f"{label} {text!r} is neither ON nor OFF")
        return FLAGS[label], text == "ON"
    if label in WORDS:
        return said(label, int(text) if NUMBER.fullmatch(text) else -1)
    return named(label, text) if label in TEXTS else None


def named(label: str, text: str) -> Reading:
    """What is neither a number nor a word of a few."""
    quantity, form = TEXTS[label]
    if not (match := form.fullmatch(text)):
        raise BadValue(f"{label} {text!r}")
    if label == "OR":
        return quantity, int(text, 16)
    if label == "FW":
        return quantity, f"{match[1]}{match[2]}.{match[3]}"
    if label == "FWE":
        return quantity, f"{match[1]}.{match[2]}" + (f" beta {int(match[3], 16)}" if match[3] != "FF" else "")
    return quantity, text


def scaled(quantity: Quantity, number: int, factor: float) -> Value:
    return quantity.check(number if quantity.kind == "int" else round(number * factor, 6))


def said(label: str, number: int) -> Reading:
    quantity, words = WORDS[label]
    if number not in words:
        raise BadValue(f"{label} {number} is unknown")
    return quantity, words[number]


def told(message: Message) -> Iterator[Sample | BadValue]:
    """What a HEX message says of a register: its number, flags (0 where the device knows it) and its value."""
    if message.command in (GET, ASYNC) and len(message.raw) > 3 and not message.raw[2]:
        try:
            if found := register(int.from_bytes(message.raw[:2], "little"), message.raw[3:]):
                yield dict([found])
        except BadValue as bad:
            yield bad


def register(number: int, raw: bytes) -> Reading | None:
    if number == STATE and len(raw) == 1:
        return said("CS", raw[0]) if raw[0] != 0xFF else None
    if number not in REGISTERS:
        return None
    quantity, size, sign, factor = REGISTERS[number]
    value, highest = int.from_bytes(raw, "little"), (1 << 8 * size - sign) - 1
    if len(raw) != size:
        raise BadValue(f"register {number:04x} of {len(raw)} bytes in place of {size}")
    if value == highest:  # not available
        return None
    return quantity, scaled(quantity, signed(value, 8 * size) if sign else value, factor)


class Emulator:
    """A charger, a battery monitor and an inverter in one.  A block in a second, and a HEX message with each."""

    def __init__(self) -> None:
        self.age = self.waited = 0.0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        said, self.waited = b"", self.waited + seconds
        while self.waited >= 1.0:
            self.waited, self.age = self.waited - 1.0, self.age + 1.0
            said += self.block() + self.message()
        return said

    def block(self) -> bytes:
        now = round(sway(self.age, 13_000, 800, period=300.0))
        numbers = {label: now // 1000 if factor == 1 else now for label, (_, factor) in NUMBERS.items()}
        said: dict[str, object] = {"PID": "0xA075", "FW": "175", "SER#": "HQ26470000E", "CS": 3, "MPPT": 2, "MODE": 2}
        said |= numbers | {"SOC": 999, "DM": -12, "ERR": 0, "OR": "0x00000000"}
        said |= {"LOAD": "ON", "Relay": "OFF", "Alarm": "OFF"}
        body = b"".join(b"\r\n%s\t%s" % (label.encode(), str(text).encode()) for label, text in said.items())
        return sealed(body + b"\r\n" + END)

    def message(self) -> bytes:
        places = [(number, size) for number, (_, size, _, _) in REGISTERS.items()]
        number, size = places[int(self.age) % len(places)]
        body = number.to_bytes(2, "little") + bytes(1) + round(sway(self.age, 1300, 80)).to_bytes(size, "little")
        return b":A%s%02X\n" % (body.hex().upper().encode(), 0x55 - 0xA - sum(body) & 0xFF)


DRIVER = Driver(
    name="vedirect",
    title="Victron VE.Direct",
    link=Serial(baud=19_200),
    quantities=tuple(
        dict.fromkeys(
            (
                *(quantity for quantity, _ in TEXTS.values()),
                *(quantity for quantity, _ in WORDS.values()),
                *FLAGS.values(),
            )
            + tuple(quantity for quantity, _ in NUMBERS.values())
            + tuple(quantity for quantity, *_ in REGISTERS.values())
        )
    ),
    period=4.0,
    settings=Settings,
    device=VEDirect,
    emulator=Emulator,
    documentation=__doc__,
)
