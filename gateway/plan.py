"""How one device is run: what its driver says and what the user chose, as one piece of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any

from drivers import api
from gateway import config
from gateway.config import Bus, Endpoint, Folder, Lines, ModbusTCP, Select, SerialPort, Unit
from gateway.handle import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a device is run: the row of its driver, and what the user chose."""

    card: Card
    driver: api.Driver[Any]
    settings: Any
    scales: dict[str, tuple[float, float]]  # quantity -> factor, offset
    limits: dict[str, tuple[float, float]]  # quantity -> what is plausible
    slopes: Mapping[str, float] = field(default_factory=dict)  # quantity -> how much it can change in a second
    rules: Mapping[str, config.Rules] = field(default_factory=dict)  # of outputs
    hidden: frozenset[str] = frozenset()  # quantities that nobody wants to see


def planned(device: config.Device) -> Plan:
    """What a device needs to know of the config."""
    settings: Any = device.settings
    chosen: Mapping[str, config.QuantityConfig] = device.quantities
    card = Card(
        name=device.name,
        label=device.label,
        driver=device.driver.name,
        title=device.driver.title,
        documentation=device.driver.documentation or "",
        where=place(device.where),
        period=device.period,
        settings={each.name: getattr(settings, each.name) for each in fields(settings) if each.repr},  # others: secrets
        quantities=device.shown,
        labels={name: each.label for name, each in chosen.items() if each.label},
        rules={name: rules.told for name, rules in device.rules.items()},
    )
    return Plan(
        card=card,
        driver=device.driver,
        settings=settings,
        scales={
            name: (each.scale, each.offset) for name, each in chosen.items() if (each.scale, each.offset) != (1, 0)
        },
        limits={
            name: (-inf if each.low is None else each.low, inf if each.high is None else each.high)
            for name, each in chosen.items()
            if each.low is not None or each.high is not None
        },
        slopes={name: each.slope for name, each in chosen.items() if each.slope is not None},
        rules=device.rules,
        hidden=frozenset(name for name, each in chosen.items() if not each.enabled),
    )


def place(where: config.Where | ModbusTCP) -> str:
    """Where a device is, as a person would say it."""
    match where:
        case SerialPort(path=path):
            return path
        case Endpoint(description=description):
            return description
        case ModbusTCP(endpoint=endpoint):
            return endpoint.replace("tcp:host=", "modbus-tcp:", 1).replace(":port=", ":", 1)
        case Unit(port=port, unit=unit):
            return f"{place(port)} unit {unit}"
        case Bus(number=number, address=address, mux=mux):
            return f"i2c:{number}" + "".join(f"/{at:#04x}/{channel}" for at, channel in mux) + f" {address:#04x}"
        case Lines(lines=lines):
            return " ".join(line for _, line in lines)
        case Select(number=number, line=line):
            return f"spi:{number}.{line}"
        case Folder(key=key, word=word):
            return f"{key}:{word}" if key else "sysfs"
