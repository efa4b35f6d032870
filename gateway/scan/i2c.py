"""I2C buses and what answers on them.

An address is only called, or one byte is read where a call could do harm, as ``i2cdetect`` does.  Which chip it is
cannot be seen, only which drivers have one at that address.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from drivers.api import I2C, Driver
from gateway.scan.found import Found, Roots
from gateway.transports.ports import attribute
from gateway.transports.rights import refused

ADDRESSES = range(0x08, 0x78)
# A call with a write bit could change an EEPROM here, so one byte is read; elsewhere that could hang up a chip that
# can only be written.
READ = {*range(0x30, 0x38), *range(0x50, 0x60)}
FOREIGN = re.compile(r"ddc|hdmi|smbus|i801|piix4|i915|amdgpu|nvidia|radeon|dp-aux|aux ", re.IGNORECASE)
MULTIPLEXERS = range(0x70, 0x78)


def buses(roots: Roots, rows: Iterable[Driver[Any]], all: bool, smbus: Callable[[], Any] | None) -> Iterator[Found]:
    looked = [
        (int(path.name.removeprefix("i2c-")), *look(roots, path, rows, all, smbus or true_smbus))
        for path in sorted(Path(roots.dev).glob("i2c-*"), key=lambda path: (len(path.name), path.name))
        if re.fullmatch(r"i2c-\d+", path.name)  # not somebody's own link, such as i2c-sensors
    ]
    there = {number: set(chips) for number, _, chips in looked}
    channels: dict[int, list[int]] = {}
    for number in there:
        for each in upstream(roots, f"i2c-{number}"):
            channels.setdefault(each, []).append(number)
    for number, bus, chips in looked:
        yield bus
        yield from (found for address, found in chips.items() if belongs(address, number, there, channels))


def belongs(address: int, number: int, there: dict[int, set[int]], channels: dict[int, list[int]]) -> bool:
    """Whether what answers there is on bus *number* itself.  What is on the bus before a multiplexer answers on each
    of its channels, and what is on the channel that was used last may answer on the bus, too."""
    for bus, inner in channels.items():
        on = sum(address in there[each] for each in inner)
        if len(inner) > 1 and ((number in inner and on == len(inner)) or (number == bus and 0 < on < len(inner))):
            return False
    return True


def look(
    roots: Roots, path: Path, rows: Iterable[Driver[Any]], all: bool, smbus: Callable[[], Any]
) -> tuple[Found, dict[int, Found]]:
    """One bus, and what answers on it."""
    number, about = path.name.removeprefix("i2c-"), attribute(Path(roots.sys, "class/i2c-dev", path.name), "name")
    found: dict[int, Found] = {}
    if FOREIGN.search(about) and not all:
        about += "; not looked at without --all"
    else:
        try:
            with smbus().SMBus(str(path)) as bus:
                found = dict(chips(roots, int(number), bus, rows))
        except PermissionError:
            about = refused(str(path))
        except OSError as error:
            about += f"; {error.strerror}"
    return Found(kind="i2c", place=f"i2c:{number}", about=about), found


def true_smbus() -> Any:
    import smbus2

    return smbus2


def upstream(roots: Roots, name: str) -> list[int]:
    """The buses that the one called *name* is a channel of: their chips answer on it, too."""
    real = os.path.realpath(os.path.join(roots.sys, "class/i2c-dev", name, "device"))
    return [int(number) for number in re.findall(r"/i2c-(\d+)(?=/)", real)]


def drivers(rows: Iterable[Driver[Any]], address: int) -> Iterator[tuple[int, str]]:
    """Those of a chip at *address*, each with how many more addresses it may have: the fewer, the likelier."""
    for row in rows:
        if isinstance(row.link, I2C) and address in row.link.addresses:
            yield len(row.link.addresses), row.name


def chips(roots: Roots, number: int, bus: Any, rows: Iterable[Driver[Any]]) -> Iterator[tuple[int, Found]]:
    """What answers, by its address."""
    for address in ADDRESSES:
        place = f"i2c:{number} {address:#04x}"
        try:
            bus.read_byte(address) if address in READ else bus.write_quick(address)
        except OSError as error:
            if error.errno == errno.EBUSY:
                device = Path(roots.sys, "bus/i2c/devices", f"{number}-{address:04x}")
                used = f"the kernel's driver for {attribute(device, 'name') or '?'}"
                yield address, Found(kind="chip", place=place, used=used)
            elif error.errno == errno.ETIMEDOUT:
                yield address, Found(kind="chip", place=place, about="timed out: something holds the bus")
                return
            continue
        likely = tuple(name for _, name in sorted(drivers(rows, address)))
        mux = (
            f'a multiplexer? Its channel 0 is bus = "i2c:{number}/{address:#04x}/0"' if address in MULTIPLEXERS else ""
        )
        written: dict[str, str | int] = {"bus": f"i2c:{number}", "address": address}
        yield address, Found(kind="chip", place=place, about=mux, drivers=likely, config=written)
