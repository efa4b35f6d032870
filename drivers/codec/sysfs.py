"""What the kernel writes into its files: numbers and names, as text that ends with its line."""

from __future__ import annotations

import re

from drivers.api import BadFrame

NUMBER = re.compile(rb"-?\d{1,20}(\.\d{1,12})?\n")
NAMES = re.compile(rb"(?:[\x21-\x7e]+\n)*\n")


def number(answer: bytes) -> float:
    """The one number of a file."""
    if not NUMBER.fullmatch(answer):
        raise BadFrame(f"no number: {answer[:40]!r}")
    return float(answer)


def names(answer: bytes) -> tuple[str, ...]:
    """The names in a folder."""
    if not NAMES.fullmatch(answer):
        raise BadFrame(f"no list of names: {answer[:40]!r}")
    return tuple(answer.decode("ascii").split())
