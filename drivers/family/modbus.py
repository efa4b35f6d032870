"""The ``modbus`` family: tables of units on a Modbus line.  How to write one: docs/tables.md.

A field lies in an input or holding register (functions 4 and 3) or is a coil or discrete input (1 and 2), by its
address on the wire, from 0.  What lies side by side is read in one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from drivers.api import DeviceError, Driver, Modbus, Operation, Request
from drivers.codec.crc import crc16_modbus
from drivers.codec.modbus import OWN, REGISTERS, Exchange, pdu, sealed
from drivers.family import ASKED, NUMBER, SERIAL, BadTable, Key, Problems, Settings, Table, row, take
from drivers.family.fields import ORDERS, overlay, read_layout
from drivers.family.layout import Field, Layout
from drivers.family.proof import ERRORS, draw, hexed, judged, mute, named, talked, unknown
from drivers.family.unit import SPACES, Emulator, Outputs, Unit, answered, cut

ADDRESS = Key((int,), None, span=(0, 0xFFFF))
ASKING = {
    "optional": Key((bool,), None),  # some of these units have it
    "every": Key((int,), None, span=(2, 100_000)),  # of so many measurements, one asks for it
    "zero": Key((str,), None),  # the request that sets it to 0: function and data
}


TABLE = {
    **ASKED,
    "family": Key((str,), ..., ("modbus",)),
    "modbus": Key((dict,), {}),
    "init": Key((list,), [], items=dict),
    "field": Key((dict,), {}),
    "emulator": Key((dict,), {}),
}


LINE = {
    **SERIAL,
    "unit": Key((int,), 1, span=(1, 255)),
    "timeout": Key(NUMBER, 0.5, span=(0.01, 10)),
    "gap": Key((int,), 0, span=(0, REGISTERS)),  # registers that nobody wants, read along for the sake of one request
    "most": Key((int,), REGISTERS, span=(1, REGISTERS)),  # registers in one request
    "type": Key((str,), "uint16"),  # of every register that says nothing else
    "order": Key((str,), None, tuple(ORDERS)),
    "write": Key((int,), 6, (6, 16)),  # the function that sets one register
}


INIT = {"coil": ADDRESS, "holding": ADDRESS, "value": Key((int,), span=(0, 0xFFFF))}


HEX = Key((dict,), {})


VECTOR = {
    "ask": Key((str,), ""),
    "answer": Key((str,), ""),
    "set": Key((dict,), {}),
    **{"input": HEX, "holding": HEX},
    **{"gives": Key((dict,), {}), "error": Key((str,), "", ERRORS)},
}


def locate(line: Table, said: dict[str, Any], where: str, problems: Problems) -> tuple[Any, int, str]:
    said["order"] = said["order"] or line["order"]
    there = [(space, said[space]) for space in SPACES if said[space] is not None]
    if len(there) != 1:
        reason = f"needs one of {', '.join(SPACES)}, with the address on the wire, or `value`, a formula"
        problems.append((where, reason))
        return ("input", 0), 0, "uint16"
    space, _ = place = there[0]
    if said.get("writable") and space not in ("coil", "holding"):
        problems.append((f"{where}.writable", "coils and holding registers can be set, and nothing else"))
    if said["zero"] is not None:
        said["zero"] = read_zero(said, where, problems)
    if SPACES[space] < 3:
        if said["type"] or said["bits"] is not None:
            problems.append((f"{where}.type", f"is for registers, and a {space} is one bit"))
        said["type"] = "uint8"
    return place, 0, line["type"]


def read_zero(said: dict[str, Any], where: str, problems: Problems) -> bytes:
    """The request that sets a quantity to 0."""
    request = hexed(said["zero"], f"{where}.zero", problems)
    if not where.startswith("quantity."):
        problems.append((f"{where}.zero", "is for a quantity: nobody sees a field"))
    elif said.get("writable"):
        problems.append((f"{where}.zero", "is for what cannot be set otherwise: leave out `writable`"))
    elif request and not (request[0] in OWN and len(request) < 254):
        reason = "is no request of its maker's own: a function of 41 to 48 or 64 to 6E, in hexadecimal, and its data"
        problems.append((f"{where}.zero", reason))
    return request


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    line = take(top["modbus"], "modbus", LINE, problems)
    layout = read_layout(top, dict.fromkeys(SPACES, ADDRESS) | ASKING, partial(locate, line), problems)
    for field in layout.read:
        if SPACES[field.place[0]] > 2 and field.coding and field.coding.size % 2:
            where = f"{'quantity' if field.quantity else 'field'}.{field.name}.type"
            problems.append((where, "fills no whole registers, of 16 bits each; `bits` cuts a part out of one"))
    init = tuple(
        request
        for at, each in enumerate(top["init"])
        for request in read_init(each, line["write"], f"init.{at}", problems)
    )
    start = take(top["emulator"], "emulator", {"start": Key((dict,), {})}, problems)["start"]
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    if problems:
        raise BadTable(problems)
    overlay(layout, start, "emulator.start", problems)
    writes = any(quantity.writable for quantity in layout.quantities)
    make = partial(Outputs if writes else Unit, layout, line, init)
    bases = dict[Field, bytes]()
    for at, vector in enumerate(vectors):
        bases = {**proved(make(), vector, f"vector.{at}", problems), **bases}
    emulator = partial(Emulator, layout, make().requests, init, bases, start)
    if not problems:
        problems += mute(make().measure, emulator, answered)
    if problems:
        raise BadTable(problems)
    link = Modbus(**{key: line[key] for key in (*SERIAL, "unit", "timeout")})
    return row(name, top, link, layout.quantities, make, emulator, guarded=True)


def read_init(said: Table, single: int, where: str, problems: Problems) -> list[Request]:
    """What is written when the unit starts."""
    taken = take(said, where, INIT, problems)
    there = [(space, taken[space]) for space in ("coil", "holding") if taken[space] is not None]
    if len(there) != 1:
        problems.append((where, "needs a coil or a holding register, and the value to write"))
        return []
    space, address = there[0]
    function = 5 if space == "coil" else single
    return [Request(function, address, values=(0 if taken["value"] is ... else taken["value"],))]


def proved(unit: Unit, vector: Mapping[str, Any], where: str, problems: Problems) -> Mapping[Field, bytes]:
    """The bytes that *vector* shows, by field; what does not come of them as it says is a problem."""
    if vector["set"]:
        set_right(unit, vector, where, problems)
        return {}
    before, answers = len(problems), list[tuple[Request, bytes]]()
    problems += unknown(vector, unit.layout.quantities, where)
    if vector["ask"] or vector["answer"]:
        answers += exchanged(vector, where, problems)
    for space in ("input", "holding"):
        for key, text in vector[space].items():
            data = hexed(text, f"{where}.{space}.{key}", problems)
            try:
                answers.append((Request(SPACES[space], int(key, 0), len(data) // 2), data))
            except ValueError:
                problems.append((f"{where}.{space}.{key}", "is no address, such as 0x0010"))
    if len(problems) > before:
        return {}
    raws = dict[Field, bytes]()
    for request, data in answers:
        raws |= cut(unit.layout, request, data)
    problems += judged(where, vector, lambda: named(unit.layout.sample(raws)), partial(drawn, unit.layout, answers))
    return {} if vector["error"] else raws


def drawn(layout: Layout, answers: list[tuple[Request, bytes]]) -> str:
    """Each block of registers with its fields; how they lie there is told by the address of the first."""
    rows = []
    for request, data in answers:
        near = [replace(f, at=2 * (f.place[1] - request.address)) for f in cut(layout, request, data)]
        rows.append(draw(data, near if request.function > 2 else (), request.address, 2))
    return "\n".join(rows)


def exchanged(vector: Mapping[str, Any], where: str, problems: Problems) -> list[tuple[Request, bytes]]:
    """The request and the data of its answer, from the frames that a manual shows."""
    ask, answer = (hexed(vector[key], f"{where}.{key}", problems) for key in ("ask", "answer"))
    for key, frame in (("ask", ask), ("answer", answer)):
        if len(frame) < 5 or crc16_modbus(frame):
            end = crc16_modbus(frame[:-2]).to_bytes(2, "little").hex(" ")
            problems.append((f"{where}.{key}", f"is no frame: its last two bytes should be the checksum {end}"))
            return []
    if len(ask) != 8 or ask[1] not in SPACES.values():
        problems.append((f"{where}.ask", "is no request to read: unit, function 1 to 4, address, count, checksum"))
        return []
    request = Request(ask[1], int.from_bytes(ask[2:4]), int.from_bytes(ask[4:6]))
    try:
        return [(request, Exchange(ask[0], request).data(answer[1:-2]))]
    except (DeviceError, ValueError) as error:
        problems.append((f"{where}.answer", str(error)))
        return []


def set_right(unit: Unit, vector: Mapping[str, Any], where: str, problems: Problems) -> None:
    """See that setting what ``set`` says sends the frame ``ask``."""
    before = len(problems)
    overlay(unit.layout, vector["set"], f"{where}.set", problems)
    wanted = hexed(vector["ask"], f"{where}.ask", problems)
    if len(problems) > before:
        return
    names = {quantity.name: quantity for quantity in unit.layout.quantities}
    for name, value in vector["set"].items():
        if name not in names or not isinstance(unit, Outputs) or not names[name].writable:
            problems.append((f"{where}.set.{name}", "cannot be set"))
            continue
        sent = list[bytes]()

        def answer(wanted: Operation, sent: list[bytes] = sent) -> bytes:
            assert isinstance(wanted, Request)
            sent.append(pdu(wanted))
            return bytes(2 * wanted.count)

        try:
            talked(unit.write(names[name], value), answer)
        except DeviceError as error:
            problems.append((f"{where}.set.{name}", str(error)))
            continue
        frame = sealed(wanted[0] if wanted else 1, sent[-1])
        if frame != wanted:
            problems.append((f"{where}.ask", f"setting {name} sends {frame.hex(' ')}"))
