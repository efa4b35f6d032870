"""GPIO lines through the kernel's character devices, /dev/gpiochipN, with libgpiod 2.

The kernel stamps, debounces and biases; its edges are read from the request's own file, by the reactor.  A chip's
number depends on what was found first, so lines go by their name, or by a chip's label and the line's offset.
Reading and setting lines is an ioctl on the reactor's thread: microseconds on a processor's own chip.  Those behind a
bus are ``expander``'s.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from drivers.api import Edge, NoAnswer
from gateway.transports.gpio import HEADERS, Lines, Wish, split
from gateway.transports.queue import Queue
from gateway.transports.rights import refused

EVENTS = 256  # edges that the kernel keeps for us; of more it drops the oldest
# struct gpio_v2_line_event in linux/gpio.h: nanoseconds, 1 rising or 2 falling, offset, numbers of this edge in the
# request and on its line, six words to spare.  libgpiod would make seven Python objects of each.
EVENT = struct.Struct("=QIIII24x")
RISING = 1
CONSUMER = 31  # bytes, without the last that is zero
# The kernel's modules behind the labels of chips.
PINCTRL = {"pinctrl-bcm2835": "pinctrl_bcm2835", "pinctrl-bcm2711": "pinctrl_bcm2835", "pinctrl-rp1": "pinctrl_rp1"}
MISSING = "there is no gpiod module of version 2: install device-gateway[gpio], or Debian's python3-libgpiod"


@dataclass(frozen=True, slots=True)
class Chip:
    path: str
    label: str
    size: int
    offset: int | None  # of the line with the name that was looked for

    def __str__(self) -> str:
        return f"{os.path.basename(self.path)} ({self.label})"


class GPIOChips:
    """All chips in *dev*.  *module* stands in for gpiod."""

    def __init__(
        self,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        dev: str = "/dev",
        module: Any = None,
        sys: str = "/sys",
    ) -> None:
        self.reactor, self.monotonic, self.dev, self.given, self.sys = reactor, monotonic, dev, module, sys
        self.threads = dict[str, tuple[Queue, set[Lines]]]()  # by chip behind a bus, and who needs each

    def about(self) -> str:
        module = self.module()
        if not self.paths():
            raise NoAnswer(f"there is no GPIO chip ({self.dev}/gpiochip*)")
        return f"gpiod {module.__version__}, libgpiod {module.api_version}"

    def module(self) -> Any:
        try:
            module = import_module("gpiod") if self.given is None else self.given
        except ImportError as error:
            raise NoAnswer(MISSING) from error
        if not hasattr(module, "LineSettings"):  # version 1 has the same name, and nothing else in common
            raise NoAnswer(MISSING)
        return module

    def paths(self) -> list[str]:
        """The chips there are, each once: Raspberry Pi OS has links for old programs."""
        return sorted({os.path.realpath(path) for path in Path(self.dev).glob("gpiochip*")})

    def keeps(self, spec: str) -> bool | None:
        """The Raspberry Pis' drivers have a parameter for it (Linux 6.10, and Raspberry Pi's 6.6)."""
        path, _ = self.find(spec)
        with self.module().Chip(path) as chip:
            label = chip.get_info().label
        try:
            said = (Path(self.sys) / "module" / PINCTRL[label] / "parameters/persist_gpio_outputs").read_text()
        except (KeyError, OSError):
            return None
        return said.strip() in ("Y", "1")

    # Which line is meant

    def find(self, spec: str) -> tuple[str, int]:
        """The path of the chip and the offset of the line that *spec* names.  Raises NoAnswer for none, and for
        more than one."""
        name, label, number = split(spec)
        if name.isdecimal():
            raise ValueError(
                f"{spec!r}: a number alone is no line; write gpio:NAME, or gpio:LABEL/{name} with the label of the "
                "chip (gpioinfo shows both)"
            )
        chips, refusals = self.look(name)
        places = [(chip, chip.offset) for chip in chips if chip.offset is not None]
        if number is not None and not places:
            places = [(chip, number) for chip in chips if chip.label == label and number < chip.size]
        if not places and (match := re.fullmatch(r"GPIO(\d{1,2})", name, re.IGNORECASE)):
            places = [(chip, int(match[1])) for chip in chips if chip.label in HEADERS and int(match[1]) < chip.size]
        if not places:
            raise NoAnswer("; ".join(refusals) or f"no line is called {name}, on {', '.join(map(str, chips))}")
        if len(places) > 1:
            which = " and ".join(str(chip) for chip, _ in places)
            raise NoAnswer(f"{name} is on {which}; write gpio:LABEL/OFFSET" if label == "" else f"{name} is on {which}")
        ((chip, offset),) = places
        return chip.path, offset

    def look(self, name: str) -> tuple[list[Chip], list[str]]:
        """Every chip, and whether it has a line called *name*; why the others could not be looked at."""
        gpiod, chips, refusals = self.module(), list[Chip](), list[str]()
        for path in self.paths():
            try:
                with gpiod.Chip(path) as chip:
                    info = chip.get_info()
                    chips.append(Chip(path, info.label, info.num_lines, named(chip, name)))
            except PermissionError:
                refusals.append(refused(path))
            except OSError as error:  # pulled out just now
                refusals.append(f"{path}: {error.strerror}")
        return chips, refusals

    # Opening

    def open(self, wish: Wish) -> Lines:
        """All lines of one chip in one request, which no other program can have at the same time."""
        chips = defaultdict[str, dict[int, str]](dict)
        for name, spec in wish.lines.items():
            path, offset = self.find(spec)
            if offset in chips[path]:
                raise NoAnswer(f"{spec} is used twice")
            chips[path][offset] = name
        if behind := next(filter(self.behind_a_bus, chips), None):
            from gateway.transports.expander import ExpanderLines

            return ExpanderLines(self, wish, chips, behind)
        lines = KernelLines(self.reactor, self.monotonic, wish, self.module())
        try:
            for path, names in chips.items():
                lines.add(self.requested(path, names, wish), names)
        except NoAnswer:
            lines.close()
            raise
        lines.begin(lines.read())
        return lines

    def behind_a_bus(self, path: str) -> bool:
        """Whether the kernel has to ask over I2C, SPI or USB for each level."""
        device = Path(self.sys, "bus/gpio/devices", os.path.basename(path)).resolve()
        return re.search(r"/(i2c-\d+|spi\d+\.\d+|usb\d+)/", str(device)) is not None

    def requested(self, path: str, names: Mapping[int, str], wish: Wish) -> Any:
        """The lines *names* of one chip.  Raises NoAnswer."""
        try:
            return self.request(path, names, wish)
        except OSError as error:
            raise NoAnswer(self.why(path, names, wish, error)) from error

    def request(self, path: str, names: Mapping[int, str], wish: Wish) -> Any:
        gpiod, line = self.module(), self.module().line
        if wish.direction == "in":
            pulls = {"up": line.Bias.PULL_UP, "down": line.Bias.PULL_DOWN, "none": line.Bias.DISABLED}
            wanted = gpiod.LineSettings(
                direction=line.Direction.INPUT,
                edge_detection=line.Edge.BOTH,
                bias=pulls[wish.pull],
                debounce_period=timedelta(seconds=wish.debounce),
            )
            config = dict.fromkeys(names, wanted)
        elif wish.initial is not None:
            config = {offset: self.output(wish.initial[name]) for offset, name in names.items()}
        else:
            config = dict.fromkeys(names, gpiod.LineSettings())
        with gpiod.Chip(path) as chip:
            request = chip.request_lines(
                config, consumer=f"gateway {wish.who}".strip()[:CONSUMER], event_buffer_size=EVENTS
            )
        if wish.direction == "out" and wish.initial is None:  # an output of the level it has, and at no moment another
            try:
                values = zip(names, request.get_values(list(names)), strict=True)
                request.reconfigure_lines({offset: self.output(bool(value.value)) for offset, value in values})
            except OSError:
                request.release()
                raise
        return request

    def output(self, level: bool) -> Any:
        gpiod, line = self.module(), self.module().line
        return gpiod.LineSettings(direction=line.Direction.OUTPUT, output_value=line.Value(int(level)))

    def why(self, path: str, names: Mapping[int, str], wish: Wish, error: OSError) -> str:
        """What a person is told of *error*, and by whom the line is held."""
        if isinstance(error, PermissionError):
            return refused(path)
        if error.errno == errno.EBUSY:
            try:
                with self.module().Chip(path) as chip:
                    for offset, name in names.items():
                        if (info := chip.get_line_info(offset)).used:
                            return f"{wish.lines[name]} is held by {info.consumer or 'the kernel'!r}"
            except OSError:
                pass  # then the kernel's own word has to do
        return f"{', '.join(wish.lines[name] for name in names.values())}: {error.strerror or error}"


def named(chip: Any, name: str) -> int | None:
    """The offset of the line called *name*, which is no number."""
    try:
        return int(chip.line_offset_from_id(name))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return None


class KernelLines(Lines):
    """The lines of one device: a request for each chip they are on, mostly one."""

    def __init__(self, reactor: Any, monotonic: Callable[[], float], wish: Wish, module: Any) -> None:
        super().__init__(reactor, monotonic, wish)
        self.value = module.line.Value
        self.requests = list[Request]()

    def add(self, request: Any, names: Mapping[int, str]) -> None:
        self.requests.append(made := Request(self, request, names))
        self.reactor.addReader(made)

    def read(self) -> dict[str, bool]:
        return self.values((each.request, each.names) for each in self.requests)

    def values(self, requests: Iterable[tuple[Any, Mapping[int, str]]]) -> dict[str, bool]:
        levels = dict[str, bool]()
        for request, names in requests:
            values = request.get_values(list(names))
            levels.update(zip(names.values(), (bool(value.value) for value in values), strict=True))
        return levels

    def take(self) -> None:
        for each in self.requests:
            each.doRead()

    def drive(self, levels: Mapping[str, bool]) -> None:
        for each in self.requests:
            wanted = {at: self.value(int(levels[name])) for at, name in each.names.items() if name in levels}
            try:
                if wanted:
                    each.request.set_values(wanted)
            except OSError as error:
                places = ", ".join(self.wish.lines[each.names[at]] for at in wanted)
                raise NoAnswer(f"{places}: {error.strerror or error}") from error

    def release(self) -> None:
        for each in self.requests:
            self.reactor.removeReader(each)
            each.request.release()


@implementer(IReadDescriptor)
class Request:
    """The file of one request, in the reactor."""

    def __init__(self, lines: KernelLines, request: Any, names: Mapping[int, str]) -> None:
        self.lines, self.request, self.names = lines, request, names
        self.fd = int(request.fd)
        self.number = 0  # of the last edge
        os.set_blocking(self.fd, False)

    def fileno(self) -> int:
        return self.fd

    def logPrefix(self) -> str:
        return "GPIO"

    def doRead(self) -> None:
        """Tell the edges that wait.  Their times are of the kernel's monotonic clock, which is Python's."""
        try:
            data = os.read(self.fd, EVENT.size * EVENTS)
        except BlockingIOError:
            return
        except OSError:
            self.lines.gone()
            return
        events, names = list(EVENT.iter_unpack(data)), self.names
        shift = self.lines.monotonic() - time.monotonic()
        last = events[-1][3]
        missed, self.number = last - self.number - len(events), last
        self.lines.missed(missed)
        self.lines.tell([Edge(names[event[2]], event[1] == RISING, event[0] / 1e9 + shift) for event in events])

    def connectionLost(self, reason: Failure) -> None:
        self.lines.gone()
