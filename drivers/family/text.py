"""Both sides of the wire of a text device that talks unasked, one line at a time.

Four formats: ``pairs`` (``temperature=21.5, humidity: 40 %``), ``json`` (one object a line, RFC 8259), ``csv`` (values
under the names of a first line) and ``pattern`` (regular expressions with named groups).
On the wire, any of CR, LF, CRLF:

    temperature=21.5 humidity=40 CR LF
    key        value key      value end

Text lines carry no checksum, so a line counts whole or not at all: what comes before the first line end may be the
end of a torn line and is passed over, except in JSON, where half a line is no object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from unicodedata import normalize

from drivers.api import BadFrame, BadValue, DeviceError, Quantity, Sample, Value
from drivers.emulation import sway
from drivers.family import scaled
from drivers.family.formula import Formula

LONGEST = 1024  # bytes of a line
ENDS = re.compile(rb"[\r\n]")
COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")  # and what else a log does to a terminal (ECMA-48, 5.4)
# A number and its unit; balances line up the digits and so put spaces behind the sign.
PLAIN = re.compile(r"([+-]? *(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?) ?(.*)")
DECIMAL_COMMA = re.compile("[0-9],[0-9]")
OTHERWISE = {"celsius": "C", "lux": "lx", "%rh": "%", "% rh": "%"}
MARK = re.compile(" ?([=:]) ?")
PAIR = re.compile("([^=:]+)[=:](.*)")
UNIT = re.compile(r"(.*)\(([^()]*)\)")  # behind a name: Humidity (%): 40
SLOT = re.compile(r"\{(\w+)\}")
FLAGS = dict.fromkeys(("1", "true", "on", "yes"), True) | dict.fromkeys(("0", "false", "off", "no"), False)
JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)  # ours is the only idea of a number

Derived: TypeAlias = tuple[tuple[Quantity, Formula], ...]
Parse: TypeAlias = Callable[[str], Mapping[str, str]]  # a line to texts by key in lower case, or BadFrame


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A quantity, and how a text on the wire becomes its value."""

    quantity: Quantity
    scale: float = 1
    offset: float = 0
    words: Mapping[str, str] | None = None
    absent: tuple[str | float, ...] = ()

    def nothing(self, text: str) -> bool:
        """Whether *text* is what the device says where it has no value."""
        found = PLAIN.fullmatch(text) if self.absent else None
        number = float(found[1].replace(" ", "")) if found else None
        return any(text.lower() == each.lower() if isinstance(each, str) else number == each for each in self.absent)

    def read(self, text: str) -> Value:
        if self.words is not None:
            if text not in self.words:
                raise BadValue(f"{self.quantity.name} {text[:40]!r} has no word")
            text = self.words[text]
        match self.quantity.kind:
            case "flag":
                return self.quantity.check(FLAGS.get(text.lower(), text))
            case "float" | "int":
                return self.quantity.check(self.number(text))
        if not text or not text.isprintable():
            raise BadValue(f"{self.quantity.name} {text[:40]!r} is no text")
        return self.quantity.check(text)

    def number(self, text: str) -> float | int:
        """Behind the number may stand the quantity's own unit, and no other: 75F is not 75 °C.  What follows that, such
        as the same in °F, says nothing new."""
        found, unit = PLAIN.fullmatch(text), self.quantity.unit
        plain = self.scale == 1 and self.offset == 0
        if found is None or found[2] and not (plain and begins(found[2], unit)):
            raise BadValue(f"{self.quantity.name} {text[:40]!r} is no number{f' of {unit}' if plain and unit else ''}")
        value = scaled(float(found[1].replace(" ", "")), self.scale, self.offset)
        return int(value) if self.quantity.kind == "int" and value.is_integer() else value


def derive(sample: dict[Quantity, Value], derived: Derived) -> dict[Quantity, Value]:
    """*sample* and what its numbers give.  BadValue."""
    scope = {quantity.name: value for quantity, value in sample.items() if not isinstance(value, str)}
    for quantity, formula in derived:
        if formula.names <= scope.keys():
            value = formula(scope)
            if quantity.kind == "int" and isinstance(value, float) and value.is_integer():
                value = int(value)
            scope[quantity.name] = sample[quantity] = quantity.check(value)
    return sample


class Line:
    """The reading side of one connection."""

    def __init__(self, parse: Parse, fields: Mapping[str, Field], torn: bool, derived: Derived = ()) -> None:
        self.parse, self.fields, self.derived = parse, fields, derived
        self.tail = b""
        self.skip = torn  # pass over what comes up to the next line end,
        self.told = False  # which was called too long already

    def feed(self, data: bytes) -> Iterator[Sample | DeviceError]:
        *lines, self.tail = ENDS.split(self.tail + data)
        for line in lines:
            if len(line) > LONGEST and not self.told:
                yield too_long()
            elif not self.skip:
                yield from self.decode(line)
            self.skip = self.told = False
        if len(self.tail) > LONGEST:
            self.tail, self.skip = b"", True
            if not self.told:
                self.told = True
                yield too_long()

    def decode(self, line: bytes) -> Iterator[Sample | DeviceError]:
        """The good values of *line* as one sample, and each bad one as an error.  Empty lines and comments give
        nothing."""
        if not (line := COLOUR.sub(b"", line).strip()) or line.startswith(b"#"):
            return
        try:
            found = self.parse(line.decode())
        except (UnicodeDecodeError, BadFrame) as error:
            yield BadFrame(f"{error.reason if isinstance(error, UnicodeDecodeError) else error}: {line[:60]!r}")
            return
        texts = {self.fields[key]: text for key, text in found.items() if key in self.fields}
        if not texts and (found or not isinstance(self.parse, Columns)):
            yield BadFrame(f"no known key: {line[:60]!r}")
        sample = dict[Quantity, Value]()
        for field, text in texts.items():
            if field.nothing(text):
                continue
            try:
                sample[field.quantity] = field.read(text)
            except BadValue as error:
                yield error
        try:
            derive(sample, self.derived)
        except BadValue as error:
            yield error
        if sample:
            yield sample


def begins(text: str, unit: str) -> bool:
    """Whether *text* is *unit*, however it is spelt, or goes on behind it."""
    words = text.split()
    return bool(unit) and any(spelt(" ".join(words[:count])) == spelt(unit) for count in (1, 2))


def spelt(unit: str) -> str:
    """*unit* as one who has but ASCII would write it: ug/m3, C."""
    plain = re.sub(r"^(°|\*|o(?=C)|[Dd]eg\.? ?)", "", normalize("NFKC", unit).replace("μ", "u"))
    return OTHERWISE.get(plain.lower(), plain)


def too_long() -> BadFrame:
    return BadFrame(f"no line end in {LONGEST} bytes")


def pairs(line: str) -> Mapping[str, str]:
    """Words behind a value, up to the next key, a comma, a semicolon or a bar, belong to it."""
    if DECIMAL_COMMA.search(line):  # 21,5 must not become 21
        raise BadFrame("a comma inside a number")
    found: dict[str, str] = {}
    for clause in re.split("[,;|]", " ".join(line.split())):
        key = before = ""
        for word in MARK.sub(r"\1", clause).split():
            if pair := PAIR.fullmatch(word):
                unit = UNIT.fullmatch(pair[1])
                key = ((unit[1] or before) if unit else pair[1]).lower()
                value = f"{pair[2]} {unit[2]}" if unit else pair[2]
                found[key] = f"twice: {found[key]}, {value}" if key in found else value  # which one is it?
            elif key:
                found[key] += f" {word}"
            before = word
    return found


class Columns:
    """Lines of values with a comma, semicolon or tab between, as spreadsheets have them.  A line without any number in
    it names the columns, until the next such; *names* are those of a device that never says them."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def __call__(self, line: str) -> Mapping[str, str]:
        between = r"[;\t]" if re.search(r"[;\t]", line) else ","
        cells = [cell.strip().strip('"').strip() for cell in re.split(between, line)]
        if not any(PLAIN.fullmatch(cell) for cell in cells) and any(cells):
            self.names = tuple(cell.lower() for cell in cells)
            return {}
        if not self.names:
            raise BadFrame("no line has named the columns yet")
        if len(cells) != len(self.names):
            raise BadFrame(f"{len(cells)} values for {len(self.names)} columns")
        return {name: cell for name, cell in zip(self.names, cells, strict=True) if cell}


def json_object(line: str) -> Mapping[str, str]:
    """Keys of inner objects and places in lists are joined by dots: ``bme280.temperature``, ``rooms.0``."""
    try:
        whole = JSON.decode(line)
    except (ValueError, RecursionError) as error:
        raise BadFrame("no JSON" if isinstance(error, ValueError) else "JSON too deep") from None
    if not isinstance(whole, dict):
        raise BadFrame("no JSON object")
    found: dict[str, str] = {}
    open_ones: list[tuple[str, Any]] = [("", whole)]
    while open_ones:
        prefix, node = open_ones.pop()
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            path = f"{prefix}{key}".lower()
            if isinstance(value, dict | list):
                open_ones.append((f"{path}.", value))
            else:
                found[path] = "" if value is None else str(value)
    return found


def matched(patterns: tuple[re.Pattern[str], ...], line: str) -> Mapping[str, str]:
    """The first of *patterns* that fits the whole line has it."""
    for pattern in patterns:
        if found := pattern.fullmatch(line):
            return {key.lower(): text for key, text in found.groupdict().items() if text is not None}
    raise BadFrame("no pattern fits")


class Emulator:
    """The device's side of the wire: every period it says its lines, with numbers that sway by 2 % around their
    start, and choices that take turns."""

    def __init__(self, say: str, start: Mapping[str, Any], period: float) -> None:
        self.say, self.start, self.period = say, start, period
        self.waited = max(period - 1, 0.0)  # it has been on for a while: the first lines come within a second
        self.said = 0

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        times, self.waited = divmod(self.waited + seconds, self.period)
        return b"".join(self.speak() for _ in range(int(times)))

    def speak(self) -> bytes:
        text = SLOT.sub(lambda slot: self.value(self.start[slot[1]]), self.say) if self.start else self.say
        self.said += 1
        return "".join(f"{line}\r\n" for line in text.strip().splitlines()).encode()

    def value(self, start: Any) -> str:
        match start:
            case list():
                return str(start[self.said % len(start)])
            case bool():
                return str(start).lower()
            case int() | float():
                digits = len(str(start).partition(".")[2])
                return f"{sway(self.said, start, abs(start) / 50, 60):.{digits}f}"
        return str(start)
