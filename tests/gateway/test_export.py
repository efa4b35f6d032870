"""Where an export goes on that was cut off: behind the last whole row, whatever its texts look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import export as module
from gateway.export import COLUMNS, Last, export, left_off

TEXTS = ["plain", "two\nlines", 'a "quoted" one,\n"', "\n\n", "a\u2028line, to some", "back\rto the beginning", "last"]


class Gateway:
    """Answers `range` with one reading for each text, from behind the one that was there."""

    def ask(self, words: str) -> None:
        pass

    def say(self, words: str) -> list[str]:
        first = int(words.rpartition("-")[2]) + 1 if "after=" in words else 0
        return [json.dumps(row(seq)) for seq in range(first, len(TEXTS))]


def row(seq: int) -> dict[str, Any]:
    values = "manual.note", "2026-11-20T17:00:00.000Z", TEXTS[seq], "", "good", 1, seq, seq / 1000, "text", 0
    return dict(zip(COLUMNS, values, strict=True))


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("tail", [400, 65_536])
def test_a_file_cut_anywhere_goes_on_to_the_same_end(
    form: str, tail: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = Gateway()
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert export(client, "*", "-1h", "now", form, whole, resume=False) == len(TEXTS)
    monkeypatch.setattr(module, "TAIL", tail)
    assert left_off(whole, form) == Last("manual.note", "2026-11-20T17:00:00.000Z", 1, 6, 6)
    data = whole.read_bytes()
    for size in range(len(data)):
        part.write_bytes(data[:size])
        export(client, "*", "-1h", "now", form, part, resume=True)
        assert part.read_bytes() == data, size
