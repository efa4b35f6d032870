"""GPIO of the installed gateway through the kernel: on the board's own PL061, driven from outside, and on a chip that
the kernel plays (gpio-sim), which is plugged in, pulled out and looked at by the kernel's own trace."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.emulated.ask import nc, state, until, value
from tests.emulated.board import VIRT, Board
from tests.emulated.figures import note

SIM = "/sys/kernel/config/gpio-sim/sim"
DAEMON = "$(pgrep -of 'gateway run --config /etc/gateway/gpio.toml')"
MADE = f"""
modprobe gpio-sim && mkdir -p {SIM}/bank && echo 8 >{SIM}/bank/num_lines && echo header >{SIM}/bank/label
for line in 1-DOOR 2-PUMP 3-METER 4-TAP; do
    mkdir {SIM}/bank/line${{line%-*}} && echo ${{line#*-}} >{SIM}/bank/line${{line%-*}}/name
done
mount -t debugfs debugfs /sys/kernel/debug; mount -t tracefs tracefs /sys/kernel/tracing
echo 1 >/sys/kernel/tracing/events/gpio/enable
echo 1 >{SIM}/live
"""
# Levels of a line of the played chip, and the seconds that each lasts.
PLAY = """
import sys, time
pull = "/sys/devices/platform/$(cat {sim}/dev_name)/$(cat {sim}/bank/chip_name)/sim_gpio{line}/pull"
for level, seconds in {levels} * {times}:
    open(pull, "w").write("pull-up" if level else "pull-down")
    time.sleep(seconds)
"""


class Outside:
    """Lines of the board's PL061, driven from outside of it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        children = board.qmp("qom-list", path="/machine/unattached")
        self.path = "/machine/unattached/" + next(c["name"] for c in children if c["type"] == "child<pl061>")

    def drive(self, level: int) -> None:
        self.board.qtest(f"set_irq_in {self.path} unnamed-gpio-in 5 {level}")


@pytest.fixture(scope="module")
def board(image: Path) -> Iterator[Board]:
    made = Board(VIRT, image, config="/etc/gateway/gpio.toml")
    made.start()
    until(lambda: nc(made.ports["tcp"], "version"), 90)
    yield made
    made.close()


def play(board: Board, line: int, *levels: tuple[int, float], times: int = 1) -> None:
    script = PLAY.format(sim=SIM, line=line, levels=levels, times=times)
    board.run(f"cat >/run/play.py <<END\n{script}END\npython3 /run/play.py", 120)


def running(board: Board, *devices: str) -> None:
    for device in devices:
        until(lambda device=device: "running" in state(board.ports["tcp"], device), 60)  # type: ignore[misc]


def shows(board: Board, name: str, wanted: str) -> None:
    until(lambda: value(board.ports["tcp"], name) == wanted, 30)


def sysfs(line: int) -> str:
    return f"/sys/devices/platform/$(cat {SIM}/dev_name)/$(cat {SIM}/bank/chip_name)/sim_gpio{line}/value"


def level(board: Board, line: int) -> str:
    return board.run(f"cat {sysfs(line)}")


def test_what_is_not_there_names_the_chips_that_are(board: Board) -> None:
    why = until(lambda: state(board.ports["tcp"], "pump"))
    assert "no line is called PUMP, on gpiochip0 (9030000.pl061)" in why
    (gpio,) = [line for line in nc(board.ports["tcp"], "status") if line.startswith("gpio ")]
    assert gpio.startswith("gpio gpiod 2.2.0, libgpiod 2.2")


def test_edges_of_the_board_s_own_chip(board: Board) -> None:
    running(board, "bell")
    outside = Outside(board)
    for level, word in ((1, "on"), (0, "off"), (1, "on")):
        outside.drive(level)
        shows(board, "bell.state", word)
    assert value(board.ports["tcp"], "bell.count") == "2"


def test_a_chip_that_comes_later_and_an_output_that_was_never_at_another_level(board: Board) -> None:
    board.run(MADE)
    running(board, "door", "pump", "meter", "tap")
    shows(board, "pump.state", "on")
    seen = board.run("cat /sys/kernel/debug/gpio")
    (number,) = re.findall(r"gpio-(\d+) \(gateway pump\) output-high", seen)
    values = re.findall(rf"gpio_value: {number} +(get|set) (\d)", board.run("cat /sys/kernel/tracing/trace"))
    assert values[0] == ("set", "1") and ("set", "0") not in values, values  # the kernel's own trace, from the first on
    assert re.search(rf"gpio_direction: {number} out \(0\)", board.run("cat /sys/kernel/tracing/trace"))
    board.run("echo 0 >/sys/kernel/tracing/events/gpio/enable")


def test_outputs_are_set(board: Board) -> None:
    for word, wanted in (("off", "0"), ("on", "1")):
        board.run(f"gateway set pump.state {word}")
        assert level(board, 2) == wanted


def test_the_kernel_swallows_bounces(board: Board) -> None:
    shows(board, "door.state", "off")
    before = int(value(board.ports["tcp"], "door.count"))
    play(board, 1, *((step % 2, 0.005) for step in range(1, 10)))
    shows(board, "door.state", "on")
    play(board, 1, (0, 0.4))
    shows(board, "door.state", "off")
    assert int(value(board.ports["tcp"], "door.count")) == before + 1


def test_edges_have_the_kernel_s_time(board: Board) -> None:
    """The daemon is stopped while the edge comes, and for two seconds more."""
    shows(board, "tap.state", "off")
    board.run(f"kill -STOP {DAEMON}")
    began = float(board.run("date +%s.%N"))
    play(board, 4, (1, 0.0))
    ended = float(board.run("date +%s.%N"))
    board.run(f"sleep 2; kill -CONT {DAEMON}")
    shows(board, "tap.state", "on")
    line = nc(board.ports["tcp"], "get tap.state")[0]
    at = datetime.fromisoformat(line.split()[3]).timestamp()
    assert began - 0.01 <= at <= ended + 0.01, (began, at, ended)


def test_no_pulse_is_lost(board: Board) -> None:
    before = int(value(board.ports["tcp"], "meter.count"))
    began = time.monotonic()
    play(board, 3, (1, 0.02), (0, 0.02), times=50)
    mean = 49 / (time.monotonic() - began)  # at least, however slow the board is
    shows(board, "meter.count", str(before + 50))
    rates = [float(line.split()[1]) for line in nc(board.ports["tcp"], "range meter.rate -5min")]
    assert mean <= max(rates) <= 1.2 / 0.04, (mean, rates)


def test_a_line_has_one_owner_and_says_who(board: Board) -> None:
    assert 'consumer="gateway pump"' in board.run("gpioinfo PUMP")
    assert "busy" in board.run("gpioset PUMP=0 2>&1 || true").lower() and level(board, 2) == "1"
    board.run(
        "setsid gateway run --config /etc/gateway/second.toml >/var/log/second.log 2>&1 & echo $! >/run/second.pid"
    )
    board.run("until gateway devices --port 7601 2>/dev/null | grep \"held by 'gateway pump'\"; do sleep 1; done", 120)
    assert level(board, 2) == "1"
    board.run("kill $(cat /run/second.pid)")


def test_a_missing_right_is_told_with_the_command_that_helps(board: Board) -> None:
    board.run("mkdir -p /run/nobody && chown nobody /run/nobody")
    board.run(
        "STATE_DIRECTORY=/run/nobody setsid setpriv --reuid nobody --regid nogroup --clear-groups "
        "gateway run --config /etc/gateway/second.toml >/run/nobody.log 2>&1 & echo $! >/run/second.pid"
    )
    board.run("until grep 'sudo usermod -aG gpio nobody' /run/nobody.log; do sleep 1; done", 120)
    board.run("kill $(cat /run/second.pid)")


def test_a_chip_that_is_pulled_out_and_plugged_in_again(board: Board) -> None:
    before = value(board.ports["tcp"], "meter.count")
    board.run(f"echo 0 >{SIM}/live")
    for device in ("pump", "door", "meter"):
        until(lambda device=device: state(board.ports["tcp"], device).startswith("lost"))  # type: ignore[misc]
    assert "running" in state(board.ports["tcp"], "bell")
    board.run(f"echo 1 >{SIM}/live")
    running(board, "pump", "door", "meter")
    shows(board, "meter.count", before)


def test_what_the_kernel_does_with_an_output_when_the_daemon_is_killed(board: Board) -> None:
    """gpio-sim goes back to its pull; in docs/gpio.md."""
    shows(board, "pump.state", "off")  # `loss` is off
    board.run("gateway set pump.state on")
    assert level(board, 2) == "1"
    assert board.run(f"kill -9 {DAEMON}; gpioinfo PUMP; cat {sysfs(2)}").splitlines()[-1] == "0"
    until(lambda: nc(board.ports["tcp"], "version"), 90)
    running(board, "pump")
    shows(board, "pump.state", "on")  # `start` is on


def test_counts_survive_a_restart(board: Board) -> None:
    running(board, "meter")
    before = int(value(board.ports["tcp"], "meter.count"))
    play(board, 3, (1, 0.01), (0, 0.01), (1, 0.01), (0, 0.0))
    board.run(f"sleep 1; kill {DAEMON}; sleep 2")
    until(lambda: nc(board.ports["tcp"], "version"), 90)
    running(board, "meter")
    shows(board, "meter.count", str(before + 2))


EDGES = 400


@pytest.fixture
def counting(image: Path) -> Iterator[Board]:
    """Whose processor's time is what it executed: a nanosecond each instruction."""
    made = Board(
        replace(VIRT, arguments=(*VIRT.arguments, "-icount", "shift=0")), image, config="/etc/gateway/gpio.toml"
    )
    made.start()
    until(lambda: nc(made.ports["tcp"], "version"), 120)
    yield made
    made.close()


def spent(board: Board, pid: str) -> int:
    return sum(int(line.split()[0]) for line in board.run(f"cat /proc/{pid}/task/*/schedstat").splitlines())


def test_what_an_edge_costs(counting: Board) -> None:
    """From the kernel to somebody who watches over TCP, beside gpiomon, which writes a line."""
    counting.run(MADE + "echo 0 >/sys/kernel/tracing/events/gpio/enable", 120)
    running(counting, "tap")
    counting.run(f"gpiomon -c $(cat {SIM}/bank/chip_name) 5 >/run/edges 2>&1 & echo $! >/run/gpiomon.pid; sleep 1")
    with socket.create_connection(("127.0.0.1", counting.ports["tcp"])) as line:
        line.sendall(b"watch tap.state\n")
        for who, number, pid in ("gateway", 4, DAEMON), ("gpiomon", 5, "$(cat /run/gpiomon.pid)"):
            before = spent(counting, pid)
            play(counting, number, (1, 0.01), (0, 0.01), times=EDGES // 2)
            counting.run("sleep 1", 120)
            after = spent(counting, pid)
            counting.run(f"sleep {1 + EDGES / 100}", 120)
            idle = spent(counting, pid) - after
            each = (after - before - idle) / EDGES
            note(f"arm64: instructions for an edge, {who}", f"{each:.0f}")
            print(who, each, idle)
        assert line.recv(1 << 20).count(b"* tap.state ") >= EDGES
    assert int(counting.run("wc -l </run/edges")) == EDGES
