"""Talks to a running gateway over its query port, for the command line and for scripts.  No Twisted in here."""

from __future__ import annotations

import socket
from collections.abc import Iterator

PORT = 7600


class GatewayError(Exception):
    """The gateway refused, with the words after ERR; or could not be reached."""


class Client:
    """One connection.  ``Client("127.0.0.1", 7600).ask("get *")`` gives the data lines."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT, timeout: float | None = 15.0) -> None:
        try:
            self.socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            reason = error.strerror or str(error)
            raise GatewayError(
                f"no gateway at {host}:{port}: {reason}; is it running? (gateway run, gateway demo)"
            ) from error
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def ask(self, command: str) -> list[str]:
        """The data lines of the answer.  Raises GatewayError when the gateway says ERR or goes away."""
        return list(self.say(command))

    def say(self, command: str) -> Iterator[str]:
        if "\n" in command:
            raise GatewayError("a command is one line")
        self.socket.sendall(command.encode() + b"\n")
        for line in self.read():
            if line == "OK" or line.startswith("OK "):
                return
            if line.startswith("ERR "):
                raise GatewayError(line.removeprefix("ERR "))
            yield line

    def pushed(self, *patterns: str) -> Iterator[str]:
        """New readings of these patterns, without end."""
        self.ask(" ".join(("watch", *patterns)))
        self.socket.settimeout(None)
        for line in self.read():
            yield line.removeprefix("* ")

    def read(self) -> Iterator[str]:
        try:
            for line in self.lines:
                yield line.rstrip("\n")
        except TimeoutError as error:
            raise GatewayError("the gateway does not answer") from error
        except OSError as error:
            raise GatewayError(f"the connection broke: {error.strerror or error}") from error
        raise GatewayError("the gateway closed the connection")

    def close(self) -> None:
        self.lines.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()
