"""Commands that change something out there, or have it measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred

from drivers.api import Quantity, Value
from gateway.commands.grammar import GLOB, Answer, CommandError, clip, nearest
from gateway.commands.values import parsed
from gateway.handle import Handle
from gateway.hub import matcher
from gateway.manual import NAME as MANUAL
from gateway.manual import checked
from gateway.reading import written

if TYPE_CHECKING:
    from gateway.commands.session import Session


def do_set(me: Session, name: str, text: str) -> Answer | Deferred[Answer]:
    if (write := writing(me, name, text)) is None:
        me.manual.set(me.full(name).removeprefix(f"{MANUAL}."), text)
        return Answer()
    handle, quantity, value = write
    return handle.write(quantity, value).addCallback(lambda _: Answer())


def writing(me: Session, name: str, text: str) -> tuple[Handle, Quantity, Value] | None:
    """What ``set`` does with a device; None where it is a key of ``manual``.  Raises what keeps it from being done."""
    name = one(me, name, "set", "name")
    device, _, key = name.rpartition(".")
    if device == MANUAL:
        if key in me.hub.devices:  # "set pump on" shall not look as if it had switched something
            able = [f"{key}.{each.name}" for each in me.handle(key).card.quantities if each.writable]
            hint = f"set {able[0]}" if able else "none of its quantities can be set"
            raise CommandError("unknown", f"{key} is a device, and no key of `{MANUAL}`: {hint}")
        checked(key, text)
        return None
    if device not in me.hub.devices:
        near = nearest(name, me.names()) or f"; a key of your own has no dot: set {clip(name.replace('.', '-'))} ..."
        raise CommandError("unknown", f"{clip(name)}: no such name{near}")
    quantity = me.quantity(name)
    if not quantity.writable:
        raise CommandError("denied", f"{name} is measured, not set")
    return me.handle(device), quantity, parsed(quantity, text)


def do_read(me: Session, name: str) -> Deferred[Answer]:
    device, quantity = reading(me, name)

    def answer(_: object) -> Answer:
        if quantity is not None:
            return Answer((me.row(f"{device}.{quantity.name}", quantity),))
        rows = tuple(map(me.fresh, me.readings(f"{device}.*")))
        return Answer(rows, f"OK {len(rows)}")

    return me.hold(maybeDeferred(me.handle(device).read, True)).addCallback(answer)


def reading(me: Session, name: str) -> tuple[str, Quantity | None]:
    """The device to measure, and which of its quantities is wanted, or all.  Raises CommandError."""
    if name in me.hub.devices:
        return name, None
    name = one(me, name, "read", "name or device")
    return name.rpartition(".")[0], me.quantity(name)


def one(me: Session, name: str, word: str, what: str) -> str:
    """The full name.  Raises CommandError for a pattern."""
    if GLOB.intersection(name):
        raise CommandError("syntax", f"{clip(name)}: `{word}` takes one {what}, no pattern")
    return me.full(name)


def do_delete(me: Session, *keys: str) -> Answer:
    gone = list(filter(matcher(deleting(me, *keys)), me.manual.keys))
    return Answer(status=f"OK {sum(map(me.manual.delete, gone))}")


def deleting(me: Session, *keys: str) -> list[str]:
    """Patterns of keys.  Raises CommandError for what is no key."""
    patterns = [key.removeprefix(f"{MANUAL}.") for key in keys]
    for pattern in patterns:
        if "." in pattern:
            raise CommandError("denied", f"{clip(pattern)}: only keys of `{MANUAL}` can be deleted")
    return patterns


def do_clear(me: Session) -> Answer:
    return Answer(status=f"OK {me.manual.clear()}")


# What can be done later, and how it is looked at before
LATER: dict[str, Callable[..., Any]] = {
    "set": writing,
    "read": reading,
    "delete": deleting,
    "clear": lambda me: None,
}


# What the audit says


def change(me: Session, word: str, arguments: Sequence[str]) -> tuple[str, str, str]:
    """The name that a write is about, the value before it, and the one that is wanted."""
    if word == "set":
        name = me.full(arguments[0])
        return clip(name, 200), valued(me, name), clip(arguments[1], 200)
    names = [me.full(key) for key in arguments] or [f"{MANUAL}.*"]
    if len(names) == 1 and not GLOB.intersection(names[0]):
        return clip(names[0], 200), valued(me, names[0]), "-"
    match = matcher(names)
    return clip(" ".join(names), 200), f"{sum(1 for key in me.manual.keys if match(f'{MANUAL}.{key}'))} keys", "-"


def valued(me: Session, name: str) -> str:
    now = me.latest.get(name)
    return "-" if now is None else clip(written(now.quantity, now.value), 200)
