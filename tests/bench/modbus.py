"""What a Modbus request costs us, and pymodbus's client: the same slave, on a line of its own for each.

The slave is a process that is not counted; so is the line, a pseudo-terminal at 115200 baud.  Each client is a process
too (``python -m tests.bench.modbus CLIENT PATH``), which asks as often as it is told and says what that took it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from tests.bench.measures import OURS, Figure, Tell, medians
from tests.bench.servers import CORES

TREE = Path(__file__).parents[2]
PEER = "pymodbus"
SIZES = (2, 100)  # registers in a request
REQUESTS = 300  # in one round
PAUSE = 0.005  # seconds between two, as devices are asked; and the silence that the standard wants
BAUD = 115_200


def requests(folder: Path, tell: Tell) -> list[Figure]:
    """Requests one after the other, each after a pause."""
    figures = []
    with ExitStack() as stack:
        clients = {name: stack.enter_context(client(name)) for name in (OURS, PEER)}
        for size in SIZES:
            title = f"a Modbus request for {size} registers"
            trials = {name: partial(spent, process, size) for name, process in clients.items()}
            figures.append(Figure(title, "µs", medians(title, tell, trials), {PEER: 1.0}))
    return figures


@contextmanager
def client(name: str) -> Iterator[subprocess.Popen[str]]:
    """A client, with a slave to ask."""
    command = [sys.executable, "-m", "tests.bench.modbus"]
    slave = subprocess.Popen([*command, "slave"], cwd=TREE, stdout=subprocess.PIPE, text=True)
    try:
        assert slave.stdout is not None
        path = slave.stdout.readline().strip()
        made = subprocess.Popen(
            [*command, name, path], cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(made.pid, CORES[:1])
        try:
            yield made
        finally:
            made.kill()
            made.wait()
    finally:
        slave.kill()
        slave.wait()


def spent(process: subprocess.Popen[str], size: int) -> float:
    """Microseconds of CPU time for one request."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{size}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def slave() -> None:
    from drivers.codec.modbus_slave import Slave, Units

    units = Units({1: Slave(registers=dict.fromkeys(range(125), 0x4366))})
    far, near = os.openpty()
    tty.setraw(near)
    print(os.ttyname(near), flush=True)
    while True:
        if answer := units.receive(os.read(far, 4096)):
            os.write(far, answer)


def gateway(path: str) -> None:
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater

    from drivers.api import Request, Serial
    from gateway.reactor import Reactor
    from gateway.transports.modbus import ModbusLine
    from gateway.transports.serial import SerialEndpoint
    from gateway.transports.turns import pace

    reactor = Reactor()
    line = ModbusLine(
        cast(Any, reactor), SerialEndpoint(cast(Any, reactor), path, Serial(BAUD)), pace=pace(Serial(BAUD))
    )

    async def ask() -> None:
        unit = await line.at(1, 0.5, lambda way, data: None)(lambda data: None, lambda why: None)
        for size in map(int, sys.stdin):
            before = time.process_time()
            for _ in range(REQUESTS):
                await deferLater(cast(Any, reactor), PAUSE)
                assert len(await unit.perform(Request(4, 0, size))) == 2 * size
            print((time.process_time() - before) / REQUESTS * 1e6, flush=True)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(ask()))
    reactor.run()


async def pymodbus(path: str) -> None:
    from pymodbus.client import AsyncModbusSerialClient

    line = AsyncModbusSerialClient(path, baudrate=BAUD)
    await line.connect()
    for size in map(int, sys.stdin):
        before = time.process_time()
        for _ in range(REQUESTS):
            await asyncio.sleep(PAUSE)
            assert len((await line.read_input_registers(0, count=size, device_id=1)).registers) == size
        print((time.process_time() - before) / REQUESTS * 1e6, flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["slave"]:
            slave()
        case ["gateway", place]:
            gateway(place)
        case ["pymodbus", place]:
            asyncio.run(pymodbus(place))
