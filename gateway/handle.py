"""A device as others see it: what is known of it, how it is, what went over its wire, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from drivers.api import Quantity, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a device without asking it."""

    name: str
    label: str
    driver: str
    title: str
    documentation: str
    where: str  # as in the configuration: "/dev/ttyUSB0", "i2c:1 0x44"
    period: float
    settings: Mapping[str, Any]
    quantities: tuple[Quantity, ...]
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of what can be switched, by its name
    labels: Mapping[str, str] = field(default_factory=dict)  # of quantities that the user gave one


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a device is.  *since* and *seen* (its last good sample) are monotonic; *identity* is its serial number;
    *outputs* says of those that a rule has put where they are, which, and why."""

    state: str
    reason: str = ""
    since: float = 0.0
    seen: float | None = None
    identity: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Raw bytes of a device, ``<`` from it and ``>`` to it, at a monotonic second.  *opening* are those with which a
    connection began."""

    at: float
    way: str
    data: bytes
    opening: bool = False


class Handle(Protocol):
    """A device as commands see it."""

    @property
    def card(self) -> Card: ...

    @property
    def status(self) -> Status: ...

    def read(self, whole: bool = False) -> Deferred[None]:
        """Measure now, *whole* also what is not asked for each time; fires when the readings are published, or fails
        with a DeviceError."""

    def write(self, quantity: Quantity, value: Value) -> Deferred[None]:
        """Set a quantity; fires when the device has it, or fails with a DeviceError."""

    def raw(self) -> Iterable[Chunk]:
        """The last bytes that went over the wire."""

    def follow(self, take: Callable[[Chunk], None]) -> Callable[[], None]:
        """Have *take* called with those to come, until the returned function is called."""
