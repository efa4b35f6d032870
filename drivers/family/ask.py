"""The ``ask`` family: tables of text devices that answer when they are asked: instruments, scales, controllers.  How to
write one: docs/tables.md.

    MEAS:VOLT:DC? LF          a command and its end
    +1.23456000E+01 CR LF     one line of answer
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from drivers.api import Ask, BadFrame, BadValue, Driver, Operation, Quantity, Sample, Serial, Talk, Value
from drivers.codec.framing import anything, fixed, terminated
from drivers.emulation import sway
from drivers.family import (
    ABOUT,
    NUMBER,
    PORT,
    TEXT,
    BadTable,
    Key,
    Problems,
    Table,
    about,
    inverse,
    nearest,
    take,
)
from drivers.family.line import declared, read_fields
from drivers.family.opening import Step, opened, read_init
from drivers.family.proof import ERRORS, judged, mute, named
from drivers.family.text import PLAIN, Derived, Field, derive, matched

LONGEST = 1024  # bytes of an answer
SILENCE = 0.1  # seconds that end an answer which nothing else ends
TABLE = {
    **ABOUT,
    "family": Key((str,), ..., ("ask",)),
    "serial": Key((dict,), {}),
    "line": Key((dict,), {}),
    "init": Key((list,), [], items=dict),
    "ask": Key((list,), items=dict),
}
LINE = {
    "end": Key((str,), "\r\n"),  # behind a command
    "answer_end": Key((str,), None),  # behind an answer; as behind a command
    "timeout": Key(NUMBER, 1.0, span=(0.01, 60)),
}
ASK = {"send": Key((str,)), "match": Key((str,))}
OWN = {**TEXT, "set": Key((str,), ""), "done": Key((str,), "")}
VECTOR = {"ask": Key((str,)), "answer": Key((str,)), "gives": Key((dict,), {}), "error": Key((str,), "", ERRORS)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The table has said it all."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a quantity is set: a command with ``{value}`` in it, and the answer that says it is done, if one comes."""

    field: Field
    command: str
    done: str


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
                    sample[self.fields[key].quantity] = self.fields[key].read(text.strip())
        return derive(sample, self.derived)

    def found(self, pattern: re.Pattern[str], answer: bytes) -> Mapping[str, str]:
        try:
            text = answer.decode().strip()
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
        text = said(setting.field, value)
        done = f"{setting.done}".encode() + self.dialect.answer_end if setting.done else b""
        write = f"{setting.command.replace('{value}', text)}{self.dialect.end}".encode()
        frame = fixed(len(done), done) if done else anything()
        yield from opened(
            (Step(Ask(write, frame, self.dialect.timeout if done else 0.1, 0 if done else 0.05), done, 0),)
        )
        return {quantity: value}


def said(field: Field, value: Value) -> str:
    """*value* as the device writes it."""
    if field.words is not None:
        shown = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
        return next(text for text, word in field.words.items() if word == shown)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    number = inverse(value, field.scale, field.offset)
    return f"{number:.9g}" if "e" not in f"{number:.9g}" else f"{number:.9f}"


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", PORT, problems)
    line = take(top["line"], "line", LINE, problems)
    quantities = {} if top["quantity"] is ... else top["quantity"]
    fields, derived = read_fields(quantities, OWN, problems)
    settings = read_settings(fields, quantities, problems)
    commands = read_commands([] if top["ask"] is ... else top["ask"], fields, problems)
    init = read_init(top["init"], line["end"], problems)
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    for at, vector in enumerate(vectors):
        if vector["ask"] is not ... and vector["ask"] not in dict(commands):
            problems.append(
                (f"vector.{at}.ask", f"{vector['ask']!r} is not asked{nearest(vector['ask'], dict(commands))}")
            )
    for at, (command, _) in enumerate(commands):
        if not any(vector["ask"] == command and not vector["error"] for vector in vectors):
            reason = "has no vector with a good answer, which the emulator gives, too"
            problems.append((f"ask.{at}.send", f"{command!r} {reason}"))
    if problems:
        raise BadTable(problems)
    end = line["end"] if line["answer_end"] is None else line["answer_end"]
    dialect = Dialect(commands, fields, derived, settings, init, line["end"], end.encode(), float(line["timeout"]))
    for at, vector in enumerate(vectors):
        decode = partial(
            lambda vector: named(dialect.sample({vector["ask"]: vector["answer"].encode() + dialect.answer_end})),
            vector,
        )
        problems += judged(f"vector.{at}", vector, decode, lambda: "")
    answers = {vector["ask"]: vector["answer"] for vector in reversed(vectors) if not vector["error"]}
    make = partial(Outputs if settings else Asked, dialect)
    emulator = partial(Emulator, dialect, answers)
    if not problems:
        device = emulator()
        problems += mute(make().measure, lambda wanted: heard(device, wanted))
    if problems:
        raise BadTable(problems)
    return Driver(
        name=name,
        title=top["title"],
        link=Serial(**serial),
        quantities=declared(fields, derived),
        period=float(top["period"]),
        settings=Settings,
        device=lambda settings: make(),
        emulator=emulator,
        documentation=about(top, guarded=False),
    )


def read_settings(fields: Mapping[str, Field], spoken: Table, problems: Problems) -> Mapping[Quantity, Setting]:
    settings = {}
    for name, spec in spoken.items():
        if isinstance(spec, dict) and isinstance(spec.get("set"), str) and name.lower() in fields:
            field = fields[name.lower()]
            settings[field.quantity] = Setting(field, spec["set"], str(spec.get("done", "")))
            if "{value}" not in spec["set"]:
                problems.append((f"quantity.{name}.set", 'holds no {value}, such as "VOLT {value}"'))
    return settings


def read_commands(
    spoken: list[Table], fields: Mapping[str, Field], problems: Problems
) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each command, and what its answer looks like."""
    found = []
    if not spoken:
        problems.append(("ask", "is missing: [[ask]] with `send` and `match`"))
    for at, each in enumerate(spoken):
        taken = take(each, f"ask.{at}", ASK, problems)
        if ... in taken.values():
            continue
        try:
            pattern = re.compile(taken["match"])
        except (re.error, RecursionError, OverflowError) as error:
            problems.append((f"ask.{at}.match", f"no regular expression: {error}"))
            continue
        groups = [group for group in pattern.groupindex if group.lower() not in fields]
        problems += [(f"ask.{at}.match", f"group {group!r} is no quantity{nearest(group, fields)}") for group in groups]
        if not pattern.groupindex:
            problems.append((f"ask.{at}.match", "names no quantity: (?P<voltage>...)"))
        found.append((taken["send"], pattern))
    return tuple(found)


class Emulator:
    """The device's side of the wire: it answers as the vectors show, with numbers that sway, and keeps what is set."""

    def __init__(self, dialect: Dialect, answers: Mapping[str, str]) -> None:
        self.dialect, self.answers = dialect, dict(answers)
        self.kept = dict[Field, str]()
        self.settings = [
            (re.compile(re.escape(each.command).replace(r"\{value\}", "(.+)")), each)
            for each in dialect.settings.values()
        ]
        self.init = {step.ask.write: step.answer for step in dialect.init}
        self.age, self.heard = 0.0, b""

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
            field = self.dialect.fields[group.lower()]
            text = text[:start] + self.now(field, text[start:end]) + text[end:]
        return text

    def now(self, field: Field, text: str) -> str:
        if field in self.kept:
            return self.kept[field]
        number = PLAIN.fullmatch(text.strip())
        quantity = field.quantity
        if not number or quantity.kind not in ("float", "int") or field.words or quantity in self.dialect.settings:
            return text
        start = float(number[1])
        low, high = sorted(inverse(end, field.scale, field.offset) for end in (quantity.low, quantity.high))
        return text.replace(
            number[1], alike(number[1], min(max(sway(self.age, start, abs(start) / 50, 60), low), high)), 1
        )

    def tick(self, seconds: float) -> bytes:
        self.age += seconds
        return b""


def alike(text: str, number: float) -> str:
    """*number*, written as *text* is."""
    mantissa, mark, _ = text.partition("E" if "E" in text else "e")
    digits = len(mantissa.partition(".")[2])
    return f"{number:{'+' if text[0] == '+' else ''}.{digits}{mark or 'f'}}"


def heard(emulator: Emulator, wanted: Operation) -> bytes:
    assert isinstance(wanted, Ask)
    return emulator.receive(wanted.write)
