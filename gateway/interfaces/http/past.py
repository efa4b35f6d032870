"""What was: readings as JSON, page by page, or as CSV for as long as the client takes it; and what happened.

A point of JSON is its time and its value, and its quality where that is not good.  CSV without a step is what
``gateway export`` writes, and ``gateway history import`` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from gateway.commands import Aggregate, CommandError, Event, Page, Place, Point, Question, Session
from gateway.commands.grammar import GLOB, clip, nearest, number
from gateway.commands.past import WORDLY, happened, series, shown, single, told, when
from gateway.commands.times import Span, between
from gateway.interfaces.http.answer import CODES, JSON, Refusal, refused
from gateway.interfaces.http.parts import Parts
from gateway.reading import encode

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

CSV = b"text/csv; charset=utf-8"
PAGE = 1000  # points that are in memory at once
USUAL, MOST = 1000, 100_000  # points of an answer
EVENTS = 10_000  # at most
WHOLE = ("name", "time", "value", "unit", "quality", "boot", "seq", "monotonic", "kind", "digits")
GATHERED = ("name", "time", "value", "unit")
PARAMETERS = ("name", "from", "to", "step", "aggregate", "format", "limit", "order", "after")


@dataclass
class Asked:
    """What is wanted.  *limit* is None for all of it; *after* is where the page before ended."""

    names: list[str]
    span: Span
    limit: int | None
    backwards: bool
    after: Place | None = None

    def question(self, me: Session, name: str, limit: int) -> Question:
        span = self.span
        return Question(name, span.start, span.end, span.step, self.aggregate(me, name), limit, self.backwards,
                        self.after, span.running)  # fmt: skip

    def aggregate(self, me: Session, name: str) -> Aggregate:
        quantity = me.names().get(name)
        return self.span.aggregate or ("mean" if quantity is None or quantity.kind in ("float", "int") else "last")


def history(request: Request) -> None:
    given = {name: values[-1] for name, values in request.parameters(*PARAMETERS).items() if values}
    try:
        asked, form = wanted(request, given)
    except CommandError as error:
        raise Refusal(CODES.get(error.code, 400), str(error)) from None
    if form == "csv":
        parts, kind = as_csv(request.session, asked), CSV
        fields = b'Content-Disposition: inline; filename="history.csv"\r\n'
    else:
        parts, kind, fields = as_json(request.session, asked, request.parameters(*PARAMETERS)["name"]), JSON, b""
    if request.method == b"HEAD":
        request.answer(b"", 200, kind, fields)
    else:
        Parts(request, kind, fields).send(parts)


def wanted(request: Request, given: dict[str, str]) -> tuple[Asked, str]:
    """What the parameters say.  Raises CommandError or Refusal, with what would do."""
    me = request.session
    if "name" not in given:
        raise Refusal(400, "which name? One, or a pattern: /api/v1/history?name=attic.*&from=-1h&step=1m")
    form = word("format", given.get("format", "json"), "json", "csv")
    backwards = word("order", given.get("order", "oldest"), "oldest", "newest") == "newest"
    span = spanned(request, given)
    limit = number(given["limit"], 1, MOST) if "limit" in given else USUAL if form == "json" else None
    names = chosen(me, request.parameters(*PARAMETERS)["name"], span)
    asked = Asked(names, span, limit, backwards)
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
    """The names that are wanted, in their order.  Raises CommandError where there neither is nor was one."""
    found: set[str] = set()
    for pattern in map(me.full, patterns):
        found.update(series(me, pattern, span) if GLOB.intersection(pattern) else [single(me, pattern)])
    for name in found:
        quantity = me.names().get(name)
        if quantity is not None and quantity.kind in ("text", "choice") and span.aggregate not in WORDLY:
            raise CommandError("syntax", f"{name} is words, of which there is no {span.aggregate}; aggregate may be "
                                         "first, last or count")  # fmt: skip
    return sorted(found)


def place(after: str, span: Span) -> tuple[str, Place | None]:
    """The name, and the place within it, that a page goes on from.  Raises Refusal."""
    name, _, at = after.rpartition("@")
    words = at.split("-")
    if span.step is not None and at and (words[0] == "running") != span.running:
        raise Refusal(400, "the clock was set since the page before; ask anew, without `after`")
    try:
        return name, Place(*map(int, words[-3:])) if at else None
    except (TypeError, ValueError):
        raise Refusal(400, "`after` is what `next` said in the page before, and nothing else") from None


# How it is told


async def pages(me: Session, asked: Asked) -> AsyncIterator[tuple[str, Page, str | None]]:
    """Page after page of each name: the name, the page, and behind the last one that is wanted what ``after`` is for
    the next.  Of a name without a reading there is an empty page."""
    known, left = frozenset(me.commands.history.names()), asked.limit
    for at, name in enumerate(asked.names):
        while True:
            page = await one(me, asked, name, PAGE if left is None else min(left, PAGE), name in known)
            asked.after = page.more
            if left is None or (left := max(0, left - len(page))) or not (page.more or asked.names[at + 1 :]):
                yield name, page, None
            else:
                running = "running-" if asked.span.running else ""
                more = page.more
                yield (
                    name,
                    page,
                    f"{name}@{running}{more.boot}-{more.ms}-{more.seq}" if more else (f"{asked.names[at + 1]}@"),
                )
                return
            if page.more is None:
                break


async def one(me: Session, asked: Asked, name: str, limit: int, known: bool) -> Page:
    if not known and name not in me.latest:
        quantity = me.names()[name]
        return Page((), quantity.unit, quantity.digits, quantity.kind)
    try:
        return await me.hold(me.past(asked.question(me, name, limit)))
    except CancelledError:
        raise
    except Exception:
        raise explained(me, Failure()) from None


def explained(me: Session, failure: Failure) -> Refusal:
    """Why the history does not answer."""
    code, message = refused(me.refusal(failure))
    return Refusal(CODES.get(code, 400), message, code=code)


async def as_json(me: Session, asked: Asked, patterns: list[str]) -> AsyncIterator[bytes]:
    begin, last, following = b'{"series":[', "", None
    async for name, page, after in pages(me, asked):
        if name != last:
            step = asked.span.step
            about = {"name": name, "unit": page.unit, "kind": page.kind, "digits": page.digits, "step": step,
                     "aggregate": None if step is None else asked.aggregate(me, name)}  # fmt: skip
            begin += (b"]}," if last else b"") + encode(about)[:-1] + b',"points":['
        elif len(page):
            begin += b","
        last, following = name, after
        yield begin + encode([point(page, each) for each in page.points])[1:-1]
        begin = b""
    more = encode(None if following is None else address(asked, patterns, following))
    yield begin + (b"]}" if last else b"") + b'],"next":' + more + b"}"


def point(page: Page, each: Point) -> list[object]:
    return [when(each), shown(page, each), *([] if each.quality == "good" else [each.quality])]


def address(asked: Asked, patterns: list[str], after: str) -> str:
    """Where the next page is.  Its times are fixed, so that the pages are parts of one answer."""
    span, sign = asked.span, "+" if asked.span.running else ""
    terms = [*(("name", pattern) for pattern in patterns), ("from", f"{sign}{span.start:.3f}"),
             ("to", f"{sign}{span.end:.3f}")]  # fmt: skip
    if span.step is not None:
        terms.append(("step", f"{span.step:.3f}"))
    if span.aggregate is not None:
        terms.append(("aggregate", span.aggregate))
    terms += [("limit", str(asked.limit)), ("order", "newest" if asked.backwards else "oldest"), ("after", after)]
    return f"/api/v1/history?{urlencode(terms)}"


async def as_csv(me: Session, asked: Asked) -> AsyncIterator[bytes]:
    columns = WHOLE if asked.span.step is None else GATHERED
    file = io.StringIO()
    table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    async for name, page, _ in pages(me, asked):
        table.writerows(told("", name, page, each).data for each in page.points)
        yield file.getvalue().encode(errors="backslashreplace")
        file.seek(0)
        file.truncate()
    if file.tell():  # there was no name
        yield file.getvalue().encode()


# What happened


def happenings(request: Request) -> None:
    """Lives and errors of devices, oldest first; of too many the newest."""
    parameters = request.parameters("device", "from", "to", "limit")
    given = {name: values[-1] for name, values in parameters.items() if values}
    try:
        limit, span = number(given.get("limit", str(USUAL)), 1, EVENTS), spanned(request, given)
    except CommandError as error:
        raise Refusal(400, str(error)) from None
    me, devices = request.session, tuple(parameters["device"])
    known = {"gateway", *me.hub.devices, *(name.rpartition(".")[0] for name in me.commands.history.names())}
    for device in devices:
        if device not in known:
            raise Refusal(404, f"{clip(device)}: no such device{nearest(device, known)}")

    def show(events: tuple[Event, ...]) -> None:
        request.answer(encode([happened(event) for event in events]))

    def fail(failure: Failure) -> None:
        request.refuse(explained(me, failure))  # nobody hears it where the client has left

    me.hold(me.happened(span.start, span.end, devices, limit, span.running)).addCallbacks(show, fail)
