"""Stands in for gpiod and the kernel behind it: chips in a folder, each a file, and edges that come as the kernel's own
bytes through a real file descriptor."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gpiod import LineSettings, line

from gateway.transports.gpiochip import EVENT


class Kernel:
    """What is there; ``module`` is what takes gpiod's place."""

    LineSettings, line, __version__, api_version = LineSettings, line, "2.2.0", "2.2"

    def __init__(self, dev: Path) -> None:
        self.dev, self.chips = dev, dict[str, Chip]()

    def plug(self, name: str, label: str, *lines: str) -> Chip:
        (self.dev / name).write_text("")
        chip = self.chips[str(self.dev / name)] = Chip(label, lines)
        return chip

    def Chip(self, path: str) -> Opened:
        chip = self.chips[path]
        if chip.trouble is not None:
            raise chip.trouble
        return Opened(chip)


class Chip:
    def __init__(self, label: str, lines: Sequence[str]) -> None:
        self.label, self.lines = label, lines
        self.trouble: OSError | None = None
        self.levels = dict.fromkeys(range(len(lines)), False)
        self.consumers = dict[int, str]()
        self.calls = list[tuple[Any, ...]]()
        self.request: Request | None = None


class Opened:
    """A chip's file."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def get_info(self) -> Any:
        return SimpleNamespace(label=self.chip.label, num_lines=len(self.chip.lines))

    def line_offset_from_id(self, name: str) -> int:
        if name not in self.chip.lines:
            raise OSError(errno.ENOENT, "No such file or directory")
        return self.chip.lines.index(name)

    def get_line_info(self, offset: int) -> Any:
        return SimpleNamespace(used=offset in self.chip.consumers, consumer=self.chip.consumers.get(offset, ""))

    def request_lines(self, config: Mapping[int, LineSettings], consumer: str, event_buffer_size: int) -> Request:
        if self.chip.consumers.keys() & config.keys():
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.chip.calls.append(("request", dict(config)))
        self.chip.consumers.update(dict.fromkeys(config, consumer))
        self.chip.request = Request(self.chip, config)
        return self.chip.request


class Request:
    def __init__(self, chip: Chip, config: Mapping[int, LineSettings]) -> None:
        self.chip, self.offsets = chip, tuple(config)
        self.fd, self.far = os.pipe()
        self.number = 0
        self.trouble: OSError | None = None
        self.take(config)

    def take(self, config: Mapping[int, LineSettings]) -> None:
        for offset, wanted in config.items():
            if wanted.direction == line.Direction.OUTPUT:
                self.chip.levels[offset] = bool(wanted.output_value.value)

    def reconfigure_lines(self, config: Mapping[int, LineSettings]) -> None:
        self.chip.calls.append(("reconfigure", dict(config)))
        self.take(config)

    def get_values(self, offsets: Sequence[int]) -> list[line.Value]:
        return [line.Value(int(self.chip.levels[offset])) for offset in offsets]

    def set_values(self, values: Mapping[int, line.Value]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.chip.levels.update({offset: bool(value.value) for offset, value in values.items()})

    def release(self) -> None:
        for offset in self.offsets:
            del self.chip.consumers[offset]
        os.close(self.fd)
        os.close(self.far)

    # The far side

    def edge(self, offset: int, level: bool, at: float, lost: int = 0) -> None:
        """The line changes at monotonic second *at*, after *lost* edges that nobody will see."""
        self.chip.levels[offset] = level
        self.number += 1 + lost
        os.write(self.far, EVENT.pack(round(at * 1e9), 1 if level else 2, offset, self.number, self.number))
