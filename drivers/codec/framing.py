"""Where an answer ends: framers for ``Ask.frame``.

A framer is shown what came.  It gives the length of the answer that this begins with, 0 while that is not yet known
to be whole, or raises BadFrame where no answer can begin here; then one byte is passed over.  Make them once, at the
top of a driver: they are compared by identity.

Some devices mark no end at all and simply fall silent.  Only who holds the line can tell that, so the silence stands
in the question: ``Ask(write, anything(), timeout, gap=0.05)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from drivers.api import BadFrame

Framer: TypeAlias = Callable[[bytes], int]
LONGEST = 4096  # bytes of an answer, where a driver says nothing


def begins(buffer: bytes, start: bytes) -> None:
    """Raise BadFrame unless *buffer*, as far as it goes, begins with *start*."""
    if not start.startswith(buffer[: len(start)]):
        raise BadFrame(f"no answer: {buffer[:32].hex(' ')}")


def bounded(buffer: bytes, length: int, longest: int) -> int:
    """*length*, 0 while *buffer* is shorter; BadFrame when it never could be."""
    if max(length, 0 if length else len(buffer)) > longest:
        raise BadFrame(f"an answer of more than {longest} bytes: {buffer[:32].hex(' ')}")
    return length if len(buffer) >= length else 0


def terminated(*ends: bytes, start: bytes = b"", longest: int = LONGEST) -> Framer:
    """An answer from *start* to the first of *ends*, such as b"\\r\\n", which is a part of it."""

    def frame(buffer: bytes) -> int:
        begins(buffer, start)
        found = [at + len(end) for end in ends if (at := buffer.find(end, len(start))) >= 0]
        return bounded(buffer, min(found, default=0), longest)

    return frame


def fixed(length: int, start: bytes = b"") -> Framer:
    """An answer of *length* bytes that begins with *start*."""

    def frame(buffer: bytes) -> int:
        begins(buffer, start)
        return length if len(buffer) >= length else 0

    return frame


def counted(
    at: int,
    size: int = 1,
    order: Literal["big", "little"] = "big",
    *,
    extra: int = 0,
    start: bytes = b"",
    longest: int = LONGEST,
) -> Framer:
    """An answer that says its length: *size* bytes at *at* hold a number, and *extra* bytes more is what it has."""

    def frame(buffer: bytes) -> int:
        begins(buffer, start)
        if len(buffer) < at + size:
            return 0
        length = int.from_bytes(buffer[at : at + size], order) + extra
        if length < at + size:
            raise BadFrame(f"an answer of {length} bytes: {buffer[:32].hex(' ')}")
        return bounded(buffer, length, longest)

    return frame


def anything(start: bytes = b"", longest: int = LONGEST) -> Framer:
    """An answer that begins with *start* and ends when the line falls silent."""

    def frame(buffer: bytes) -> int:
        begins(buffer, start)
        return bounded(buffer, 0, longest)

    return frame


def nothing(buffer: bytes) -> int:
    """For a command that nothing answers: whatever comes, the device says by itself."""
    raise BadFrame(f"no answer: {buffer[:32].hex(' ')}")
