"""``gateway demo``: every kind of device, emulated, and one of them with a loose plug."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway import catalog
from gateway.config import Config, parse

if TYPE_CHECKING:
    from gateway.app import Gateway

FIRST, PLUGGED, UNPLUGGED = 20.0, 60.0, 10.0  # seconds: until the plug falls out, between two times, and how long
LOOSE = "street"

TEXT = """
[tcp]
listen = "tcp:{tcp}:interface=127.0.0.1"
[http]
listen = "tcp:{http}:interface=127.0.0.1"
[irc]
listen = "tcp:{irc}:interface=127.0.0.1"

[device.attic]
driver = "sht31"
bus = "i2c:1"
period = "2s"
label = "Attic"
[device.cellar]
driver = "bme280"
bus = "i2c:1"
period = "5s"
label = "Cellar"
[device.board]
driver = "lm75"
bus = "i2c:1"
period = "5s"
label = "Circuit board"
[device.roof]
driver = "gps"
port = "/dev/ttyUSB0"
label = "Roof"
[device.street]
driver = "pms5003"
port = "/dev/ttyUSB1"
label = "Street, with a loose plug"
[device.office]
driver = "mhz19"
port = "/dev/ttyUSB2"
label = "Office"
[device.greenhouse]
driver = "keyvalue"
port = "/dev/ttyACM0"
label = "Greenhouse (an Arduino)"
[device.tank]
driver = "jsonlines"
port = "/dev/ttyACM1"
label = "Rain water tank (an ESP32)"
[device.pump]
driver = "relay"
line = "gpio:GPIO17"
max_on = "10m"
label = "Pump"
[device.door]
driver = "button"
line = "gpio:GPIO27"
label = "Front door"
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo listens, on this machine only."""

    tcp: int = 7600
    http: int = 8080
    irc: int = 6667


def config(ports: Ports = Ports()) -> Config:
    """The demo's configuration."""
    text = TEXT.format(tcp=ports.tcp, http=ports.http, irc=ports.irc)
    return parse(text, "demo", catalog.find, catalog.NAMES)


def play(reactor: Any, gateway: Gateway, ports: Ports) -> None:
    """Say where to look, and pull the plug every now and then."""
    irc = f"irssi -c 127.0.0.1{'' if ports.irc == 6667 else f' -p {ports.irc}'} -n me"
    print(
        "Device Gateway demo: ten emulated devices, values that wander.\n"
        f"  page      http://127.0.0.1:{ports.http}/    and charts: http://127.0.0.1:{ports.http}/#{LOOSE}\n"
        f"  terminal  printf 'get *\\n' | nc -N 127.0.0.1 {ports.tcp}\n"
        f"  chat      {irc}    and there: /join #readings  and say: !get attic.temperature\n"
        f"  after {FIRST:g} s, and then once a minute, `{LOOSE}` is unplugged for {UNPLUGGED:g} s\n"
        "Ctrl-C ends it.",
        flush=True,
    )

    def pull() -> None:
        if gateway.running and LOOSE in gateway.hardware.emulated:
            gateway.hardware.emulated[LOOSE].unplug()
            reactor.callLater(UNPLUGGED, plug)

    def plug() -> None:
        if gateway.running and LOOSE in gateway.hardware.emulated:
            gateway.hardware.emulated[LOOSE].plug()
            reactor.callLater(PLUGGED, pull)

    reactor.callLater(FIRST, pull)
