"""Both sides of the wire of a text device that talks by itself and is told something, too: once it is opened, or when a
quantity is set.

What it says meanwhile is no answer, and not lost: all but the answer that is waited for goes where it always goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drivers.api import BadValue, Quantity, Sample, Talk, Value
from drivers.family.opening import Step, opened, spoken
from drivers.family.setting import Setting
from drivers.family.text import LONGEST, SLOT, Emulator, Line


class Told(Line):
    """One that has something to set, or is told something at first."""

    start: Callable[[], Talk[str]]

    def __init__(self, line: Line, init: tuple[Step, ...]) -> None:
        super().__init__(line.parse, line.fields, line.skip, line.derived)
        if init:
            self.start = partial(opened, init)


class Switched(Told):
    """One that has something to set."""

    def __init__(
        self, line: Line, init: tuple[Step, ...], settings: Mapping[Quantity, Setting], end: str, timeout: float
    ) -> None:
        super().__init__(line, init)
        self.settings, self.end, self.timeout = settings, end, timeout

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        setting = self.settings.get(quantity)
        if setting is None:
            raise BadValue(f"{quantity.name} cannot be set")
        yield from opened((spoken(setting.text(value), setting.done, self.end, self.timeout),))
        return {quantity: value}


class Hearing(Emulator):
    """The device's side of the wire: it answers what it is told, and from then on says what was set, wherever
    ``emulator.say`` has a slot of the quantity's name or of an alias of it."""

    def __init__(
        self,
        say: str,
        start: Mapping[str, Any],
        period: float,
        init: tuple[Step, ...],
        settings: Mapping[Quantity, Setting],
        names: Mapping[str, Any],
        end: str,
    ) -> None:
        super().__init__(say, start, period)
        self.init = {step.ask.write: step.answer for step in init}
        slots = {slot: names[slot.lower()].quantity for slot in SLOT.findall(say) if slot.lower() in names}
        self.settings: list[tuple[re.Pattern[str], Setting, list[str]]] = [
            (each.pattern(), each, [slot for slot, own in slots.items() if own is quantity])
            for quantity, each in settings.items()
        ]
        self.end, self.heard = end.encode(), b""

    def receive(self, data: bytes) -> bytes:
        self.heard, answers = self.heard + data, b""
        while self.end in self.heard:
            line, _, self.heard = self.heard.partition(self.end)
            answer = self.init.get(line + self.end) or self.obey(line.decode(errors="replace"))
            answers += answer + b"\r\n" * bool(answer)
        self.heard = self.heard[-LONGEST:]
        return answers

    def obey(self, line: str) -> bytes:
        for pattern, setting, slots in self.settings:
            if found := pattern.fullmatch(line):
                self.start = {**self.start, **dict.fromkeys(slots, found[1])}
                return setting.done.encode()
        return b""
