"""Whatever a client says wrongly is answered in the words of a real redis-server, which hears the same here."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.commands.house import House
from tests.gateway.interfaces.query.talk import Talk, said
from tests.integration.daemon import until

END = said("ECHO", "the end")
SAID = [
    ["FOO"], ["FOO a b"], ["FOO " + "a" * 200 + " b"], ["x" * 300 + " y"], ["hfoo a b c"], ["subscribe"],
    ["GET"], ["get a b"], ["SET a"], ["SET a b zz"], ["MGET"], ["DEL"], ["EXISTS"], ["KEYS"], ["DBSIZE x"], ["TYPE"],
    ["GET a", "MGET a b", "EXISTS a b", "TYPE a", "TTL a", "PTTL a", "STRLEN a", "DEL a b", "KEYS x*"],
    ["SCAN 0 MATCH x"], ["SCAN"], ["SCAN x"], ["SCAN 0 MATCH"], ["SCAN 0 COUNT 0"], ["SCAN 0 COUNT x"],
    ["SCAN 0 FOO 1"], ["SCAN 0 MATCH a COUNT"], ["FLUSHDB x"], ["FLUSHDB"], ["FLUSHDB ASYNC"], ["FLUSHDB ASYNC SYNC"],
    ["TIME x"],
    ["CLIENT"], ["CLIENT FOO"], ["CLIENT foo bar"], ["CLIENT SETNAME"], ["CLIENT GETNAME"],
    ["CLIENT SETNAME x", "CLIENT GETNAME", "RESET", "CLIENT GETNAME"], ["CLIENT NO-EVICT x"], ["CLIENT NO-EVICT on"],
    ["CONFIG FOO"], ["CONFIG GET"], ["CONFIG GET appendonly nothing"], ["COMMAND FOO"], ["COMMAND COUNT x"],
    ["HELLO 4"], ["HELLO x"], ["HELLO 3 FOO"], ["HELLO 3 AUTH a"], ["HELLO 3 AUTH a b"], ["HELLO 3 SETNAME"],
    ["AUTH a"], ["AUTH a b"], ["AUTH default b"], ["AUTH a b c"], ["AUTH"],
    ["SELECT 0"], ["SELECT 99"], ["SELECT x"], ["SELECT -1"], ["PING"], ["PING a"], ["PING a b"], ["ECHO"], ["ECHO a"],
    ["EXEC"], ["DISCARD"], ["MULTI", "MULTI", "EXEC"], ["MULTI", "GET a", "EXEC"], ["MULTI", "EXEC"],
    ["MULTI", "GET", "EXEC"], ["MULTI", "FOO a", "GET a", "EXEC", "GET a"], ["MULTI", "DISCARD", "EXEC"],
    ["MULTI", "RESET", "EXEC"], ["MULTI", "PING", "QUIT"], ["MULTI", "CLIENT FOO", "EXEC"],
    ["SUBSCRIBE a", "GET b", "PING", "PING x", "SUBSCRIBE a b", "GET", "FOO"], ["SUBSCRIBE a", "MULTI"],
    ["SUBSCRIBE a", "HELLO 3"], ["SUBSCRIBE a", "RESET", "PING"], ["UNSUBSCRIBE a b"], ["UNSUBSCRIBE"],
    ["PSUBSCRIBE a b", "PUNSUBSCRIBE a", "PUNSUBSCRIBE zz", "PUNSUBSCRIBE", "PUNSUBSCRIBE"], ["PUNSUBSCRIBE"],
    ["QUIT", "PING"], ["QUIT a"], ["RESET"], ["RESET a"],
]  # fmt: skip
RAW = [
    b"*x\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n*1\r\n$1\r\na\r\n", b"*1\r\n:1\r\n",
    b"*2\r\n$99999999999\r\n", b"*99999999999\r\n", b"*-1\r\n*0\r\n\r\n", b"*1\r\n$0\r\n\r\n",
    b"*2\r\n$0\r\n\r\n$0\r\n\r\n", said("CLIENT", "SETNAME", "a b"), said("FOO", "a\r\nb"),
]  # fmt: skip
ALL = [b"".join(said(*line.split(" ")) for line in lines) for lines in SAID] + RAW


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a redis-server."""
    assert shutil.which("redis-server") is not None, "apt install redis-server"
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", "0", "--unixsocket", "s", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            until((folder / "s").exists, "redis-server")
            yield folder / "s"
        finally:
            process.terminate()


def theirs(path: Path, data: bytes) -> tuple[bytes, bool]:
    """The answer up to ``END``'s, and whether it was the last before the connection was closed."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(data + END)
        got = b""
        while not ended(got):
            try:
                more = client.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return got, True
            got += more
        return got, False


def ended(got: bytes) -> bool:
    return got.endswith(b"$7\r\nthe end\r\n") or (b"Can't execute 'echo'" in got and got.endswith(b"context\r\n"))


@pytest.mark.parametrize("data", ALL, ids=lambda data: data[:60].decode().replace("\r\n", " "))
def test_as_redis_says(server: Path, data: bytes) -> None:
    house = House()
    talk = Talk(house)
    talk.send(data + END)
    assert (talk.transport.value(), talk.closed) == theirs(server, data)
