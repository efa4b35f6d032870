"""What a driver itself spends on a sample, without bus, hub and clients: the busiest of those that talk by themselves,
fed with what their emulators say in pieces of 64 bytes, and of those that are asked, with the answers replayed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.api import DeviceError, Driver, Operation, Sleep, Talk
from gateway import catalog
from tests.bench.measures import OURS, Figure, Tell, medians
from tests.drivers.talk import answer

TALKING = ("gps", "pms5003", "sds011", "dsmr", "sml", "teleinfo", "vedirect", "keyvalue")
ASKED = ("bme280", "bme680", "scd41", "sht31", "mpu6050", "ads1115", "pca9685", "mcp9808")
PIECE = 64  # bytes
SECONDS, STEP = 120.0, 0.1  # of talk
REPEATS = 300  # of a measurement in one round


def decoding(folder: Path, tell: Tell) -> list[Figure]:
    """CPU time of this process for a sample of each driver."""
    figures = []
    for name in (*TALKING, *ASKED):
        row = catalog.find(name)
        trial = fed(row) if name in TALKING else asked(row)
        figures.append(Figure(f"a sample of `{name}`", "µs", medians(name, tell, {OURS: trial})))
    return figures


def fed(row: Driver[Any]) -> Callable[[], float]:
    emulator: Any = row.emulator()
    data = b"".join(emulator.tick(STEP) for _ in range(round(SECONDS / STEP)))
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]

    def trial() -> float:
        device: Any = row.device(row.settings())
        samples, began = 0, time.process_time()
        for piece in pieces:
            for event in device.feed(piece):
                if isinstance(event, DeviceError):
                    raise event
                samples += 1
        return (time.process_time() - began) / samples * 1e6

    return trial


def asked(row: Driver[Any]) -> Callable[[], float]:
    emulator: Any = row.emulator()
    device: Any = row.device(row.settings())
    if hasattr(device, "start"):
        carried(device.start(), emulator)
    emulator.tick(10.0)
    answers = carried(device.measure(), emulator)

    def trial() -> float:
        began = time.process_time()
        for _ in range(REPEATS):
            replay(device.measure(), answers)
        return (time.process_time() - began) / REPEATS * 1e6

    return trial


def carried(talk: Talk[Any], emulator: Any) -> list[bytes]:
    """Let *talk* come to its end, and give what it was answered."""
    answers = list[bytes]()
    try:
        wanted: Operation | Sleep = next(talk)
        while True:
            if isinstance(wanted, Sleep):
                emulator.tick(wanted.seconds)
                answers.append(b"")
            else:
                answers.append(answer(wanted, emulator))
            wanted = talk.send(answers[-1])
    except StopIteration:
        return answers


def replay(talk: Talk[Any], answers: list[bytes]) -> None:
    next(talk)
    try:
        for each in answers:
            talk.send(each)
    except StopIteration:
        return
    raise RuntimeError("it asked for more than at first")
