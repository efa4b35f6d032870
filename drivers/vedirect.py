"""Victron's solar chargers, battery monitors, inverters and DC converters with a VE.Direct port.

Datasheet: Victron "VE.Direct Protocol", 3.33, and "BlueSolar HEX protocol MPPT", "BMV-7xx HEX Protocol".  The device
sends, unasked, a block every second (battery monitors two kinds of block in turn), at 19200 baud, 8N1:

    0D 0A  V 09 12540   0D 0A  I 09 -40   ...   0D 0A  Checksum 09 DC        label, value in mV, mA ...
                                                                   the sum of all bytes of a block is 0, modulo 256
    :7 F0ED 00 9600 DB 0A        a HEX message, anywhere between: command, register and value low byte first;
                                 the sum of the command and all bytes is 55h, modulo 256

A sum of eight bits is not much: each line must also be one, and what its label says must be a number, or a word of
ours.  A device that has no such sensor says `---`, and then there is no reading; nor is there of an infinite time to
go (-1).

Wiring: 4-pin JST-PH: 1 ground, 2 receive, 3 transmit, 4 +5 V; 3.3 or 5 V, best with Victron's isolated USB cable.

Current is negative when the battery is discharged.  Energy is told in steps of 10 Wh.  What HEX messages tell of known
registers is published; the gateway asks for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.api import BadFrame, BadValue, DeviceError, Driver, Quantity, Sample, Serial, Value
from drivers.codec import obis
from drivers.codec.bits import signed
from drivers.emulation import sway
from drivers.quantities import (
    alarm,
    charge,
    current,
    duration,
    error,
    instance,
    level,
    power,
    status,
    temperature,
    voltage,
)

LONGEST, MESSAGE = 1024, 256  # bytes of a block, and of a HEX message
END = b"Checksum\t"
LINE = re.compile(r"([A-Za-z0-9_#+-]{1,16})\t([ -~]{0,64})")
HEX = re.compile(rb":([0-9A-Fa-f]*)")
NUMBER = re.compile(r"-?\d{1,12}")
SERIAL = re.compile(r"[A-Z0-9]{5,16}")
NOTHING = ("", "---")
GET, ASYNC = "7", "A"
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
STATUS, LEVEL, IDENTITY = status(tuple(STAGES.values())), level(), obis.BASES["serial"]
TEMPERATURE = temperature(-100, 200, digits=2)
LOAD, RELAY, ALARM = instance(obis.BASES["state"], "load"), instance(obis.BASES["state"], "relay"), alarm()

# Label: quantity, and the factor that makes the number ours
NUMBERS: dict[str, tuple[Quantity, float]] = {
    **{"V": (VOLTAGE, 1e-3), "V2": (instance(VOLTAGE, "2"), 1e-3), "V3": (instance(VOLTAGE, "3"), 1e-3)},
    **{"VS": (instance(VOLTAGE, "aux"), 1e-3), "VM": (instance(VOLTAGE, "mid"), 1e-3)},
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
# Register: quantity, bytes, whether it has a sign, and the factor
REGISTERS: dict[int, tuple[Quantity, int, bool, float]] = {
    **{0xEDBB: (NUMBERS["VPV"][0], 2, False, 0.01), 0xEDBC: (NUMBERS["PPV"][0], 4, False, 0.01)},
    **{0xEDD5: (VOLTAGE, 2, False, 0.01), 0xEDD7: (instance(CURRENT, "charger"), 2, False, 0.1)},
    **{0xEDAD: (NUMBERS["IL"][0], 2, False, 0.1), 0xEDDB: (instance(TEMPERATURE, "charger"), 2, True, 0.01)},
    **{0xED8D: (VOLTAGE, 2, True, 0.01), 0xED8C: (CURRENT, 4, True, 0.001), 0xED8E: (POWER, 2, True, 1)},
    **{0x0FFF: (LEVEL, 2, False, 0.01)},
}
STATE = 0x0201  # of one byte, as CS


@dataclass(frozen=True, slots=True)
class Settings:
    """The device is taken as it is."""


class VEDirect:
    """The reading side of one connection: bytes in, samples and errors out."""

    def __init__(self, settings: Settings) -> None:
        self.buffer = bytearray()
        self.began = False

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        self.buffer += data
        while True:
            end, at = self.buffer.find(END, 0, LONGEST), self.buffer.find(b":", 0, LONGEST)
            if at >= 0 and (at < end or end < 0):
                if not (size := extent(self.buffer, at)):
                    return
                message = bytes(self.buffer[at : at + size])
                del self.buffer[at : at + size]  # what stands around it is one
                yield from told(message)
            elif end >= 0:
                if len(self.buffer) <= end + len(END):
                    return
                block = bytes(self.buffer[: end + len(END) + 1])
                del self.buffer[: len(block)]
                yield from self.take(block)
            elif len(self.buffer) >= LONGEST:
                del self.buffer[: LONGEST - len(END)]
                yield BadFrame(f"{LONGEST} bytes without a checksum; is it a VE.Direct port?")
            else:
                return

    def take(self, block: bytes) -> Iterator[Sample | DeviceError]:
        """What ends as a block does.  Before it the rest of another may stand, or noise."""
        began, self.began = self.began, True
        for begin in (block.find(b"\r\n"), block.rfind(b"\r\nPID\t")):
            if begin >= 0 and sum(block[begin:]) & 0xFF == 0:
                if begin and began:  # nobody begins to listen at the beginning
                    yield BadFrame(f"{begin} bytes that are no block: {block[:begin][:64]!r}")
                yield from decode(block[begin:])
                return
        if began or block.startswith(b"\r\n"):
            yield BadFrame(f"sum {sum(block) & 0xFF:02x} of a block: {block[:64]!r}")


def decode(block: bytes) -> Iterator[Sample | DeviceError]:
    """What a block says, its sum checked."""
    lines = block[2 : -len(END) - 1].decode("latin-1").split("\r\n")[:-1]
    found = [match for line in lines if (match := LINE.fullmatch(line))]
    fields = {match[1]: match[2] for match in found}
    if not lines or len(fields) != len(lines):
        yield BadFrame(f"lines that are none, or twice the same: {block[:64]!r}")
        return
    sample: dict[Quantity, Value] = {}
    for label, text in fields.items():
        try:
            sample |= field(label, text)
        except BadValue as bad:
            yield bad
    if sample:
        yield sample


def field(label: str, text: str) -> dict[Quantity, Value]:
    if text in NOTHING or (label, text) == ("TTG", "-1"):
        return {}
    if label in NUMBERS:
        quantity, factor = NUMBERS[label]
        if not NUMBER.fullmatch(text):
            raise BadValue(f"{label} {text!r} is no number")
        return {quantity: scaled(quantity, int(text), factor)}
    if label in FLAGS:
        if text not in ("ON", "OFF"):
            raise BadValue(f"{label} {text!r} is neither ON nor OFF")
        return {FLAGS[label]: text == "ON"}
    if label in WORDS:
        return said(label, int(text) if NUMBER.fullmatch(text) else -1)
    if label == "SER#":
        if not SERIAL.fullmatch(text):
            raise BadValue(f"{label} {text!r}")
        return {IDENTITY: text}
    return {}


def scaled(quantity: Quantity, number: int, factor: float) -> Value:
    return quantity.check(number if quantity.kind == "int" else round(number * factor, 6))


def said(label: str, number: int) -> dict[Quantity, Value]:
    quantity, words = WORDS[label]
    if number not in words:
        raise BadValue(f"{label} {number} is unknown")
    return {quantity: words[number]}


def extent(buffer: bytearray, at: int) -> int:
    """How long the HEX message at *at* is, 0 for "more"."""
    match = HEX.match(buffer, at)
    end = match.end() if match else at
    if end == len(buffer):
        return 0 if end - at < MESSAGE else end - at
    return end - at + (buffer[end] == 0x0A)


def told(message: bytes) -> Iterator[Sample | DeviceError]:
    """What a HEX message says: a colon, one digit, pairs of them, and the end of the line."""
    digits = message[1:-1].decode("ascii")
    if not message.endswith(b"\n") or len(digits) < 3 or len(digits) % 2 == 0:
        yield BadFrame(f"no HEX message: {message!r}")
        return
    command, raw = digits[0].upper(), bytes.fromhex(digits[1:])
    if (int(command, 16) + sum(raw)) & 0xFF != 0x55:
        yield BadFrame(f"sum of a HEX message is wrong: {message!r}")
    elif command in (GET, ASYNC) and len(raw) > 4 and not raw[2]:  # no flag: it knows the register
        try:
            if sample := register(int.from_bytes(raw[:2], "little"), raw[3:-1]):
                yield sample
        except BadValue as bad:
            yield bad


def register(number: int, raw: bytes) -> dict[Quantity, Value]:
    if number == STATE and len(raw) == 1:
        return said("CS", raw[0]) if raw[0] != 0xFF else {}
    if number not in REGISTERS:
        return {}
    quantity, size, sign, factor = REGISTERS[number]
    value, highest = int.from_bytes(raw, "little"), (1 << 8 * size - sign) - 1
    if len(raw) != size:
        raise BadValue(f"register {number:04x} of {len(raw)} bytes in place of {size}")
    if value == highest:  # not available
        return {}
    return {quantity: scaled(quantity, signed(value, 8 * size) if sign else value, factor)}


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
        said = (
            {"PID": "0xA075", "SER#": "HQ26470000E", "CS": "3", "MPPT": "2", "MODE": "2"}
            | numbers
            | {"SOC": 999, "ERR": 0}
        )
        said |= {"LOAD": "ON", "Relay": "OFF", "Alarm": "OFF"}
        body = b"".join(b"\r\n%s\t%s" % (label.encode(), str(text).encode()) for label, text in said.items())
        return summed(body + b"\r\n" + END)

    def message(self) -> bytes:
        places = [(number, size) for number, (_, size, _, _) in REGISTERS.items()]
        number, size = places[int(self.age) % len(places)]
        body = number.to_bytes(2, "little") + bytes(1) + round(sway(self.age, 1300, 80)).to_bytes(size, "little")
        return b":A%s%02X\n" % (body.hex().upper().encode(), 0x55 - 0xA - sum(body) & 0xFF)


def summed(body: bytes) -> bytes:
    return body + bytes((-sum(body) & 0xFF,))


DRIVER = Driver(
    name="vedirect",
    title="Victron VE.Direct",
    link=Serial(baud=19_200),
    quantities=tuple(
        dict.fromkeys(
            (IDENTITY, *(quantity for quantity, _ in WORDS.values()), *FLAGS.values())
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
