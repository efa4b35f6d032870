"""The page: plain files, sent as they are.  No build step, and no request off the board."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it goes out: plain or gzipped, with its kind and a tag that changes with its bytes."""

    kind: bytes
    plain: bytes
    packed: bytes
    tag: bytes


def files() -> dict[bytes, File]:
    """Every file of the page by its address; ``index.html`` is ``/``."""
    found = {}
    for path in Path(__file__).parent.iterdir():
        if (kind := KINDS.get(path.suffix)) is not None:
            plain = path.read_bytes()
            tag = b'W/"%b"' % sha256(plain).hexdigest()[:16].encode()
            address = b"/" if path.name == "index.html" else f"/{path.name}".encode()
            found[address] = File(kind, plain, gzip.compress(plain, mtime=0), tag)
    return found
