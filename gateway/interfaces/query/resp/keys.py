"""Readings as keys and values.  Those past their time are not there; what is written goes through the session."""

from __future__ import annotations

import json
import re
from heapq import nsmallest
from math import ceil, inf
from typing import Any
from zlib import crc32

from twisted.internet.defer import Deferred

from gateway.commands import Answer
from gateway.interfaces.query.resp.command import Client, Command, outcome, whole, word
from gateway.interfaces.query.resp.names import bare, fresh, full, glob
from gateway.interfaces.query.resp.wire import Refused, Simple

OK = Simple("OK")
OPTIONS = {"ex", "px", "exat", "pxat", "keepttl", "nx", "xx", "get"}  # that SET has with Redis
NUMBER = r"(?:0|[1-9][0-9]{0,14}|[0-9]{1,9}\.[0-9]{1,6})"
SAME = re.compile(rf"on|off|(?!-[0.]*$)-?(?!0[0-9]){NUMBER}")  # what `set` gives back as it was; the rest is quoted


def get(client: Client, key: bytes) -> bytes | None:
    reading = fresh(client, key)
    return None if reading is None else bare(reading)


def mget(client: Client, *keys: bytes) -> list[bytes | None]:
    return [get(client, key) for key in keys]


def set_(client: Client, key: bytes, value: bytes, *options: bytes) -> Any:
    if options:
        why = ": SET takes no options here; a key stays until it is deleted" if word(options[0]) in OPTIONS else ""
        raise Refused(f"ERR syntax error{why}")
    try:
        name, text = key.decode(), value.decode()
    except UnicodeDecodeError:
        raise Refused("ERR syntax names and values are UTF-8") from None
    if text[:1] == '"' or client.session.full(name).startswith("manual.") and not SAME.fullmatch(text):
        text = json.dumps(text)
    return done(client.session.run("set", (name, text)), lambda _: OK)


def delete(client: Client, *keys: bytes) -> Any:
    client.session.who.need("operator", "DEL")
    known = client.session.names()
    names = dict.fromkeys(name for name in (full(client, key) for key in keys) if name in known)
    return done(client.session.run("delete", tuple(names)), count) if names else 0


def flushdb(client: Client, *options: bytes) -> Any:
    if len(options) > 1 or any(word(option) not in ("async", "sync") for option in options):
        raise Refused("ERR syntax error")
    return done(client.session.run("clear", ()), lambda _: OK)


def done(answer: Answer | Deferred[Answer], reply: Any) -> Any:
    if isinstance(answer, Deferred):
        return answer.addCallback(outcome).addCallback(reply)
    return reply(outcome(answer))


def count(answer: Answer) -> int:
    """The number in "OK 3"."""
    return int(answer.status.split()[1])


def exists(client: Client, *keys: bytes) -> int:
    return sum(fresh(client, key) is not None for key in keys)


def names(client: Client, pattern: bytes = b"*") -> list[str]:
    return [reading.name for reading in client.session.readings(glob(pattern)) if not reading.stale()]


def scan(client: Client, cursor: bytes, *options: bytes) -> list[Any]:
    """A cursor is a place in the order of the names' checksums, so that none is missed while others come and go."""
    pattern, most = b"*", 10
    if len(options) % 2:
        raise Refused("ERR syntax error")
    kind = "string"  # the only one there is
    for option, value in zip(options[::2], options[1::2], strict=True):
        match word(option):
            case "match":
                pattern = value
            case "count":
                if not (most := whole(value)):
                    raise Refused("ERR syntax error")
            case "type":
                kind = word(value)
            case _:
                raise Refused("ERR syntax error")
    try:
        start = whole(cursor)
    except Refused:
        raise Refused("ERR invalid cursor") from None
    placed = {name: place for name in names(client) if (place := crc32(name.encode())) >= start}
    page = nsmallest(most + 1, placed.values())
    following = page[-1] if len(page) > most else 0
    if following and page[0] == following:  # checksums that are the same stay together
        following += 1
    chosen = {name for name, place in placed.items() if not following or place < following}
    fitting = chosen.intersection(names(client, pattern)) if kind == "string" else ()
    return [str(following), sorted(fitting)]


def type_(client: Client, key: bytes) -> Simple:
    return Simple("none" if fresh(client, key) is None else "string")


def pttl(client: Client, key: bytes, unit: int = 1000) -> int:
    """How long the reading will be fresh: -1 for ever, -2 it is not there."""
    if (reading := fresh(client, key)) is None:
        return -2
    return -1 if reading.until == inf else ceil((reading.until - reading.clock.monotonic()) * unit)


def ttl(client: Client, key: bytes) -> int:
    return pttl(client, key, 1)


def strlen(client: Client, key: bytes) -> int:
    return len(get(client, key) or b"")


def dbsize(client: Client) -> int:
    return len(names(client))


COMMANDS = {
    "get": Command(get, 2, "name", "the value of a reading, nil where there is none"),
    "mget": Command(mget, -2, "name [name ...]", "values of readings"),
    "set": Command(set_, -3, "name value", "set a quantity; a name without a dot is a key of `manual`", "write"),
    "del": Command(delete, -2, "name [name ...]", "delete keys of `manual`", "write"),
    "unlink": Command(delete, -2, "name [name ...]", "delete keys of `manual`", "write"),
    "exists": Command(exists, -2, "name [name ...]", "how many of them have a value"),
    "keys": Command(names, 2, "pattern", "the names that have a value, and fit"),
    "scan": Command(scan, -2, "cursor [MATCH pattern] [COUNT count] [TYPE type]", "the same, in portions"),
    "type": Command(type_, 2, "name", "string, or none"),
    "ttl": Command(ttl, 2, "name", "seconds for which the reading will be fresh"),
    "pttl": Command(pttl, 2, "name", "milliseconds for which the reading will be fresh"),
    "strlen": Command(strlen, 2, "name", "the length of a value"),
    "dbsize": Command(dbsize, 1, "", "how many names have a value"),
    "flushdb": Command(flushdb, -1, "[ASYNC | SYNC]", "delete all keys of `manual`", "write"),
}
