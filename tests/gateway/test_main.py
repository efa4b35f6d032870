"""The reactor that the command installs, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from gateway.__main__ import install
reactor = install({tls})
from twisted.internet import endpoints, reactor as global_reactor
assert global_reactor is reactor
import asyncio, hashlib
assert hashlib.sha256(b"abc").hexdigest().startswith("ba7816bf") and hashlib.md5(b"").hexdigest().startswith("d41d8cd9")
import gateway.app, gateway.interfaces.query, gateway.interfaces.http, gateway.interfaces.irc
loaded = [name for name in ("cryptography", "_ssl", "_hashlib") if sys.modules.get(name)]
print(type(reactor).__module__, *loaded)
"""
LOADED = {True: ["cryptography", "_ssl", "_hashlib"], False: []}


@pytest.mark.parametrize("tls", [False, True])
def test_ours_is_everybodys_and_openssl_comes_with_tls_only(tls: bool) -> None:
    out = subprocess.run([sys.executable, "-c", CODE.format(tls=tls)], capture_output=True, text=True, check=False)
    assert out.stdout.split() == ["gateway.reactor", *LOADED[tls]], out.stderr
    assert out.stderr == ""
