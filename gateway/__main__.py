"""The command ``gateway``.  The only place where the reactor is imported: ours, made before anybody asks for it."""

from __future__ import annotations

import sys

from gateway import cli


def main() -> None:
    sys.exit(cli.main(sys.argv[1:], install))


def install(tls: bool) -> object:
    """Make our reactor the one that everybody imports.  Without *tls*, OpenSSL stays out of the process: Twisted
    loads it whenever it can be found, and it takes 12 MB."""
    if not tls and "OpenSSL" not in sys.modules:
        sys.modules["OpenSSL"] = None  # type: ignore[assignment]  # documented: makes its import fail
    from twisted.internet.main import installReactor

    from gateway.reactor import make

    reactor = make()
    installReactor(reactor)
    return reactor


if __name__ == "__main__":
    main()
