"""PIR sensor and reed contact: which level means what."""

from __future__ import annotations

from typing import Any

import pytest

from drivers import pir, reed
from drivers.api import Edge


def said(device: Any, quantity: Any) -> list[bool]:
    return [sample[quantity] for sample in device.feed((Edge("line", True, 0.0), Edge("line", False, 1.0)))]


def test_motion() -> None:
    assert said(pir.Sensor(pir.Settings()), pir.MOTION) == [True, False]
    assert said(pir.Sensor(pir.Settings(active="low", pull="up")), pir.MOTION) == [False, True]


def test_doors() -> None:
    assert said(reed.Reed(reed.Settings()), reed.CONTACT) == [False, True]
    assert said(reed.Reed(reed.Settings(normal="closed")), reed.CONTACT) == [True, False]


def test_debounce_has_a_range() -> None:
    with pytest.raises(ValueError, match="debounce 11 s"):
        reed.Settings(debounce=11)
