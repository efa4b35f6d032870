"""How a serial port is named: by path, by the ids of its USB adapter, or in a ``serial:`` endpoint string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from drivers.api import Serial

COMMON = Serial(9600)  # 9600 8N1, where neither driver nor user says anything


def usb_ids(text: str) -> tuple[str, str, str]:
    """Vendor, product and serial number, or "", of ``usb:1546:01a8[:serial]``."""
    if (match := re.fullmatch(r"usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?", text)) is None:
        raise ValueError(f"{text!r} is not usb:VENDOR:PRODUCT[:SERIAL] with four hexadecimal digits each")
    return match[1], match[2], match[3] or ""


def find_usb(sysfs: str, vendor: str, product: str, serial_number: str = "") -> str | None:
    """The port of the USB adapter with these ids, the first where there are several, or None."""
    ids = (vendor.lower(), product.lower())
    names = (entry.parent.name for entry in Path(sysfs, "class/tty").glob("*/device"))
    for name in sorted(names, key=lambda name: (len(name), name)):
        device = Path(sysfs, "class/tty", name, "device").resolve()
        usb = next((folder for folder in (device, *device.parents) if (folder / "idVendor").exists()), None)
        if usb is None or (attribute(usb, "idVendor"), attribute(usb, "idProduct")) != ids:
            continue
        if serial_number in ("", attribute(usb, "serial")):
            return f"/dev/{name}"
    return None


def attribute(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(errors="replace").strip()
    except OSError:  # not every adapter has a serial number, and it may be unplugged right now
        return ""


def parse_serial(text: str, line: Serial = COMMON) -> tuple[str, Serial]:
    r"""Path and line of ``serial:PATH[:baud=9600][:parity=N][:stop_bits=1][:bits=8]``; *line* holds for what is
    not said.
    A colon within PATH is written ``\:``.  ValueError when it cannot be."""
    head, *rest = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", text)]
    if head != "serial" or not rest or not rest[0]:
        raise ValueError(f"{text!r} is not serial:PATH[:baud=9600][:parity=N][:stop_bits=1][:bits=8]")
    path, *settings = rest
    return path, set_line(line, dict(setting.partition("=")[::2] for setting in settings))


def set_line(line: Serial, settings: Mapping[str, str]) -> Serial:
    """*line*, changed as *settings*, all text, say.  ValueError names what it cannot be."""
    if unknown := [key for key in settings if key not in ("baud", "parity", "stop_bits", "bits")]:
        raise ValueError(f"serial: {unknown[0]!r} is none of baud, parity, stop_bits, bits")
    baud, parity = settings.get("baud", str(line.baud)), settings.get("parity", line.parity)
    stop_bits, bits = settings.get("stop_bits", str(line.stop_bits)), settings.get("bits", str(line.bits))
    if not (baud.isascii() and baud.isdigit() and 50 <= int(baud) <= 4_000_000):
        raise ValueError(f"serial: baud {baud!r} is not a number from 50 to 4000000")
    if parity not in ("N", "E", "O"):
        raise ValueError(f"serial: parity {parity!r} is none of N, E, O")
    if stop_bits not in ("1", "2"):
        raise ValueError(f"serial: stop_bits {stop_bits!r} is neither 1 nor 2")
    if bits not in ("7", "8"):
        raise ValueError(f"serial: bits {bits!r} is neither 7 nor 8")
    return Serial(int(baud), cast(Any, parity), 1 if stop_bits == "1" else 2, 7 if bits == "7" else 8)
