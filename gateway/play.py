"""``gateway emulate`` and ``gateway replay``: a device without a device, on a real terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from drivers.api import Driver, Measures, Serial, SerialEmulator
from gateway.client import GatewayError
from gateway.clock import Clock
from gateway.device import Device
from gateway.hub import Card, Hub
from gateway.plan import Plan
from gateway.reading import Readings
from gateway.run import Ring, stream
from gateway.transports.emulated import PtyPort
from gateway.transports.serial import SerialEndpoint

HEXDUMP = re.compile(rb"[0-9a-fA-F]{6,8}:((?: [0-9a-fA-F]{2})+)")  # as `xxd -g1` writes it
NOTE = re.compile(rb"#[\t -~\x80-\xff]*\r?\n?")  # a # line in a binary capture is none
SILENCE = 86_400.0  # seconds: a capture may have any gaps
QUIET = 5.0  # seconds that bytes may be on their way, or a question may let us wait


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
            if not NOTE.fullmatch(line):
                yield Piece(at, line)
                at += len(line) * 10 / baud


class Tape:
    """A device that answers each question with the next piece of a capture, or one that nobody asks."""

    def __init__(self, answers: Iterable[Piece] = ()) -> None:
        self.left = deque(answers)

    def receive(self, data: bytes) -> bytes:
        return self.left.popleft().data if self.left else b""

    def tick(self, seconds: float) -> bytes:
        return b""


def replay(reactor: Any, driver: Driver[Any], file: Path, speed: float, as_json: bool) -> int:
    """Play *file* through a terminal into *driver*, and print every reading."""
    if not isinstance(driver.link, Serial):
        raise GatewayError(f"{driver.name} is no serial device")
    if not 0 < speed < inf:
        raise GatewayError("--speed takes a number above 0")
    try:
        played = list(pieces(file.read_bytes(), driver.link.baud, driver.period))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GatewayError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    clock = Clock(1, lambda: reactor.seconds() - began)
    began = reactor.seconds()
    clock.set(time.time())
    hub, ring, failures = Hub(clock), Ring(clock.monotonic), list[Exception]()

    def end(error: Exception | None = None) -> None:
        failures.extend([error] if error else [])
        reactor.stop()

    def show(readings: Readings) -> None:
        try:
            for reading in readings:
                print(reading.json.decode() if as_json else reading.text)
            sys.stdout.flush()
        except BrokenPipeError as error:  # our reader has seen enough
            cancel()
            end(error)

    cancel = hub.subscribe(show, "*")
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        asked = isinstance(driver.device(driver.settings()), Measures)
        port = PtyPort(reactor, tape := Tape(played if asked else ()), f"{folder}/{driver.name}")
        way = stream(SerialEndpoint(reactor, port.link, driver.link), reactor, ring)
        device = Device(plan(driver, file, speed), way, ring, reactor, hub)
        device.silence = SILENCE

        async def watch() -> None:
            device.startService()
            try:
                await (answer(reactor, tape) if asked else say(reactor, device, port, played, speed))
            except Exception as error:
                end(error)
            else:
                end()

        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(watch()))
        reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: device.stopService().addBoth(lambda _: port.close())
        )
        reactor.run()
    if failures:
        raise failures[0]
    wrong = ", ".join(f"{tally.count} {kind}" for (_, kind), tally in hub.errors.items())
    print(f"{hub.seq} readings; {wrong or 'no errors'}", file=sys.stderr)
    return 0 if hub.seq else 1


async def say(reactor: Any, device: Device, port: PtyPort, played: list[Piece], speed: float) -> None:
    """Say every piece at its time, or as fast as it is read: nothing gets lost."""
    while device.connection is None:
        if device.status.state == "absent" and device.status.reason:
            raise GatewayError(device.status.reason)
        await deferLater(reactor, 0.01)
    began, ring = reactor.seconds(), device.ring
    for number, piece in enumerate(played):
        progress(number, len(played))
        await deferLater(reactor, max(0, began + piece.at / speed - reactor.seconds()))
        left = piece.data
        while left:
            left = left[push(port, left) :]
            await deferLater(reactor, 0)
    sent = sum(len(piece.data) for piece in played)
    quiet = reactor.seconds() + QUIET
    while ring.received < sent and reactor.seconds() < quiet:
        await deferLater(reactor, 0.01)
    progress(1, 1)
    if ring.received < sent:
        raise GatewayError(f"{sent - ring.received} bytes of {sent} were lost on the way")


async def answer(reactor: Any, tape: Tape) -> None:
    """Wait until all is asked for."""
    count, quiet = len(tape.left), reactor.seconds() + QUIET
    while tape.left and reactor.seconds() < quiet:
        left = len(tape.left)
        progress(count - left, count)
        await deferLater(reactor, 0.1)
        if len(tape.left) < left:
            quiet = reactor.seconds() + QUIET
    await deferLater(reactor, 0.1)  # the last answer is on its way
    progress(1, 1)


def push(port: PtyPort, data: bytes) -> int:
    """How many of *data* the terminal took."""
    assert port.far is not None
    try:
        return os.write(port.far.fileno(), data)
    except BlockingIOError:
        return 0


def progress(done: int, total: int) -> None:
    """On a terminal.  The next reading is written over it."""
    if sys.stderr.isatty():
        text = f"{100 * done // total:3} %\r" if done < total else "     \r"
        print(text, end="", file=sys.stderr, flush=True)


def plan(driver: Driver[Any], file: Path, speed: float) -> Plan:
    card = Card(name=driver.name, label=file.name, driver=driver.name, title=driver.title, documentation="",
                where=str(file), period=driver.period / speed, settings={}, quantities=driver.quantities)  # fmt: skip
    return Plan(card=card, driver=driver, settings=driver.settings(), scales={}, limits={})
