"""``gateway emulate`` and ``gateway replay``: a device without a device, on a real terminal."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from drivers.api import Driver, Serial, SerialEmulator
from gateway.client import GatewayError
from gateway.clock import Clock
from gateway.device import Device
from gateway.hub import Card, Hub
from gateway.plan import Plan
from gateway.reading import Readings
from gateway.run import Ring, stream
from gateway.transports.emulated import PtyPort
from gateway.transports.serial import SerialEndpoint

HEXDUMP = re.compile(rb"[0-9a-fA-F]{6,8}:((?: [0-9a-fA-F]{2})+)")  # as `xxd -g1` and `hexdump -C` write it
SILENCE = 86_400.0  # seconds: a capture may have any gaps
QUIET = 0.5  # seconds after the last byte in which the driver may still say something


def emulate(reactor: Any, driver: Driver[Any]) -> int:
    """Open a terminal with *driver*'s device on it, and print the configuration to paste."""
    if not isinstance(driver.link, Serial):
        raise GatewayError(f"{driver.name} is no serial device; `gateway run --emulate` emulates all kinds")
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        port = PtyPort(reactor, cast(SerialEmulator, driver.emulator()), f"{folder}/{driver.name}")
        print(f'[device.{driver.name}]\ndriver = "{driver.name}"\nport = "{port.link}"\n', flush=True)
        print(f"{driver.title}, on {port.link} until Ctrl-C", file=sys.stderr, flush=True)
        reactor.addSystemEventTrigger("before", "shutdown", port.close)
        reactor.run()
    return 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a capture, and when they came: seconds since its start."""

    at: float
    data: bytes


def pieces(capture: bytes, baud: int, period: float) -> Iterator[Piece]:
    """What a capture holds.  A recording (JSON lines) has its own times; a hex dump has a frame a line, one each
    *period*; anything else goes as fast as a line of *baud* carries it, without the ``#`` lines that are notes."""
    lines = capture.splitlines(keepends=True)
    if capture.startswith(b'{"at":'):
        recorded = [json.loads(line) for line in lines]
        yield from (Piece(each["at"], bytes.fromhex(each["data"])) for each in recorded if each["way"] == "<")
    elif all(HEXDUMP.match(line) for line in lines if line.strip()):
        frames = [HEXDUMP.match(line) for line in lines]
        for number, frame in enumerate(filter(None, frames)):
            yield Piece(number * period, bytes.fromhex(frame[1].decode()))
    else:
        at = 0.0
        for line in lines:
            if not line.startswith(b"#"):
                yield Piece(at, line)
                at += len(line) * 10 / baud


class Tape:
    """A device that says what the capture says; it answers nothing."""

    def __init__(self, played: Iterable[Piece], speed: float) -> None:
        self.left, self.speed, self.now = list(played), speed, 0.0
        self.total = len(self.left)

    def receive(self, data: bytes) -> bytes:
        return b""

    def tick(self, seconds: float) -> bytes:
        self.now += seconds * self.speed
        due = 0
        while due < len(self.left) and self.left[due].at <= self.now:
            due += 1
        said, self.left = self.left[:due], self.left[due:]
        return b"".join(piece.data for piece in said)


def replay(reactor: Any, driver: Driver[Any], file: Path, speed: float, as_json: bool) -> int:
    """Play *file* through a terminal into *driver*, and print every reading."""
    if not isinstance(driver.link, Serial):
        raise GatewayError(f"{driver.name} is no serial device")
    if not speed > 0:
        raise GatewayError("--speed takes a number above 0")
    try:
        tape = Tape(pieces(file.read_bytes(), driver.link.baud, driver.period), speed)
    except (OSError, ValueError, KeyError) as error:
        raise GatewayError(f"{file}: {error}") from error
    clock = Clock(1, lambda: reactor.seconds() - began)
    began = reactor.seconds()
    clock.set(time.time())
    hub, ring = Hub(clock), Ring(clock.monotonic)

    def show(readings: Readings) -> None:
        for reading in readings:
            print(reading.json.decode() if as_json else reading.text)

    hub.subscribe(show, "*")
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        port = PtyPort(reactor, tape, f"{folder}/{driver.name}")
        device = Device(plan(driver, file), stream(SerialEndpoint(reactor, port.link, driver.link), reactor, ring),
                        ring, reactor, hub)  # fmt: skip
        device.silence = SILENCE

        async def watch() -> None:
            device.startService()
            while tape.left:
                await deferLater(reactor, 0.1)
                progress(tape)
            await deferLater(reactor, QUIET)
            await device.stopService()
            port.close()
            reactor.stop()

        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(watch()))
        reactor.run()
    wrong = {kind: tally.count for (who, kind), tally in hub.errors.items()}
    print(f"{hub.seq} readings; {wrong or 'no errors'}", file=sys.stderr)
    return 0 if hub.seq else 1


def progress(tape: Tape) -> None:
    if sys.stderr.isatty():
        print(f"\r{100 - 100 * len(tape.left) // tape.total} %", end="" if tape.left else "\r     \r", file=sys.stderr)


def plan(driver: Driver[Any], file: Path) -> Plan:
    card = Card(name=driver.name, label=file.name, driver=driver.name, title=driver.title, documentation="",
                where=str(file), period=driver.period, settings={}, quantities=driver.quantities)  # fmt: skip
    return Plan(card=card, driver=driver, settings=driver.settings(), scales={}, limits={})
