"""What ``gateway scan`` finds, over folders of our own that look as a board's do."""

from __future__ import annotations

import errno
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import catalog, cli, config
from gateway.scan import Found, Roots, scan, text
from gateway.scan.i2c import READ


class Board:
    """Folders, and the chips on its I2C buses: by path and address, the errno that a call gives, 0 for an answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roots = Roots(*(str(folder / name) for name in ("dev", "sys", "proc")))
        self.chips: dict[str, dict[int, int]] = {}
        self.calls = list[tuple[str, int]]()
        self.gpio = dict[str, Any]()
        for name in "dev", "sys", "proc":
            (folder / name).mkdir()

    def file(self, path: str, said: str = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said)
        return file

    def link(self, path: str, target: str) -> None:
        link = self.folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(self.folder / target)

    def bus(self, number: int, name: str, chips: Mapping[int, int]) -> None:
        self.file(f"sys/class/i2c-dev/i2c-{number}/name", f"{name}\n")
        self.chips[str(self.file(f"dev/i2c-{number}"))] = dict(chips)

    def usb(self, port: str = "ttyUSB0", at: str = "1-1", **ids: str) -> None:
        """An adapter: its files in sysfs, its port, and its links."""
        for key, value in ids.items():
            self.file(f"sys/devices/usb1/{at}/{key}", f"{value}\n")
        self.file(f"sys/devices/usb1/{at}/{at}:1.0/{port}/x")
        self.link(f"sys/class/tty/{port}/device", f"sys/devices/usb1/{at}/{at}:1.0/{port}")
        self.file(f"dev/{port}")

    # In place of the modules

    def smbus(self) -> Any:
        return SimpleNamespace(SMBus=lambda path: Bus(self, path))

    def Chip(self, path: str) -> Any:
        return self.gpio[path]

    LineSettings, __version__, api_version = object(), "2.2.0", "2.2"

    def found(self, kind: str = "", all: bool = False) -> list[Found]:
        return [each for each in scan(self.roots, all, self.smbus, self) if kind in ("", each.kind)]


class Bus:
    def __init__(self, board: Board, path: str) -> None:
        self.board, self.path = board, path
        if isinstance(trouble := board.chips[path].get(0), int) and trouble:
            raise OSError(trouble, os.strerror(trouble))

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def call(self, how: str, address: int) -> None:
        self.board.calls.append((how, address))
        if number := self.board.chips[self.path].get(address, errno.ENXIO):
            raise OSError(number, os.strerror(number))

    def write_quick(self, address: int) -> None:
        self.call("quick", address)

    def read_byte(self, address: int) -> int:
        self.call("read", address)
        return 0


class Gpiochip:
    def __init__(self, label: str, *names: str, held: Mapping[str, str]) -> None:
        self.label, self.names, self.held = label, names, held

    def __enter__(self) -> Gpiochip:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def get_info(self) -> Any:
        return SimpleNamespace(label=self.label, num_lines=len(self.names))

    def line_offset_from_id(self, name: str) -> int:
        raise OSError(errno.ENOENT, "none")

    def get_line_info(self, offset: int) -> Any:
        name = self.names[offset]
        return SimpleNamespace(name=name, offset=offset, used=name in self.held, consumer=self.held.get(name, ""))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_chips_by_address_with_their_drivers_and_configuration(board: Board) -> None:
    board.bus(1, "bcm2835 (i2c@7e804000)", {0x44: 0, 0x76: 0, 0x09: 0})
    bus, stranger, first, second = board.found()
    assert (bus.kind, bus.place, bus.about) == ("i2c", "i2c:1", "bcm2835 (i2c@7e804000)")
    assert (stranger.place, stranger.drivers) == ("i2c:1 0x09", ())
    assert first.place == "i2c:1 0x44" and "sht31" in first.drivers
    assert first.config == {"bus": "i2c:1", "address": 0x44}
    assert first.drivers.index("sht31") < first.drivers.index("ina219") < first.drivers.index("pca9685")  # 2, 16, 55
    assert {"bme280", "bmp280"} <= set(second.drivers) and 'bus = "i2c:1/0x76/0"' in second.about


def test_an_address_is_called_in_the_way_that_does_no_harm_there(board: Board) -> None:
    board.bus(1, "x", {})
    board.found()
    assert {address for how, address in board.calls if how == "read"} == READ
    assert [address for _, address in board.calls] == list(range(0x08, 0x78))


def test_a_chip_that_the_kernel_holds_is_told_and_left_alone(board: Board) -> None:
    board.bus(1, "x", {0x68: errno.EBUSY})
    board.file("sys/bus/i2c/devices/1-0068/name", "ds1307\n")
    (found,) = board.found("chip")
    assert (found.used, found.config) == ("the kernel's driver for ds1307", None)


def test_behind_a_multiplexer_that_the_kernel_has_each_chip_is_shown_where_it_is(board: Board) -> None:
    """0x48 is before it and answers on each channel; 0x49 is on the channel that was used last."""
    board.bus(1, "x", {0x48: 0, 0x49: 0, 0x70: errno.EBUSY})
    for number, own in (10, {}), (11, {0x49: 0}), (12, {0x4A: 0}):
        board.bus(number, "x", {0x48: 0, 0x70: errno.EBUSY} | own)
    for number, place in (1, "i2c-1"), (10, "i2c-1/i2c-10"), (11, "i2c-1/i2c-11"), (12, "i2c-1/i2c-12"):
        board.file(f"sys/devices/soc/{place}/name")
        board.link(f"sys/class/i2c-dev/i2c-{number}/device", f"sys/devices/soc/{place}")
    assert [each.place for each in board.found("chip")] == ["i2c:1 0x48", "i2c:1 0x70", "i2c:11 0x49", "i2c:12 0x4a"]


def test_a_bus_that_is_held_down_is_not_called_a_hundred_times(board: Board) -> None:
    board.bus(1, "x", {0x08: errno.ETIMEDOUT})
    board.bus(2, "y", {0x44: 0})
    (held, chip) = board.found("chip")
    assert held.about == "timed out: something holds the bus" and chip.place == "i2c:2 0x44"
    assert len(board.calls) == 1 + 0x70


@pytest.mark.parametrize("name", ["SMBus I801 adapter at efa0", "AMDGPU DM i2c hw bus 0", "fef04500.i2c HDMI DDC"])
def test_buses_of_monitors_and_memory_are_left_alone_unless_wanted(board: Board, name: str) -> None:
    board.bus(20, name, {0x50: 0})
    assert [each.about for each in board.found()] == [f"{name}; not looked at without --all"] and not board.calls
    assert [each.place for each in board.found("chip", all=True)] == ["i2c:20 0x50"]


def test_a_bus_that_may_not_be_opened_says_what_helps(board: Board) -> None:
    board.bus(1, "x", {0: errno.EACCES})
    assert "permission denied" in board.found()[0].about


def test_ports_have_their_stable_names(board: Board) -> None:
    board.usb(idVendor="1a86", idProduct="7523")
    board.link("dev/serial/by-path/platform-usb-0:1:1.0-port0", "dev/ttyUSB0")
    (port,) = board.found("port")
    assert port.place == "usb:1a86:7523"
    assert (
        port.about
        == f"{board.roots.dev}/ttyUSB0, usb:1a86:7523, {board.roots.dev}/serial/by-path/platform-usb-0:1:1.0-port0"
    )
    board.link("dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", "dev/ttyUSB0")
    board.file("sys/devices/usb1/1-1/serial", "A1\n")
    (port,) = board.found("port")
    assert port.config == {"port": f"{board.roots.dev}/serial/by-id/usb-1a86_USB_Serial-if00-port0"}
    assert "usb:1a86:7523:A1" in port.about


def test_adapters_that_are_alike_go_by_where_they_are_plugged_in(board: Board) -> None:
    for port, at in ("ttyUSB0", "1-1"), ("ttyUSB1", "1-2"):
        board.usb(port, at, idVendor="1a86", idProduct="7523")
        board.link(f"dev/serial/by-path/{at}-port0", f"dev/{port}")
    board.link("dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", "dev/ttyUSB1")  # whichever came last
    assert [each.place for each in board.found("port")] == [
        f"{board.roots.dev}/serial/by-path/{at}-port0" for at in ("1-1", "1-2")
    ]


def test_an_adapter_with_two_ports_has_a_name_for_each(board: Board) -> None:
    for port in "ttyUSB0", "ttyUSB1":
        board.usb(port, idVendor="0403", idProduct="6010")
    board.link("dev/serial/by-id/usb-FTDI-if00-port0", "dev/ttyUSB0")
    assert [each.place for each in board.found("port")] == [
        f"{board.roots.dev}/serial/by-id/usb-FTDI-if00-port0",
        f"{board.roots.dev}/ttyUSB1",
    ]


def test_links_of_somebody_s_own_are_no_buses_and_odd_names_are_quoted(board: Board) -> None:
    board.bus(1, "bcm2835", {})
    board.file("dev/i2c-sensors")
    board.file("dev/spidevx.y")
    board.usb(idVendor="1a86", idProduct="7523", serial='A"1\\')
    assert [each.place for each in board.found("i2c") + board.found("spi")] == ["i2c:1"]
    (port,) = board.found("port")
    pasted = tomllib.loads("\n".join(list(text(port, {}))[1:]))["device"]["port"]
    assert pasted["port"] == 'usb:1a86:7523:A"1\\'


def test_ports_of_the_board_and_those_that_are_none(board: Board) -> None:
    for name, type in ("ttyAMA0", "2"), ("ttyS0", "0"):
        board.file(f"sys/devices/{name}/x")
        board.file(f"sys/class/tty/{name}/type", f"{type}\n")
        board.link(f"sys/class/tty/{name}/device", f"sys/devices/{name}")
        board.file(f"dev/{name}")
    assert [each.place for each in board.found("port")] == [f"{board.roots.dev}/ttyAMA0"]


def test_who_has_a_port(board: Board) -> None:
    board.usb(idVendor="1a86", idProduct="7523")
    port = board.folder / "dev/ttyUSB0"
    assert board.found("port")[0].used == ""
    board.file("proc/4711/comm", "gpsd\n")
    board.link("proc/4711/fd/3", "dev/ttyUSB0")
    status = port.stat()
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    board.file("proc/4712/comm", "gateway\n")  # another user's: its files are not ours to see
    board.file(
        "proc/locks", f"1: FLOCK  ADVISORY  WRITE 4712 {place} 0 EOF\n2: POSIX  ADVISORY  WRITE 1 00:01:1 0 EOF\n"
    )
    assert board.found("port")[0].used == "gpsd (4711), gateway (4712)"


def test_gpio_chips_by_their_labels_and_who_holds_lines(board: Board) -> None:
    path = str(board.file("dev/gpiochip0"))
    board.gpio[path] = Gpiochip("pinctrl-bcm2711", "ID_SDA", "GPIO4", "GPIO17", held={"GPIO4": "gateway pump"})
    (chip,) = board.found("gpio")
    assert (chip.place, chip.about, chip.used) == ("pinctrl-bcm2711", f"{path}, 3 lines", "GPIO4 by gateway pump")
    assert chip.config == {"line": "gpio:GPIO17"}


def test_spi_devices(board: Board) -> None:
    board.file("dev/spidev0.1")
    (found,) = board.found()
    assert found.config == {"bus": "spi:0.1"} and {"mcp3008", "max31855"} <= set(found.drivers)


def test_1_wire_sensors_by_their_ids(board: Board) -> None:
    for name in "28-0316a2795bff", "00-400000000000", "w1_bus_master1", "f0-000802b5535b":
        (board.folder / "sys/bus/w1/devices" / name).mkdir(parents=True)
    second, first = board.found()
    assert (first.place, first.drivers, first.config) == ("id:f0-000802b5535b", (), {"id": "f0-000802b5535b"})
    assert (second.place, second.drivers) == ("id:28-0316a2795bff", ("ds18b20",))


def test_iio_and_hwmon_by_name_with_a_channel_where_one_must_be_chosen(board: Board) -> None:
    for at, (name, file) in enumerate((("dht11@4", "in_temp_input"), ("ads1015", "in_voltage2_raw"))):
        board.file(f"sys/bus/iio/devices/iio:device{at}/name", f"{name}\n")
        board.file(f"sys/bus/iio/devices/iio:device{at}/{file}")
    board.file("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    board.file("sys/class/hwmon/hwmon0/temp1_input")
    dht, adc, cpu = board.found()
    assert (dht.place, dht.drivers, dht.config) == ("iio:dht11@4", ("dht11", "dht22", "iio"), {"iio": "dht11@4"})
    assert (adc.about, adc.drivers, adc.config) == ("voltage2", ("iio",), {"iio": "ads1015", "channel": 2})
    assert (cpu.about, cpu.config) == ("temp1", {"hwmon": "cpu_thermal"})


def test_two_of_one_name_are_told_apart(board: Board) -> None:
    for owner in "1-0076", "1-0077":
        board.file(f"sys/devices/i2c-1/{owner}/iio:device{owner[-1]}/name", "bme280\n")
        board.link(f"sys/bus/iio/devices/iio:device{owner[-1]}", f"sys/devices/i2c-1/{owner}/iio:device{owner[-1]}")
    assert [each.place for each in board.found()] == ["iio:bme280/1-0076", "iio:bme280/1-0077"]


def test_what_it_says_can_be_pasted(board: Board) -> None:
    board.bus(1, "x", {0x44: 0, 0x45: 0})
    board.file("dev/spidev0.0")
    (board.folder / "sys/bus/w1/devices/28-0316a2795bff").mkdir(parents=True)
    (board.folder / "sys/class/thermal/thermal_zone0").mkdir(parents=True)
    names: dict[str, int] = {}
    said = [line for each in board.found() for line in text(each, names)]
    pasted = "\n".join(line[4:] for line in said if line.startswith("    "))
    devices = config.parse(pasted, "gateway.toml", catalog.find, catalog.names()).devices
    assert len(devices) == 5 and len({device.name for device in devices}) == 5
    assert said[0] == "i2c:1  x" and said[2].startswith("    [device.")


def test_the_command_says_the_same_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """On whatever machine this is."""
    assert cli.main(["scan", "--json"], lambda secure: None) == 0
    found = json.loads(capsys.readouterr().out)
    assert all({"kind", "place", "about", "drivers", "used", "config"} == each.keys() for each in found)
    assert cli.main(["scan"], lambda secure: None) == 0
    assert sum(not line.startswith("    ") for line in capsys.readouterr().out.splitlines()) == len(found)
