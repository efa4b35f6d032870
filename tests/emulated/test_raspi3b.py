"""The installed gateway on an emulated Raspberry Pi 3: its own I2C controller and PL011, a USB serial adapter."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.emulated.ask import Chat, curl, nc, state, until, value
from tests.emulated.board import Board
from tests.emulated.chips import CHIPS, Chip
from tests.emulated.wire import Wire

GPFSEL1 = 0x3F200004  # BCM2835 ARM Peripherals, 6.1: the functions of lines 10 to 19, three bits each
OUTPUT = 1
GPLEV0 = 0x3F200034  # the levels of lines 0 to 31


def shows(board: Board, name: str, wanted: float) -> bool:
    return float(value(board.ports["tcp"], name)) == wanted


@pytest.fixture(scope="module", autouse=True)
def multiplexer(raspi: Board) -> None:
    """Comes late, as a module may: the daemon has been looking for the buses behind it."""
    until(lambda: nc(raspi.ports["tcp"], "version"), 90)
    assert "running" not in state(raspi.ports["tcp"], "shed")
    raspi.run("modprobe i2c-mux-pca954x && echo pca9548 0x70 >/sys/bus/i2c/devices/i2c-1/new_device")


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_a_chip_s_value_is_seen_by_every_client(raspi: Board, chip: Chip) -> None:
    name = f"{chip.name}.{chip.item}"
    chat = Chat(raspi.ports["irc"])
    for wanted in chip.values:
        raspi.qmp(
            "qom-set", path=f"/machine/peripheral/{chip.name}", property=chip.knob, value=int(wanted * chip.scale)
        )
        until(partial(shows, raspi, name, wanted))
        readings = {reading["name"]: reading["value"] for reading in curl(raspi.ports["http"], "/api/v1/readings")}
        assert readings[name] == wanted
        chat.say(f"PRIVMSG #readings :!get {name}")
        assert float(chat.hear(f"{name} ").split(f"{name} ")[1].split()[0]) == wanted
    chat.close()


def test_a_clock_goes_and_is_set(raspi: Board) -> None:
    def tells() -> datetime:
        return datetime.fromisoformat(value(raspi.ports["tcp"], "clock.time").strip('"'))

    first = until(tells)
    assert until(lambda: tells() > first)
    raspi.run("gateway set clock.time 2031-01-02T03:04:05Z")
    assert timedelta() <= tells() - datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC) < timedelta(minutes=1)


def test_a_memory_is_a_device_once_somebody_wrote_into_it(raspi: Board) -> None:
    assert "nobody has written" in until(lambda: state(raspi.ports["tcp"], "plate"))
    raspi.run(
        "python3 -c 'from smbus2 import SMBus, i2c_msg; SMBus(1).i2c_rdwr(i2c_msg.write(0x50, b\"\\0\\0PUMP-7\\0\"))'"
    )
    until(lambda: value(raspi.ports["tcp"], "plate.serial") == '"PUMP-7"')


def test_a_chip_that_is_not_there_is_told_and_does_no_harm(raspi: Board) -> None:
    until(
        lambda: "running" not in state(raspi.ports["tcp"], "nobody") and "answer" in state(raspi.ports["tcp"], "nobody")
    )
    assert "running" in state(raspi.ports["tcp"], "attic")


def test_a_receiver_on_the_board_s_own_serial_port(raspi: Board) -> None:
    port = raspi.ports["tcp"]
    with Wire(raspi.connect("pl011"), "gps"):
        assert 51.47 < float(until(lambda: value(port, "roof.latitude"), 60)) < 51.49


def test_a_sensor_on_a_usb_adapter(raspi: Board) -> None:
    # Pulling it out is shown on the other board: here QEMU itself fails at that.
    wire = Wire(raspi.connect("ftdi"), "pms5003")
    assert 0 < float(until(lambda: value(raspi.ports["tcp"], "street.pm2_5"), 60)) < 100
    assert wire.thread.is_alive()


@pytest.mark.parametrize(
    ("way", "who", "kept"),
    [
        ("gpiod", "setpriv --reuid gateway --regid gateway --init-groups", False),
        ("rpi", "", True),  # as root, because Debian's kernel has no /dev/gpiomem
    ],
)
def test_a_relay_s_line_is_driven(raspi: Board, way: str, who: str, kept: bool) -> None:
    """And what is left of it: Debian's kernel makes an input of what a process held, and RPi.GPIO goes past it."""
    config = f"/etc/gateway/relay-{way}.toml"
    pid = f"$(pgrep -of 'gateway run --config {config}')"
    raspi.run(f"STATE_DIRECTORY=/var/lib/gateway setsid {who} gateway run --config {config} >/run/relay.log 2>&1 &")
    raspi.run("until gateway devices --port 7601 2>/dev/null | grep 'pump running'; do sleep 1; done", 120)
    status = 'bash -c "exec 3<>/dev/tcp/127.0.0.1/7601; echo status >&3; grep -m 1 ^gpio <&3"'
    assert way.replace("rpi", "RPi.GPIO") in raspi.run(status)
    for word, level in (("on", 1), ("off", 0), ("on", 1)):
        assert raspi.word(GPLEV0) >> 17 & 1 != level
        raspi.run(f"gateway set pump.state {word} --port 7601")
        assert raspi.word(GPLEV0) >> 17 & 1 == level
    assert raspi.word(GPFSEL1) >> 21 & 7 == OUTPUT
    raspi.run(f"kill -9 {pid}; sleep 2")
    assert (raspi.word(GPFSEL1) >> 21 & 7 == OUTPUT) == kept


def test_a_policy_that_this_kernel_does_not_keep_is_told_and_refused(raspi: Board) -> None:
    config = "/etc/gateway/relay-kept.toml"
    assert raspi.run("cat /sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs").strip() == "N"
    assert "makes an input of gpio:GPIO18" in raspi.run(f"gateway check --config {config} 2>&1", 120)
    raspi.run(
        f"STATE_DIRECTORY=/run/kept setsid gateway run --config {config} >/run/kept.log 2>&1 & echo $! >/run/kept.pid"
    )
    refused = "until gateway devices --port 7601 2>/dev/null | grep 'pump refused'; do sleep 1; done"
    assert "cannot be kept" in raspi.run(refused, 120)
    assert raspi.word(GPFSEL1) >> 24 & 7 != OUTPUT
    raspi.run("kill $(cat /run/kept.pid); sleep 3")


def test_a_scan_finds_what_is_fitted(raspi: Board) -> None:
    with Wire(raspi.connect("pl011"), "gps"):  # while nothing speaks the port is opened now and then only
        until(lambda: "running" in state(raspi.ports["tcp"], "roof"), 90)
        found = raspi.run("gateway scan", 300).splitlines()
    assert "i2c:1 0x70  in use: the kernel's driver for pca9548" in found
    assert any(line.startswith("i2c:2 0x70  a multiplexer?") for line in found)
    places = [line for line in found if re.fullmatch(r"i2c:(1|[3-9]|10) 0x4[89]", line)]
    assert places == ["i2c:1 0x48", "i2c:6 0x49"]  # the first answers on each channel, the second often on bus 1
    assert any(line.startswith("/dev/ttyAMA0  in use: gateway") for line in found)


def test_a_controller_is_reset_by_binding_its_driver_anew(raspi: Board) -> None:
    """On a bus that nobody has open."""
    raspi.run(
        "python3 -c 'from gateway.transports.i2c import Adapter, smbus2; "
        'adapter = Adapter("/dev/i2c-0", smbus2, "/sys"); adapter.open(); adapter.reset(); adapter.open()\''
    )
