"""The command ``gateway``.  The only place where the reactor is imported: ours, made before anybody asks for it."""

from __future__ import annotations

import sys

from gateway import cli

OPENSSL = "OpenSSL", "ssl", "_hashlib"  # whose imports load it: pyOpenSSL and the standard library


def main() -> None:
    sys.exit(cli.main(sys.argv[1:], install))


def install(tls: bool) -> object:
    """Make our reactor the one that everybody imports.  Without *tls*, OpenSSL stays out of the process: Twisted
    loads it whenever it can be found, for 12 MB, and asyncio, which Twisted imports, for another 5.  Those who import
    it do without: hashlib has its own SHA and MD5."""
    if not tls:
        for name in OPENSSL:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # documented: makes its import fail
    from twisted.internet.main import installReactor

    from gateway.reactor import make

    reactor = make()
    installReactor(reactor)
    return reactor


if __name__ == "__main__":
    main()
