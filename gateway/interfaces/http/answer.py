"""How answers begin, and how a refusal is told: as JSON that names the thing, the place and the way out."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from gateway.commands import Answer
from gateway.reading import encode

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
FRESH = b"Cache-Control: no-store\r\n"
SAFE = (
    b"Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)

# Of commands that were refused; any other code is a 400.
CODES = {"unknown": 404, "denied": 403, "bad-value": 422, "no-answer": 504, "bad-frame": 502, "wrong-device": 502,
         "locked": 409, "device": 502, "limit": 429, "no-history": 503, "internal": 500}  # fmt: skip


class Refusal(Exception):
    """A request that is answered with an error.  *fields* are header lines, *more* joins the error in the body."""

    def __init__(self, status: int, message: str, fields: bytes = b"", **more: Any) -> None:
        super().__init__(message)
        self.status, self.fields, self.more = status, fields, more

    @property
    def body(self) -> bytes:
        return encode({"error": str(self), **self.more})


@cache
def opening(status: int, kind: bytes) -> bytes:
    """The status line and the fields that every answer of that kind has."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return line + SAFE + (b"Content-Type: %b\r\n" % kind if kind else b"")


def closing(refusal: Refusal) -> bytes:
    """A whole answer, for who is refused before there is a request to speak of, and then disconnected."""
    body = refusal.body
    length = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return opening(refusal.status, JSON) + FRESH + refusal.fields + length + body


def refused(answer: Answer) -> tuple[str, str]:
    """The code and the message of a command that was refused."""
    _, code, message = f"{answer.status} ".split(" ", 2)
    return code, message.strip()
