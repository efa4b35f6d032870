"""Boards with the package installed.  They take minutes, so ``pytest tests`` passes them by, and ``pytest
tests/emulated`` asks for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import chips, disk
from tests.emulated.board import RASPI3B, VIRT, Board
from tests.emulated.container import Container


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if any("emulated" in argument for argument in config.args) else True


def build(*version: str) -> Path:
    """The package, as ``make deb`` builds it."""
    return disk.SOURCE / disk.run(disk.SOURCE / "image" / "deb.sh", *version).split()[-1]


@pytest.fixture(scope="session")
def package() -> Path:
    return build()


@pytest.fixture(scope="session")
def newer_package() -> Path:
    return build("99.0")


@pytest.fixture(scope="session")
def image(package: Path) -> Path:
    disk.BUILD.mkdir(parents=True, exist_ok=True)
    disk.initrd()
    disk.device_tree()
    return disk.disk(package, chips.CONFIGURATIONS)


@pytest.fixture(scope="module")
def raspi(image: Path) -> Iterator[Board]:
    fitted = (*chips.MULTIPLEXER, *(word for chip in chips.CHIPS for word in chip.fitted), *chips.OTHERS, *chips.FTDI)
    board = Board(RASPI3B, image, devices=fitted, config="/etc/gateway/raspi3b.toml")
    board.start()
    yield board
    board.close()


@pytest.fixture(scope="module")
def virt(image: Path) -> Iterator[Board]:
    board = Board(VIRT, image, devices=chips.FTDI, config="/etc/gateway/virt.toml")
    board.start()
    yield board
    board.close()


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    # In memory: dpkg waits for the disk after every file.
    with tempfile.TemporaryDirectory(prefix="gateway-", dir="/dev/shm") as folder:
        made = Container(Path(folder) / "debian13")
        yield made
        made.close()
