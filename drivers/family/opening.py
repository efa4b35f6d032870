"""What a table has sent to a device on a serial line when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.api import Ask, BadFrame, NoAnswer, Sleep, Talk
from drivers.codec.framing import Framer, anything, begins, fixed, nothing
from drivers.family import NUMBER, Key, Problems, take
from drivers.family.proof import hexed

PAUSE = 0.1  # seconds for a command that nothing answers
WAIT = {"wait": Key(NUMBER, 0.0, span=(0, 60))}
BINARY = {"write": Key((str,)), "answer": Key((str,), ""), **WAIT}
TEXTUAL = {"send": Key((str,)), "answer": Key((str,), ""), **WAIT}


@dataclass(frozen=True, slots=True)
class Step:
    """*ask* is sent; an answer, where one is known, must come, else what comes is passed over for *wait* seconds."""

    ask: Ask
    answer: bytes
    wait: float


def read_init(
    said: list[Any], problems: Problems, end: str | None = None, answer_end: str = "", talks: bool = False
) -> tuple[Step, ...]:
    """Bytes in hexadecimal, or lines of text with *end* behind each, and *answer_end* behind what answers them.  What a
    device that *talks* says meanwhile is heard as ever."""
    steps = []
    for at, each in enumerate(said):
        where = f"init.{at}"
        taken = take(each, where, BINARY if end is None else TEXTUAL, problems)
        write = taken["write" if end is None else "send"]
        if write is ...:
            continue
        if end is not None and talks:
            steps.append(spoken(write, taken["answer"], end, 1.0, taken["wait"]))
            continue
        if end is None:
            write = hexed(write, f"{where}.write", problems)
            answer = hexed(taken["answer"], f"{where}.answer", problems)
        else:
            write = f"{write}{end}".encode()
            answer = f"{taken['answer']}{answer_end}".encode() if taken["answer"] else b""
        if answer:
            ask = Ask(write, fixed(len(answer), answer), 1.0)
        elif talks:
            ask = Ask(write, nothing, taken["wait"] or PAUSE)
        else:
            ask = Ask(write, anything(), taken["wait"] or PAUSE, 0.05)
        steps.append(Step(ask, answer, taken["wait"]))
    return tuple(steps)


def line_of(text: bytes) -> Framer:
    """*text* as a line of its own."""

    def frame(buffer: bytes) -> int:
        begins(buffer, text)
        if len(buffer) <= len(text):
            return 0
        if buffer[len(text)] not in b"\r\n":
            raise BadFrame(f"no line of its own: {buffer[:32]!r}")
        return len(text) + 1

    return frame


def spoken(command: str, answer: str, end: str, timeout: float, wait: float = 0) -> Step:
    """Say *command*, and wait for *answer* if there is one."""
    write, right = f"{command}{end}".encode(), answer.encode()
    ask = Ask(write, line_of(right), timeout) if right else Ask(write, nothing, wait or PAUSE)
    return Step(ask, right, wait if right else 0)


def opened(steps: tuple[Step, ...]) -> Talk[str]:
    for step in steps:
        try:
            came = yield step.ask
        except (NoAnswer, BadFrame):
            if step.answer:
                raise
        else:
            if step.answer and not (came.startswith(step.answer) and step.ask.frame(came) == len(came)):
                raise BadFrame(f"{came[:32]!r} in place of {step.answer!r}")
            yield Sleep(step.wait)
    return ""
