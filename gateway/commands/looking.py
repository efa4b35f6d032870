"""Commands that look: at the gateway, its devices and their newest readings."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from gateway.clock import Clock, Segment, iso
from gateway.commands.grammar import GLOB, Answer, CommandError, Row, clip, nearest
from gateway.commands.usage import COMMANDS, GROUPS, TOPICS, Usage
from gateway.handle import Status
from gateway.hub import matcher
from gateway.reading import Reading

if TYPE_CHECKING:
    from gateway.commands.session import Session


WIDE = 26  # characters of the first column of `help`


def do_help(me: Session, word: str = "") -> Answer:
    word = word.lower()
    if not word:
        return overview()
    if (usage := COMMANDS.get(word)) is not None:
        first = f"{word} {usage.arguments}".rstrip() + f": {usage.about} ({usage.role})"
        data = described(word, usage)
        rows = [Row(first, data)]
        rows += [Row(f"  {line}", {"command": word, "more": line}) for line in usage.more]
        rows += [Row(f"  > {line}", {"command": word, "example": line}) for line in usage.examples]
        return Answer(tuple(rows))
    if (lines := TOPICS.get(word)) is not None:
        return Answer(tuple(Row(line, {"topic": word, "more": line}) for line in lines))
    raise CommandError("unknown-command", f"{clip(word)}: no such command{nearest(word, [*COMMANDS, *TOPICS])}")


def overview() -> Answer:
    rows = []
    for group, commands in GROUPS.items():
        rows.append(Row(f"{group}:", {"group": group}))
        for name, usage in commands.items():
            said = f"{name} {usage.arguments}"
            said = said if len(said) <= WIDE else f"{name} ..."
            rows.append(Row(f"  {said:{WIDE}}  {usage.about}", described(name, usage)))
    topics = ", ".join(f"help {topic}" for topic in TOPICS)
    rows.append(Row(f"More: help COMMAND, {topics}", {"topics": list(TOPICS)}))
    return Answer(tuple(rows), f"OK {len(COMMANDS)}")


def described(name: str, usage: Usage) -> dict[str, object]:
    return {"command": name, "arguments": usage.arguments, "about": usage.about, "role": usage.role}


def do_version(me: Session) -> Answer:
    parts = {"device-gateway": release("device-gateway"), "python": platform.python_version(),
             "twisted": release("twisted")}  # fmt: skip
    return Answer((Row(" ".join(f"{name} {number}" for name, number in parts.items()), parts),))


def do_status(me: Session) -> Answer:
    clock, states = me.hub.clock, [handle.status.state for handle in me.hub.devices.values()]
    facts = {
        "time": clock.written(clock.monotonic()),
        "uptime": round(clock.monotonic(), 3),
        "boot": clock.boot,
        "synced": clock.now() is not None,
        "devices": len(states),
        "running": states.count("running"),
        "names": len(me.names()),
        "readings": me.hub.seq,
        "sessions": me.commands.sessions,
        "dropped": me.commands.dropped,
        "errors": sum(tally.count for tally in me.hub.errors.values()),
        "jobs": len(me.commands.jobs.waiting),
        **me.commands.history.facts,
        **me.commands.facts,
    }
    return Answer(tuple(Row(f"{key} {plain(fact)}", {key: fact}) for key, fact in facts.items()), f"OK {len(facts)}")


def clocked(clock: Clock, segment: Segment) -> Row:
    """What there is to say of a clock that was just set.  Whatever was at *since* (monotonic) or later has another
    time now: it was ``time`` at ``monotonic``.  *step* is in seconds, None where there was no time before."""
    now, step = clock.monotonic(), clock.step(segment)
    time = iso(now + segment.offset)
    if step is None:
        text = f"it is {time}; all that was said before has its time now"
    else:
        text = f"it is {time}: the clock was set by {step:+.3f} s"
    return Row(text, {"boot": segment.boot, "since": round(segment.since, 3), "time": time,
                      "monotonic": round(now, 3), "step": None if step is None else round(step, 3)})  # fmt: skip


def do_devices(me: Session, *patterns: str) -> Answer:
    match, rows = matcher(patterns or ("*",)), []
    for card, status in me.devices():
        if match(card.name):
            text = f"{card.name} {status.state} {card.driver} {card.where.replace(' ', '/') or '-'}"
            data = {"name": card.name, "state": status.state, "driver": card.driver, "where": card.where,
                    "reason": status.reason, "label": card.label, "identity": status.identity,
                    "period": card.period, "settings": dict(card.settings),
                    "errors": {kind: count for kind, (count, _) in me.errors(card.name).items()}}  # fmt: skip
            if card.rules:
                data["outputs"] = {name: {**rules, "why": status.outputs.get(name, "")}
                                   for name, rules in card.rules.items()}  # fmt: skip
            rows.append(Row(f"{text} {' '.join((status.reason or ruled(status)).split()) or '-'}", data))
    return Answer(tuple(rows), f"OK {len(rows)}")


def ruled(status: Status) -> str:
    """Which outputs are where no client wanted them, nor the start, and by which rule."""
    return ", ".join(f"{name} {why}" for name, why in status.outputs.items() if not why.startswith("start:"))


def do_items(me: Session, *patterns: str) -> Answer:
    match = matcher([me.full(pattern) for pattern in patterns] or ("*",))
    rows = [me.row(name, quantity) for name, quantity in sorted(me.names().items()) if match(name)]
    return Answer(tuple(rows), f"OK {len(rows)}")


def do_count(me: Session, *patterns: str) -> Answer:
    return Answer(status=f"OK {len(me.readings(*map(me.full, patterns)))}")


def do_get(me: Session, *patterns: str) -> Answer:
    if len(patterns) == 1 and not GLOB.intersection(patterns[0]):
        name = me.full(patterns[0])
        if (reading := me.latest.get(name)) is not None:
            return Answer((me.fresh(reading),))
        return Answer((me.row(name, me.quantity(name)),))
    names = me.names()
    rows: dict[str, Row | Reading] = {}
    for pattern in map(me.full, patterns):
        if GLOB.intersection(pattern):
            rows |= {reading.name: me.fresh(reading) for reading in me.readings(pattern)}
        else:
            rows[pattern] = me.row(pattern, names.get(pattern) or me.quantity(pattern))
    return Answer(tuple(rows.values()), f"OK {len(rows)}")


def do_json(me: Session, word: str = "on") -> Answer:
    if word.lower() not in ("on", "off"):
        raise CommandError("syntax", "usage: json [on|off]")
    me.json = word.lower() == "on"
    return Answer()


def do_quit(me: Session) -> Answer:
    return Answer(status="OK bye", last=True)


def plain(fact: object) -> str:
    return ("yes" if fact else "no") if isinstance(fact, bool) else " ".join(str(fact).split()) or "-"


def release(distribution: str) -> str:
    """The version that is installed, or "unknown" where only the source lies around."""
    from importlib.metadata import PackageNotFoundError, version  # with all it needs, more than the rest of this module

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
