"""What stands under ``/api/v1``: devices, readings, events, commands; the past is in ``past``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import Deferred

from gateway.commands import Answer, CommandError, Session
from gateway.commands.grammar import GLOB, clip, nearest
from gateway.interfaces.http import past
from gateway.interfaces.http.answer import CODES, FRESH, JSON, TEXT, Refusal, refused
from gateway.interfaces.http.devices import full, summary
from gateway.interfaces.http.metrics import metrics
from gateway.reading import Reading, encode

if TYPE_CHECKING:
    from gateway.interfaces.http.request import Request


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /api/v1/commands``."""

    command: str


def health(request: Request) -> None:
    request.answer(b"ok\n", 200, TEXT)


def devices(request: Request) -> None:
    session = request.session
    request.parameters()
    request.answer(listed(encode(summary(session, card, status)) for card, status in session.devices()))


def device(request: Request, name: str) -> None:
    request.parameters()
    known = {card.name: (card, status) for card, status in request.session.devices()}
    if name not in known:
        raise Refusal(404, f"{clip(name)}: no such device{nearest(name, known)}")
    request.answer(full(request.session, *known[name]))


def readings(request: Request) -> None:
    chosen = request.session.readings(*patterns(request))
    request.answer(listed(map(newest, chosen)))


def reading(request: Request, name: str) -> None:
    request.parameters()
    if GLOB.intersection(name) or name.split() != [name]:
        raise Refusal(404, f"{clip(name)}: no name; for several, GET /api/v1/readings?name=PATTERN")
    answer = request.session.perform(f"get {name}")
    assert isinstance(answer, Answer)
    if not answer.ok:
        code, message = refused(answer)
        raise Refusal(CODES.get(code, 400), message, code=code)
    request.answer(answer.rows[0].json)


def events(request: Request) -> None:
    wanted = patterns(request, new=True)
    last = request.getHeader(b"last-event-id") or b""
    if request.method == b"HEAD":
        request.answer(b"", 200, b"text/event-stream")
    else:
        request.site.events.join(request, wanted, last)


def commands(request: Request) -> None:
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != JSON:
        raise Refusal(415, 'send application/json: {"command": "get *"}')
    try:
        order = msgspec.json.decode(request.content.getvalue(), type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f'{error}; what is wanted is {{"command": "get *"}}') from None
    if any(each in order.command for each in "\r\n\0"):
        raise Refusal(400, "one command at a time: it stands on one line")
    answer = request.session.perform(order.command)
    if isinstance(answer, Deferred):
        answer.addCallback(lambda done: told(request, done))
    else:
        told(request, answer)


def told(request: Request, answer: Answer) -> None:
    """The answer of a command, with the status code that fits it."""
    rows = listed(row.json for row in answer.rows)
    if answer.ok:
        request.answer(b'{"ok":true,"status":%b,"rows":%b}' % (encode(answer.status), rows))
        return
    code, message = refused(answer)
    said = encode(answer.status), encode(message), encode(code)
    body = b'{"ok":false,"status":%b,"error":%b,"code":%b,"rows":%b}' % (*said, rows)
    request.answer(body, CODES.get(code, 400), JSON, FRESH)


def patterns(request: Request, new: bool = False) -> list[str]:
    """Which names are wanted; none means all.  A name without a glob must be there, so that a typo is not taken
    for silence; with *new*, a key of ``manual`` may come later."""
    session: Session = request.session
    wanted = [session.full(name) for name in request.parameters("name")["name"]]
    for name in wanted:
        if not GLOB.intersection(name):
            try:
                session.quantity(name, allow="manual" if new else "")
            except CommandError as error:
                raise Refusal(404, str(error)) from None
    return wanted


def newest(reading: Reading) -> bytes:
    return encode(reading.data("stale")) if reading.stale() else reading.json


def listed(objects: Iterable[bytes]) -> bytes:
    """A JSON list of objects that are JSON already."""
    return b"[%b]" % b",".join(objects)


Show = Callable[["Request"], None]
SEE = ("GET", "HEAD")
ROUTES: dict[str, tuple[tuple[str, ...], Show]] = {
    "/healthz": (SEE, health),
    "/metrics": (SEE, metrics),
    "/api/v1/devices": (SEE, devices),
    "/api/v1/readings": (SEE, readings),
    "/api/v1/events": (SEE, events),
    "/api/v1/happenings": (SEE, past.happenings),
    "/api/v1/history": (SEE, past.history),
    "/api/v1/commands": (("POST",), commands),
}
NAMED: dict[str, Callable[[Request, str], None]] = {"/api/v1/devices/": device, "/api/v1/readings/": reading}
