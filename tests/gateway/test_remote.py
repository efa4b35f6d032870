"""The Twisted client against the real query port, on a real reactor that the test turns itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from gateway.client import GatewayError, Point, Reading
from gateway.commands import Who
from gateway.interfaces.query import Query
from gateway.interfaces.query.port import Port
from gateway.reactor import Reactor
from gateway.remote import Remote, connect, patterns
from tests.gateway.commands.house import House

NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)


class Served:
    """A house behind the query port."""

    def __init__(self) -> None:
        self.reactor: Any = Reactor()
        self.house = House()
        self.house.measure()
        self.ports: list[Port] = []
        self.listen(0)
        self.remotes: list[Remote] = []

    def listen(self, port: int) -> None:
        query = Query(self.house.commands, self.reactor)
        build = query.buildProtocol

        def built(address: Any) -> Port:
            self.ports.append(build(address))
            return self.ports[-1]

        query.buildProtocol = built  # type: ignore[method-assign, assignment]
        self.listening = self.reactor.listenTCP(port, query, interface="127.0.0.1")
        self.port: int = self.listening.getHost().port

    def connect(self, timeout: float = 5.0) -> Remote:
        self.remotes.append(connect(self.reactor, f"tcp:127.0.0.1:{self.port}", timeout))
        return self.remotes[-1]

    def turn(self, until: Callable[[], Any], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "waited in vain"
            self.reactor.iterate(0.01)
            self.house.time.advance(0)

    def get(self, wanted: Deferred[Any]) -> Any:
        """What *wanted* gives, or raises."""
        found: list[Any] = []
        wanted.addBoth(found.append)
        self.turn(lambda: found)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def cut(self) -> None:
        """Break every connection, and listen no more."""
        self.listening.stopListening()
        for port in self.ports:
            port.way.abortConnection()
        self.ports.clear()
        for _ in range(5):
            self.reactor.iterate(0.01)

    def close(self) -> None:
        for remote in self.remotes:
            remote.close()
        self.cut()
        self.reactor.removeAll()
        self.reactor._poller.close()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.close()


def test_readings_are_typed(served: Served) -> None:
    remote = served.connect()
    assert served.get(remote.get("attic.temperature")) == Reading("attic.temperature", 21.53, "°C", NOW, "good")
    assert served.get(remote.get("pump.state")) == Reading("pump.state", None, "", None, "stale")
    assert [each.name for each in served.get(remote.readings())] == ["attic.humidity", "attic.temperature"]
    assert served.get(remote.readings("attic.hum*"))[0].value == 40.0
    for value in (True, 5, -2.5, "eco", "two words", ' "quoted"\nand more ', ""):
        served.get(remote.set("key", value))
        found = served.get(remote.get("key")).value
        assert found == value and type(found) is type(value)


def test_get_takes_one_name(served: Served) -> None:
    remote = served.connect()
    with pytest.raises(GatewayError, match="is 0 names"):
        served.get(remote.get("attic.x*"))


def test_the_past(served: Served) -> None:
    remote = served.connect()
    assert served.get(remote.range("attic.temperature", "-1h")) == [Point("attic.temperature", 21.53, NOW, "good")]
    points = served.get(remote.range("attic.*", "-1h", step="10m", aggregate="max"))
    assert [(point.name, point.value) for point in points] == [("attic.humidity", 40.0), ("attic.temperature", 21.53)]


def test_before_the_time_is_known(served: Served) -> None:
    served.house.clock.segments.clear()
    served.house.clock.edition += 1
    remote = served.connect()
    assert served.get(remote.get("attic.temperature")).time == 0.0
    assert served.get(remote.range("attic.temperature", "+0"))[0] == Point("attic.temperature", 21.53, 0.0, "unsynced")


def test_a_refusal_is_an_error_and_no_end(served: Served) -> None:
    remote = served.connect()
    with pytest.raises(GatewayError, match="attic.temperature is measured, not set") as caught:
        served.get(remote.set("attic.temperature", 5))
    assert caught.value.code == "denied"
    with pytest.raises(GatewayError, match="one line"):
        served.get(remote.ask("get x\nset y 1"))
    with pytest.raises(GatewayError, match="None is no value"):
        served.get(remote.set("k", None))
    assert served.get(remote.ask("count")) == [] and len(served.ports) == 1


def test_questions_are_answered_in_their_order(served: Served) -> None:
    remote = served.connect()
    asked = [remote.set("k", at) if at % 2 else remote.get("attic.humidity") for at in range(50)]
    assert [served.get(each) is None for each in asked] == [bool(at % 2) for at in range(50)]


def test_watching(served: Served) -> None:
    remote, seen, other = served.connect(), [], []  # type: ignore[var-annotated]
    stop = served.get(remote.watch(seen.append, "attic.temperature", "changed"))
    served.get(remote.watch(lambda reading: other.append(1 // 0), "attic.humidity"))
    served.house.measure(22)
    served.house.measure(22)
    served.turn(lambda: seen)
    assert [(each.name, each.value) for each in seen] == [("attic.temperature", 22.0)]
    served.get(stop())
    served.house.measure(23)
    served.get(remote.ask("count"))
    assert len(seen) == 1


def test_a_watch_that_is_refused(served: Served) -> None:
    remote = served.connect()
    with pytest.raises(GatewayError, match="did you mean `attic.temperature`"):
        served.get(remote.watch(print, "attic.temprature"))
    assert not remote.watches


def test_it_connects_again_and_goes_on_watching(served: Served) -> None:
    remote, seen = served.connect(), []  # type: ignore[var-annotated]
    served.get(remote.watch(seen.append, "attic.temperature"))
    number = served.port
    served.cut()
    served.listen(number)
    served.turn(lambda: [port for port in served.ports if getattr(port, "session", None) and port.session.watched])
    served.house.measure(25)
    served.turn(lambda: seen)
    assert seen[-1].value == 25.0 and served.get(remote.get("attic.temperature")).value == 25.0


def test_what_was_asked_when_it_broke_fails(served: Served) -> None:
    remote = served.connect()
    asked = remote.read("attic")
    served.turn(lambda: served.house.attic.asked)
    served.cut()
    with pytest.raises(GatewayError, match="the connection broke"):
        served.get(asked)


def test_nobody_is_there(served: Served) -> None:
    remote = served.connect()
    served.cut()
    with pytest.raises(GatewayError, match="no gateway there|the connection broke"):
        served.get(remote.get("attic.temperature"))


def test_a_gateway_that_says_nothing_is_given_up(served: Served) -> None:
    mute: Any = Factory.forProtocol(Protocol)
    served.listening.stopListening()
    served.listening = served.reactor.listenTCP(0, mute, interface="127.0.0.1")
    served.port = served.listening.getHost().port
    remote = served.connect(timeout=0.2)
    with pytest.raises(GatewayError, match="does not answer in 0.2 s"):
        served.get(remote.get("attic.temperature"))
    first = remote.lines
    served.turn(lambda: first is not None and not first.connected)


def test_a_late_answer_is_nobody_elses(served: Served) -> None:
    remote = served.connect(timeout=0.3)
    slow = remote.read("attic")
    served.turn(lambda: served.house.attic.asked)
    assert remote.lines is not None
    remote.lines.heard = served.reactor.seconds()  # something else came
    with pytest.raises(GatewayError, match="does not answer"):
        served.get(slow)
    after = remote.get("attic.humidity")
    served.house.attic.asked[0].callback(None)
    assert served.get(after).name == "attic.humidity"


def test_a_cancelled_question(served: Served) -> None:
    remote = served.connect()
    served.get(remote.ask("count"))
    gone = remote.get("attic.temperature")
    gone.addErrback(lambda failure: None)
    gone.cancel()
    assert served.get(remote.get("attic.humidity")).name == "attic.humidity"


def test_rights_are_those_of_where_it_comes_from(served: Served) -> None:
    remote = served.connect()
    served.get(remote.ask("count"))
    served.ports[0].session.who = Who("guest", "viewer", "there")
    with pytest.raises(GatewayError, match="takes the role operator"):
        served.get(remote.set("x", 1))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ("*",)),
        (("a.*", "key", "changed", "every", "10s"), ("a.*", "manual.key")),
        (("band", "5"), ("*",)),
        (("k*",), ("k*",)),
    ],
)
def test_what_is_watched(words: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert patterns(words) == found
