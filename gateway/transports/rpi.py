"""GPIO lines through the API of RPi.GPIO; rpi-lgpio provides the same module for a Pi 5 and new kernels.

Its edges come in a thread and without a level: we read the level there, so a pulse shorter than that takes
is not seen.  Where it has no edges (RPi.GPIO on kernels from 6.6 on) the lines are looked at fifty times a second.
Lines are counted as Broadcom does: GPIO17 is pin 11 of the header.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from drivers.api import Edge, NoAnswer
from gateway.transports.gpio import HEADERS, Lines, Wish, split

SPEC = re.compile(r"gpio:(?:GPIO)?(\d{1,2})", re.IGNORECASE)
LINES = 54  # a BCM283x has so many, and a Pi's header is numbered by them
EDGES = 256  # that may wait for the reactor; of more the oldest are dropped and counted
POLL = 0.02  # seconds between two looks where there are no edges
MISSING = "there is no RPi.GPIO module: install device-gateway[rpi-lgpio], or [rpi-gpio] on kernels before 6.6"


def pin(spec: str) -> int:
    """The number of ``gpio:GPIO17``, ``gpio:17`` or ``gpio:pinctrl-bcm2835/17``."""
    match = SPEC.fullmatch(spec)
    _, label, offset = split(spec)
    number = int(match[1]) if match else offset if label in HEADERS else None
    if number is None or number >= LINES:
        raise ValueError(f"{spec!r} is no line: write gpio:GPIO17, with a Broadcom number below {LINES}")
    return number


class RPi:
    """The lines of a Raspberry Pi's header.  *module* stands in for RPi.GPIO, *number* for ``pin``."""

    def __init__(
        self,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        module: Any = None,
        number: Callable[[str], int] = pin,
    ) -> None:
        self.reactor, self.given, self.monotonic, self.number = reactor, module, monotonic, number
        self.ready: Any = None
        self.taken = set[int]()
        self.polled = False  # edges failed once

    def about(self) -> str:
        module = self.module()
        name = " ".join(filter(None, ("RPi.GPIO", str(getattr(module, "VERSION", "")))))
        return f"{name}, without edges: inputs are polled" if self.polled else name

    def module(self) -> Any:
        """RPi.GPIO, or NoAnswer with the way to it."""
        if self.ready is None:
            try:
                module = import_module("RPi.GPIO") if self.given is None else self.given
                module.setwarnings(False)
                module.setmode(module.BCM)
            except ImportError as error:
                raise NoAnswer(MISSING) from error
            except Exception as error:  # no Raspberry Pi, no /dev/gpiochip0, or no right to it
                raise NoAnswer(f"GPIO: {error}") from error
            self.ready = module
        return self.ready

    def keeps(self, spec: str) -> bool | None:
        """RPi.GPIO goes past the kernel, and nobody takes its lines back; rpi-lgpio has them of the kernel."""
        return None if hasattr(self.module(), "lgpio") else True

    def open(self, wish: Wish) -> Lines:
        pins = {name: self.number(spec) for name, spec in wish.lines.items()}
        module = self.module()
        for number in pins.values():
            if number in self.taken or list(pins.values()).count(number) > 1:
                raise NoAnswer(f"GPIO{number} is used by another device or line")
        for name, number in pins.items():
            try:
                self.setup(module, number, wish, None if wish.initial is None else wish.initial[name])
            except Exception as error:  # each back end has exceptions of its own
                raise NoAnswer(f"GPIO{number}: {error}") from error
        opened = PiLines(self, module, pins, wish)
        self.taken.update(pins.values())
        try:
            opened.listen()
        except Exception as error:
            opened.close()
            raise NoAnswer(f"GPIO{', GPIO'.join(map(str, pins.values()))}: {error}") from error
        return opened

    def setup(self, module: Any, number: int, wish: Wish, initial: bool | None) -> None:
        if wish.direction == "in":
            pulls = {"up": module.PUD_UP, "down": module.PUD_DOWN, "none": module.PUD_OFF}
            module.setup(number, module.IN, pull_up_down=pulls[wish.pull])
        elif initial is None:  # RPi.GPIO leaves the level, rpi-lgpio asks for the one it reads
            module.setup(number, module.OUT)
        else:
            module.setup(number, module.OUT, initial=module.HIGH if initial else module.LOW)


class PiLines(Lines):
    """The lines of one device."""

    def __init__(self, board: RPi, module: Any, pins: Mapping[str, int], wish: Wish) -> None:
        super().__init__(board.reactor, board.monotonic, wish)
        self.board, self.module, self.pins = board, module, pins
        self.edges: deque[Edge] = deque(maxlen=EDGES)  # from the module's thread
        self.due = False
        self.overrun = 0  # edges that were dropped and are not told of
        self.bouncing: dict[str, tuple[IDelayedCall, float]] = {}
        self.seen: dict[str, bool] = {}  # where there are no edges
        self.poll: IDelayedCall | None = None

    def listen(self) -> None:
        if self.wish.direction == "in":
            try:
                for name, number in self.pins.items():
                    self.module.add_event_detect(number, self.module.BOTH, callback=self.seer(name, number))
            except Exception:  # "Failed to add edge detection", in words of each back end's own
                self.deaf()
                self.board.polled = True
                self.poll = self.reactor.callLater(POLL, self.glance)
        self.seen = self.read()
        self.begin(self.seen)

    def read(self) -> dict[str, bool]:
        return {
            name: bool(self.module.input(number)) for name, number in self.pins.items() if name not in self.bouncing
        }

    def seer(self, name: str, number: int) -> Callable[[int], None]:
        def saw(channel: int) -> None:
            """In the module's thread, so it only hands over: once for all edges that came before the reactor's turn."""
            if not self.open:
                return
            try:
                level = bool(self.module.input(number))
            except OSError:
                self.reactor.callFromThread(self.gone)
                return
            self.overrun += len(self.edges) == EDGES
            self.edges.append(Edge(name, level, self.monotonic()))
            if not self.due:
                self.due = True
                self.reactor.callFromThread(self.take)

        return saw

    def glance(self) -> None:
        """Without edges: see what changed."""
        self.poll = self.reactor.callLater(POLL, self.glance)
        now = self.monotonic()
        for name, number in self.pins.items():
            if (level := bool(self.module.input(number))) != self.seen[name]:
                self.seen[name] = level
                self.edges.append(Edge(name, level, now))
        if self.edges:
            self.take()

    def take(self) -> None:
        self.due = False
        overrun, self.overrun = self.overrun, 0
        self.missed(overrun)
        edges = []
        while self.edges and self.open:
            edge = self.edges.popleft()
            if self.wish.debounce:
                self.bounced(edge)
            else:
                edges.append(edge)
        self.tell(edges)

    def bounced(self, edge: Edge) -> None:
        """A line that moved is looked at when it has been quiet for a while."""
        if edge.line in self.bouncing:
            self.bouncing[edge.line][0].cancel()
        later = self.reactor.callLater(self.wish.debounce, self.settled, edge.line)
        self.bouncing[edge.line] = (later, edge.at)

    def settled(self, name: str) -> None:
        at = self.bouncing.pop(name)[1]
        try:
            level = bool(self.module.input(self.pins[name]))
        except OSError:
            self.gone()
        else:
            self.tell([Edge(name, level, at)])

    def drive(self, levels: Mapping[str, bool]) -> None:
        pins = [self.pins[name] for name in levels]
        try:
            self.module.output(pins, [int(level) for level in levels.values()])
        except Exception as error:  # each back end has exceptions of its own
            raise NoAnswer(f"GPIO{', GPIO'.join(map(str, pins))}: {error}") from error

    def deaf(self) -> None:
        for number in self.pins.values():
            self.module.remove_event_detect(number)

    def release(self) -> None:
        """An output is left one, at its level, because an input floats.  An input is given back."""
        self.board.taken.difference_update(self.pins.values())
        for later in [self.poll, *(later for later, _ in self.bouncing.values())]:
            if later is not None and later.active():
                later.cancel()
        self.bouncing.clear()
        if self.wish.direction == "in":
            self.deaf()
            self.module.cleanup(list(self.pins.values()))
