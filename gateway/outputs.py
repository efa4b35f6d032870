"""Opens GPIO lines for a device, an output with the level that its policy wants in the same call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, execute

from drivers.api import GPIO, SetLines, Writes
from gateway.device import Plan
from gateway.run import Connection, Direct, Fed, Lost, Open, Ring


def lines(chip: Any, plan: Plan, specs: Mapping[str, str], ring: Ring) -> Open:
    """Opens the lines *specs* (name in the driver's link -> "gpio:GPIO17") of *chip*."""
    link, settings = plan.driver.link, plan.settings
    assert isinstance(link, GPIO)

    def opened(fed: Fed) -> Connection:
        made = chip.open(
            specs,
            link.direction,
            initial=levels(plan, plan.start) if link.direction == "out" else None,
            pull=getattr(settings, "pull", "none"),
            debounce=getattr(settings, "debounce", 0.0),
            fed=fed,
        )
        return Direct(made, ring, made.close)

    def open(fed: Fed, lost: Lost) -> Deferred[Connection]:
        return execute(opened, fed)

    return open


def levels(plan: Plan, policy: str) -> dict[str, bool] | None:
    """The electrical levels that a policy stands for; the driver knows, and its first operation tells.  None is:
    leave the lines as they are."""
    if policy not in ("on", "off"):
        return None
    device = plan.driver.device(plan.settings)
    found: dict[str, bool] = {}
    assert isinstance(device, Writes)
    for quantity in plan.driver.quantities:
        if quantity.writable and quantity.kind == "flag":
            talk = device.write(quantity, policy == "on")
            operation = next(talk)
            talk.close()
            assert isinstance(operation, SetLines)
            found.update(operation.levels)
    return found
