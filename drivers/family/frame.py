"""The ``frame`` family: tables of binary devices on a serial line, that talk by themselves or are asked.  How to write
one: docs/tables.md.

A frame has a start, a length that is fixed or that it says itself, perhaps a checksum and an end:

    AA C0 | D4 04 3A 0A A1 60 | 1D | AB
    start   fields              sum  end
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from drivers.api import Device, DeviceError, Driver, Serial
from drivers.codec.checksums import CHECKSUMS
from drivers.family import ABOUT, NUMBER, PORT, BadTable, Key, Problems, Settings, Table, row, take
from drivers.family.command import AskedOutputs, Obeying, Obeys, TalkingOutputs, read_commands
from drivers.family.fields import overlay, read_coding, read_layout
from drivers.family.framed import LONGEST, Asked, Check, Shape, Talker
from drivers.family.opening import read_init
from drivers.family.proof import ERRORS, draw, hexed, judged, named, set_right, unknown

TABLE = {
    **ABOUT,
    "family": Key((str,), ..., ("frame",)),
    "serial": Key((dict,), {}),
    "frame": Key((dict,)),
    "init": Key((list,), [], items=dict),
    "field": Key((dict,), {}),
    "emulator": Key((dict,), {}),
}


FRAME = {
    "start": Key((str,)),
    "end": Key((str,), ""),
    "length": Key((int, dict)),
    "check": Key((str, dict), None),
    "ask": Key((str, list), ""),
    "timeout": Key(NUMBER, 1.0, span=(0.01, 60)),
}


LENGTH = {
    "at": Key((int,), span=(0, LONGEST)),
    "type": Key((str,), "uint8"),
    "order": Key((str,), "big", ("big", "little")),
    "plus": Key((int,), 0, span=(-LONGEST, LONGEST)),  # what the number says and this are the whole frame's bytes
}


PLACE = (-LONGEST, LONGEST)


CHECK = {
    "kind": Key((str,), ..., tuple(CHECKSUMS)),
    "from": Key((int,), 0, span=PLACE),
    "to": Key((int,), None, span=PLACE),
    "at": Key((int,), None, span=PLACE),
    "order": Key((str,), None, ("big", "little")),
}


AT = {"at": Key((int,), None, span=(0, LONGEST)), "set": Key((str,), None), "done": Key((str,), None)}


VECTOR = {
    "hex": Key((str,), None),
    "set": Key((dict,), {}),
    "ask": Key((str,), ""),
    "gives": Key((dict,), {}),
    "error": Key((str,), "", ERRORS),
}


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", PORT, problems)
    said = take({} if top["frame"] is ... else top["frame"], "frame", FRAME, problems)
    shape = read_shape(said, problems)
    layout = read_layout(top, AT, locate, problems)
    asks = tuple(
        hexed(ask, "frame.ask", problems) for ask in ([said["ask"]] if isinstance(said["ask"], str) else said["ask"])
    )
    asks = tuple(filter(None, asks))
    if asks and top["period"] == 0:
        problems.append(("period", "is 0, but it says nothing unless it is asked: how many seconds between two times?"))
    init = read_init(top["init"], problems, talks=not asks)
    start = take(top["emulator"], "emulator", {"start": Key((dict,), {})}, problems)["start"]
    commands = read_commands(top["quantity"], layout, shape.check if shape else None, problems)
    vectors = [(f"vector.{at}", take(each, f"vector.{at}", VECTOR, problems)) for at, each in enumerate(top["vector"])]
    shown = [(where, vector) for where, vector in vectors if not vector["set"]]
    problems += [(f"{where}.hex", "is missing") for where, vector in shown if vector["hex"] is None]
    if not any(not vector["error"] for _, vector in shown):
        problems.append(("vector", "a frame table shows at least one good frame, which the emulator sends, too"))
    if shape and shape.length:
        for field in layout.read:
            if field.end > shape.length:
                where = f"{'quantity' if field.quantity else 'field'}.{field.name}.at"
                problems.append((where, f"ends at byte {field.end}, and the frame has {shape.length}"))
    if problems or shape is None:
        raise BadTable(problems)
    overlay(layout, start, "emulator.start", problems)
    frames = [hexed(vector["hex"], f"{where}.hex", problems) for where, vector in shown]
    for (where, vector), frame in zip(shown, frames, strict=True):
        decode = partial(lambda frame: named(shape.sample(layout, frame)), frame)
        problems += unknown(vector, layout.quantities, where) or judged(
            where, vector, decode, partial(draw, frame, layout.read, marks=shape.marks(frame))
        )
    for where, vector in (each for each in vectors if each not in shown):
        wanted = hexed(vector["ask"], f"{where}.ask", problems)
        problems += set_right(Obeys(commands, 1.0, not asks).write, commands, vector, where, wanted, spaced)
    if problems:
        raise BadTable(problems)
    bases = read_bases(asks, shown, frames, problems)
    if problems:
        raise BadTable(problems)
    timeout = float(said["timeout"])
    own = tuple(commands.values())
    emulator = partial(Obeying, shape, layout, init, bases, start, float(top["period"]) or 5.0, own)
    make: Callable[[], Device] = partial(Talker, shape, layout, init)
    if commands:
        make = partial(TalkingOutputs, shape, layout, init, commands, timeout)
    if asks:
        make = partial(Asked, shape, layout, init, asks, timeout)
    if asks and commands:
        make = partial(AskedOutputs, shape, layout, init, asks, timeout, commands)
    try:
        for ask in bases:
            shape.sample(layout, emulator().frame(ask))
    except DeviceError as error:
        raise BadTable([("emulator", f"{type(error).__name__}: {error}")]) from None
    return row(name, top, Serial(**serial), layout.quantities, make, emulator, guarded=shape.check is not None)


def read_bases(
    asks: tuple[bytes, ...], shown: Iterable[tuple[str, Table]], frames: Iterable[bytes], problems: Problems
) -> dict[bytes, bytes]:
    """The good frame that the emulator begins with, for each of *asks*, or for b"" where nothing is asked."""
    bases = dict[bytes, bytes]()
    for (where, vector), frame in zip(shown, frames, strict=True):
        ask = hexed(vector["ask"], f"{where}.ask", problems)
        if ask and ask not in asks:
            problems.append(
                (f"{where}.ask", f"is none of [frame] ask: {', '.join(map(spaced, asks)) or 'it has none'}")
            )
        elif not vector["error"]:
            bases.setdefault(ask if ask or len(asks) > 1 else (*asks, b"")[0], frame)
    if len(asks) > 1:
        bases.pop(b"", None)
        problems += [
            ("vector", f"none has the answer to {spaced(ask)}: with several, a vector says its `ask`, too")
            for ask in asks
            if ask not in bases
        ]
    return bases


def spaced(raw: bytes) -> str:
    return raw.hex(" ")


def locate(said: dict[str, Any], where: str, problems: Problems) -> tuple[Any, int, str]:
    if said["at"] is None and not any(key == f"{where}.at" for key, _ in problems):
        problems.append((f"{where}.at", "is missing: the number of its first byte, from 0; or `value`, a formula"))
    if said.get("writable"):
        problems.append((f"{where}.writable", "is not for frames: `set` is what sets it"))
    if said["set"] and "unit" not in said:
        problems.append((f"{where}.set", "is for quantities: nobody sees a field"))
    return None, said["at"] or 0, "uint8"


def read_shape(said: dict[str, Any], problems: Problems) -> Shape | None:
    before = len(problems)
    start = b"" if said["start"] is ... else hexed(said["start"], "frame.start", problems)
    end = hexed(said["end"], "frame.end", problems)
    if not start:
        problems.append(("frame.start", "is empty: nothing would tell where a frame begins"))
    length, at, counted, plus = said["length"], 0, None, 0
    if length is ... or said["start"] is ...:
        return None
    if isinstance(length, dict):
        taken = take(length, "frame.length", LENGTH, problems)
        counted = read_coding(taken["type"], taken["order"], None, "frame.length", problems)
        if counted and counted.kind != "uint":
            problems.append(("frame.length.type", f"{taken['type']!r} is no length: uint8, uint16 ..."))
        length, at, plus = 0, taken["at"], taken["plus"]
    elif isinstance(length, int) and not len(start) + len(end) < length <= LONGEST:
        problems.append(("frame.length", f"{length} is not above start and end, nor at most {LONGEST}"))
    check = read_check(said["check"], end, problems) if said["check"] is not None else None
    return Shape(start, end, length, at, counted, plus, check) if len(problems) == before else None


def read_check(said: Table | str, end: bytes, problems: Problems) -> Check | None:
    """Where nothing is said, the checksum stands right before the end and covers all before itself."""
    taken = take({"kind": said} if isinstance(said, str) else said, "frame.check", CHECK, problems)
    if taken["kind"] is ...:
        return None
    kind = CHECKSUMS[taken["kind"]]
    at = -kind.size - len(end) if taken["at"] is None else taken["at"]
    return Check(kind, taken["from"], at if taken["to"] is None else taken["to"], at, taken["order"])
