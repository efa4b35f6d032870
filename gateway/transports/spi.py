"""An SPI bus of the kernel, through spidev, by one thread: its calls block, and chips with a select line each share
clock and data.

Nobody acknowledges on SPI: with no chip on the bus all bits are the same, and that is for the driver to see.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred

from drivers.api import SPI, NoAnswer, Operation, Transfer
from gateway.transports import Transport
from gateway.transports.queue import Failed, Queue, code
from gateway.transports.rights import refused

MOST = 4096  # bytes to a transfer, as the kernel has it; nothing here is longer
MISSING = "there is no spidev module: install device-gateway[spi], or Debian's python3-spidev"


def spidev() -> Any:
    return import_module("spidev")  # only where an SPI bus is configured


@dataclass(eq=False, slots=True)
class Chip:
    """What one select line selects."""

    bus: SPIBus
    line: int
    link: SPI

    def perform(self, operation: Operation) -> Deferred[bytes]:
        assert isinstance(operation, Transfer)
        call = partial(self.bus.master.perform, self.line, self.link, operation)
        return self.bus.enqueue(self.line, f"a transfer with chip select {self.line}", call)


class SPIBus(Queue):
    """SPI bus *number*.  *queue* is how many transfers may wait, *timeout*, in seconds, how long one may take before
    the bus counts as ``stuck``."""

    def __init__(
        self, reactor: Any, number: int, *, queue: int = 64, timeout: float = 1.0, make: Callable[[], Any] = spidev
    ) -> None:
        self.master = Master(number, make)
        super().__init__(reactor, f"bus spi{number}", self.master.shut, limit=queue, timeout=timeout)

    def at(self, line: int, link: SPI) -> Transport:
        return Chip(self, line, link)


@dataclass(eq=False)
class Master:
    """What only the thread touches."""

    number: int
    make: Callable[[], Any]
    chips: dict[int, Any] = field(default_factory=dict)  # by their select lines

    def perform(self, line: int, link: SPI, transfer: Transfer) -> bytes:
        chip, path = self.open(line), f"/dev/spidev{self.number}.{line}"
        sent = transfer.write.ljust(transfer.read, b"\x00")
        assert len(sent) <= MOST
        try:
            chip.mode, chip.max_speed_hz, chip.bits_per_word = link.mode, link.speed, link.bits
            return bytes(chip.xfer2(list(sent)))[: transfer.read] if sent else b""
        except OSError as error:
            self.chips.pop(line).close()  # perhaps unplugged: look for it anew
            raise Failed(NoAnswer(f"{path}: {error.strerror or error}"), code(error)) from error

    def open(self, line: int) -> Any:
        if line not in self.chips:
            path = f"/dev/spidev{self.number}.{line}"
            try:
                chip = self.make().SpiDev()
                chip.open(self.number, line)
            except ImportError as error:
                raise Failed(NoAnswer(MISSING), "ImportError") from error
            except OSError as error:
                raise Failed(NoAnswer(unopened(path, error)), code(error)) from error
            self.chips[line] = chip
        return self.chips[line]

    def shut(self) -> None:
        for chip in self.chips.values():
            chip.close()
        self.chips.clear()


def unopened(path: str, error: OSError) -> str:
    """Why the device at *path* cannot be had, and what helps."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return refused(path)
    missing = "no such device; enable SPI with raspi-config (dtparam=spi=on)"
    return f"{path}: {missing if error.errno == errno.ENOENT else error.strerror}"
