"""A script of what goes wrong with emulated devices, one fault a line: when, which device, what, and for how long.

# 10 s after the start nobody answers for the attic, 20 s long
10s  attic   nack    20s
1m   street  unplug  5s
2m   office  stuck
3m   office  off
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from drivers.api import Link
from gateway.client import GatewayError
from gateway.notation import duration, nearest
from gateway.transports.faults import KINDS, check

if TYPE_CHECKING:
    from gateway.app import Gateway

OFF = "off"


@dataclass(frozen=True, slots=True)
class Mishap:
    """*kind* goes wrong with *device*, *at* seconds after the start, for so many, or until it is "off"."""

    at: float
    device: str
    kind: str
    seconds: float | None = None


def read(file: Path, devices: Mapping[str, Link]) -> list[Mishap]:
    """What *file* says of *devices*, which are known by name.  Raises GatewayError with all mistakes."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise GatewayError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    found, wrong = list[Mishap](), list[str]()
    for count, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        try:
            if words:
                found.append(mishap(words, devices))
        except ValueError as error:
            wrong.append(f"{file}:{count}: {error}")
    if wrong:
        raise GatewayError("\n".join(wrong))
    return found


def mishap(words: list[str], devices: Mapping[str, Link]) -> Mishap:
    if not 3 <= len(words) <= 4:
        raise ValueError("a line is WHEN DEVICE KIND [DURATION]: 10s attic nack 20s")
    at, device, kind, *lasts = words
    if device not in devices:
        raise ValueError(f"{device}: no such device{nearest(device, devices)}")
    if kind not in (*KINDS, OFF):
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}, {OFF}")
    if kind != OFF:
        check(devices[device], kind)
    return Mishap(duration(at), device, kind, duration(lasts[0]) if lasts else None)


def play(reactor: Any, gateway: Gateway, script: list[Mishap]) -> None:
    """Have them happen.  One that cannot is told in the log."""
    log = Logger()

    def happen(each: Mishap) -> None:
        try:
            assert gateway.hardware.faults is not None
            gateway.hardware.faults.begin(each.device, "" if each.kind == OFF else each.kind, each.seconds)
        except ValueError as error:
            log.warn("fault of {device}: {error}", device=each.device, error=error)
        else:
            log.info("fault of {device}: {kind}", device=each.device, kind=each.kind)

    for each in script:
        reactor.callLater(each.at, happen, each)
