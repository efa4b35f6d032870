"""The [device.NAME] tables of the configuration: what hangs where, and how its driver is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import partial
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from drivers.api import GPIO, I2C, SPI, Driver, Link, Modbus, Quantity, Serial, Sysfs
from gateway import config_modbus, notation, places
from gateway.config_output import KEYS, Rules, read_rules, refuse_strange, switches
from gateway.places import Bus, Endpoint, Folder, Lines, ModbusTCP, Select, SerialPort, Unit, Where
from gateway.table import Table, shared

PLACES = {
    "port": "a serial port",
    "bus": "an I2C or SPI bus",
    "address": "an I2C bus",
    "line": "GPIO lines",
    "id": "1-Wire",
    "iio": "IIO",
    "hwmon": "hwmon",
    "pwm": "PWM",
    "unit": "a Modbus line",
    "timeout": "a Modbus line",
}
HANGS: dict[type, str] = {
    Serial: "a serial port",
    Modbus: "a Modbus line",
    I2C: "an I2C bus",
    GPIO: "GPIO lines",
    SPI: "an SPI bus",
    Sysfs: "what the kernel shows in /sys",
}
Find: TypeAlias = Callable[[str], Driver[Any]]  # raises KeyError: there is none; ValueError: it is broken


@dataclass(frozen=True, slots=True)
class QuantityConfig:
    """A value is shown as value * scale + offset; outside low..high it is suspect, and so is one that differs from the
    last by more than *slope* for each second.  What is not *enabled* is neither shown nor set."""

    enabled: bool
    label: str
    offset: float
    scale: float
    low: float | None
    high: float | None
    slope: float | None


@dataclass(frozen=True, slots=True)
class Device:
    """One configured device.  *table* is what the file says of it: a reload compares that."""

    name: str
    driver: Driver[Any]
    where: Where
    settings: object
    period: float  # seconds
    enabled: bool
    label: str
    quantities: Mapping[str, QuantityConfig]  # those that have a table
    rules: Mapping[str, Rules]  # of all that can be switched
    table: Mapping[str, Any]

    @property
    def shown(self) -> tuple[Quantity, ...]:
        """What it measures and sets, as far as it is wanted."""
        off = {name for name, each in self.quantities.items() if not each.enabled}
        return tuple(each for each in self.driver.having(self.settings) if each.name not in off)


def read_devices(devices: Table, find: Find, names: Iterable[str]) -> tuple[Device, ...]:
    """Every device that has no mistake; what two of them cannot share is refused."""
    found = [(table, device) for table in devices.tables() if (device := read_device(table, find, names))]
    uses = [use for table, device in found if device.enabled for use in claims(table, device)]
    for table, key, message in shared(uses):
        table.wrong(message, key)
    remote = [(table, "port", device.where) for table, device in found if isinstance(device.where, Endpoint)]
    for table, key, message in shared(remote):
        table.warn(f"{message}; both will connect", key)
    there = {device.name: device.shown for _, device in found}
    for table, device in found:
        refuse_strange(there, devices.raw, table, device.rules)
    for table, message in config_modbus.unlike([(table, device.where) for table, device in found if device.enabled]):
        table.wrong(message, "port")
    return tuple(device for _, device in found)


def claims(table: Table, device: Device) -> Iterator[tuple[Table, str, object]]:
    """What only one can have of where *device* is, and the key that says so."""
    match where := device.where:
        case SerialPort():
            yield table, "port", where.path
        case Unit(port=port, unit=unit):
            yield table, "unit" if "unit" in table.raw else "port", (port, unit)
        case Bus():
            yield table, "address" if "address" in table.raw else "bus", where
        case Lines():
            for key, line in where.lines:
                yield table, key, line
        case Select():
            yield table, "bus", where
        case Folder(key="pwm", word=word):
            yield table, "pwm", (word, getattr(device.settings, "channel", 0))


def read_device(table: Table, find: Find, names: Iterable[str]) -> Device | None:
    name = table.path[-1]
    if refuse_unquoted(table):
        return None
    try:
        notation.device_name(name)
    except ValueError as error:
        table.wrong(str(error))
    driver = table.need("driver", partial(look_up, find, names), '"sht31"')
    period = table.take("period", notation.duration, None)
    enabled = table.take("enabled", notation.flag, True)
    label = table.take("label", notation.text, name)
    usual = read_rules(table, Rules())
    if driver is None:
        return None
    where = read_where(table, driver.link)
    settings = read_settings(table, driver)
    has = driver.quantities if settings is None else driver.having(settings)
    rules = {quantity.name: usual for quantity in switches(has)}
    quantities = dict[str, QuantityConfig]()
    for quantity in has:
        if quantity.name not in table.known and (inner := table.table(quantity.name)):
            if quantity.name in rules:
                rules[quantity.name] = read_rules(inner, usual)
            quantities[quantity.name] = read_quantity(inner, quantity)
            if not quantities[quantity.name].enabled:
                rules.pop(quantity.name, None)
    if has and all(each.name in quantities and not quantities[each.name].enabled for each in has):
        table.wrong("nothing of it is enabled; `enabled = false` in its own table leaves the device alone")
    unknown = settings is None and driver.chosen is not None
    refuse_misplaced(table, driver, unknown or bool(rules))
    table.close()
    if where is None or settings is None:
        return None
    return Device(name, driver, where, settings, period or driver.period, enabled, label, quantities, rules, table.raw)


def refuse_unquoted(table: Table) -> bool:
    """[device.board7.attic] is a table within board7, where a device of that name was meant."""
    inner = [key for key, value in table.raw.items() if isinstance(value, dict) and "driver" in value]
    for key in inner:
        table.refuse(f'a name with a dot is quoted: [device."{table.path[-1]}.{key}"]', key)
    return bool(inner) and "driver" not in table.raw


def refuse_misplaced(table: Table, driver: Driver[Any], settable: bool) -> None:
    """Say of keys that other drivers have why this one has them not."""
    if not settable:
        for key in KEYS:
            del table.known[key]
            if key in table.raw:
                table.refuse(f"`{key}` is for outputs, and `{driver.name}` has nothing to switch", key)
    hangs = HANGS[type(driver.link)]
    takes = ", ".join(f"`{key}`" for key in place_keys(driver.link)) or "no place"
    for key in table.raw:
        if key in table.known:
            continue
        if key in PLACES:
            table.refuse(f"`{key}` is for {PLACES[key]}; `{driver.name}` hangs on {hangs}, and takes {takes}", key)


def look_up(find: Find, names: Iterable[str], value: Any) -> Driver[Any]:
    name = notation.text(value)
    try:
        return find(name)
    except KeyError:
        guess = notation.nearest(name, names) or "; `gateway drivers` lists those there are"
        raise ValueError(f"unknown driver `{name}`{guess}") from None


def place_keys(link: Link) -> tuple[str, ...]:
    match link:
        case Serial():
            return ("port",)
        case Modbus():
            return ("port", "unit", "timeout")
        case I2C():
            return ("bus", "address")
        case GPIO():
            return link.lines
        case SPI():
            return ("bus",)
        case Sysfs(key=key):
            return (key,) if key else ()


def read_where(table: Table, link: Link) -> Where | None:
    match link:
        case Serial():
            return read_port(table, link)
        case Modbus():
            return config_modbus.read_unit(table, link, read_modbus(table, link))
        case I2C():
            bus = table.need("bus", places.bus, '"i2c:1"')
            address = table.take("address", places.address(link.addresses), link.addresses[0])
            return bus and Bus(bus[0], address, bus[1])
        case GPIO():
            lines = [(key, table.need(key, places.gpio_line, '"gpio:GPIO17"')) for key in link.lines]
            named = tuple((key, line) for key, line in lines if line)
            return Lines(named) if len(named) == len(lines) else None
        case SPI():
            return table.need("bus", places.spi, '"spi:0.0"')
        case Sysfs(key=key):
            word = table.need(key, places.sysfs(link), f'"{link.example}"') if key else ""
            return None if word is None else Folder(key, word)


def read_modbus(table: Table, link: Modbus) -> SerialPort | Endpoint | ModbusTCP | None:
    """The line, or the server if it is one."""
    if not str(table.raw.get("port")).startswith("modbus-tcp:"):
        return read_port(table, Serial(link.baud, link.parity, link.stop_bits))
    server = table.take("port", places.modbus_server, None)
    return ModbusTCP(server) if server else None


def read_port(table: Table, line: Serial) -> SerialPort | Endpoint | None:
    port = table.raw.get("port")
    if isinstance(port, dict):
        table.known["port"] = None
        return read_serial(Table(table.page, (*table.path, "port"), port), line)
    if isinstance(port, str) and port.startswith("serial:"):
        table.known["port"] = None
        path, settings = places.parse_serial(port)
        return read_serial(Table(table.page, (*table.path, "port"), {"path": path, **settings}), line)
    if isinstance(port, str) and (port.startswith("/") or port.lower().startswith("usb:")):
        plain = table.take("port", places.serial_path, None)
        return SerialPort(plain, line) if plain else None
    remote = table.need("port", places.client, '"/dev/ttyUSB0"')
    return Endpoint(remote) if remote else None


def read_serial(table: Table, line: Serial) -> SerialPort | None:
    """A port with line settings; what it does not say is as the driver's link has it."""
    path = table.need("path", places.serial_path, '"/dev/ttyUSB0"')
    line = replace(
        line,
        baud=table.take("baud", notation.whole(50, 4_000_000), line.baud),
        bauds=() if "baud" in table.raw else line.bauds,
        parity=table.take("parity", notation.one_of(("N", "E", "O")), line.parity),
        stop_bits=table.take("stop_bits", notation.one_of((1, 2)), line.stop_bits),
        bits=table.take("bits", notation.one_of((7, 8)), line.bits),
    )
    rs485 = table.take("rs485", notation.flag, False)
    table.close()
    return SerialPort(path, line, rs485) if path else None


def read_settings(table: Table, driver: Driver[Any]) -> object | None:
    """The driver's own settings, each checked by its type, then all together by the class itself."""
    before, hints, values = len(table.page.problems), get_type_hints(driver.settings), dict[str, Any]()
    measured = {quantity.name for quantity in driver.quantities}
    for field in fields(driver.settings):
        if field.name in measured and isinstance(table.raw.get(field.name), dict):
            continue  # the quantity's table: pwm has a frequency in both senses
        read = partial(convert, hints[field.name])
        if field.name in table.raw:
            values[field.name] = table.take(field.name, read, None)
        elif field.default is MISSING and field.default_factory is MISSING:
            table.need(field.name, read, "...")
        table.known[field.name] = None
    if len(table.page.problems) > before:
        return None
    try:
        made: object = driver.settings(**values)
    except ValueError as error:
        table.wrong(str(error))
        return None
    return made


def convert(hint: Any, value: Any) -> Any:
    """*value* as the type *hint* says, strictly: "9600" is no number."""
    if get_origin(hint) is Literal:
        return notation.one_of(get_args(hint))(value)
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise ValueError(f"{value!r}: {error}") from None


def read_quantity(table: Table, quantity: Quantity) -> QuantityConfig:
    enabled = table.take("enabled", notation.flag, True)
    label = table.take("label", notation.text, "")
    offset, scale = 0.0, 1.0
    low = high = slope = None
    if quantity.kind in ("float", "int") and quantity.writable:
        for key in table.raw.keys() & {"offset", "scale"}:
            table.refuse(f"`{key}` is for what is measured; {quantity.name} is set, too, and goes out as it is", key)
    elif quantity.kind in ("float", "int"):
        offset = table.take("offset", notation.number, offset)
        scale = table.take("scale", notation.number, scale)
    if quantity.kind in ("float", "int"):
        low, high = (table.take(key, notation.number, None) for key in ("low", "high"))
        slope = table.take("slope", notation.number, None)
    if scale == 0:
        table.wrong("0 would make every value the same", "scale")
    if low is not None and high is not None and low >= high:
        table.wrong(f"`low` {low:g} is not below `high` {high:g}", "low")
    if slope is not None and slope <= 0:
        table.wrong("must be above 0: the largest change in a second that can be true", "slope")
    table.close()
    return QuantityConfig(enabled, label, offset, scale, low, high, slope)
