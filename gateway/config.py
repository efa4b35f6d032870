"""The configuration: one TOML file, read into plain data, or refused with all its mistakes at once.

What a file may say is in docs/configuration.md; how single values are written is in ``notation`` and ``places``.
Which drivers exist is told by the caller.  Nothing is opened here but the file itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gateway import notation, places
from gateway.config_device import Device, Find, QuantityConfig, read_devices
from gateway.config_output import Policy, Rules, switches
from gateway.places import (
    Bus,
    Endpoint,
    Folder,
    Lines,
    ModbusTCP,
    Select,
    SerialPort,
    Unit,
    Where,
    parse_serial,
)
from gateway.table import ConfigError, Page, Problem, Table, shared

__all__ = [
    "Bus",
    "Config",
    "ConfigError",
    "Device",
    "Endpoint",
    "Find",
    "Folder",
    "HTTP",
    "History",
    "IRC",
    "Lines",
    "Listen",
    "ModbusTCP",
    "Policy",
    "Power",
    "Problem",
    "QuantityConfig",
    "Rules",
    "Select",
    "SerialPort",
    "Unit",
    "Where",
    "load",
    "own_drivers",
    "parse",
    "parse_serial",
    "secured",
    "switches",
]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where an interface listens, as Twisted server endpoint strings, and as what strangers may come in."""

    endpoints: tuple[str, ...]
    anonymous: Literal["viewer"] | None


@dataclass(frozen=True, slots=True)
class HTTP(Listen):
    hosts: tuple[str, ...]  # names under which browsers may know us, beside our own


@dataclass(frozen=True, slots=True)
class IRC(Listen):
    name: str  # the server's
    min_interval: float  # seconds between two lines about one quantity in #readings


@dataclass(frozen=True, slots=True)
class History:
    path: str | None
    keep: float | None  # seconds; None is for ever
    size: int  # bytes that the database may have
    bytes_per_day: int  # that may be written to the card


MEMORY = History(None, None, 16 * 2**20, 10**9)  # what is kept when nothing is said of it


@dataclass(frozen=True, slots=True)
class Power:
    """The line that switches the power of an I2C bus's chips, for when nothing else brings it back."""

    line: str
    active: Literal["high", "low"]
    off: float  # seconds


@dataclass(frozen=True, slots=True)
class Config:
    tcp: Listen | None
    http: HTTP | None
    irc: IRC | None
    history: History | None
    devices: tuple[Device, ...]
    drivers_folder: Path | None
    time: Literal["auto", "system", "synchronized"]
    gpio: Literal["auto", "gpiod", "rpi"] = "auto"
    time_from: str = ""  # the device that is believed while nobody vouches for the system's clock
    sysfs: str = "/sys"
    power: Mapping[int, Power] = field(default_factory=dict)  # by the number of the I2C bus
    python_drivers: bool = False
    warnings: tuple[Problem, ...] = ()


def load(path: Path, find: Find, names: Iterable[str]) -> Config:
    """Read the file at *path*.  Raises ConfigError, also when it cannot be read."""
    try:
        data = path.read_bytes()
        if not data:  # a power cut leaves it so, and an editor for a moment: no reason to let everything go
            told = "is empty; a gateway with nothing to do has a comment in it"
            raise ConfigError((Problem(str(path), 0, "", told),))
        return parse(data.decode("utf-8-sig"), str(path), find, names)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(str(path), line, "", "not UTF-8 text"),)) from None
    except FileNotFoundError:
        told = "no such file; `gateway demo` needs none, and --config names another"
        raise ConfigError((Problem(str(path), 0, "", told),)) from None
    except OSError as error:
        raise ConfigError((Problem(str(path), 0, "", error.strerror or str(error)),)) from None


def own_drivers(path: Path) -> tuple[Path | None, bool]:
    """Where the file at *path* keeps the user's own drivers, and whether those in Python may run; to be known before
    ``load``, which is told of them.  None and False when it does not say, and of a file with mistakes: these are for
    ``load`` to tell."""
    try:
        said = tomllib.loads(path.read_text("utf-8-sig"))["gateway"]
        folder, python = said.get("drivers"), said.get("python_drivers") is True
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return None, False
    try:
        return Path(notation.path(folder)), python
    except ValueError:
        return None, python


def parse(text: str, file: str, find: Find, names: Iterable[str]) -> Config:
    """Read *text*, which is called *file* in what is said of it.  Raises ConfigError with every mistake."""
    page = Page(text, file)
    top = page.table
    gateway = top.table("gateway") or Table(page, ("gateway",), {})
    tcp, http, irc, history = (top.table(name) for name in ("tcp", "http", "irc", "history"))
    devices, buses = top.table("device"), top.table("bus")
    folder = gateway.take("drivers", notation.path, None)
    config = Config(
        tcp=Listen(*read_listen(tcp)) if tcp else None,
        http=HTTP(*read_listen(http), http.each("hosts", notation.host)) if http else None,
        irc=read_irc(irc) if irc else None,
        history=read_history(history) if history else None,
        devices=read_devices(devices, find, tuple(names)) if devices else (),
        drivers_folder=Path(folder) if folder else None,
        python_drivers=gateway.take("python_drivers", notation.flag, False),
        time=gateway.take("time", notation.one_of(("auto", "system", "synchronized")), "auto"),
        gpio=gateway.take("gpio", notation.one_of(("auto", "gpiod", "rpi")), "auto"),
        time_from=gateway.take("time_from", notation.text, ""),
        sysfs=gateway.take("sysfs", notation.path, "/sys"),
        power=dict(read_power(buses)) if buses else {},
    )
    for table in (top, gateway, tcp, http, irc, history):
        if table:
            table.close()
    if buses:
        refuse_shared_lines(buses, config)
    if config.time_from:
        refuse_strange_time(gateway, devices, config)
    refuse_shared_ports((tcp, config.tcp), (http, config.http), (irc, config.irc))
    return replace(config, warnings=page.finish())


def secured(part: object) -> bool:
    """Whether an endpoint string anywhere in *part* of a configuration takes TLS.  Only what the gateway's own classes
    hold can be one: drivers open nothing."""
    if isinstance(part, str):
        return part.startswith(("ssl:", "tls:"))
    if isinstance(part, Mapping):
        return any(map(secured, part.values()))
    if is_dataclass(part) and type(part).__module__.startswith("gateway."):
        return any(secured(getattr(part, each.name)) for each in fields(part))
    return isinstance(part, tuple) and any(map(secured, part))


def read_listen(table: Table) -> tuple[tuple[str, ...], Literal["viewer"] | None]:
    """The endpoints of an interface, and who may come in over them from elsewhere."""
    if table.raw.get("listen", []) == []:
        table.wrong('`listen` is missing, for example `listen = "tcp:7600:interface=127.0.0.1"`')
    viewer: Literal["viewer"] = "viewer"
    endpoints = table.each("listen", partial(read_endpoint, "anonymous" in table.raw))
    return endpoints, table.take("anonymous", notation.one_of((viewer,)), None)


def read_endpoint(anonymous: bool, value: Any) -> str:
    """An endpoint that only this machine reaches, or any when *anonymous* people are provided for."""
    endpoint = places.server(value)
    if not anonymous and not places.local(endpoint):
        raise ValueError(
            f"{endpoint!r} can be reached from other machines: add `anonymous = "
            '"viewer"` to let them read, or listen with `interface=127.0.0.1`'
        )
    return endpoint


def read_irc(table: Table) -> IRC:
    listen = read_listen(table)
    return IRC(
        *listen,
        name=table.take("name", notation.host, "gateway"),
        min_interval=table.take("min_interval", notation.duration, 10.0),
    )


def read_history(table: Table) -> History:
    return History(
        path=table.take("path", notation.path, None),
        keep=table.take("keep", notation.duration, None),
        size=table.take("size", notation.size, 2 * 10**9),
        bytes_per_day=table.take("bytes_per_day", notation.size, 10**9),
    )


def read_power(buses: Table) -> Iterator[tuple[int, Power]]:
    """What is said of each I2C bus as a whole."""
    high: Literal["high", "low"] = "high"
    low: Literal["high", "low"] = "low"
    for table in buses.tables():
        try:
            number, mux = places.bus(table.path[-1])
        except ValueError as error:
            table.wrong(str(error))
            continue
        if mux:
            table.wrong("a bus as a whole has no channel of a multiplexer in its name")
        line = table.need("power", places.gpio_line, '"gpio:GPIO22"')
        active = table.take("active", notation.one_of((high, low)), high)
        off = table.take("off", notation.duration, 1.0)
        table.close()
        if line:
            yield number, Power(line, active, off)


def refuse_shared_lines(buses: Table, config: Config) -> None:
    """A line that switches power does nothing else."""
    taken = {line for device in config.devices if isinstance(device.where, Lines) for _, line in device.where.lines}
    for number, power in config.power.items():
        if power.line in taken or [other.line for other in config.power.values()].count(power.line) > 1:
            buses.wrong(f"{power.line} is used by something else, too", f"i2c:{number}", "power")


def refuse_strange_time(gateway: Table, devices: Table | None, config: Config) -> None:
    """Time may come from a device that tells it.  Of one with a mistake we do not know that."""
    telling = [
        device.name
        for device in config.devices
        if any(each.name == "time" and each.kind == "text" and not each.writable for each in device.shown)
    ]
    broken = (devices.raw if devices else {}).keys() - {device.name for device in config.devices}
    if config.time_from not in broken.union(telling):
        known = notation.nearest(config.time_from, telling) or f"; those that do are {', '.join(telling) or 'none'}"
        gateway.wrong(f"{config.time_from!r} is no device that tells the time{known}", "time_from")


def refuse_shared_ports(*listeners: tuple[Table | None, Listen | None]) -> None:
    uses = [
        (table, "listen", claim)
        for table, listen in listeners
        if table and listen
        for endpoint in listen.endpoints
        if (claim := places.listens(endpoint)) is not None
    ]
    for table, key, message in shared(uses):
        table.wrong(message, key)
