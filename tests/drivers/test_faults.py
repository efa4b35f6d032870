"""What holds for every driver when the wire or the plug fails: no false reading, it comes back in time, what went wrong
is counted by its cause, and nobody else on the bus notices.  Through the gateway's own code, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drivers import sht31
from drivers.api import GPIO, I2C, SPI, DeviceError, Measures, Modbus, Quantity, Sample, Serial, Talk
from gateway import catalog
from gateway.transports.faults import kinds
from tests.drivers.faulted import Row, back, bound, tried, twin
from tests.drivers.test_contract import guarded

ROWS = list(catalog.shipped().values())
TRIALS = [(row, kind) for row in ROWS for kind in kinds(row.link)]
ANY = {"NoAnswer", "BadFrame", "BadValue", "WrongDevice"}


@dataclass(frozen=True, slots=True)
class Causes:
    """What a fault may be counted as, and whether it must be counted at all."""

    may: set[str]
    must: bool = True


def causes(row: Row, kind: str) -> Causes:
    sure = guarded(row) and isinstance(row.link, I2C | Serial | Modbus)  # what no checksum guards may pass unseen
    if isinstance(row.link, SPI) and kind in ("corrupt", "stuck"):
        return Causes(ANY - {"WrongDevice"}, must=False)  # nobody acknowledges: bits that are all alike may be nobody
    if isinstance(row.link, GPIO) and kind != "unplug":
        return Causes({"BadFrame"}, must=False)  # a pulse that nobody told of is none
    match kind:
        case "nack":
            return Causes({"NoAnswer"})
        case "unplug":
            return Causes({"NoAnswer", "BadFrame", "BadValue"})  # it lost its settings, and says so once
        case "drop":
            return Causes(ANY - {"WrongDevice"}, sure or not isinstance(row.link, Serial))
        case "corrupt":
            return Causes(ANY - {"NoAnswer"}, sure)
        case "stuck":
            return Causes({"BadFrame", "BadValue"}, sure)  # no other device, and not nobody
        case "delay":
            return Causes({"NoAnswer", "BadFrame"}, must=False)
        case "wrong":
            return Causes(ANY, sure)
        case _:
            return Causes(ANY, must=False)


def holds(row: Row, kind: str) -> None:
    """AssertionError where *row* does not bear *kind*."""
    trial = tried(row, kind)
    seen = (
        guarded(row)
        or kind in ("nack", "unplug", "delay", "stale")
        or (kind == "drop" and not isinstance(row.link, Serial | Modbus))
        or (kind == "corrupt" and getattr(row.settings(), "debounce", 0) > 0)
    )
    false = trial.false
    if isinstance(row.link, GPIO) and not guarded(row) and kind in ("drop", "delay"):  # fewer pulses are fewer
        most = {quantity.name: max(map(float, said)) for quantity, said in twin(row).items()}
        false = [(name, at, value) for name, at, value in false if float(value) > most[name]]
    assert not seen or not false, f"false: {false}; its twin said {twin(row)}"
    assert trial.wrong <= bound(kind), f"its line was told to be what it is not for {trial.wrong:g} s"
    if max(map(len, twin(row).values())) > 1:  # an output says nothing by itself
        assert trial.back <= back(row), f"not back after {back(row):g} s"
    expected = causes(row, kind)
    assert set(trial.errors) <= expected.may, f"counted as {trial.errors}"
    assert trial.errors or not expected.must, "nothing was counted"
    for errors, gap in trial.neighbours:
        assert not errors and gap < 1.5, f"a neighbour had {errors} and a gap of {gap:g} periods"


@pytest.mark.parametrize(("row", "kind"), TRIALS, ids=[f"{row.name}-{kind}" for row, kind in TRIALS])
def test_bears(row: Row, kind: str) -> None:
    holds(row, kind)


# Whether these tests would notice: drivers as they must not be


class Bad(sht31.SHT31):
    """Has an answer to everything."""

    def __init__(self, settings: Any, answer: Callable[[Sample, DeviceError], Sample]) -> None:
        super().__init__(settings)
        self.answer, self.sample = answer, dict[Quantity, Any]()

    def measure(self) -> Talk[Sample]:
        try:
            self.sample = dict((yield from super().measure()))
        except DeviceError as error:
            return self.answer(self.sample, error)
        return self.sample


def bad(answer: Callable[[Sample, DeviceError], Sample]) -> Row:
    return replace(sht31.DRIVER, device=lambda settings: Bad(settings, answer))


def zeros(sample: Sample, error: DeviceError) -> Sample:
    return dict.fromkeys(sample, 0.0)


def bug(sample: Sample, error: DeviceError) -> Sample:
    raise ValueError("a bug") from error


def test_the_bench_notices_false_readings() -> None:
    assert isinstance(sht31.DRIVER.device(sht31.Settings()), Measures)
    holds(sht31.DRIVER, "nack")
    with pytest.raises(AssertionError, match="false: "):
        holds(bad(zeros), "nack")


def test_the_bench_notices_what_is_not_counted() -> None:
    with pytest.raises(AssertionError, match="nothing was counted"):
        holds(bad(lambda sample, error: sample), "corrupt")


def test_the_bench_notices_bugs() -> None:
    with pytest.raises(AssertionError, match="counted as .*ValueError"):
        holds(bad(bug), "corrupt")


def test_the_bench_notices_what_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway import attempts

    monkeypatch.setattr(attempts, "LONGEST", 1.0)
    holds(sht31.DRIVER, "nack")
    monkeypatch.setattr(attempts.Attempts, "pause", lambda self, attempts: 100.0)
    with pytest.raises(AssertionError, match="not back after 21 s"):
        holds(sht31.DRIVER, "nack")
