"""The installed gateway on QEMU's own ARM machine, for what its Raspberry Pi lacks: an adapter that is unplugged, chips
made of registers, a watchdog."""

from __future__ import annotations

import pytest

from tests.emulated.ask import nc, state, until, value
from tests.emulated.board import BOOT, UP, Board
from tests.emulated.wire import Wire

# The worked example of the BMP280 data sheet, 3.12: calibration, then 415148 and 519888 read, are 1006.53 hPa and
# 25.08 degrees.  Written by the shell into the registers of a chip that the kernel's i2c-stub plays.
BMP280 = """
modprobe i2c-stub chip_addr=0x76
python3 - <<'END'
import struct
from smbus2 import SMBus
chip = {0xD0: 0x58}
chip |= enumerate(struct.pack("<HhhHhhhhhhhh", 27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600,
    6000), 0x88)
chip |= enumerate((415148 << 4).to_bytes(3, "big") + (519888 << 4).to_bytes(3, "big"), 0xF7)
with SMBus(0) as bus:
    for register, value in chip.items():
        bus.write_byte_data(0x76, register, value)
END
"""


@pytest.fixture(scope="module", autouse=True)
def answering(virt: Board) -> None:
    until(lambda: nc(virt.ports["tcp"], "version"), 90)


def test_an_adapter_may_be_unplugged_and_plugged_in_again(virt: Board) -> None:
    port = virt.ports["tcp"]
    for _ in range(2):
        with Wire(virt.connect("ftdi"), "pms5003"):
            assert 0 < float(until(lambda: value(port, "street.pm2_5"))) < 100
        until(lambda: state(port, "street").startswith("lost"))
        with pytest.raises(LookupError):
            value(port, "street.pm2_5")


def test_a_chip_whose_bus_comes_late(virt: Board) -> None:
    port = virt.ports["tcp"]
    assert "/dev/i2c-0" in state(port, "cellar")
    virt.run(BMP280)
    assert float(until(lambda: value(port, "cellar.temperature"), 60)) == 25.08
    assert float(value(port, "cellar.pressure")) == pytest.approx(1006.53, abs=0.01)


class Outside:
    """Lines of the board's PL061, driven from outside of it."""

    chip = "gpiochip0"

    def __init__(self, board: Board) -> None:
        self.board = board
        children = board.qmp("qom-list", path="/machine/unattached")
        self.path = "/machine/unattached/" + next(c["name"] for c in children if c["type"] == "child<pl061>")

    def drive(self, level: int) -> None:
        self.board.qtest(f"set_irq_in {self.path} unnamed-gpio-in 5 {level}")


class Simulated:
    """Lines of a chip that the kernel plays."""

    def __init__(self, board: Board) -> None:
        self.board = board
        sim = "/sys/kernel/config/gpio-sim/sim"
        board.run(f"modprobe gpio-sim && mkdir -p {sim}/bank && echo 8 >{sim}/bank/num_lines && echo 1 >{sim}/live")
        self.chip = board.run(f"cat {sim}/bank/chip_name")
        self.pull = board.run(f"echo /sys/devices/platform/$(cat {sim}/dev_name)/{self.chip}/sim_gpio5/pull")

    def drive(self, level: int) -> None:
        self.board.run(f"echo pull-{'up' if level else 'down'} >{self.pull}")


@pytest.mark.parametrize("lines", [Outside, Simulated])
def test_edges_reach_a_program_through_the_kernel(virt: Board, lines: type[Outside | Simulated]) -> None:
    """A program of Debian's, not the gateway, whose GPIO takes the lines of a Raspberry Pi."""
    made = lines(virt)
    virt.run(f"timeout 30 gpiomon -c {made.chip} -n 2 5 >/run/{made.chip} 2>&1 &")
    virt.run(f"until gpioinfo -c {made.chip} 5 | grep -q consumer; do sleep 0.1; done")
    for level, word in ((1, "rising"), (0, "falling")):
        made.drive(level)
        virt.run(f"until grep -q {word} /run/{made.chip}; do sleep 0.1; done")


def test_the_watchdog_starts_a_board_anew_that_hangs(virt: Board) -> None:
    """The last of these tests.  Nobody kicks the watchdog, the board starts again, and so does the gateway."""
    virt.run("wdctl --settimeout 4 /dev/watchdog0 && echo >/dev/watchdog0")
    virt.expect(UP, BOOT)
    until(lambda: nc(virt.ports["tcp"], "version"), 90)
