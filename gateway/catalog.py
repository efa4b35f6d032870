"""Which drivers there are: those that come with the gateway, and the user's own, as tables or, where that is
allowed, in Python.

This module alone knows drivers by name, and imports one only when it is asked for: a daemon with one sensor does
not carry the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import drivers
from drivers.api import Driver
from gateway.notation import nearest
from gateway.own_python import from_python
from gateway.table import ConfigError, Page, Problem

FOLDER = Path("/etc/gateway/drivers")  # the user's own, when the configuration names no other
TABLES = Path(drivers.__file__).parent / "tables"
FAMILIES = {name: f"drivers.family.{name}" for name in ("line", "ask", "frame", "modbus", "registers")}

# Where each shipped driver is described: its module, or the folder of tables.  A test holds it against what is there.
NAMES: Mapping[str, str] = {
    "ads1015": "drivers.ads1115",
    "ads1115": "drivers.ads1115",
    "adxl345": "drivers.tables",
    "aht10": "drivers.aht20",
    "aht20": "drivers.aht20",
    "am2320": "drivers.am2320",
    "andscale": "drivers.tables",
    "at24c": "drivers.at24c",
    "bh1750": "drivers.bh1750",
    "bme280": "drivers.bme280",
    "bme680": "drivers.bme680",
    "bme688": "drivers.bme680",
    "bmp180": "drivers.bmp180",
    "bmp280": "drivers.bme280",
    "bmp388": "drivers.bmp390",
    "bmp390": "drivers.bmp390",
    "board": "drivers.board",
    "button": "drivers.button",
    "counter": "drivers.counter",
    "csvlines": "drivers.tables",
    "dds238": "drivers.tables",
    "ddsu666": "drivers.tables",
    "dht11": "drivers.dht22",
    "dht22": "drivers.dht22",
    "dps310": "drivers.dps310",
    "ds1307": "drivers.ds3231",
    "ds1338": "drivers.ds3231",
    "ds18b20": "drivers.ds18b20",
    "ds3231": "drivers.ds3231",
    "dsmr": "drivers.dsmr",
    "dsmr3": "drivers.dsmr",
    "emc1413": "drivers.emc1413",
    "emc1414": "drivers.emc1413",
    "ens160": "drivers.tables",
    "epever": "drivers.tables",
    "flowmeter": "drivers.counter",
    "gps": "drivers.gps",
    "growatt": "drivers.tables",
    "hts221": "drivers.hts221",
    "htu21d": "drivers.si7021",
    "hwmon": "drivers.hwmon",
    "iio": "drivers.iio",
    "ina219": "drivers.ina219",
    "ina226": "drivers.ina219",
    "ina3221": "drivers.tables",
    "jsonlines": "drivers.tables",
    "jsymk194": "drivers.tables",
    "keyvalue": "drivers.tables",
    "linky": "drivers.teleinfo",
    "lm75": "drivers.lm75",
    "lm75b": "drivers.lm75",
    "lps22hb": "drivers.tables",
    "lps25hb": "drivers.tables",
    "max31855": "drivers.max31855",
    "max31865": "drivers.max31865",
    "max6675": "drivers.max6675",
    "maxsonar": "drivers.tables",
    "mcp23017": "drivers.mcp23017",
    "mcp3008": "drivers.mcp3008",
    "mcp9808": "drivers.tables",
    "mhz19": "drivers.mhz19",
    "mlx90614": "drivers.mlx90614",
    "modbusrelay8": "drivers.tables",
    "modbusrelay8d": "drivers.tables",
    "mpu6050": "drivers.mpu6050",
    "ms5607": "drivers.ms5611",
    "ms5611": "drivers.ms5611",
    "mtsics": "drivers.tables",
    "pca9685": "drivers.pca9685",
    "pcf8574": "drivers.tables",
    "pir": "drivers.pir",
    "pms1003": "drivers.pms5003",
    "pms3003": "drivers.pms5003",
    "pms5003": "drivers.pms5003",
    "pms5003s": "drivers.pms5003",
    "pms5003st": "drivers.pms5003",
    "pms5003t": "drivers.pms5003",
    "pms7003": "drivers.pms5003",
    "pmsa003": "drivers.pms5003",
    "pwm": "drivers.pwm",
    "pzem004t": "drivers.tables",
    "pzem017": "drivers.tables",
    "reed": "drivers.reed",
    "relay": "drivers.relay",
    "s0meter": "drivers.counter",
    "s8": "drivers.tables",
    "scd30": "drivers.scd30",
    "scd40": "drivers.scd41",
    "scd41": "drivers.scd41",
    "scpimeter": "drivers.tables",
    "sdm120": "drivers.tables",
    "sdm230": "drivers.tables",
    "sdm630": "drivers.tables",
    "sdm72": "drivers.tables",
    "sdm72v2": "drivers.tables",
    "sds011": "drivers.tables",
    "hpma115c0": "drivers.tables",
    "hpma115s0": "drivers.tables",
    "pm1006": "drivers.tables",
    "sgp30": "drivers.sgp30",
    "sgp40": "drivers.sgp40",
    "sht20": "drivers.si7021",
    "sht21": "drivers.si7021",
    "sht25": "drivers.si7021",
    "sht31": "drivers.sht31",
    "sht40": "drivers.sht41",
    "sht41": "drivers.sht41",
    "sht45": "drivers.sht41",
    "shtc3": "drivers.shtc3",
    "si7021": "drivers.si7021",
    "sml": "drivers.sml",
    "sps30": "drivers.sps30",
    "sps30uart": "drivers.sps30",
    "teleinfo": "drivers.teleinfo",
    "tmp102": "drivers.lm75",
    "tmp105": "drivers.lm75",
    "tmp117": "drivers.tables",
    "tmp75": "drivers.lm75",
    "tsl2591": "drivers.tsl2591",
    "ublox": "drivers.gps",
    "vedirect": "drivers.vedirect",
    "veml7700": "drivers.veml7700",
    "ws90": "drivers.tables",
    "xymd02": "drivers.tables",
    "ze08": "drivers.tables",
}


class BrokenTable(ValueError):
    """There is a table for that driver, but it describes none."""


def shipped() -> Mapping[str, Driver[Any]]:
    """All drivers that come with the gateway.  This imports every one."""
    return {name: find(name) for name in NAMES}


def find(name: str, folder: Path | None = None, python: bool = False) -> Driver[Any]:
    """The driver called *name*.  Raises KeyError when there is none, and BrokenTable when the user's own is broken."""
    if NAMES.get(name) == "drivers.tables":
        path = TABLES / f"{name}.toml"
        return from_table(name, path.read_text("utf-8"), str(path))
    if name in NAMES:
        rows: Driver[Any] | tuple[Driver[Any], ...] = import_module(NAMES[name]).DRIVER
        return {row.name: row for row in (rows if isinstance(rows, tuple) else (rows,))}[name]
    own, problems = load(folder, python)
    if name not in own and (about := [problem for problem in problems if Path(problem.file).stem == name]):
        raise BrokenTable(f"driver `{name}` is broken: " + "; ".join(map(str, about)))
    return own[name]


def names(folder: Path | None = None) -> list[str]:
    """What ``find`` may be asked for, without a look into any table."""
    try:
        return sorted({*NAMES, *(path.stem for path in files(folder or FOLDER))})
    except OSError:
        return sorted(NAMES)


def load(folder: Path | None = None, python: bool = False) -> tuple[Mapping[str, Driver[Any]], list[Problem]]:
    """The user's own drivers from the good files in *folder*, and what is wrong with the others; in *python* only where
    that is allowed."""
    own: dict[str, Driver[Any]] = {}
    problems: list[Problem] = []
    units: dict[str, tuple[str, str]] = {}  # of each quantity, and the file that said so first
    try:
        paths = files(folder or FOLDER)
    except OSError as error:
        return {}, [Problem(str(folder or FOLDER), 0, "", error.strerror or str(error))]
    for path in paths:
        if path.suffix == ".py" and not python:
            way = "`python_drivers = true` under [gateway] has it run, with all that the gateway may do"
            problems.append(Problem(str(path), 0, "", f"is a program and was left alone: {way}"))
            continue
        try:
            rows = read(path)
        except ConfigError as error:
            problems += error.problems
            continue
        clashes = [Problem(str(path), 0, "", f"`{row.name}` is there already") for row in rows if row.name in own]
        for quantity in (quantity for row in rows for quantity in row.quantities):
            unit, file = units.get(quantity.name, (quantity.unit, ""))
            if unit != quantity.unit:
                reason = f"is {quantity.unit!r} here and {unit!r} in {file}, but one name has one unit"
                clashes.append(Problem(str(path), 0, f"quantity.{quantity.name}.unit", reason))
        problems += clashes
        if not clashes:
            own |= {row.name: row for row in rows}
            units = {each.name: (each.unit, path.name) for row in rows for each in row.quantities} | units
    return own, problems


def files(folder: Path) -> list[Path]:
    """The drivers in *folder*, which need not exist."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in (".toml", ".py") and path.name[0] not in "._")
    except FileNotFoundError:
        return []


def read(path: Path) -> tuple[Driver[Any], ...]:
    """The drivers in the user's file at *path*; a table's has its name from the file.  Raises ConfigError."""
    name = path.stem
    try:
        if name in NAMES and path.resolve().parent != TABLES.resolve():
            raise ValueError(f"`{name}` comes with the gateway: give the file another name")
        if not (name.isascii() and name.isalnum() and name.islower()):
            raise ValueError("a driver has its name from its file: small letters and digits only")
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix != ".py":
            return (from_table(name, text, str(path)),)
        taken = [
            Problem(str(path), 0, "", f"`{row.name}` comes with the gateway: give it another name")
            for row in from_python(name, text, str(path))
            if row.name in NAMES
        ]
        if taken:
            raise ConfigError(tuple(taken))
        return from_python(name, text, str(path))
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    except OSError as error:
        reason = error.strerror or str(error)
    except RecursionError:
        reason = "nested too deep"
    except ValueError as error:
        reason = str(error)
    raise ConfigError((Problem(str(path), 0, "", reason),))


def is_table(path: Path) -> bool:
    """Whether the file at *path* is a driver's table rather than a configuration: it has, or should have, a family."""
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return path.resolve().parent in (FOLDER, TABLES.resolve())
    return "family" in raw or ("quantity" in raw and "device" not in raw)


@lru_cache(maxsize=256)  # a table that has not changed gives the very same driver, so that a reload sees no change
def from_table(name: str, text: str, file: str) -> Driver[Any]:
    """The driver that the table *text* describes.  Raises ConfigError with every mistake."""
    from drivers.family import BadTable  # as late as a driver, and for the same reason

    page = Page(text, file)
    table = page.table.raw
    family = table.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        reason = (
            f"{family!r} is none of {', '.join(FAMILIES)}{nearest(family, FAMILIES)}"
            if family
            else f"is missing: one of {', '.join(FAMILIES)}"
        )
        raise ConfigError((Problem(file, page.lines.of(("family",)), "family", reason),))
    try:
        row: Driver[Any] = import_module(FAMILIES[family]).driver(name, table)
    except BadTable as error:
        told = [Problem(file, page.lines.of(tuple(key.split("."))), key, reason) for key, reason in error.problems]
        raise ConfigError(tuple(sorted(told, key=lambda problem: problem.line))) from None
    return row
