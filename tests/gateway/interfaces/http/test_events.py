"""Server-sent events, read as a browser would, and by clients that read nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.gateway.interfaces.http.server import Server, wait


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("gateway.interfaces.http.events.TICK", 0.05)
    server = Server()
    server.publish("attic", 21.5, 44.0)
    server.publish("pump", False)
    yield server
    server.close()


class Stream:
    """A client of the event stream."""

    def __init__(self, server: Server, query: str = "", **fields: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.connection.request("GET", f"/api/v1/events{query}", headers=fields)
        self.response = self.connection.getresponse()
        self.comments: list[str] = []

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.connection.close()

    def event(self) -> tuple[str, str, Any]:
        """Kind, id and data of the next event."""
        kind, name, data = "message", "", None
        while True:
            line = self.response.readline().decode().rstrip("\n")
            field, _, value = line.partition(": ")
            if field == "event":
                kind = value
            elif field == "id":
                name = value
            elif field == "data":
                data = json.loads(value)
            elif line.startswith(":"):
                self.comments.append(line)
            elif not line and data is not None:
                return kind, name, data

    def until(self, kind: str, **wanted: Any) -> Any:
        """The data of the next event of that kind with these facts."""
        while True:
            found, _, data = self.event()
            if found == kind and wanted.items() <= data.items():
                return data


def streams(server: Server) -> int:
    return sum(len(feed.streams) for feed in server.site.events.feeds.values())


def test_a_stream_begins_with_how_everything_is_and_goes_on_with_what_comes(server: Server) -> None:
    with Stream(server) as stream:
        assert stream.response.getheader("Content-Type") == "text/event-stream"
        kind, _, status = stream.event()
        assert kind == "status" and status["boot"] == 3 and status["tcp"] == 7600 and status["uptime"] >= 0
        devices = [stream.event() for _ in server.hub.devices]
        assert [data["name"] for _, _, data in devices] == sorted(server.hub.devices)
        first = [stream.event() for _ in range(3)]
        assert [each[1] for each in first] == ["3-1", "3-2", "3-3"] and {each[0] for each in first} == {"message"}
        assert [each[2]["name"] for each in first] == ["attic.temperature", "attic.humidity", "pump.state"]
        server.publish("attic", 22.5, 45.0, keeps=30.0)
        kind, name, data = stream.event()
        assert (kind, name, data["value"], data["quality"]) == ("message", "3-4", 22.5, "good")
        assert data["until"] == pytest.approx(data["monotonic"] + 30, abs=0.002)
        assert stream.event()[2]["name"] == "attic.humidity"


def test_patterns_choose_readings_and_their_devices(server: Server) -> None:
    with Stream(server, "?name=pump.*&name=*.co2") as stream:
        stream.event()
        assert [stream.event()[2]["name"] for _ in range(3)] == ["office", "pump", "pump.state"]
        server.publish("attic", 1.0, 2.0)
        server.publish("office", 700)
        assert stream.event()[2]["name"] == "office.co2"
    assert server.ask("/api/v1/events?name=attic.temprature").status == 404
    with Stream(server, "?name=later") as stream:
        server.order("set later 3")
        assert stream.until("message")["name"] == "manual.later"


def test_who_comes_back_gets_what_is_newer(server: Server) -> None:
    with Stream(server, **{"Last-Event-ID": "3-2"}) as stream:
        assert stream.until("message")["seq"] == 3
    for stranger in ("3-99", "2-1", "nonsense", f"3-{'9' * 6000}"):
        with Stream(server, **{"Last-Event-ID": stranger}) as stream:
            assert stream.until("message")["seq"] == 1, stranger


def test_a_device_that_changes_is_told(server: Server) -> None:
    with Stream(server) as stream:
        stream.until("message")
        server.do(lambda: server.devices["attic"].__dict__.update(state="lost", reason="unplugged"))
        assert stream.until("device", name="attic")["reason"] == "unplugged"
        server.do(lambda: server.hub.devices.pop("attic"))
        assert stream.until("device", name="attic") == {"name": "attic", "state": "removed"}
        server.order("set key 1")
        assert stream.until("device", name="manual")["items"] == 1


def test_what_a_reload_has_to_say_is_told_to_who_is_there_already(server: Server) -> None:
    with Stream(server, "?name=attic.*") as stream:
        assert "config" not in stream.until("status")
        mistake = "gateway.toml:3: device.attic.driver: sth31: no such driver; did you mean `sht31`?"
        for config, notice in (mistake, ""), ("", "the state partition is full"), ("", ""):
            server.do(lambda c=config, n=notice: server.commands.facts.update(config=c, notice=n))  # type: ignore[misc]
            assert stream.until("notice") == {"notice": notice, "config": config}


def test_all_streams_are_sent_the_same_bytes(server: Server) -> None:
    with Stream(server) as one, Stream(server) as two, Stream(server, "?name=*.humidity") as three:
        for stream in (one, two, three):
            stream.until("message", name="attic.humidity")
        assert len(server.site.events.feeds) == 2 and streams(server) == 3
        server.publish("attic", 23.0, 46.0)
        told = one.until("message", value=46.0)
        assert two.until("message", value=46.0) == told == three.until("message")
    wait(lambda: streams(server) == 0)
    assert server.site.events.feeds == {} and server.site.events.call is None and server.commands.sessions == 0
    assert len(server.hub.subscriptions) == 1  # the history's


def test_a_quiet_stream_is_kept_alive(server: Server) -> None:
    with Stream(server, "?name=pump.state") as stream:
        stream.until("message")
        wait(lambda: server.site.events.ticks > 16)
        server.publish("pump", True)
        stream.until("message")
        assert ": still here" in stream.comments


def slow(server: Server) -> socket.socket:
    """A client that asks for events and reads none."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", server.port))
    client.sendall(b"GET /api/v1/events?name=attic.* HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait(lambda: streams(server) == 1)
    return client


def flood(server: Server, rounds: int = 30_000) -> None:
    def publish(first: int) -> None:
        for value in range(first, first + 1000):
            server.hub.publish("attic", dict.fromkeys(server.devices["attic"].quantities, float(value)))

    for first in range(0, rounds, 1000):
        server.do(lambda first=first: publish(first))  # type: ignore[misc]


def test_a_slow_client_costs_little_and_gets_the_newest(server: Server) -> None:
    with slow(server) as client:
        flood(server)
        (feed,) = server.site.events.feeds.values()
        (stream,) = feed.streams
        assert len(stream.behind) <= 3
        held = stream.request.channel.transport  # type: ignore[union-attr]
        assert len(held.dataBuffer) + held._tempDataLen < 1_000_000
        got = b""
        while b'"value":29999.0' not in got.split(b"left out")[-1] or not got.endswith(b"\n\n\r\n"):
            got += client.recv(65536)
        assert got.count(b'"value":29999.0') == 2 and b": left out " in got
        assert server.ask("/healthz").status == 200
    wait(lambda: server.commands.dropped > 0)


def test_a_client_that_never_reads_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.interfaces.http.stream.STUCK", 3)

    def given_up() -> bool:
        flood(server, 1000)  # however much the kernel takes for it
        return streams(server) == 0

    with slow(server):
        wait(given_up)


def test_one_stream_too_many_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.interfaces.http.events.STREAMS", 1)
    with Stream(server) as stream:
        stream.event()
        refused = server.ask("/api/v1/events")
        assert refused.status == 503 and "limit" in refused.json["error"] and refused.fields["Retry-After"]


def test_the_old_version_gets_plain_bytes_and_a_half_closed_stream_ends(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"GET /api/v1/events?name=pump.* HTTP/1.0\r\n\r\n")
        got = b""
        while b"pump.state" not in got:
            got += client.recv(65536)
        assert b"Transfer-Encoding" not in got and got.endswith(b"}\n\n")
        client.shutdown(socket.SHUT_WR)
        wait(lambda: streams(server) == 0)


def test_a_stop_ends_the_streams_and_leaves_nothing_behind(server: Server) -> None:
    with Stream(server) as stream:
        stream.until("message", name="pump.state")
        server.do(server.listening.stopListening)
        assert stream.response.read() == b""  # the last chunk came
    assert streams(server) == 0 and server.site.events.call is None


def test_a_clock_that_is_set_is_told_with_what_it_takes_to_give_earlier_readings_their_time() -> None:
    server = Server(synced=False)
    try:
        server.publish("pump", False)
        clock = server.hub.clock
        with Stream(server) as stream:
            before = stream.until("message", name="pump.state")
            assert (before["time"], before["quality"]) == (None, "unsynced")
            server.do(lambda: clock.set(1_795_194_000.0))
            told = stream.until("clock")
            assert told | {"monotonic": 0, "time": ""} == {
                "boot": 3,
                "since": 0,
                "step": None,
                "monotonic": 0,
                "time": "",
            }
            wall = datetime.fromisoformat(told["time"]).timestamp() + before["monotonic"] - told["monotonic"]
            assert wall == pytest.approx(server.hub.latest["pump.state"].wall, abs=0.002)
            server.do(lambda: (clock.set(1_795_190_400.0), clock.set(1_795_190_500.0)))  # in one turn
            steps = [stream.until("clock")["step"] for _ in range(2)]
            assert steps == pytest.approx([-3600, 100], abs=5)
        wait(lambda: len(clock.listeners) == 1)  # the history's
    finally:
        server.close()
