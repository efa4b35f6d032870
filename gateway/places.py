"""Where a device hangs, and where an interface listens: ports, buses, lines and endpoints, as they are written.

Functions are as in ``notation``: they return what is meant, or raise ValueError with the way out.  Endpoint strings
are Twisted's, and are checked by their words only: nothing is opened or imported for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from drivers.api import Serial, Sysfs
from gateway.notation import nearest

USB = re.compile(r"(usb:[0-9a-f]{4}:[0-9a-f]{4})(:.+)?", re.IGNORECASE)
BUS = re.compile(r"i2c:(\d+)((?:/(?:0x[0-9a-fA-F]+|[1-9]\d*)/[0-7])*)")
SPI = re.compile(r"spi:(\d+)\.(\d+)")
LINE = re.compile(r"gpio:[A-Za-z0-9_]([ -~]*[!-~])?")  # a line's name may hold spaces and brackets
LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|::1|localhost")
ADDRESSES = range(0x08, 0x78)  # the others are reserved: NXP UM10204, 3.1.12
MULTIPLEXERS = range(0x70, 0x78)  # PCA9548A and its like

# Positional arguments and options of Twisted's own endpoints; () is a kind whose options are left to Twisted.
TCP = ("port", "interface", "backlog")
SERVERS: dict[str, tuple[str, ...]] = {
    "tcp": TCP,
    "tcp6": TCP,
    "ssl": (*TCP, "privateKey", "certKey", "sslmethod", "extraCertChain", "dhParameters"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
CLIENTS: dict[str, tuple[str, ...]] = {
    "tcp": ("host", "port", "timeout", "bindAddress"),
    "tls": (),
    "ssl": (),
    "unix": (),
    "serial": (),  # ours, and read before one comes here; known so that it can be meant
}
MODBUS: dict[str, tuple[str, ...]] = {"modbus-tcp": ("host", "port", "timeout", "bindAddress")}


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A port of this machine, and how it is set.  *path* is a path or "usb:VENDOR:PRODUCT[:SERIAL]"."""

    path: str
    line: Serial
    rs485: bool = False  # the kernel's driver switches the direction


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A serial line at the far end of a connection: any Twisted client endpoint string."""

    description: str


@dataclass(frozen=True, slots=True)
class ModbusTCP:
    """A Modbus server on the network.  *endpoint* is a Twisted client endpoint string."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit number *unit* on a Modbus line, or behind a server; it may be silent for *timeout* seconds."""

    port: SerialPort | Endpoint | ModbusTCP
    unit: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Bus:
    """An address on I2C bus *number*, behind the (address, channel) of each multiplexer on the way."""

    number: int
    address: int
    mux: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """For each line of the driver's link its place, such as ("line", "gpio:GPIO17")."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Select:
    """Chip select line *line* of SPI bus *number*."""

    number: int
    line: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A device in /sys: the *word* that the user knows it by, such as "28-0316a2795bff", under *key*."""

    key: str
    word: str


Where: TypeAlias = SerialPort | Endpoint | Unit | Bus | Lines | Select | Folder


def serial_path(value: Any) -> str:
    """A path, or "usb:VENDOR:PRODUCT[:SERIAL]" with the two numbers in lower case."""
    if isinstance(value, str) and (match := USB.fullmatch(value)):
        return match[1].lower() + (match[2] or "")
    if isinstance(value, str) and value.startswith("/") and value.isprintable():
        return value
    raise ValueError(f'{value!r} is no serial port; write "/dev/ttyUSB0" or "usb:1546:01a8"')


def parse_serial(text: str) -> tuple[str, dict[str, str | int]]:
    """Split "serial:PATH[:baud=9600:parity=N]" into the path and the settings, which are not checked here.
    A colon in the path needs no backslash, and may have one, as in any endpoint string."""
    name, settings = text.removeprefix("serial:"), dict[str, str | int]()
    while match := re.fullmatch(r"(.*):([A-Za-z_]+)=([^:=]*)", name):
        name = match[1]
        settings = {match[2]: int(match[3]) if match[3].isdecimal() else match[3], **settings}
    return re.sub(r"\\(.)", r"\1", name), settings


def bus(value: Any) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The number of an I2C bus, and the address and channel of each multiplexer on the way."""
    if isinstance(value, str) and value.startswith("spi:"):
        raise ValueError(f'{value!r} is an SPI bus, and this chip hangs on I2C; write "i2c:1"')
    match = BUS.fullmatch(value) if isinstance(value, str) else None
    steps = [int(step, 0) for step in match[2].split("/")[1:]] if match else []
    mux = tuple(zip(steps[::2], steps[1::2], strict=True))
    if not match or any(at not in MULTIPLEXERS for at, _ in mux):
        raise ValueError(
            f'{value!r} is no bus; write "i2c:1", or "i2c:1/0x70/3" for channel 3 (of 0 to 7) '
            "of a multiplexer at 0x70 (to 0x77)"
        )
    return int(match[1]), mux


def spi(value: Any) -> Select:
    """The number of an SPI bus, and the chip select line on it."""
    if isinstance(value, str) and (match := SPI.fullmatch(value)):
        return Select(int(match[1]), int(match[2]))
    raise ValueError(f'{value!r} is no SPI device; write "spi:0.0" for chip select 0 of bus 0, which is /dev/spidev0.0')


def sysfs(link: Sysfs) -> Callable[[Any], str]:
    """The word for a device in /sys, if it looks as such words do."""

    def read(value: Any) -> str:
        if isinstance(value, str) and re.fullmatch(link.words, value) and value.isprintable() and ".." not in value:
            return value
        raise ValueError(
            f'{value!r} is none such; write for example "{link.example}"; `gateway scan` lists those there are'
        )

    return read


def address(known: tuple[int, ...]) -> Callable[[Any], int]:
    """An address on an I2C bus, one of those a chip can have."""
    shown = ", ".join(f"0x{one:02x}" for one in known)

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{value!r} must be a number without quotes; this chip answers at {shown}")
        if value not in ADDRESSES:
            raise ValueError(
                f"{value:#04x} is no address of an I2C device (0x08 to 0x77); this chip answers at {shown}"
            )
        if value not in known:
            raise ValueError(f"this chip is never at {value:#04x}, only at {shown}")
        return value

    return read


def gpio_line(value: Any) -> str:
    """The name of a GPIO line, or the label of its chip and its number on it, verbatim."""
    if not isinstance(value, str) or not LINE.fullmatch(value):
        raise ValueError(f'{value!r} is no GPIO line; write "gpio:GPIO17" or "gpio:pinctrl-bcm2835/17"')
    return value


def split_endpoint(text: Any, kinds: dict[str, tuple[str, ...]], ways: str = "") -> tuple[str, dict[str, str]]:
    """Kind and arguments of a Twisted endpoint string, as far as *kinds* names them."""
    parts = re.findall(r"(?:^|:)((?:\\.|[^:\\])*)", text) if isinstance(text, str) else [""]
    head, *rest = [re.sub(r"\\(.)", r"\1", part) for part in parts]
    if not re.fullmatch(r"[a-z][a-z0-9+-]*", head) or not rest:
        raise ValueError(f"{text!r} is no endpoint; {ways}")
    if head not in kinds and (guess := nearest(head, kinds)):
        raise ValueError(f"{text!r}: unknown kind `{head}`{guess}")
    names, given, plain = kinds.get(head, ()), dict[str, str](), 0
    for part in rest if names else ():
        name, equals, value = part.partition("=")
        if equals and name in names:
            given[name] = value
        elif equals:
            raise ValueError(f"{text!r}: unknown option `{name}`{nearest(name, names)}")
        elif len(given) == plain < len(names):  # Twisted takes none without a name behind one with
            given[names[plain]] = part
            plain += 1
        else:
            raise ValueError(rf"{text!r}: too many colons; one inside a value is written \: (and the whole in '...')")
    return head, given


def port_number(text: str, given: dict[str, str], low: int) -> None:
    port = given.get("port", "")
    if not port.isdecimal() or not low <= int(port) <= 65535:
        raise ValueError(f"{text!r}: the port must be a number from {low} to 65535")


def server(value: Any) -> str:
    """A Twisted server endpoint string, verbatim."""
    kind, given = split_endpoint(value, SERVERS, 'write "tcp:7600:interface=127.0.0.1"')
    if "port" in SERVERS.get(kind, ()):
        port_number(value, given, 0)
    return str(value)


def modbus_server(value: Any) -> str:
    """The Twisted client endpoint string for "modbus-tcp:HOST[:PORT]"."""
    _, given = split_endpoint(value, MODBUS)
    if not given.get("host"):
        raise ValueError(f'{value!r} names no host; write "modbus-tcp:HOST" or "modbus-tcp:HOST:PORT"')
    given.setdefault("port", "502")
    port_number(value, given, 1)
    options = {name: re.sub(r"([:\\])", r"\\\1", text) for name, text in given.items()}
    return ":".join(("tcp", *(f"{name}={text}" for name, text in options.items())))


def client(value: Any) -> str:
    """A Twisted client endpoint string, verbatim."""
    if isinstance(value, str) and value.startswith("modbus-tcp:"):
        raise ValueError(f"{value!r} is for Modbus devices, and this one is none")
    kind, given = split_endpoint(value, CLIENTS, 'write "/dev/ttyUSB0", "usb:1546:01a8" or "tcp:HOST:PORT"')
    if kind == "tcp":
        if not given.get("host"):
            raise ValueError(f'{value!r} names no host; write "tcp:HOST:PORT"')
        port_number(value, given, 1)
    return str(value)


def local(endpoint: str) -> bool:
    """Can only this machine reach the checked server *endpoint*?  A socket from systemd may be anything: no."""
    kind, given = split_endpoint(endpoint, SERVERS)
    return kind == "unix" or LOOPBACK.fullmatch(given.get("interface", "")) is not None


def listens(endpoint: str) -> object:
    """What two listeners cannot share of a checked server *endpoint*; None for port 0, which is any free one."""
    given = split_endpoint(endpoint, SERVERS)[1]
    if "port" not in given:
        return endpoint
    return (int(given["port"]), given.get("interface")) if int(given["port"]) else None
