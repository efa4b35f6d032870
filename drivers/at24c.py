"""24Cxx memory (AT24C, 24LC, M24C, CAT24C ...): a text or number that somebody wrote into it, on I2C.

Datasheet: Atmel "AT24C01A/02/04/08A/16A" (0180), "AT24C32/64" (0336), "AT24C128/256" (0670), read operations; Microchip
"24AA02E48" (DS20002124).  The address to read from is written, one byte up to 2048 bits, else two, high one first;
then bytes are read, and it goes on by itself:

    24C01, 24C02                aa | dd dd dd ...
    24C32 to 24C512       aa aa | dd dd dd ...
    24C04, 24C08, 24C16         as the 24C02, each 256 bytes of them at an I2C address of their own

What is shown is `serial`, and the device's identity: `length` bytes from `first` on, as text up to the first 00 or FF,
or as hexadecimal digits.  Behind them there may be a checksum:

    crc8    of 1-Wire       crc16   of Modbus, low byte first       crc32   of zlib and Ethernet, low byte first

Example: `chip = "24c02"`, `first = 250`, `length = 6`, `shows = "hex"` is the EUI-48 of a 24AA02E48, as 0004a3123456.
Text that is not UTF-8, and bytes that are all 00 or all FF, are no reading: nobody has written there.

Wiring: A0 to A2 give the address, 0x50 to 0x57.  WP at the supply keeps everybody from writing; the gateway never
writes.  `chip` has to be right: of a chip with the other kind of address the bytes are others.  Unless one is set there
is no checksum; then all is read twice, and has to be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from drivers.api import I2C, BadFrame, BadValue, Driver, Sample, Talk, Transfer
from drivers.codec.crc import crc8_maxim, crc16_modbus
from drivers.quantities import serial

SERIAL = serial()

SMALL = {"24c01": 128, "24c02": 256, "24c04": 256, "24c08": 256, "24c16": 256}  # bytes at one I2C address
LARGE = {"24c32": 4096, "24c64": 8192, "24c128": 16384, "24c256": 32768, "24c512": 65536}
SIZES = SMALL | LARGE
CHECKSUMS: dict[str, tuple[int, Callable[[bytes], int]]] = {  # bytes, and how they are made
    "none": (0, lambda data: 0),
    "crc8": (1, crc8_maxim),
    "crc16": (2, crc16_modbus),
    "crc32": (4, crc32),
}
LONGEST = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """Which *chip* it is, and what of it is shown."""

    chip: Literal["24c01", "24c02", "24c04", "24c08", "24c16", "24c32", "24c64", "24c128", "24c256", "24c512"] = "24c32"
    first: int = 0
    length: int = 16
    shows: Literal["text", "hex"] = "text"
    checksum: Literal["none", "crc8", "crc16", "crc32"] = "none"

    def __post_init__(self) -> None:
        if not 1 <= self.length <= LONGEST:
            raise ValueError(f"`length` {self.length} is not in 1..{LONGEST}")
        size, end = SIZES[self.chip], self.first + self.length + CHECKSUMS[self.checksum][0]
        if not 0 <= self.first < end <= size:
            raise ValueError(f"bytes {self.first} to {end - 1}: a {self.chip} has 0 to {size - 1} at an address")


class Memory:
    """One chip, which is only read."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.extra, self.checksum = CHECKSUMS[settings.checksum]
        address = settings.first.to_bytes(1 if settings.chip in SMALL else 2, "big")
        self.read = Transfer(address, settings.length + self.extra)

    def start(self) -> Talk[str]:
        return (yield from self.text())

    def measure(self) -> Talk[Sample]:
        return {SERIAL: (yield from self.text())}

    def text(self) -> Talk[str]:
        answer = yield self.read
        if len(answer) != self.read.read:
            raise BadFrame(f"{len(answer)} bytes in place of {self.read.read}")
        data, check = answer[: self.settings.length], answer[self.settings.length :]
        if not check and (yield self.read) != answer:
            raise BadFrame("read twice, and not the same")
        return decode(data, check, self.checksum, self.settings.shows)


def decode(data: bytes, check: bytes, checksum: Callable[[bytes], int], shows: str) -> str:
    """What *data* says."""
    if check and int.from_bytes(check, "little") != checksum(data):
        raise BadFrame(f"checksum {check.hex()} is wrong")
    if not data.strip(b"\x00") or not data.strip(b"\xff"):
        raise BadValue(f"nothing but {data[0]:02x}: nobody has written there")
    if shows == "hex":
        return data.hex()
    written = data.partition(b"\x00")[0].partition(b"\xff")[0].strip()
    text = written.decode("utf-8", "replace")
    if not text.isprintable() or not text or "\ufffd" in text:
        raise BadValue(f"no text: {data[:16].hex(' ')}")
    return text


class Emulator:
    """A chip that somebody writes a new number into now and then, where *settings* look for it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.width, self.age, self.pointer = 1 if self.settings.chip in SMALL else 2, 0.0, 0
        self.memory = bytearray(b"\xff" * SIZES[self.settings.chip])
        self.tick(0)

    def transfer(self, write: bytes, read: int) -> bytes:
        if len(write) >= self.width:
            self.pointer = int.from_bytes(write[: self.width], "big")
        answer = bytes(self.memory[at % len(self.memory)] for at in range(self.pointer, self.pointer + read))
        self.pointer += read
        return answer

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        first, length = self.settings.first, self.settings.length
        size, checksum = CHECKSUMS[self.settings.checksum]
        data = (b"GW-%05d\x00" % (10000 + int(self.age / 60)))[:length].ljust(length, b"\xff")
        self.memory[first : first + length + size] = data + checksum(data).to_bytes(size, "little")
        return b""


DRIVER = Driver(
    name="at24c",
    title="24Cxx memory, a text in it",
    link=I2C(addresses=tuple(range(0x50, 0x58))),
    quantities=(SERIAL,),
    period=60.0,
    settings=Settings,
    device=Memory,
    emulator=Emulator,
    emulated=Emulator,
    documentation=__doc__,
)
