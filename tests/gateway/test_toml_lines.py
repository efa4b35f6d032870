"""Lines of keys, found in files that are laid out to mislead."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.toml_lines import KeyPath, Lines

TRICKY = (Path(__file__).parent / "tricky.toml").read_text()


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    """Every path that tomllib finds."""
    inner = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    found = {path} - {()}
    for key, part in inner:
        found |= paths(part, (*path, str(key)))
    return found


def test_each_key_has_its_line() -> None:
    lines = Lines(TRICKY)
    for path, line in {
        ("top",): 2,
        ("quoted.key",): 3,
        ("device",): 4,
        ("device", "board7.attic"): 4,
        ("device", "board7.attic", "driver"): 5,
        ("device", "b"): 6,
        ("device", "b", "text"): 7,
        ("device", "b", "mixed", "dotted", "key"): 11,
        ("device", "b", "after"): 12,
        ("device", "b", "list"): 15,
        ("device", "b", "list", "0"): 16,
        ("device", "b", "list", "2", "deep", "er"): 17,
        ("device", "b", "list", "3", "1"): 19,
        ("device", "b", "inline", "more", "dots"): 21,
        ("device", "b", "empty"): 22,
        ("device", "b", "six"): 23,
        ("device", "b", "date"): 24,
        ("x",): 25,
        ("many", "1", "one"): 29,
        ("tail",): 30,
    }.items():
        assert lines.lines[path] == line, path
    assert lines.again == []


def test_it_finds_the_keys_that_tomllib_finds_and_no_others() -> None:
    assert set(Lines(TRICKY).lines) == paths(tomllib.loads(TRICKY))


def test_what_has_no_line_has_that_of_the_table_around_it() -> None:
    lines = Lines("\n[a]\n\nb.c = 1\n")
    assert [lines.of(path) for path in [("a", "z"), ("a", "b", "z", "z"), ("z",)]] == [2, 4, 1]


def test_a_header_outdoes_the_table_that_its_subtable_implied() -> None:
    assert Lines("[a.b]\n[a]\n").of(("a",)) == 2


def test_what_is_given_twice() -> None:
    again = [(each.path, each.line, each.first) for each in Lines("[a]\nx = 1\n\n[a]\nx.y = 1\nz = {q=1,\nq=2}").again]
    assert again == [(("a",), 4, 1), (("a", "z", "q"), 7, 6)]


@pytest.mark.parametrize("cut", range(0, len(TRICKY), 7))
def test_it_ends_on_any_text(cut: int) -> None:
    for text in (TRICKY[cut:], TRICKY[:cut], TRICKY[:cut] + "]}=,.[{" + TRICKY[cut:], TRICKY[cut:][::-1]):
        assert all(1 <= line <= text.count("\n") + 1 for line in Lines(text).lines.values())
