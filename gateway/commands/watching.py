"""Commands after which the gateway speaks by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.commands.grammar import GLOB, Answer, CommandError
from gateway.hub import matcher
from gateway.manual import NAME as MANUAL

if TYPE_CHECKING:
    from gateway.commands.run import Session


PATTERNS = 100  # watched by one session, at most


def do_watch(me: Session, *patterns: str) -> Answer:
    if me.push is None:
        raise CommandError("denied", "nothing can be pushed to you here")
    wanted = tuple(map(me.full, patterns or ("*",)))
    watched = tuple(dict.fromkeys(me.watched + wanted))
    if len(watched) > PATTERNS:
        raise CommandError("limit", f"{PATTERNS} patterns at most")
    for pattern in wanted:
        if not GLOB.intersection(pattern):
            me.quantity(pattern, allow=MANUAL)
    match = matcher(watched)
    me.subscribe(watched)
    return Answer(status=f"OK {sum(1 for name in me.names() if match(name))}")


def do_unwatch(me: Session, *patterns: str) -> Answer:
    me.settle()
    gone = set(map(me.full, patterns)) or set(me.watched)
    me.subscribe(tuple(pattern for pattern in me.watched if pattern not in gone))
    return Answer(status=f"OK {len(me.watched)}")
