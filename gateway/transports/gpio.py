"""GPIO lines, through one of two ways: the kernel's own (``gpiochip``), or the API of RPi.GPIO (``rpi``).

Here is what both have in common: what may be wished for, which way is taken, and how levels are told.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from drivers.api import BadFrame, DeviceError, Edge, NoAnswer, Operation, SetLines

Fed: TypeAlias = Callable[[tuple[Edge, ...]], object]
Way: TypeAlias = Literal["auto", "gpiod", "rpi"]
WAYS: tuple[Way, ...] = ("auto", "gpiod", "rpi")
PREFIX = "gpio:"
LOOK = 10.0  # seconds between two looks at lines whose levels nobody wants again and again
PATIENCE = 3  # looks in a row that may see nothing before the lines count as lost
SURE = 0.25  # seconds after which a change that was not told is not just on its way
# The kernel's labels of the chips behind a Raspberry Pi's header: on these GPIO17 is line 17, whatever it is called.
HEADERS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Lines as a device wants them.  *lines* are their places by name.  An output gets its *initial* level as it
    becomes one; without it keeps what it has.  *fed* hears, in a later turn, the level of each line, then of each
    change that holds for *debounce* seconds, and where *every* is not 0, all levels again every so many seconds.
    *failed* hears of changes that nobody can tell any more, *lost* that the chip is gone."""

    lines: Mapping[str, str]
    direction: Literal["in", "out"]
    initial: Mapping[str, bool] | None = None
    pull: Literal["up", "down", "none"] = "none"
    debounce: float = 0.0
    every: float = 0.0
    who: str = ""  # the device, for other programs to see
    fed: Fed = lambda edges: None
    failed: Callable[[DeviceError], object] = lambda error: None
    lost: Callable[[Failure], object] = lambda reason: None


def split(spec: str) -> tuple[str, str, int | None]:
    """The name that *spec* may mean, and of ``gpio:LABEL/OFFSET`` the chip's label and the line's number on it: a name
    may look like that, too."""
    text = spec.removeprefix(PREFIX)
    label, _, number = text.rpartition("/")
    if label and number.isascii() and number.isdecimal():
        return text, label, int(number)
    return text, "", None


class Lines:
    """The lines of one device, whichever way they were opened."""

    def __init__(self, reactor: Any, monotonic: Callable[[], float], wish: Wish) -> None:
        self.reactor, self.monotonic, self.wish = reactor, monotonic, wish
        self.open = True
        self.dropped = 0  # edges that came faster than they could be taken
        self.levels: dict[str, bool] = {}  # as told
        self.first: tuple[Edge, ...] = ()  # to be told before all others
        self.beat: IDelayedCall | None = None
        self.doubt = set[str]()  # lines that are not as they were told, and did not change since
        self.doubting: IDelayedCall | None = None
        self.ready: Deferred[Any] = succeed(None)  # fires when they are set up
        self.looking = False
        self.blind = 0  # looks in a row that saw nothing

    def begin(self, levels: Mapping[str, bool]) -> None:
        """Tell *levels*, which the lines have now, in a later turn."""
        now = self.monotonic()
        self.first = tuple(Edge(name, level, now) for name, level in levels.items())
        self.reactor.callLater(0, self.tell, ())
        self.beat = self.reactor.callLater(self.wish.every or LOOK, self.again)

    def again(self) -> None:
        """Look whether a change got lost, and tell what is sure."""
        self.beat = self.reactor.callLater(self.wish.every or LOOK, self.again)
        if not self.looking:
            self.look(self.compare)

    def compare(self, found: Mapping[str, bool]) -> None:
        self.take()
        told = self.levels
        self.doubt = {name for name, level in found.items() if told.get(name, level) != level}
        if self.doubt and self.doubting is None:
            self.doubting = self.reactor.callLater(SURE, self.sure, set(self.doubt))
        if self.wish.every:
            self.repeat(name for name in self.levels if name not in self.doubt)

    def repeat(self, names: Iterable[str]) -> None:
        now = self.monotonic()
        edges = tuple(Edge(name, self.levels[name], now) for name in names)
        if edges and self.open:  # else the chip turned out to be gone
            self.wish.fed(edges)

    def look(self, then: Callable[[Mapping[str, bool]], None]) -> None:
        """Hand *then* the levels of inputs, as far as they can be seen; of outputs only that the chip is there."""
        self.looking = True
        self.glimpse().addCallbacks(self.looked, self.unseen, callbackArgs=(then,), errbackArgs=(then,))

    def looked(self, found: Mapping[str, bool], then: Callable[[Mapping[str, bool]], None]) -> None:
        self.looking, self.blind = False, 0
        if self.open:
            then(found if self.wish.direction == "in" else {})

    def unseen(self, failure: Failure, then: Callable[[Mapping[str, bool]], None]) -> None:
        """Each back end has exceptions of its own.  Many an output cannot be read; but an input that cannot is not told
        again: nobody knows what it is now."""
        self.looking, error = False, failure.value
        if not self.open:
            return
        if isinstance(error, OSError) and error.errno == errno.ENODEV:
            self.gone()
        elif self.wish.direction == "out":
            then({})
        else:
            self.blind += 1
            reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
            self.wish.failed(NoAnswer(f"{', '.join(self.wish.lines.values())}: {reason}"))
            if self.blind >= PATIENCE:
                self.gone(reason)

    def sure(self, doubted: set[str]) -> None:
        self.doubting = None
        self.look(partial(self.certain, doubted))

    def certain(self, doubted: set[str], found: Mapping[str, bool]) -> None:
        """Of lines that were in doubt, and told nothing since, a change got lost."""
        self.take()
        lost = {name: level for name, level in found.items() if name in self.doubt and self.levels[name] != level}
        self.doubt.clear()
        if lost and self.open:
            self.levels.update(lost)
            places = ", ".join(self.wish.lines[name] for name in lost)
            self.wish.failed(BadFrame(f"{places}: a change of the line was not told"))
        self.repeat(doubted if self.wish.every else lost)

    def missed(self, count: int) -> None:
        """So many changes came faster than they could be taken."""
        if count:
            self.dropped += count
            self.wish.failed(BadFrame(f"{count} changes of the line came faster than they could be taken"))

    def read(self) -> dict[str, bool]:
        """The levels that the lines have now, without those that bounce."""
        raise NotImplementedError

    def take(self) -> None:
        """Tell what waits."""
        raise NotImplementedError

    def tell(self, edges: Iterable[Edge]) -> None:
        """Tell what changed; an edge whose level is known by now was followed by another."""
        changed = []
        first, self.first = self.first, ()
        for edge in (*first, *edges):
            self.doubt.discard(edge.line)
            if self.levels.get(edge.line) != edge.level:
                self.levels[edge.line] = edge.level
                changed.append(edge)
        if changed and self.open:
            self.wish.fed(tuple(changed))

    def perform(self, operation: Operation) -> Deferred[bytes]:
        """Drive the lines, all that are named at once where one chip has them."""
        assert isinstance(operation, SetLines) and self.wish.direction == "out"
        if not self.open:
            return fail(NoAnswer("the lines are closed"))
        levels = dict(operation.levels)
        return self.driving(levels).addCallback(self.driven, levels)

    def driven(self, done: object, levels: Mapping[str, bool]) -> bytes:
        self.levels.update(levels)
        self.first = tuple(edge for edge in self.first if edge.line not in levels)  # that is over
        return b""

    # Each at once, or by a thread where it takes its time

    def glimpse(self) -> Deferred[Mapping[str, bool]]:
        """``read``."""
        return execute(self.read)

    def driving(self, levels: Mapping[str, bool]) -> Deferred[Any]:
        """``drive``."""
        return execute(self.drive, levels)

    def drive(self, levels: Mapping[str, bool]) -> None:
        """Raises NoAnswer when it cannot."""
        raise NotImplementedError

    def gone(self, reason: str = "the chip is gone") -> None:
        """The chip was pulled out, or its driver taken away."""
        if self.open:
            self.close()
            self.wish.lost(Failure(NoAnswer(f"{', '.join(self.wish.lines.values())}: {reason}")))

    def close(self) -> None:
        """Let go, once."""
        if self.open:
            self.open = False
            for later in self.beat, self.doubting:
                if later is not None and later.active():
                    later.cancel()
            self.release()

    def release(self) -> None:
        raise NotImplementedError


class Backend(Protocol):
    """One of the ways."""

    def about(self) -> str:
        """What it is, for people.  Raises NoAnswer where this way does not lead anywhere."""

    def open(self, wish: Wish) -> Lines:
        """Raises ValueError for a misspelt line, NoAnswer for one that cannot be had."""

    def keeps(self, spec: str) -> bool | None:
        """Whether an output stays what it is when this process has ended; None: nobody knows.  Raises as ``open``."""


class Board:
    """The lines of this machine.  The way is chosen when the first is opened: the kernel's where gpiod and a chip are
    there, else RPi.GPIO's, or the one that *wanted* names.  *told* hears which."""

    def __init__(
        self,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wanted: Way = "auto",
        told: Callable[[str], object] = lambda about: None,
    ) -> None:
        self.reactor, self.monotonic, self.wanted, self.told = reactor, monotonic, wanted, told
        self.chosen: Backend | None = None

    def open(self, wish: Wish) -> Lines:
        """Set lines up.  Raises ValueError for a misspelt line, NoAnswer for one that cannot be had."""
        backend = self.chosen = self.chosen or self.choose()
        lines = backend.open(wish)
        self.told(backend.about())
        return lines

    def keeps(self, spec: str) -> bool | None:
        """Whether an output stays what it is when this process has ended; None: nobody knows.  Raises as ``open``."""
        self.chosen = self.chosen or self.choose()
        return self.chosen.keeps(spec)

    def choose(self) -> Backend:
        reasons = []
        for name, make in ("gpiod", self.gpiod), ("rpi", self.rpi):
            if self.wanted in ("auto", name):
                backend = make()
                try:
                    backend.about()
                except NoAnswer as error:
                    reasons.append(str(error))
                else:
                    return backend
        self.told("; ".join(reasons))
        raise NoAnswer("; ".join(reasons))

    def gpiod(self) -> Backend:
        from gateway.transports.gpiochip import GPIOChips

        return GPIOChips(self.reactor, self.monotonic)

    def rpi(self) -> Backend:
        from gateway.transports.rpi import RPi

        return RPi(self.reactor, self.monotonic)
