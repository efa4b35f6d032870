"""Carries out commands: the one door between the interfaces and everything behind them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import DeviceError, Quantity
from gateway.commands.access import Who
from gateway.commands.grammar import COMMANDS, Answer, CommandError, Row, clip, nearest, parse
from gateway.commands.values import parsed
from gateway.hub import Card, Chunk, Handle, Hub, Status, matcher
from gateway.manual import NAME as MANUAL
from gateway.manual import Manual
from gateway.reading import Reading, Readings

CODES = {"NoAnswer": "no-answer", "BadFrame": "bad-frame", "BadValue": "bad-value", "WrongDevice": "wrong-device"}
PATTERNS = 100  # watched by one session, at most
PLAIN, SHORT = 256, 100  # lines remembered by one session, and characters in one of them, at most
GLOB = frozenset("*?[")
WIDE = max(len(f"{name} {usage.arguments}") for name, usage in COMMANDS.items())


class Commands:
    """What every session shares."""

    def __init__(self, hub: Hub, manual: Manual) -> None:
        self.hub, self.manual = hub, manual
        self.live: set[Session] = set()
        self.left = 0  # readings dropped by sessions that are closed
        self.facts: dict[str, Any] = {}  # more lines of `status`, from whoever started us

    def open(self, who: Who) -> Session:
        session = Session(self, who)
        self.live.add(session)
        return session

    @property
    def sessions(self) -> int:
        return len(self.live)

    @property
    def dropped(self) -> int:
        """Readings that slow askers never saw, because a newer one came first."""
        return self.left + sum(session.dropped for session in self.live)


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
        self.watched: tuple[str, ...] = ()
        self.cancel: Callable[[], None] | None = None
        self.plain: dict[bytes, str] = {}

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

    def listen(self, take: Callable[[str, Status], None]) -> Callable[[], None]:
        """Have *take* called with a device's name and status when its life changes, until the returned function is
        called."""
        return self.hub.listen(take)

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

    # Lines

    def known(self, line: bytes) -> bytes | None:
        """The whole answer to *line*, when it is a ``get`` of one name asked before and answered in text.
        The short way: most lines a gateway hears are the same few, over and over."""
        name = self.plain.get(line)
        if name is None or (reading := self.latest.get(name)) is None or reading.stale():
            return None
        return reading.line + b"OK\n"

    def perform(self, line: str) -> Answer | Deferred[Answer]:
        """Carry out one line.  Never raises and never fails: what went wrong is in the answer."""
        try:
            word, arguments = parse(line)
            self.who.need(COMMANDS[word].role, word)
            done = getattr(self, f"do_{word}")(*arguments)
        except Exception:
            return self.refusal(Failure())
        if isinstance(done, Deferred):
            done.addErrback(self.refusal)
            now = getattr(done, "result", None)  # what is done at once is answered at once
            return now if isinstance(now, Answer) else done
        answer: Answer = done
        if word == "get" and answer.status == "OK" and not self.json and len(line) <= SHORT:
            if len(self.plain) >= PLAIN:
                self.plain.clear()
            self.plain[line.encode()] = self.full(arguments[0])
        return answer

    def refusal(self, failure: Failure) -> Answer:
        error = failure.value
        message = " ".join(str(error).split())  # one line, whatever a device had to say
        match error:
            case CommandError():
                return Answer(status=f"ERR {error.code} {message}")
            case DeviceError():
                return Answer(status=f"ERR {CODES.get(type(error).__name__, 'device')} {message}")
            case CancelledError():  # an Exception in Twisted, and no bug
                return Answer(status="ERR cancelled the gateway gave up waiting for it")
        self.log.failure("Bug in a command", failure)
        return Answer(status=f"ERR internal {type(error).__name__}; the log has more")

    # What the words mean

    def do_help(self, word: str = "") -> Answer:
        if not word:
            rows = [Row(f"{f'{name} {usage.arguments}':{WIDE}}  {usage.about}",
                        {"command": name, "arguments": usage.arguments, "about": usage.about, "role": usage.role})
                    for name, usage in COMMANDS.items()]  # fmt: skip
            return Answer(tuple(rows), f"OK {len(rows)}")
        if (usage := COMMANDS.get(word.lower())) is None:
            raise CommandError("unknown-command", f"{clip(word)}: no such command{nearest(word, COMMANDS)}")
        text = f"{word.lower()} {usage.arguments}".rstrip() + f": {usage.about} ({usage.role})"
        return Answer((Row(text, {"command": word.lower(), "arguments": usage.arguments, "about": usage.about,
                                  "role": usage.role}),))  # fmt: skip

    def do_version(self) -> Answer:
        parts = {"device-gateway": release("device-gateway"), "python": platform.python_version(),
                 "twisted": release("twisted")}  # fmt: skip
        return Answer((Row(" ".join(f"{name} {number}" for name, number in parts.items()), parts),))

    def do_status(self) -> Answer:
        clock, states = self.hub.clock, [handle.status.state for handle in self.hub.devices.values()]
        facts = {
            "time": clock.written(clock.monotonic()),
            "uptime": round(clock.monotonic(), 3),
            "boot": clock.boot,
            "synced": clock.now() is not None,
            "devices": len(states),
            "running": states.count("running"),
            "names": len(self.names()),
            "readings": self.hub.seq,
            "sessions": self.commands.sessions,
            "dropped": self.commands.dropped,
            "errors": sum(tally.count for tally in self.hub.errors.values()),
            **self.commands.facts,
        }
        return Answer(
            tuple(Row(f"{key} {plain(fact)}", {key: fact}) for key, fact in facts.items()), f"OK {len(facts)}"
        )

    def do_devices(self, *patterns: str) -> Answer:
        match, rows = matcher(patterns or ("*",)), []
        for card, status in self.devices():
            if match(card.name):
                text = f"{card.name} {status.state} {card.driver} {card.where.replace(' ', '/') or '-'}"
                data = {"name": card.name, "state": status.state, "driver": card.driver, "where": card.where,
                        "reason": status.reason, "label": card.label, "identity": status.identity,
                        "errors": {kind: count for kind, (count, _) in self.errors(card.name).items()}}  # fmt: skip
                rows.append(Row(f"{text} {' '.join(status.reason.split()) or '-'}", data))
        return Answer(tuple(rows), f"OK {len(rows)}")

    def do_items(self, *patterns: str) -> Answer:
        match = matcher([self.full(pattern) for pattern in patterns] or ("*",))
        rows = [self.row(name, quantity) for name, quantity in sorted(self.names().items()) if match(name)]
        return Answer(tuple(rows), f"OK {len(rows)}")

    def do_count(self, *patterns: str) -> Answer:
        return Answer(status=f"OK {len(self.readings(*map(self.full, patterns)))}")

    def do_get(self, *patterns: str) -> Answer:
        if len(patterns) == 1 and not GLOB.intersection(patterns[0]):
            name = self.full(patterns[0])
            if (reading := self.latest.get(name)) is not None:
                return Answer((self.fresh(reading),))
            return Answer((self.row(name, self.quantity(name)),))
        names = self.names()
        rows: dict[str, Row | Reading] = {}
        for pattern in map(self.full, patterns):
            if GLOB.intersection(pattern):
                rows |= {reading.name: self.fresh(reading) for reading in self.readings(pattern)}
            else:
                rows[pattern] = self.row(pattern, names.get(pattern) or self.quantity(pattern))
        return Answer(tuple(rows.values()), f"OK {len(rows)}")

    def do_set(self, name: str, text: str) -> Answer | Deferred[Answer]:
        name = self.full(name)
        device, _, key = name.rpartition(".")
        self.log.info("{who.name} at {who.origin}: set {name} {text}", who=self.who, name=name, text=clip(text))
        if device == MANUAL:
            self.manual.set(key, text)
            return Answer()
        quantity = self.quantity(name)
        if not quantity.writable:
            raise CommandError("denied", f"{name} is measured, not set")
        return self.handle(device).write(quantity, parsed(quantity, text)).addCallback(lambda _: Answer())

    def do_read(self, name: str) -> Deferred[Answer]:
        name = self.full(name) if name not in self.hub.devices else name
        device = name if name in self.hub.devices else name.rpartition(".")[0]
        quantity = self.quantity(name) if name != device else None

        def answer(_: object) -> Answer:
            if quantity is not None:
                return Answer((self.row(name, quantity),))
            rows = tuple(map(self.fresh, self.readings(f"{device}.*")))
            return Answer(rows, f"OK {len(rows)}")

        return maybeDeferred(self.handle(device).read).addCallback(answer)

    def do_delete(self, *keys: str) -> Answer:
        patterns = [key.removeprefix(f"{MANUAL}.") for key in keys]
        for pattern in patterns:
            if "." in pattern:
                raise CommandError("denied", f"{clip(pattern)}: only keys of `{MANUAL}` can be deleted")
        gone = list(filter(matcher(patterns), self.manual.keys))
        return Answer(status=f"OK {sum(map(self.manual.delete, gone))}")

    def do_clear(self) -> Answer:
        return Answer(status=f"OK {self.manual.clear()}")

    def do_watch(self, *patterns: str) -> Answer:
        if self.push is None:
            raise CommandError("denied", "nothing can be pushed to you here")
        wanted = tuple(map(self.full, patterns or ("*",)))
        watched = tuple(dict.fromkeys(self.watched + wanted))
        if len(watched) > PATTERNS:
            raise CommandError("limit", f"{PATTERNS} patterns at most")
        for pattern in wanted:
            if not GLOB.intersection(pattern):
                self.quantity(pattern, allow=MANUAL)
        match = matcher(watched)
        self.subscribe(watched)
        return Answer(status=f"OK {sum(1 for name in self.names() if match(name))}")

    def do_unwatch(self, *patterns: str) -> Answer:
        self.settle()
        gone = set(map(self.full, patterns)) or set(self.watched)
        self.subscribe(tuple(pattern for pattern in self.watched if pattern not in gone))
        return Answer(status=f"OK {len(self.watched)}")

    def do_json(self, word: str = "on") -> Answer:
        if word.lower() not in ("on", "off"):
            raise CommandError("syntax", "usage: json [on|off]")
        self.json = word.lower() == "on"
        self.plain.clear()
        return Answer()

    def do_quit(self) -> Answer:
        return Answer(status="OK bye", last=True)

    # What they are made of

    def subscribe(self, patterns: tuple[str, ...]) -> None:
        if self.cancel is not None:
            self.cancel()
        self.watched, self.cancel = patterns, None
        if patterns and self.push is not None:
            self.cancel = self.hub.subscribe(self.push, *patterns)

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


def plain(fact: object) -> str:
    return ("yes" if fact else "no") if isinstance(fact, bool) else " ".join(str(fact).split()) or "-"


def release(distribution: str) -> str:
    """The version that is installed, or "unknown" where only the source lies around."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
