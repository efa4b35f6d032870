"""Keys that people make, and what their values are."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.api import BadValue, Quantity
from gateway import manual as module
from gateway.clock import Clock
from gateway.hub import Hub
from gateway.manual import Manual, understood
from gateway.reading import Readings


@pytest.fixture
def manual() -> Manual:
    return Manual(Hub(Clock(1, lambda: 0.0)))


@pytest.mark.parametrize(
    ("text", "kind", "value", "digits"),
    [
        ("on", "flag", True, 0), ("false", "flag", False, 0), ("On", "text", "On", 0),
        ("21", "int", 21, 0), ("-3", "int", -3, 0), ("+3", "int", 3, 0), ("0", "int", 0, 0),
        ("21.50", "float", 21.5, 2), ("-0.000000001", "float", -1e-9, 9),
        ("0.30000000000000004", "float", 0.30000000000000004, 9), ("0." + "1" * 21, "text", "0." + "1" * 21, 0),
        ("007", "text", "007", 0), ("1.", "text", "1.", 0), (".5", "text", ".5", 0), ("1e3", "text", "1e3", 0),
        ("1" * 16, "text", "1" * 16, 0), ("1_0", "text", "1_0", 0), ("٣", "text", "٣", 0), ("nan", "text", "nan", 0),
        ("two  words", "text", "two  words", 0), ('"21"', "text", "21", 0), ('"a\\nb"', "text", "a\nb", 0),
        ('""', "text", "", 0), ("x" * 4096, "text", "x" * 4096, 0),
    ],
)  # fmt: skip
def test_what_a_text_stands_for(text: str, kind: str, value: Any, digits: int) -> None:
    quantity, found = understood("k", text)
    assert (quantity.kind, found, type(found), quantity.digits) == (kind, value, type(value), digits)
    assert quantity.check(found) == value and quantity.writable


@pytest.mark.parametrize(
    "text", ['"open', '"a" b', '"half a character: \\ud800"', "x" * 4097, '"' + "\\u0041" * 4097 + '"', '"a\tb"']
)
def test_what_stands_for_nothing(text: str) -> None:
    with pytest.raises(BadValue, match="^k: ") as caught:
        understood("k", text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("key", ["target", "room-1/lamp:2", "größe", "x" * 64, "7"])
def test_a_key(manual: Manual, key: str) -> None:
    manual.set(key, "1")
    assert manual.hub.latest[f"manual.{key}"].value == 1


@pytest.mark.parametrize("key", ["", "x" * 65, "a.b", "a b", "a*", "a[", "a?", "a\n", "\ud800", "a\u2028"])
def test_no_key(manual: Manual, key: str) -> None:
    with pytest.raises(BadValue, match="is no key"):
        manual.set(key, "1")
    assert manual.keys == {} == manual.hub.latest


def test_a_key_keeps_its_quantity_while_its_values_are_of_one_kind(manual: Manual) -> None:
    manual.set("k", "21.5")
    quantity = manual.keys["k"]
    manual.set("k", "22.5")
    assert manual.keys["k"] is quantity is manual.hub.latest["manual.k"].quantity
    manual.set("k", "off")
    assert manual.keys["k"].kind == "flag" and manual.hub.latest["manual.k"].value is False
    assert manual.card.quantities == (manual.keys["k"],) and manual.card.name == "manual"


@pytest.mark.parametrize(
    ("text", "kind", "value", "unit"),
    [
        ("21.5 °C", "float", 21.5, "°C"), ("5kV", "int", 5, "kV"), ("7 degC", "int", 7, "°C"),
        ("1500 1/min", "int", 1500, "1/min"),
        ("5 apples", "text", "5 apples", ""), ("5 1", "text", "5 1", ""), ("5 5", "text", "5 5", ""),
        ("007 V", "text", "007 V", ""),
        ('"5 V"', "text", "5 V", ""), ("5 V ", "text", "5 V ", ""), ("at 5 V", "text", "at 5 V", ""),
        ("on V", "text", "on V", ""),
    ],
)  # fmt: skip
def test_a_number_may_have_a_unit(text: str, kind: str, value: Any, unit: str) -> None:
    quantity, found = understood("k", text)
    assert (quantity.kind, found, quantity.unit) == (kind, value, unit)


def test_a_key_keeps_its_unit(manual: Manual) -> None:
    for text, told in (
        ("20 °C", "20 °C"),
        ("21", "21 °C"),
        ("77 °F", "25.000 °C"),
        ("22.5", "22.5 °C"),
        ("off", "off -"),
    ):
        manual.set("k", text)
        assert " ".join(manual.hub.latest["manual.k"].text.split()[1:3]) == told
    manual.set("k", "20 °C")
    with pytest.raises(BadValue, match="k is in °C, not V; delete it to begin anew"):
        manual.set("k", "5 V")
    manual.delete("k")
    manual.set("k", "5 V")
    assert manual.keys["k"].unit == "V"


def test_what_is_converted_keeps_three_digits_that_count(manual: Manual) -> None:
    for key, first, then, told in (
        ("share", "12 %", "1 ppm", "0.0001000 %"),
        ("mass", "1 t", "5 g", "0.000005000 t"),
        ("none", "1 t", "0 g", "0.000 t"),
    ):
        manual.set(key, first)
        manual.set(key, then)
        assert " ".join(manual.hub.latest[f"manual.{key}"].text.split()[1:3]) == told


def test_there_are_only_so_many_keys(manual: Manual, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYS", 2)
    manual.set("a", "1")
    manual.set("b", "1")
    with pytest.raises(BadValue, match="2 keys already"):
        manual.set("c", "1")
    manual.set("a", "2")
    manual.delete("b")
    manual.set("c", "1")
    assert set(manual.hub.latest) == {"manual.a", "manual.c"}


def test_what_is_deleted_is_gone(manual: Manual) -> None:
    manual.set("a", "1")
    manual.set("b", "1")
    assert manual.delete("a") and not manual.delete("a")
    assert set(manual.keys) == {"b"} and set(manual.hub.latest) == {"manual.b"}
    assert manual.clear() == 1 and manual.keys == {} == manual.hub.latest


def test_values_go_out_like_any_other(manual: Manual) -> None:
    taken: list[Readings] = []
    manual.hub.subscribe(taken.append, "manual.*")
    manual.set("k", "1")
    (quantity,) = manual.keys.values()
    done: list[object] = []
    manual.write(quantity, 2).addBoth(done.append)
    manual.write(quantity, "no number").addBoth(done.append)
    assert [readings[0].value for readings in taken] == [1, 2]
    assert done[0] is None and done[1].check(BadValue)  # type: ignore[attr-defined]
    manual.write(Quantity("never", kind="int", high=5), 1).addBoth(done.append)
    assert set(manual.hub.latest) == {"manual.k"} and done[2].check(BadValue)  # type: ignore[attr-defined]
