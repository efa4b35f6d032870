"""A driver's own emulator at the far end of a board's serial line."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import cast

from drivers.api import SerialEmulator
from gateway import catalog


class Wire:
    """Plugged in as long as it is not pulled: QEMU's USB adapter is there while its line is connected."""

    def __init__(self, line: socket.socket, driver: str) -> None:
        self.line, self.emulator = line, cast(SerialEmulator, catalog.find(driver).emulator())
        self.pulled = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        with suppress(OSError):  # the board is off
            self.talk()

    def talk(self) -> None:
        self.line.settimeout(0.1)
        last = time.monotonic()
        while not self.pulled:
            with suppress(TimeoutError):
                self.line.sendall(self.emulator.receive(self.line.recv(4096)))
            now = time.monotonic()
            self.line.sendall(self.emulator.tick(now - last))
            last = now

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *problem: object) -> None:
        """Pull the plug."""
        self.pulled = True
        self.thread.join()
        self.line.close()
