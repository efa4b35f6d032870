"""Bytes that nobody would send, against both dialects of the query port: ``python -m tests.fuzz --seconds 60``.

What they are led to do lies in ``corpus/``, and is done again by an ordinary test."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
DIALECTS = "text", "resp"
PLENTY = 4000  # bytes of one input
