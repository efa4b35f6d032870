"""The raw bytes of a device that are kept: which, how many, and in how much memory."""

from __future__ import annotations

from sys import getsizeof
from typing import Any

from twisted.internet.task import Clock

from drivers.api import Edge, SetLines
from gateway.ring import JOINED, OPENING, PIECES, RING, Ring, edged, sent


def test_the_ring_is_bounded_and_keeps_the_newest() -> None:
    ring = Ring(lambda: 5.0)
    for at in range(100):
        ring.note("<", bytes([at]) * 1000)
    ring.note(">", b"?")
    kept = list(ring)
    assert sum(len(chunk.data) for chunk in kept) <= RING and kept[-2].data[-1:] == bytes([99])
    assert (kept[-1].way, kept[-1].at, ring.received) == (">", 5.0, 100_000)
    ring.note("<", b"x" * 100_000)
    assert [len(chunk.data) for chunk in ring] == [RING]


def test_a_ring_keeps_how_the_connection_began() -> None:
    time = Clock()
    ring = Ring(time.seconds)
    ring.note("<", b"before")
    ring.begin()
    ring.note(">", b"who?")
    ring.note("<", b"me")
    ring.begun()
    for number in range(5000):
        time.advance(1)
        ring.note("<", b"%d" % number)
        said = [chunk.data for chunk in ring]
        assert said[:2] == [b"who?", b"me"] or said[:3] == [b"before", b"who?", b"me"], number
        assert len(said) == len(set(said)) <= PIECES + 3
    assert said[-1] == b"4999" and b"2900" not in said
    ring.begin()
    assert b"who?" not in {chunk.data for chunk in ring}


def test_what_comes_at_once_is_one_piece() -> None:
    """An adapter delivers a dozen bytes at a time; a ring would be full of times."""
    time, heard = Clock(), list[Any]()
    ring = Ring(time.seconds)

    def come(way: str, *data: bytes) -> list[tuple[float, bytes]]:
        for each in data:
            ring.note(way, each)
            time.advance(JOINED / 4)
        return [(round(chunk.at / JOINED, 2), chunk.data) for chunk in ring]

    assert come("<", *b"a b c d e f g".split()) == [(0.0, b"abcde"), (1.25, b"fg")]
    assert come(">", b"?", b"!")[2:] == [(1.75, b"?"), (2.0, b"!")]  # what is sent is told apart
    assert come("<", b"h", b"i")[4:] == [(2.25, b"hi")]
    cancel = ring.follow(heard.append)  # and whoever follows tells by the time what he has
    assert come("<", b"j", b"k")[5:] == [(2.75, b"j"), (3.0, b"k")] and len(heard) == 2
    cancel()
    for _ in range(50):
        come("<", *[b"x" * 4000] * 3)
    assert ring.size <= RING and all(len(chunk.data) <= 4096 for chunk in ring)
    assert sum(len(chunk.data) for chunk in ring) == ring.size and len(list(ring)) == ring.count
    time.advance(1)
    for number in range(9000):
        ring.note("<", b"%04d" % number)
        time.advance(JOINED / 3)
    said = b"".join(chunk.data for chunk in ring)
    assert said == b"".join(b"%04d" % number for number in range(9000))[-len(said) :] and len(said) > 7000


def test_edges_have_their_own_times_in_a_ring_and_in_order() -> None:
    time, heard = Clock(), list[Any]()
    time.advance(10)
    ring = Ring(time.seconds)
    told = edged(heard.append, ring)
    edges = (Edge("up", True, 9.25), Edge("up", False, 9.5))
    told(edges)
    told((Edge("up", True, 9.0),))  # later told than seen
    told((Edge("up", False, 11.0),))
    assert heard[0] == edges and len(heard) == 3
    assert [(each.at, each.way, each.data) for each in ring] == [
        (9.25, "<", b"up 1\n"),
        (9.5, "<", b"up 0\n"),
        (9.5, "<", b"up 1\n"),
        (10.0, "<", b"up 0\n"),
    ]
    assert sent(SetLines((("up", True), ("down", False)))) == b"up 1\ndown 0\n"


def test_of_how_a_connection_began_no_more_is_kept_than_a_ring_holds() -> None:
    ring = Ring(Clock().seconds)
    ring.begin()
    for _ in range(1000):
        ring.note("<", bytes(4096))
    assert len(ring.first) <= OPENING + 4096 + 100
    ring.begin()
    for _ in range(1000):
        ring.note("<", b"x")
    assert len(ring.first) < 2000


def test_a_ring_takes_little_more_than_its_bytes() -> None:
    """A thousand devices that say six bytes at a time have one each."""
    ring = Ring(Clock().seconds)
    ring.begin()
    for _ in range(5000):
        ring.note("<", b"123456")
    assert len(list(ring)) > 1000
    assert sum(getsizeof(each) for each in (ring.packed, ring.first)) < 60_000
