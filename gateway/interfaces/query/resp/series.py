"""The past of readings as time series, in the words of RedisTimeSeries: https://redis.io/docs/latest/commands/ts.range/.

Times are milliseconds of Unix time; a reading whose time nobody knows is left out.  A flag is 1 or 0; a text or a
choice is no time series.  The labels of one are name, device, quantity and unit."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from gateway.commands import Page, Question, Textual
from gateway.interfaces.query.resp.asked import END, Asked, Labels, asked, chooser, ranged
from gateway.interfaces.query.resp.command import Client, Command
from gateway.interfaces.query.resp.names import full
from gateway.interfaces.query.resp.wire import Refused, Simple

POINTS = 50_000  # in one answer, at most
WORDS = "text", "choice"
PAGE = 1000  # of them at a time: then others have their turn
RANGE = {"latest", "count", "aggregation", "align", "buckettimestamp"}
MANY = {"latest", "withlabels", "selected_labels", "filter"}
AGES = 4e9  # seconds: one bucket for all times

Sample = list[Any]  # milliseconds and value
Steps = Generator[Deferred[Any], Any, Any]


def known(client: Client) -> dict[str, Labels]:
    """Names that can be time series, and their labels.  Of those that are gone the unit is not known."""
    present, out = client.session.names(), {}
    for name in sorted({*present, *client.session.commands.history.names()}):
        device, _, last = name.rpartition(".")
        quantity = present.get(name)
        if quantity is None or quantity.kind not in WORDS:
            out[name] = {"name": name, "device": device, "quantity": last}
            if quantity is not None and quantity.unit:
                out[name]["unit"] = quantity.unit
    return out


def chosen(client: Client, filters: tuple[bytes, ...]) -> dict[str, Labels]:
    fits = chooser(filters)
    return {name: labels for name, labels in known(client).items() if fits(labels)}


def numeric(client: Client, key: bytes) -> str:
    """The name behind *key*.  Raises Refused when there neither is nor was such a time series."""
    name = full(client, key)
    if name in known(client):
        return name
    if name in client.session.names():
        raise Refused("WRONGTYPE Operation against a key holding the wrong kind of value")
    raise Refused("ERR TSDB: the key does not exist")


def sampled(page: Page, asked: Asked) -> list[Sample]:
    """The points of *page* whose time is known."""
    shift, out = int(asked.shift * asked.bucket), list[Sample]()
    for run in page.runs:
        if run.offset is not None:
            front = run.offset + shift
            out += [[front + ms, float(value)] for ms, value in zip(run.ms, run.values, strict=True)]
    return out


@inlineCallbacks
def samples(client: Client, name: str, asked: Asked, backwards: bool, room: int) -> Steps:
    """Samples of *name*, none of a text.  Raises Refused when there are more than *room*."""
    wanted = room if asked.count is None else min(asked.count, room)
    out: list[Sample] = []
    if name not in client.session.latest and name not in client.session.commands.history.names():
        return out
    question: Question | None = Question(
        name, asked.start / 1000, (asked.end + 1) / 1000, asked.bucket / 1000 or None, asked.aggregate,
        min(wanted + 1, PAGE), backwards,
    )  # fmt: skip
    while question is not None and (asked.count is None or len(out) < asked.count):
        try:
            page: Page = yield client.session.hold(client.session.past(question))
        except Textual:  # and is gone: it must not end the answer for the others
            return out
        if page.kind not in WORDS:  # a key may have been a text for a while
            out += sampled(page, asked)
        if len(out) > wanted and wanted == room:
            raise Refused(f"ERR limit over {POINTS} samples in one answer; ask with AGGREGATION, COUNT or less time")
        question = replace(question, after=page.more) if page.more is not None else None
    return out[: asked.count]


@inlineCallbacks
def newest(client: Client, name: str) -> Steps:
    """The newest sample, or an empty list."""
    reading = client.session.latest.get(name)
    if reading is not None and reading.wall is not None and not isinstance(reading.value, str):
        digits = reading.quantity.digits if reading.quantity.kind == "float" else 0
        return [round(reading.wall * 1000), float(round(reading.value, digits))]  # as the history keeps it
    found = yield samples(client, name, Asked(count=1), True, POINTS)
    return found[0] if found else []


@inlineCallbacks
def get(client: Client, key: bytes, *words: bytes) -> Steps:
    asked(list(words), {"latest"})
    return (yield newest(client, numeric(client, key)))


def ranging(backwards: bool) -> Callable[..., Deferred[Any]]:
    @inlineCallbacks
    def range_(client: Client, key: bytes, *words: bytes) -> Steps:
        wanted, name = ranged(list(words), RANGE), numeric(client, key)
        return (yield samples(client, name, wanted, backwards, POINTS))

    return range_


@inlineCallbacks
def mget(client: Client, *words: bytes) -> Steps:
    wanted, out = asked(list(words), MANY), {}
    for name, labels in chosen(client, wanted.filters).items():
        out[name] = [shown(client, labels, wanted), (yield newest(client, name))]
    return keyed(client, out)


def many(backwards: bool) -> Callable[..., Deferred[Any]]:
    @inlineCallbacks
    def mrange(client: Client, *words: bytes) -> Steps:
        wanted, out, room = ranged(list(words), MANY | RANGE), {}, POINTS
        for name, labels in chosen(client, wanted.filters).items():
            found = yield samples(client, name, wanted, backwards, room)
            room -= len(found)
            about = [{"aggregators": [wanted.word] if wanted.word else []}] if client.version == 3 else []
            out[name] = [shown(client, labels, wanted), *about, found]
        return keyed(client, out)

    return mrange


def shown(client: Client, labels: Labels, wanted: Asked) -> Any:
    """Labels as the version has them; of those asked for, one that is not there is null."""
    some: dict[str, Any] = labels if wanted.labels is None else {each: labels.get(each) for each in wanted.labels}
    return some if client.version == 3 else list(some.items())


def keyed(client: Client, out: dict[str, list[Any]]) -> Any:
    return out if client.version == 3 else [[name, *rest] for name, rest in out.items()]


def queryindex(client: Client, *filters: bytes) -> set[str]:
    return set(chosen(client, filters))


@inlineCallbacks
def info(client: Client, key: bytes) -> Steps:
    name = numeric(client, key)
    last = yield newest(client, name)
    first = yield samples(client, name, Asked(count=1), False, POINTS)
    page: Page = yield client.session.hold(client.session.past(Question(name, 0.0, END / 1000, AGES, "count")))
    labels = known(client).get(name, {})
    return {
        "totalSamples": sum(int(point.value) for point in page.points),
        "memoryUsage": 0,
        "firstTimestamp": first[0][0] if first else 0,
        "lastTimestamp": last[0] if last else 0,
        "retentionTime": 0,
        "chunkCount": 0,
        "chunkSize": 0,
        "chunkType": Simple("compressed"),
        "duplicatePolicy": None,
        "labels": shown(client, labels, Asked(labels=None)),
        "sourceKey": None,
        "rules": {} if client.version == 3 else [],
    }


TIMES = "[COUNT count] [AGGREGATION type milliseconds]"
FILTER = "FILTER label=value [label=value ...]"
COMMANDS = {
    "ts.get": Command(get, -2, "name [LATEST]", "the newest sample"),
    "ts.mget": Command(mget, -3, f"[WITHLABELS] {FILTER}", "the newest sample of each that fits"),
    "ts.range": Command(ranging(False), -4, f"name from to {TIMES}", "samples, oldest first"),
    "ts.revrange": Command(ranging(True), -4, f"name from to {TIMES}", "samples, newest first"),
    "ts.mrange": Command(many(False), -5, f"from to {TIMES} [WITHLABELS] {FILTER}", "samples of all that fit"),
    "ts.mrevrange": Command(many(True), -5, f"from to {TIMES} [WITHLABELS] {FILTER}", "the same, newest first"),
    "ts.queryindex": Command(queryindex, -2, "label=value [label=value ...]", "the names that fit"),
    "ts.info": Command(info, 2, "name", "how much there is of it"),
}
