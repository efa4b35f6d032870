"""The ``registers`` family: tables of chips on an I2C bus that are a map of registers.  How to write one:
docs/tables.md.

A register is written with its number, its pointer, in front, and read by writing the pointer and reading on:

    write 05, read C1 90          register 05 holds C190
    write 01 00 00                register 01 is 0000 from now on
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from drivers.api import (
    I2C,
    DeviceError,
    Driver,
    Operation,
    Quantity,
    Transfer,
    Value,
)
from drivers.codec.checksums import CHECKSUMS
from drivers.family import ASKED, NUMBER, BadTable, Key, Problems, Settings, Table, row, take
from drivers.family.chip import Chip, Emulator, Map, Outputs, Step, transferred
from drivers.family.fields import overlay, read_layout
from drivers.family.proof import ERRORS, draw, hexed, judged, mute, named, talked, unknown

TABLE = {
    **ASKED,
    "family": Key((str,), ..., ("registers",)),
    "i2c": Key((dict,)),
    "init": Key((list,), [], items=dict),
    "measure": Key((list,), [], items=dict),
    "field": Key((dict,), {}),
    "emulator": Key((dict,), {}),
}


BUS = {
    "addresses": Key((list, int), items=int),
    "check": Key((dict,), None),
    "latch": Key((str,), ""),  # what an output register holds at power-on, where reading it tells something else
}


CHECK = {"kind": Key((str,), ..., tuple(CHECKSUMS)), "each": Key((int,), span=(1, 64))}


WAIT = Key(NUMBER, 0.0, span=(0, 60))


STEP = {"write": Key((str,), ""), "wait": WAIT}


INIT = {**STEP, "read": Key((int, str), None), "expect": Key((str,), ""), "mask": Key((str,), "")}


PLACES = {"register": Key((int, str), None), "at": Key((int,), None, span=(0, 63))}


VECTOR = {
    "registers": Key((dict,), {}),
    "set": Key((dict,), {}),
    "writes": Key((str,), ""),
    "gives": Key((dict,), {}),
    "error": Key((str,), "", ERRORS),
}


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    bus = take({} if top["i2c"] is ... else top["i2c"], "i2c", BUS, problems)
    listed = bus["addresses"]
    addresses = () if listed is ... else (listed,) if isinstance(listed, int) else tuple(listed)
    if listed is not ... and not (addresses and all(0x03 <= address <= 0x77 for address in addresses)):
        problems.append(("i2c.addresses", "is a list of addresses from 0x03 to 0x77, the usual one first"))
    layout = read_layout(top, PLACES, locate, problems)
    init = tuple(read_step(each, f"init.{at}", INIT, problems) for at, each in enumerate(top["init"]))
    before = tuple(read_step(each, f"measure.{at}", STEP, problems) for at, each in enumerate(top["measure"]))
    check = take(bus["check"], "i2c.check", CHECK, problems) if bus["check"] is not None else None
    latch = hexed(bus["latch"], "i2c.latch", problems)
    start = take(top["emulator"], "emulator", {"start": Key((dict,), {})}, problems)["start"]
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    if problems:
        raise BadTable(problems)
    overlay(layout, start, "emulator.start", problems)
    map = Map(layout, init, before, (CHECKSUMS[check["kind"]], check["each"]) if check else None, latch)
    bases = dict[bytes, bytes]()
    make = partial(Outputs if any(q.writable for q in layout.quantities) else Chip, map)
    for at, vector in enumerate(vectors):
        bases = {**proved(map, make(), vector, f"vector.{at}", problems), **bases}
    emulator = partial(Emulator, map, bases, start)
    if not problems:
        problems += mute(make().measure, emulator, transferred)
    if problems:
        raise BadTable(problems)
    return row(name, top, I2C(addresses), layout.quantities, make, emulator, guarded=check is not None)


def pointed(said: int | str, where: str, problems: Problems) -> bytes:
    """The pointer of a register: 0x05, or several bytes as "E5 01", or none as ""."""
    if isinstance(said, int):
        if not 0 <= said <= 255:
            problems.append((where, f'{said} is more than a byte: write several as text, such as "01 05"'))
        return bytes((said & 0xFF,))
    return hexed(said.removeprefix("0x"), where, problems)


def locate(said: dict[str, Any], where: str, problems: Problems) -> tuple[Any, int, str]:
    if said["register"] is None:
        if any(key == f"{where}.register" for key, _ in problems):
            return b"", 0, "uint8"
        problems.append((f"{where}.register", "is missing: the register's number, such as 0x05; or `value`, a formula"))
        return b"", 0, "uint8"
    return pointed(said["register"], f"{where}.register", problems), said["at"] or 0, "uint8"


def read_step(said: Table, where: str, keys: Mapping[str, Key], problems: Problems) -> Step:
    taken = take(said, where, keys, problems)
    write = hexed(taken["write"], f"{where}.write", problems)
    if taken.get("read") is None:
        if not write:
            problems.append((where, "needs `write`" + (", or `read` and `expect`" if "read" in keys else "")))
        return Step(write, taken["wait"])
    expect = hexed(taken["expect"], f"{where}.expect", problems)
    mask = hexed(taken["mask"], f"{where}.mask", problems) or b"\xff" * len(expect)
    if write or not expect or len(mask) != len(expect):
        problems.append((where, "`read` needs `expect`, a `mask` as long as that or none, and no `write`"))
    return Step(b"", taken["wait"], pointed(taken["read"], f"{where}.read", problems), expect, mask)


def proved(map: Map, chip: Chip, vector: Mapping[str, Any], where: str, problems: Problems) -> Mapping[bytes, bytes]:
    """The registers that *vector* shows; what does not come of them as it says is a problem."""
    before = len(problems)
    if vector["set"]:
        overlay(map.layout, vector["set"], f"{where}.set", problems)
        for quantity in map.layout.quantities:
            if quantity.name in vector["set"] and len(problems) == before:
                problems += written(chip, quantity, vector, where)
        return {}
    problems += unknown(vector, map.layout.quantities, where)
    answers = dict[bytes, bytes]()
    for key, text in vector["registers"].items():
        pointer = pointed(
            int(key, 0) if key[:2] == "0x" and len(key) < 5 else key, f"{where}.registers.{key}", problems
        )
        answers[pointer] = hexed(text, f"{where}.registers.{key}", problems)
        if pointer not in map.sizes():
            problems.append((f"{where}.registers.{key}", "no quantity is read from there"))
    if len(problems) > before:
        return {}

    def decode() -> Mapping[str, Value]:
        return named(map.sample({key: map.holds(key, raw, map.sizes()[key]) for key, raw in answers.items()}))

    def drawing() -> str:
        own = [(key, raw, [f for f in map.layout.read if f.place == key]) for key, raw in answers.items()]
        return "\n".join(f"register {key.hex()}\n{draw(raw, fields)}" for key, raw, fields in own)

    problems += judged(where, vector, decode, drawing)
    return {} if vector["error"] else answers


def written(chip: Chip, quantity: Quantity, vector: Mapping[str, Any], where: str) -> Problems:
    """What is wrong with the bytes that setting *quantity* writes."""
    if not isinstance(chip, Outputs):
        return [(f"{where}.set.{quantity.name}", "cannot be set")]
    sent = list[bytes]()

    def answer(wanted: Operation) -> bytes:
        assert isinstance(wanted, Transfer)
        sent.append(wanted.write)
        return bytes(wanted.read)

    try:
        talked(chip.write(quantity, vector["set"][quantity.name]), answer)
    except DeviceError as error:
        return [(f"{where}.set.{quantity.name}", str(error))]
    found = [] if sent[-1].hex() == "".join(vector["writes"].lower().split()) else sent[-1:]
    return [(f"{where}.writes", f"setting {quantity.name} writes {raw.hex(' ')}") for raw in found]
