"""The life of a device as a table: absent, opening, identifying, running, lost and back again, or refused, which it
stays while somebody looks whether it is still the wrong one.

What happens to a device is an input; what becomes of it is told to the hub.  Who makes things happen is ``device``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from automat import TypeMachineBuilder

from gateway.handle import Status
from gateway.hub import Hub


class Life(Protocol):
    """What may happen to a device.  Who calls: the attempt, the connection, the service."""

    def open(self) -> None:
        """An attempt begins."""

    def opened(self) -> None:
        """The port or bus is open; now see who is there."""

    def identified(self, identity: str) -> None:
        """It is the right device, and it works."""

    def failed(self, reason: str) -> None:
        """It could not be opened, did not answer, or went away."""

    def refuse(self, reason: str) -> None:
        """Something else is there; a person must look."""

    def stop(self) -> None:
        """The gateway lets go of it."""


@dataclass
class Told:
    """Where the life tells its status."""

    name: str
    hub: Hub
    status: Status

    def tell(self, state: str, reason: str = "", **more: Any) -> None:
        self.status = replace(self.status, state=state, reason=reason, since=self.hub.clock.monotonic(), **more)
        self.hub.tell(self.name, self.status)


def build() -> Callable[[Told], Life]:
    machine = TypeMachineBuilder(Life, Told)
    absent, lost = machine.state("absent"), machine.state("lost")
    opening, reopening = machine.state("opening"), machine.state("reopening")
    identifying, reidentifying = machine.state("identifying"), machine.state("reidentifying")
    running, refused, rechecking = machine.state("running"), machine.state("refused"), machine.state("rechecking")

    def missing(_: Life, told: Told, /, reason: str) -> None:
        told.tell("absent", reason)

    def gone(_: Life, told: Told, /, reason: str) -> None:
        told.hub.forget(told.name)
        told.tell("lost", reason)

    # A device that was never seen is absent when an attempt fails; one that was seen is lost.
    for idle, trying, asking, failed in (absent, opening, identifying, missing), (lost, reopening, reidentifying, gone):

        @idle.upon(Life.open).to(trying)
        def open(_: Life, told: Told) -> None:
            told.tell("opening", told.status.reason)

        @trying.upon(Life.opened).to(asking)
        def opened(_: Life, told: Told) -> None:
            told.tell("identifying", told.status.reason)

        @asking.upon(Life.identified).to(running)
        def identified(_: Life, told: Told, identity: str) -> None:
            told.tell("running", identity=identity)

        trying.upon(Life.failed).to(idle)(failed)
        asking.upon(Life.failed).to(idle)(failed)

    running.upon(Life.failed).to(lost)(gone)

    for state in (opening, reopening, identifying, reidentifying, running, rechecking):

        @state.upon(Life.refuse).to(refused)
        def refuse(_: Life, told: Told, reason: str) -> None:
            told.hub.forget(told.name)
            if (told.status.state, told.status.reason) != ("refused", reason):
                told.tell("refused", reason)

    refused.upon(Life.open).to(rechecking).returns(None)
    refused.upon(Life.failed).loop().returns(None)
    rechecking.upon(Life.opened).loop().returns(None)
    rechecking.upon(Life.identified).to(running)(identified)
    rechecking.upon(Life.failed).to(absent)(missing)

    for state in (absent, lost, opening, reopening, identifying, reidentifying, running, refused, rechecking):

        @state.upon(Life.stop).to(absent)
        def stop(_: Life, told: Told) -> None:
            told.hub.forget(told.name)
            told.tell("absent", "stopped")

    return machine.build()


make_life = build()
