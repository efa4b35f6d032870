"""Boards that start in 1970: a Raspberry Pi has no clock that goes on without power, and the other board's has lost its
battery.  The gateway measures, learns the time, and after a power cut does not fall behind it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import chips, disk
from tests.emulated.ask import nc, until, value
from tests.emulated.board import RASPI3B, VIRT, Board
from tests.emulated.wire import Wire

LATE = 10.0  # seconds that a busy machine may take over a few commands
EMPTY = replace(VIRT, arguments=(*VIRT.arguments, "-rtc", "base=1970-01-01T00:00:00"))
# What a time daemon does once it has set the clock: adjtimex(2) with ADJ_MAXERROR, ADJ_ESTERROR, ADJ_STATUS; STA_PLL.
SYNCHRONISED = """
python3 - <<'END'
import ctypes, struct
timex = ctypes.create_string_buffer(512)
struct.pack_into("=I4xqqqqi", timex, 0, 0x4 | 0x8 | 0x10, 0, 0, 0, 0, 0x1)
assert ctypes.CDLL(None).adjtimex(timex) >= 0
END
"""


@pytest.fixture
def raspi(image: Path) -> Iterator[Board]:
    board = Board(RASPI3B, image, devices=chips.CHIPS[0].fitted, config="/etc/gateway/raspi3b.toml")
    board.start()
    yield board
    board.close()


@pytest.fixture
def virt(image: Path) -> Iterator[Board]:
    overlay = disk.BUILD / "time.qcow2"
    disk.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", overlay)
    board = Board(EMPTY, overlay, devices=chips.FTDI, config="/etc/gateway/virt.toml", lasting=True)
    board.start()
    yield board
    board.close()


def facts(board: Board) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in nc(board.ports["tcp"], "status")[:-1])


def reading(board: Board, name: str) -> dict[str, Any]:
    _, line, _ = nc(board.ports["tcp"], "json on", f"get {name}")
    found: dict[str, Any] = json.loads(line)
    return found


def wall(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def told(board: Board, name: str, by_hand: str) -> None:
    """See that what was measured before the time was known gets its time.  Of a clock that was set *by_hand* `status`
    says that."""
    until(lambda: value(board.ports["tcp"], name), 120)
    assert re.search(r" \+\d+\.\d{3} unsynced$", nc(board.ports["tcp"], f"get {name}")[0])
    assert facts(board)["clock"].startswith("unknown: the system's clock says 1970-01-01T")

    board.run("gateway set first on")
    then = time.time()
    first = reading(board, "first")
    assert (first["time"], first["quality"]) == (None, "unsynced")
    board.run(f"date -s @{time.time():.3f}")
    until(lambda: facts(board)["clock"].startswith(by_hand))
    board.run(SYNCHRONISED)
    until(lambda: facts(board)["synced"] == "yes")
    known = reading(board, "first")
    assert abs(wall(known["time"]) - then) < LATE
    assert {**known, "time": None, "quality": "unsynced"} == first
    assert nc(board.ports["tcp"], f"get {name}")[0].endswith("Z good")


def test_a_board_without_a_clock_waits_until_somebody_vouches(raspi: Board) -> None:
    raspi.run("! test -e /dev/rtc0")
    told(raspi, "attic.temperature", "unknown: the system's clock follows no time source yet")


def test_a_board_with_an_empty_battery_does_not_fall_behind_what_it_knew(virt: Board) -> None:
    virt.run("test -c /dev/rtc0")
    with Wire(virt.connect("ftdi"), "pms5003"):
        told(virt, "street.pm2_5", "system")
        virt.run("sync")
        known = int(virt.run("stat -c %Y /var/lib/gateway/time"))
        assert abs(known - time.time()) < 3 * LATE
    virt.cut()
    virt.start()
    until(lambda: nc(virt.ports["tcp"], "version"), 120)
    found = facts(virt)
    said = re.fullmatch(r"unknown: the system's clock says 1970-\S+, but (\S+) has been already", found["clock"])
    assert found["synced"] == "no" and said and known <= wall(said[1]) < known + 1
