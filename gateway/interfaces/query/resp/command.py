"""What a command is, for those who write them, and what a client is to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.commands import Answer, Session
from gateway.interfaces.query.dialect import Tally
from gateway.interfaces.query.resp.wire import Encoded, Refused, Request

CONTAINERS = {"client", "command", "config"}  # their second word belongs to the command


@dataclass(frozen=True, slots=True)
class Command:
    """*call* gets the client and the arguments as bytes, and gives what ``wire.encode`` takes, or a Deferred of it.
    *arity* as Redis counts it: the command's own words too, and below zero it is the least."""

    call: Callable[..., Any]
    arity: int
    arguments: str
    about: str
    flags: str = "readonly"  # as COMMAND INFO shows them; no_multi: not between MULTI and EXEC


Table = Mapping[str, Command]


class Client(Protocol):
    """One connection, as commands see it."""

    session: Session
    tally: Tally
    number: int
    since: float  # seconds of the reactor's clock
    version: Literal[2, 3]  # of RESP
    label: str  # its name, by CLIENT SETNAME
    library: dict[str, str]  # by CLIENT SETINFO
    channels: dict[bytes, str]  # as asked for, and the full name
    patterns: dict[bytes, Callable[[str], object]]
    wanted: dict[str, tuple[bytes, ...]]  # by full name: the channels
    block: list[Request] | None  # between MULTI and EXEC

    @property
    def subscribed(self) -> bool:
        """Whether it hears any channel."""

    def begin(self) -> None:
        """From now on commands are queued."""

    def execute(self) -> Encoded:
        """Have the block carried out; what is given back announces its answers."""

    def discard(self) -> list[Request]:
        """Forget the block, and give it back."""

    def reset(self) -> None:
        """Forget all that was said on this connection."""


def word(data: bytes) -> str:
    """A command, an option: ASCII in lower case."""
    return data.decode("ascii", "replace").lower()


def outcome(answer: Answer) -> Answer:
    """*answer*, when all went well.  Raises Refused."""
    if not answer.ok:
        raise refused(answer)
    return answer


def refused(answer: Answer) -> Refused:
    """An error of the command language, in Redis's word where it has one."""
    return Refused(answer.status.replace("ERR denied", "NOPERM", 1))


def whole(data: bytes, least: int = 0, most: int = 2**63 - 1) -> int:
    """A number.  Raises Refused."""
    if not re.fullmatch(rb"-?[0-9]{1,19}", data) or not least <= (number := int(data)) <= most:
        raise Refused("ERR value is not an integer or out of range")
    return number


def found(table: Table, request: Request) -> tuple[str, Command, list[bytes]]:
    """The command that *request* names, and its arguments.  Raises Refused, in the words of Redis."""
    name, used = word(request[0]), 1
    if name in CONTAINERS and (len(request) > 1 or name != "command"):
        if len(request) == 1:
            raise Refused(f"ERR wrong number of arguments for '{name}' command")
        name, used = f"{name}|{word(request[1])}", 2
        if name not in table:
            raise Refused(f"ERR unknown subcommand '{shown(request[1])}'. Try {word(request[0]).upper()} HELP.")
    if (command := table.get(name)) is None:
        raise Refused(f"ERR unknown command '{shown(request[0])}', with args beginning with: {beginning(request[1:])}")
    if len(request) != command.arity and not 0 <= -command.arity <= len(request):
        raise Refused(f"ERR wrong number of arguments for '{name}' command")
    return name, command, request[used:]


def shown(data: bytes) -> str:
    return data[:128].decode(errors="replace")


def beginning(arguments: list[bytes]) -> str:
    out = ""
    for argument in arguments:
        if len(out) >= 128:
            break
        out += f"'{shown(argument[: 128 - len(out)])}' "
    return out
