"""Lines of IRC, taken apart and put together.  Cases as in the public irc-parser-tests, anew."""

from __future__ import annotations

import pytest

from gateway.interfaces.irc.message import BODY, Message, cut, escape, fold, line, parse, rows, unescape, wrap, written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo bar baz asdf", Message("FOO", ("bar", "baz", "asdf"))),
        (":coolguy foo bar :baz asdf", Message("FOO", ("bar", "baz asdf"), "coolguy")),
        (":coolguy foo bar baz : asdf quux ", Message("FOO", ("bar", "baz", " asdf quux "), "coolguy")),
        ("foo bar :", Message("FOO", ("bar", ""))),
        ("foo bar ::-)", Message("FOO", ("bar", ":-)"))),
        ("foo b:r c::d", Message("FOO", ("b:r", "c::d"))),
        ("  foo   bar   ", Message("FOO", ("bar",))),
        ("@a=b;c=32;k;rt=ql7 foo", Message("FOO", (), "", {"a": "b", "c": "32", "k": "", "rt": "ql7"})),
        (
            r"@a=b\\and\nk;c=72\s45;d=gh\:764 foo",
            Message("FOO", (), "", {"a": "b\\and\nk", "c": "72 45", "d": "gh;764"}),
        ),
        ("@c;h=;a=b :quux ab cd", Message("AB", ("cd",), "quux", {"c": "", "h": "", "a": "b"})),
        ("@a=1;a=2 foo", Message("FOO", (), "", {"a": "2"})),
        (":src JOIN #chan", Message("JOIN", ("#chan",), "src")),
        ("PRIVMSG #attic :21.5 °C", Message("PRIVMSG", ("#attic", "21.5 °C"))),
        ("x " + " ".join("abcdefghijklmnop"), Message("X", (*"abcdefghijklmn", "o p"))),
    ],
)
def test_a_line_is_taken_apart(text: str, message: Message) -> None:
    assert parse(text) == message


@pytest.mark.parametrize("text", ["", "   ", ":source", ":source ", "@a=b", "@a=b  ", "@", ":", " : "])
def test_a_line_without_a_command_says_nothing(text: str) -> None:
    assert parse(text) is None


def test_escapes_of_tags() -> None:
    for value, escaped in ((r"a; b\c", r"a\:\sb\\c"), ("\r\n", r"\r\n"), ("°", "°")):
        assert (escape(value), unescape(escaped)) == (escaped, value)
    assert unescape("te\\st\\b\\") == "te" + " " + "tb"  # an unknown escape is the character; a lone backslash goes
    assert written([("+a", "b c"), ("d", "")]) == r"+a=b\sc;d"


def test_a_line_is_put_together_and_understood_again() -> None:
    data = line("gateway!g@board", "PRIVMSG", "#attic", "temperature 21.53 °C")
    assert data == ":gateway!g@board PRIVMSG #attic :temperature 21.53 °C\r\n".encode()
    assert parse(data.decode()[:-2]) == Message("PRIVMSG", ("#attic", "temperature 21.53 °C"), "gateway!g@board")
    assert line("s", "366", "a b", "", ":x", "End") == b":s 366 a_b * x :End\r\n"


def test_nothing_within_a_line_ends_it() -> None:
    assert line("s", "PRIVMSG", "#a", "one\r\nQUIT\0x") == b":s PRIVMSG #a :one  QUIT x\r\n"


def test_a_long_line_loses_its_tail_but_no_half_character() -> None:
    for text in ("°" * 400, "x" + "°" * 400):
        data = line("s", "PRIVMSG", "#a", text)
        assert BODY <= len(data) <= BODY + 2 and data.endswith(b"\r\n")
        assert data[:-2].decode().endswith("°")
    assert cut("a°".encode(), 2) == b"a"


def test_long_text_is_wrapped_at_blanks_and_never_within_a_character() -> None:
    words = " ".join(f"{at}°" for at in range(300))
    pieces = list(wrap(words, 100))
    assert all(len(piece.encode()) <= 100 for piece in pieces) and " ".join(pieces) == words
    solid = list(wrap("°" * 150, 101))
    assert [len(piece) for piece in solid] == [50, 50, 50] and list(wrap("short")) == ["short"]


def test_words_in_rows() -> None:
    assert list(rows(["aa", "bb", "cc"], 6)) == ["aa bb", "cc"] and list(rows([])) == []


def test_names_are_compared_without_case_in_ascii_only() -> None:
    assert fold("#ATTIC[]Ä") == "#attic[]Ä"
