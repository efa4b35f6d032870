"""The command that has something go wrong, where devices are emulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from gateway.commands.grammar import Answer, CommandError, Row
from gateway.commands.times import duration

if TYPE_CHECKING:
    from gateway.commands.session import Session

OFF = ("off", "none")


class Faults(Protocol):
    """What can be done to emulated devices."""

    def now(self) -> Mapping[str, str]:
        """What is wrong, by the name of the device."""

    def kinds(self, device: str) -> Mapping[str, str]:
        """What can go wrong with *device*, and what that means."""

    def begin(self, device: str, kind: str, seconds: float | None = None) -> None:
        """Have *kind* go wrong, for so long or until it is "".  ValueError, with what there is, for another one."""


def do_fault(me: Session, device: str = "", kind: str = "", last: str = "") -> Answer:
    faults = me.commands.faults
    if faults is None:
        raise CommandError("denied", "nothing is emulated here; `gateway run --emulate` and `gateway demo` do that")
    if not device:
        rows = [Row(f"{name} {kind}", {"device": name, "fault": kind}) for name, kind in sorted(faults.now().items())]
        return Answer(tuple(rows), f"OK {len(rows)}")
    me.handle(device)
    try:
        if kind:
            faults.begin(device, "" if kind.lower() in OFF else kind.lower(), duration(last) if last else None)
            return Answer()
        rows = [Row(f"{each}: {text}", {"fault": each, "about": text}) for each, text in faults.kinds(device).items()]
    except ValueError as error:
        raise CommandError("syntax", str(error)) from None
    return Answer(tuple(rows), f"OK {len(rows)}")
