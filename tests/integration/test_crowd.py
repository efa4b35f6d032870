"""More clients than there is room for."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.integration.daemon import PATIENCE, Process, free_port, gateway_command

SOFT, HARD = 60, 160  # descriptors
ROOM = HARD * 3 // 4
CONFINED = f'ulimit -Sn {SOFT} && ulimit -Hn {HARD} && exec "$@"'


def test_more_clients_than_descriptors(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "gateway.toml"
    path.write_text(f'[tcp]\nlisten = "tcp:{port}:interface=127.0.0.1"\n')
    daemon = Process(tmp_path, ["sh", "-c", CONFINED, "sh", *gateway_command("run", "--config", path)])

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), PATIENCE)

    def first() -> list[socket.socket]:
        try:
            return [connect()]
        except ConnectionRefusedError:
            return []

    def ask(client: socket.socket) -> bytes:
        client.sendall(b"set x 1\n")
        return client.recv(4096)

    try:
        with ExitStack() as stack:
            clients = [stack.enter_context(each) for each in daemon.until(first)]
            clients += [stack.enter_context(connect()) for _ in range(ROOM - 1)]
            assert {ask(client) for client in clients} == {b"OK\n"}
            for _ in range(3 * HARD):  # more than all that are left
                with connect() as refused:
                    assert refused.recv(4096) == f"ERR limit {ROOM} connections are open already\n".encode()
                    assert refused.recv(4096) == b""
            assert ask(clients[-1]) == b"OK\n"
            for client in clients[ROOM // 2 :]:
                client.close()

            def welcome() -> bool:
                with connect() as client:
                    return ask(client) == b"OK\n"

            daemon.until(welcome)
        daemon.stop()
    finally:
        daemon.kill()
