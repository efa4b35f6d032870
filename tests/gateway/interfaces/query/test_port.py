"""The query port as clients meet it: well-behaved, clumsy, hostile and gone."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import fail

from gateway.commands import Answer, Row
from gateway.history.question import HistoryError
from gateway.interfaces.query import port as module
from gateway.interfaces.query import text
from gateway.interfaces.query.text import LINE, Text
from gateway.reading import Reading
from tests.gateway.commands.house import TEMPERATURE, House, logged
from tests.gateway.interfaces.query.conftest import Served
from tests.gateway.interfaces.query.talk import Talk, Wire, said

NOW = "2026-11-20T17:00:00.000Z"
HUMIDITY = f"attic.humidity 40.0 % {NOW} good"
GET = f"attic.temperature 21.53 °C {NOW} good\nOK\n".encode()
TOO_LONG = b"ERR too-long a command has at most 8192 bytes; use a pattern, or several lines\n"
SET = [b"set k%d %s\n" % (at, b"x" * 3000) for at in range(300)]


def tail(port: module.Port) -> bytes:
    """What came of a line that has no end yet."""
    assert isinstance(port.dialect, Text)
    return port.dialect.tail


# Lines and answers


def test_a_line_is_answered_and_the_server_never_speaks_first(served: Served) -> None:
    line = served.connect()
    served.rest()
    assert line.read() == b""
    assert line.ask(b"get attic.temperature") == GET
    assert line.ask(b"get attic.temperature") == GET  # the short way


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_answers_come_in_order_however_the_lines_are_cut(served: Served, size: int) -> None:
    line = served.connect()
    said = (
        b"get attic.temperature\r\ncount\nGET attic.temperature\nset k 5\r\nget k\r\nnonsense\nget attic.temperature\n"
    )
    for at in range(0, len(said), size):
        line.send(said[at : at + size])
    last = b"ERR unknown-command nonsense: no such command; try `help`\n" + GET
    assert line.until(last) == GET + b"OK 2\n" + GET + b"OK\n" + f"manual.k 5 - {NOW} good\nOK\n".encode() + last


def test_crlf_takes_the_short_way_too(served: Served) -> None:
    line = served.connect()
    line.ask(b"get attic.temperature\r")
    line.port.session.perform = None  # type: ignore[method-assign, assignment]
    assert line.ask(b"get attic.temperature\r") == GET


def test_what_a_telnet_client_offers_is_passed_over(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"\xff\xfd\x03\xff\xfb\x18\xff\xf1get attic.temperature\r") == GET


def test_a_telnet_client_hears_again_after_ctrl_c(served: Served) -> None:
    """It asks for a timing mark, and throws away what comes before the answer."""
    line = served.connect()
    line.send(b"read attic\n")
    served.turn(lambda: served.house.attic.asked)
    line.send(b"\xff\xf4\xff\xfd\x06")
    line.send(b"get attic.temperature\r\n")
    served.house.attic.asked[0].callback(None)
    assert line.until(GET).endswith(b"OK 2\n\xff\xfc\x06" + GET)


def test_a_line_that_was_heard_before_means_something_else_behind_half_a_line(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"get attic.temperature") == GET
    line.send(b"set k ")
    served.rest()
    assert line.ask(b"get attic.temperature") == b"OK\n"
    assert line.ask(b"get k") == f'manual.k "get attic.temperature" - {NOW} good\nOK\n'.encode()


def test_answers_wait_for_the_device_before_them(served: Served) -> None:
    line, other = served.connect(), served.connect()
    line.send(b"get attic.temperature\nread attic\nget attic.temperature\nread attic.humidity\nset k 1\nquit\n")
    served.turn(lambda: served.house.attic.asked)
    served.rest()
    assert line.read() == GET and not served.house.manual.keys
    assert other.ask(b"get attic.temperature") == GET  # nobody else waits
    line.send(b"get never.there\n")
    served.house.attic.asked[0].callback(None)
    both = f"attic.humidity 40.0 % {NOW} good\nattic.temperature 21.53 °C {NOW} good\nOK 2\n".encode()
    assert line.until(both + GET) == GET + both + GET
    served.house.attic.asked[1].callback(None)
    assert line.end() == f"attic.humidity 40.0 % {NOW} good\nOK\nOK\nOK bye\n".encode()


def test_many_answers_that_are_there_at_once_keep_their_order(served: Served) -> None:
    """`read` of a device that needs no time, thousands in one segment."""
    line = served.connect()
    line.send(b"count\nread manual\n" * 3000 + b"version\n")
    assert line.until(b"OK\n").startswith(b"OK 2\nOK 0\n" * 3000 + b"device-gateway ")


def test_a_page_that_fails_is_an_answer_too(served: Served) -> None:
    line = served.connect()
    line.ask(b"count", b"OK 2\n")
    session, perform = line.port.session, line.port.session.perform
    failing = Answer((Row("first", {}),), more=lambda: fail(HistoryError("the disk is gone")))
    session.perform = lambda line: failing if line == "fail" else perform(line)  # type: ignore[method-assign]
    line.send(b"fail\nget attic.temperature\n")
    assert line.until(GET, 5) == b"first\nERR no-history the disk is gone\n" + GET


def test_lines_that_nobody_understands(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"get \xff\xfe", b"0xff\n") == b"ERR syntax not UTF-8: byte 5 is 0xff\n"
    assert line.ask(b"", b"`help`\n") == b"ERR syntax an empty line is no command; try `help`\n"
    assert line.ask(b"\0\x1b[2J", b"`help`\n") == b"ERR unknown-command ??[2J: no such command; try `help`\n"
    assert line.ask("set größe µ\u2028".encode()) == b"OK\n"
    assert line.ask("get größe".encode()) == f'manual.größe "µ" - {NOW} good\nOK\n'.encode()
    assert line.ask(b"get attic.temperature") == GET


@pytest.mark.parametrize("cut", [8192, 8193, 65536, 10**6])
def test_a_line_without_an_end_is_one_mistake(served: Served, cut: int) -> None:
    line = served.connect()
    endless = b"get " + b"x" * 10**6
    for at in range(0, len(endless), cut):
        line.send(endless[at : at + cut])
        assert len(tail(line.port)) <= LINE
    line.send(b"\nget attic.temperature\n")
    assert line.until(GET) == TOO_LONG + GET


def test_a_line_of_the_longest_length_is_taken(served: Served) -> None:
    line = served.connect()
    line.send(b"get attic.temperature" + b" " * (LINE - 21) + b"\nget attic.temperature" + b" " * LINE)
    line.send(b"\nget attic.temperature\n")
    assert line.until(GET) == GET + TOO_LONG + GET


def test_the_longest_line_may_be_cut_in_its_end(served: Served) -> None:
    line = served.connect()
    line.send(b"get attic.temperature" + b" " * (LINE - 21) + b"\r")
    served.rest()
    line.send(b"\n")
    assert line.until(GET) == GET


# Who should not be here


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01"], b"ERR no-tls "),
        ([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], b"ERR no-http "),
        ([b"GE", b"T / HTT", b"P/1.1\r\nHost: x\r\n\r\n"], b"ERR no-http "),
        ([b"POST /x HTTP/1.0\r\n\r\nset k 1\r\n"], b"ERR no-http "),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], b"ERR no-http "),
        ([b"Host: gateway\r\nset k 1\r\n"], b"ERR no-http "),
        ([b"hOST:\xff\r\nset k 1\r\n"], b"ERR no-http "),
    ],
)
def test_another_protocol_is_told_so_and_closed(served: Served, first: list[bytes], word: bytes) -> None:
    line = served.connect()
    for part in first:
        line.send(part)
        served.rest()
    got = line.end()
    assert got.startswith(word) and got.count(b"\n") == 1 and not served.house.manual.keys
    served.turn(lambda: served.query.connections == 0)


def test_a_web_page_cannot_switch_anything(served: Served) -> None:
    """What a browser sends for a form of another page, its first line too long to be understood."""
    line = served.connect()
    line.send(b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\n")
    line.send(b"Host: 127.0.0.1:7600\r\nContent-Type: text/plain\r\n\r\nset pump.state on\r\n")
    assert line.end().splitlines()[-1].startswith(b"ERR no-http ") and served.house.pump.told == []


def test_what_only_looks_like_another_protocol_is_taken(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"set proxy http/1.1 please") == b"OK\n"
    assert line.ask(b"set host: 1") == b"OK\n"


def test_a_stranger_looks_but_does_not_touch(served: Served) -> None:
    port = served.query.buildProtocol(None)
    transport: Any = Wire(peerAddress=IPv4Address("TCP", "192.0.2.7", 40000))
    port.makeConnection(transport)
    port.dataReceived(b"get attic.temperature\nset k 1\n")
    assert transport.value() == GET + b"ERR denied `set` takes the role operator; you are viewer\n"
    assert not served.house.manual.keys and port.session.who.origin == "192.0.2.7:40000"
    port.connectionLost()


# Pushes


def test_pushes_follow_the_answer_one_write_a_turn(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"watch attic.*", b"OK 2\n") == b"OK 2\n"
    served.house.measure(1)
    served.house.measure(2)
    first, second = ([f"* attic.temperature {value} °C {NOW} good\n", f"* attic.humidity 40.0 % {NOW} good\n"]
                     for value in ("1.00", "2.00"))  # fmt: skip
    assert line.until(second[1].encode()).decode() == "".join(first + second)
    assert line.ask(b"json on") == b"OK\n"
    served.house.measure(3.0)
    assert line.until(b"}\n").startswith(b'* {"name":"attic.temperature","value":3.0,')


def test_a_push_never_stands_inside_an_answer(served: Served) -> None:
    line = served.connect(received=65536)
    for each in SET:
        served.house.manual.set(each.split()[1].decode(), each.split()[2].decode())
    line.send(b"watch attic.*\n")
    for _ in range(5):
        line.send(b"get manual.*\n")
        served.house.measure()
        served.reactor.iterate(0)
    served.turn(lambda: line.read().count(b"OK 300\n") == 5)
    inside, pushed = 0, 0
    for each in line.got.splitlines():
        if each.startswith(b"* "):
            assert inside == 0
            pushed += 1
        else:
            inside = 0 if each.startswith(b"OK") else inside + 1
    assert pushed >= 2


def test_after_unwatch_nothing_more_comes(served: Served) -> None:
    line = served.connect()
    line.ask(b"watch attic.* k", b"OK 2\n")
    line.send(b"set k 1\nunwatch attic.*\nset k 2\n")
    assert line.until(b" 2 - " + NOW.encode() + b" good\n") == (
        b"* manual.k 1 - %s good\nOK\nOK 1\nOK\n* manual.k 2 - %s good\n".replace(b"%s", NOW.encode())
    )
    served.house.measure()
    assert line.ask(b"count k", b"OK 1\n") == b"OK 1\n"


def test_one_reading_that_cannot_be_shown_harms_nobody_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = served.connect(), served.connect()
    one.ask(b"watch attic.temperature", b"OK 1\n")
    two.ask(b"watch attic.humidity", b"OK 1\n")

    def broken(reading: Reading) -> bytes:
        return b"* " + reading.line if reading.quantity is not TEMPERATURE else bytes(1 // 0)

    monkeypatch.setattr(text, "as_text", broken)
    with logged() as events:
        served.house.measure()
        assert two.until(b"good\n") == f"* attic.humidity 40.0 % {NOW} good\n".encode()
    assert len(events) == 1 and served.house.hub.errors
    assert one.ask(b"get attic.temperature") == GET


def test_an_answer_of_many_pages_is_one_answer(served: Served) -> None:
    """Readings that come meanwhile are pushed behind it, the newest of each name."""
    line = served.connect(received=2048)
    for at in range(3500):
        served.house.measure(at % 100)
        served.house.time.advance(0.001)
    assert line.ask(b"watch attic.temperature", b"OK 1\n") == b"OK 1\n"
    line.send(b"range attic.temperature -1h\nget attic.humidity\n")
    for _ in range(20):
        served.house.measure(99.0)
        served.reactor.iterate(0.001)
    got = line.until(b" good\n")
    while b"\n* " not in got:
        got += line.until(b" good\n")
    lines = got.decode().splitlines()
    first = next(at for at, each in enumerate(lines) if each.startswith("* "))
    end = next(at for at, each in enumerate(lines) if each.startswith("OK "))
    assert int(lines[end].split()[1]) == end >= 3501 and lines[0].endswith(" 21.53") and first > end
    rest = [each for each in lines[end + 1 :] if not each.startswith("* ")]
    assert rest[0].startswith("attic.humidity 40.0 ") and rest[1] == "OK"
    assert lines[first].startswith("* attic.temperature 99.00 ")


def test_raw_bytes_are_followed(served: Served) -> None:
    line = served.connect()
    assert line.ask(b"log attic live") == b"OK\n"
    served.house.attic.ring.note("<", b"hello")
    got = line.until(b"hello\n")
    assert got.startswith(b"* attic ") and b" < 68 65 6c 6c 6f" in got
    line.send(b"unlog\n")
    line.finish()
    assert line.end() == b"OK 0\n"


# Redis clients


def test_a_redis_client_that_closes_its_half_gets_all_its_answers(served: Served) -> None:
    line = served.connect()
    line.send(said("GET", "attic.temperature") + said("SET", "pump.state", "on") + said("PING") + b"*1\r\n$4\r\nPI")
    line.finish()
    served.turn(lambda: served.house.pump.told)
    served.rest()
    served.house.pump.told[0][2].callback(None)
    assert line.end() == b"$5\r\n21.53\r\n+OK\r\n+PONG\r\n"


def test_who_asks_for_too_much_at_once_hears_of_it_however_long_they_speak(served: Served) -> None:
    """What comes behind the mistake is taken: a reset would take the words with it."""
    line = served.connect()
    line.send(said("PING") + said("MGET", *(f"device{at}.temperature" for at in range(100_000))))
    told = b"+PONG\r\n-ERR Protocol error: invalid multibulk length: 100001 items, and at most 1000 in a request\r\n"
    assert line.end() == told
    served.turn(lambda: not line.port.connected)  # it does not wait for a client that does not close


def test_a_line_with_too_much_names_the_way_out(served: Served) -> None:
    line = served.connect()
    many = " ".join(map(str, range(1001))).encode()
    told = b"ERR syntax get takes 1000 words at most, and these are 1001; use a pattern, or several lines\n"
    assert line.ask(b"get " + many, b"lines\n") == told
    assert line.ask(b"get attic.temperature") == GET


def test_a_subscriber_that_does_not_read_gets_the_newest(served: Served) -> None:
    stalled, lively = served.connect(received=2048), served.connect()
    stalled.port.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
    for each in (stalled, lively):
        each.send(said("PSUBSCRIBE", "attic.*"))
        each.until(b":1\r\n")
    for at in range(2000):
        served.house.measure(at % 100)
        if at % 10 == 9:
            served.reactor.iterate(0)
            lively.read()
            assert len(stalled.port.transport.dataBuffer) < 150_000  # type: ignore[union-attr]
    served.turn(lambda: lively.read().count(b"pmessage") == 4000)
    assert stalled.port.stalled and len(stalled.port.newest) == 2 and served.house.commands.dropped > 1000
    served.house.measure(77.77)
    last = f"attic.temperature 77.77 °C {NOW} good\r\n*4\r\n$8\r\npmessage\r\n$7\r\nattic.*\r\n$14\r\nattic.humidity"
    got = stalled.until(f"{last}\r\n${len(HUMIDITY)}\r\n{HUMIDITY}\r\n".encode())
    assert got.count(b"pmessage") + served.house.commands.dropped == 4002  # each was sent, or counted


def test_a_flood_of_requests_is_bounded_and_others_have_their_turn(served: Served) -> None:
    busy, other = served.connect(received=2048), served.connect()
    busy.port.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
    for _ in range(500):
        with suppress(BlockingIOError):
            busy.socket.send(said("KEYS", "*") * 2000)
        served.reactor.iterate(0)
        assert len(busy.port.queue) <= 65536 * 2 // len(said("KEYS", "*"))
    assert busy.port.stalled and other.ask(b"get attic.temperature") == GET


# Who does not read


def held(port: module.Port) -> int:
    """Bytes that wait in the server for a client to read."""
    way: Any = port.transport
    waiting = sum(len(each) for each in port.queue if isinstance(each, bytes))
    return len(way.dataBuffer) + sum(map(len, way._tempDataBuffer)) + waiting + len(tail(port))


def test_of_what_a_stalled_watcher_missed_only_the_newest_is_kept(served: Served) -> None:
    stalled, lively = served.connect(received=2048), served.connect()
    stalled.port.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
    for each in (stalled, lively):
        each.ask(b"watch attic.*", b"OK 2\n")
    most = 0
    for at in range(5000):
        served.house.measure(at % 100)
        if at % 10 == 9:
            served.reactor.iterate(0)
            lively.read()
            most = max(most, held(stalled.port))
    served.turn(lambda: lively.read().count(b"\n") == 10_000)
    assert stalled.port.stalled and len(stalled.port.newest) == 2 and most < 150_000
    dropped = stalled.port.session.dropped
    assert dropped > 1000 and served.house.commands.dropped == dropped and lively.port.session.dropped == 0
    served.house.measure(77.77)
    got = stalled.until(f"* attic.temperature 77.77 °C {NOW} good\n* attic.humidity 40.0 % {NOW} good\n".encode())
    assert got.count(b"\n") + served.house.commands.dropped == 10_002  # each was sent, or counted
    served.house.measure(5)
    assert stalled.until(b"% " + NOW.encode() + b" good\n").count(b"\n") == 2  # and it goes on as before


def test_what_is_gone_when_a_stalled_watcher_reads_again_is_not_told(served: Served) -> None:
    stalled, other = served.connect(received=2048), served.connect()
    stalled.port.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
    stalled.ask(b"watch *", b"OK 7\n")
    while not stalled.port.stalled:
        served.house.measure(1)
        served.reactor.iterate(0)
    for line in b"set gone 1", b"set there 1", b"delete gone":
        other.send(line + b"\n")
    other.until(b"OK\nOK\nOK 1\n")
    served.house.hub.forget("attic")
    got = stalled.until(f"* manual.there 1 - {NOW} good\n".encode())
    assert b"gone" not in got and not stalled.port.newest and stalled.port.session.dropped >= 1


def test_a_client_that_asks_and_never_reads_is_not_listened_to(served: Served) -> None:
    other, greedy = served.connect(), served.connect(received=2048)
    for line in SET:
        other.ask(line[:-1])
    most = 0
    for _ in range(500):
        with suppress(BlockingIOError):
            greedy.socket.send(b"get manual.*\n" * 5000)
        served.reactor.iterate(0)
        most = max(most, held(greedy.port))
    assert greedy.port.stalled and most < 500_000  # a hundred lines have 0.3 MB, the whole answer 0.9
    assert other.ask(b"get attic.temperature") == GET
    served.turn(lambda: b"OK 300\n" in greedy.read())
    *lines, status = greedy.got.split(b"\n")[:301]
    assert status == b"OK 300" and lines == sorted(lines)
    greedy.finish()
    greedy.close()


def test_an_answer_in_pieces_is_whole_and_nothing_stands_in_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "ROWS", 3)
    line = served.connect()
    for at in range(7):
        line.ask(b"set k%d %d" % (at, at))
    line.send(b"json on\nwatch k0\nset k0 7\nget manual.*\nitems manual.k[0-5]\nget k1\nquit\n")
    told = line.end().decode().splitlines()
    values = [json.loads(each)["value"] for each in told if each.startswith("{")]
    assert values == [7, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 1]
    assert [each for each in told if each.startswith("OK")] == ["OK", "OK 1", "OK", "OK 7", "OK 6", "OK", "OK bye"]
    begin = told.index("OK 7") - 7
    assert sum(each.startswith("* ") for each in told) == 1 and all(each[0] == "{" for each in told[begin : begin + 7])


def test_many_commands_at_once_let_others_have_their_turn(served: Served) -> None:
    busy, other = served.connect(), served.connect()
    busy.send(b"items\n" * 8000)
    other.send(b"get attic.temperature\n")
    served.turn(lambda: other.read() or busy.read().count(b"OK 7\n") > 4000)
    assert other.until(GET) == GET and busy.read().count(b"OK 7\n") < 4000
    served.turn(lambda: busy.read().count(b"OK 7\n") == 8000)


def test_slow_commands_let_others_have_their_turn_sooner() -> None:
    house = House()
    house.measure()
    house.time.seconds = iter(range(10**6)).__next__  # type: ignore[method-assign]  # each look at the clock takes 1 s
    talk = Talk(house)
    talk.port.dataReceived(b"count\n" * 50)
    assert talk.transport.value() == b"OK 2\n"
    talk.turn()
    assert talk.transport.value() == b"OK 2\n" * 50


def test_quit_of_a_stalled_watcher_is_the_end(served: Served) -> None:
    line = served.connect(received=2048)
    for each in SET:
        served.house.manual.set(each.split()[1].decode(), each.split()[2].decode())
    line.send(b"watch\nget manual.*\nquit\n")
    served.rest()
    for _ in range(100):
        served.house.measure()
        served.reactor.iterate(0)
    got = line.end(20)
    assert got.count(b"OK 300\n") == 1 and got.endswith(b"\nOK bye\n")
    served.turn(lambda: served.query.connections == 0)
    assert served.watchers == 0 and served.house.commands.sessions == 0


# Coming and going


def test_half_a_close_gets_the_whole_answer(served: Served) -> None:
    for each in SET:
        served.house.manual.set(each.split()[1].decode(), each.split()[2].decode())
    line = served.connect(received=2048)
    line.send(b"get manual.*\nread attic\nget attic.temperature\n")
    line.finish()
    served.turn(lambda: served.house.attic.asked or (line.read() and False))
    served.rest()
    assert served.query.connections == 1
    served.house.attic.asked[0].callback(None)
    got = line.end(20)
    assert got.count(b"\nOK 300\n") == 1 and got.endswith(b"OK 2\n" + GET) and len(got) > 900_000
    served.turn(lambda: served.query.connections == 0)


def test_a_line_that_is_too_long_is_one_mistake_also_without_an_end(served: Served) -> None:
    line = served.connect()
    line.send(b"x" * (2 * LINE + 100))
    line.finish()
    assert line.end() == TOO_LONG


def test_a_torn_last_line_is_not_carried_out(served: Served) -> None:
    line = served.connect()
    line.send(b"get attic.temperature\nset k 21")  # the rest, ".5", never came
    line.finish()
    assert line.end() == GET + b"ERR syntax the last line has no end\n" and not served.house.manual.keys


def test_a_watch_goes_on_after_half_a_close(served: Served) -> None:
    """`echo watch | ncat` and busybox's nc close their half at once."""
    line = served.connect()
    line.send(b"watch attic.humidity\n")
    line.finish()
    line.until(b"OK 1\n")
    for _ in range(3):
        served.house.measure()
        assert line.until(b"good\n") == f"* attic.humidity 40.0 % {NOW} good\n".encode()
    line.close()
    served.rest()

    def gone() -> bool:
        served.house.measure()
        return served.query.connections == 0

    served.turn(gone)
    assert served.watchers == 0 and served.house.commands.sessions == 0


def test_a_silent_watch_of_a_client_that_left_is_found_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.05)
    line = served.connect()
    line.send(b"watch pump.state\n")
    line.finish()
    line.until(b"OK 1\n")
    served.turn(lambda: line.port.ended)
    served.rest()
    assert served.query.connections == 1
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()  # with a reset, as the kernel answers the keep-alive for a client that is no more
    served.turn(lambda: served.query.connections == 0)
    assert not [call for call in served.reactor.getDelayedCalls() if call.func == line.port.look]


def test_a_half_closed_watcher_that_stalls_again_and_again_costs_no_more(served: Served) -> None:
    line = served.connect(received=65536)
    for each in SET:
        served.house.manual.set(each.split()[1].decode(), each.split()[2].decode())
    line.send(b"watch\n")
    line.finish()
    served.turn(lambda: line.port.ended)
    for at in range(5):
        while not line.port.stalled:
            for quantity in tuple(served.house.manual.keys.values()):
                served.house.hub.publish("manual", {quantity: f"{at}" * 3000})
            served.rest()
        served.turn(lambda: line.read() and not line.port.stalled)
    served.rest()
    assert len([call for call in served.reactor.getDelayedCalls() if call.func == line.port.look]) == 1


@pytest.mark.parametrize("reset", [False, True])
def test_who_leaves_while_a_device_is_asked_is_forgotten(served: Served, reset: bool) -> None:
    line = served.connect()
    line.send(b"read attic\nset k 1\n")
    served.turn(lambda: served.house.attic.asked)
    if reset:
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()
    with logged() as events:
        served.rest()
        served.house.attic.asked[0].callback(None)
        served.turn(lambda: served.query.connections == 0)
    assert not any("log_failure" in event for event in events) and served.house.commands.sessions == 0


def test_a_set_that_was_asked_for_is_carried_out_though_its_asker_left(served: Served) -> None:
    line = served.connect()
    line.send(b"set pump.state on\n")
    served.turn(lambda: served.house.pump.told)
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()
    served.rest()
    done = served.house.pump.told[0][2]
    assert not done.called
    done.callback(None)
    served.turn(lambda: served.query.connections == 0)


def test_one_too_many_is_told_so(served: Served) -> None:
    served.query.limit = 2
    first, second, third = served.connect(), served.connect(), served.connect()
    assert third.end() == b"ERR limit 2 connections are open already\n"
    first.close()
    served.turn(lambda: served.query.connections == 1)
    assert served.connect().ask(b"get attic.temperature") == second.ask(b"get attic.temperature") == GET


def test_two_thousand_connections(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 5000)), hard))
    served.query.limit = 2000  # the port was made before
    lines = [served.connect() for _ in range(2000)]
    for line in lines:
        line.socket.send(b"watch attic.humidity\n")
    served.turn(lambda: served.watchers == len(lines))
    served.house.measure()
    for line in lines:
        assert line.until(b"good\n").endswith(b"OK 1\n" + f"* attic.humidity 40.0 % {NOW} good\n".encode())
        line.close()
    served.turn(lambda: all(line.port.ended for line in lines))

    def gone() -> bool:
        served.house.measure()  # is answered with a reset, once the kernel comes to it, which the next one finds
        return served.query.connections == 0

    served.turn(gone)


def test_small_answers_are_not_held_back_and_dead_peers_are_noticed(served: Served) -> None:
    way: Any = served.connect().port.transport
    assert way.getTcpNoDelay() and way.getTcpKeepAlive()


def test_over_a_unix_socket(served: Served, tmp_path: Any) -> None:
    served.reactor.listenUNIX(str(tmp_path / "s"), served.query)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / "s"))
    client.sendall(b"set k 1\nget attic.temperature\n")
    client.shutdown(socket.SHUT_WR)
    served.turn(lambda: served.ports and served.query.connections == 0)
    assert client.recv(1000) == b"OK\n" + GET
    client.close()


@pytest.mark.parametrize("waits", [False, True])
def test_with_nc(served: Served, waits: bool) -> None:
    nc = shutil.which("nc.openbsd") or shutil.which("nc")
    assert nc is not None, "apt install netcat-openbsd"
    for each in SET:
        served.house.manual.set(each.split()[1].decode(), each.split()[2].decode())
    said = b"read attic\nget *\n" if waits else b"get *\n"
    with subprocess.Popen(
        [nc, "-N", *map(str, served.address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(said)
        client.stdin.close()
        got = bytearray()
        reader = threading.Thread(target=lambda: got.extend(client.stdout.read()))  # type: ignore[union-attr]
        reader.start()
        if waits:
            served.turn(lambda: served.house.attic.asked)
            served.rest()
            served.house.attic.asked[0].callback(None)
        served.turn(lambda: not reader.is_alive())
        reader.join()
    assert got.endswith(b"\nOK 302\n") and got.count(b"\n") == 303 + 3 * waits and client.returncode == 0
