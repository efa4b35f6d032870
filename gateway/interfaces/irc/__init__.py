"""IRC: a server of its own, where devices talk in channels and a bot takes commands."""

from __future__ import annotations

from gateway.interfaces.irc.server import IRC

__all__ = ["IRC"]
