"""What proves a table before it is taken: its vectors, bytes drawn against fields, and a talk with its own emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import isclose
from typing import Any, TypeAlias, TypeVar

from drivers.api import Ask, BadFrame, DeviceError, NoAnswer, Operation, Quantity, R, Sample, Sleep, Talk, Value
from drivers.family import Problems, nearest
from drivers.family.layout import Field

E = TypeVar("E")
Mark: TypeAlias = tuple[int, int, str]  # the first byte, how many, and what to say of them
ROW = 16  # bytes in a row of a drawing
ERRORS = ("", "BadFrame", "BadValue", "NoAnswer", "WrongDevice")


def hexed(text: Any, where: str, problems: Problems) -> bytes:
    """The bytes written in hexadecimal, with spaces wherever one likes, or as a program has them: ``0x01, 0x04``."""
    try:
        words = text.replace(",", " ").split()
        return bytes.fromhex("".join(word[2:].zfill(2) if word[:2] == "0x" != word else word for word in words))
    except (ValueError, AttributeError, TypeError):
        problems.append((where, f'{text!r} are no bytes in hexadecimal, such as "01 04 43 66"'))
        return b""


def named(sample: Sample) -> dict[str, Value]:
    return {quantity.name: value for quantity, value in sample.items()}


def same(came: Mapping[str, Value], wanted: Mapping[str, Any]) -> bool:
    """Whether *came* is what was *wanted*; a float of 32 bits has seven digits."""
    return came.keys() == wanted.keys() and all(
        isclose(value, wanted[name], rel_tol=1e-6, abs_tol=1e-9)
        if isinstance(value, float) and isinstance(wanted[name], float | int) and not isinstance(wanted[name], bool)
        else value == wanted[name] and isinstance(value, bool) == isinstance(wanted[name], bool)
        for name, value in came.items()
    )


def unknown(vector: Mapping[str, Any], quantities: Iterable[Quantity], where: str) -> Problems:
    """What a vector gives that the table has not."""
    names = [quantity.name for quantity in quantities]
    strange = (name for name in vector["gives"] if name not in names)
    return [(f"{where}.gives.{name}", f"is no quantity of this table{nearest(name, names)}") for name in strange]


def judged(
    where: str, vector: Mapping[str, Any], decode: Callable[[], Mapping[str, Value]], drawing: Callable[[], str]
) -> Problems:
    """What is wrong when *decode* does not give what *vector* says, with the bytes drawn."""
    came: Mapping[str, Value] = {}
    error = ""
    try:
        came = decode()
    except DeviceError as caught:
        error = f"{type(caught).__name__}: {caught}"
    if error.partition(":")[0] == vector["error"] and same(came, {} if error else vector["gives"]):
        return []
    wanted = vector["error"] or vector["gives"]
    return [(where, f"gives {error or plain(came)}, not {wanted}\n{drawing()}".rstrip())]


def plain(sample: Mapping[str, Value]) -> Mapping[str, Value]:
    """*sample* with no more digits than a person wants to compare."""
    return {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in sample.items()}


def draw(raw: bytes, fields: Iterable[Field], first: int = 0, step: int = 1, marks: Iterable[Mark] = ()) -> str:
    """The bytes *raw* in rows, and under each the fields that begin there with what they hold, and other *marks*.  The
    bytes are numbered from *first* on, *step* of them to a number."""
    lines = []
    own = [(field.at, field.coding.size, f"{field.name} {spelt(field, raw)}") for field in fields if field.coding]
    placed = sorted((*own, *marks), key=lambda mark: mark[:2])
    for start in range(0, len(raw), ROW):
        row = raw[start : start + ROW]
        lines.append(f"{first + start // step:#8x}: {row.hex(' ')}")
        for at, size, text in placed:
            if start <= at < start + len(row):
                arrow = "^" * (3 * min(size, start + ROW - at) - 1)
                lines.append(" " * (10 + 3 * (at - start)) + f"{arrow} {text}")
    return "\n".join(lines)


def spelt(field: Field, raw: bytes) -> str:
    """How *field* is written, and what it holds."""
    coding = field.coding
    assert coding
    kind = f"{coding.kind}{coding.size * {'text': 1, 'bcd': 2}.get(coding.kind, 8)}"
    kind += f" bits {coding.bits[0]}:{coding.bits[1]}" if coding.bits else ""
    kind += {"ABCD": "", "DCBA": " little"}.get(coding.order, f" {coding.order}")
    if field.end > len(raw):
        return f"{kind}, but the bytes end before"
    try:
        number = field.number(raw[field.at : field.end])
        unit = f" {field.quantity.unit}".rstrip() if field.quantity else ""
        value = "nothing" if number is None else field.value(number) if field.quantity else number
        return f"{kind} = {f'{value:.7g}' if isinstance(value, float) else value}{unit}"
    except DeviceError as error:
        return f"{kind}: {error}"


def talked(talk: Talk[R], answer: Callable[[Operation], bytes]) -> R:
    """What *talk* gives when *answer* is the other side."""
    try:
        wanted = next(talk)
        while True:
            wanted = talk.send(b"" if isinstance(wanted, Sleep) else answer(wanted))
    except StopIteration as done:
        result: R = done.value
        return result


def mute(
    talk: Callable[[], Talk[Sample]], emulator: Callable[[], E], answer: Callable[[E, Operation], bytes]
) -> Problems:
    """What the driver does not understand of its own emulator, or what that cannot show."""
    try:
        talked(talk(), partial(answer, emulator()))
    except (BadFrame, NoAnswer, DeviceError) as error:
        return [("emulator", f"{type(error).__name__}: {error}")]
    return []


def set_right(
    write: Callable[[Quantity, Value], Talk[Sample]],
    settable: Iterable[Quantity],
    vector: Mapping[str, Any],
    where: str,
    wanted: bytes,
    shown: Callable[[bytes], str],
) -> Problems:
    """What is wrong where setting what a vector's ``set`` says does not send *wanted* on a serial line."""
    problems: Problems = []
    names = {quantity.name: quantity for quantity in settable}
    for name, value in vector["set"].items():
        if name not in names:
            problems.append((f"{where}.set.{name}", f"cannot be set{nearest(name, names)}"))
            continue
        try:
            asked: Operation = next(write(names[name], names[name].check(value)))  # type: ignore[assignment]
        except DeviceError as error:
            problems.append((f"{where}.set.{name}", str(error)))
            continue
        assert isinstance(asked, Ask)
        if asked.write != wanted:
            problems.append((f"{where}.ask", f"setting {name} sends {shown(asked.write)}"))
    return problems
