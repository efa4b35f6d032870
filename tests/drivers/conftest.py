"""Hypothesis without a stopwatch, which a busy machine would fail, and without a folder of its own."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ours", deadline=None, database=None)
settings.load_profile("ours")
