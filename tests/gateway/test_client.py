"""The client against the real query port, and against what is no gateway."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.threads import blockingCallFromThread

from gateway import client as module
from gateway.client import Client, GatewayError, Point, Reading, Value, point
from gateway.interfaces.query import Query
from gateway.reactor import Reactor
from tests.gateway.commands.house import House
from tests.integration.daemon import free_port

NOW = "2026-11-20T17:00:00.000Z"


class Gateway:
    """A house behind the query port, its reactor in a thread."""

    def __init__(self) -> None:
        self.reactor, self.house = Reactor(), House()
        self.house.measure()
        self.listening = self.reactor.listenTCP(0, Query(self.house.commands, self.reactor), interface="127.0.0.1")
        self.port: int = self.listening.getHost().port
        self.thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
        self.thread.start()
        self.do(lambda: None)

    def do(self, action: Callable[[], Any]) -> Any:
        return blockingCallFromThread(self.reactor, action)

    def close(self) -> None:
        self.do(self.listening.stopListening)
        self.reactor.callFromThread(self.reactor.stop)
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.close()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(port=gateway.port) as made:
        yield made


def test_ask_gives_the_data_lines(client: Client) -> None:
    assert client.ask("get attic.temperature") == [f"attic.temperature 21.53 °C {NOW} good"]
    assert (
        client.ask("set größe OK this is fine") == [] and client.ask("get größe")[0].split('"')[1] == "OK this is fine"
    )
    assert len(client.ask("get *")) == 3 and client.ask("get nothing.*") == []


def test_what_is_refused_is_an_error_and_no_end(client: Client) -> None:
    with pytest.raises(GatewayError, match="^unknown attic.temprature: no such name; did you mean") as caught:
        client.ask("get attic.temprature")
    assert caught.value.code == "unknown"
    assert client.ask("count") == []


@pytest.mark.parametrize("command", ["get x\nset k 1", "get x\r", "get \udcff"])
def test_what_is_no_line_is_not_sent(client: Client, command: str) -> None:
    with pytest.raises(GatewayError, match="one line"):
        client.ask(command)
    assert client.ask("count manual.*") == []


def test_pushed_readings(gateway: Gateway, client: Client) -> None:
    pushed = client.pushed("attic.*", "k")
    threading.Timer(0.1, lambda: gateway.do(gateway.house.measure)).start()
    assert [next(pushed).split()[0] for _ in range(2)] == ["attic.temperature", "attic.humidity"]


def test_asking_goes_on_while_readings_are_pushed(gateway: Gateway, client: Client) -> None:
    client.ask("watch *")
    gateway.do(gateway.house.measure)
    for at in range(3):
        assert client.ask(f"set k {at}") == []
        assert client.ask("get k") == [f"manual.k {at} - {NOW} good"]
    pushed = client.pushed("*")
    names = [next(pushed).split()[0] for _ in range(5)]
    assert names == ["attic.temperature", "attic.humidity", "manual.k", "manual.k", "manual.k"]


def test_a_watch_that_is_refused(client: Client) -> None:
    with pytest.raises(GatewayError, match="no such name"):
        next(client.pushed("attic.temprature"))


def test_nobody_is_there() -> None:
    port = free_port()
    with pytest.raises(GatewayError, match=f"no gateway at 127.0.0.1:{port}: .*is it running"):
        Client(port=port)
    with pytest.raises(GatewayError, match="no gateway at no.such.host.invalid"):
        Client("no.such.host.invalid")


@pytest.fixture
def stranger() -> Iterator[Callable[[bytes], int]]:
    """Makes a port where somebody says something, once, and leaves; or stays, when the words end with "..."."""
    made: list[socket.socket] = []

    def talk(words: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        made.append(listener)

        def answer() -> None:
            end, _ = listener.accept()
            made.append(end)
            end.recv(100)
            end.sendall(words.removesuffix(b"..."))
            if not words.endswith(b"..."):
                end.close()

        threading.Thread(target=answer, daemon=True).start()
        return int(listener.getsockname()[1])

    yield talk
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"", "closed the connection"),
        (b"one 1 - - good\n", "closed the connection"),
        (b"one 1 - - good\nOK", "closed the connection"),  # torn: it may have been "OK 12" or worse
        (b"...", "does not answer"),
        (b"one\n...", "does not answer"),
        (b"\xff\xfe\0...", "does not answer"),
        (b"SSH-2.0-x\r\n", "closed the connection"),
        (b"x" * 3_000_000 + b"...", "no gateway that answers here"),
    ],
)
def test_somebody_else_is_there(stranger: Callable[[bytes], int], words: bytes, said: str) -> None:
    with Client(port=stranger(words), timeout=0.3) as client, pytest.raises(GatewayError, match=said):
        client.ask("get *")


def test_a_gateway_that_went_away(gateway: Gateway, client: Client) -> None:
    client.ask("count")
    client.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(GatewayError, match="the connection broke|closed the connection"):
        client.ask("count")
    with pytest.raises(GatewayError):
        client.ask("count")


# Readings


def test_readings_are_typed(client: Client) -> None:
    time = datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert client.get("attic.temperature") == Reading("attic.temperature", 21.53, "°C", time, "good")
    assert client.get("pump.state") == Reading("pump.state", None, "", None, "stale")
    assert [each.name for each in client.readings()] == ["attic.humidity", "attic.temperature"]
    client.set("k", True)
    assert client.get("k").value is True and client.readings("manual.*")[0].value is True
    assert list(client.range("attic.temperature", "-1h")) == [Point("attic.temperature", 21.53, time, "good")]
    assert [point.name for point in client.range("*", "-1h", step="1m")] == [
        "attic.humidity",
        "attic.temperature",
        "manual.k",
    ]
    assert client.get("attic.humidity").value == 40.0


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (0.1 + 0.2, 0.3), (64 / 3, 21.333333333), (1e-05, 0.00001), (-1.5e-07, -0.00000015), (21.0, 21.0),
        (7, 7), (False, False), ("", ""), (" a\n", " a\n"), ('"q"', '"q"'), ("21", 21), ("µ", "µ"),
    ],
)  # fmt: skip
def test_what_a_program_sets_it_gets(client: Client, value: Value, got: Value) -> None:
    client.set("k", value)
    found = client.get("k").value
    assert found == got and type(found) is type(got)


@pytest.mark.parametrize(("pattern", "count"), [("attic.*", 2), ("attic.x*", 0)])
def test_get_takes_one_name(client: Client, pattern: str, count: int) -> None:
    with pytest.raises(GatewayError, match=f"is {count} names"):
        client.get(pattern)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_value_is_not_set(client: Client, value: Value) -> None:
    with pytest.raises(GatewayError, match=f"{value} is no value"):
        client.set("k", value)
    assert client.ask("get manual.*") == []


def test_watching_gives_readings(gateway: Gateway, client: Client) -> None:
    watch = client.watch("attic.temperature", "changed")
    threading.Timer(0.1, lambda: gateway.do(lambda: gateway.house.measure(5))).start()
    assert next(watch).value == 5.0


@pytest.mark.parametrize(
    ("line", "name", "value", "quality"),
    [
        ("2026-11-20T17:00:00.000Z 21.53", "a.b", 21.53, "good"), ("+12.345 7 unsynced", "a.b", 7, "unsynced"),
        ('2026-11-20T17:00:00.000Z "so suspect"', "a.b", "so suspect", "good"),
        ('2026-11-20T17:00:00.000Z "so" suspect', "a.b", "so", "suspect"),
        ("2026-11-20T17:00:00.000Z 3d", "a.b", "3d", "good"),
        ("2026-11-20T17:00:00.000Z none", "a.b", "none", "good"),
        ("2026-11-20T17:00:00.000Z off", "a.b", False, "good"),
    ],
)  # fmt: skip
def test_lines_of_the_past(line: str, name: str, value: Value, quality: str) -> None:
    found = point(line, name)
    assert (found.name, found.value, found.quality) == ("a.b", value, quality) and type(found.value) is type(value)
    assert found.time == (12.345 if line.startswith("+") else datetime(2026, 11, 20, 17, tzinfo=UTC))


def test_the_file_stands_alone(tmp_path: Path, gateway: Gateway) -> None:
    """Copied beside a script, with nothing installed."""
    (tmp_path / "client.py").write_bytes(Path(module.__file__).read_bytes())
    script = f"""import sys; sys.path.insert(0, {str(tmp_path)!r}); from client import Client
print(Client(port={gateway.port}).get("attic.temperature").value)"""
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("21.53\n", "")
