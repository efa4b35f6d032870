"""The rules of an output, as they are configured: of all outputs of a device, or of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from drivers.api import Quantity
from gateway import notation
from gateway.conditions import Condition, condition
from gateway.table import Table

Policy: TypeAlias = Literal["off", "on", "last", "hands-off"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
WHEN = ("start", "loss", "stop")
KEYS = (*WHEN, "max_on", "renew", "only_if")
MANUAL = "manual"  # its names come and go
Devices: TypeAlias = Mapping[str, Iterable[Quantity]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where an output is put at the start, after a loss and at the stop; for how many seconds it may be on; how many a
    client may leave between two ``set``; what must hold while it is on."""

    start: Policy = "off"
    loss: Policy = "off"
    stop: Policy = "off"
    max_on: float | None = None
    renew: float | None = None
    only_if: tuple[Condition, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """For people and programs: those that say something."""
        said: dict[str, Any] = {"start": self.start, "loss": self.loss, "stop": self.stop}
        said |= {key: value for key in ("max_on", "renew") if (value := getattr(self, key)) is not None}
        return said | ({"only_if": list(map(str, self.only_if))} if self.only_if else {})


def switches(quantities: Iterable[Quantity]) -> list[Quantity]:
    """Those of them that can be switched on and off."""
    return [each for each in quantities if each.writable and each.kind == "flag"]


def read_rules(table: Table, usual: Rules) -> Rules:
    """The rules in *table*, and where it says nothing, the *usual* ones."""
    start, loss, stop = (table.take(key, notation.one_of(POLICIES), getattr(usual, key)) for key in WHEN)
    rules = Rules(
        start=start,
        loss=loss,
        stop=stop,
        max_on=table.take("max_on", notation.duration, usual.max_on),
        renew=table.take("renew", notation.duration, usual.renew),
        only_if=table.each("only_if", condition) if "only_if" in table.raw else usual.only_if,
    )
    table.known["only_if"] = None
    if rules.renew is not None and loss not in ("on", "off"):
        table.wrong('what is not renewed goes where `loss` says, and that must be "on" or "off"', "renew")
    if rules.only_if and (bad := [key for key in WHEN if getattr(rules, key) in ("on", "last")]):
        told = f'`{bad[0]}` must be "off" or "hands-off" with `only_if`: nobody knows then what holds'
        table.wrong(told, bad[0] if bad[0] in table.raw else "only_if")
    return rules


def refuse_strange(devices: Devices, raw: Iterable[str], table: Table, rules: Mapping[str, Rules]) -> None:
    """Conditions are about what there is.  Of a device with a mistake, one of *raw* only, we do not know that."""
    for output, rule in rules.items():
        where = (output, "only_if") if isinstance(table.raw.get(output), dict) else ("only_if",)
        for each in rule.only_if:
            if wrong := strange(devices, raw, f"{table.path[-1]}.{output}", each):
                table.wrong(wrong, *where)


def strange(devices: Devices, raw: Iterable[str], own: str, each: Condition) -> str:
    """What is wrong with a condition of the output called *own*, or ""."""
    device, _, name = each.name.rpartition(".")
    if each.name == own:
        return f"{own} cannot wait for itself"
    if device == MANUAL or (device not in devices and device in raw):
        return ""
    if device not in devices:
        return f"there is no device {device}{notation.nearest(device, devices)}"
    found = {quantity.name: quantity for quantity in devices[device]}
    if name not in found:
        return f"{device} has no {name}{notation.nearest(name, found)}"
    if found[name].kind not in each.kinds:
        return f"`{each}` cannot be asked: {each.name} is a {found[name].kind}"
    return ""
