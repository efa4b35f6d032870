"""The query port: the command language over TCP, for people with ``nc`` and for programs."""

from __future__ import annotations

from gateway.interfaces.query.port import Query

__all__ = ["Query"]
