"""What several commands have: the way to be one, and options that mean the same in each."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from gateway.client import PORT

CONFIG = Path("/etc/gateway/gateway.toml")
Install: TypeAlias = Callable[[bool], Any]  # makes the reactor, with TLS or without
Add: TypeAlias = Callable[[str, str, Callable[[Any, Install], int]], ArgumentParser]  # name, what it is for, does it


def config(command: ArgumentParser, about: str = f"default: {CONFIG}") -> None:
    command.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=about)


def reach(command: ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", help="where the gateway is; default 127.0.0.1")
    command.add_argument("--port", type=int, default=PORT, help=f"its query port; default {PORT}")


def above_zero(text: str) -> float:
    """A number, or ``inf``; for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:  # nan, too
        raise ArgumentTypeError(f"takes a number above 0, not {text!r}")
    return number
