"""The power fails while the board writes, again and again.  What is not modelled: a card that says it has written
what it has not."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import chips, disk
from tests.emulated.ask import nc, until
from tests.emulated.board import VIRT, Board

CUTS = int(os.environ.get("CUTS", "5"))
WRITER = "while :; do cp /usr/bin/python3.13 /var/tmp/$n; n=$(((n + 1) % 5)); sync; done"


@pytest.fixture
def board(image: Path) -> Iterator[Board]:
    overlay = disk.BUILD / "power.qcow2"
    disk.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", overlay)
    made = Board(VIRT, overlay, config="/etc/gateway/virt.toml", lasting=True)
    yield made
    made.close()


def test_it_comes_back_by_itself_after_every_power_cut(board: Board) -> None:
    waits = random.Random(2026)
    for starts in range(1, CUTS + 2):
        board.start()
        until(lambda: nc(board.ports["tcp"], "version"), 120)
        assert int(board.run("cat /var/lib/gateway/boot")) == starts
        assert chips.VIRT.strip() == board.run("cat /etc/gateway/virt.toml")
        assert board.run("dmesg | grep -c 'EXT4-fs error' || true") == "0"
        if starts <= CUTS:
            board.run(f"({WRITER}) >/dev/null 2>&1 &")
            time.sleep(waits.uniform(0.5, 4))
            board.cut()
    board.run("echo u >/proc/sysrq-trigger && e2fsck -fn /dev/vda", 120)  # mounts read-only what it can
