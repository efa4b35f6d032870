"""What can go wrong on the way between a device and the gateway, for whatever is emulated.

``Faulty`` stands around any emulator, and is one itself: the transport sees the device through it.  Faults are of
the wire and of the plug; no emulator knows of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime

from drivers.api import GPIO, SPI, Emulates, Link, NoAnswer, Sysfs

LATE = 1.5  # seconds
REMEMBERED = 64  # answers, of which the last is given again
KINDS = {
    "drop": "every other transfer is lost, and of what a serial device says one byte in each piece",
    "corrupt": "in each answer one bit is wrong, not always the same",
    "delay": f"answers come {LATE:g} s late",
    "nack": "nobody answers",
    "stuck": "the line is held: all bits read 0",
    "unplug": "pulled out; what is plugged in again has just been switched on",
    "wrong": "something else answers in its place",
    "stale": "each answer is the one before it again",
}
# What they are elsewhere, and why there are some that cannot be.
SELECTED = {"drop": "every other transfer reaches no chip, and reads ones"}
LINES = {
    "drop": "every other change is not told",
    "corrupt": "each change bounces: the level goes there, back and there",
    "delay": f"the level comes {LATE:g} s late",
    "stuck": "the level stays as it is",
    "unplug": "the chip with the line is gone; what is plugged in again has just been switched on",
}
FILES = {
    "drop": "half of the files are empty, others each time",
    "corrupt": "in each file one bit is wrong, not always the same",
    "delay": f"each call takes {LATE:g} s longer",
    "nack": "the files are there, and cannot be read",
    "stuck": "each digit is 0",
    "unplug": "the files are gone; what is plugged in again has just been switched on",
    "wrong": "there are the files of another device",
    "stale": "the files stay as they are",
}
NOBODY = "nobody acknowledges on SPI; a chip that says nothing reads as ones, and that is `unplug`"
ON_LINES = {
    "nack": "nobody acknowledges on a line; a chip that is gone is `unplug`",
    "wrong": "a line has but its level, and that tells nobody's identity",
    "stale": "a level that is told again and again is one that does not change: `stuck`",
}
ON_OUTPUTS = dict.fromkeys(("drop", "corrupt", "delay"), "nobody listens to an output; it can be `stuck`")
UNREADABLE = "\0"  # in place of a file's text: the kernel fails to read it


class Stranger:
    """Something that is none of ours: a chip that acknowledges all and has something in each register, a modem
    that talks, a Modbus unit that has other registers, a folder of another kind of device."""

    def __init__(self) -> None:
        self.files = {"uevent": "MODALIAS=stranger\n"}
        self.pointer, self.age = 0, 0.0

    def transfer(self, write: bytes, read: int) -> bytes:
        self.pointer = write[0] if write else self.pointer
        return bytes((self.pointer + at) * 7 + 0x29 & 0xFF for at in range(read))

    def receive(self, data: bytes) -> bytes:
        return data + b"\r\nERROR\r\n"  # with its echo on

    def answer(self, pdu: bytes) -> bytes:
        return bytes((pdu[0] | 0x80, 2))

    def tick(self, seconds: float) -> bytes:
        before, self.age = self.age, self.age + seconds
        return b"RING\r\n" if int(self.age) > int(before) else b""


class Faulty:
    """The device that *make* makes, with one thing wrong at a time, or nothing.  The same on every run."""

    def __init__(self, clock: IReactorTime, link: Link, make: Callable[[], Emulates]) -> None:
        self.clock, self.link, self.make = clock, link, make
        self.floats = isinstance(link, SPI)  # without a chip the line is pulled up, and nobody notices
        self.emulator: Any = make()
        self.stranger = Stranger()
        self.dice = Random(1)
        self.fault, self.until, self.count = "", inf, 0
        self.last: dict[object, bytes] = {}
        self.held: dict[str, Any] = {}
        self.late: list[tuple[float, bytes]] = []
        self.past: list[tuple[float, dict[str, bool]]] = []  # levels that are late
        self.bouncing = ""

    def begin(self, kind: str, seconds: float = inf) -> None:
        """From now on *kind* is wrong, for so long.  "" ends what is.  ValueError for a kind that this link has not."""
        if kind:
            check(self.link, kind)
        if kind == "unplug":
            self.emulator = self.make()
            self.last.clear()
        self.held = dict(self.inside("levels") or self.inside("files"))
        self.past.clear()
        self.fault, self.until, self.count = kind, self.clock.seconds() + seconds, 0

    @property
    def kind(self) -> str:
        """What is wrong now."""
        if self.fault and self.clock.seconds() >= self.until:
            self.fault = ""
        return self.fault

    @property
    def plugged(self) -> bool:
        return self.kind != "unplug"

    @property
    def delay(self) -> float:
        """Seconds by which a transfer takes longer."""
        return LATE if self.kind == "delay" else 0.0

    def there(self) -> Any:
        """Who answers.  Raises NoAnswer where that is nobody."""
        self.count += 1
        if self.kind in ("nack", "unplug") or (self.kind == "drop" and self.count % 2):
            raise NoAnswer(f"emulated fault: {self.kind}")
        return self.stranger if self.kind == "wrong" else self.emulator

    # On a bus

    def transfer(self, write: bytes, read: int) -> bytes:
        try:
            there = self.there()
        except NoAnswer:
            if self.floats:
                return b"\xff" * read
            raise
        answer: bytes = there.transfer(write, read)
        return self.spoilt((write, read), answer)

    # On a serial line

    def receive(self, data: bytes) -> bytes:
        if self.kind in ("nack", "unplug"):
            return b""
        return self.sent(data, (self.stranger if self.kind == "wrong" else self.emulator).receive(data))

    def tick(self, seconds: float) -> bytes:
        if not self.plugged:
            return b""  # without power no time goes by
        said: bytes = self.emulator.tick(seconds)
        if self.kind == "delay" and isinstance(self.link, GPIO):
            self.past.append((self.clock.seconds(), dict(self.inside("levels"))))
        if self.kind == "wrong":
            said = self.stranger.tick(seconds)
        due = b"".join(data for at, data in self.late if at <= self.clock.seconds())
        self.late = [(at, data) for at, data in self.late if at > self.clock.seconds()]
        return due + self.sent("said", said)

    def answer(self, pdu: bytes) -> bytes:
        """On a Modbus line, which passes the whole frame through ``wire``."""
        answer: bytes = (self.stranger if self.kind == "wrong" else self.emulator).answer(pdu)
        return answer

    def wire(self, pdu: bytes, frame: bytes) -> bytes:
        return self.sent(pdu, frame)

    def sent(self, key: object, data: bytes) -> bytes:
        """What of *data* arrives at once."""
        if not data or self.kind in ("nack", "unplug"):
            return b""
        if self.kind == "drop":
            lost = self.dice.randrange(len(data))
            return data[:lost] + data[lost + 1 :]
        if self.kind == "delay":
            self.late.append((self.clock.seconds() + LATE, data))
            return b""
        return self.spoilt(key, data)

    def spoilt(self, key: object, data: bytes) -> bytes:
        """*data* as it arrives; *key* stands for what was asked."""
        if not data:
            return b""
        match self.kind:
            case "corrupt":
                bit = self.dice.randrange(len(data) * 8)
                return (int.from_bytes(data) ^ 1 << bit).to_bytes(len(data))
            case "stuck":
                return bytes(len(data))
            case "stale":
                return self.last.get(key, data)
            case "":
                if len(self.last) >= REMEMBERED:
                    self.last.clear()
                self.last[key] = data
        return data

    # On GPIO lines, and in a folder of the kernel

    @property
    def levels(self) -> dict[str, bool]:
        levels: dict[str, bool] = self.inside("levels")
        if self.kind == "delay":
            due = [levels for at, levels in self.past if at <= self.clock.seconds() - LATE]
            return due[-1] if due else self.held
        if self.bouncing:
            return {**levels, self.bouncing: not levels[self.bouncing]}
        return self.held if self.kind == "stuck" else levels

    def edge(self, line: str, tell: Callable[[], object]) -> None:
        """*line* changed, and *tell* has whoever listens look at it."""
        self.count += 1
        if self.kind == "drop" and self.count % 2 == 0:
            return
        tell()
        if self.kind == "corrupt":
            self.bouncing = line
            tell()
            self.bouncing = ""
            tell()

    @property
    def files(self) -> dict[str, str]:
        files = self.inside("files")
        match self.kind:
            case "unplug":
                return {}
            case "wrong":
                return self.stranger.files
            case "stale":
                return self.held
            case "nack":
                return dict.fromkeys(files, UNREADABLE)
            case "drop":
                return Spoilt(files, lambda text: text * self.dice.randrange(2))
            case "stuck":
                return Spoilt(files, zeroed)
            case "corrupt":
                return Spoilt(files, self.misread)
        return files

    def misread(self, text: str) -> str:
        """*text* with one bit of one character wrong."""
        if not text:
            return text
        at = self.dice.randrange(len(text))
        return text[:at] + chr(ord(text[at]) ^ 1 << self.dice.randrange(7)) + text[at + 1 :]

    def inside(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = getattr(self.emulator, what, {})
        return found


class Spoilt(dict[str, str]):
    """*files* as *spoil* has them; what is written goes to the device."""

    def __init__(self, files: dict[str, str], spoil: Callable[[str], str]) -> None:
        super().__init__({name: spoil(text) for name, text in files.items()})
        self.inside = files

    def __setitem__(self, name: str, text: str) -> None:
        self.inside[name] = text


def zeroed(text: str) -> str:
    return re.sub("[1-9]", "0", text)


def kinds(link: Link) -> dict[str, str]:
    """What can go wrong on *link*, and what that means there."""
    never = unfit(link)
    texts = {**KINDS, **{SPI: SELECTED, GPIO: LINES, Sysfs: FILES}.get(type(link), {})}
    return {kind: text for kind, text in texts.items() if kind not in never}


def unfit(link: Link) -> Mapping[str, str]:
    """What cannot, and why."""
    match link:
        case SPI():
            return {"nack": NOBODY}
        case GPIO(direction="out"):
            return {**ON_LINES, **ON_OUTPUTS}
        case GPIO():
            return ON_LINES
    return {}


def check(link: Link, kind: str) -> None:
    """ValueError, with what there is, where *kind* cannot go wrong on *link*."""
    if kind not in (there := kinds(link)):
        why = unfit(link).get(kind, "no such fault")
        raise ValueError(f"{kind}: {why}; there are {', '.join(there)}")


class Faults:
    """All emulated devices, by name."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.devices: dict[str, Faulty] = {}

    def around(self, device: str, link: Link, make: Callable[[], Emulates]) -> Any:
        """What *make* makes, with a place for faults around it."""
        faulty = self.devices[device] = Faulty(self.clock, link, make)
        return faulty

    def forget(self, device: str) -> None:
        self.devices.pop(device, None)

    def now(self) -> dict[str, str]:
        return {name: faulty.kind for name, faulty in self.devices.items() if faulty.kind}

    def kinds(self, device: str) -> dict[str, str]:
        return kinds(self.find(device).link)

    def begin(self, device: str, kind: str, seconds: float | None = None) -> None:
        self.find(device).begin(kind, inf if seconds is None else seconds)

    def find(self, device: str) -> Faulty:
        if (faulty := self.devices.get(device)) is None:
            raise ValueError(f"{device} is not emulated, or not enabled")
        return faulty
