"""The command line.  Each module has the commands that need the same, with their options; all are light to import, and
fetch what is heavy when it is their turn.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from gateway.cli import local, serve, talk, wire
from gateway.cli.configured import load as load  # a .tac has it from here
from gateway.cli.options import Install
from gateway.client import GatewayError


def main(arguments: list[str], install: Install) -> int:
    """Do what *arguments* say; the exit status is 0, 1 when refused, 2 when they make no sense."""
    if arguments and arguments[0] in talk.COMMANDS:
        arguments = list(map(talk.shielded, arguments))
    if arguments == ["--version"]:  # as other programs have it
        arguments = ["version"]
    chosen = parser().parse_args(arguments)
    try:
        status: int = chosen.do(chosen, install)
        sys.stdout.flush()  # here, where a broken pipe can be met
        return status
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # our reader has seen enough
        forget()
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        forget()
        print(f"gateway: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def forget() -> None:
    """What is still to be written to the output cannot be: Python would complain of it at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="gateway", description="Device Gateway: serial, I2C and GPIO devices on the net."
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, about: str, do: Callable[[Any, Install], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(do=do, command=name)
        return command

    for module in serve, local, talk, wire:
        module.commands(add)
    return top
