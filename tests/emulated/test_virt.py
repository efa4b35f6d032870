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


def test_the_watchdog_starts_a_board_anew_that_hangs(virt: Board) -> None:
    """The last of these tests.  Nobody kicks the watchdog, the board starts again, and so does the gateway."""
    virt.run("wdctl --settimeout 4 /dev/watchdog0 && echo >/dev/watchdog0")
    virt.expect(UP, BOOT)
    until(lambda: nc(virt.ports["tcp"], "version"), 90)
