"""Recordings in tests/corpus, one folder a driver: each gives what the ``.chk`` beside it says.  A new one is a test as
soon as it lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import catalog
from gateway.replay import expected, load

CORPUS = Path(__file__).parents[1] / "corpus"
RECORDINGS = sorted(CORPUS.glob("*/*.rec"))


def holds(file: Path) -> None:
    recording, kept = load(file), file.with_name(f"{file.name}.chk")
    driver = catalog.find(file.parent.name)
    said = expected(driver, recording)
    write = f"gateway replay --chk {file}"
    assert kept.exists(), f"look at what comes of it, and keep it: {write}"
    assert said == kept.read_text().splitlines(), f"where this is as it should be: {write}"
    assert recording.about["driver"] == driver.name


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_gives_what_it_gave(file: Path) -> None:
    holds(file)


def test_every_kept_answer_has_its_recording() -> None:
    assert RECORDINGS and {file.with_suffix("") for file in CORPUS.glob("*/*.rec.chk")} == set(RECORDINGS)


def test_a_recording_without_answer_or_with_another_one_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "sht31" / "new.rec"
    file.parent.mkdir()
    text = (CORPUS / "sht31/emulated.rec").read_text()
    file.write_text(text)
    kept = file.with_name("new.rec.chk")
    with pytest.raises(AssertionError, match=r"keep it: gateway replay --chk .*new\.rec"):
        holds(file)
    kept.write_text((CORPUS / "sht31/emulated.rec.chk").read_text())
    holds(file)
    file.write_text(text.replace("> 24 00", "> 24 0b"))  # as if the driver had asked for something else then
    with pytest.raises(AssertionError, match="where this is as it should be"):
        holds(file)
