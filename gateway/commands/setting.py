"""Commands that change something out there, or have it measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, maybeDeferred

from gateway.commands.grammar import Answer, CommandError, clip
from gateway.commands.values import parsed
from gateway.hub import matcher
from gateway.manual import NAME as MANUAL

if TYPE_CHECKING:
    from gateway.commands.run import Session


def do_set(me: Session, name: str, text: str) -> Answer | Deferred[Answer]:
    name = me.full(name)
    device, _, key = name.rpartition(".")
    me.log.info("{who.name} at {who.origin}: set {name} {text}", who=me.who, name=name, text=clip(text))
    if device == MANUAL:
        me.manual.set(key, text)
        return Answer()
    quantity = me.quantity(name)
    if not quantity.writable:
        raise CommandError("denied", f"{name} is measured, not set")
    return me.handle(device).write(quantity, parsed(quantity, text)).addCallback(lambda _: Answer())


def do_read(me: Session, name: str) -> Deferred[Answer]:
    name = me.full(name) if name not in me.hub.devices else name
    device = name if name in me.hub.devices else name.rpartition(".")[0]
    quantity = me.quantity(name) if name != device else None

    def answer(_: object) -> Answer:
        if quantity is not None:
            return Answer((me.row(name, quantity),))
        rows = tuple(map(me.fresh, me.readings(f"{device}.*")))
        return Answer(rows, f"OK {len(rows)}")

    return maybeDeferred(me.handle(device).read).addCallback(answer)


def do_delete(me: Session, *keys: str) -> Answer:
    patterns = [key.removeprefix(f"{MANUAL}.") for key in keys]
    for pattern in patterns:
        if "." in pattern:
            raise CommandError("denied", f"{clip(pattern)}: only keys of `{MANUAL}` can be deleted")
    gone = list(filter(matcher(patterns), me.manual.keys))
    return Answer(status=f"OK {sum(map(me.manual.delete, gone))}")


def do_clear(me: Session) -> Answer:
    return Answer(status=f"OK {me.manual.clear()}")
