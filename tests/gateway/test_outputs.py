"""Outputs of one device: what one of them does is nothing to the others, and who did it is on record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from drivers import relay
from drivers.api import NoAnswer, Quantity
from drivers.quantities import instance, state
from gateway import clock
from gateway.conditions import condition
from gateway.config import Rules
from gateway.handle import Card
from gateway.history.question import Deed
from gateway.hub import Hub
from gateway.memory import EVERY, Memory
from gateway.output import AGAIN, Locked, Switch
from gateway.outputs import PATIENCE, Outputs
from gateway.plan import Plan

FIRST, SECOND = instance(state(writable=True), "1"), instance(state(writable=True), "2")
DOOR, LEVEL = Quantity("contact", kind="flag"), Quantity("level", unit="m", digits=1)


class Board:
    """Two outputs that follow at once, unless they are *deaf*; and a hub with what they depend on."""

    def __init__(self, memory: Memory | None = None, switch: Switch | None = None, **rules: Any) -> None:
        self.time, self.memory = Clock(), memory or Memory()
        self.hub = Hub(clock.Clock(1, self.time.seconds))
        self.wrote, self.noted, self.deeds = list[tuple[str, bool]](), list[Failure](), list[Deed]()
        self.deaf = False
        driver = replace(relay.DRIVER, quantities=(FIRST, SECOND))
        card = Card(name="x", label="", driver="relay", title="", documentation="", where="", period=0.0, settings={},
                    quantities=driver.quantities)  # fmt: skip
        chosen = {each.name: Rules(**rules) for each in driver.quantities}
        plan = Plan(card=card, driver=driver, settings=relay.Settings(), scales={}, limits={}, rules=chosen)
        self.outputs = Outputs(
            plan, switch or self.put, self.hub, self.time, self.noted.append, self.memory, self.deeds.append
        )

    def put(self, quantity: Quantity, value: bool) -> Deferred[None]:
        try:
            self.outputs.check(quantity, value)
        except Locked:
            return fail()
        self.wrote.append((quantity.name, value))
        if self.deaf:
            return fail(NoAnswer("nobody"))
        self.outputs.seen({quantity: value})
        return succeed(None)

    def set(self, quantity: Quantity, value: bool) -> str:
        """As a client does; what it is told."""
        told: list[Failure] = []
        self.put(quantity, value).addCallback(lambda _: self.outputs.asked(quantity)).addErrback(told.append)
        return told[0].getErrorMessage() if told else "OK"

    def is_on(self, quantity: Quantity = FIRST) -> bool | None:
        return self.outputs.all[quantity].value

    def tell(self, **values: Any) -> None:
        for name, value in values.items():
            self.hub.publish("tank", {DOOR if name == "contact" else LEVEL: value}, keeps=5.0)


def test_one_that_cannot_be_set_does_not_keep_the_others_from_it() -> None:
    board = Board()
    board.deaf = True
    board.outputs.begin()
    assert board.wrote == [("state_1", False), ("state_2", False)]
    assert [str(failure.value) for failure in board.noted] == ["nobody"] * 2
    assert [deed.result for deed in board.deeds] == ["no-answer nobody"] * 2


def test_what_could_not_be_put_where_the_policy_wants_it_is_tried_again() -> None:
    board = Board(start="off", loss="off", stop="off")
    board.outputs.seen({FIRST: True, SECOND: True})
    board.deaf = True
    board.outputs.begin()
    board.outputs.seen({FIRST: True, SECOND: True})  # it is asked, and says so
    board.time.advance(AGAIN)
    board.deaf = False
    board.time.advance(AGAIN)
    assert not board.is_on(FIRST) and not board.is_on(SECOND)
    assert [deed.result for deed in board.deeds] == ["no-answer nobody"] * 2 + ["OK"] * 2
    done = len(board.wrote)
    assert done == 6 and not board.time.getDelayedCalls(), "and no more"


def test_who_sets_what_could_not_be_put_where_the_policy_wants_it_has_the_last_word() -> None:
    board = Board()
    board.deaf = True
    board.outputs.begin()
    board.deaf = False
    assert board.set(FIRST, True) == "OK"
    board.time.advance(2 * AGAIN)
    assert board.is_on(FIRST) and board.is_on(SECOND) is False
    board.outputs.seen({SECOND: False})
    assert not board.time.getDelayedCalls()


def test_what_there_was_no_time_for_is_tried_again_but_not_behind_a_stop() -> None:
    wrote = list[tuple[Quantity, bool]]()

    def switch(quantity: Quantity, value: bool) -> Deferred[None]:
        wrote.append((quantity, value))
        return Deferred()

    board = Board(switch=switch)
    board.outputs.seen({FIRST: False, SECOND: True})
    board.outputs.begin()
    assert wrote == [(SECOND, False)]
    board.time.pump([PATIENCE, AGAIN])
    assert wrote[1:] == [(SECOND, False), (FIRST, False)]
    board.outputs.rest()
    board.outputs.stop(0.5)
    board.time.advance(0.5)
    board.outputs.rest()
    assert not board.time.getDelayedCalls()


def test_those_that_are_on_are_switched_off_first_and_slow_ones_are_told() -> None:
    wrote = list[Quantity]()

    def switch(quantity: Quantity, value: bool) -> Deferred[None]:
        wrote.append(quantity)
        return Deferred()

    board = Board(switch=switch)
    board.outputs.seen({FIRST: False, SECOND: True})
    board.outputs.stop(0.5)
    assert wrote == [SECOND]
    board.time.advance(0.5)
    assert [(failure.type, str(failure.value)) for failure in board.noted] == [
        (NoAnswer, "not all outputs were set within 0.5 s")
    ]


# Who did it


def test_what_a_rule_does_is_audited_and_told() -> None:
    board = Board(max_on=10.0)
    board.outputs.begin()
    assert board.set(FIRST, True) == "OK"
    board.time.advance(10)
    assert [(deed.who, deed.interface, deed.name, deed.old, deed.new, deed.result) for deed in board.deeds] == [
        ("gateway", "rule:start", "x.state_1", "-", "off", "OK"),
        ("gateway", "rule:start", "x.state_2", "-", "off", "OK"),
        ("gateway", "rule:max_on", "x.state_1", "on", "off", "OK"),
    ]
    assert board.outputs.why == {"state_1": "max_on: on for 10 s", "state_2": "start: off"}
    board.set(FIRST, True)
    assert board.outputs.why == {"state_2": "start: off"}


def test_of_a_failure_that_lasts_the_first_is_audited_and_all_are_tried() -> None:
    board = Board(max_on=10.0)
    board.set(FIRST, True)
    board.deaf = True
    board.time.pump([10, AGAIN, AGAIN])
    assert len(board.wrote) == 4 and len(board.noted) == 3
    assert [deed.result for deed in board.deeds] == ["no-answer nobody"]
    board.deaf = False
    board.time.pump([AGAIN, AGAIN])
    assert [deed.result for deed in board.deeds] == ["no-answer nobody", "OK"] and len(board.wrote) == 5


# The longest time, and the dead man's


def test_being_seen_on_again_is_no_new_start_and_being_set_is() -> None:
    """A board that is asked says each time that it is on."""
    board = Board(max_on=10.0)
    board.set(FIRST, True)
    for _ in range(9):
        board.time.advance(1)
        board.outputs.seen({FIRST: True})
    assert board.is_on()
    board.set(FIRST, True)
    board.time.advance(9)
    assert board.is_on()
    board.time.advance(1)
    assert not board.is_on()


def test_a_loss_is_no_new_start() -> None:
    """Else what is lost again and again is never switched off."""
    board = Board(max_on=10.0, start="hands-off", loss="hands-off")
    board.set(FIRST, True)
    for _ in range(3):
        board.time.advance(3)
        board.outputs.rest()
        board.outputs.begin()
        board.outputs.seen({FIRST: True})
    board.time.advance(0.9)
    assert board.is_on()
    board.time.advance(0.1)
    assert not board.is_on()
    board.set(FIRST, True)
    board.outputs.rest()
    board.time.advance(60)  # it may have been on all the while
    board.outputs.seen({FIRST: True})
    board.time.advance(0)
    assert not board.is_on()


@pytest.mark.parametrize("loss", ["off", "on"])
def test_what_is_not_set_again_in_time_goes_where_it_is_safe(loss: Any) -> None:
    board, safe = Board(renew=30.0, loss=loss), loss == "on"
    board.set(FIRST, not safe)
    for _ in range(4):
        board.time.advance(29)
        assert board.set(FIRST, not safe) == "OK"
    board.time.advance(29)
    assert board.is_on() is not safe
    board.time.advance(1)
    assert board.is_on() is safe
    assert board.outputs.why == {"state_1": "renew: not set again within 30 s"}
    assert [(deed.interface, deed.new) for deed in board.deeds] == [("rule:renew", loss)]
    board.time.pump([30.0] * 3)
    assert len(board.deeds) == 1 and not board.time.getDelayedCalls()


# What must hold


def only(*conditions: str) -> tuple[Any, ...]:
    return tuple(map(condition, conditions))


@pytest.mark.parametrize(
    ("what", "told", "why"),
    [
        ("tank.contact", {"contact": False}, "tank.contact is off"),
        ("not tank.contact", {"contact": True}, "tank.contact is on"),
        ("tank.level > 2", {"level": 2.0}, "tank.level is 2.0, not > 2"),
        ("tank.level < -2.5", {"level": 3.0}, "tank.level is 3.0, not < -2.5"),
        ("tank.contact", {}, "tank.contact has no value"),
        ("tank.contact > 2", {"contact": True}, "tank.contact is on"),
    ],
)
def test_what_does_not_hold_refuses_on_and_never_off(what: str, told: dict[str, Any], why: str) -> None:
    board = Board(only_if=only(what))
    board.tell(**told)
    assert board.set(FIRST, True) == f"x.state_1 stays off: {why}"
    assert board.set(FIRST, False) == "OK" and board.wrote == [("state_1", False)]


@pytest.mark.parametrize(
    ("what", "told", "then", "why"),
    [
        ("tank.contact", {"contact": True}, {"contact": False}, "tank.contact is off"),
        ("not tank.contact", {"contact": False}, {"contact": True}, "tank.contact is on"),
        ("tank.level > 2", {"level": 2.1}, {"level": 1.9}, "tank.level is 1.9, not > 2"),
    ],
)
def test_what_no_longer_holds_switches_off_and_nothing_switches_on_again(
    what: str, told: dict[str, Any], then: dict[str, Any], why: str
) -> None:
    board = Board(only_if=only(what))
    board.tell(**told)
    assert board.set(FIRST, True) == "OK"
    board.time.advance(0)
    board.tell(**then)
    board.time.advance(0)
    assert not board.is_on() and board.outputs.why == {"state_1": f"only_if: {why}"}
    assert [(deed.interface, deed.old, deed.new) for deed in board.deeds] == [("rule:only_if", "on", "off")]
    board.tell(**told)
    board.time.pump([1.0] * 3)
    assert not board.is_on() and not board.time.getDelayedCalls()


def test_what_is_stale_or_gone_no_longer_holds() -> None:
    for vanish, why in ("", "stale"), ("tank", "has no value"):
        board = Board(only_if=only("tank.contact"))
        board.tell(contact=True)
        assert board.set(FIRST, True) == "OK"
        board.time.pump([1.0] * 4)
        assert board.is_on()
        board.hub.forget(vanish)
        board.time.pump([1.0] * 3)
        assert not board.is_on() and why in board.outputs.why["state_1"]


def test_a_suspect_value_does_not_hold() -> None:
    board = Board(only_if=only("tank.level > 2"))
    board.hub.publish("tank", {LEVEL: 3.0}, suspect=(LEVEL,))
    assert board.set(FIRST, True) == "x.state_1 stays off: tank.level is suspect"


def test_seen_on_against_the_rule_it_is_switched_off() -> None:
    """Somebody pressed the button on the board."""
    board = Board(only_if=only("tank.contact"))
    board.outputs.seen({FIRST: True})
    board.time.advance(0)
    assert board.wrote == [("state_1", False)]


def test_an_output_on_its_way_to_on_counts_as_on() -> None:
    board = Board(only_if=only("not y.state"))
    other = Quantity("state", kind="flag", writable=True)
    board.hub.publish("y", {other: False})
    board.hub.rising.add("y.state")
    assert board.set(FIRST, True) == "x.state_1 stays off: y.state is being switched"
    board.hub.rising.clear()
    assert board.set(FIRST, True) == "OK"
    board.deaf = True
    board.set(SECOND, True)
    assert board.hub.rising == {"x.state_2"}  # no answer: it may be on
    board.deaf = False
    board.outputs.seen({SECOND: False})
    assert board.hub.rising == set()


# Where it was last


def test_last_goes_on_after_a_restart_where_it_was_before_the_stop() -> None:
    memory = Memory()
    board = Board(memory, start="last", loss="last")
    board.outputs.begin()
    board.set(FIRST, True)
    board.set(SECOND, False)
    board.outputs.rest()
    board.outputs.stop(1)
    assert not board.is_on()
    again = Board(memory, start="last", loss="last")
    assert again.outputs.all[FIRST].last is True
    again.outputs.seen({FIRST: False, SECOND: False})  # what a power cut made of it
    again.outputs.begin()
    assert again.wrote == [("state_1", True), ("state_2", False)]


def test_last_is_written_at_once_and_then_at_most_twice_a_minute() -> None:
    class Counting(Memory):
        count = 0

        def save(self, name: str, data: bytes) -> None:
            self.count += 1
            super().save(name, data)

    memory = Counting()
    board = Board(memory, start="last")
    board.outputs.begin()
    board.set(FIRST, True)
    assert memory.count == 1
    for value in (False, True) * 10:
        board.set(FIRST, value)
        board.time.advance(1)
    assert memory.count == 1
    board.set(FIRST, False)
    board.time.advance(EVERY)
    assert memory.count == 2 and memory.load("outputs:x") == b'{"state_1":false}'
    assert Board(Counting()).outputs.past.outputs == {}  # nothing is kept that nobody asks for


def test_broken_memory_is_none() -> None:
    memory = Memory()
    memory.save("outputs:x", b"{broken")
    assert Board(memory, start="last").outputs.all[FIRST].last is None


def test_levels_of_lines_are_those_of_the_policy() -> None:
    driver = replace(relay.DRIVER, quantities=(relay.STATE,))
    card = Card(name="x", label="", driver="relay", title="", documentation="", where="", period=0.0, settings={},
                quantities=driver.quantities)  # fmt: skip
    memory, time = Memory(), Clock()
    memory.save("outputs:x", b'{"state":true}')

    def levels(start: Any) -> dict[str, bool] | None:
        plan = Plan(card=card, driver=driver, settings=relay.Settings("low"), scales={}, limits={},
                    rules={"state": Rules(start=start)})  # fmt: skip
        hub = Hub(clock.Clock(1, time.seconds))
        return Outputs(plan, lambda *_: succeed(None), hub, time, lambda _: None, memory).levels()

    assert levels("off") == {"line": True} and levels("on") == levels("last") == {"line": False}
    assert levels("hands-off") is None
