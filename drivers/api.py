"""The contract between a device driver and whoever runs it.

A driver is plain data and pure functions.  It opens nothing, waits for nothing and
reads no clock: it yields operations, or is fed what came, and answers with samples.
This module imports the standard library only, and so does every driver.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable


class DeviceError(Exception):
    """What the outside world did to us.  Anything else that leaves a driver is a bug."""


class NoAnswer(DeviceError):
    """Nobody answered: NACK, timeout, unplugged.  Worth another try."""


class BadFrame(DeviceError):
    """Bytes came, but they are no valid frame.  Drop, count, go on."""


class BadValue(DeviceError):
    """A valid frame held a value this device cannot produce."""


class WrongDevice(DeviceError):
    """Something else lives at this address.  No retry helps; a person must look."""


Value: TypeAlias = float | int | bool | str
V = TypeVar("V", bound=Value)
KINDS: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "flag": (bool,), "choice": (str,)}


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One thing a device measures or sets: a symbol, made once, equal to itself only.
    Names and units come from ``drivers.quantities``."""

    name: str
    unit: str = ""
    kind: Literal["float", "int", "flag", "choice", "text"] = "float"
    low: float = 0
    high: float = 0
    digits: int = 0
    choices: tuple[str, ...] = ()
    writable: bool = False
    every: int = 1  # of so many measurements, one has it

    def check(self, value: V) -> V:
        """Give *value* back, or raise BadValue when this quantity cannot have it."""
        if isinstance(value, float) and self.kind == "float" and self.low <= value <= self.high:
            return value  # nearly all are that, and it takes half the time
        if not isinstance(value, KINDS.get(self.kind, str)) or isinstance(value, bool) != (self.kind == "flag"):
            raise BadValue(f"{self.name} {value!r} is no {self.kind}")
        if self.kind == "choice" and value not in self.choices:
            raise BadValue(f"{self.name} {value!r} is none of {', '.join(self.choices)}")
        if self.kind in ("float", "int") and not self.low <= float(value) <= self.high:  # NaN compares false
            raise BadValue(f"{self.name} {value:g} {self.unit} not in {self.low:g}..{self.high:g}")
        return value


Sample: TypeAlias = Mapping[Quantity, Value]


@dataclass(frozen=True, slots=True)
class Transfer:
    """On I2C: write *write*, then, with a repeated start, read *read* bytes.  Either may be empty.
    On SPI both happen at once: the chip is selected for as many bytes as the longer of the two has, *write* goes out
    with zeros behind it, and the answer is what came during the first *read* bytes."""

    write: bytes = b""
    read: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """Write *write* and wait for one answer.  *frame* is shown the bytes that came: it gives the
    length of the answer they begin with, 0 for "more", or raises BadFrame: none begins here.  Where nothing in an
    answer tells its end, *gap* seconds of silence do: all that came until then is the answer."""

    write: bytes
    frame: Callable[[bytes], int]
    timeout: float
    gap: float = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One Modbus request.  *function* 1 and 2 read *count* bits from *address* on, 3 and 4 registers; 5 and 6 write one
    bit or register, 15 and 16 several, those in *values*.  Addresses are those on the wire, from 0.  The answer is the
    data that was read, as on the wire: bits packed, the first one lowest, registers big-endian; of a write it is empty.
    A function of the maker's own (65 to 72, 100 to 110) is a command: the bytes *values* follow it, and nothing else,
    and the unit says them all back.
    What a unit refuses (exceptions 1 to 3) is a BadValue; that it cannot just now, or is not reached, a NoAnswer."""

    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SetLines:
    """Drive output lines: the name of each in the driver's link, and its electrical level."""

    levels: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Read a file of the kernel, by its path within the link's folder; it may begin with ``../``.
    Of a folder (``.``) the answer is the names within, one a line and in order, and an empty line."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write *text* to a file of the kernel.  One that waits already, the same to the same file, serves both."""

    attribute: str
    text: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Leave the bus to others for *seconds*."""

    seconds: float


R = TypeVar("R")
Operation: TypeAlias = Transfer | Ask | Request | SetLines | Read | Write
Talk: TypeAlias = Generator[Operation | Sleep, bytes, R]


@dataclass(frozen=True, slots=True)
class I2C:
    """A chip on an I2C bus, at one of *addresses*; the first is what it comes with."""

    addresses: tuple[int, ...]
    operations: ClassVar[tuple[type, ...]] = (Transfer, Sleep)


@dataclass(frozen=True, slots=True)
class Serial:
    """A device on a serial port, and how the port is set when the user says nothing.  Where such devices come with
    different speeds, *bauds* are tried in turn while bytes come and nothing is understood."""

    baud: int
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    bits: Literal[7, 8] = 8
    bauds: tuple[int, ...] = ()
    operations: ClassVar[tuple[type, ...]] = (Ask, Sleep)


@dataclass(frozen=True, slots=True)
class Modbus:
    """A unit on a Modbus line: how the line is set and which *unit* it is as it comes from its maker, and for how many
    seconds it may be silent before it answers."""

    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    unit: int = 1
    timeout: float = 0.5
    operations: ClassVar[tuple[type, ...]] = (Request, Sleep)


@dataclass(frozen=True, slots=True)
class GPIO:
    """Lines of a GPIO chip.  *lines* are their names in the configuration (``line = "gpio:GPIO17"``)."""

    direction: Literal["in", "out"]
    lines: tuple[str, ...] = ("line",)
    operations: ClassVar[tuple[type, ...]] = (SetLines, Sleep)


@dataclass(frozen=True, slots=True)
class SPI:
    """A chip on an SPI bus.  *mode* is 0 to 3, clock polarity times two plus phase; *speed* in Hz is the most it bears
    at 3.3 V; *bits* to a word."""

    mode: Literal[0, 1, 2, 3]
    speed: int
    bits: int = 8
    operations: ClassVar[tuple[type, ...]] = (Transfer, Sleep)


@dataclass(frozen=True, slots=True)
class Sysfs:
    """A folder below /sys.  *key* is the key of the configuration that says which: its word stands for ``{}`` in
    *folder*, or, where *folder* ends in ``*``, is what the file ``name`` within has to say.  "" is for the one *folder*
    there is.  *words* is what such a word looks like, as a regular expression, and *example* is one."""

    folder: str
    key: Literal["", "id", "iio", "hwmon", "pwm"] = ""
    words: str = ".+"
    example: str = ""
    operations: ClassVar[tuple[type, ...]] = (Read, Write, Sleep)


Link: TypeAlias = I2C | Serial | Modbus | GPIO | SPI | Sysfs


@dataclass(frozen=True, slots=True)
class Edge:
    """A line's electrical level, at monotonic second *at*: told once when the line is opened, then at each change, and
    for a driver with a period again after each."""

    line: str
    level: bool
    at: float


@runtime_checkable
class Starts(Protocol):
    def start(self) -> Talk[str]:
        """Check that it is the right device, configure it, and give its serial number, or ""."""


@runtime_checkable
class Measures(Protocol):
    def measure(self) -> Talk[Sample]:
        """Take one measurement."""


class Skips(Protocol):
    """Not each of its measurements asks for all that it has."""

    whole: bool  # the next one does
    count: int  # of its measurements, since somewhere


@runtime_checkable
class Writes(Protocol):
    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        """Set *quantity*, already checked, to *value*, and give what is true now."""


@runtime_checkable
class Feeds(Protocol):
    def feed(self, data: Any) -> Iterable[Sample | DeviceError]:
        """Take what came unasked, in chunks of any size: bytes on a serial line, a tuple of ``Edge`` on GPIO.
        A bad frame is an event, not an exception: raising would lose the good frames behind it."""


@runtime_checkable
class Remembers(Protocol):
    """A device that goes on where it was when it is opened again, or the gateway is."""

    def state(self) -> bytes:
        """What it has to remember, some bytes."""

    def restore(self, data: bytes) -> None:
        """Begin where ``state`` was told, before all else.  Raises ValueError when *data* makes no sense."""


Device: TypeAlias = Starts | Measures | Writes | Feeds  # any of them, and any number


class I2CEmulator(Protocol):
    """The chip's side of the wire, on I2C and SPI.  ``tick`` lets time go by: what it measures may wander."""

    def transfer(self, write: bytes, read: int) -> bytes: ...

    def tick(self, seconds: float) -> bytes: ...


class SerialEmulator(Protocol):
    """The device's side of the wire: what it answers, and what it says by itself as time goes by."""

    def receive(self, data: bytes) -> bytes: ...

    def tick(self, seconds: float) -> bytes: ...


class ModbusEmulator(Protocol):
    """The device's side of a Modbus line.  It answers protocol data units, from function code to data; unit number and
    checksum are added by the line, which is the same for all."""

    def answer(self, pdu: bytes) -> bytes: ...

    def tick(self, seconds: float) -> bytes: ...


class GPIOEmulator(Protocol):
    """What hangs on the lines.  ``levels`` holds the level of each; ``tick`` lets time go by and may change inputs."""

    levels: dict[str, bool]

    def tick(self, seconds: float) -> bytes: ...


class SysfsEmulator(Protocol):
    """What the kernel shows in the device's folder: the text of each file by its path.  ``tick`` lets time go by."""

    files: dict[str, str]

    def tick(self, seconds: float) -> bytes: ...


Emulates: TypeAlias = I2CEmulator | SerialEmulator | ModbusEmulator | GPIOEmulator | SysfsEmulator
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver(Generic[S]):
    """All that the gateway knows of one kind of device.  Where the settings choose which quantities it has, or which of
    them can be set, *chosen* tells; *quantities* are then those of the settings nobody touched.  Where they change what
    is on the wire, *emulated* makes the emulator."""

    name: str
    title: str
    link: Link
    quantities: tuple[Quantity, ...]
    period: float  # seconds between samples: how often to measure, or how often it talks by itself; 0: only on change
    settings: type[S]
    device: Callable[[S], Device]
    emulator: Callable[[], Emulates]
    documentation: str | None
    chosen: Callable[[S], tuple[Quantity, ...]] | None = None
    emulated: Callable[[S], Emulates] | None = None

    def having(self, settings: S) -> tuple[Quantity, ...]:
        """The quantities of a device with these *settings*."""
        return self.quantities if self.chosen is None else self.chosen(settings)

    def emulating(self, settings: S) -> Emulates:
        """What stands for a device with these *settings*."""
        return self.emulator() if self.emulated is None else self.emulated(settings)
