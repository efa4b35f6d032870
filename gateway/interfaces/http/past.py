"""What was: readings as JSON, page by page, or as rows for as long as the client takes them; and what happened.

A point of JSON is its time and its value, and its quality where that is not good.  Rows without a step are those of
``gateway export``; as JSON lines, ``gateway history import`` reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from gateway.commands import CommandError, Event, Page, Session, Textual
from gateway.commands.grammar import GLOB, clip, nearest, number
from gateway.commands.past import happened
from gateway.commands.points import about, shown, when
from gateway.interfaces.http.answer import CODES, JSON, Refusal, refused
from gateway.interfaces.http.asking import USUAL, Asked, spanned, wanted
from gateway.interfaces.http.parts import Parts
from gateway.reading import encode

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request

CSV, LINES = b"text/csv; charset=utf-8", b"application/x-ndjson"
PAGE = 1000  # points that are in memory at once
EVENTS = 10_000  # at most
WHOLE = ("name", "time", "value", "unit", "quality", "boot", "seq", "monotonic", "kind", "digits")
GATHERED = ("name", "time", "value", "unit")


def history(request: Request) -> None:
    try:
        asked, form = wanted(request)
    except CommandError as error:
        raise Refusal(CODES.get(error.code, 400), str(error)) from None
    match form:
        case "csv":
            parts, kind = as_csv(request.session, asked), CSV
        case "jsonl":
            parts, kind = as_lines(request.session, asked), LINES
        case _:
            parts, kind = as_json(request.session, asked), JSON
    if request.method == b"HEAD":
        request.answer(b"", 200, kind)
    else:
        Parts(request, kind).send(parts)


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
    except Textual:
        if asked.span.aggregate is None:
            asked.textual.add(name)
            return await one(me, asked, name, limit, known)
        if len(asked.names) > 1 or GLOB.intersection(asked.patterns[0]):  # it must not end the answer for the others
            return Page(())
        raise explained(me, Failure()) from None
    except Exception:
        raise explained(me, Failure()) from None


def explained(me: Session, failure: Failure) -> Refusal:
    """Why the history does not answer."""
    code, message = refused(me.refusal(failure))
    return Refusal(CODES.get(code, 400), message, code=code)


async def as_json(me: Session, asked: Asked) -> AsyncIterator[bytes]:
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
        yield begin + encode([*points(page)])[1:-1]
        begin = b""
    more = encode(None if following is None else address(asked, following))
    yield begin + (b"]}" if last else b"") + b'],"next":' + more + b"}"


def points(page: Page) -> Iterator[list[object]]:
    for run in page.runs:
        odd = run.suspects or run.offset is None
        for at, (ms, value) in enumerate(zip(run.ms, run.values, strict=True)):
            one: list[object] = [when(run, ms), shown(page, value)]
            yield [*one, run.quality(at)] if odd and run.quality(at) != "good" else one


def address(asked: Asked, after: str) -> str:
    """Where the next page is.  Its times are fixed, so that the pages are parts of one answer."""
    span, sign = asked.span, "+" if asked.span.running else ""
    terms = [*(("name", pattern) for pattern in asked.patterns), ("from", f"{sign}{span.start:.3f}"),
             ("to", f"{sign}{span.end:.3f}")]  # fmt: skip
    if span.step is not None:
        terms.append(("step", f"{span.step:.3f}"))
    if span.aggregate is not None:
        terms.append(("aggregate", span.aggregate))
    terms += [("limit", str(asked.limit)), ("order", "newest" if asked.backwards else "oldest"), ("after", after)]
    return f"/api/v1/history?{urlencode(terms)}"


async def as_csv(me: Session, asked: Asked) -> AsyncIterator[bytes]:
    file = io.StringIO()
    table = csv.writer(file)  # its line end, CRLF, has a lone CR quoted, too (Python 3.11)
    table.writerow(columns(asked))
    async for name, page, _ in pages(me, asked):
        table.writerows(row.values() for row in rows(asked, name, page))
        yield file.getvalue().encode(errors="backslashreplace")
        file.seek(0)
        file.truncate()
    if file.tell():  # there was no name
        yield file.getvalue().encode()


async def as_lines(me: Session, asked: Asked) -> AsyncIterator[bytes]:
    async for name, page, _ in pages(me, asked):
        yield b"".join(encode(row) + b"\n" for row in rows(asked, name, page))
    yield b""


def columns(asked: Asked) -> tuple[str, ...]:
    return WHOLE if asked.span.step is None else GATHERED


def rows(asked: Asked, name: str, page: Page) -> Iterator[dict[str, object]]:
    chosen = columns(asked)
    for run in page.runs:
        for at in range(len(run.ms)):
            data = about(name, page, run, at)
            yield {column: data[column] for column in chosen}


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
