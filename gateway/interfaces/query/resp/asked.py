"""What a TS command asks for: its options, and which names its filters choose.

The words are those of RedisTimeSeries.  What the history cannot give is refused, never passed over: buckets stand at
the multiples of their duration, and empty ones are left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.commands import Aggregate
from gateway.interfaces.query.resp.command import shown, whole, word
from gateway.interfaces.query.resp.wire import Refused

AGGREGATES: dict[str, Aggregate] = {"avg": "mean", "min": "min", "max": "max", "sum": "sum", "count": "count",
                                    "first": "first", "last": "last", "twa": "twa"}  # fmt: skip
END = 253_402_300_800_000  # the year 10000, in milliseconds
CHOICE = re.compile(r"([^!=()]+)(!?=)(?:\((.*)\)|(.*))", re.DOTALL)

Labels = dict[str, str]


@dataclass(slots=True)
class Asked:
    """Milliseconds of Unix time, both ends included; *bucket* is 0 where nothing is aggregated."""

    start: int = 0
    end: int = END
    count: int | None = None
    aggregate: Aggregate = "mean"
    word: str = ""
    bucket: int = 0
    align: bytes = b""
    shift: float = 0.0  # where in its bucket the time stands: 0 at its beginning, 1 at its end
    labels: tuple[str, ...] | None = ()  # to be shown; None: all
    filters: tuple[bytes, ...] = ()


def asked(words: list[bytes], options: set[str]) -> Asked:
    """The *options* among *words*.  Raises Refused for any other."""
    out, rest = Asked(), list(words)
    while rest:
        option = word(rest.pop(0))
        if option not in options:
            raise Refused(f"ERR TSDB: {shown(option.encode()).upper()} is not known here")
        match option:
            case "latest":
                pass  # there are no compactions, so every reading is the latest
            case "count":
                out.count = number(rest, "Couldn't parse COUNT")
            case "aggregation":
                out.word = word(rest.pop(0)) if rest else ""
                if out.word not in AGGREGATES:
                    raise Refused(f"ERR TSDB: Unknown aggregation type; there are {', '.join(AGGREGATES)}")
                out.aggregate, out.bucket = AGGREGATES[out.word], number(rest, "Couldn't parse AGGREGATION")
                if out.bucket < 1:
                    raise Refused("ERR TSDB: bucketDuration must be greater than zero")
            case "align":
                out.align = taken(rest, "Couldn't parse ALIGN")
            case "buckettimestamp":
                shifts = {b"-": 0.0, b"start": 0.0, b"~": 0.5, b"mid": 0.5, b"+": 1.0, b"end": 1.0}
                if (shift := shifts.get(taken(rest, "unknown BUCKETTIMESTAMP parameter").lower())) is None:
                    raise Refused("ERR TSDB: unknown BUCKETTIMESTAMP parameter")
                out.shift = shift
            case "withlabels":
                out.labels = None
            case "selected_labels":
                chosen = []
                while rest and word(rest[0]) not in options:
                    chosen.append(rest.pop(0).decode(errors="replace"))
                out.labels = tuple(chosen)
            case "filter":
                out.filters, rest = tuple(rest), []
                if b"groupby" in map(bytes.lower, out.filters):
                    raise Refused("ERR TSDB: GROUPBY is not known here")
    if "filter" in options and not out.filters:
        raise Refused("ERR TSDB: missing FILTER argument")
    return out


def ranged(words: list[bytes], options: set[str]) -> Asked:
    """The same behind two times."""
    out = asked(words[2:], options)
    out.start, out.end = moment(words[0], "wrong fromTimestamp"), moment(words[1], "wrong toTimestamp")
    if out.align and out.bucket:
        edges = {b"-": out.start, b"start": out.start, b"+": out.end, b"end": out.end}
        edge = edges[at] if (at := out.align.lower()) in edges else moment(at, "unknown ALIGN parameter")
        if edge % out.bucket:
            raise Refused("ERR TSDB: ALIGN: buckets stand at the multiples of their duration, here")
    return out


def moment(data: bytes, mistake: str) -> int:
    return {b"-": 0, b"+": END}[data] if data in (b"-", b"+") else number([data], mistake)


def number(rest: list[bytes], mistake: str) -> int:
    """The next word as milliseconds or a count."""
    try:
        return whole(taken(rest, mistake), 0, END)
    except Refused:
        raise Refused(f"ERR TSDB: {mistake}") from None


def taken(rest: list[bytes], mistake: str) -> bytes:
    if not rest:
        raise Refused(f"ERR TSDB: {mistake}")
    return rest.pop(0)


def chooser(filters: tuple[bytes, ...]) -> Callable[[Labels], bool]:
    """What tells whether labels fit all *filters*: ``label=value``, ``label=(a,b)``, ``label!=value``; without a value,
    ``label=`` fits what has no such label and ``label!=`` what has one.  Raises Refused."""
    tests: list[tuple[str, bool, set[str]]] = []
    for each in filters:
        if (found := CHOICE.fullmatch(each.decode(errors="replace"))) is None:
            raise Refused("ERR TSDB: failed parsing labels")
        values = found[3].split(",") if found[3] is not None else [found[4]]
        tests.append((found[1], found[2] == "=", set(values)))
    if not any(equal and values != {""} for _, equal, values in tests):
        raise Refused("ERR TSDB: please provide at least one matcher")
    return lambda labels: all((labels.get(label, "") in values) == equal for label, equal, values in tests)
