"""The ``ask`` family: tables of text devices that answer when they are asked: instruments, scales, controllers.  How to
write one: docs/tables.md.

    MEAS:VOLT:DC? LF          a command and its end
    +1.23456000E+01 CR LF     one line of answer
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from drivers.api import Driver, Serial
from drivers.family import ASKED, NUMBER, PORT, SETTABLE, BadTable, Key, Problems, Settings, Table, nearest, row, take
from drivers.family.dialect import Asked, Dialect, Emulator, Outputs, heard
from drivers.family.line import declared, read_fields
from drivers.family.opening import read_init
from drivers.family.proof import ERRORS, judged, mute, named, set_right, unknown
from drivers.family.setting import read_settings
from drivers.family.text import Field

TABLE = {
    **ASKED,
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


VECTOR = {
    "ask": Key((str,)),
    "answer": Key((str,), None),
    "set": Key((dict,), {}),
    "gives": Key((dict,), {}),
    "error": Key((str,), "", ERRORS),
}


def driver(name: str, table: Table) -> Driver[Settings]:
    """The driver that *table* describes, proved by its vectors and its emulator; or BadTable."""
    problems: Problems = []
    top = take(table, "", TABLE, problems)
    serial = take(top["serial"], "serial", PORT, problems)
    line = take(top["line"], "line", LINE, problems)
    quantities = {} if top["quantity"] is ... else top["quantity"]
    fields, derived = read_fields(quantities, SETTABLE, problems)
    settings = read_settings(fields, quantities, problems)
    commands = read_commands([] if top["ask"] is ... else top["ask"], fields, problems)
    end = line["end"] if line["answer_end"] is None else line["answer_end"]
    init = read_init(top["init"], problems, line["end"], end)
    vectors = [take(each, f"vector.{at}", VECTOR, problems) for at, each in enumerate(top["vector"])]
    problems += [*unlike(vectors, [send for send, _ in commands])]
    if problems:
        raise BadTable(problems)
    dialect = Dialect(commands, fields, derived, settings, init, line["end"], end.encode(), float(line["timeout"]))
    make = partial(Outputs if settings else Asked, dialect)
    for at, vector in enumerate(vectors):
        if vector["set"]:
            wanted = f"{vector['ask']}{line['end']}".encode()
            problems += set_right(Outputs(dialect).write, settings, vector, f"vector.{at}", wanted, repr)
            continue
        decode = partial(
            lambda vector: named(dialect.sample({vector["ask"]: vector["answer"].encode() + dialect.answer_end})),
            vector,
        )
        own = declared(fields, derived)
        problems += unknown(vector, own, f"vector.{at}") or judged(f"vector.{at}", vector, decode, lambda: "")
    shown = (vector for vector in reversed(vectors) if not vector["set"])
    answers = {vector["ask"]: vector["answer"] for vector in shown if not vector["error"]}
    emulator = partial(Emulator, dialect, answers)
    if not problems:
        problems += mute(make().measure, emulator, heard)
    if problems:
        raise BadTable(problems)
    return row(name, top, Serial(**serial), declared(fields, derived), make, emulator, guarded=False)


def unlike(vectors: Sequence[Table], commands: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong when each of *commands* is to have a vector with a good answer, and nothing else is asked."""
    good = set[str]()
    for at, vector in enumerate(vectors):
        if vector["set"]:
            continue
        if vector["answer"] is None:
            yield f"vector.{at}.answer", "is missing"
        if vector["ask"] is not ... and vector["ask"] not in commands:
            yield f"vector.{at}.ask", f"{vector['ask']!r} is not asked{nearest(vector['ask'], commands)}"
        if not vector["error"]:
            good.add(vector["ask"])
    for at, command in enumerate(commands):
        if command not in good:
            yield f"ask.{at}.send", f"{command!r} has no vector with a good answer, which the emulator gives, too"


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
