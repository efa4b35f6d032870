"""A folder that looks as /sys does where emulated devices are, for ``--emulate``, ``demo`` and the tests.

The gateway reads and writes true files in it, with its own transport.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from drivers.api import Sysfs, SysfsEmulator
from gateway.transports.emulated import ticking
from gateway.transports.faults import UNREADABLE
from gateway.transports.sysfs import Tree

EVERY = 1.0  # seconds between two states of the files


class EmulatedTree(Tree):
    """The true transport, at *root*; a call for one of *folders* lasts as long as a fault has it (``faults``)."""

    def __init__(self, reactor: Any, root: str, folders: Mapping[str, EmulatedFolder]) -> None:
        super().__init__(reactor, root)
        self.folders = folders

    def enqueue(self, folder: str, about: str, call: Callable[[], bytes]) -> Deferred[bytes]:
        here = [each.emulator for each in self.folders.values() if each.folder == Path(folder)]
        delay = max((getattr(emulator, "delay", 0.0) for emulator in here), default=0.0)
        return super().enqueue(folder, about, partial(lasting, delay, call) if delay else call)


def lasting(seconds: float, call: Callable[[], bytes]) -> bytes:
    """In the thread: as a reader whom the kernel keeps waiting."""
    time.sleep(seconds)
    return call()


class EmulatedFolder:
    """The folder of one device below *root*, as *emulator* has it.  ``close`` takes it away."""

    def __init__(self, clock: IReactorTime, root: Path, link: Sysfs, word: str, emulator: SysfsEmulator) -> None:
        self.emulator = emulator
        self.folder = place(root, link.folder, word)
        self.own = link.key != ""
        self.name = {"name": f"{word.partition('/')[0]}\n"} if link.folder.endswith("*") else {}
        self.shown: dict[str, str] = {}
        self.age = 0.0
        self.show()
        self.stop: Callable[[], None] = ticking(clock, self.tick)

    def tick(self, seconds: float) -> None:
        self.age += seconds
        if self.age >= EVERY:
            age, self.age = self.age, 0.0
            self.take()
            self.emulator.tick(age)
            self.show()

    def take(self) -> None:
        """What the gateway wrote."""
        files = self.emulator.files
        for attribute, text in self.shown.items():
            path = self.folder / attribute
            if attribute in files and path.exists() and (now := path.read_bytes().decode()) != text:
                files[attribute] = now

    def show(self) -> None:
        wanted = {**self.name, **files} if (files := self.emulator.files) else {}
        for attribute in self.shown.keys() - wanted.keys():
            (self.folder / attribute).unlink(missing_ok=True)
        for attribute, text in wanted.items():
            path = self.folder / attribute
            if self.shown.get(attribute) != text or not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                new = path.with_name(f".{path.name}.new")  # at once, as a reader of sysfs sees it
                if text == UNREADABLE:
                    new.symlink_to("emulated fault")
                else:
                    new.write_bytes(text.encode())
                new.replace(path)
        self.shown = wanted
        if not wanted:
            self.remove()

    def remove(self) -> None:
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        self.stop()
        self.remove()


def place(root: Path, pattern: str, word: str) -> Path:
    """A folder for a device that is called *word*."""
    if not pattern.endswith("*"):
        return root / pattern.format(word)
    return next(folder for number in count() if not (folder := root / f"{pattern[:-1]}{number}").exists())
