"""Outputs of one device: what one of them does is nothing to the others."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from drivers import relay
from drivers.api import NoAnswer, Quantity, Value
from drivers.quantities import state
from gateway.hub import Card
from gateway.outputs import Outputs
from gateway.plan import Plan

FIRST, SECOND = state(writable=True), state(writable=True)


def plan() -> Plan:
    driver = replace(relay.DRIVER, quantities=(FIRST, SECOND))
    card = Card(name="x", label="", driver="relay", title="", documentation="", where="", period=0.0, settings={},
                quantities=driver.quantities)  # fmt: skip
    return Plan(card=card, driver=driver, settings=relay.Settings(), scales={}, limits={})


def test_one_that_cannot_be_set_does_not_keep_the_others_from_it() -> None:
    wrote, noted = list[Quantity](), list[Failure]()

    def write(quantity: Quantity, value: Value) -> Deferred[None]:
        wrote.append(quantity)
        return fail(NoAnswer("nobody")) if quantity is FIRST else succeed(None)

    outputs = Outputs(plan(), write, Clock(), noted.append)
    outputs.apply("off")
    assert wrote == [FIRST, SECOND]
    assert [str(failure.value) for failure in noted] == ["nobody"]


def test_those_that_are_on_are_switched_off_first_and_slow_ones_are_told() -> None:
    wrote, noted, time = list[Quantity](), list[Failure](), Clock()

    def write(quantity: Quantity, value: Value) -> Deferred[None]:
        wrote.append(quantity)
        return Deferred()

    outputs = Outputs(plan(), write, time, noted.append)
    outputs.seen({FIRST: False, SECOND: True})
    outputs.apply("off", 0.5)
    assert wrote == [SECOND]
    time.advance(0.5)
    assert [(failure.type, str(failure.value)) for failure in noted] == [
        (NoAnswer, "not all outputs were set within 0.5 s")
    ]
