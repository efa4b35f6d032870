"""Hypothesis without a stopwatch, which a busy machine would fail, and without a folder of its own."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("ours", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")
