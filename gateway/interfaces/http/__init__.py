"""HTTP: devices, readings and events as JSON, commands, and the page that shows them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from gateway.commands import Commands
from gateway.interfaces.http.server import Site

__all__ = ["Site", "site"]


def site(commands: Commands, clock: IReactorTime, hosts: Sequence[str] = (), tcp: int = 0) -> Site:
    """What a server endpoint listens with.  *hosts* are more names of this machine; *tcp* is the port of the text
    dialect, for the commands that the page shows (0: none)."""
    return Site(commands, clock, hosts, tcp)
