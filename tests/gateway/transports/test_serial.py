"""The serial endpoint, on real pseudo-terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import termios
import tty
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import twisted.plugins
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory

from drivers.api import NoAnswer, Serial
from gateway.reactor import Reactor
from gateway.transports import serial
from gateway.transports.serial import SerialAddress, SerialEndpoint, Stalled, Unplugged
from tests.gateway.transports.turning import Ear, reactor, rest, turn

__all__ = ["reactor"]


class Line:
    """Both ends of a pseudo-terminal; the near one is held open, so that a close of ours is no hang-up."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.far, self.near = pty.openpty()
        tty.setraw(self.near)
        self.path = os.ttyname(self.near)
        self.endpoint = SerialEndpoint(cast(Any, reactor), self.path, Serial(baud=9600))

    def connect(self) -> Ear:
        ear = Ear()
        failed = list[Any]()
        self.endpoint.connect(cast(Any, Factory.forProtocol(lambda: ear))).addErrback(failed.append)
        assert not failed, failed
        return ear

    def refused(self) -> str:
        return refusal(self.endpoint)

    def unplug(self) -> None:
        for fd in (self.near, self.far):
            os.close(fd)
        self.near = self.far = -1

    def close(self) -> None:
        for fd in (self.near, self.far):
            if fd >= 0:
                os.close(fd)


def refusal(endpoint: SerialEndpoint) -> str:
    """The words with which a port is not opened."""
    failed = list[Any]()
    endpoint.connect(cast(Any, Factory.forProtocol(Ear))).addErrback(failed.append)
    assert failed and failed[0].check(NoAnswer), failed
    return str(failed[0].value)


@pytest.fixture
def line(reactor: Reactor) -> Iterator[Line]:
    line = Line(reactor)
    yield line
    line.close()


def test_opens_exclusively_and_opens_again_after_each_close(line: Line) -> None:
    ear = line.connect()
    assert line.refused() == f"{line.path}: is open in another program"
    os.write(line.far, b"hello")
    turn(line.reactor, lambda: ear.heard == b"hello")
    assert cast(Any, ear.transport).getPeer() == SerialAddress(line.path)
    for end in ("abortConnection", "loseConnection"):
        getattr(ear.transport, end)()
        turn(line.reactor, partial(getattr, ear, "why"))
        ear = line.connect()
    os.write(line.far, b"again")
    turn(line.reactor, lambda: ear.heard == b"again")


def test_another_programs_lock_is_respected_and_ours_holds(line: Line) -> None:
    fcntl.ioctl(line.near, termios.TIOCEXCL)  # as gpsd does
    assert line.refused() == f"{line.path}: is open in another program"
    fcntl.ioctl(line.near, termios.TIOCNXCL)
    fcntl.flock(line.near, fcntl.LOCK_EX)  # as pyserial's users do
    assert line.refused() == f"{line.path}: is open in another program"
    fcntl.flock(line.near, fcntl.LOCK_UN)
    ear = line.connect()
    taken = bytearray(4)
    fcntl.ioctl(line.near, serial.TIOCGEXCL, taken)
    assert taken[0] == 1
    cast(Any, ear.transport).loseConnection()
    turn(line.reactor, lambda: ear.why)
    fcntl.ioctl(line.near, serial.TIOCGEXCL, taken)
    assert taken[0] == 0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/no such port", "/dev/no such port: no such port"),
        ("/dev/null", "/dev/null: is no serial port"),
        ("/", "/: is no serial port"),
        (__file__, f"{__file__}: is no serial port"),
    ],
)
def test_says_why_it_cannot_open(reactor: Reactor, path: str, words: str) -> None:
    assert refusal(SerialEndpoint(cast(Any, reactor), path, Serial(9600))) == words


def test_says_who_may_open_a_port(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("serial.serialposix.os.open", denied)  # the tests may run as root, whom nothing is denied
    assert re.match(f"{line.path}: permission denied; it is ", line.refused())  # whose, depends on who runs this


def test_a_speed_that_the_port_does_not_have_is_refused(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.endpoint.line = Serial(12345)
    ear = line.connect()
    fd = cast(Any, ear.transport).fileno()
    assert serial.speed(fd) == 12345
    cast(Any, ear.transport).abortConnection()
    turn(line.reactor, lambda: ear.why)
    monkeypatch.setattr(serial, "speed", lambda fd: 9600)  # a UART's driver falls back; a pseudo-terminal takes any
    assert line.refused() == f"{line.path}: takes no 12345 baud, it offers 9600"
    line.endpoint.line = Serial(9600)
    assert line.connect()  # and the port was left free


@pytest.mark.parametrize(("parity", "checked"), [("N", False), ("E", True), ("O", True)])
def test_a_byte_of_wrong_parity_does_not_pass(line: Line, parity: Any, checked: bool) -> None:
    line.endpoint.line = Serial(12345, parity, bits=7)
    port = cast(Any, line.connect().transport).fileno()
    assert bool(termios.tcgetattr(port)[0] & termios.INPCK) is checked
    assert not termios.tcgetattr(port)[0] & (termios.IGNPAR | termios.PARMRK)  # a nought comes in its place
    assert serial.speed(port) == 12345


def test_an_unplugged_port_is_told_from_one_that_we_closed(line: Line) -> None:
    ear = line.connect()
    cast(Any, ear.transport).loseConnection()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is ConnectionDone
    ear = line.connect()
    cast(Any, ear.transport).abortConnection()
    cast(Any, ear.transport).abortConnection()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is ConnectionAborted
    ear = line.connect()
    os.write(line.far, b"last words")
    turn(line.reactor, lambda: ear.heard)
    line.unplug()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is Unplugged and line.path in str(ear.why[0].value)
    assert ear.heard == b"last words"
    rest(line.reactor, 0.05)
    assert len(ear.why) == 1


def test_a_hang_up_before_the_port_is_gone_counts_as_unplugged(line: Line) -> None:
    """For an instant the kernel tells of nothing else, which to the reactor is a clean end."""
    ear = line.connect()
    transport = cast(Any, ear.transport)
    cast(Any, line.reactor)._doReadOrWrite(transport, transport.fileno(), select.EPOLLHUP)
    assert ear.why[0].type is Unplugged


def test_a_write_to_an_unplugged_port_is_not_lost_in_silence(line: Line) -> None:
    ear = line.connect()
    transport = cast(Any, ear.transport)
    line.unplug()
    transport.write(b"0123456789")
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is Unplugged and "10 bytes unsent" in str(ear.why[0].value)
    with pytest.raises(Unplugged):
        transport.write(b"more")


def test_unplugged_while_closing_counts_as_unplugged(line: Line) -> None:
    ear = line.connect()
    cast(Any, ear.transport).write(b"x" * 60_000)  # more than the far end will take
    rest(line.reactor, 0.05)
    cast(Any, ear.transport).loseConnection()
    line.unplug()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is Unplugged and "unsent" in str(ear.why[0].value)


def test_what_waits_for_a_device_is_bounded(line: Line) -> None:
    ear = line.connect()
    transport = cast(Any, ear.transport)
    transport.write(b"x" * serial.PENDING)
    assert transport.connected
    transport.write(b"x")
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is Stalled and "65537 bytes wait" in str(ear.why[0].value)
    assert line.connect()


def test_a_close_sends_what_was_written(line: Line) -> None:
    ear = line.connect()
    cast(Any, ear.transport).write(b"off\n")
    cast(Any, ear.transport).loseConnection()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is ConnectionDone and os.read(line.far, 100) == b"off\n"


def test_a_close_ends_though_the_device_does_not_read(line: Line) -> None:
    ear = line.connect()
    cast(Any, ear.transport).write(b"x" * 60_000)
    cast(Any, ear.transport).loseConnection()
    turn(line.reactor, lambda: ear.why)
    assert ear.why[0].type is ConnectionAborted
    assert line.connect()


def test_a_close_waits_for_the_kernels_queue(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = [3, 2, 1, 0, 0]
    monkeypatch.setattr(serial.Port, "queued", lambda port: queue.pop(0))  # a pseudo-terminal has none
    ear = line.connect()
    cast(Any, ear.transport).loseConnection()
    assert turn(line.reactor, lambda: ear.why) >= 3 * serial.LOOK
    assert ear.why[0].type is ConnectionDone and queue == []


@pytest.mark.parametrize("end", ["loseConnection", "abortConnection"])
def test_a_protocol_may_close_as_soon_as_it_is_connected(line: Line, end: str) -> None:
    class Shy(Ear):
        def connectionMade(self) -> None:
            getattr(self.transport, end)()

    shy = Shy()
    line.endpoint.connect(cast(Any, Factory.forProtocol(lambda: shy)))
    os.write(line.far, b"hello")
    turn(line.reactor, lambda: shy.why)
    assert shy.heard == b"" and line.connect()


def test_a_bug_in_the_protocol_frees_the_port(line: Line) -> None:
    class Broken(Ear):
        def connectionMade(self) -> None:
            raise RuntimeError("bug")

    failed = list[Any]()
    line.endpoint.connect(cast(Any, Factory.forProtocol(Broken))).addErrback(failed.append)
    assert failed[0].check(RuntimeError) and line.connect()


def test_any_byte_passes(line: Line) -> None:
    ear = line.connect()
    everything = bytes(range(256)) * 8
    os.write(line.far, everything)
    turn(line.reactor, lambda: len(ear.heard) == len(everything))
    assert ear.heard == everything
    cast(Any, ear.transport).writeSequence([everything, b"end"])
    said = b""

    def read() -> bool:
        nonlocal said
        os.set_blocking(line.far, False)
        with suppress(BlockingIOError):
            said += os.read(line.far, 8192)
        return said == everything + b"end"

    turn(line.reactor, read)


def usb(sysfs: Path, name: str, vendor: str, product: str, number: str = "") -> None:
    """As the kernel lays it out: the port lies some folders below its USB device."""
    device = sysfs / "devices/usb1" / name
    port = device / "1-1:1.0" / name
    (sysfs / "class/tty" / name).mkdir(parents=True)
    port.mkdir(parents=True)
    (sysfs / "class/tty" / name / "device").symlink_to(port)
    for attribute, value in (("idVendor", vendor), ("idProduct", product), ("serial", number)):
        if value:
            (device / attribute).write_text(value + "\n")


def test_finds_a_usb_adapter(tmp_path: Path, reactor: Reactor) -> None:
    usb(tmp_path, "ttyUSB10", "1a86", "7523")
    usb(tmp_path, "ttyUSB9", "1a86", "7523")
    usb(tmp_path, "ttyACM0", "1546", "01a8")
    usb(tmp_path, "ttyUSB3", "0403", "6001", "A1:B2")
    (tmp_path / "class/tty/tty0").mkdir()
    assert serial.find_usb(str(tmp_path), "1546", "01A8", "") == "/dev/ttyACM0"
    assert serial.find_usb(str(tmp_path), "1a86", "7523", "") == "/dev/ttyUSB9"
    assert serial.find_usb(str(tmp_path), "0403", "6001", "A1:B2") == "/dev/ttyUSB3"
    assert serial.find_usb(str(tmp_path), "0403", "6001", "other") is None
    endpoint = SerialEndpoint(cast(Any, reactor), "usb:0403:6001:other", Serial(9600), str(tmp_path))
    assert refusal(endpoint) == "usb:0403:6001:other: no such adapter is plugged in"
    with pytest.raises(ValueError, match="four hexadecimal digits"):
        SerialEndpoint(cast(Any, reactor), "usb:403:6001", Serial(9600))


def test_a_usb_adapter_is_looked_up_at_each_connect(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [None, line.path]
    monkeypatch.setattr(serial, "find_usb", lambda *ids: found.pop(0))
    line.endpoint = SerialEndpoint(cast(Any, line.reactor), "usb:0403:6001", Serial(9600))
    assert line.refused() == "usb:0403:6001: no such adapter is plugged in"
    ear = line.connect()
    os.write(line.far, b"hello")
    turn(line.reactor, lambda: ear.heard == b"hello")


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("serial:/dev/ttyS0", "/dev/ttyS0", Serial(4800, "E")),
        ("serial:/dev/ttyS0:baud=9600", "/dev/ttyS0", Serial(9600, "E")),
        (r"serial:/dev/pci-0\:1\:2:baud=300:parity=O:stop_bits=2", "/dev/pci-0:1:2", Serial(300, "O", 2)),
        ("serial:/dev/ttyS0:baud=1200:bits=7", "/dev/ttyS0", Serial(1200, "E", 1, 7)),
        (r"serial:usb\:1546\:01a8", "usb:1546:01a8", Serial(4800, "E")),
    ],
)
def test_reads_serial_strings(text: str, path: str, line: Serial) -> None:
    assert serial.parse_serial(text, Serial(4800, "E")) == (path, line)
    assert serial.parse_serial("serial:/dev/x") == ("/dev/x", Serial(9600))


@pytest.mark.parametrize(
    "text",
    ["serial", "serial:", "tcp:/dev/x", "serial:/dev/x:bauds=1", "serial:/dev/x:9600", "serial:/dev/x:baud=fast"]
    + ["serial:/dev/x:baud=0", "serial:/dev/x:parity=X", "serial:/dev/x:stop_bits=3", "serial:/dev/x:baud=-9600"]
    + ["serial:/dev/x:bits=9"],
)
def test_refuses_wrong_serial_strings(text: str) -> None:
    with pytest.raises(ValueError, match="serial"):
        serial.parse_serial(text)


@dataclass
class Heard:
    received: int = 0
    understood: int = 0


def test_another_speed_is_tried_while_bytes_come_that_make_no_sense(line: Line) -> None:
    heard = Heard()
    several = Serial(9600, bauds=(9600, 38400, 4800))
    line.endpoint = SerialEndpoint(cast(Any, line.reactor), line.path, several, heard=heard)

    def speed() -> int:
        ear = line.connect()
        rate = serial.speed(line.near)
        cast(Any, ear.transport).abortConnection()
        turn(line.reactor, lambda: bool(ear.why))
        return rate or 0

    assert [speed(), speed()] == [9600, 9600]  # silence tells nothing of the speed
    tried = []
    for heard.received in (10, 20, 30, 40):
        tried.append(speed())
    assert tried == [38400, 4800, 9600, 38400]
    heard.received = heard.understood = 50
    assert speed() == 38400
    heard.received = 60
    assert speed() == 4800  # somebody set it to another
    line.endpoint = SerialEndpoint(cast(Any, line.reactor), line.path, Serial(9600), heard=heard)
    heard.received = 70
    assert [speed(), speed()] == [9600, 9600]  # the only one there is


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin where an installed gateway has it."""
    source = Path(__file__).parents[3] / "gateway/plugins/gateway_endpoints.py"
    shutil.copy(source, tmp_path / source.name)
    monkeypatch.setattr(twisted.plugins, "__path__", [str(tmp_path)])


@pytest.mark.usefixtures("plugged")
def test_any_twisted_program_can_open_a_port(line: Line) -> None:
    where = f"serial:{line.path}:baud=19200"
    line.endpoint = clientFromString(line.reactor, where)
    assert line.endpoint.line == Serial(19200)
    ear = line.connect()
    os.write(line.far, b"hello")
    turn(line.reactor, lambda: ear.heard == b"hello")
    assert clientFromString(line.reactor, r"serial:path=/dev/a\:b").path == "/dev/a:b"
    for wrong in ("serial:", "serial:/dev/x:/dev/y", "serial:/dev/x:bauds=1"):
        with pytest.raises(ValueError, match="serial"):
            clientFromString(line.reactor, wrong)
