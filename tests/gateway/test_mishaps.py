"""A script of faults: what may be written, and that it happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from drivers import relay, sht31
from gateway import mishaps
from gateway.client import GatewayError
from gateway.mishaps import Mishap, play, read
from gateway.transports.faults import Faults

DEVICES = {**dict.fromkeys(("attic", "street", "office"), sht31.DRIVER.link), "pump": relay.DRIVER.link}


def written(folder: Path, text: str) -> Path:
    file = folder / "faults"
    file.write_text(text)
    return file


def test_the_example_can_be_read(tmp_path: Path) -> None:
    assert mishaps.__doc__ is not None
    assert read(written(tmp_path, mishaps.__doc__.partition("\n\n")[2]), DEVICES) == [
        Mishap(10, "attic", "nack", 20),
        Mishap(60, "street", "unplug", 5),
        Mishap(120, "office", "stuck"),
        Mishap(180, "office", "off"),
    ]


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "10s attic nack\n\nsoon attic nack\n10s attik nack\n10s attic fire\n10s attic\n1s attic nack x\n1s pump nack\n",
    )
    with pytest.raises(GatewayError) as refused:
        read(file, DEVICES)
    told = str(refused.value).splitlines()
    assert [line.removeprefix(f"{file}:")[:2] for line in told] == ["3:", "4:", "5:", "6:", "7:", "8:"]
    assert "did you mean `attic`?" in told[1] and "'fire' is none of drop, " in told[2]
    assert "nobody acknowledges on a line" in told[5]
    with pytest.raises(GatewayError, match="No such file"):
        read(tmp_path / "none", DEVICES)


def test_it_happens(tmp_path: Path) -> None:
    class Gateway:
        class hardware:
            faults = Faults(Clock())

    faults, clock = Gateway.hardware.faults, Clock()
    faults.clock = clock
    faulty = faults.around("attic", sht31.DRIVER.link, sht31.DRIVER.emulator)
    gateway: Any = Gateway()
    script = [Mishap(10, "attic", "nack", 20), Mishap(15, "gone", "nack"), Mishap(40, "attic", "stuck")]
    play(clock, gateway, [*script, Mishap(50, "attic", "off")])
    seen = []
    for _ in range(60):
        clock.advance(1)
        seen.append(faulty.kind)
    assert seen == [""] * 9 + ["nack"] * 20 + [""] * 10 + ["stuck"] * 10 + [""] * 11
