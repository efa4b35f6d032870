"""The real site on a real port, its reactor in a thread, so that tests may use plain blocking clients."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.threads import blockingCallFromThread

from gateway.interfaces.http import site
from gateway.reactor import Reactor
from tests.gateway.interfaces.http.program import Fake, gateway, house

R = TypeVar("R")


def wait(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Server:
    """What a test needs of a gateway.  Whatever touches the hub goes through ``do``."""

    def __init__(self, synced: bool = True, hosts: tuple[str, ...] = (), age: float = 0.0) -> None:
        self.reactor = Reactor()
        self.hub, self.commands, self.history = gateway(self.reactor, synced, age)
        self.devices: dict[str, Fake] = {fake.name: fake for fake in house(self.hub)}
        self.hub.devices |= self.devices
        self.site = site(self.commands, self.reactor, hosts, tcp=7600)
        self.listening = self.reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.port: int = self.listening.getHost().port
        self.thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
        self.thread.start()
        self.do(lambda: None)

    def do(self, action: Callable[[], R]) -> R:
        done: R = blockingCallFromThread(self.reactor, action)
        return done

    def publish(self, device: str, *values: Any, keeps: float = 1e9) -> None:
        sample = dict(zip(self.devices[device].quantities, values, strict=True))
        self.do(lambda: self.hub.publish(device, sample, keeps))

    def close(self) -> None:
        self.do(self.listening.stopListening)
        self.do(self.history.stopService)
        self.reactor.callFromThread(self.reactor.stop)
        self.thread.join(60)
        assert not self.thread.is_alive()

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
        """One request on a connection of its own, with Python's client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in fields.items()})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def order(self, command: str) -> Answer:
        return self.ask("/api/v1/commands", "POST", json.dumps({"command": command}).encode(),
                        Content_Type="application/json")  # fmt: skip

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def raw(self, request: bytes, ends: bool = True) -> bytes:
        """All that comes back for *request*; with *ends*, the sending side is closed at once, as ``nc -N`` does."""
        with self.connect() as client:
            client.sendall(request)
            if ends:
                client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.fields, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)
