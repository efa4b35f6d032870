"""The one door: every interface opens a session here, and asks for everything through it."""

from __future__ import annotations

from gateway.commands.access import Who, stranger
from gateway.commands.grammar import Answer, CommandError, Row
from gateway.commands.run import Commands, Session
from gateway.hub import Card, Status

__all__ = ["Answer", "Card", "CommandError", "Commands", "Row", "Session", "Status", "Who", "stranger"]
