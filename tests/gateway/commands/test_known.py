"""The short way: what was answered is answered again without looking, until it would be another answer."""

from __future__ import annotations

import pytest

from gateway.commands import Session, known
from gateway.commands.known import Known
from gateway.reading import Reading
from tests.gateway.commands.house import House

ATTIC, X = b"get attic.temperature", b"get x"


def form(reading: Reading) -> bytes:
    return f"{reading.value} {reading.quality}\n".encode()


@pytest.fixture
def house() -> House:
    house = House()
    house.measure()
    return house


@pytest.fixture
def session(house: House) -> Session:
    return house.open()


@pytest.fixture
def answers(house: House, session: Session) -> Known:
    answers = session.answers(form)
    session.perform("set x 1")
    answers.learn(ATTIC, "attic.temperature")
    answers.learn(X, "manual.x")
    assert answers.answer((ATTIC, X, ATTIC)) == b"21.53 good\n1 good\n21.53 good\n"
    return answers


def test_one_that_was_never_learned_spoils_the_whole(answers: Known) -> None:
    assert answers.answer((ATTIC, b"get y", X)) is None
    assert answers.answer((ATTIC,)) == b"21.53 good\n" and answers.answer(()) == b""


def test_it_is_another_answer_when_another_value_is_published(house: House, answers: Known) -> None:
    house.measure(22)
    assert answers.answer((ATTIC, X)) == b"22 good\n1 good\n"


def test_a_key_that_is_deleted_has_none_until_it_is_set_again(session: Session, answers: Known) -> None:
    session.perform("delete x")
    assert answers.answer((X,)) is None and answers.answer((ATTIC,)) == b"21.53 good\n"
    session.perform("set x 2")
    assert answers.answer((X,)) == b"2 good\n"


@pytest.mark.parametrize("forget", ["clear", "forget"])
def test_a_device_that_is_gone_has_none(house: House, session: Session, answers: Known, forget: str) -> None:
    if forget == "clear":
        session.perform("clear")
        assert answers.answer((X,)) is None and answers.answer((ATTIC,)) == b"21.53 good\n"
    else:
        house.hub.forget("attic")
        assert answers.answer((ATTIC,)) is None and answers.answer((X,)) == b"1 good\n"


def test_one_whose_time_is_up_has_none_and_others_still_have(house: House, answers: Known) -> None:
    house.time.advance(29)
    assert answers.answer((ATTIC, X)) == b"21.53 good\n1 good\n"
    house.time.advance(11)
    assert answers.answer((ATTIC, X)) is None and answers.answer((X,)) == b"1 good\n"


def test_it_is_another_answer_once_the_time_is_set(house: House, session: Session) -> None:
    answers = session.answers(lambda reading: reading.line)
    answers.learn(ATTIC, "attic.temperature")
    before = answers.answer((ATTIC,))
    house.clock.set(86_400.0)
    assert before and answers.answer((ATTIC,)) not in (before, None)


def test_they_are_shared_by_those_of_one_role_only(house: House, session: Session, answers: Known) -> None:
    assert house.open().answers(form) is answers
    assert session.answers(lambda reading: reading.json) is not answers
    assert house.open(1).answers(form) is not answers


def test_what_is_remembered_is_bounded(session: Session, answers: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "REQUESTS", 5)
    for number in range(100):
        answers.learn(b"%d" % number, "manual.x")
        answers.answer((b"%d" % number,))
    assert 1 <= len(answers.names) <= 5 and len(answers) <= 5
    answers.learn(b"x" * 257, "manual.x")
    assert answers.answer((b"x" * 257,)) is None
    session.perform(f"set x {'y' * 300}")
    answers.learn(X, "manual.x")
    assert answers.answer((X,)) is None  # the long way goes on by size
