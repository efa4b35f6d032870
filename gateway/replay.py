"""``gateway replay``: a recording, or a capture, through the real driver and the real life of a device.

Time is simulated, so that the same file gives the same readings at any speed; to show it at its own pace, we wait
before each step.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, cast

from twisted.internet.task import Clock as Steps

from drivers.api import GPIO, Driver, Feeds, Modbus, Serial, Skips
from drivers.codec.modbus import sealed
from gateway.client import GatewayError
from gateway.clock import Clock
from gateway.device import Device
from gateway.handle import Card
from gateway.hub import Hub
from gateway.plan import Plan
from gateway.reading import Reading, Readings
from gateway.recording import FIRST, Piece, Recording, parse
from gateway.ring import Ring
from gateway.run import Open, direct, stream
from gateway.tape import Tape
from gateway.transports.modbus import ModbusLine

HEXDUMP = re.compile(rb"[0-9a-fA-F]{6,8}:((?: [0-9a-fA-F]{2})+)")  # as `xxd -g1` writes it
NOTE = re.compile(rb"#[\t -~\x80-\xff]*\r?\n?")  # a # line in a binary capture is none
SILENCE = 1e9  # seconds: a capture may have any gaps
GRACE = 2.0  # seconds, and a period, that a driver may work on the last it heard
DAY = 86_400.0  # seconds between two measurements, at most
AWAY = 60.0  # seconds beyond that until recorded answers are given up: a line may just be opened anew
QUIET = 10.0  # seconds, and three periods, that it may leave recorded answers alone, and that a pause takes at most


def load(file: Path) -> Recording:
    """The recording in *file*; of a capture the bytes in one piece.  Raises GatewayError."""
    try:
        data = file.read_bytes()
        return parse(data.decode()) if data.startswith(FIRST.encode()) else Recording((Piece(0.0, "", data),))
    except (OSError, ValueError) as error:
        raise GatewayError(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def captured(data: bytes, driver: Driver[Any]) -> Iterator[Piece]:
    """What a capture of a serial device holds.  A hex dump has a frame a line, one each period, each an answer where
    *driver* asks; anything else goes as fast as the line carries it, without the ``#`` lines that are notes."""
    assert isinstance(driver.link, Serial)
    asks = not isinstance(driver.device(driver.settings()), Feeds)
    lines = data.splitlines(keepends=True)
    frames = [HEXDUMP.match(line) for line in lines if line.strip()]
    at = 0.0
    if not all(frames):
        for line in lines:
            if not NOTE.fullmatch(line):
                yield Piece(at, "<", line)
                at += len(line) * 10 / driver.link.baud
        return
    for frame in filter(None, frames):
        if asks:
            yield Piece(at, ">", b"")  # whatever it was
        yield Piece(at, "<", bytes.fromhex(frame[1].decode()))
        at += driver.period


class Replay:
    """*recording* on its way through *driver*; *show* gets the readings."""

    def __init__(self, driver: Driver[Any], recording: Recording, show: Callable[[Readings], None]) -> None:
        pieces = recording.pieces
        if pieces and not pieces[0].way:
            if not isinstance(driver.link, Serial):
                raise GatewayError(f"it is no recording of the gateway, and {driver.name} is no serial device")
            pieces = tuple(captured(pieces[0].data, driver))
        if isinstance(driver.link, Modbus):
            pieces = tuple(Piece(piece.at, piece.way, serial(piece.data)) for piece in pieces)
        self.time = Steps()
        try:
            plan = planned(driver, recording)
            longest = QUIET + 3 * plan.card.period
            self.tape = Tape(self.time, pieces, longest, float(recording.about.get("resumed", inf)))
            clock = Clock(1, self.tape.seconds)
            if "date" in recording.about:
                clock.set(datetime.fromisoformat(recording.about["date"]).timestamp())
        except (ValueError, TypeError) as error:
            raise GatewayError(f"the recording's first lines: {error}") from error
        self.end = sum(min(after.at - before.at, longest) for before, after in pairwise(pieces))
        self.hub = Hub(clock)
        self.hub.subscribe(show, "*")
        ring = Ring(self.time.seconds)
        self.device = Device(plan, self.way(driver, ring), ring, self.time, self.hub)
        self.device.silence = SILENCE
        self.period = plan.card.period

    def way(self, driver: Driver[Any], ring: Ring) -> Open:
        """A link whose bytes are recorded is added here."""
        match driver.link:
            case Serial():
                return stream(self.tape, self.time, ring)
            case Modbus():
                unit = next((piece.data[0] for piece in self.tape.left if piece.way == ">"), 1)
                return ModbusLine(self.time, self.tape).at(unit, driver.link.timeout, ring.note)
            case GPIO():
                return self.tape.lines
            case _:
                return direct(self.tape, ring)

    def run(self, pace: Callable[[float], bool] = lambda at: True) -> None:
        """To the end.  *pace* is told of each moment before it comes, and may say that it is enough."""
        self.device.startService()
        while calls := self.time.getDelayedCalls():
            due = max(self.time.seconds(), min(call.getTime() for call in calls))
            if self.over(due) or not pace(due):
                break
            self.time.advance(due - self.time.seconds())
        if left := [piece for piece in self.tape.left if piece.way == ">"] or list(self.tape.left):
            what = "questions" if left[0].way == ">" else "answers"
            self.tape.wrong.append(f"{left[0].at:.3f} s: here the replay ended; {len(left)} {what} were left")

    def over(self, due: float) -> bool:
        """Whether what happens at *due* is none of the recording's any more."""
        quiet = due - self.tape.moved
        if not self.tape.left:
            return self.tape.beyond or quiet > GRACE + self.period
        return quiet > QUIET + 3 * self.period + (0 if self.tape.left[0].way == ">" else AWAY)

    def summary(self) -> list[str]:
        """What went wrong, and how much went well."""
        wrong = ", ".join(f"{tally.count} {kind}" for (_, kind), tally in self.hub.errors.items())
        return [*self.tape.wrong, f"{self.hub.seq} readings; {wrong or 'no errors'}"]


def serial(frame: bytes) -> bytes:
    """A Modbus frame as it goes over a serial line, also one that went over TCP: there each has a number of its own."""
    if len(frame) > 7 and frame[2:6] == bytes((0, 0, *(len(frame) - 6).to_bytes(2, "big"))):
        return sealed(frame[6], frame[7:])
    return frame


def planned(driver: Driver[Any], recording: Recording) -> Plan:
    """How the device was run, as the recording says."""
    about = recording.about
    told = json.loads(about.get("settings") or "{}")
    if not isinstance(told, dict):
        raise ValueError("the settings are no table")
    known = {each.name for each in fields(driver.settings)}
    settings = driver.settings(**{name: tuple(value) if isinstance(value, list) else value
                                  for name, value in told.items() if name in known})  # fmt: skip
    if not 0 <= (period := float(about.get("period", driver.period))) <= DAY:
        raise ValueError(f"the period is {period:g} s")
    name = about.get("device", driver.name)
    card = Card(name=name, label=name, driver=driver.name, title=driver.title, documentation="",
                where=about.get("where", ""), period=period, settings=told,
                quantities=driver.having(settings))  # fmt: skip
    return Plan(card=card, driver=driver, settings=settings, scales={}, limits={})


def turned(driver: Driver[Any], recording: Recording) -> Driver[Any]:
    """*driver*, where not each of its measurements asks for all: begun so that the recording goes on, behind how the
    connection began, with the measurement that fits best."""
    turns = max((quantity.every for quantity in driver.quantities), default=1)
    if turns == 1 or "resumed" not in recording.about:
        return driver
    best, least = driver, inf
    for turn in range(turns):
        row = replace(driver, device=partial(begun, driver, turn))
        trial = Replay(row, recording, lambda readings: None)
        trial.run()
        if (wrong := len(trial.tape.wrong)) < least:
            best, least = row, wrong
        if not wrong:
            break
    return best


def begun(driver: Driver[Any], count: int, settings: Any) -> Any:
    device = cast(Skips, driver.device(settings))
    device.count = count
    return device


def expected(driver: Driver[Any], recording: Recording) -> list[str]:
    """All that a replay says, line by line: what a ``.chk`` file holds."""
    said: list[str] = []
    replay = Replay(
        turned(driver, recording), recording, lambda readings: said.extend(reading.text for reading in readings)
    )
    replay.run()
    return [*said, *(f"# {line}" for line in replay.summary())]


class Pace:
    """Waits so that a recording takes as long as it did, *speed* times as fast, and shows how far it is."""

    def __init__(self, speed: float, total: float) -> None:
        self.speed, self.total, self.began, self.enough = speed, total, time.monotonic(), False
        self.live, self.shown = sys.stderr.isatty(), -1

    def __call__(self, at: float) -> bool:
        time.sleep(max(0.0, self.began + at / self.speed - time.monotonic()))
        done = min(100, int(100 * at / self.total)) if self.total else 100
        if self.live and done != self.shown:
            self.shown = done
            print(f"{done:3} %\r" if done < 100 else "     \r", end="", file=sys.stderr, flush=True)
        return not self.enough


def replay(driver: Driver[Any], recording: Recording, speed: float, as_json: bool) -> int:
    """Show every reading; 1 where there is none, or the driver no longer says what it said then."""

    def line(reading: Reading) -> str:
        return reading.json.decode() if as_json else reading.text

    def show(readings: Readings) -> None:
        try:
            print("\n".join(map(line, readings)), flush=True)
        except BrokenPipeError:  # our reader has seen enough
            pace.enough = True

    made = Replay(turned(driver, recording), recording, show)
    pace = Pace(speed, made.end)
    made.run(pace)
    if pace.enough:
        raise BrokenPipeError
    print("\n".join(made.summary()), file=sys.stderr)
    return 0 if made.hub.seq and not made.tape.wrong else 1
