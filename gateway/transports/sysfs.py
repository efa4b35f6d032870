"""What the kernel shows of devices in /sys, read and written by one thread: a 1-Wire sensor keeps a reader for 750 ms.

A call that hangs in the kernel is its own device's trouble: it is left alone with its thread, and the others get a new
one.  Its device keeps that thread until a call ends in time: a 1-Wire sensor that was pulled out holds up each reader
for seconds, as long as the kernel believes in it.

Nothing tells when a device comes to sysfs, inotify neither, so what is absent is looked for once a second.  That and
the search by name touch the kernel's memory only, no hardware, and need no thread.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from glob import iglob
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from drivers.api import BadFrame, NoAnswer, Operation, Read, Sysfs, Write
from gateway.transports import Transport
from gateway.transports.queue import Failed, Job, Queue, code
from gateway.transports.rights import refused

MOST = 4096  # bytes: the kernel shows no more of a file
LOOK = 1.0  # seconds between two looks for what is absent
QUEUE = 256
TIMEOUT = 5.0  # seconds: a reader waits while a 1-Wire bus is searched
MISSING = {
    "": "not on this machine",
    "id": "not there; is it connected, and 1-Wire enabled (dtoverlay=w1-gpio)?",
    "iio": "no such IIO device; `gateway scan` lists those there are",
    "hwmon": "no such hwmon device; `gateway scan` lists those there are",
    "pwm": "no such PWM chip; `ls -l /sys/class/pwm` shows those there are; is one switched on (dtoverlay=pwm)?",
}


@dataclass(eq=False, slots=True)
class Place:
    """One device."""

    tree: Tree
    link: Sysfs
    word: str

    def perform(self, operation: Operation) -> Deferred[bytes]:
        try:
            folder = find(self.tree.root, self.link, self.word)
        except NoAnswer as error:
            return fail(error)
        assert isinstance(operation, Read | Write)
        path = os.path.realpath(os.path.join(folder, operation.attribute))
        if isinstance(operation, Write):
            return self.tree.write(folder, path, operation.text)
        return self.tree.enqueue(folder, f"reading {path}", partial(read, path))


@dataclass(eq=False, slots=True)
class Watched:
    link: Sysfs
    word: str
    appeared: Callable[[], None]
    there: bool = True


class Thread(Queue):
    """The thread for all; or the one of a device whose calls take too long."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree.reactor, "sysfs", lambda: None, limit=QUEUE, timeout=tree.timeout)
        self.tree = tree

    def hang(self, job: Job) -> None:
        self.late, self.stuck = None, True
        self.tree.leave(self, job)
        if not job.answer.called:
            job.answer.errback(NoAnswer(f"{job.about} takes longer than {self.timeout:g} s"))

    def done(self, job: Job, result: bytes | Exception, seconds: float) -> None:
        late = self.stuck
        super().done(job, result, seconds)
        if not late:
            self.tree.returned(self, job)


class Tree:
    """All of sysfs, at *root*."""

    log = Logger()

    def __init__(self, reactor: Any, root: str = "/sys", *, timeout: float = TIMEOUT) -> None:
        self.reactor, self.root, self.timeout = reactor, root, timeout
        self.thread = Thread(self)
        self.apart: dict[object, Thread] = {}  # of folders whose calls took too long
        self.writing: dict[tuple[str, str], list[Deferred[bytes]]] = {}
        self.watched = list[Watched]()
        self.looking = LoopingCall(self.look)
        self.looking.clock = reactor

    def at(self, link: Sysfs, word: str) -> Transport:
        """The device that the configuration calls *word*."""
        return Place(self, link, word)

    def enqueue(self, folder: str, about: str, call: Callable[[], bytes]) -> Deferred[bytes]:
        thread = self.apart.get(folder, self.thread)
        if thread.stuck:
            return fail(NoAnswer(f"{folder}: a call hangs in the kernel"))
        return thread.enqueue(folder, about, call)

    def write(self, folder: str, path: str, text: str) -> Deferred[bytes]:
        """One that waits or is under way serves all who want the same."""
        first = (path, text) not in self.writing
        waiting = self.writing.setdefault((path, text), [])
        answer: Deferred[bytes] = Deferred(waiting.remove)
        waiting.append(answer)
        if first:
            self.enqueue(folder, f"writing {path}", partial(write, path, text)).addBoth(self.written, (path, text))
        return answer

    def written(self, result: bytes | Failure, key: tuple[str, str]) -> None:
        for answer in self.writing.pop(key):
            answer.errback(result) if isinstance(result, Failure) else answer.callback(result)

    def leave(self, thread: Thread, job: Job) -> None:
        """*job* hangs in *thread*.  The others go on without it."""
        if thread is not self.thread:
            return
        self.log.warn("sysfs: {about} hangs", about=job.about)
        self.apart[job.place] = thread
        self.thread = Thread(self)
        self.thread.waiting, thread.waiting = thread.waiting, deque()
        self.thread.next()

    def returned(self, thread: Thread, job: Job) -> None:
        """*job* ended in time."""
        if thread is not self.thread:
            del self.apart[job.place]
            thread.close()

    def watch(self, link: Sysfs, word: str, appeared: Callable[[], None]) -> Callable[[], None]:
        """Call *appeared* soon after the device comes, until the result is called."""
        watched = Watched(link, word, appeared)
        self.watched.append(watched)
        if not self.looking.running:
            self.looking.start(LOOK, now=False)

        def cancel() -> None:
            if watched in self.watched:
                self.watched.remove(watched)
                if not self.watched:
                    self.looking.stop()

        return cancel

    def look(self) -> None:
        for watched in self.watched[:]:
            before, watched.there = watched.there, there(self.root, watched.link, watched.word)
            if watched.there and not before:
                try:
                    watched.appeared()
                except Exception:
                    self.log.failure("Bug on the way to {word}", word=watched.word)

    @property
    def running(self) -> Job | None:
        return self.thread.running

    @property
    def stuck(self) -> bool:
        return self.thread.stuck

    def close(self) -> Deferred[Any]:
        """Fires when the thread has ended; one that hangs cannot be."""
        self.watched.clear()
        if self.looking.running:
            self.looking.stop()
        return DeferredList([self.thread.close(), *(thread.close() for thread in self.apart.values())])


# Which folder


def find(root: str, link: Sysfs, word: str) -> str:
    """The folder of the device.  Raises NoAnswer where there is none, or more than one."""
    if not link.folder.endswith("*"):
        folder = os.path.join(root, link.folder.format(word))
        if not os.path.isdir(folder):
            raise NoAnswer(f"{word or folder}: {MISSING[link.key]}")
        return folder
    found = [folder for folder, names in named(root, link.folder) if word in names]
    if not found:
        raise NoAnswer(f"{word}: {MISSING[link.key]}")
    if len(found) > 1:
        full = ", ".join(names[1] for folder, names in named(root, link.folder) if folder in found)
        raise NoAnswer(f"{word}: there are {len(found)}: write which of {full} is meant")
    return found[0]


def there(root: str, link: Sysfs, word: str) -> bool:
    try:
        return bool(find(root, link, word))
    except NoAnswer:
        return False


def named(root: str, pattern: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The folders that fit *pattern*, the name of each, and its name with the one of the device it belongs to."""
    for folder in (os.path.join(root, found) for found in sorted(iglob(pattern, root_dir=root))):
        try:
            with open(os.path.join(folder, "name")) as file:
                name = file.read().strip()
        except (OSError, UnicodeDecodeError):  # it has none, or is just going
            continue
        device, real = os.path.join(folder, "device"), os.path.realpath(folder)
        owner = os.path.realpath(device) if os.path.exists(device) else os.path.dirname(real)
        yield folder, (name, f"{name}/{os.path.basename(owner)}")


# In the thread


def read(path: str) -> bytes:
    try:
        if os.path.isdir(path):
            return "".join(f"{name}\n" for name in (*sorted(os.listdir(path)), "")).encode()
        with open(path, "rb", buffering=0) as file:
            return file.read(MOST) or b""
    except OSError as error:
        raise failed(path, error) from error


def write(path: str, text: str) -> bytes:
    try:
        file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)  # it is never made: the kernel does that
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
    except OSError as error:
        raise failed(path, error) from error
    return b""


def failed(path: str, error: OSError) -> Failed:
    if error.errno in (errno.EACCES, errno.EPERM):
        return Failed(NoAnswer(refused(path)), code(error))
    kind = BadFrame if error.errno == errno.EIO else NoAnswer
    return Failed(kind(f"{path}: {REASONS.get(error.errno or 0, error.strerror)}"), code(error))


REASONS = {
    errno.ENOENT: "no such file",
    errno.EROFS: "read-only; a service needs it among its ReadWritePaths",
    errno.ETIMEDOUT: "the device does not answer",
    errno.EREMOTEIO: "the device does not answer",
    errno.ENXIO: "the device does not answer",
    errno.ENODEV: "the device is gone",
    errno.EIO: "the kernel's driver understood nothing",
}
