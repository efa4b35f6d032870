"""Both sides of the wire of an instrument that a table of the ``ask`` family describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from drivers.api import Ask, BadFrame, BadValue, Operation, Quantity, Sample, Talk, Value
from drivers.codec.framing import anything, fixed, terminated
from drivers.emulation import Ages, sway
from drivers.family import (
    inverse,
)
from drivers.family.opening import Step, opened
from drivers.family.setting import Setting
from drivers.family.text import PLAIN, Derived, Field, derive, matched

LONGEST = 1024  # bytes of an answer


SILENCE = 0.1  # seconds that end an answer which nothing else ends


@dataclass(frozen=True, slots=True)
class Dialect:
    """All that a table says of the device's language."""

    commands: tuple[tuple[str, re.Pattern[str]], ...]
    fields: Mapping[str, Field]
    derived: Derived
    settings: Mapping[Quantity, Setting]
    init: tuple[Step, ...]
    end: str
    answer_end: bytes
    timeout: float

    def sample(self, answers: Mapping[str, bytes]) -> Sample:
        """What the *answers* to commands say.  BadFrame, BadValue."""
        sample = dict[Quantity, Value]()
        for command, pattern in self.commands:
            if command in answers:
                for key, text in self.found(pattern, answers[command]).items():
                    if not self.fields[key].nothing(text.strip()):
                        sample[self.fields[key].quantity] = self.fields[key].read(text.strip())
        return derive(sample, self.derived)

    def found(self, pattern: re.Pattern[str], answer: bytes) -> Mapping[str, str]:
        try:
            text = answer.removesuffix(self.answer_end).decode().strip()
        except UnicodeDecodeError:
            raise BadFrame(f"no text: {answer[:60]!r}") from None
        end = self.answer_end
        if end and (not answer.endswith(end) or end in answer[: -len(end)]):
            raise BadFrame(f"no whole line: {answer[:60]!r}")
        try:
            return matched((pattern,), text)
        except BadFrame:
            raise BadFrame(f"{text[:60]!r} is not as {pattern.pattern}") from None


class Asked:
    """A device that only measures."""

    start: Callable[[], Talk[str]]

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        end = dialect.answer_end
        frame, gap = (terminated(end, longest=LONGEST), 0.0) if end else (anything(longest=LONGEST), SILENCE)
        self.asks = {
            command: Ask(f"{command}{dialect.end}".encode(), frame, dialect.timeout, gap)
            for command, _ in dialect.commands
        }
        if dialect.init:
            self.start = partial(opened, dialect.init)

    def measure(self) -> Talk[Sample]:
        answers = dict[str, bytes]()
        for command, ask in self.asks.items():
            answers[command] = yield ask
        return self.dialect.sample(answers)


class Outputs(Asked):
    """One that has something to set."""

    def write(self, quantity: Quantity, value: Value) -> Talk[Sample]:
        setting = self.dialect.settings.get(quantity)
        if setting is None:
            raise BadValue(f"{quantity.name} cannot be set")
        done = f"{setting.done}".encode() + self.dialect.answer_end if setting.done else b""
        write = f"{setting.text(value)}{self.dialect.end}".encode()
        frame = fixed(len(done), done) if done else anything()
        yield from opened(
            (Step(Ask(write, frame, self.dialect.timeout if done else 0.1, 0 if done else 0.05), done, 0),)
        )
        return {quantity: value}


class Emulator(Ages):
    """The device's side of the wire: it answers as the vectors show, with numbers that sway, and keeps what is set."""

    def __init__(self, dialect: Dialect, answers: Mapping[str, str]) -> None:
        self.dialect, self.answers = dialect, dict(answers)
        self.kept = dict[Field, str]()
        self.settings = [(each.pattern(), each) for each in dialect.settings.values()]
        self.init = {step.ask.write: step.answer for step in dialect.init}
        self.heard = b""

    def receive(self, data: bytes) -> bytes:
        self.heard += data
        end, answers = self.dialect.end.encode(), b""
        if not end:
            data, self.heard = self.heard, b""
            return self.init.get(data) or self.answer(data.decode(errors="replace"))
        while end in self.heard:
            line, _, self.heard = self.heard.partition(end)
            answers += self.init.get(line + end) or self.answer(line.decode(errors="replace"))
        self.heard = self.heard[-LONGEST:]
        return answers

    def answer(self, line: str) -> bytes:
        for command, pattern in self.dialect.commands:
            if command == line:
                return self.spoken(pattern, self.answers[command]).encode() + self.dialect.answer_end
        for pattern, setting in self.settings:
            if found := pattern.fullmatch(line):
                self.kept[setting.field] = found[1]
                return setting.done.encode() + self.dialect.answer_end if setting.done else b""
        return b""

    def spoken(self, pattern: re.Pattern[str], text: str) -> str:
        """The answer *text* with the numbers of now in it."""
        found = pattern.fullmatch(text.strip())
        assert found
        places = sorted((found.span(group), group) for group in pattern.groupindex if found[group] is not None)
        text = text.strip()
        for (start, end), group in reversed(places):
            for shown in self.now(self.dialect.fields[group.lower()], text[start:end]):
                new = text[:start] + shown + text[end:]
                if pattern.fullmatch(new):
                    break
            text = new
        return text

    def now(self, field: Field, text: str) -> tuple[str, ...]:
        """What stands in place of *text*; of what was set, as it was said and as the vector has it."""
        if field in self.kept:
            kept, number = PLAIN.fullmatch(self.kept[field]), PLAIN.fullmatch(text.strip())
            return (self.kept[field], *([alike(number[1], float(kept[1]))] if kept and number else ()))
        number = PLAIN.fullmatch(text.strip())
        quantity = field.quantity
        if not number or quantity.kind not in ("float", "int") or field.words or quantity in self.dialect.settings:
            return (text,)
        start = float(number[1].replace(" ", ""))
        low, high = sorted(inverse(end, field.scale, field.offset) for end in (quantity.low, quantity.high))
        now = min(max(sway(self.age, start, abs(start) / 50, 60), low), high)
        return (text.replace(number[1], alike(number[1], now), 1),)


def alike(text: str, number: float) -> str:
    """*number*, written as *text* is."""
    mantissa, mark, _ = text.partition("E" if "E" in text else "e")
    digits = len(mantissa.partition(".")[2])
    return f"{number:{'+' if text[0] == '+' else ''}.{digits}{mark or 'f'}}"


def heard(emulator: Emulator, wanted: Operation) -> bytes:
    assert isinstance(wanted, Ask)
    return emulator.receive(wanted.write)
