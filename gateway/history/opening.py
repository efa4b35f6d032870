"""Which store it is: the one that is configured, a new one where that is damaged, or memory where there is none to be
had.  All of it waits for the disk."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from gateway.history.file import MEMORY, Damaged, HistoryError, set_aside
from gateway.history.rescue import rescue
from gateway.history.store import Store
from gateway.history.succession import succeed


def opened(path: str | None) -> tuple[Store, str]:
    """The store at *path*, or one in memory and why.  A damaged one is set aside."""
    if path is None:
        return Store(), ""
    try:
        try:
            return Store(path), ""
        except Damaged as error:
            aside = set_aside(path)
            store = Store(path)
            rescue(aside, store)
            return store, f"{error}; it is now {aside}: see `gateway history repair`"
    except HistoryError as error:
        return Store(), str(error)


def replaced(damaged: Store) -> tuple[Store, str]:
    """A new store in place of one that broke while it was used, with all that is in memory; and what happened."""
    with suppress(sqlite3.Error):
        damaged.db.close()
    path, aside = damaged.path, set_aside(damaged.path)
    fresh, why = opened(path)
    rescue(aside, fresh)
    succeed(damaged, fresh, blocks=False)
    return fresh, why or f"{path} was damaged, and is now {aside}"


def moved(memory: Store, path: str) -> Store:
    """The store at *path*, with all that was kept in *memory* until it could be had.  Raises HistoryError."""
    fresh, why = opened(path)
    if fresh.path == MEMORY:
        raise HistoryError(why)
    try:
        if fresh.boot >= memory.boot:  # we could not know, and two boots must not have one number
            raise HistoryError(f"{path} has {fresh.boot} starts, and takes over when the gateway is restarted")
        succeed(memory, fresh)
    except BaseException:
        fresh.db.close()
        raise
    memory.close()
    return fresh
