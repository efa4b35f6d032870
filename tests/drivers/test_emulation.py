"""What wanders comes back, and begins where it should."""

from __future__ import annotations

import pytest

from drivers.emulation import sway


def test_sway() -> None:
    assert [sway(at, 21.5, 2.0, period=40.0) for at in (0, 10, 20, 30, 40)] == pytest.approx(
        [21.5, 23.5, 21.5, 19.5, 21.5]
    )
