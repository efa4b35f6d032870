"""Lines of IRC: what one says, and how one is written.  Pure; text in, text out.

A line is ``[@tags ][:source ]COMMAND[ parameter...][ :last parameter]`` (RFC 1459 2.3, RFC 2812 2.3,
modern.ircdocs.horse; the tags: IRCv3 message-tags).  Text is UTF-8 only.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

BODY = 510  # bytes of a line without tags and line end, at most (RFC 1459 2.3)
TAGS = 4096  # bytes of what a client may put in front of it, with its "@" and blank (message-tags, "Size limit")
TEXT = 400  # bytes of text that certainly fit into a line, whoever says it and wherever
LONGEST = 200  # characters of a parameter but the last
PARAMETERS = 15
NICK = re.compile(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,29}")  # RFC 2812 2.3.1, but longer
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
ESCAPES = {"\\": "\\\\", ";": "\\:", " ": "\\s", "\r": "\\r", "\n": "\\n"}
MEANINGS = {":": ";", "s": " ", "r": "\r", "n": "\n"}  # any other character after a backslash is itself
ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
BREAKS = str.maketrans("\r\n\0", "   ")  # what would end a line, or the client's


@dataclass(frozen=True, slots=True)
class Message:
    """One line, understood.  *command* is in upper case."""

    command: str
    parameters: tuple[str, ...] = ()
    source: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def fold(name: str) -> str:
    """A nick or channel as it is compared: ``CASEMAPPING=ascii``."""
    return name.translate(LOWER)


def parse(text: str) -> Message | None:
    """What a line without its end says, or None when it says nothing.

    >>> parse("@id=1 :amy!a@b PRIVMSG #attic :how warm?")
    Message(command='PRIVMSG', parameters=('#attic', 'how warm?'), source='amy!a@b', tags={'id': '1'})
    """
    tags: dict[str, str] = {}
    source = ""
    text = text.lstrip(" ")
    if text.startswith("@"):
        head, _, text = text[1:].partition(" ")
        tags = parse_tags(head)
        text = text.lstrip(" ")
    if text.startswith(":"):
        source, _, text = text[1:].partition(" ")
    text, colon, last = f" {text}".partition(" :")
    words = [word for word in text.split(" ") if word]
    if not words:
        return None
    if colon:
        words.append(last)
    if len(words) > PARAMETERS + 1:
        words[PARAMETERS:] = [" ".join(words[PARAMETERS:])]
    return Message(words[0].translate(UPPER), tuple(words[1:]), source, tags)


def parse_tags(text: str) -> dict[str, str]:
    """``a=1;b`` as names and values; of a name given twice the last counts."""
    pairs = (item.partition("=") for item in text.split(";") if item)
    return {name: unescape(value) for name, _, value in pairs if name}


def unescape(value: str) -> str:
    return ESCAPED.sub(lambda found: MEANINGS.get(found[1], found[1]), value)


def escape(value: str) -> str:
    return "".join(ESCAPES.get(each, each) for each in value)


def written(tags: Iterable[tuple[str, str]]) -> str:
    """Tags as they stand in a line, without its "@"."""
    return ";".join(f"{name}={escape(value)}" if value else name for name, value in tags)


def line(source: str, command: str, *parameters: str) -> bytes:
    """A line with its end.  What is too long loses its tail, never half a character, and no parameter ends it early.

    >>> line("gateway", "PRIVMSG", "#attic", "21.53 °C")
    b':gateway PRIVMSG #attic :21.53 \\xc2\\xb0C\\r\\n'
    """
    *middle, last = parameters
    text = " ".join([f":{source} {command}", *map(word, middle), f":{last}"])
    return cut(text.translate(BREAKS).encode(), BODY) + b"\r\n"


def word(text: str) -> str:
    """*text* as it can stand between other parameters."""
    return text[:LONGEST].replace(" ", "_").lstrip(":") or "*"


def cut(data: bytes, most: int) -> bytes:
    """The first characters of UTF-8 *data* that fit into *most* bytes."""
    return data if len(data) <= most else data[:most].decode(errors="ignore").encode()


def wrap(text: str, most: int = TEXT) -> Iterator[str]:
    """*text* in pieces of at most *most* bytes, parted at a blank where there is one near."""
    data = text.translate(BREAKS).encode()
    while len(data) > most:
        piece = cut(data, most)
        if (blank := piece.rfind(b" ")) > most // 2:
            piece = piece[: blank + 1]
        yield piece.decode().rstrip(" ")
        data = data[len(piece) :]
    yield data.decode()


def rows(words: Iterable[str], most: int = TEXT) -> Iterator[str]:
    """*words* in lines of at most *most* bytes."""
    row: list[str] = []
    size = 0
    for word in words:
        length = len(word.encode()) + 1
        if row and size + length > most:
            yield " ".join(row)
            row, size = [], 0
        row.append(word)
        size += length
    if row:
        yield " ".join(row)
