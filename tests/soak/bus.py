"""A bus that hangs now and then, beside one that does not."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from drivers.api import NoAnswer, Transfer
from gateway.reactor import make
from gateway.transports.i2c import I2CBus
from tests.soak.figures import Tell

TIMEOUT = 0.05  # seconds until a bus counts as stuck
CHIPS = range(0x40, 0x48)
ODDS = 0.02  # that a transfer hangs


class Message:
    def __init__(self, address: int, data: bytes, length: int = 0) -> None:
        self.address, self.data, self.length = address, data, length

    @classmethod
    def write(cls, address: int, data: bytes) -> Message:
        return cls(address, data)

    @classmethod
    def read(cls, address: int, length: int) -> Message:
        return cls(address, b"", length)

    def __bytes__(self) -> bytes:
        return self.data


class Board:
    """Stands in for smbus2.  Chips answer what they are told, turned round; a transfer takes long with *odds*."""

    i2c_msg = Message

    def __init__(self, odds: float) -> None:
        self.odds, self.dice = odds, random.Random(1)
        self.done = self.slow = self.open = 0

    def SMBus(self, path: str) -> Board:
        self.open += 1
        return self

    def close(self) -> None:
        self.open -= 1

    def i2c_rdwr(self, *messages: Message) -> None:
        if self.dice.random() < self.odds:
            self.slow += 1
            time.sleep(self.dice.uniform(TIMEOUT / 2, TIMEOUT * 3))
        self.done += 1
        if len(messages) > 1:
            messages[1].data = messages[0].data[::-1]


def bus(folder: Path, rounds: int, tell: Tell) -> str:
    """10 000 transfers on a bus that hangs now and then, and others beside it: each gets its own answer."""
    reactor: Any = make()
    boards = Board(ODDS), Board(0.0)
    buses = [
        I2CBus(reactor, f"/dev/i2c-{number}", timeout=TIMEOUT, make=lambda board=board: board)  # type: ignore[misc]
        for number, board in enumerate(boards)
    ]
    counts = Counter[str](), Counter[str]()
    slowest = [0.0, 0.0]
    threads, wrong = threading.active_count(), list[Failure]()

    async def talk(which: int, address: int) -> None:
        chip, count, dice = buses[which].at(address), counts[which], random.Random(address)
        while counts[0]["asked"] < rounds:
            count["asked"] += 1
            if which == 0 and count["asked"] % 500 == 0:
                tell(f"{dict(counts[0])}, beside {dict(counts[1])}")
            word, began = count["asked"].to_bytes(4) + bytes([address]), reactor.seconds()
            try:
                answer = await chip.perform(Transfer(word, 5))
            except NoAnswer as error:
                count["rests" if "rests" in str(error) else "stuck"] += 1
                await deferLater(reactor, TIMEOUT * dice.random())
            else:
                slowest[which] = max(slowest[which], reactor.seconds() - began)
                assert answer == word[::-1], f"{word.hex()} was answered {answer.hex()}"
                count["good"] += 1
                if which == 1:
                    await deferLater(reactor, 0.001)  # it is to be there as long as the other

    def ended(result: object) -> None:
        if isinstance(result, Failure):
            wrong.append(result)
        reactor.callLater(0, reactor.stop)

    def start() -> None:
        talks = [Deferred.fromCoroutine(talk(which, chip)) for which in (0, 1) for chip in CHIPS]
        done = DeferredList(talks, fireOnOneErrback=True, consumeErrors=True)
        done.addCallback(lambda _: deferLater(reactor, TIMEOUT * 4))  # one may hang still
        done.addCallback(lambda _: DeferredList([each.close() for each in buses]))
        done.addBoth(ended)

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    assert not wrong, wrong
    tell(f"    {dict(counts[0])}, {boards[0].slow} were slow, the bus counts {dict(buses[0].errors)}")
    tell(f"    {dict(counts[1])}, the longest {slowest[1] * 1000:.0f} ms")
    for count, board, each in zip(counts, boards, buses, strict=True):
        assert count["good"] + count["stuck"] + count["rests"] == count["asked"], count
        assert each.transfers == board.done, f"{each.transfers} counted of {board.done}"
        assert board.open == 0 and not each.waiting and each.running is None
    assert buses[0].errors["stuck"] > rounds * ODDS / 8, "the bus never hung"
    assert counts[1]["good"] == counts[1]["asked"] and not buses[1].errors, "the neighbour noticed"
    assert slowest[1] < 1.0, f"the neighbour waited for {slowest[1]:.2f} s"
    assert not [each for each in reactor.getDelayedCalls() if each.active()], reactor.getDelayedCalls()
    end = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.01)  # the last transfer that hung still returns
    assert threading.active_count() == threads, threading.enumerate()
    hangs, beside = buses[0].errors["stuck"], counts[1]["good"]
    return f"{rounds} transfers, {hangs} hangs; {beside} beside, the longest {slowest[1] * 1000:.0f} ms"
