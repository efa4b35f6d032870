"""GPIO lines, through the API of RPi.GPIO; rpi-lgpio provides the same module for a Pi 5 and new kernels.

Its edges come in a thread and without a level: we read the level there, so a pulse shorter than that takes
is not seen.  Lines are counted as Broadcom does: GPIO17 is pin 11 of the header.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from drivers.api import Edge, NoAnswer, Operation, SetLines

SPEC = re.compile(r"gpio:(?:GPIO)?(\d{1,2})", re.IGNORECASE)
LINES = 54  # a BCM283x has so many, and a Pi's header is numbered by them
EDGES = 256  # that may wait for the reactor; of more the oldest are dropped and counted
MISSING = "there is no RPi.GPIO module: install device-gateway[rpi-lgpio], or [rpi-gpio] on kernels before 6.6"

Fed: TypeAlias = Callable[[tuple[Edge, ...]], object]


def pin(spec: str) -> int:
    """The number of ``gpio:GPIO17`` or ``gpio:17``."""
    if (match := SPEC.fullmatch(spec)) is None or int(match[1]) >= LINES:
        raise ValueError(f"{spec!r} is no line: write gpio:GPIO17, with a Broadcom number below {LINES}")
    return int(match[1])


class GPIOChip:
    """The board's lines.  *module* stands in for RPi.GPIO; *monotonic* stamps the edges."""

    def __init__(self, reactor: Any, module: Any = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.reactor, self.given, self.monotonic = reactor, module, monotonic
        self.ready: Any = None
        self.taken = set[int]()

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

    def open(
        self,
        lines: Mapping[str, str],
        direction: Literal["in", "out"],
        *,
        initial: Mapping[str, bool] | None = None,
        pull: Literal["up", "down", "none"] = "none",
        debounce: float = 0.0,
        fed: Fed = lambda edges: None,
    ) -> GPIOLines:
        """Set *lines* (name -> spec) up.  An output gets its *initial* level as it becomes one; without it keeps what
        it has.  *fed* hears, in a later turn, the level of each, then of each change that holds for *debounce*
        seconds.  ValueError for a misspelt line, NoAnswer for one that cannot be had."""
        pins = {name: pin(spec) for name, spec in lines.items()}
        module = self.module()
        for number in pins.values():
            if number in self.taken or list(pins.values()).count(number) > 1:
                raise NoAnswer(f"GPIO{number} is used by another device or line")
        for name, number in pins.items():
            try:
                self.setup(module, number, direction, None if initial is None else initial.get(name), pull)
            except Exception as error:  # each back end has exceptions of its own
                raise NoAnswer(f"GPIO{number}: {error}") from error
        opened = GPIOLines(self, module, pins, direction, debounce, fed)
        self.taken.update(pins.values())
        try:
            opened.listen()
        except Exception as error:  # RPi.GPIO has no edges on kernels from 6.6 on
            opened.close()
            raise NoAnswer(f"GPIO{', GPIO'.join(map(str, pins.values()))}: {error}") from error
        return opened

    def setup(self, module: Any, number: int, direction: str, initial: bool | None, pull: str) -> None:
        if direction == "in":
            pulls = {"up": module.PUD_UP, "down": module.PUD_DOWN, "none": module.PUD_OFF}
            module.setup(number, module.IN, pull_up_down=pulls[pull])
        elif initial is None:  # RPi.GPIO leaves the level, rpi-lgpio asks for the one it reads
            module.setup(number, module.OUT)
        else:
            module.setup(number, module.OUT, initial=module.HIGH if initial else module.LOW)


class GPIOLines:
    """The lines of one device."""

    def __init__(
        self, chip: GPIOChip, module: Any, pins: Mapping[str, int], direction: str, debounce: float, fed: Fed
    ) -> None:
        self.chip, self.module, self.pins, self.direction = chip, module, pins, direction
        self.debounce, self.fed = debounce, fed
        self.open = True
        self.dropped = 0  # edges
        self.levels: dict[str, bool] = {}  # as told
        self.edges: deque[Edge] = deque(maxlen=EDGES)  # from the module's thread
        self.due = False
        self.bouncing: dict[str, tuple[IDelayedCall, float]] = {}

    def listen(self) -> None:
        if self.direction == "in":
            for name, number in self.pins.items():
                self.module.add_event_detect(number, self.module.BOTH, callback=self.seer(name, number))
        self.chip.reactor.callLater(0, self.tell_all)

    def seer(self, name: str, number: int) -> Callable[[int], None]:
        def saw(channel: int) -> None:
            """In the module's thread, so it only hands over: once for all edges that came before the reactor's turn."""
            if not self.open:
                return
            self.dropped += len(self.edges) == EDGES
            self.edges.append(Edge(name, bool(self.module.input(number)), self.chip.monotonic()))
            if not self.due:
                self.due = True
                self.chip.reactor.callFromThread(self.take)

        return saw

    def tell_all(self) -> None:
        if self.open:
            now = self.chip.monotonic()
            self.tell([Edge(name, bool(self.module.input(number)), now) for name, number in self.pins.items()])

    def take(self) -> None:
        self.due = False
        edges = []
        while self.edges and self.open:
            edge = self.edges.popleft()
            if self.debounce:
                self.bounced(edge)
            else:
                edges.append(edge)
        self.tell(edges)

    def bounced(self, edge: Edge) -> None:
        """A line that moved is looked at when it has been quiet for a while."""
        if edge.line in self.bouncing:
            self.bouncing[edge.line][0].cancel()
        later = self.chip.reactor.callLater(self.debounce, self.settled, edge.line)
        self.bouncing[edge.line] = (later, edge.at)

    def settled(self, name: str) -> None:
        at = self.bouncing.pop(name)[1]
        self.tell([Edge(name, bool(self.module.input(self.pins[name])), at)])

    def tell(self, edges: list[Edge]) -> None:
        """Tell what changed; an edge whose level is known by now was followed by another."""
        changed = []
        for edge in edges:
            if self.levels.get(edge.line) != edge.level:
                self.levels[edge.line] = edge.level
                changed.append(edge)
        if changed and self.open:
            self.fed(tuple(changed))

    def perform(self, operation: Operation) -> Deferred[bytes]:
        """Drive the lines, all that are named at once."""
        assert isinstance(operation, SetLines) and self.direction == "out"
        if not self.open:
            return fail(NoAnswer("the lines are closed"))
        try:
            self.drive(dict(operation.levels))
        except NoAnswer as error:
            return fail(error)
        return succeed(b"")

    def drive(self, levels: Mapping[str, bool]) -> None:
        pins = [self.pins[name] for name in levels]
        try:
            self.module.output(pins, [int(level) for level in levels.values()])
        except Exception as error:  # each back end has exceptions of its own
            raise NoAnswer(f"GPIO{', GPIO'.join(map(str, pins))}: {error}") from error
        self.levels.update(levels)

    def close(self, levels: Mapping[str, bool] | None = None) -> None:
        """Let go.  An output takes its last level of *levels*, or keeps its own: it is left an output, because an input
        floats.  An input is given back."""
        if not self.open:
            return
        self.open = False
        self.chip.taken.difference_update(self.pins.values())
        for later, _ in self.bouncing.values():
            later.cancel()
        self.bouncing.clear()
        if self.direction == "in":
            for number in self.pins.values():
                self.module.remove_event_detect(number)
            self.module.cleanup(list(self.pins.values()))
        elif levels:
            self.drive(levels)
