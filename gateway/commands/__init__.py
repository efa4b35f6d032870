"""The one door: every interface opens a session here, and asks for everything through it."""

from __future__ import annotations

from gateway.commands.access import Who, stranger
from gateway.commands.grammar import Answer, CommandError, Row
from gateway.commands.run import Commands
from gateway.commands.session import Session
from gateway.handle import Card, Status
from gateway.history.question import Aggregate, Event, Page, Place, Point, Question, Textual

__all__ = ["Aggregate", "Answer", "Card", "CommandError", "Commands", "Event", "Page", "Place", "Point", "Question",
           "Row", "Session", "Status", "Textual", "Who", "stranger"]  # fmt: skip
