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
print(type(reactor).__module__, any(name.startswith("cryptography.") for name in sys.modules))
"""


@pytest.mark.parametrize("tls", [False, True])
def test_ours_is_everybodys_and_openssl_comes_with_tls_only(tls: bool) -> None:
    out = subprocess.run([sys.executable, "-c", CODE.format(tls=tls)], capture_output=True, text=True, check=False)
    assert out.stdout.split() == ["gateway.reactor", str(tls)], out.stderr
