"""The SD card image on boards: ``make image-test`` builds it and asks for them, ``pytest tests`` passes them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.card import card


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if any("card" in argument for argument in config.args) else True


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return card.key(tmp_path_factory.mktemp("laptop"))
