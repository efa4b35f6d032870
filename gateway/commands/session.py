"""One asker's session: what programs ask for, and lines of the command language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import DeviceError, Quantity
from gateway.commands import faults, later, looking, past, setting, watching, wire
from gateway.commands.access import Who
from gateway.commands.grammar import GLOB, Answer, CommandError, Row, clip, nearest, parse
from gateway.commands.known import Known
from gateway.commands.usage import COMMANDS
from gateway.commands.watching import PLAIN, Sieve, Terms
from gateway.handle import Card, Chunk, Handle, Status
from gateway.history.question import Deed, Event, HistoryError, Page, Question, Textual
from gateway.hub import matcher
from gateway.manual import NAME as MANUAL
from gateway.reading import Reading, Readings

if TYPE_CHECKING:
    from gateway.commands.run import Commands

CODES = {
    "NoAnswer": "no-answer",
    "BadFrame": "bad-frame",
    "BadValue": "bad-value",
    "WrongDevice": "wrong-device",
    "Locked": "locked",
}
CHANGES = frozenset(("set", "delete", "clear"))  # what the audit trail has
WORDS: dict[str, Callable[..., Answer | Deferred[Answer]]] = {
    name.removeprefix("do_"): do
    for module in (faults, later, looking, past, setting, watching, wire)
    for name, do in vars(module).items()
    if name.startswith("do_")
}
T = TypeVar("T")


class Session:
    """One asker's view of the gateway.  *push* gets what ``watch`` asked for; close it when the asker leaves."""

    log = Logger()

    def __init__(self, commands: Commands, who: Who) -> None:
        self.commands, self.hub, self.manual, self.who = commands, commands.hub, commands.manual, who
        self.latest = self.hub.latest
        self.json = False
        self.dropped = 0  # readings that a newer one replaced before this asker took them
        self.push: Callable[[Readings], None] | None = None
        self.settle: Callable[[], None] = lambda: None  # called before ``unwatch``: now pass on what was pushed
        self.pour: Callable[[tuple[Row, ...]], bool] | None = None  # takes rows of ``log``, or says that it cannot now
        self.watched: Mapping[str, Terms] = {}
        self.sieve: Sieve | None = None
        self.taps: dict[str, Callable[[], None]] = {}  # devices whose raw bytes are followed
        self.held: dict[Deferred[Any], None] = {}  # what nobody else waits for; a set takes thrice the memory
        self.cancel: Callable[[], None] | None = None

    # What programs ask for

    def readings(self, *patterns: str) -> list[Reading]:
        """The newest readings whose names fit, in order of their names.  Stale ones are there, too."""
        match = matcher(patterns or ("*",))
        return [self.latest[name] for name in sorted(self.latest) if match(name)]

    def devices(self) -> list[tuple[Card, Status]]:
        """Card and status of every device, in order of their names."""
        return [(handle.card, handle.status) for _, handle in sorted(self.hub.devices.items())]

    def errors(self, device: str) -> dict[str, tuple[int, str]]:
        """How often *device* failed in which way, and the last words of each."""
        return {kind: (tally.count, tally.last) for (who, kind), tally in self.hub.errors.items() if who == device}

    def raw(self, device: str) -> Iterable[Chunk]:
        """The last bytes that went over the wire of *device*.  Raises CommandError when there is none."""
        self.who.need("operator", "raw")
        return self.handle(device).raw()

    def watch(self, take: Callable[[Readings], None], *patterns: str) -> Callable[[], None]:
        """Have *take* called with new readings until the returned function is called."""
        return self.hub.subscribe(take, *patterns)

    def past(self, question: Question) -> Deferred[Page]:
        """Ask the history.  What went wrong is a plain sentence."""
        return self.commands.history.ask(question)

    def happened(
        self, start: float, end: float, devices: tuple[str, ...] = (), limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[Event, ...]]:
        """What happened to *devices*, or to all, from *start* on and before *end*, as in a ``Question``."""
        return self.commands.history.events(start, end, devices, limit, running)

    def listen(self, take: Callable[[str, Status], None]) -> Callable[[], None]:
        """Have *take* called with a device's name and status when its life changes, until the returned function is
        called."""
        return self.hub.listen(take)

    def clocked(self, take: Callable[[Row], None]) -> Callable[[], None]:
        """Have *take* called when the time became known or was set, until the returned function is called."""
        clock = self.hub.clock
        return clock.listen(lambda segment: take(looking.clocked(clock, segment)))

    def fail(self, error: Exception) -> None:
        """Count what went wrong for this asker, and log it within bounds."""
        self.hub.fail(f"session of {self.who.name}", error)

    def now(self) -> float | None:
        """Unix time, or None while nobody has told it."""
        return self.hub.clock.now()

    def close(self) -> None:
        if self in self.commands.live:
            self.commands.live.remove(self)
            self.commands.left += self.dropped
        self.subscribe(())
        for stop in self.taps.values():
            stop()
        self.taps.clear()
        for each in tuple(self.held):
            each.cancel()

    def answers(self, form: Callable[[Reading], bytes]) -> Known:
        """The short way: answers made by *form*, of readings that this asker may see."""
        if (known := self.commands.known.get((self.who.role, form))) is None:
            known = self.commands.known[self.who.role, form] = Known(self.hub, form)
        return known

    # Lines

    def perform(self, line: str) -> Answer | Deferred[Answer]:
        """Carry out one line.  Never raises and never fails: what went wrong is in the answer."""
        try:
            word, arguments = parse(line)
        except CommandError:
            return self.refusal(Failure())
        return self.run(word, arguments)

    def run(self, word: str, arguments: Sequence[str]) -> Answer | Deferred[Answer]:
        """The same, for a command that is in pieces already: whatever they hold, blanks and line ends included.
        A write is in the audit trail before it is answered, however it ended."""
        if word not in CHANGES:
            return self.do(word, arguments)
        change = setting.change(self, word, arguments)
        answer = self.do(word, arguments)
        if isinstance(answer, Answer):
            return self.audited(answer, *change)
        return answer.addCallback(self.audited, *change)

    def audited(self, answer: Answer, name: str, old: str, new: str) -> Answer | Deferred[Answer]:
        result = "OK" if answer.ok else answer.status.removeprefix("ERR ")
        deed = Deed(self.who.name, self.who.origin, self.who.interface, name, old, new, result)
        kept = self.commands.audit.note(deed).addCallback(lambda _: answer)
        return answer if kept.called and not kept.paused else kept

    def do(self, word: str, arguments: Sequence[str]) -> Answer | Deferred[Answer]:
        try:
            self.who.need(COMMANDS[word].role, word)
            done = WORDS[word](self, *arguments)
        except Exception:
            return self.refusal(Failure())
        if isinstance(done, Deferred):
            done.addErrback(self.refusal)
            now = getattr(done, "result", None)  # what is done at once is answered at once
            return now if isinstance(now, Answer) else done
        return done

    def refusal(self, failure: Failure) -> Answer:
        error = failure.value
        message = " ".join(str(error).split())  # one line, whatever a device had to say
        match error:
            case CommandError():
                return Answer(status=f"ERR {error.code} {message}")
            case Textual():
                return Answer(status=f"ERR syntax {message}")
            case HistoryError():
                return Answer(status=f"ERR no-history {message}")
            case DeviceError():
                return Answer(status=f"ERR {CODES.get(type(error).__name__, 'device')} {message}")
            case CancelledError():  # an Exception in Twisted, and no bug
                return Answer(status="ERR cancelled the gateway gave up waiting for it")
        self.log.failure("Bug in a command", failure)
        return Answer(status=f"ERR internal {type(error).__name__}; the log has more")

    # What they are made of

    def subscribe(self, patterns: Iterable[str] | Mapping[str, Terms]) -> None:
        """Watch these, and nothing else."""
        if self.cancel is not None:
            self.cancel()
        before, self.sieve, self.cancel = self.sieve, None, None
        if before is not None:
            before.close()
        self.watched = patterns if isinstance(patterns, Mapping) else dict.fromkeys(patterns, PLAIN)
        if not self.watched or self.push is None:
            return
        take = self.push
        if any(terms is not PLAIN for terms in self.watched.values()):
            self.sieve = Sieve(self.watched, self.push, self.commands.time, self.latest)
            if before is not None:
                self.sieve.follow(before)
            take = self.sieve.take
        self.cancel = self.hub.subscribe(take, *self.watched)

    def hold(self, wanted: Deferred[T]) -> Deferred[T]:
        """Wait for *wanted* only as long as this asker is there."""

        def over(result: Any) -> Any:
            self.held.pop(wanted, None)
            return result

        self.held[wanted] = None
        return wanted.addBoth(over)

    def full(self, name: str) -> str:
        """A name without a dot is a key of ``manual``; a pattern that may hold a dot stays as it is."""
        return name if "." in name or GLOB.intersection(name) else f"{MANUAL}.{name}"

    def names(self) -> dict[str, Quantity]:
        """Every name there is, with a value or without."""
        return {f"{name}.{quantity.name}": quantity
                for name, handle in self.hub.devices.items() for quantity in handle.card.quantities}  # fmt: skip

    def handle(self, device: str) -> Handle:
        if (handle := self.hub.devices.get(device)) is None:
            raise CommandError("unknown", f"{clip(device)}: no such device{nearest(device, self.hub.devices)}")
        return handle

    def quantity(self, name: str, allow: str = "") -> Quantity:
        """The quantity behind a full name.  Raises CommandError, with the nearest known name, when there is none."""
        device, _, last = name.rpartition(".")
        if (handle := self.hub.devices.get(device)) is None:
            raise CommandError("unknown", f"{clip(name)}: no such name{nearest(name, self.names())}")
        known = {quantity.name: quantity for quantity in handle.card.quantities}
        if last in known:
            return known[last]
        if device == MANUAL and last in self.hub.devices:
            raise CommandError("unknown", f"{last} is a device: try `{last}.*`")
        if device == allow:
            return Quantity(last)
        raise CommandError("unknown", f"{clip(name)}: no such name{nearest(last, known, f'{device}.')}")

    def row(self, name: str, quantity: Quantity) -> Row | Reading:
        if (reading := self.latest.get(name)) is not None:
            return self.fresh(reading)
        unit, data = quantity.unit, {"name": name, "value": None, "unit": quantity.unit, "time": None}
        return Row(f"{name} - {unit or '-'} - stale", {**data, "quality": "stale"})

    def fresh(self, reading: Reading) -> Row | Reading:
        """The reading itself, or a row that says its time is up."""
        return Row(reading.columns("stale"), reading.data("stale")) if reading.stale() else reading
