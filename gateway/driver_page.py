"""What a person is told of one driver: what it says of itself, its quantities, and a configuration to paste."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from drivers.api import GPIO, I2C, SPI, Driver, Modbus, Quantity, Serial, Sysfs


def page(row: Driver[Any]) -> Iterator[str]:
    yield row.title
    yield ""
    yield (row.documentation or row.title).strip()
    yield ""
    yield "Quantities:"
    wide = max((len(quantity.name) for quantity in row.quantities), default=0)
    for quantity in row.quantities:
        yield f"    {quantity.name:{wide}}  {told(quantity)}"
    yield ""
    yield "Configuration:"
    yield from (f"    {line}" for line in configuration(row))


def told(quantity: Quantity) -> str:
    """Unit, kind and range of a quantity, in one line."""
    if quantity.kind == "choice":
        what = ", ".join(quantity.choices)
    elif quantity.kind == "flag":
        what = "on or off"
    elif quantity.kind == "text":
        what = "text"
    else:
        what = f"{quantity.unit or '-'}, {quantity.low:.15g} to {quantity.high:.15g}"
    return what + (", settable" if quantity.writable else "")


def configuration(row: Driver[Any]) -> Iterator[str]:
    """The device's table: what it needs, and what else may be said, as comments."""
    yield f"[device.my_{row.name}]"
    yield f'driver = "{row.name}"'
    yield from place(row.link)
    yield f'period = "{row.period:g}s"' if row.period else "# it speaks when something changes"
    for field in fields(row.settings):
        if field.default is MISSING and field.default_factory is MISSING:
            yield f"{field.name} = ..."
        else:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            yield f"# {field.name} = {toml(default)}"
    if any(quantity.writable for quantity in row.quantities):
        yield '# start = "off", loss = "off", stop = "off": each of off, on, last, hands-off, on a line of its own'


def place(link: Any) -> Iterator[str]:
    match link:
        case Serial():
            yield 'port = "/dev/serial/by-id/..."    # `gateway scan` lists them'
            yield f"# as it is set, unless you say otherwise: {settings(link)}"
        case Modbus():
            yield 'port = "/dev/serial/by-id/..."    # or "modbus-tcp:HOST"; `gateway scan` lists ports'
            yield f"unit = {link.unit}"
            yield f"# as the line is set, unless you say otherwise: {settings(link)}"
        case I2C():
            yield 'bus = "i2c:1"'
            others = ", ".join(f"{address:#04x}" for address in link.addresses[1:])
            yield f"address = {link.addresses[0]:#04x}" + (f"    # or {others}" if others else "")
        case SPI():
            yield 'bus = "spi:0.0"'
        case GPIO():
            for name in link.lines:
                yield f'{name} = "gpio:GPIO17"'
        case Sysfs():
            if link.key:
                yield f'{link.key} = "{link.example}"'


def settings(link: Any) -> str:
    return f'port = {{ path = "...", baud = {link.baud}, parity = "{link.parity}", stop_bits = {link.stop_bits} }}'


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple() | list():
            return f"[{', '.join(map(toml, value))}]"
    return "..." if value is None else str(value)
