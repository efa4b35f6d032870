"""The configuration: each mistake is told with its line, its key and the way out; all of them at once."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.testing import MemoryReactor

from drivers import (
    board,
    button,
    counter,
    dht22,
    ds18b20,
    gps,
    hwmon,
    iio,
    max31855,
    mcp3008,
    mhz19,
    pms5003,
    pwm,
    relay,
    sht31,
)
from drivers.api import GPIO, Driver, Serial
from gateway import catalog, places
from gateway.config import (
    Bus,
    Config,
    ConfigError,
    Endpoint,
    Lines,
    Rules,
    SerialPort,
    load,
    own_drivers,
    parse,
    parse_serial,
    secured,
)
from gateway.plan import planned
from gateway.table import Table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text()


@dataclass(frozen=True, slots=True)
class Slats:
    """Settings without a default."""

    turns: int


BLIND: Driver[Slats] = Driver(
    name="blind",
    title="Two lines",
    link=GPIO("out", ("up", "down")),
    quantities=relay.DRIVER.quantities,
    period=0,
    settings=Slats,
    device=lambda settings: relay.DRIVER.device(relay.Settings()),
    emulator=relay.DRIVER.emulator,
    documentation=None,
)
ROWS: dict[str, Driver[Any]] = {
    row.name: row
    for row in (
        sht31.DRIVER,
        *map(catalog.find, ("modbusrelay8", "sdm120")),
        mhz19.DRIVER,
        gps.DRIVER[0],
        relay.DRIVER,
        button.DRIVER,
        *counter.DRIVER,
        *pms5003.DRIVER,
        *(module.DRIVER for module in (board, ds18b20, hwmon, iio, max31855, mcp3008, pwm)),
        *dht22.DRIVER,
        BLIND,
    )
}


def find(name: str) -> Driver[Any]:
    if name == "broken":
        raise ValueError("broken.toml:3: no quantity")
    return ROWS[name]


def read(text: str) -> Config:
    return parse(text, "g.toml", find, ROWS)


def told(text: str) -> list[str]:
    """What is said of *text*, without the file's name."""
    with pytest.raises(ConfigError) as raised:
        read(text)
    lines = [str(problem).removeprefix("g.toml:") for problem in raised.value.problems]
    assert str(raised.value) == "\n".join(f"g.toml:{line}" for line in lines)
    return lines


ATTIC = '[device.attic]\ndriver = "sht31"\nbus = "i2c:1"\n'
KILN = '[device.kiln]\ndriver = "max31855"\nbus = "spi:0.0"\n'
TANK = '[device.tank]\ndriver = "ds18b20"\n'
OFFICE = '[device.office]\ndriver = "mhz19"\n'
PUMP = '[device.pump]\ndriver = "relay"\nline = "gpio:GPIO17"\n'
TCP = '[tcp]\nlisten = "tcp:7600:interface=127.0.0.1"\n'


# What is right


def test_an_empty_file_listens_nowhere_and_has_no_device() -> None:
    assert read("") == Config(None, None, None, None, (), None, "auto")


ROOF = '[device.roof]\ndriver = "gps"\nport = "/dev/ttyUSB0"\n'


def test_time_may_come_from_a_device_that_tells_it() -> None:
    assert read('[gateway]\ntime_from = "roof"\n' + ROOF).time_from == "roof"
    assert told('[gateway]\ntime_from = "rof"\n' + ROOF) == [
        "2: gateway.time_from: 'rof' is no device that tells the time; did you mean `roof`?"
    ]
    assert told('[gateway]\ntime_from = "attic"\n' + ATTIC) == [
        "2: gateway.time_from: 'attic' is no device that tells the time; those that do are none"
    ]
    (mistake,) = told('[gateway]\ntime_from = "roof"\n' + ROOF + "baud = 0\n")
    assert "time_from" not in mistake


def test_a_device_has_what_its_driver_says_unless_told_otherwise() -> None:
    (attic,) = read(ATTIC).devices
    assert attic.driver is sht31.DRIVER and attic.settings == sht31.Settings("high")
    assert (attic.where, attic.period, attic.enabled, attic.label) == (Bus(1, 0x44), 10.0, True, "attic")
    assert attic.rules == {}
    assert attic.quantities == {} and attic.table == {"driver": "sht31", "bus": "i2c:1"}


def test_what_is_said_counts() -> None:
    (attic,) = read(
        '[device."board7.attic"]\ndriver = "sht31"\nbus = "i2c:1/0x70/3"\naddress = 0x45\nperiod = "500ms"\n'
        'enabled = false\nlabel = "Under the roof"\nrepeatability = "low"\ntemperature.offset = -1\n'
        '[device."board7.attic".humidity]\nscale = 1.1\nlabel = "Damp"\nlow = 5\nhigh = 95.5\n'
    ).devices
    assert (attic.name, attic.where) == ("board7.attic", Bus(1, 0x45, ((0x70, 3),)))
    assert (attic.period, attic.enabled, attic.label, attic.settings) == (
        0.5,
        False,
        "Under the roof",
        sht31.Settings("low"),
    )
    temperature, humidity = attic.quantities["temperature"], attic.quantities["humidity"]
    assert (temperature.label, temperature.offset, temperature.scale, temperature.low) == (
        "",
        -1.0,
        1.0,
        None,
    )
    assert attic.shown == (sht31.TEMPERATURE, sht31.HUMIDITY) and planned(attic).card.labels == {"humidity": "Damp"}
    assert (humidity.label, humidity.scale, humidity.low, humidity.high) == ("Damp", 1.1, 5.0, 95.5)


def test_two_channels_of_a_pwm_chip_are_two_devices() -> None:
    one = '[device.a]\ndriver = "pwm"\npwm = "x.pwm"\n'
    assert len(read(one + one.replace("device.a", "device.b") + "channel = 1\n").devices) == 2


def test_a_quantity_that_is_a_setting_too_has_its_table() -> None:
    (fan,) = read('[device.fan]\ndriver = "pwm"\npwm = "x.pwm"\nfrequency.label = "Pitch"\n').devices
    assert fan.quantities["frequency"].label == "Pitch" and fan.settings == pwm.Settings()
    (fan,) = read('[device.fan]\ndriver = "pwm"\npwm = "x.pwm"\nfrequency = 50\n').devices
    assert fan.settings == pwm.Settings(frequency=50)


def test_a_quantity_that_is_not_enabled_is_neither_shown_nor_set() -> None:
    (attic,) = read(ATTIC + "humidity.enabled = false\n").devices
    plan = planned(attic)
    assert (attic.shown, plan.card.quantities, plan.hidden) == (
        (sht31.TEMPERATURE,),
        (sht31.TEMPERATURE,),
        frozenset({"humidity"}),
    )
    (fan,) = read('[device.fan]\ndriver = "pwm"\npwm = "x.pwm"\nstate.enabled = false\n').devices
    assert fan.rules == {} and [each.name for each in planned(fan).card.quantities] == ["duty", "frequency"]


@pytest.mark.parametrize(
    ("port", "where"),
    [
        ('"/dev/ttyUSB0"', SerialPort("/dev/ttyUSB0", Serial(9600))),
        ('"/dev/serial/by-path/pci-0:1.3:1.0=x"', SerialPort("/dev/serial/by-path/pci-0:1.3:1.0=x", Serial(9600))),
        ('"usb:1546:01A8"', SerialPort("usb:1546:01a8", Serial(9600))),
        ('"usb:1546:01A8:A:7"', SerialPort("usb:1546:01a8:A:7", Serial(9600))),
        ('{ path = "usb:1546:01a8", baud = 4800 }', SerialPort("usb:1546:01a8", Serial(4800))),
        ('{ path = "/dev/a", parity = "E", stop_bits = 2 }', SerialPort("/dev/a", Serial(9600, "E", 2))),
        ('{ path = "/dev/a", parity = "E", bits = 7 }', SerialPort("/dev/a", Serial(9600, "E", 1, 7))),
        ('"serial:/dev/a"', SerialPort("/dev/a", Serial(9600))),
        ('"serial:/dev/a:0:1:parity=E:baud=4800"', SerialPort("/dev/a:0:1", Serial(4800, "E"))),
        (r"'serial:/dev/a\:0:stop_bits=2'", SerialPort("/dev/a:0", Serial(9600, "N", 2))),
        ('"serial:usb:1546:01a8:baud=4800"', SerialPort("usb:1546:01a8", Serial(4800))),
        ('"tcp:10.0.0.5:2001"', Endpoint("tcp:10.0.0.5:2001")),
        ('"tls:far.example.org:2001"', Endpoint("tls:far.example.org:2001")),
    ],
)
def test_ports(port: str, where: SerialPort | Endpoint) -> None:
    (office,) = read(f"{OFFICE}port = {port}\n").devices
    assert office.where == where


def test_the_serial_string_in_its_parts() -> None:
    assert parse_serial("serial:/dev/a:baud=9600:parity=N") == ("/dev/a", {"baud": 9600, "parity": "N"})


def test_a_link_of_two_lines_has_a_key_for_each() -> None:
    (blind,) = read('[device.b]\ndriver = "blind"\nup = "gpio:GPIO5"\ndown = "gpio:GPIO6"\nturns = 3\n').devices
    assert blind.where == Lines((("up", "gpio:GPIO5"), ("down", "gpio:GPIO6")))
    assert blind.settings == Slats(3)


def test_an_output_has_policies() -> None:
    (pump,) = read(PUMP + 'start = "hands-off"\nloss = "last"\nstop = "on"\nmax_on = "10m"\n').devices
    assert pump.rules == {"state": Rules(start="hands-off", loss="last", stop="on", max_on=600.0)}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [('"500ms"', 0.5), ('"10s"', 10), ('"10m"', 600), ('"1.5h"', 5400), ('"400d"', 34_560_000), ("3", 3), ("0.2", 0.2)],
)
def test_durations(written: str, seconds: float) -> None:
    assert read(ATTIC + f"period = {written}\n").devices[0].period == seconds


@pytest.mark.parametrize(
    ("written", "size"), [('"1GB"', 10**9), ('"1.5 mb"', 1_500_000), ('"2KiB"', 2048), ("4096", 4096)]
)
def test_sizes(written: str, size: int) -> None:
    history = read(f"[history]\nbytes_per_day = {written}\n").history
    assert history is not None and history.bytes_per_day == size


def test_interfaces() -> None:
    config = read(
        '[tcp]\nlisten = ["tcp:7600:interface=127.0.0.1", "unix:/run/gateway/tcp"]\n'
        '[http]\nlisten = "tcp:8080"\nanonymous = "viewer"\nhosts = ["Gateway.example.org", "attic"]\n'
        '[irc]\nlisten = "tcp:6667:interface=127.0.0.1"\nname = "irc.example.org"\nmin_interval = "1m"\n'
        '[gateway]\ndrivers = "/etc/gateway/drivers"\ntime = "system"\n[history]\n'
    )
    assert config.tcp and config.http and config.irc and config.history
    assert config.tcp.endpoints == ("tcp:7600:interface=127.0.0.1", "unix:/run/gateway/tcp")
    assert (config.http.anonymous, config.http.hosts) == ("viewer", ("gateway.example.org", "attic"))
    assert (config.irc.anonymous, config.irc.name, config.irc.min_interval) == (None, "irc.example.org", 60.0)
    assert (config.drivers_folder, config.time) == (Path("/etc/gateway/drivers"), "system")
    assert (config.history.path, config.history.keep, config.history.bytes_per_day) == (None, None, 10**9)


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("tcp:0", False),
        ("tcp:7600:interface=127.0.0.1", True),
        ("tcp:port=7600:interface=127.8.8.8:backlog=9", True),
        ("tcp:7600:interface=0.0.0.0", False),
        (r"tcp:7600:interface=\:\:1", True),
        (r"tcp6:7600:interface=\:\:1", True),
        ("tcp6:7600", False),
        ("unix:/run/gateway.sock:mode=660", True),
    ],
)
def test_twisted_takes_the_same_listeners(listen: str, local: bool) -> None:
    serverFromString(MemoryReactor(), listen)
    assert places.server(listen) == listen and places.local(listen) is local


@pytest.mark.parametrize("port", ["tcp:10.0.0.5:2001", "tcp:host=a:port=1:timeout=3", "unix:/run/a", "tls:a.example:9"])
def test_twisted_takes_the_same_ports(port: str) -> None:
    if not port.startswith("tls"):  # which needs an extra
        clientFromString(MemoryReactor(), port)
    assert places.client(port) == port


@dataclass(frozen=True, slots=True)
class Uplink:
    """A part of the configuration that does not exist yet."""

    servers: tuple[str, ...]


def test_whoever_takes_tls_is_found_wherever_it_stands() -> None:
    key = "privateKey=/etc/ssl/gateway.pem"
    page = read(f'[http]\nlisten = ["tcp:80:interface=127.0.0.1", "ssl:443:{key}:interface=127.0.0.1"]\n{ATTIC}')
    far = read('[device.mast]\ndriver = "gps"\nport = "tls:far.example.org:2001"\n')
    assert secured(page) and not secured(page.devices) and secured(far.devices)
    assert not secured(read(ATTIC + 'label = "the usual"\n'))
    Uplink.__module__ = "gateway.config_uplink"
    assert [secured({"mqtt": Uplink((server,))}) for server in ("tcp:a:1883", "tls:a:8883")] == [False, True]


def test_two_devices_may_speak_to_one_server_but_hear_of_it() -> None:
    text = f'{OFFICE}port = "tcp:a:1"\n[device.roof]\ndriver = "gps"\nport = "tcp:a:1"\n'
    (warning,) = read(text).warnings
    assert (warning.line, warning.key) == (6, "device.roof.port") and "device.office (line 3)" in warning.message


def test_a_disabled_device_holds_nothing() -> None:
    other = ATTIC.replace("attic", "cellar")
    assert len(read(ATTIC + "enabled = false\n" + other).devices) == 2
    assert told(ATTIC + other) == ["6: device.cellar.bus: already used by device.attic (line 3)"]


# What is wrong: the text, and line, key and message of the only problem

MISTAKES = [
    # not TOML
    ("[tcp]\nlisten = tcp\n", '2: not TOML: Invalid value (column 10); is it text?  Then it needs quotes: "..."'),
    ('[tcp]\n\nlisten = "x\n', "3: not TOML: "),
    ('[tcp]\nlisten = "\\d"\n', "2: not TOML: Unescaped '\\' in a string (column 13); in single quotes it is"),
    ("a = [\n1,\n", "2: not TOML: Invalid value"),
    # twice
    (ATTIC + "\n" + ATTIC, "5: device.attic: given twice, first on line 1"),
    (ATTIC + 'bus = "i2c:2"\n', "4: device.attic.bus: given twice, first on line 3"),
    ('[tcp]\nlisten = ["""\n""",\n]\nlisten = 1', "5: tcp.listen: given twice, first on line 2"),
    # unknown tables, and what is no table
    ('[tpc]\nlisten = "x"\n', "1: tpc: unknown table; did you mean `tcp`?"),
    ("[devices.attic]\n", "1: devices: unknown table; did you mean `device`?"),
    ("[zz]\n", "1: zz: unknown table; known are gateway, tcp, http, irc, history, device"),
    ("zz = 1\n", "1: zz: unknown key; known are gateway, tcp, http, irc, history, device"),
    ("# x\ntcp = 7600\n", "2: tcp: must be a table: [tcp]"),
    ("[[device]]\n", "1: device: must be a table: [device]"),
    ("[device]\nattic = 3\n", "2: device.attic: must be a table: [device.attic]"),
    # interfaces
    (TCP + 'anonymos = "viewer"\n', "3: tcp.anonymos: unknown key; did you mean `anonymous`?"),
    (TCP + 'anonymous = "operator"\n', "3: tcp.anonymous: 'operator' is none of \"viewer\""),
    ("\n[tcp]\n", '2: tcp: `listen` is missing, for example `listen = "tcp:7600:interface=127.0.0.1"`'),
    ("[tcp]\nlisten = []\n", "1: tcp: `listen` is missing, "),
    ("[tcp]\nlisten = 7600\n", '2: tcp.listen: 7600 is no endpoint; write "tcp:7600:interface=127.0.0.1"'),
    ('[tcp]\nlisten = "7600"\n', "2: tcp.listen: '7600' is no endpoint; write "),
    ('[tcp]\nlisten = "tpc:7600"\n', "2: tcp.listen: 'tpc:7600': unknown kind `tpc`; did you mean `tcp`?"),
    ('[tcp]\nlisten = "tcp:x"\n', "2: tcp.listen: 'tcp:x': the port must be a number from 0 to 65535"),
    ('[tcp]\nlisten = "tcp:65536"\n', "2: tcp.listen: 'tcp:65536': the port must be a number"),
    ('[tcp]\nlisten = "tcp:1:interfce=::1"\n', "2: tcp.listen: 'tcp:1:interfce=::1': unknown option `interfce`"),
    ('[tcp]\nlisten = "tcp:1:interface=::1"\n', "2: tcp.listen: 'tcp:1:interface=::1': too many colons; one inside"),
    (
        '[tcp]\nlisten = "tcp:7600"\n',
        "2: tcp.listen: 'tcp:7600' can be reached from other machines: add `anonymous = \"viewer\"`",
    ),
    ('[tcp]\nlisten = "systemd:INET:name=x"\n', "2: tcp.listen: 'systemd:INET:name=x' can be reached"),
    ('[tcp]\nlisten = [\n"unix:/a",\n"tcp:1", # x\n]\n', "4: tcp.listen.1: 'tcp:1' can be reached"),
    (TCP + "[http" + TCP[4:], "4: http.listen: already used by tcp (line 2)"),
    ('[tcp]\nlisten = ["unix:/a", "unix:/a"]\n', "2: tcp.listen: already used by tcp (line 2)"),
    ('[http]\nlisten = "unix:/a"\nhosts = ["a", "http://b"]\n', "3: http.hosts.1: 'http://b' is no host name; write "),
    ('[irc]\nlisten = "unix:/a"\nmin_interval = "often"\n', "3: irc.min_interval: 'often' is no duration; write "),
    ('[irc]\nlisten = "unix:/a"\nname = "a b"\n', "3: irc.name: 'a b' is no host name"),
    ('[history]\npath = "history.db"\n', "2: history.path: 'history.db' must be a full path, beginning with /"),
    ('[history]\nkeep = "0d"\n', "2: history.keep: '0d' is no duration; write "),
    ('[history]\nbytes_per_day = "1G"\n', "2: history.bytes_per_day: '1G' is no size; write "),
    ("[history]\nbytes_per_day = 1.5\n", "2: history.bytes_per_day: 1.5 is no size; write "),
    (
        '[gateway]\ntime = "systm"\n',
        '2: gateway.time: \'systm\' is none of "auto", "system", "synchronized"; did you mea',
    ),
    ("[gateway]\ndrivers = 1\n", "2: gateway.drivers: 1 must be a full path"),
    # devices
    ("[device.attic]\n", '1: device.attic: `driver` is missing, for example `driver = "sht31"`'),
    ("[device.attic]\ndriver = 31\n", "2: device.attic.driver: 31 must be text on one line"),
    ('[device.attic]\ndriver = "sht3"\n', "2: device.attic.driver: unknown driver `sht3`; did you mean `sht31`?"),
    ('[device.attic]\ndriver = "zzz"\n', "2: device.attic.driver: unknown driver `zzz`; `gateway drivers` lists those"),
    ('[device.attic]\ndriver = "broken"\n', "2: device.attic.driver: broken.toml:3: no quantity"),
    (ATTIC.replace("attic", "Attic"), "1: device.Attic: a device's name has lower-case letters, digits, _ and -, "),
    (ATTIC.replace("attic", '"a..b"'), '1: device."a..b": a device\'s name has'),
    (ATTIC.replace("attic", "manual"), "1: device.manual: `manual` is built in"),
    (ATTIC.replace("attic", "b7.attic"), '1: device.b7.attic: a name with a dot is quoted: [device."b7.attic"]'),
    (ATTIC + "[device.attic.x]\ndriver = 1\n", '4: device.attic.x: a name with a dot is quoted: [device."attic.x"]'),
    (ATTIC + "adress = 0x44\n", "4: device.attic.adress: unknown key; did you mean `address`?"),
    (ATTIC + "period = 0\n", "4: device.attic.period: 0 is no duration; write "),
    (ATTIC + "period = inf\n", "4: device.attic.period: inf is no duration; write "),
    (ATTIC + "period = true\n", "4: device.attic.period: True is no duration; write "),
    (ATTIC + 'enabled = "no"\n', "4: device.attic.enabled: 'no' must be true or false, without quotes"),
    (ATTIC + 'label = "a\\nb"\n', "4: device.attic.label: 'a\\nb' must be text on one line"),
    (ATTIC + 'unit = "x"\n', "4: device.attic.unit: `unit` is for a Modbus line; `sht31` hangs on an I2C"),
    (
        ATTIC + 'port = "x"\n',
        "4: device.attic.port: `port` is for a serial port; `sht31` hangs on an I2C bus, and takes `bus`, `a",
    ),
    (ATTIC + 'line = "x"\n', "4: device.attic.line: `line` is for GPIO lines; `sht31`"),
    (ATTIC + 'start = "on"\n', "4: device.attic.start: `start` is for outputs, and `sht31` has nothing to switch"),
    (ATTIC + "max_on = 3\n", "4: device.attic.max_on: `max_on` is for outputs"),
    # I2C
    (ATTIC.replace("bus", "# bus"), '1: device.attic: `bus` is missing, for example `bus = "i2c:1"`'),
    (ATTIC.replace("i2c:1", "i2c-1"), "3: device.attic.bus: 'i2c-1' is no bus; write "),
    (ATTIC.replace("i2c:1", "i2c:1/0x70/8"), "3: device.attic.bus: 'i2c:1/0x70/8' is no bus"),
    (ATTIC.replace("i2c:1", "i2c:1/0x44/3"), "3: device.attic.bus: 'i2c:1/0x44/3' is no bus"),
    (
        ATTIC.replace("i2c:1", "spi:0.0"),
        "3: device.attic.bus: 'spi:0.0' is an SPI bus, and this chip hangs on I2C; write \"i2c:1\"",
    ),
    (ATTIC + "address = 0x46\n", "4: device.attic.address: this chip is never at 0x46, only at 0x44, 0x45"),
    (ATTIC + "address = 0x80\n", "4: device.attic.address: 0x80 is no address of an I2C device (0x08 to 0x77)"),
    (ATTIC + "address = 7\n", "4: device.attic.address: 0x07 is no address of an I2C device"),
    (ATTIC + 'address = "0x44"\n', "4: device.attic.address: '0x44' must be a number without quotes"),
    (
        ATTIC + "address = 0x44\n" + ATTIC.replace("attic", "cellar"),
        "7: device.cellar.bus: already used by device.attic (line 4)",
    ),
    (
        ATTIC + ATTIC.replace("attic", "cellar") + "address = 0x44\n",
        "7: device.cellar.address: already used by device.attic (line 3)",
    ),
    # SPI, and what the kernel shows
    (KILN.replace("bus", "# bus"), '1: device.kiln: `bus` is missing, for example `bus = "spi:0.0"`'),
    (KILN.replace("spi:0.0", "i2c:1"), "3: device.kiln.bus: 'i2c:1' is no SPI device; write \"spi:0.0\""),
    (KILN + "address = 0x44\n", "4: device.kiln.address: `address` is for an I2C bus; `max31855` hangs on an SPI bus"),
    (KILN + KILN.replace("kiln", "oven"), "6: device.oven.bus: already used by device.kiln (line 3)"),
    (TANK, '1: device.tank: `id` is missing, for example `id = "28-0316a2795bff"`'),
    (TANK + 'id = "10-0316a2795bff"\n', "3: device.tank.id: '10-0316a2795bff' is none such; write for example"),
    (TANK + 'id = "28-../../x"\n', "3: device.tank.id: '28-../../x' is none such"),
    (
        TANK + 'id = "28-0"\niio = "x"\n',
        "4: device.tank.iio: `iio` is for IIO; `ds18b20` hangs on what the kernel shows",
    ),
    ('[device.b]\ndriver = "board"\nport = "x"\n', "3: device.b.port: `port` is for a serial port; `board` hangs on"),
    ('[device.p]\ndriver = "mcp3008"\nbus = "spi:0.0"\ninputs = [8]\n', "1: device.p: `inputs` must be numbers from 0"),
    ('[gateway]\nsysfs = "sys"\n', "2: gateway.sysfs: 'sys' must be a full path"),
    # serial ports
    (OFFICE, '1: device.office: `port` is missing, for example `port = "/dev/ttyUSB0"`'),
    (OFFICE + 'port = "ttyUSB0"\n', "3: device.office.port: 'ttyUSB0' is no endpoint; write \"/dev/ttyUSB0\", "),
    (OFFICE + "port = 3\n", "3: device.office.port: 3 is no endpoint"),
    (OFFICE + 'port = "usb:1546"\n', "3: device.office.port: 'usb:1546' is no serial port; write "),
    (OFFICE + 'port = "tcp:a"\n', "3: device.office.port: 'tcp:a': the port must be a number from 1 to 65535"),
    (OFFICE + 'port = "tcp::7"\n', "3: device.office.port: 'tcp::7' names no host"),
    (
        OFFICE + 'port = "sreial:/dev/a"\n',
        "3: device.office.port: 'sreial:/dev/a': unknown kind `sreial`; did you mean `serial`",
    ),
    (OFFICE + 'port = "serial:a"\n', "3: device.office.port.path: 'a' is no serial port"),
    (OFFICE + 'port = "serial:/dev/a:baud=x"\n', "3: device.office.port.baud: 'x' must be a whole number from 50"),
    (OFFICE + 'port = "serial:/dev/a:bud=1"\n', "3: device.office.port.bud: unknown key; did you mean `baud`?"),
    (
        OFFICE + "port = { baud = 9600 }\n",
        '3: device.office.port: `path` is missing, for example `path = "/dev/ttyUSB0"`',
    ),
    (
        OFFICE + "port.path = '/dev/a'\nport.baud = '9600'\n",
        "4: device.office.port.baud: '9600' must be a whole number",
    ),
    (OFFICE + '[device.office.port]\npath = "/a"\n\nparity = "n"\n', "6: device.office.port.parity: 'n' is none of "),
    (OFFICE + 'port = {path = "/a", stop_bits = 1.0}\n', "3: device.office.port.stop_bits: 1.0 is none of 1, 2"),
    (
        OFFICE + 'port = "usb:1546:01a8"\n[device.roof]\ndriver = "gps"\nport = { path = "usb:1546:01A8" }\n',
        "6: device.roof.port: already used by device.office (line 3)",
    ),
    # lines, policies
    (PUMP.replace("line", "# line"), '1: device.pump: `line` is missing, for example `line = "gpio:GPIO17"`'),
    (
        PUMP.replace("gpio:GPIO17", "17"),
        '3: device.pump.line: \'17\' is no GPIO line; write "gpio:GPIO17" or "gpio:pinctrl-bcm2835/17"',
    ),
    (PUMP + PUMP.replace("pump", "fan"), "6: device.fan.line: already used by device.pump (line 3)"),
    (
        '[device.a]\ndriver = "pwm"\npwm = "x.pwm"\n[device.b]\ndriver = "pwm"\npwm = "x.pwm"\n',
        "6: device.b.pwm: already used by device.a (line 3)",
    ),
    (
        '[device.b]\ndriver = "blind"\nup = "gpio:A"\ndown = "gpio:A"\nturns = 3\n',
        "4: device.b.down: already used by device.b (line 3)",
    ),
    (
        PUMP + 'start = "of"\n',
        '4: device.pump.start: \'of\' is none of "off", "on", "last", "hands-off"; did you mean `off`?',
    ),
    (PUMP + 'max_on = "10"\n', "4: device.pump.max_on: '10' is no duration"),
    # the driver's own settings
    (
        ATTIC + 'repeatability = "hgh"\n',
        '4: device.attic.repeatability: \'hgh\' is none of "low", "medium", "high"; did',
    ),
    (ATTIC + "repeatabilty = 1\n", "4: device.attic.repeatabilty: unknown key; did you mean `repeatability`?"),
    ('[device.b]\ndriver = "blind"\nup = "gpio:A"\ndown = "gpio:B"\n', "1: device.b: `turns` is missing"),
    (
        '[device.b]\ndriver = "blind"\nup = "gpio:A"\ndown = "gpio:B"\nturns = "3"\n',
        "5: device.b.turns: '3': Expected `int`, got `str`",
    ),
    ('[device.d]\ndriver = "button"\nline = "gpio:A"\ndebounce = 11\n', "1: device.d: debounce 11 s not in 0..10"),
    # quantities
    (ATTIC + "[device.attic.temperture]\n", "4: device.attic.temperture: unknown table; did you mean `temperature`?"),
    (ATTIC + "temperature = 3\n", "4: device.attic.temperature: must be a table: [device.attic.temperature]"),
    (
        ATTIC + "[device.attic.humidity]\noffst = 1\n",
        "5: device.attic.humidity.offst: unknown key; did you mean `offset`?",
    ),
    (ATTIC + "humidity = { scale = 0 }\n", "4: device.attic.humidity.scale: 0 would make every value the same"),
    (ATTIC + 'humidity.offset = "1"\n', "4: device.attic.humidity.offset: '1' must be a number, without quotes"),
    (ATTIC + "humidity.low = 9\nhumidity.high = 1\n", "4: device.attic.humidity.low: `low` 9 is not below `high` 1"),
    (PUMP + "state.offset = 1\n", "4: device.pump.state.offset: unknown key; known are start, loss, "),
    (ATTIC + "humidity.enabled = 1\n", "4: device.attic.humidity.enabled: 1 must be true or false, without quotes"),
    (
        ATTIC + "humidity.enabled = false\ntemperature.enabled = false\n",
        "1: device.attic: nothing of it is enabled; ",
    ),
    (
        PUMP + 'only_if = "attic.humidity > 5"\n' + ATTIC + "humidity.enabled = false\n",
        "4: device.pump.only_if: attic has no humidity",
    ),
    (
        '[device.fan]\ndriver = "pwm"\npwm = "x.pwm"\nduty = { low = 5, scale = 2 }\n',
        "4: device.fan.duty.scale: `scale` is for what is measured; duty is set, too, and goes out as it is",
    ),
    (ATTIC + "humidity.slope = 0\n", "4: device.attic.humidity.slope: must be above 0: "),
    (PUMP + 'only_if = "door"\n', "4: device.pump.only_if: 'door' is no condition; write \"door.contact\", "),
    (PUMP + "max_on = 1" + 400 * "0" + "\n", "4: device.pump.max_on: is beyond the numbers of 64 bits"),
    (PUMP + 'max_on = "1' + 400 * "0" + 's"\n', "4: device.pump.max_on: '1000"),
    (PUMP + 'only_if = ["a.b > x"]\n', "4: device.pump.only_if.0: 'a.b > x' is no condition"),
    (PUMP + 'only_if = "pmp.state"\n', "4: device.pump.only_if: there is no device pmp; did you mean `pump`?"),
    (PUMP + 'only_if = "not pump.stat"\n', "4: device.pump.only_if: pump has no stat; did you mean `state`?"),
    (PUMP + 'only_if = "pump.state"\n', "4: device.pump.only_if: pump.state cannot wait for itself"),
    (PUMP + 'state.only_if = "pump.state"\n', "4: device.pump.state.only_if: pump.state cannot wait for itself"),
    (PUMP + 'renew = "30s"\nloss = "last"\n', "4: device.pump.renew: what is not renewed goes where `loss` says"),
    (
        PUMP + 'only_if = "manual.go"\nstart = "last"\n',
        '5: device.pump.start: `start` must be "off" or "hands-off" with `only_if`',
    ),
    (
        ATTIC + '[device.pump]\ndriver = "relay"\nline = "gpio:A"\nonly_if = "attic.humidity"\n',
        "7: device.pump.only_if: `attic.humidity` cannot be asked: attic.humidity is a float",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), MISTAKES, ids=[wanted[:60] for _, wanted in MISTAKES])
def test_a_mistake_is_told_once_with_its_line_and_key(text: str, wanted: str) -> None:
    (line,) = told(text)
    assert line.startswith(wanted)


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    text = "\n".join(
        text for text, _ in (("[tpc]\n", 0), (PUMP + "start = 1\n", 0), (ATTIC + "adress = 1\nlabel = 2\n", 0))
    )
    assert [line.split(": ")[:2] for line in told(text)] == [
        ["1", "tpc"],
        ["6", "device.pump.start"],
        ["11", "device.attic.adress"],
        ["12", "device.attic.label"],
    ]


def test_nesting_has_an_end() -> None:
    with pytest.raises(ConfigError, match="g.toml: not TOML that can be read: nested too deep"):
        read("a = " + "[" * 100_000)


def test_every_double_is_told() -> None:
    doubles = told(ATTIC + ATTIC + OFFICE + OFFICE)
    assert [line.split(": ")[:2] for line in doubles] == [["4", "device.attic"], ["9", "device.office"]]


# Files


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    with pytest.raises(ConfigError) as raised:
        load(file, find, ROWS)
    assert str(raised.value) == f"{file}: no such file; `gateway demo` needs none, and --config names another"
    file.write_bytes(b"\xef\xbb\xbf" + ATTIC.replace("\n", "\r\n").encode() + b"adress = 1\r\n")
    with pytest.raises(ConfigError) as raised:
        load(file, find, ROWS)
    assert str(raised.value) == f"{file}:4: device.attic.adress: unknown key; did you mean `address`?"
    file.write_bytes(b"[tcp]\n# caf\xe9\n")
    with pytest.raises(ConfigError) as raised:
        load(file, find, ROWS)
    assert str(raised.value) == f"{file}:2: not UTF-8 text"


def test_a_file_without_a_byte_is_cut_off(tmp_path: Path) -> None:
    """A power cut leaves it so, and so it is for a moment while an editor writes: no reason to let everything go."""
    file = tmp_path / "gateway.toml"
    file.touch()
    with pytest.raises(ConfigError) as raised:
        load(file, find, ROWS)
    assert str(raised.value) == f"{file}: is empty; a gateway with nothing to do has a comment in it"
    file.write_text("# nothing\n")
    assert load(file, find, ROWS).devices == ()


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ('[gateway]\ndrivers = "/etc/a"\n[tpc]\n', Path("/etc/a")),
        ("", None),
        ("gateway = 3", None),
        ("[gateway]\ndrivers = 3", None),
        ("[gateway", None),
        ("a = " + "[" * 100_000, None),
    ],
)
def test_the_folder_of_the_users_own_drivers_is_known_first(tmp_path: Path, text: str, folder: Path | None) -> None:
    assert own_drivers(tmp_path / "none.toml")[0] is None
    (tmp_path / "gateway.toml").write_text(text)
    assert own_drivers(tmp_path / "gateway.toml")[0] == folder


def test_twenty_devices_are_read_within_10_ms() -> None:
    text = TCP + "".join(
        f'[device.d{number}]  # {number}\ndriver = "sht31"\nbus = "i2c:{number}"\naddress = 0x45\nperiod = "10s"\n'
        f'repeatability = "low"\n[device.d{number}.temperature]\noffset = 0.5\n'
        for number in range(20)
    )
    read(text)
    took = []
    for _ in range(5):
        began = time.process_time()
        assert len(read(text).devices) == 20
        took.append(time.process_time() - began)
    assert min(took) < 0.010


def test_reading_takes_no_twisted() -> None:
    code = "import sys, gateway.config; sys.exit('twisted' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=DOCS.parent).returncode == 0


# The documentation


def test_rules_of_a_board_hold_for_each_output_that_says_nothing_else() -> None:
    (board,) = read(
        '[device.board]\ndriver = "modbusrelay8"\nport = "/dev/ttyS0"\nmax_on = "1m"\n'
        'state_2 = { max_on = "2s", only_if = ["not board.state_1", "manual.level > -0.5"] }\n'
    ).devices
    assert board.rules["state_1"] == Rules(max_on=60.0) and len(board.rules) == 8
    second = board.rules["state_2"]
    assert second.told == {
        "start": "off",
        "loss": "off",
        "stop": "off",
        "max_on": 2.0,
        "only_if": ["not board.state_1", "manual.level > -0.5"],
    }


BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS[:-1])
def test_every_example_of_the_page_is_right(block: str) -> None:
    read(block)


def test_the_pages_example_of_mistakes_is_told_as_it_says() -> None:
    said = re.search(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert said and [f"/etc/gateway/gateway.toml:{line}" for line in told(BLOCKS[-1])] == said[1].splitlines()


def test_the_page_names_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, close = set[str](), Table.close

    def noting(table: Table) -> None:
        asked.update(table.known)
        close(table)

    monkeypatch.setattr(Table, "close", noting)
    for block in BLOCKS[:-1]:
        read(block)
    quantities = {quantity.name for row in ROWS.values() for quantity in row.quantities}
    assert {"min_interval", "stop_bits", "high", "active"} <= asked  # of all kinds of tables, and a setting
    tables = set(re.findall(r"^\[(\w+)", "\n".join(BLOCKS), re.MULTILINE))
    assert asked - quantities - tables - set(re.findall(r"(\w+) = ", "\n".join(BLOCKS))) == set()


def test_the_default_configuration_is_right_with_its_comments_and_without() -> None:
    text = (DOCS / "gateway.toml").read_text()
    plain = read(text)
    assert [listen and listen.endpoints for listen in (plain.tcp, plain.http, plain.irc)] == [
        ("tcp:7600:interface=127.0.0.1",),
        ("tcp:8080:interface=127.0.0.1",),
        ("tcp:6667:interface=127.0.0.1",),
    ]
    assert plain.devices == () and plain.history is None
    full = read(re.sub(r"^#(?! )", "", text, flags=re.MULTILINE))  # prose has a space behind its #, settings have none
    assert len(full.devices) >= 4 and full.history is not None
