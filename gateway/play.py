"""``gateway emulate``: a device without a device, on a real terminal."""

from __future__ import annotations

import sys
import tempfile
from typing import Any, cast

from drivers.api import Driver, Modbus, ModbusEmulator, Serial, SerialEmulator
from gateway.client import GatewayError
from gateway.transports.emulated import PtyPort


def emulate(reactor: Any, driver: Driver[Any]) -> int:
    """Open a terminal with *driver*'s device on it, and print the configuration to paste."""
    if isinstance(driver.link, Modbus):
        from drivers.codec.modbus_slave import Units

        emulator: object = Units({driver.link.unit: cast(ModbusEmulator, driver.emulator())})
    elif isinstance(driver.link, Serial):
        emulator = driver.emulator()
    else:
        raise GatewayError(f"{driver.name} is no serial device; `gateway run --emulate` emulates all kinds")
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        port = PtyPort(reactor, cast(SerialEmulator, emulator), f"{folder}/{driver.name}")
        print(f'[device.{driver.name}]\ndriver = "{driver.name}"\nport = "{port.link}"\n', flush=True)
        print(f"{driver.title}, on {port.link} until Ctrl-C", file=sys.stderr, flush=True)
        reactor.addSystemEventTrigger("before", "shutdown", port.close)
        reactor.run()
    return 0
