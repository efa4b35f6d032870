"""What is asked of the past over HTTP: the parameters behind the ``?``, and a question for each page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.commands import Aggregate, Place, Question, Session
from gateway.commands.grammar import GLOB, clip, nearest, number
from gateway.commands.past import series, single
from gateway.commands.times import Span, between
from gateway.interfaces.http.answer import Refusal

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

USUAL, MOST = 1000, 100_000  # points of an answer
FORMATS = ("json", "jsonl", "csv")
PLACE = re.compile(r"(running-)?(\d{1,18})-(-?\d{1,18})-(\d{1,18})", re.ASCII)
PARAMETERS = ("name", "from", "to", "step", "aggregate", "format", "limit", "order", "after")


@dataclass
class Asked:
    """What is wanted: *patterns*, and the *names* that fit.  *limit* is None for all of it; *after* is where the page
    before ended."""

    patterns: list[str]
    names: list[str]
    span: Span
    limit: int | None
    backwards: bool
    after: Place | None = None
    textual: set[str] = field(default_factory=set)  # of those that are gone, what turned out to be text

    def question(self, me: Session, name: str, limit: int) -> Question:
        span = self.span
        return Question(name, span.start, span.end, span.step, self.aggregate(me, name), limit, self.backwards,
                        self.after, span.running)  # fmt: skip

    def aggregate(self, me: Session, name: str) -> Aggregate:
        quantity = me.names().get(name)
        if name in self.textual:
            return self.span.aggregate or "last"
        return self.span.aggregate or ("mean" if quantity is None or quantity.kind in ("float", "int") else "last")


def wanted(request: Request) -> tuple[Asked, str]:
    """What the parameters say, and the format.  Raises CommandError or Refusal, with what would do."""
    me, parameters = request.session, request.parameters(*PARAMETERS)
    given = {name: values[-1] for name, values in parameters.items() if values}
    if "name" not in given:
        raise Refusal(400, "which name? One, or a pattern: /api/v1/history?name=attic.*&from=-1h&step=1m")
    form = word("format", given.get("format", "json"), *FORMATS)
    backwards = word("order", given.get("order", "oldest"), "oldest", "newest") == "newest"
    span = spanned(request, given)
    limit = number(given["limit"], 1, MOST) if "limit" in given else USUAL if form == "json" else None
    names = chosen(me, parameters["name"], span)
    asked = Asked(parameters["name"], names, span, limit, backwards)
    if after := given.get("after"):
        first, asked.after = place(after, span)
        asked.names = [name for name in names if name >= first]
        if asked.names[:1] != [first]:
            asked.after = None
    return asked, form


def word(parameter: str, given: str, *known: str) -> str:
    if given not in known:
        raise Refusal(400, f"{parameter} is {' or '.join(known)}, not {clip(given)}{nearest(given, known)}")
    return given


def spanned(request: Request, given: dict[str, str]) -> Span:
    """From when to when; the last hour where nothing is said.  Raises CommandError, with what would do."""
    end = plus(given["to"]) if "to" in given else None
    return between(request.session.hub.clock, plus(given.get("from", "-1h")), end, given.get("step"),
                   given.get("aggregate"))  # fmt: skip


def plus(text: str) -> str:
    """Where somebody forgot that a plus in an address is a blank: in front of seconds since the start, and in front of
    hours from UTC, a blank can be nothing else."""
    front, blank, rest = text.rpartition(" ")
    return f"{front}+{rest}" if blank and (not front or ":" in front) else text


def chosen(me: Session, patterns: list[str], span: Span) -> list[str]:
    """The names that are wanted, in their order.  Raises CommandError for one that there neither is nor was."""
    found: set[str] = set()
    for pattern in map(me.full, patterns):
        found.update(series(me, pattern, span) if GLOB.intersection(pattern) else [single(me, pattern, span)])
    return sorted(found)


def place(after: str, span: Span) -> tuple[str, Place | None]:
    """The name, and the place within it, that a page goes on from.  Raises Refusal."""
    name, _, at = after.rpartition("@")
    if not at:
        return name, None
    if (found := PLACE.fullmatch(at)) is None:
        raise Refusal(400, "`after` is what `next` said in the page before, and nothing else")
    if span.step is not None and bool(found[1]) != span.running:
        raise Refusal(400, "the clock was set since the page before; ask anew, without `after`")
    return name, Place(*map(int, found.groups()[1:]))
