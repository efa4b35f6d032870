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
    ".txt": b"text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it goes out: gzipped, with its kind and a tag that changes with its bytes."""

    kind: bytes
    packed: bytes
    tag: bytes

    @property
    def plain(self) -> bytes:
        """For the few that cannot unpack it."""
        return gzip.decompress(self.packed)


def files() -> dict[bytes, File]:
    """Every file of the page by its address; ``index.html`` is ``/``, and what lies there packed has no ``.gz``."""
    found = {}
    for path in Path(__file__).parent.iterdir():
        name = path.name.removesuffix(".gz")
        if (kind := KINDS.get(Path(name).suffix)) is not None:
            data = path.read_bytes()
            tag = b'W/"%b"' % sha256(data).hexdigest()[:16].encode()
            address = b"/" if name == "index.html" else f"/{name}".encode()
            found[address] = File(kind, data if name != path.name else gzip.compress(data, mtime=0), tag)
    return found
