"""Devices on Modbus lines in the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, clientFromString
from twisted.internet.testing import MemoryReactor

from drivers import mhz19
from drivers.api import Driver, Serial
from gateway import catalog
from gateway.config import Config, ConfigError, Endpoint, ModbusTCP, SerialPort, Unit, parse, secured
from gateway.plan import place

ROWS: dict[str, Driver[Any]] = {row.name: row for row in (*map(catalog.find, ("sdm120", "modbusrelay8")), mhz19.DRIVER)}
METER = '[device.meter]\ndriver = "sdm120"\nport = "/dev/ttyUSB0"\n'
RELAY = '[device.relays]\ndriver = "modbusrelay8"\nport = { path = "/dev/ttyUSB0", baud = 2400 }\nunit = 2\n'


def read(text: str) -> Config:
    return parse(text, "test", ROWS.__getitem__, ROWS)


def wheres(text: str) -> list[Any]:
    return [device.where for device in read(text).devices]


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(text)
    return [str(problem).removeprefix("test:") for problem in refused.value.problems]


def test_what_is_not_said_is_as_the_maker_has_it() -> None:
    assert wheres(METER) == [Unit(SerialPort("/dev/ttyUSB0", Serial(2400)), 1, 0.5)]
    assert wheres(METER + 'unit = 17\ntimeout = "1s"\n') == [Unit(SerialPort("/dev/ttyUSB0", Serial(2400)), 17, 1.0)]


def test_units_share_a_port_and_each_says_where_it_is() -> None:
    meter, relays = wheres(METER + RELAY)
    assert meter.port == relays.port
    assert [place(where) for where in (meter, relays)] == ["/dev/ttyUSB0 unit 1", "/dev/ttyUSB0 unit 2"]


@pytest.mark.parametrize(
    ("port", "where", "shown"),
    [
        ('"tcp:10.0.0.5:2001"', Endpoint("tcp:10.0.0.5:2001"), "tcp:10.0.0.5:2001 unit 1"),
        ('"modbus-tcp:10.0.0.5"', ModbusTCP("tcp:host=10.0.0.5:port=502"), "modbus-tcp:10.0.0.5:502 unit 1"),
        ('"modbus-tcp:meter.lan:1502"', ModbusTCP("tcp:host=meter.lan:port=1502"), "modbus-tcp:meter.lan:1502 unit 1"),
        (
            '{ path = "usb:1A86:7523", parity = "E", rs485 = true }',
            SerialPort("usb:1a86:7523", Serial(2400, "E"), True),
            "usb:1a86:7523 unit 1",
        ),
        ('"serial:/dev/ttyS1:baud=19200"', SerialPort("/dev/ttyS1", Serial(19200)), "/dev/ttyS1 unit 1"),
    ],
)
def test_ports_of_every_kind(port: str, where: object, shown: str) -> None:
    (unit,) = wheres(METER.replace('"/dev/ttyUSB0"', port))
    assert unit.port == where and place(unit) == shown
    if isinstance(where, ModbusTCP):
        assert isinstance(clientFromString(MemoryReactor(), where.endpoint), TCP4ClientEndpoint)


def test_a_server_may_itself_be_a_unit_that_no_line_has() -> None:
    for unit in (0, 255):
        assert wheres(METER.replace("/dev/ttyUSB0", "modbus-tcp:plc") + f"unit = {unit}\n")[0].unit == unit


def test_a_line_may_have_a_unit_beyond_those_of_the_standard() -> None:
    for unit in (248, 254, 255):
        assert wheres(METER + f"unit = {unit}\n")[0].unit == unit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (METER + "unit = 0\n", "4: device.meter.unit: unit 0 means all of them, and none of them would answer"),
        (METER + "unit = 256\n", "4: device.meter.unit: 256 "),
        (METER + 'unit = "1"\n', "4: device.meter.unit: '1' "),
        (METER + "timeout = 0\n", "4: device.meter.timeout: 0 is no duration"),
        (
            METER + 'bus = "i2c:1"\n',
            "4: device.meter.bus: `bus` is for an I2C or SPI bus; `sdm120` hangs on a Modbus l",
        ),
        (METER.replace("port", "# port"), '1: device.meter: `port` is missing, for example `port = "/dev/ttyUSB0"`'),
        (METER.replace("/dev/ttyUSB0", "modbus-tcp:"), "3: device.meter.port: 'modbus-tcp:' names no host"),
        (METER.replace("/dev/ttyUSB0", "modbus-tcp:a:x"), "3: device.meter.port: 'modbus-tcp:a:x': the port must be"),
        (METER.replace("/dev/ttyUSB0", "modbus-tcp:a:5:baud=1"), "3: device.meter.port: 'modbus-tcp:a:5:baud=1': unkn"),
        (
            METER.replace("sdm120", "mhz19").replace("/dev/ttyUSB0", "modbus-tcp:plc"),
            "3: device.meter.port: 'modbus-tc",
        ),
        (
            METER.replace("sdm120", "mhz19") + "unit = 1\n",
            "4: device.meter.unit: `unit` is for a Modbus line; `mhz19` hangs on a serial port, and takes `port`",
        ),
        (METER + METER.replace("meter", "second"), "6: device.second.port: already used by device.meter (line 3)"),
        (
            METER + "unit = 2\n" + RELAY,
            "8: device.relays.unit: already used by device.meter (line 4)",
        ),
        (
            METER + RELAY.replace("2400", "9600"),
            "6: device.relays.port: 9600 8N1 here, but 2400 8N1 for device.meter (line 3): all units of a line have "
            'one setting; write it into both, such as `port = { path = "/dev/ttyUSB0", baud = 9600 }`',
        ),
        (
            METER + RELAY.replace("2400", "2400, rs485 = true"),
            "6: device.relays.port: 2400 8N1 with rs485 here, but 2400 8N1 for device.meter (line 3)",
        ),
        (
            METER + '[device.office]\ndriver = "mhz19"\nport = "/dev/ttyUSB0"\n',
            "6: device.office.port: already used by device.meter (line 3): a Modbus line takes Modbus devices only",
        ),
    ],
)
def test_each_mistake_is_told(text: str, words: str) -> None:
    (told,) = mistakes(text)
    assert told.startswith(words)


def test_a_device_that_is_off_is_in_nobodys_way() -> None:
    assert len(wheres(METER + METER.replace("meter", "second") + "enabled = false\n")) == 2
    assert len(wheres(METER + RELAY.replace("2400", "9600") + "enabled = false\n")) == 2


def test_a_line_behind_tls_counts_as_secured() -> None:
    """Twisted's TLS must be in the process before the reactor is; a unit has its connection one level further down."""
    far = METER.replace("/dev/ttyUSB0", "tls:far.example.org:2001")
    assert not secured(read(METER)) and secured(read(far))
