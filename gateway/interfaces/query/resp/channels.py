"""Readings as messages: a channel is a name, its payload the line that ``get`` would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.commands.watching import PATTERNS
from gateway.interfaces.query.dialect import Fresh, Made
from gateway.interfaces.query.resp.command import Client, Command
from gateway.interfaces.query.resp.names import full, glob, literal, matching
from gateway.interfaces.query.resp.wire import Encoded, Push, Refused, encode
from gateway.reading import Reading

ALLOWED = {"subscribe", "psubscribe", "unsubscribe", "punsubscribe", "ping", "quit", "reset"}  # to a RESP2 subscriber


def subscribe(client: Client, *channels: bytes) -> Encoded:
    room(client, {*client.channels, *client.patterns, *channels})
    for channel in channels:
        glob(channel)  # refuses one that is too long
    return told(client, "subscribe", channels, lambda each: client.channels.setdefault(each, full(client, each)))


def psubscribe(client: Client, *patterns: bytes) -> Encoded:
    room(client, {*client.channels, *client.patterns, *patterns})
    for pattern in patterns:
        matching(pattern)
    return told(client, "psubscribe", patterns, lambda each: client.patterns.setdefault(each, matching(each)))


def unsubscribe(client: Client, *channels: bytes) -> Encoded:
    return told(client, "unsubscribe", channels or tuple(client.channels), lambda each: client.channels.pop(each, None))


def punsubscribe(client: Client, *patterns: bytes) -> Encoded:
    return told(
        client, "punsubscribe", patterns or tuple(client.patterns), lambda each: client.patterns.pop(each, None)
    )


def room(client: Client, wanted: set[bytes]) -> None:
    if len(wanted) > PATTERNS:
        raise Refused(f"ERR limit {PATTERNS} channels and patterns at most; one such as attic.* fits many names")


def told(client: Client, kind: str, which: Sequence[bytes], change: Any) -> Encoded:
    """Make each *change*, and say how many subscriptions there are then."""
    out = []
    for each in which or (None,):
        if each is not None:
            change(each)
        out.append(encode(Push((kind, each, len(client.channels) + len(client.patterns))), client.version))
    listen(client)
    return Encoded(b"".join(out))


def listen(client: Client) -> None:
    wanted: dict[str, tuple[bytes, ...]] = {}
    for channel, name in client.channels.items():
        wanted[name] = (*wanted.get(name, ()), channel)
    client.wanted = wanted
    client.session.subscribe((*map(literal, wanted), *map(glob, client.patterns)))


def pushed(client: Client, fresh: Sequence[Fresh], made: Made) -> bytes:
    out = []
    for readings in fresh:
        for reading in readings:
            if not isinstance(reading, Reading):  # raw bytes that are followed: nobody can ask for them here
                continue
            for channel in client.wanted.get(reading.name, ()):
                out.append(message(client, reading, made, b"message", channel))
            for pattern, match in client.patterns.items():
                if match(reading.name):
                    out.append(message(client, reading, made, b"pmessage", pattern))
    return b"".join(out)


def message(client: Client, reading: Reading, made: Made, kind: bytes, which: bytes) -> bytes:
    key = id(reading), client.version, kind, which
    if (data := made.get(key)) is None:
        name = (reading.name,) if kind == b"pmessage" else ()
        data = made[key] = encode(Push((kind, which, *name, reading.line[:-1])), client.version)
    return data


COMMANDS = {
    "subscribe": Command(subscribe, -2, "name [name ...]", "hear new readings", "no_multi"),
    "psubscribe": Command(psubscribe, -2, "pattern [pattern ...]", "hear new readings of what fits", "no_multi"),
    "unsubscribe": Command(unsubscribe, -1, "[name [name ...]]", "hear them no more", "no_multi"),
    "punsubscribe": Command(punsubscribe, -1, "[pattern [pattern ...]]", "hear them no more", "no_multi"),
}
