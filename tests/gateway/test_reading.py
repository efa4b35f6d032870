"""How a reading looks outside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet import task

from drivers.api import Quantity
from drivers.quantities import temperature
from gateway.clock import Clock
from gateway.reading import Reading, encode

WALL = 1_795_194_000.0
NOW = "2026-11-20T17:00:00.000Z"


def reading(quantity: Quantity, value: Any, wall: float | None = WALL, **more: Any) -> Reading:
    clock = Clock(7, task.Clock().seconds)
    if wall is not None:
        clock.set(wall)
    return Reading(f"attic.{quantity.name}", quantity, value, 7, 42, 0.0, clock, **more)


TEMPERATURE = temperature(-40, 125, digits=2)


@pytest.mark.parametrize(
    ("quantity", "value", "word", "data"),
    [
        (TEMPERATURE, 21.534, "21.53 °C", 21.53),
        (TEMPERATURE, 21, "21.00 °C", 21.0),
        (TEMPERATURE, -0.001, "0.00 °C", 0.0),
        (Quantity("co2", "ppm", high=5000), 417.6, "418 ppm", 418.0),
        (Quantity("count", kind="int", high=9), 7, "7 -", 7),
        (Quantity("state", kind="flag"), True, "on -", True),
        (Quantity("state", kind="flag"), False, "off -", False),
        (Quantity("mode", kind="choice", choices=("eco",)), "eco", "eco -", "eco"),
        (Quantity("note", kind="text"), "Größe 1", '"Größe 1" -', "Größe 1"),
        (Quantity("note", kind="text"), "", '"" -', ""),
    ],
)
def test_five_columns_and_an_object(quantity: Quantity, value: Any, word: str, data: Any) -> None:
    made = reading(quantity, value)
    assert made.text == f"attic.{quantity.name} {word} {NOW} good" and made.line == f"{made.text}\n".encode()
    assert json.loads(made.json) == {
        "name": f"attic.{quantity.name}", "value": data, "unit": quantity.unit, "time": NOW, "quality": "good",
        "boot": 7, "seq": 42, "monotonic": 0.0,
    }  # fmt: skip
    assert type(json.loads(made.json)["value"]) is type(data)
    assert b":-0.0," not in made.json


@pytest.mark.parametrize(
    "text", ["a\nb\r\0", 'a "quoted" \\ one', "\x1b[2J\x9b", "\u2028\u202e", "half \ud83d", "😀\x85"]
)
def test_any_text_is_one_line_that_can_be_shown_and_read_back(text: str) -> None:
    made = reading(Quantity("note", kind="text"), text)
    assert made.text.isprintable() and len(made.line.decode().splitlines()) == 1
    word = made.text.removeprefix("attic.note ").removesuffix(f" - {NOW} good")
    assert json.loads(word) == text == json.loads(made.json)["value"]


def test_the_forms_are_made_once_and_anew_when_the_clock_is_set() -> None:
    made = reading(TEMPERATURE, 21.5, wall=None)
    assert (made.text, made.quality, made.wall) == ("attic.temperature 21.50 °C +0.000 unsynced", "unsynced", None)
    assert json.loads(made.json)["time"] is None
    assert made.text is made.text and made.line is made.line and made.json is made.json
    made.clock.set(WALL)
    assert made.text.endswith(f"{NOW} good") and made.line.endswith(f"{NOW} good\n".encode())
    assert json.loads(made.json)["time"] == NOW and made.wall == WALL


def test_a_doubtful_one_says_so_also_before_the_time_is_known() -> None:
    assert reading(TEMPERATURE, 99.0, mark="suspect").text.endswith(f"{NOW} suspect")
    assert reading(TEMPERATURE, 99.0, wall=None, mark="suspect").text.endswith("+0.000 suspect")


def test_stale_is_seen_not_kept() -> None:
    time = task.Clock()
    made = Reading("a.t", TEMPERATURE, 1.0, 1, 1, 0.0, Clock(1, time.seconds), until=10.0)
    assert not made.stale() and not reading(TEMPERATURE, 1.0).stale()
    time.advance(10)
    assert not made.stale()
    time.advance(0.001)
    assert made.stale() and made.text.endswith("unsynced")
    assert made.columns("stale").endswith(" stale") and made.data("stale")["quality"] == "stale"


def test_what_msgspec_refuses_is_encoded_all_the_same() -> None:
    assert json.loads(encode({"path": "/dev/\udcff", "at": [1, None]})) == {"path": "/dev/\udcff", "at": [1, None]}
