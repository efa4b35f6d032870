"""A folder that looks as /sys does where emulated devices are, for ``--emulate``, ``demo`` and the tests.

The gateway reads and writes true files in it, with its own transport.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from drivers.api import Sysfs, SysfsEmulator
from gateway.transports.emulated import ticking
from gateway.transports.faults import UNREADABLE

EVERY = 1.0  # seconds between two states of the files


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
