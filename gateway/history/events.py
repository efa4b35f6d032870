"""What happened to devices, and who wrote what: the tables ``event`` and ``deed``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import astuple
from typing import Any

from gateway.history.past import spans
from gateway.history.question import Deed, Event, HistoryError, Question
from gateway.history.store import Store

EVENT = "boot, ms, device, what, text, count"
DEED = "boot, ms, who, origin, interface, name, old, new, result"


def add_event(store: Store, boot: int, ms: int, device: str, what: str, text: str, count: int = 1) -> None:
    """With the next commit; as ``add_deed``."""
    store.put(f"INSERT INTO event ({EVENT}) VALUES (?, ?, ?, ?, ?, ?)", boot, ms, device, what, text, count)


def add_deed(store: Store, boot: int, ms: int, deed: Deed) -> None:
    store.put(f"INSERT INTO deed ({DEED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", boot, ms, *astuple(deed))


def events(store: Store, question: Question, devices: tuple[str, ...]) -> tuple[Event, ...]:
    """What happened to *devices*, or to all; of too much the newest."""
    chosen = f"device IN ({', '.join('?' * len(devices))})" if devices else "1"
    rows = newest(store, "event", "device, what, text, count", question, chosen, devices)
    return tuple(Event(boot, ms, wall, *rest) for boot, ms, wall, *rest in rows)


def deeds(store: Store, question: Question) -> tuple[tuple[float | None, Deed], ...]:
    """Who wrote what; of too much the newest."""
    rows = newest(store, "deed", "who, origin, interface, name, old, new, result", question)
    return tuple((wall, Deed(*rest)) for _, _, wall, *rest in rows)


def newest(
    store: Store, table: str, more: str, question: Question, chosen: str = "1", with_: tuple[str, ...] = ()
) -> list[Any]:
    """The last rows of *table* that *question* asks for: boot, millisecond, Unix time, and *more*.  Those that wait for
    the next commit are there, too: that comes first, or they go on waiting, for room on the disk."""
    if store.queue:
        with suppress(HistoryError):
            store.commit()
    waiting = [values for statement, values in store.queue if statement.startswith(f"INSERT INTO {table} ")]
    found: list[Any] = []
    for span in reversed(spans(store, question)):
        asked = f"SELECT ms, {more} FROM {table} WHERE boot=? AND ms>=? AND ms<? AND {chosen} ORDER BY id DESC LIMIT ?"
        offset, values = span.offset, (span.boot, span.start, span.stop, *with_, question.limit)
        mine = [row for boot, *row in reversed(waiting) if boot == span.boot and span.start <= row[0] < span.stop]
        rows = [row for row in mine if not with_ or row[1] in with_]
        rows += store.db.execute(asked, values).fetchall()
        for ms, *rest in rows[: question.limit - len(found)]:
            found.append((span.boot, ms, None if offset is None else (ms + offset) / 1000, *rest))
        if len(found) >= question.limit:
            break
    return found[::-1]
