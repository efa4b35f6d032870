"""Talks to a running gateway over its query port, for the command line and for scripts.  No Twisted in here."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator

PORT = 7600
LONGEST = 1 << 20  # characters of a line; a gateway's has a few thousand


class GatewayError(Exception):
    """The gateway refused, with the words after ERR, the first of which is *code*; or could not be reached."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Client:
    """One connection.  ``Client("127.0.0.1", 7600).ask("get *")`` gives the data lines."""

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
        for line in self.read():
            if line.startswith("* "):
                self.early.append(line)
            elif line == "OK" or line.startswith(("OK ", "ERR ")):
                self.status = line
                if line.startswith("ERR "):
                    raise GatewayError(line.removeprefix("ERR "), line.split()[1])
                return
            else:
                yield line

    def pushed(self, *patterns: str) -> Iterator[str]:
        """New readings of these patterns, without end."""
        self.ask(" ".join(("watch", *patterns)))
        yield from self.pushes()

    def pushes(self) -> Iterator[str]:
        """What is pushed, without end."""
        self.socket.settimeout(None)
        while self.early:
            yield self.early.popleft().removeprefix("* ")
        for line in self.read():
            yield line.removeprefix("* ")

    def read(self) -> Iterator[str]:
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
