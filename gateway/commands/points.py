"""Points of the past as they are told: lines for people, objects for programs.  One answer may have a million of them,
so what nobody takes is not made."""

from __future__ import annotations

from typing import Any, NamedTuple

from drivers.api import Quantity, Value
from gateway.clock import iso_ms
from gateway.history.question import Page, Run
from gateway.reading import encode, written


class Told(NamedTuple):
    """One point as a row of an answer; *at* is its place in *run*."""

    text: str
    name: str
    page: Page
    run: Run
    at: int

    @property
    def line(self) -> bytes:
        return self.text.encode(errors="backslashreplace") + b"\n"

    @property
    def json(self) -> bytes:
        return encode(self.data)

    @property
    def data(self) -> dict[str, Any]:
        return about(self.name, self.page, self.run, self.at)


def told(label: str, name: str, page: Page) -> list[Told]:
    """A line for each point: the time, the value, and the quality where it is not good; *label*, if any, in front."""
    quantity = Quantity(name, page.unit, page.kind, digits=page.digits)
    front, found = f"{label} " if label else "", []
    for run in page.runs:
        offset, suspects, usual = run.offset, run.suspects, "" if run.offset is not None else " unsynced"
        for at, (ms, value) in enumerate(zip(run.ms, run.values, strict=True)):
            when = f"+{ms / 1000:.3f}" if offset is None else iso_ms(offset + ms)
            text = f"{front}{when} {written(quantity, value)}{' suspect' if at in suspects else usual}"
            found.append(Told(text, name, page, run, at))
    return found


def about(name: str, page: Page, run: Run, at: int) -> dict[str, Any]:
    """One point, for programs.  What was gathered is no reading of a boot; without a time it is of this one."""
    ms, offset = run.ms[at], run.offset
    gathered = not run.seqs and offset is not None
    return {
        "name": name,
        "value": shown(page, run.values[at]),
        "unit": page.unit,
        "kind": page.kind,
        "digits": page.digits,
        "time": None if offset is None else iso_ms(offset + ms),
        "quality": run.quality(at),
        "boot": None if gathered else run.boot,
        "seq": run.seqs[at] if run.seqs else None,
        "monotonic": None if gathered else ms / 1000,
    }


def when(run: Run, ms: int) -> str:
    """Its time; where that is not known, seconds since the start of its boot."""
    return f"+{ms / 1000:.3f}" if run.offset is None else iso_ms(run.offset + ms)


def shown(page: Page, value: Value) -> Value:
    """A value with as many decimals as it has."""
    return round(value, page.digits) + 0.0 if page.kind == "float" and isinstance(value, float) else value
