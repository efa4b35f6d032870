"""One request: checked, handed to what answers it, and nothing kept.

Twisted's own resources and sessions are left out: they cost half the time of a request and answer in HTML.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from twisted.python.failure import Failure
from twisted.web import http

from gateway.commands import stranger
from gateway.commands.grammar import clip, nearest
from gateway.interfaces.http import api
from gateway.interfaces.http.answer import FRESH, JSON, Refusal, opening
from gateway.interfaces.http.page import File

if TYPE_CHECKING:
    from gateway.interfaces.http.server import Channel, Site
    from gateway.interfaces.http.stream import Stream

BODY = 64 * 1024  # bytes of a request's body, at most
PARAMETERS = 100
PACKED = re.compile(
    rb"(?:^|,)\s*(?:x-)?(?:gzip|\*)\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))", re.IGNORECASE
)  # RFC 9110 12.5.3
TARGET = re.compile(rb"https?://([^/?]*)(.*)", re.DOTALL)


class Request(http.Request):
    """See the module.  ``session`` lives as long as the request."""

    channel: Channel | None  # type: ignore[assignment]  # Twisted sets None, but does not say so
    content: BytesIO
    path: bytes

    def __init__(self, channel: Channel, *_: object) -> None:
        super().__init__(channel)
        self.site: Site = channel.factory
        host, port = getattr(self.client, "host", ""), getattr(self.client, "port", "")
        self.session = self.site.commands.open(stranger(host, f"{host}:{port}", "http"))
        self.query = b""
        self.stream: Stream | None = None

    # What Twisted calls

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > BODY:
            self.requestHeaders.removeHeader(b"expect")
            self.flood()

    def handleContentChunk(self, data: bytes) -> None:
        if self.content.tell() + len(data) > BODY:  # chunked: nobody told the length
            self.flood()
        else:
            self.content.write(data)

    def flood(self) -> None:
        assert self.channel is not None
        self.channel.refuse(Refusal(413, f"a body of more than {BODY} bytes; send the commands one by one"))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, self.query = path.partition(b"?")
        try:
            self.check()
            self.route()
        except Refusal as refusal:
            self.refuse(refusal)
        except Exception as error:
            self.session.fail(error)
            self.refuse(Refusal(500, f"{type(error).__name__}: a bug in the gateway; its log has more"))

    def finish(self) -> None:
        super().finish()
        self.session.close()

    def connectionLost(self, reason: Failure) -> None:
        if self.stream is not None:
            self.stream.close()
        super().connectionLost(reason)
        self.session.close()

    # Checks and routes

    def check(self) -> None:
        """Raise Refusal when a foreign page may be behind the request (DESIGN 7), or Host is not as RFC 9112 3.2
        wants it."""
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if len(hosts) > 1 or (not hosts and self.clientproto != b"HTTP/1.0"):
            raise Refusal(400, f"{len(hosts)} Host fields; there must be one (RFC 9112 3.2)")
        if target := TARGET.fullmatch(self.path):  # the form for proxies; its host counts
            hosts, self.path = [target[1]], target[2] or b"/"
        host = hosts[0].decode("latin-1").lower() if hosts else "localhost"
        if not self.site.knows(host):
            way = 'use its address, localhost or NAME.local, or add it to `hosts = ["..."]` under [http]'
            raise Refusal(421, f"{clip(host)} is no name of this gateway; {way}")
        for origin in self.requestHeaders.getRawHeaders(b"origin", ()):
            if origin.decode("latin-1").lower().partition("://")[2] != host:
                raise Refusal(403, f"a page of {clip(origin.decode('latin-1'))} may not ask the gateway {clip(host)}")

    def route(self) -> None:
        """Have the request answered, or raise Refusal."""
        if (file := self.site.files.get(self.path)) is not None:
            self.allow("GET", "HEAD")
            return self.send(file)
        path = self.decoded(self.path)
        for prefix, named in api.NAMED.items():
            if path.startswith(prefix) and path != prefix:
                self.allow("GET", "HEAD")
                return named(self, unquote(path.removeprefix(prefix)))
        if path not in api.ROUTES:
            known = [*api.ROUTES, *(each.decode() for each in self.site.files)]
            raise Refusal(404, f"{clip(path)}: there is nothing here{nearest(path, known)}")
        methods, show = api.ROUTES[path]
        self.allow(*methods)
        show(self)

    def allow(self, *methods: str) -> None:
        if self.method.decode("latin-1") not in methods:
            ways = ", ".join(methods)
            message = f"{clip(self.method.decode('latin-1'))} cannot be done here, only {ways}"
            raise Refusal(405, message, f"Allow: {ways}\r\n".encode())

    def decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Refusal(400, "the address is not UTF-8; write %XX for other bytes") from None

    def parameters(self, *known: str) -> dict[str, list[str]]:
        """What stands behind the ``?``, each of *known* with all its values."""
        found: dict[str, list[str]] = {name: [] for name in known}
        if self.query:
            try:
                pairs = parse_qsl(self.decoded(self.query), True, errors="strict", max_num_fields=PARAMETERS)
            except ValueError as error:
                raise Refusal(400, f"behind the `?`: {error}") from None
            for name, value in pairs:
                if name not in found:
                    raise Refusal(400, f"{clip(name)}: no such parameter{nearest(name, known)}")
                found[name].append(value)
        return found

    # Answers

    def answer(self, body: bytes, status: int = 200, kind: bytes = JSON, fields: bytes = FRESH) -> None:
        """Send the whole answer in one write.  Does nothing when the client has left."""
        if self.channel is None:
            return
        close = b"" if self.channel.persistent else b"Connection: close\r\n"
        length = b"" if status == 304 else b"Content-Length: %d\r\n" % len(body)
        head = b"".join((opening(status, kind), self.date(), fields, close, length, b"\r\n"))
        self.startedWriting, self.code = 1, status
        self.channel.write(head if self.method == b"HEAD" else head + body)
        self.finish()

    def date(self) -> bytes:
        """The Date field; none while the time is not known (RFC 9110 6.6.1)."""
        now = self.session.now()
        return b"" if now is None else b"Date: %b\r\n" % http.datetimeToString(now)

    def refuse(self, refusal: Refusal) -> None:
        if not self.startedWriting:
            self.answer(refusal.body, refusal.status, JSON, FRESH + refusal.fields)

    def send(self, file: File) -> None:
        """A file of the page.  Browsers keep it, and ask each time whether it is still the same."""
        fields = b"Cache-Control: no-cache\r\nETag: %b\r\nVary: Accept-Encoding\r\n" % file.tag
        known = self.getHeader(b"if-none-match") or b""
        if file.tag.removeprefix(b"W/") in known or known.strip() == b"*":  # compared weakly: RFC 9110 13.1.2
            self.answer(b"", 304, b"", fields)
        elif PACKED.search(self.getHeader(b"accept-encoding") or b""):
            self.answer(file.packed, 200, file.kind, fields + b"Content-Encoding: gzip\r\n")
        else:
            self.answer(file.plain, 200, file.kind, fields)
