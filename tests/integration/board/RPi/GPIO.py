"""Stands in for RPi.GPIO in a daemon under test: what it drives is written to $BOARD_LOG, a line each."""

from __future__ import annotations

import os
import sys
from typing import Any

from gateway.transports.fake import FakeGPIO


class Recorded(FakeGPIO):
    def setup(self, channels: Any, direction: int, pull_up_down: int = 20, initial: int | None = None) -> None:
        super().setup(channels, direction, pull_up_down, initial)
        note(f"setup {channels} {'in' if direction else 'out'} {initial}")

    def output(self, channels: Any, values: Any) -> None:
        super().output(channels, values)
        note(f"output {channels} {values}")


def note(text: str) -> None:
    with open(os.environ["BOARD_LOG"], "a") as log:
        log.write(text + "\n")


sys.modules[__name__] = Recorded()  # type: ignore[assignment]  # a module is whatever lies there
