"""Stands in for smbus2 in a daemon under test: an SHT31 at 0x44 and an LM75 at 0x48 on every bus.

Opening and closing is written to $BOARD_LOG.  While the file $BOARD_LOG.hang exists no transfer ends.
"""

from __future__ import annotations

import errno
import os
import time

from drivers import lm75, sht31
from drivers.api import DeviceError, I2CEmulator


class i2c_msg:
    def __init__(self, address: int, data: bytes, length: int = 0) -> None:
        self.address, self.data, self.length = address, data, length

    @classmethod
    def write(cls, address: int, data: bytes) -> i2c_msg:
        return cls(address, data)

    @classmethod
    def read(cls, address: int, length: int) -> i2c_msg:
        return cls(address, b"", length)

    def __bytes__(self) -> bytes:
        return self.data


class SMBus:
    def __init__(self, path: str) -> None:
        self.path = path
        self.chips: dict[int, I2CEmulator] = {0x44: sht31.Emulator(), 0x48: lm75.DRIVER[0].emulator()}  # type: ignore[dict-item]
        note(f"open {path}")

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        while os.path.exists(os.environ["BOARD_LOG"] + ".hang"):
            time.sleep(0.01)
        sent = b"".join(message.data for message in messages)
        try:
            answer = self.chips[messages[0].address].transfer(sent, messages[-1].length)
        except (KeyError, DeviceError):
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO)) from None
        messages[-1].data = answer or messages[-1].data

    def close(self) -> None:
        note(f"close {self.path}")


def note(text: str) -> None:
    with open(os.environ["BOARD_LOG"], "a") as log:
        log.write(text + "\n")
