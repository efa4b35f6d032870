"""What a scan finds, and where it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing.  *place* is what it is called here, *about* what is known of it, *drivers* are those that it may be
    for, *used* says by whom it is held, *config* is what a device there has in the configuration."""

    kind: str
    place: str
    about: str = ""
    drivers: tuple[str, ...] = ()
    used: str = ""
    config: Mapping[str, str | int] | None = None


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kernel shows everything."""

    dev: str = "/dev"
    sys: str = "/sys"
    proc: str = "/proc"
