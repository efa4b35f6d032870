"""``python -m tests.bench.spoilt``: how many false readings wrong bits make, of a million that are told, where frames
have a sum of 8 or 16 bits only.  A reading is false that is none of those of the same bytes unspoilt."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from drivers.api import DeviceError, Value
from drivers.codec.vedirect import END, sealed
from gateway import catalog

CORPUS = Path(__file__).parents[1] / "corpus" / "gps"
RATES = (0.001, 0.003, 0.01)  # of the bytes, each with one wrong bit
PIECE = 64  # bytes


class Found(NamedTuple):
    kept: float  # of the readings that there are
    told: int
    false: int


def capture(name: str) -> bytes:
    lines = (CORPUS / name).read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"#"))


def charging() -> bytes:
    """Blocks of a solar charger, a bit later and a bit brighter each."""
    chance, said = random.Random(1), b""
    for at in range(200):
        lines = {"PID": "0xA075", "FW": "175", "SER#": "HQ25492XRJM", "V": 13_360 + chance.randint(-400, 400)}
        lines |= {"I": chance.randint(-900, 15_000), "VPV": chance.randint(10, 42_000), "PPV": chance.randint(0, 200)}
        lines |= {"CS": 3, "MPPT": 2, "OR": "0x00000000", "ERR": 0, "LOAD": "ON", "IL": 100 * chance.randint(0, 30)}
        lines |= {"H19": 467, "H20": at // 50, "H21": 160 + at // 50, "H22": 3, "H23": 26, "HSDS": 59}
        said += sealed("".join(f"\r\n{label}\t{text}" for label, text in lines.items()).encode() + b"\r\n" + END)
    return said


def emulated(name: str) -> bytes:
    emulator: Any = catalog.find(name).emulator()
    said: bytes = emulator.tick(300.0)
    return said


def streams() -> dict[str, tuple[str, bytes]]:
    """What to spoil, and the driver that reads it."""
    return {
        "vedirect, a solar charger": ("vedirect", charging()),
        "gps, neo-m8n.log": ("gps", capture("neo-m8n.log")),
        "gps, mt3339.log": ("gps", capture("mt3339.log")),
        "pms5003": ("pms5003", emulated("pms5003")),
    }


def spoiled(data: bytes, rate: float, chance: random.Random) -> bytes:
    spoilt, at = bytearray(data), -1
    while (at := at + 1 + int(math.log(1 - chance.random()) / math.log(1 - rate))) < len(spoilt):
        spoilt[at] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def readings(name: str, data: bytes) -> Iterator[tuple[str, Value]]:
    row = catalog.find(name)
    device: Any = row.device(row.settings())
    for at in range(0, len(data), PIECE):
        for event in device.feed(data[at : at + PIECE]):
            if not isinstance(event, DeviceError):
                yield from ((quantity.name, value) for quantity, value in event.items())


def measure(name: str, data: bytes, rate: float, least: int) -> Found:
    """Spoil *data* again and again, until it held *least* readings."""
    true, count = defaultdict[str, set[Value]](set), 0
    for quantity, value in readings(name, data):
        true[quantity].add(value)
        count += 1
    chance, sent, told, false = random.Random(42), 0, 0, 0
    while sent < least:
        sent += count
        for quantity, value in readings(name, spoiled(data, rate, chance)):
            told += 1
            false += value not in true[quantity]
    return Found(told / sent, told, false)


def main() -> None:
    for title, (name, data) in streams().items():
        for rate in RATES:
            found = measure(name, data, rate, 1_000_000)
            share = found.false / found.told * 1e6
            print(f"{title}: {rate:.1%} wrong, {found.kept:.1%} kept, {share:.0f} of a million false")


if __name__ == "__main__":
    main()
