"""What is fitted to the emulated boards, a row each, and the gateway's configuration that goes with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that QEMU has.  A new one is one more row, and the tests go over it."""

    name: str  # of the device
    model: str  # QEMU's name for it
    address: int
    driver: str
    item: str  # the quantity of ours ...
    knob: str  # ... and QEMU's property behind it
    scale: float  # of the property
    values: tuple[float, ...]
    bus: str = "i2c-bus.1"  # QEMU's name ...
    number: int | str = 1  # ... and ours: Linux' number, and the way through multiplexers
    settings: str = ""

    @property
    def fitted(self) -> tuple[str, str]:
        return "-device", f"{self.model},id={self.name},bus={self.bus},address={self.address:#x}"

    @property
    def configured(self) -> str:
        return (
            f'[device.{self.name}]\ndriver = "{self.driver}"\nbus = "i2c:{self.number}"\naddress = {self.address:#x}\n'
            f'period = "1s"\n{self.settings}\n'
        )


CHIPS = (
    Chip("attic", "tmp105", 0x48, "tmp105", "temperature", "temperature", 1000, (21.5, -40.0, 85.0)),
    Chip(
        *("rack", "emc1413", 0x4C, "emc1413", "temperature", "temperature0", 1000, (21.0, 84.0)),
        settings="diodes = 0",
    ),
    # Behind channel 3 of a multiplexer that Linux makes a bus of its own of, and behind channel 5 of one that it knows
    # nothing of: there the gateway itself selects.
    Chip(
        *("shed", "tmp105", 0x49, "tmp105", "temperature", "temperature", 1000, (4.5,)),
        bus="i2c-bus.1/pca9548/i2c.3",
        number=6,
    ),
    Chip(
        *("hut", "tmp105", 0x49, "tmp105", "temperature", "temperature", 1000, (7.25, -3.5)),
        bus="i2c-bus.2/pca9548/i2c.5",
        number="2/0x70/5",
    ),
)
MULTIPLEXER = tuple(word for bus in (1, 2) for word in ("-device", f"pca9548,bus=i2c-bus.{bus},address=0x70"))
# Chips without a property: a clock that goes, and a memory that is written from within.
OTHERS = (
    *("-device", "ds1338,bus=i2c-bus.1,address=0x68"),
    *("-device", "at24c-eeprom,bus=i2c-bus.1,address=0x50,rom-size=4096"),
)
FTDI = (
    *("-chardev", "socket,id=ftdi,path={folder}/ftdi,server=on,wait=off"),
    *("-device", "usb-serial,id=ftdi,chardev=ftdi"),
)

LISTEN = "".join(
    f'[{name}]\nlisten = "tcp:{port}"\nanonymous = "viewer"\n' for name, port in (("tcp", 7600), ("http", 8080))
)
LISTEN += '[irc]\nlisten = "tcp:6667"\nanonymous = "viewer"\nmin_interval = "1s"\n'

RASPI3B = (
    LISTEN
    + "".join(chip.configured for chip in CHIPS)
    + """
[device.clock]
driver = "ds1338"
bus = "i2c:1"
period = "1s"
settable = true

[device.plate]
driver = "at24c"
bus = "i2c:1"
period = "1s"

[device.nobody]
driver = "sht31"
bus = "i2c:1"

[device.roof]
driver = "gps"
port = "/dev/ttyAMA0"

[device.street]
driver = "pms5003"
port = "usb:0403:6001"
"""
)

RELAY = """
[gateway]
gpio = "{way}"

[tcp]
listen = "tcp:7601:interface=127.0.0.1"

[device.pump]
driver = "relay"
line = "gpio:{line}"
start = "off"
stop = "hands-off"
"""

# On the other board's own PL061, and on a chip that comes later.
GPIO = (
    LISTEN
    + """
[gateway]
time = "system"

[device.bell]
driver = "button"
line = "gpio:9030000.pl061/5"
active = "high"
pull = "none"
debounce = 0

[device.door]
driver = "button"
line = "gpio:DOOR"
active = "high"
pull = "down"
debounce = 0.1

[device.pump]
driver = "relay"
line = "gpio:PUMP"
start = "on"

[device.tap]
driver = "button"
line = "gpio:TAP"
active = "high"
pull = "down"
debounce = 0

[device.meter]
driver = "counter"
line = "gpio:header/3"
active = "high"
pull = "down"
debounce = 0
"""
)

VIRT = (
    LISTEN
    + """
[device.cellar]
driver = "bmp280"
bus = "i2c:0"
address = 0x76
period = "1s"

[device.street]
driver = "pms5003"
port = "usb:0403:6001"
"""
)

CONFIGURATIONS = {
    "raspi3b.toml": RASPI3B,
    "virt.toml": VIRT,
    "gpio.toml": GPIO,
    "second.toml": RELAY.format(way="auto", line="PUMP"),
    "relay-gpiod.toml": RELAY.format(way="gpiod", line="GPIO17"),
    "relay-kept.toml": RELAY.format(way="auto", line="GPIO18").replace("hands-off", "on"),
    "relay-rpi.toml": RELAY.format(way="rpi", line="GPIO17"),
}
