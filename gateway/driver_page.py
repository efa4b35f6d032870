"""What a person is told of a driver: what it says of itself, with its sources, how it is connected, its quantities with
their limits, and a configuration to paste; as text for a terminal, and as pages for a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from drivers.api import GPIO, I2C, SPI, Driver, Modbus, Quantity, Serial, Sysfs

# What the list of all drivers calls those of a link, in its order
LINKS: Mapping[type, str] = {
    I2C: "On an I2C bus",
    SPI: "On an SPI bus",
    Serial: "On a serial line",
    Modbus: "On a Modbus line",
    GPIO: "On GPIO lines",
    Sysfs: "Read by the kernel",
}


def page(row: Driver[Any]) -> Iterator[str]:
    """For a terminal."""
    yield row.title
    yield ""
    yield (row.documentation or row.title).strip()
    yield ""
    yield "Connection:"
    yield from (f"    {line}" for line in connection(row.link))
    yield ""
    yield "Quantities, with their limits:"
    wide = max((len(quantity.name) for quantity in row.quantities), default=0)
    for quantity in row.quantities:
        yield f"    {quantity.name:{wide}}  {told(quantity)}"
    yield ""
    yield "Configuration:"
    yield from (f"    {line}" for line in configuration(row))


def markdown(row: Driver[Any]) -> Iterator[str]:
    """The same for a browser."""
    yield f"# {row.name}: {row.title}"
    yield ""
    yield (row.documentation or row.title).strip()
    yield ""
    yield "## Connection"
    yield ""
    yield from connection(row.link)
    yield ""
    yield "## Quantities"
    yield ""
    yield "| name | unit and limits, beyond which a value is refused |"
    yield "|---|---|"
    yield from (f"| `{quantity.name}` | {told(quantity)} |" for quantity in row.quantities)
    yield ""
    yield "## Configuration"
    yield ""
    yield "```toml"
    yield from configuration(row)
    yield "```"


def write(folder: Path, rows: Collection[Driver[Any]]) -> int:
    """A page of each of *rows* in *folder*, which is made, and README.md, the list of them.  How many these are."""
    ordered = sorted(rows, key=lambda row: row.name)
    folder.mkdir(parents=True, exist_ok=True)
    for row in ordered:
        (folder / f"{row.name}.md").write_text("\n".join(markdown(row)) + "\n", "utf-8")
    (folder / "README.md").write_text("\n".join(listed(ordered, "{}.md")) + "\n", "utf-8")
    return len(ordered)


def listed(rows: Collection[Driver[Any]], link: str = "") -> Iterator[str]:
    """All *rows* by what they are connected to, in tables; *link* is where a page is, with {} for its name."""
    yield "# Devices"
    yield ""
    yield "`gateway drivers NAME` shows a driver's page: what it says of itself, how it is connected, its quantities"
    yield "with their limits, and a configuration to paste. `gateway drivers --pages FOLDER` writes all of them; the"
    yield "Debian package has them, too."
    for kind, heading in LINKS.items():
        if mine := [row for row in rows if isinstance(row.link, kind)]:
            yield from ("", f"## {heading}", "", "| driver | device |", "|---|---|")
            yield from (
                f"| {f'[{r.name}]({link.format(r.name)})' if link else f'`{r.name}`'} | {r.title} |" for r in mine
            )


def connection(link: Any) -> Iterator[str]:
    """How a device on *link* is connected, where its own words say nothing else."""
    match link:
        case I2C():
            others = (
                f", or {', '.join(f'{address:#04x}' for address in link.addresses[1:])}" if link.addresses[1:] else ""
            )
            yield f"SDA, SCL and GND of the bus, and its supply. Its address is {link.addresses[0]:#04x}{others}."
        case SPI():
            yield "SCLK, MOSI, MISO, a chip select of its own and GND of the bus, and its supply."
            yield f"Mode {link.mode}, at most {link.speed / 1e6:g} MHz."
        case Serial():
            yield "Its TX to the port's RX, its RX, if it has one, to TX, and GND; or an adapter to USB."
            yield f"{link.baud} baud, {link.bits}{link.parity}{link.stop_bits}."
        case Modbus():
            yield "A and B of an RS-485 line, and its common; or a Modbus TCP server in front of it."
            yield f"Unit {link.unit}, {link.baud} baud, 8{link.parity}{link.stop_bits}, as it comes."
        case GPIO():
            yield f"{len(link.lines)} GPIO {'line' if len(link.lines) == 1 else 'lines'}, {link.direction}put, and GND."
        case Sysfs(folder=""):
            yield "None: it is the board itself."
        case Sysfs():
            yield f"By a driver of the kernel, which shows it below /sys/{link.folder.format(link.example or '*')}."


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
    seldom = f", in one of {quantity.every} readings" if quantity.every > 1 else ""
    return what + (", settable" if quantity.writable else "") + seldom


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
    if any(quantity.writable and quantity.kind == "flag" for quantity in row.quantities):
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
