"""What a table has sent to a device on a serial line when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.api import Ask, BadFrame, NoAnswer, Sleep, Talk
from drivers.codec.framing import anything, fixed
from drivers.family import NUMBER, Key, Problems, take
from drivers.family.proof import hexed

WAIT = {"wait": Key(NUMBER, 0.0, span=(0, 60))}
BINARY = {"write": Key((str,)), "answer": Key((str,), ""), **WAIT}
TEXTUAL = {"send": Key((str,)), "answer": Key((str,), ""), **WAIT}


@dataclass(frozen=True, slots=True)
class Step:
    """*ask* is sent; an answer, where one is known, must come, else what comes is passed over for *wait* seconds."""

    ask: Ask
    answer: bytes
    wait: float


def read_init(said: list[Any], end: str | None, problems: Problems) -> tuple[Step, ...]:
    """Bytes in hexadecimal, or lines of text with *end* behind each."""
    steps = []
    for at, each in enumerate(said):
        where = f"init.{at}"
        taken = take(each, where, BINARY if end is None else TEXTUAL, problems)
        write = taken["write" if end is None else "send"]
        if write is ...:
            continue
        if end is None:
            write, answer = (
                hexed(write, f"{where}.write", problems),
                hexed(taken["answer"], f"{where}.answer", problems),
            )
        else:
            write, answer = f"{write}{end}".encode(), f"{taken['answer']}{end}".encode() if taken["answer"] else b""
        ask = (
            Ask(write, fixed(len(answer), answer), 1.0)
            if answer
            else Ask(write, anything(), taken["wait"] or 0.1, 0.05)
        )
        steps.append(Step(ask, answer, taken["wait"]))
    return tuple(steps)


def opened(steps: tuple[Step, ...]) -> Talk[str]:
    for step in steps:
        try:
            came = yield step.ask
        except (NoAnswer, BadFrame):
            if step.answer:
                raise
        else:
            if step.answer and came != step.answer:
                raise BadFrame(f"{came[:32]!r} in place of {step.answer!r}")
            yield Sleep(step.wait)
    return ""
