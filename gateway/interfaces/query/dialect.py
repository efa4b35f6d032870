"""What a connection of the query port needs of the language that is spoken on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gateway.commands import Row
from gateway.reading import Readings

Fresh = Readings | tuple[Row, ...]  # what comes at once
BATCH = 100  # requests, after which others have their turn
Made = dict[Any, bytes]  # what was made for one connection in this flush, for the next that wants the same


class Last(bytes):
    """An answer behind which the connection is closed."""


@dataclass(slots=True)
class Tally:
    """Connections that are open, those that ever were, and requests in RESP."""

    open: int = 0
    ever: int = 0
    requests: int = 0


class Dialect(Protocol):
    """One connection's language.  A request is whatever ``cut`` makes of the bytes."""

    @property
    def held(self) -> bool:
        """Whether an answer is under way that nothing may be pushed into."""

    def cut(self, data: bytes) -> Sequence[Any]:
        """The requests that are whole now; the rest is kept, within bounds."""

    def quick(self, data: bytes) -> bytes | None:
        """The whole answer to *data*, when that is nothing but a batch of whole requests whose answers are known."""

    def known(self, request: Any) -> bytes | None:
        """The whole answer, when it is known or at hand."""

    def perform(self, request: Any) -> bytes | Deferred[bytes]:
        """The answer to any request.  Never raises, never fails."""

    def pushed(self, fresh: Sequence[Fresh], made: Made) -> bytes:
        """What is watched, or followed, and new."""

    def torn(self) -> bytes:
        """The last word to a client that said no more in the middle of a request, or nothing."""
