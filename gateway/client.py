"""Talks to a running gateway over its query port, for the command line and for scripts.

This file stands alone: copy it beside your script, or import it from the package.  Programs that run on Twisted have
``gateway.remote``.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Union

PORT = 7600
LONGEST = 1 << 20  # characters of a line; a gateway's has a few thousand
Value = Union[float, int, bool, str, None]  # noqa: UP007  # older Pythons take this file, too
Time = Union[datetime, float, None]  # noqa: UP007


class GatewayError(Exception):
    """The gateway refused, with the words after ERR, the first of which is *code*; or could not be reached."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Reading:
    """One value.  *time* is in UTC, or seconds since the gateway's start while it does not know the time; with *value*
    it is None where there is none.  *quality* is good, unsynced, suspect or stale."""

    name: str
    value: Value
    unit: str
    time: Time
    quality: str


@dataclass(frozen=True)
class Point:
    """One value of the past, or what a step was gathered to; *time* is where that begins."""

    name: str
    value: Value
    time: Time
    quality: str


class Client:
    """One connection.  ``Client("127.0.0.1", 7600).ask("get *")`` gives the data lines.  What gives readings instead
    of lines wants them as text: say ``json off`` before it, if you said ``json on``."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT, timeout: float | None = 15.0) -> None:
        try:
            self.socket = socket.create_connection((host, port), timeout)
        except (OSError, UnicodeError) as error:  # a name that cannot be one is a UnicodeError
            reason = getattr(error, "strerror", None) or str(error)
            raise GatewayError(
                f"no gateway at {host}:{port}: {reason}; is it running? (gateway run, gateway demo)"
            ) from error
        self.lines = self.socket.makefile("r", encoding="utf-8", errors="replace", newline="\n")
        self.early: deque[str] = deque(maxlen=10_000)  # pushed while an answer was read
        self.status = ""  # the last line of the last answer: ``OK 3``

    # Readings

    def get(self, name: str) -> Reading:
        """The newest reading of *name*."""
        return only(name, self.ask(f"get {name}"))

    def readings(self, *patterns: str) -> list[Reading]:
        """The newest readings of these names and patterns, or all."""
        return [reading(line) for line in self.ask(" ".join(("get", *(patterns or ("*",)))))]

    def read(self, name: str) -> list[Reading]:
        """Have a device, or the device of a name, measure now."""
        return [reading(line) for line in self.ask(f"read {name}")]

    def set(self, name: str, value: Value) -> None:
        """Set *name*: True is on; a text is what you would type, as in ``"50 %"``."""
        self.ask(f"set {name} {typed(value)}")

    def range(self, name: str, start: str, end: str = "now", step: str = "", aggregate: str = "") -> Iterator[Point]:
        """The past of a name or a pattern, oldest first, as it comes: take all before you ask for something else.
        Times and steps are as in ``help times``."""
        for line in self.say(f"range {name} {start} {end} {step} {aggregate}".rstrip()):
            yield point(line, name)

    def watch(self, *words: str) -> Iterator[Reading]:
        """New readings, without end: ``watch("attic.*", "changed", "every 10s")``."""
        for line in self.pushed(*words):
            yield reading(line)

    # Lines

    def ask(self, command: str) -> list[str]:
        """The data lines of the answer.  Raises GatewayError when the gateway says ERR or goes away."""
        return list(self.say(command))

    def say(self, command: str) -> Iterator[str]:
        """The same, line by line as they come.  Take them all before you say something else."""
        if "\n" in command or "\r" in command:
            raise GatewayError("a command is one line")
        try:
            self.socket.sendall(command.encode() + b"\n")
        except UnicodeEncodeError as error:  # an argument of the command line may be anything
            raise GatewayError("a command is one line of UTF-8") from error
        except OSError as error:
            raise broken(error) from error
        for line in self.take():
            if line.startswith("* "):
                self.early.append(line)
            elif line == "OK" or line.startswith(("OK ", "ERR ")):
                self.status = line
                if line.startswith("ERR "):
                    raise GatewayError(line[4:], line.split()[1])
                return
            else:
                yield line

    def pushed(self, *patterns: str) -> Iterator[str]:
        """New readings of these patterns, without end."""
        return self.follow(" ".join(("watch", *patterns)))

    def follow(self, command: str) -> Iterator[str]:
        """Say *command*, and give the lines that come after its answer, without end."""
        self.ask(command)
        self.socket.settimeout(None)
        while self.early:
            yield self.early.popleft()[2:]
        for line in self.take():
            yield line[2:] if line.startswith("* ") else line

    def take(self) -> Iterator[str]:
        """Whole lines, until the connection ends: then it raises GatewayError."""
        while True:
            try:
                line = self.lines.readline(LONGEST)
            except TimeoutError as error:
                raise GatewayError("the gateway does not answer") from error
            except OSError as error:
                raise broken(error) from error
            if len(line) == LONGEST:
                raise GatewayError("it is no gateway that answers here")
            if not line.endswith("\n"):
                raise GatewayError("the gateway closed the connection")
            yield line.rstrip("\n")

    def close(self) -> None:
        self.lines.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()


def broken(error: OSError) -> GatewayError:
    return GatewayError(f"the connection broke: {error.strerror or error}")


def only(name: str, lines: list[str]) -> Reading:
    """The one reading among *lines*.  Raises GatewayError where *name* is a pattern that none or several fit."""
    if len(lines) != 1:
        raise GatewayError(f"{name} is {len(lines)} names; readings() takes patterns", "usage")
    return reading(lines[0])


def reading(line: str) -> Reading:
    """A line of five columns; only the value may hold blanks."""
    name, rest = line.split(" ", 1)
    value, unit, time, quality = rest.rsplit(" ", 3)
    return Reading(name, understood(value), "" if unit == "-" else unit, moment(time), quality)


def point(line: str, name: str) -> Point:
    """A line of ``range``; that of a pattern begins with the name."""
    if any(each in name for each in "*?["):
        name, line = line.split(" ", 1)
    elif "." not in name:
        name = f"manual.{name}"
    time, value = line.split(" ", 1)
    quality = "good"
    for each in ("unsynced", "suspect"):
        if value.endswith(f" {each}"):
            value, quality = value[: -len(each) - 1], each
    return Point(name, understood(value), moment(time), quality)


def understood(text: str) -> Value:
    """A value as the gateway writes it."""
    if text in ("-", "on", "off"):
        return None if text == "-" else text == "on"
    if text.startswith('"'):
        found: str = json.loads(text)
        return found
    try:
        return float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        return text  # one of a quantity's words


def typed(value: Value) -> str:
    """A value as the gateway understands it.  Raises GatewayError for what is none."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or (isinstance(value, float) and not isfinite(value)):
        raise GatewayError(f"{value} is no value to be set", "bad-value")
    if isinstance(value, float) and "e" in str(value):  # to a key of its own the gateway takes 1e-05 for a text
        return f"{value:.20f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and (value != value.strip() or value[:1] in ("", '"') or not value.isprintable()):
        return json.dumps(value)
    return str(value)


def moment(text: str) -> Time:
    """A time as the gateway writes it."""
    if text == "-":
        return None
    return float(text) if text.startswith("+") else datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
