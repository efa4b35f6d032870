"""What is left of a GPIO output when the gateway has ended, against what its policy wants.

The kernel takes back the lines of a process that ends.  What becomes of them is up to the chip's driver: docs/gpio.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import GPIO, NoAnswer
from gateway.config import Config, Device, Lines
from gateway.transports.gpio import Board

WAY_OUT = 'write stop = "off" or "hands-off", or read docs/gpio.md'


def wants(device: Device) -> str:
    """The policy of *device* that takes an output which stays as it is without the gateway, or ""."""
    link = device.driver.link
    if not isinstance(link, GPIO) or link.direction == "in":
        return ""
    return next((rules.stop for rules in device.rules.values() if rules.stop in ("on", "last")), "")


def broken(device: Device, board: Board) -> str:
    """Why *board* cannot keep what *device* wants, or ""."""
    policy, where = wants(device), device.where
    if not policy or not isinstance(where, Lines):
        return ""
    if line := next((line for _, line in where.lines if board.keeps(line) is False), ""):
        return (
            f'stop = "{policy}" cannot be kept: when the gateway ends, this kernel makes an input of {line}; {WAY_OUT}'
        )
    return ""


def warnings(config: Config) -> Iterator[str]:
    """What there is to be said of outputs on this machine, if it has their lines."""
    board = Board(None, wanted=config.gpio)
    for device in config.devices:
        if not (policy := wants(device)) or not device.enabled or not isinstance(device.where, Lines):
            continue
        try:
            if why := broken(device, board):
                yield f"device.{device.name}.stop: {why}; `run` refuses it"
            elif None in [board.keeps(line) for _, line in device.where.lines]:
                yield f'device.{device.name}.stop: nobody knows whether this chip keeps stop = "{policy}"; {WAY_OUT}'
        except (NoAnswer, ValueError, OSError):
            pass  # no such line, here and now; whoever runs it will be told
