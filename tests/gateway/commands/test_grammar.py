"""What a line says."""

from __future__ import annotations

import time

import pytest

from gateway.commands.access import Who, stranger
from gateway.commands.grammar import CommandError, clip, nearest, parse
from gateway.commands.session import WORDS
from gateway.commands.usage import COMMANDS


@pytest.mark.parametrize(
    ("line", "word", "arguments"),
    [
        ("get attic.temperature", "get", ["attic.temperature"]),
        ("  GET\tattic.* \r", "get", ["attic.*"]),
        ("set note  two  words ", "set", ["note", "two  words"]),
        ('set note " kept "', "set", ["note", '" kept "']),
        ("watch", "watch", []),
        ("json ON", "json", ["ON"]),
    ],
)
def test_a_line(line: str, word: str, arguments: list[str]) -> None:
    assert parse(line) == (word, arguments)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("", "syntax", "empty"),
        (" \t\r", "syntax", "empty"),
        ("gte x", "unknown-command", "did you mean `get`?"),
        ("flurble", "unknown-command", "flurble: no such command; try `help`"),
        ("get", "syntax", "usage: get NAME|PATTERN..."),
        ("set pump.state", "syntax", "usage: set NAME VALUE"),
        ("clear all", "syntax", "usage: clear"),
        ("quit now", "syntax", "usage: quit"),
        ("json on off", "syntax", "usage: json [on|off]"),
        ("get 'attic.*'", "syntax", "'attic.*': nothing is quoted here; write attic.*"),
        ('range "attic.x" -1h', "syntax", "nothing is quoted here; write attic.x"),
        ("get" + " x" * 1001, "syntax", "1000 words at most"),
        ("\x1b[2J\a x", "unknown-command", "?[2J?: no such command"),
        ("x" * 5000, "unknown-command", "x" * 60 + "...: no such command"),
    ],
)
def test_a_line_that_says_nothing(line: str, code: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert caught.value.code == code and words in str(caught.value) and len(str(caught.value)) < 200


def test_every_command_is_carried_out_by_something() -> None:
    assert set(COMMANDS) == set(WORDS)


def test_a_suggestion_takes_little_time_however_many_names_there_are() -> None:
    names = [f"manual.sensor{at}" for at in range(10_000)]
    began = time.process_time()
    for typo in ("manual.sensro77", "manual.sensor", "manual.sensor10001", "x" * 4000):
        nearest(typo, names)
    assert time.process_time() - began < 0.2
    assert (
        nearest("ATTIC.Temperature", ["attic.temperature", "Attic.humidity"]) == "; did you mean `attic.temperature`?"
    )
    assert nearest("manual.sensro77", [*names[:50], "manual.sensor77"]) == "; did you mean `manual.sensor77`?"


def test_a_clipped_text_can_be_shown() -> None:
    assert clip("a\x00b\x9b\u202e\ud800c") == "a?b???c"
    assert clip("é" * 60) == "é" * 60 and clip("é" * 61) == "é" * 60 + "..."


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", ""])
def test_who_is_on_the_board_operates(host: str) -> None:
    assert stranger(host, "x").role == "operator"


@pytest.mark.parametrize("host", ["192.168.1.7", "::ffff:10.0.0.1", "fe80::1", "1127.0.0.1", "12.7.0.0"])
def test_who_is_elsewhere_looks(host: str) -> None:
    assert stranger(host, "x").role == "viewer"


def test_a_role_holds_those_below_it() -> None:
    admin = Who("root", "admin", "here")
    admin.need("viewer", "get")
    admin.need("operator", "set")
    with pytest.raises(CommandError, match="`delete` takes the role operator; you are viewer") as caught:
        Who("guest", "viewer", "there").need("operator", "delete")
    assert caught.value.code == "denied"
