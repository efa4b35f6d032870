from __future__ import annotations

import pytest

from gateway.commands import Session
from tests.gateway.commands.house import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def session(house: House) -> Session:
    house.measure()
    return house.open()
