"""Commands that ask what was."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed

from gateway.clock import iso
from gateway.commands.grammar import GLOB, Answer, CommandError, Data, Row, clip, nearest, number
from gateway.commands.points import Told, told
from gateway.commands.times import END, Span, spanned
from gateway.history.question import Aggregate, Deed, Event, Page, Place, Question, Textual
from gateway.hub import matcher

if TYPE_CHECKING:
    from gateway.commands.session import Session

WORDS = ("text", "choice")
WORDLY = (None, "first", "last", "count")  # what they have
PAGE = 500  # rows of an answer that are in memory at once
BEHIND = "after="
PLACE = re.compile(r"(\S+)@(\d{1,18})-(\d{1,18})-(\d{1,18})", re.ASCII)
DEEDS, MOST = 20, 1000  # writes that ``audit`` shows, and shows at most


class Past(Protocol):
    """What commands need of the history."""

    @property
    def facts(self) -> dict[str, Any]: ...

    def ask(self, question: Question) -> Deferred[Page]: ...

    def events(
        self, start: float, end: float, devices: tuple[str, ...] = (), limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[Event, ...]]: ...

    def names(self) -> tuple[str, ...]: ...

    def deed(self, deed: Deed) -> Deferred[None]: ...

    def deeds(self, start: float, end: float, limit: int) -> Deferred[tuple[tuple[float | None, Deed], ...]]: ...

    def copy(self) -> Deferred[tuple[str, int]]: ...

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]: ...

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]: ...


class Forgetful:
    """No history at all: what is told to it is lost, and what was is refused."""

    facts: dict[str, Any] = {}

    def ask(self, question: Question) -> Deferred[Page]:
        return fail(CommandError("no-history", "no history is kept here"))

    def events(
        self, start: float, end: float, devices: tuple[str, ...] = (), limit: int = 1000, running: bool = False
    ) -> Deferred[tuple[Event, ...]]:
        return succeed(())

    def names(self) -> tuple[str, ...]:
        return ()

    def deed(self, deed: Deed) -> Deferred[None]:
        return succeed(None)

    def deeds(self, start: float, end: float, limit: int) -> Deferred[tuple[tuple[float | None, Deed], ...]]:
        return fail(CommandError("no-history", "no history is kept here"))

    def copy(self) -> Deferred[tuple[str, int]]:
        return fail(CommandError("no-history", "no history is kept here"))

    def keep(self, kind: str, key: str, data: bytes | None) -> Deferred[None]:
        return succeed(None)

    def kept(self, kind: str) -> Deferred[dict[str, bytes]]:
        return succeed({})


def do_range(me: Session, name: str, *words: str) -> Deferred[Answer]:
    behind = words[-1].removeprefix(BEHIND) if words[-1].startswith(BEHIND) else ""
    if behind and len(words) == 1:
        raise CommandError("syntax", f"FROM is missing: range {clip(name)} -1h {BEHIND}...")
    span = spanned(words[:-1] if behind else words, me.hub.clock)
    pattern = me.full(name)
    several = bool(GLOB.intersection(pattern))
    reel = Reel(me, series(me, pattern, span) if several else [single(me, pattern, span)], span, several)
    if behind:
        reel.go_on(*place(behind))
    return reel.next()


def place(text: str) -> tuple[str, Place]:
    """The name, and the place within it, of one reading.  Raises CommandError."""
    if (found := PLACE.fullmatch(text)) is None:
        raise CommandError("syntax", f"{clip(text)} names no reading; write {BEHIND}NAME@BOOT-MILLISECONDS-SEQ")
    return found[1], Place(*map(int, found.groups()[1:]))


def single(me: Session, name: str, span: Span) -> str:
    """*name*, when there is or ever was such a one, and it can be gathered like that; else CommandError."""
    if span.aggregate not in WORDLY and name in (now := me.names()) and now[name].kind in WORDS:
        raise CommandError("syntax", f"{name} is words, of which there is no {span.aggregate}; there are first, last "
                                     "and count")  # fmt: skip
    if name not in me.commands.history.names():
        try:
            me.quantity(name)
        except CommandError as error:
            if "did you mean" in str(error):
                raise
            raise CommandError(error.code, f"{error}{nearest(name, me.commands.history.names())}") from None
    return name


def series(me: Session, pattern: str, span: Span) -> list[str]:
    """The names that fit; those of texts and words not, when something is to be reckoned."""
    match, now = matcher((pattern,)), me.names()
    found = sorted(name for name in {*me.commands.history.names(), *now} if match(name))
    if span.aggregate in WORDLY:
        return found
    return [name for name in found if name not in now or now[name].kind not in WORDS]


class Reel:
    """An answer that goes on, page after page: no more than one of them is ever in memory."""

    def __init__(self, me: Session, names: list[str], span: Span, several: bool) -> None:
        self.me, self.names, self.span, self.several = me, deque(names), span, several
        self.after: Place | None = None
        self.count = 0
        self.known = frozenset(me.commands.history.names())

    def go_on(self, name: str, after: Place) -> None:
        """Begin behind the reading of *name* at that place."""
        if self.span.step is not None:
            raise CommandError("syntax", f"{BEHIND} is a reading, and a STEP has none; begin later instead")
        while self.names and self.names[0] < name:
            self.names.popleft()
        if self.names and self.names[0] == name:
            self.after = after

    def next(self) -> Deferred[Answer]:
        return self.me.hold(Deferred.fromCoroutine(self.gather()))

    async def gather(self) -> Answer:
        rows: list[Told] = []
        while self.names and len(rows) < PAGE:
            name = self.names[0]
            if name not in self.known and name not in self.me.latest:  # there never was a reading
                self.names.popleft()
                continue
            question = self.question(name, PAGE - len(rows))
            try:
                page = await self.me.past(question)
            except Textual:  # and is gone
                if self.span.aggregate is None:
                    page = await self.me.past(replace(question, aggregate="last"))
                elif self.several:
                    self.names.popleft()
                    continue
                else:
                    raise
            rows += told(name if self.several else "", name, page)
            self.after = page.more
            if page.more is None:
                self.names.popleft()
        self.count += len(rows)
        if not self.names:
            return Answer(tuple(rows), f"OK {self.count}")
        last = rows[-1].text.split()[1 if self.several else 0] if rows else "-"
        return Answer(
            tuple(rows), f"OK {self.count} and more: ask again from {last} on, or with a STEP", more=self.next
        )

    def question(self, name: str, limit: int) -> Question:
        span, quantity = self.span, self.me.names().get(name)
        usual: Aggregate = "mean" if quantity is None or quantity.kind in ("float", "int") else "last"
        return Question(name, span.start, span.end, span.step, span.aggregate or usual, limit, after=self.after,
                        running=span.running)  # fmt: skip


def happened(event: Event) -> Data:
    """What happened to a device, for programs."""
    return {"time": None if event.wall is None else iso(event.wall), "boot": event.boot, "monotonic": event.ms / 1000,
            "device": event.device, "what": event.what, "text": event.text, "count": event.count}  # fmt: skip


def do_audit(me: Session, count: str = str(DEEDS)) -> Deferred[Answer]:
    return me.hold(me.commands.history.deeds(0, END, number(count, 1, MOST))).addCallback(audited)


def audited(deeds: tuple[tuple[float | None, Deed], ...]) -> Answer:
    rows = []
    for wall, deed in deeds:
        when = None if wall is None else iso(wall)
        by = f"{deed.who} {deed.origin} {deed.interface or '-'}"
        rows.append(Row(f"{when or '-'} {deed.name} {deed.old} -> {deed.new} {by} {deed.result}",
                        {"time": when, "name": deed.name, "old": deed.old, "new": deed.new, "who": deed.who,
                         "origin": deed.origin, "interface": deed.interface, "result": deed.result}))  # fmt: skip
    return Answer(tuple(rows), f"OK {len(rows)}")


def do_backup(me: Session) -> Deferred[Answer]:
    return me.hold(me.commands.history.copy()).addCallback(backed_up)


def backed_up(copy: tuple[str, int]) -> Answer:
    path, size = copy
    return Answer((Row(f"{path} {size}", {"path": path, "bytes": size}),))
