"""Who asks, and what they may.

Until access is built in full, everybody on the loopback is operator, and everybody else, where a listener
allows it at all, is viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.commands.grammar import CommandError

ROLES = ("viewer", "operator", "admin")


@dataclass(frozen=True, slots=True)
class Who:
    """One asker: a name for the log, a role, where they come from ("127.0.0.1:40312"), and through what ("tcp")."""

    name: str
    role: Literal["viewer", "operator", "admin"]
    origin: str
    interface: str = ""

    def need(self, role: str, what: str) -> None:
        """Raise CommandError when *role* is more than this one has."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise CommandError("denied", f"`{what}` takes the role {role}; you are {self.role}")


def stranger(host: str, origin: str, interface: str = "") -> Who:
    """Who comes from the address *host* without saying who they are.  A UNIX socket's host is empty."""
    local = not host or host == "::1" or host.startswith(("127.", "::ffff:127."))
    return Who("anonymous", "operator" if local else "viewer", origin, interface)
