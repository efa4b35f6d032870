"""The short way of both dialects: whoever asks again hears what somebody hears who never asked before."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.interfaces.query.dialect import BATCH
from tests.gateway.commands.house import House
from tests.gateway.interfaces.query.talk import Talk, said

GET = said("GET", "attic.temperature")
TEXT = [
    b"get attic.temperature\n", b"get attic.temperature\r\nget x\r\n", b"get attic.temperature\nget pump.state\n",
    b"set x 1\n", b"get x\nget attic.temperature\nget x\n", b"GET x\n get x\nget  x\nget x x\nget *\n",
    b"json on\nget x\n", b"get x\n", b"get attic.temperature\nget x\n", b"json off\n", b"get x\n",
    b"set x 2\n", b"get x\n" * 3, b"set x on\nget x\n", b"delete x\nget x\n", b"get x\n", b"read x\n", b"read attic\n",
    b"get attic.temp", b"erature\nget x", b"\n", b"set long " + b"y" * 1000 + b"\n", b"get long\n" * 2,
    b"\n", b"get attic.temperature\n" * (BATCH + 1),
]  # fmt: skip
RESP = [
    GET, GET * 3, said("SET", "x", "1"), said("GET", "x") + GET, said("GET", "manual.x") + said("get", "x"),
    said("GET", "a*b") + GET, said("GET", "*"), said("MULTI") + GET, GET, said("EXEC"), GET, said("SUBSCRIBE", "x"),
    GET, said("UNSUBSCRIBE", "x"), GET, said("HELLO", "3"), said("SUBSCRIBE", "*1"), GET, GET[:-9], GET[-9:] + GET,
    said("DEL", "x"), said("GET", "x"), said("ECHO", GET), b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % len(GET), GET, b"\r\n", GET,
    GET * (BATCH + 1), said("RESET"), GET,
]  # fmt: skip


def heard(talk: Talk, chunk: bytes, step: int) -> bytes:
    for at in range(0, len(chunk), step):
        talk.send(chunk[at : at + step])
    answer: Any = talk.transport.value()
    talk.transport.clear()
    return bytes(answer)


@pytest.mark.parametrize("chunks", [TEXT, RESP], ids=["text", "resp"])
def test_it_is_what_the_long_way_says(chunks: list[bytes]) -> None:
    """A request that comes byte by byte never takes the short way."""
    asked, never = Talk(), Talk()
    for _ in range(3):
        for chunk in chunks:
            assert heard(asked, chunk, len(chunk)) == heard(never, chunk, 1), chunk
        asked.house.measure(22.5)
        never.house.measure(22.5)


@pytest.mark.parametrize("ask", [b"get attic.temperature\n", b"get attic.temperature\r\n", GET])
def test_others_asked_before(ask: bytes) -> None:
    """What one has learned, all know; and nothing is performed any more."""
    house = House()
    house.measure()
    first, second = Talk(house), Talk(house)
    answer = heard(first, ask, len(ask))
    heard(second, ask[:1], 1)
    heard(second, ask[1:], len(ask))
    second.port.proceed = None  # type: ignore[assignment,method-assign]  # the door to the long way
    assert b"21.53" in answer and heard(second, ask * BATCH, len(ask) * BATCH) == answer * BATCH


@pytest.mark.parametrize("ask", [b"get attic.temperature\n", GET])
def test_a_device_that_fell_silent(ask: bytes) -> None:
    talk = Talk()
    assert b"21.53" in heard(talk, ask, len(ask))
    assert b"21.53" in heard(talk, ask, len(ask))
    talk.house.time.advance(33)
    assert heard(talk, ask, len(ask)) == (b"$-1\r\n" if ask == GET else heard(talk, ask, 1))
