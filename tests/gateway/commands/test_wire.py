"""Raw bytes: those that were, and those that come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.commands import Row, Session
from tests.gateway.commands.house import House, say

NOW = "2026-11-20T17:00:00.000Z"


class Asker:
    """Takes rows while it wants."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.wants = True

    def pour(self, rows: tuple[Row, ...]) -> bool:
        if self.wants:
            self.rows += rows
        return self.wants


@pytest.fixture
def asker() -> Asker:
    return Asker()


@pytest.fixture
def session(house: House, asker: Asker) -> Session:
    session = house.open()
    session.pour = asker.pour
    return session


def test_what_went_over_the_wire(house: House, session: Session) -> None:
    house.attic.ring.note(">", b"\x24\x00")
    house.attic.ring.note("<", b"0123456789abcdef\xff~\n")
    assert say(session, "log attic") == [
        f"{NOW} > 24 00                                            $.",
        f"{NOW} < 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        f"{NOW} < ff 7e 0a                                         .~.",
        "OK 3",
    ]
    assert say(session, "log attic 1")[0].endswith(".~.") and say(session, "log pump") == ["OK 0"]
    answer: Any = session.perform("log attic 1")
    assert json.loads(answer.rows[0].json) == {
        "device": "attic", "time": NOW, "monotonic": 0.0, "way": "<", "hex": "ff7e0a", "text": ".~.", "opening": False,
    }  # fmt: skip


def test_an_answer_is_told_from_its_question_by_its_time(house: House, session: Session) -> None:
    """`record --live` takes what is later than what it has."""
    house.attic.ring.note(">", b"?")
    house.time.advance(0.000_2)
    house.attic.ring.note("<", b"!")
    answer: Any = session.perform("log attic")
    asked, came = (json.loads(row.json)["monotonic"] for row in answer.rows)
    assert asked < came


def test_live(house: House, session: Session, asker: Asker) -> None:
    assert say(session, "log attic live") == ["OK"] and say(session, "log attic live") == ["OK"]
    say(session, "log pump live")
    house.attic.ring.note("<", b"hi")
    assert [row.text for row in asker.rows] == [f"attic {NOW} < 68 69                                            hi"]
    assert say(session, "unlog attic") == ["OK 1"] and say(session, "unlog attic") == ["OK 1"]
    house.attic.ring.note("<", b"no more")
    assert len(asker.rows) == 1 and say(session, "unlog") == ["OK 0"]
    assert house.attic.ring.followers == house.pump.ring.followers == {}


def test_who_is_slow_is_told_how_much_was_lost(house: House, session: Session, asker: Asker) -> None:
    say(session, "log attic live")
    asker.wants = False
    for _ in range(3):
        house.attic.ring.note("<", b"x" * 20)
    asker.wants = True
    house.attic.ring.note("<", b"y")
    assert [row.text.split()[2:] for row in asker.rows] == [
        ["!", *["6", "lines", "before", "this", "were", "lost:", "you", "read", "too", "slowly"]], ["<", "79", "y"],
    ]  # fmt: skip
    assert asker.rows[0].data["lost"] == 6
    house.attic.ring.note("<", b"z")
    assert len(asker.rows) == 3


def test_leaving_ends_it(house: House, session: Session, asker: Asker) -> None:
    say(session, "log attic live")
    session.close()
    house.attic.ring.note("<", b"x")
    assert asker.rows == [] and house.attic.ring.followers == {}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("log atic", "ERR unknown atic: no such device; did you mean `attic`?"),
        ("log attic 0", "ERR syntax 0 is no number from 1 to 8000"),
        ("log attic alive", "ERR syntax alive is no number from 1 to 8000"),
        ("log", "ERR syntax usage: log DEVICE [N|live]; for example: log attic"),
    ],
)
def test_what_is_refused(session: Session, line: str, status: str) -> None:
    assert say(session, line) == [status]


def test_who_cannot_be_told_is_shown_the_way(house: House) -> None:
    assert say(house.open(), "log attic live") == ["ERR denied nothing can be pushed to you here; try `log attic`"]
    assert say(house.open(1), "log attic")[0].startswith("ERR denied `log` takes the role operator")


def test_before_the_time_is_known() -> None:
    house = House(wall=None)
    house.time.advance(1.5)
    house.attic.ring.note("<", b"x")
    assert say(house.open(), "log attic")[0].startswith("+1.500 < 78 ")
