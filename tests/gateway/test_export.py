"""Where an export goes on that was cut off: behind the last whole row, whatever its texts look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import export as module
from gateway.client import GatewayError
from gateway.export import COLUMNS, Last, export, left_off

TEXTS = ["plain", "two\nlines", 'a "quoted" one,\n"', "\n\n", "a\u2028line, to some", "back\rto the beginning", "last"]


class Gateway:
    """Answers `range` with one reading for each text, from behind the one that was there."""

    def ask(self, words: str) -> None:
        pass

    def say(self, words: str) -> list[str]:
        first = int(words.rpartition("-")[2]) + 1 if "after=" in words else 0
        return [json.dumps(row(seq)) for seq in range(first, len(TEXTS))]


def test_csv_is_as_rfc_4180_has_it(tmp_path: Path) -> None:
    """A field with a quote, a comma or any part of a line end is quoted, and lines end with CRLF."""
    client: Any = Gateway()
    export(client, "*", "-1h", "now", "csv", tmp_path / "whole", resume=False)
    data = (tmp_path / "whole").read_bytes()
    for text in TEXTS[1:4] + TEXTS[5:6]:
        quoted = text.replace('"', '""')
        assert f',"{quoted}",'.encode() in data, text
    assert data.startswith(",".join(COLUMNS).encode() + b"\r\n") and data.endswith(b",last,,good,1,6,0.006,text,0\r\n")


def test_a_csv_with_the_line_ends_of_unix_goes_on(tmp_path: Path) -> None:
    """As it was written once, or as an editor has left it."""
    part = tmp_path / "part"
    part.write_text(",".join(COLUMNS) + "\n")
    assert left_off(part, "csv") is None
    part.write_text(",".join(COLUMNS) + "\nmanual.note,,plain,,good,1,0,0.0,text,0\nmanual.note,,pl")
    assert left_off(part, "csv") == Last("manual.note", "", 1, 0, 0)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_refused_leaves_no_file(form: str, tmp_path: Path) -> None:
    class Refusing(Gateway):
        def say(self, words: str) -> list[str]:
            raise GatewayError("syntax bad is no time")

    client: Any = Refusing()
    with pytest.raises(GatewayError, match="bad is no time"):
        export(client, "*", "bad", "now", form, tmp_path / "whole", resume=False)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    client: Any = Gateway()
    for path, why in (tmp_path / "none/whole", "No such file"), (tmp_path, "Is a directory"):
        with pytest.raises(GatewayError, match=f"{path}: {why}"):
            export(client, "*", "-1h", "now", "json", path, resume=path.exists())


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
