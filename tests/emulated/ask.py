"""The clients that people use, on this machine, against a gateway's ports."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(attempt: Callable[[], T | None], timeout: float = 60) -> T:
    """What *attempt* gives, once it gives something; until then it may also fail."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            found = attempt()
            if found:
                return found
            problem: object = found
        except (OSError, ValueError, LookupError, subprocess.CalledProcessError) as error:
            problem = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing in {timeout:g} s: {problem!r}")
        time.sleep(0.1)


def nc(port: int, *commands: str) -> list[str]:
    """The lines that the query port answers to *commands*."""
    said = "".join(command + "\n" for command in commands)
    done = subprocess.run(
        ["nc", "-N", "-w", "10", "127.0.0.1", str(port)], input=said, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def value(port: int, name: str) -> str:
    """The value of the reading *name*, as its second column has it."""
    answer = nc(port, f"get {name}")
    found = answer[0].split()[1] if len(answer) == 2 and answer[1] == "OK" else "-"
    if found == "-":
        raise LookupError(f"{name}: {answer}")
    return found


def state(port: int, device: str) -> str:
    """What `devices` says of *device*: state, driver, place and reason."""
    for line in nc(port, "devices"):
        if line.startswith(device + " "):
            return line.removeprefix(device + " ")
    raise LookupError(device)


def curl(port: int, path: str) -> Any:
    done = subprocess.run(
        ["curl", "-sS", "--fail", "--max-time", "10", f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


class Chat:
    """Somebody in #readings."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection(("127.0.0.1", port), 30)
        self.text = self.line.makefile("rw", encoding="utf-8", newline="\r\n")
        self.say("NICK guest", "USER guest 0 * :Guest", "JOIN #readings")
        self.hear(" 366 ")

    def say(self, *lines: str) -> None:
        self.text.write("".join(line + "\r\n" for line in lines))
        self.text.flush()

    def hear(self, part: str) -> str:
        """The next line that holds *part*."""
        while line := self.text.readline():
            if line.startswith("PING"):
                self.say("PONG" + line[4:].rstrip())
            if part in line:
                return line.rstrip()
        raise EOFError("the server hung up")

    def close(self) -> None:
        self.text.close()
        self.line.close()
