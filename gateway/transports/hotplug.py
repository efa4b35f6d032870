"""Tells when the path of an unplugged device is there again, so that nobody has to wait for the next retry.

One inotify serves all paths.  Of each it watches the folders that decide whether the path exists: those of
the links on the way (udev's by-id names), and the deepest folder there is, as udev removes empty ones.
What inotify misses, by overflow or for want of watches, the retries of ClientService find.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet import inotify
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

MASK = (
    inotify.IN_CREATE
    | inotify.IN_ATTRIB  # udev gives the device to its group after it made it
    | inotify.IN_MOVED_TO
    | inotify.IN_MOVED_FROM
    | inotify.IN_DELETE
    | inotify.IN_MOVE_SELF
)
BURST = 0.05  # seconds in which events count as one
KINDS = {"usb:": "tty", "gpio:": "gpiochip"}  # what is no path, and how the files of its kind begin
LINKS = 40  # steps from link to link, as in the kernel


def entries(path: str) -> frozenset[str]:
    """The entries that decide whether *path* exists: each link on the way, and the last entry looked for, be it
    there or not.  *path* is absolute."""
    at, found, steps = "/", list[str](), 0
    todo = [part for part in path.split("/") if part]
    while todo and steps < LINKS:
        part = todo.pop(0)
        entry = os.path.dirname(at) if part == ".." else os.path.join(at, part)
        try:
            target = os.readlink(entry)
        except OSError:  # no link
            if not todo or not os.path.isdir(entry):
                found.append(entry)
                break
            at = entry
        else:
            steps += 1
            found.append(entry)
            at = "/" if target.startswith("/") else at
            todo = [part for part in target.split("/") if part not in ("", ".")] + todo
    return frozenset(found)


def kind(path: str) -> str:
    """How files begin of which any may be meant with *path*; "" for a path."""
    return next((name for prefix, name in KINDS.items() if path.startswith(prefix)), "")


class Notifier(inotify.INotify):
    """Twisted's own ends for good when a watched folder is deleted; this one goes on."""

    def loseConnection(self) -> None:
        pass


@dataclass(eq=False, slots=True)
class Watched:
    path: str
    appeared: Callable[[], None]
    there: bool = False
    entries: frozenset[str] = field(default_factory=frozenset)


class Hotplug:
    """Watches any number of paths; ``close`` ends them all.  *dev* is where USB adapters turn up."""

    log = Logger()

    def __init__(self, reactor: Any, dev: str = "/dev") -> None:
        self.reactor, self.dev = reactor, dev
        self.paths = list[Watched]()
        self.touched = set[str]()  # entries that events told of since the last look
        self.folders = set[str]()  # watched
        self.stale = set[str]()  # watched, and moved away since
        self.look: IDelayedCall | None = None
        self.notifier: Notifier | None = None

    def watch(self, path: str, appeared: Callable[[], None]) -> Callable[[], None]:
        """Call *appeared* soon after *path*, or for ``usb:...`` any port, for ``gpio:...`` any GPIO chip, comes or
        changes.  The result ends it."""
        watched = Watched(path if kind(path) else os.path.abspath(path), appeared)
        self.paths.append(watched)
        self.settle()

        def cancel() -> None:
            if watched in self.paths:
                self.paths.remove(watched)
                self.settle()

        return cancel

    def close(self) -> None:
        self.paths.clear()
        self.folders.clear()
        if self.look is not None:
            self.look.cancel()
            self.look = None
        if self.notifier is not None:
            self.notifier.connectionLost(Failure(inotify.INotifyError("closed")))
            self.notifier = None

    def event(self, watch: Any, path: FilePath[bytes], mask: int) -> None:
        name = os.fsdecode(path.path)
        self.touched.add(name)
        if mask & inotify.IN_MOVE_SELF:
            self.stale.add(name)
        elif mask & inotify.IN_DELETE_SELF:  # Twisted itself takes the watch away
            self.folders.discard(name)
        if self.look is None:
            self.look = self.reactor.callLater(BURST, self.looked)

    def looked(self) -> None:
        self.look = None
        touched, self.touched = self.touched, set()
        for folder in self.stale & self.folders:
            self.ignore(folder)
        self.stale.clear()
        before = [(watched, watched.there, watched.entries) for watched in self.paths]
        self.settle()
        for watched, there, entries in before:
            if of_a_kind := kind(watched.path):
                new = any(entry.startswith(os.path.join(self.dev, of_a_kind)) for entry in touched)
            else:
                new = not there or not touched.isdisjoint(entries | watched.entries)
            if watched.there and new:
                self.tell(watched)

    def tell(self, watched: Watched) -> None:
        if watched in self.paths:  # one told before may have cancelled it
            try:
                watched.appeared()
            except Exception:
                self.log.failure("Bug on the way to {path}", path=watched.path)

    def settle(self) -> None:
        """Watch what is to be watched.  Folders may come while we do: so do it until nothing changes."""
        for _ in range(LINKS):
            found = dict[str, tuple[frozenset[str], bool]]()  # many devices may hang on one path
            for watched in self.paths:
                if watched.path not in found:
                    found[watched.path] = self.follow(watched.path)
                watched.entries, watched.there = found[watched.path]
            wanted = {os.path.dirname(entry) for watched in self.paths for entry in watched.entries}
            for folder in self.folders - wanted:
                self.ignore(folder)
            if not (missing := wanted - self.folders):
                return
            for folder in missing:
                self.add(folder)

    def follow(self, path: str) -> tuple[frozenset[str], bool]:
        """The entries that decide whether there is something, and whether there is."""
        if of_a_kind := kind(path):
            return frozenset({os.path.join(self.dev, of_a_kind)}), True
        return entries(path), os.path.exists(path)

    def add(self, folder: str) -> None:
        self.folders.add(folder)
        try:
            if self.notifier is None:
                self.notifier = Notifier(self.reactor)
                self.notifier.startReading()
            self.notifier.watch(FilePath(os.fsencode(folder)), MASK, callbacks=[self.event])
        except inotify.INotifyError as error:
            if not os.path.isdir(folder):  # gone again
                self.folders.discard(folder)
                return
            self.log.warn("no hot-plug in {folder}, only retries: {error}", folder=folder, error=str(error))

    def ignore(self, folder: str) -> None:
        self.folders.discard(folder)
        try:
            if self.notifier is not None:
                self.notifier.ignore(FilePath(os.fsencode(folder)))
        except KeyError:  # it never was, or went with its folder
            pass
