"""Which rows of a device's memory go into a recording of its last minutes."""

from __future__ import annotations

from typing import Any

from gateway.record import last


def row(at: float, way: str, opening: bool = False) -> dict[str, Any]:
    return {"monotonic": at, "way": way, "opening": opening}


def conversation(*times: float, opening: bool = False) -> list[dict[str, Any]]:
    return [row(at + late, way, opening) for at in times for late, way in ((0, ">"), (0.1, "<"))]


BEGAN, RAN = conversation(1, 2, opening=True), conversation(3, 4, 5, 6)


def test_how_the_connection_began_comes_with_its_last_minutes() -> None:
    assert last([*BEGAN, *RAN], 5) == [*BEGAN, *RAN[4:]]
    assert last([*BEGAN, *RAN], 0) == [*BEGAN, *RAN]


def test_of_several_connections_it_is_the_last_one_s() -> None:
    again = conversation(7, opening=True)
    rows = [*BEGAN, *RAN, *again, *conversation(8, 9)]
    assert last(rows, 9) == [*again, *conversation(9)]
    assert last(rows, 7) == [*again, *conversation(8, 9)]
    assert last(rows, 5) == [*BEGAN, *rows[8:]]


def test_who_only_talks_has_nothing_to_begin_with() -> None:
    rows = [row(at, "<", at < 3) for at in range(9)]
    assert last(rows, 6) == rows[6:]


def test_what_is_over_is_no_part_of_it() -> None:
    assert last([*BEGAN, *RAN], 60) == [] and last([], 0) == []
