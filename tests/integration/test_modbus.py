"""Modbus with others: pymodbus as the slave on a real line, mbpoll as the master of our emulators."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.api import BadValue, Request, Serial
from drivers.codec.modbus import bits
from drivers.codec.modbus_slave import Units
from gateway import catalog
from gateway.reactor import Reactor
from gateway.transports.modbus import ModbusLine, Unit
from gateway.transports.serial import SerialEndpoint
from gateway.transports.turns import pace
from tests.gateway.transports.turning import reactor, rest, turn
from tests.integration.daemon import PATIENCE, Bench, Process, config, free_port, gateway_command, running, until

__all__ = ["reactor"]

SLAVE = Path(__file__).parent / "modbus_slave.py"
LINE = Serial(9600)


def emulator(name: str) -> Any:
    return catalog.find(name).emulator()


@contextmanager
def process(folder: Path, name: str, *command: str) -> Iterator[Process]:
    (folder / name).mkdir(exist_ok=True)
    made = Process(folder / name, list(command))
    try:
        yield made
    finally:
        made.kill()


@contextmanager
def cable(folder: Path) -> Iterator[Path]:
    """Two terminals with a cable between them; at the far one answers pymodbus.  Gives the near one's path."""
    near, far = folder / "near", folder / "far"
    ends = [f"pty,raw,echo=0,link={end}" for end in (near, far)]
    with process(folder, "cable", "socat", *ends) as socat:
        socat.until(lambda: near.exists() and far.exists())
        with process(folder, "slave", sys.executable, str(SLAVE), "rtu", str(far)) as slave:
            slave.says("serving")
            yield near


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with cable(tmp_path_factory.mktemp("line")) as near:
        yield near


class OnLine:
    """Our end of the line: unit 1 is there, unit 9 is not."""

    def __init__(self, reactor: Reactor, port: Path) -> None:
        self.reactor = reactor
        endpoint = SerialEndpoint(cast(Any, reactor), str(port), LINE)
        self.line = ModbusLine(cast(Any, reactor), endpoint, pace=pace(LINE))
        self.units = list[Unit]()

    def unit(self, number: int, timeout: float = 0.5) -> Unit:
        got = list[Any]()
        self.line.at(number, timeout, lambda way, data: None)(lambda data: None, lambda why: None).addBoth(got.append)
        assert isinstance(got[0], Unit), got
        self.units.append(got[0])
        return got[0]

    def told(self, unit: Unit, request: Request) -> Any:
        got = list[Any]()
        unit.perform(request).addCallbacks(got.append, lambda failure: got.append(failure.value))
        turn(self.reactor, lambda: got)
        return got[0]

    def close(self) -> None:
        for unit in self.units:
            unit.close()
        rest(self.reactor, 0.05)


@pytest.fixture
def line(reactor: Reactor, port: Path) -> Iterator[OnLine]:
    made = OnLine(reactor, port)
    yield made
    made.close()


def test_pymodbus_understands_every_function(line: OnLine) -> None:
    unit = line.unit(1)
    assert line.told(unit, Request(15, 0, values=(1, 0, 1, 0, 0, 0, 0, 0))) == b""
    assert line.told(unit, Request(5, 7, values=(1,))) == b""
    assert bits(line.told(unit, Request(1, 0, 8)), 8) == (True, False, True, False, False, False, False, True)
    assert line.told(unit, Request(2, 0, 8)) == b"\x85"
    assert line.told(unit, Request(6, 4, values=(0xBEEF,))) == b""
    assert line.told(unit, Request(16, 5, values=(7, 8))) == b""
    assert line.told(unit, Request(3, 3, 4)).hex(" ") == "00 67 be ef 00 07 00 08"
    assert line.told(unit, Request(4, 0, 2)).hex(" ") == "43 66 33 33"
    refused = line.told(unit, Request(3, 500))
    assert isinstance(refused, BadValue) and "unit 1 has nothing at address 500 to 500" in str(refused)


def test_a_dead_unit_beside_it_takes_a_tenth_of_the_time(line: OnLine) -> None:
    """Both are asked without a pause, for eight seconds on a real line."""
    alive, dead = line.unit(1), line.unit(9, timeout=0.1)
    answers, asked, spent = list[bytes](), list[float](), list[float]()
    end = line.reactor.seconds() + 8.0

    def living() -> None:
        if line.reactor.seconds() < end:
            alive.perform(Request(4, 0, 2)).addCallback(answers.append).addCallback(lambda _: living())

    def silent() -> None:
        if line.reactor.seconds() < end:
            asked.clear()
            dead.perform(Request(4, 0, 2)).addErrback(failed)

    def noted(way: str, data: bytes) -> None:
        asked.append(line.reactor.seconds())

    def failed(failure: Any) -> None:
        spent.extend(line.reactor.seconds() - at for at in asked)
        line.reactor.callLater(0.02, silent)

    dead.note = noted
    living()
    silent()
    turn(line.reactor, lambda: line.reactor.seconds() > end + 0.5, 20)
    assert 5 <= len(spent) <= 8, "it was asked, and asked again"
    assert 0.02 * 8 < sum(spent) < 0.1 * 8 + 0.2, sum(spent)  # the first two times come before the first rest
    assert len(answers) > 100 and set(answers) == {bytes.fromhex("43 66 33 33")}


def test_the_gateway_reads_it_beside_one_that_is_not_there(tmp_path: Path) -> None:
    with ExitStack() as stack:
        near = stack.enter_context(cable(tmp_path))
        port = f'{{ path = "{near}", baud = 9600 }}'
        text = (
            "".join(
                f'[device.{name}]\ndriver = "sdm120"\nport = {port}\nunit = {unit}\nperiod = "500ms"\n'
                for name, unit in (("meter", 1), ("ghost", 9))
            )
            + f'[device.relays]\ndriver = "modbusrelay8"\nport = {port}\nperiod = "1s"\nenabled = false\n'
        )
        with running(tmp_path, text) as daemon:
            daemon.reaches("meter", "running")
            daemon.reaches("ghost", "absent", "unit 9 does not answer")
            assert daemon.value("meter.voltage") == "230.2" and daemon.value("meter.frequency") == "50.00"
            with daemon.client() as client:
                times = list[float]()
                for _ in client.pushed("meter.voltage"):
                    times.append(time.monotonic())
                    gaps = [after - before for before, after in pairwise(times[-8:])]
                    if len(gaps) == 7 and max(gaps) < 1.2:  # with many attempts to reach the dead one between
                        break
                    assert times[-1] - times[0] < PATIENCE, f"the dead one held it up: {gaps}"


def test_a_line_that_is_pulled_and_plugged_brings_all_its_units_back(bench: Bench, tmp_path: Path) -> None:
    line = Units({1: emulator("sdm120"), 2: emulator("modbusrelay8")})
    adapter = bench.adapter("usb", cast(Any, line))
    port = f'{{ path = "{adapter.link}", baud = 9600 }}'
    text = "".join(
        f'[device.{name}]\ndriver = "{driver}"\nport = {port}\nunit = {unit}\nperiod = "1s"\n'
        for name, driver, unit in (("meter", "sdm120", 1), ("relays", "modbusrelay8", 2))
    )
    text += 'stop = "hands-off"\n'
    with running(tmp_path, text) as daemon:
        for name in ("meter", "relays"):
            daemon.reaches(name, "running")
        assert daemon.ask("set relays.state_8 on") == []
        assert daemon.value("relays.state_8") == "on" and line.units[2].memories[1][7] == 1  # type: ignore[attr-defined]
        adapter.unplug()
        for name in ("meter", "relays"):
            daemon.reaches(name, "lost", "unplugged" if name == "meter" else "")
        time.sleep(2.0)
        adapter.plug()
        for name in ("meter", "relays"):
            daemon.reaches(name, "running")


class Echoing:
    """An adapter that hears itself."""

    def __init__(self) -> None:
        self.units = Units({1: emulator("modbusrelay8")})

    def receive(self, data: bytes) -> bytes:
        return data + self.units.receive(data)

    def tick(self, seconds: float) -> bytes:
        return b""


def test_an_adapter_that_echoes_is_borne(bench: Bench, tmp_path: Path) -> None:
    adapter = bench.adapter("usb", cast(Any, Echoing()))
    relays = {"driver": "modbusrelay8", "port": adapter.link, "period": "1s", "stop": "hands-off"}
    with running(tmp_path, config(relays=relays)) as daemon:
        daemon.reaches("relays", "running")
        assert daemon.ask("set relays.state_1 on") == [] and daemon.value("relays.state_1") == "on"
        time.sleep(2.2)
        assert daemon.value("relays.state_1") == "on" and daemon.state("relays").startswith("running")


@pytest.mark.parametrize(("kind", "place"), [("tcp", "modbus-tcp:127.0.0.1:"), ("rtu-tcp", "tcp:127.0.0.1:")])
def test_servers_on_the_network(kind: str, place: str, tmp_path: Path) -> None:
    number = free_port()
    devices = {
        name: {"driver": "sdm120", "port": f"{place}{number}", "unit": unit, "period": "500ms"}
        for name, unit in (("meter", 1), ("ghost", 9))
    }
    with ExitStack() as stack:
        daemon = stack.enter_context(running(tmp_path, config(**devices)))
        daemon.reaches("meter", "absent", "refused")
        slave = stack.enter_context(process(tmp_path, "slave", sys.executable, str(SLAVE), kind, str(number)))
        slave.says("serving")
        daemon.reaches("meter", "running")
        assert daemon.value("meter.voltage") == "230.2"
        daemon.reaches("ghost", "absent", "unit 9 does not answer")


def polled(port: str, *words: str) -> list[str]:
    """What mbpoll reads, or writes, at *port*."""
    done = subprocess.run(
        ["mbpoll", "-m", "rtu", "-a", "1", "-b", "9600", "-P", "none", "-1", "-o", "2", *words],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^\[\d+\]:\s+(\S+)$", done.stdout, re.MULTILINE)


@contextmanager
def emulated(folder: Path, driver: str) -> Iterator[str]:
    with process(folder, driver, *gateway_command("emulate", driver)) as made:
        port = until(lambda: re.findall('port = "(.*)"', made.text()), made.text())[0]
        yield port


def test_mbpoll_reads_our_meter(tmp_path: Path) -> None:
    with emulated(tmp_path, "sdm120") as port:
        volts, amperes = (
            float(polled(port, "-t", "3:float", "-B", "-r", register, "-c", "1", port)[0]) for register in ("1", "7")
        )
        assert 226 <= volts <= 235 and 0.5 < amperes < 7
        done = subprocess.run(
            ["mbpoll", "-m", "rtu", "-a", "2", "-b", "9600", "-P", "none", "-1", "-t", "3", "-o", "0.3", port],
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert "timed out" in done.stdout + done.stderr, "there is no unit 2"


def test_mbpoll_switches_our_relays(tmp_path: Path) -> None:
    with emulated(tmp_path, "modbusrelay8") as port:
        polled(port, "-t", "0", "-r", "3", port, "1")
        assert polled(port, "-t", "0", "-r", "1", "-c", "8", port) == ["0", "0", "1", "0", "0", "0", "0", "0"]
        polled(port, "-t", "0", "-r", "5", port, "1", "1", "0", "1")  # function 15
        assert polled(port, "-t", "0", "-r", "1", "-c", "8", port) == ["0", "0", "1", "0", "1", "1", "0", "1"]


def test_emulated_units_share_a_line_and_a_reload_moves_one(tmp_path: Path) -> None:
    def text(**units: int) -> str:
        drivers = {"meter": "sdm120", "relays": "modbusrelay8", "more": "modbusrelay8"}
        port = '{ path = "/dev/ttyUSB0", baud = 19200 }'
        return "".join(
            f'[device.{name}]\ndriver = "{drivers[name]}"\nport = {port}\nunit = {unit}\nperiod = "1s"\n'
            for name, unit in units.items()
        )

    with running(tmp_path, text(meter=1, relays=2), "--emulate") as daemon:
        for name in ("meter", "relays"):
            daemon.reaches(name, "running")
        daemon.ask("set relays.state_2 on")
        daemon.configure(text(meter=7, relays=2, more=3))
        daemon.reload()
        for name in ("meter", "relays", "more"):
            daemon.reaches(name, "running")
        assert daemon.value("relays.state_2") == "on", "nobody touched it"
        assert daemon.value("more.state_2") == "off" and 49 < float(daemon.value("meter.frequency")) < 51.1
        daemon.configure(text(meter=7))
        daemon.reload()
        assert daemon.state("meter").startswith("running")
        assert [line.split()[0] for line in daemon.ask("devices") if "manual" not in line] == ["meter"]
