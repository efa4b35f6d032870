"""What is there to configure: buses and the chips on them, ports, lines, and what the kernel shows in /sys.

Looking disturbs nothing, as far as that can be: ports are not opened (that would reset many a board behind them), I2C
addresses are called as ``i2cdetect`` does, and the buses of monitors, of memory modules and the like are left alone
unless *all* are wanted.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from drivers.api import SPI, Driver, NoAnswer, Sysfs
from gateway import catalog
from gateway.scan import i2c
from gateway.scan.found import Found as Found
from gateway.scan.found import Roots as Roots
from gateway.transports.ports import attribute
from gateway.transports.rights import refused
from gateway.transports.sysfs import named

W1 = re.compile(r"(?!00)[0-9a-f]{2}-[0-9a-f]{12}")


def scan(roots: Roots, all: bool = False, smbus: Callable[[], Any] | None = None, gpiod: Any = None) -> Iterator[Found]:
    """Everything, kind by kind.  *smbus* and *gpiod* stand in for the modules smbus2 and gpiod."""
    rows = tuple(catalog.shipped().values())
    yield from i2c.buses(roots, rows, all, smbus)
    yield from ports(roots)
    yield from lines(roots, gpiod)
    yield from spi(roots, rows)
    yield from sysfs(roots, rows)


def text(found: Found, names: dict[str, int]) -> Iterator[str]:
    """Lines for a person; *names* counts the devices that were named so far."""
    yield "  ".join(filter(None, (found.place, found.about, f"in use: {found.used}" if found.used else "")))
    if found.config is None:
        return
    if found.kind == "gpio":
        yield from (f"    {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in found.config.items())
        return
    driver = found.drivers[0] if found.drivers else "..."
    name = driver if found.drivers else found.kind
    names[name] = names.get(name, 0) + 1
    yield f"    [device.{name}{f'_{names[name]}' if names[name] > 1 else ''}]"
    others = f"    # or {', '.join(found.drivers[1:])}" if found.drivers[1:] else ""
    yield f'    driver = "{driver}"{others or ("" if found.drivers else "    # see gateway drivers")}'
    for key, value in found.config.items():
        yield f"    {key} = " + (
            f"{value:#04x}" if key == "address" else json.dumps(value, ensure_ascii=False)  # TOML's strings, too
        )


# Serial ports


def ports(roots: Roots) -> Iterator[Found]:
    stable = {
        folder: {os.path.realpath(link): str(link) for link in sorted(Path(roots.dev, "serial", folder).glob("*"))}
        for folder in ("by-id", "by-path")
    }
    there = {
        path: usb_folder(entry.resolve())
        for entry in sorted(Path(roots.sys, "class/tty").glob("*/device"))
        if os.path.exists(path := os.path.join(roots.dev, entry.parent.name))
        and attribute(entry.parent, "type") != "0"  # a UART that the kernel only reserves
    }
    ports = Counter(usb_name(usb) for usb in there.values())
    adapters = Counter(map(usb_name, set(there.values())))  # of two alike, udev's name by-id belongs to either
    for path, adapter in there.items():
        usb = usb_name(adapter)
        own = stable["by-id"].get(path) if adapters[usb] == 1 or adapter is None else ""
        name = own or (usb if ports[usb] == 1 else "") or stable["by-path"].get(path) or path
        about = ", ".join(dict.fromkeys(filter(None, (path, usb, stable["by-path"].get(path, "")))))
        yield Found(
            kind="port",
            place=name,
            about=about if about != name else "",
            used=users(roots, path),
            config={"port": name},
        )


def usb_folder(device: Path) -> Path | None:
    """That of the USB adapter which *device* is a port of, or None for another port."""
    return next((folder for folder in (device, *device.parents) if (folder / "idVendor").exists()), None)


def usb_name(usb: Path | None) -> str:
    """How the configuration names a USB adapter, or "" for another port."""
    if usb is None:
        return ""
    parts = (attribute(usb, name) for name in ("idVendor", "idProduct", "serial"))
    return ":".join(filter(None, ("usb", *parts)))


def users(roots: Roots, path: str) -> str:
    """Who has *path* open, as far as we may see: the processes, and the locks that everybody may see."""
    status = os.stat(path)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        locks = Path(roots.proc, "locks").read_text().splitlines()
    except OSError:
        locks = []
    holders = {fields[4] for line in locks if len(fields := line.split()) > 5 and fields[5] == device}
    for process in Path(roots.proc).glob("[0-9]*"):
        try:
            if any(os.path.realpath(link) == os.path.realpath(path) for link in (process / "fd").iterdir()):
                holders.add(process.name)
        except OSError:  # another user's, or gone
            continue
    return ", ".join(f"{attribute(Path(roots.proc, pid), 'comm') or 'process'} ({pid})" for pid in sorted(holders))


# GPIO, SPI


def lines(roots: Roots, gpiod: Any) -> Iterator[Found]:
    from gateway.transports.gpiochip import GPIOChips

    kernel = GPIOChips(None, dev=roots.dev, module=gpiod)
    if not kernel.paths():
        return
    try:
        found, refusals = kernel.look("")
    except NoAnswer as error:
        yield Found(kind="gpio", place="gpio", about=str(error))
        return
    for chip in found:
        with kernel.module().Chip(chip.path) as opened:
            infos = [opened.get_line_info(offset) for offset in range(chip.size)]
        held = ", ".join(
            f"{info.name or info.offset} by {info.consumer or 'the kernel'}" for info in infos if info.used
        )
        free = [info for info in infos if info.name and not info.used]
        first = next((info for info in free if re.fullmatch(r"GPIO\d+", info.name)), free[0] if free else None)
        line = f"gpio:{first.name}" if first else f"gpio:{chip.label}/0"
        yield Found(
            kind="gpio", place=chip.label, about=f"{chip.path}, {chip.size} lines", used=held, config={"line": line}
        )
    for words in refusals:
        yield Found(kind="gpio", place="gpio", about=words)


def spi(roots: Roots, rows: Iterable[Driver[Any]]) -> Iterator[Found]:
    likely = tuple(row.name for row in rows if isinstance(row.link, SPI))
    for path in sorted(Path(roots.dev).glob("spidev*.*")):
        if not re.fullmatch(r"spidev\d+\.\d+", path.name):  # somebody's own link
            continue
        place = f"spi:{path.name.removeprefix('spidev')}"
        about = "what hangs there cannot be seen" if os.access(path, os.R_OK | os.W_OK) else refused(str(path))
        yield Found(kind="spi", place=place, about=about, drivers=likely, config={"bus": place})


# What the kernel shows in /sys


def sysfs(roots: Roots, rows: Iterable[Driver[Any]]) -> Iterator[Found]:
    links = [(row.name, row.link) for row in rows if isinstance(row.link, Sysfs)]

    def likely(key: str, word: str) -> tuple[str, ...]:
        """The drivers whose example is called so, and the general one, which is called as its key."""
        if key == "id":
            return tuple(name for name, link in links if link.key == key and re.fullmatch(link.words, word))
        kind = word.partition("@")[0]
        own = [
            name for name, link in links if link.key == key and link.example.partition("@")[0] == kind and name != key
        ]
        return (*own, key)

    for folder in sorted(Path(roots.sys, "bus/w1/devices").glob("*")):
        if W1.fullmatch(folder.name):
            yield Found(
                kind="1-wire", place=f"id:{folder.name}", drivers=likely("id", folder.name), config={"id": folder.name}
            )
    for key, pattern in ("iio", "bus/iio/devices/iio:device*"), ("hwmon", "class/hwmon/hwmon*"):
        all = list(named(roots.sys, pattern))
        plain = [names[0] for _, names in all]
        for path, names in all:
            word = names[0] if plain.count(names[0]) == 1 else names[1]
            shown, channel = channels(key, path)
            config: dict[str, str | int] = {key: word} | ({} if channel is None else {"channel": channel})
            yield Found(kind=key, place=f"{key}:{word}", about=shown, drivers=likely(key, word), config=config)
    if any(Path(roots.sys, "class/thermal").glob("thermal_zone*")):
        yield Found(kind="board", place="sysfs", about="the board itself", drivers=("board",), config={})


def channels(key: str, folder: str) -> tuple[str, int | None]:
    """What a device measures, and the number of a channel where one has to be chosen."""
    values = (
        r"in_([a-z_0-9]*?)_(?:input|raw)"
        if key == "iio"
        else r"((?:temp|fan|in|curr|power|humidity)\d+)_(?:input|average)"
    )
    found = sorted({match[1] for name in os.listdir(folder) if (match := re.fullmatch(values, name))})
    numbers = sorted(
        {int(match[0]) for name in found if (match := re.search(r"\d+$", name)) and name != "concentration_co2"}
    )
    without = any(not re.search(r"\d+$", name) or name == "concentration_co2" for name in found)
    usual = without if key == "iio" else 1 in numbers
    return " ".join(found), None if usual or not numbers else numbers[0]
