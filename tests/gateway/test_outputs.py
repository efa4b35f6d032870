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


def test_one_that_cannot_be_set_does_not_keep_the_others_from_it() -> None:
    wrote, noted = list[Quantity](), list[Failure]()

    def write(quantity: Quantity, value: Value) -> Deferred[None]:
        wrote.append(quantity)
        return fail(NoAnswer("nobody")) if quantity is FIRST else succeed(None)

    driver = replace(relay.DRIVER, quantities=(FIRST, SECOND))
    card = Card(name="x", label="", driver="relay", title="", documentation="", where="", period=0.0, settings={},
                quantities=driver.quantities)  # fmt: skip
    plan = Plan(card=card, driver=driver, settings=relay.Settings(), scales={}, limits={})
    outputs = Outputs(plan, write, Clock(), noted.append)
    outputs.apply("off")
    assert wrote == [FIRST, SECOND]
    assert [str(failure.value) for failure in noted] == ["nobody"]
