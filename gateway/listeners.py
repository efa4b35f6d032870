"""The listening ports of the interfaces.  One that cannot be had is tried again until it can: whatever holds it
may be the gateway that ran before us, and all other interfaces and devices go on meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IProtocolFactory
from twisted.logger import Logger

AGAIN = 2.0  # seconds between two tries


class Listeners:
    """Ports by the name of their interface.  *facts* get what is ``not_listening``, and why."""

    log = Logger()

    def __init__(self, reactor: Any, facts: dict[str, Any]) -> None:
        self.reactor, self.facts = reactor, facts
        self.ports: dict[str, list[IListeningPort]] = {}
        self.refused: dict[tuple[str, str], str] = {}  # interface and endpoint -> why
        self.tries: dict[tuple[str, str], IDelayedCall] = {}
        self.tell()

    def listen(self, name: str, endpoints: Iterable[str], factory: IProtocolFactory) -> Deferred[Any]:
        """Listen at each of *endpoints*; fires when all were tried."""
        return DeferredList([Deferred.fromCoroutine(self.bind(name, endpoint, factory)) for endpoint in endpoints])

    async def bind(self, name: str, endpoint: str, factory: IProtocolFactory) -> None:
        try:
            port = await serverFromString(self.reactor, endpoint).listen(factory)
        except Exception as error:  # taken, not permitted, no such certificate
            why = str(getattr(error, "socketError", error))
            if self.refused.get((name, endpoint)) != why:
                self.log.error(
                    "{name} cannot listen at {endpoint}: {why}; tried again every {again:g} s",
                    name=name,
                    endpoint=endpoint,
                    why=why,
                    again=AGAIN,
                )
            self.refused[name, endpoint] = why
            self.tries[name, endpoint] = self.reactor.callLater(AGAIN, self.again, name, endpoint, factory)
        else:
            self.refused.pop((name, endpoint), None)
            self.ports.setdefault(name, []).append(port)
            self.log.info("{name} listens on {place}", name=name, place=said(port.getHost()))
        self.tell()

    def again(self, name: str, endpoint: str, factory: IProtocolFactory) -> None:
        del self.tries[name, endpoint]
        Deferred.fromCoroutine(self.bind(name, endpoint, factory))

    def close(self, *names: str) -> Deferred[Any]:
        """No new connections; those that are there stay."""
        for key in [key for key in self.refused if key[0] in names]:
            del self.refused[key]
            if key in self.tries:
                self.tries.pop(key).cancel()
        self.tell()
        ports = [port for name in names for port in self.ports.pop(name, [])]
        return DeferredList([maybeDeferred(port.stopListening) for port in ports])

    def tell(self) -> None:
        self.facts["not_listening"] = "; ".join(f"{endpoint}: {why}" for (_, endpoint), why in self.refused.items())

    def number(self, name: str) -> int:
        """The TCP port of the interface called *name*, or 0."""
        hosts = [port.getHost() for port in self.ports.get(name, ())]
        return next((int(host.port) for host in hosts if isinstance(host, IPv4Address | IPv6Address)), 0)


def said(host: Any) -> str:
    """A listening address as a person writes it."""
    if isinstance(host, IPv4Address | IPv6Address):
        return f"{host.host}:{host.port}"
    return os.fsdecode(host.name) if isinstance(host, UNIXAddress) and host.name else str(host)
