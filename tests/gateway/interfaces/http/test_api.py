"""What HTTP answers, to friends and to strangers, on a real socket."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import cast

import pytest
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from gateway.interfaces.http import server as module
from gateway.interfaces.http.page import files
from gateway.interfaces.http.request import BODY
from tests.gateway.interfaces.http.server import Server, wait

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
READ = b'{"command": "read attic"}'
POST = (
    b"POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(READ), READ)
)
OWN = socket.gethostname().split(".")[0] + ".local"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(hosts=("Gateway.Example.",))
    server.publish("attic", 21.534, 44.1)
    server.publish("office", 640, keeps=-1.0)
    server.publish("pump", False)
    server.publish("gate", False)
    yield server
    server.close()


def test_readings_are_a_list_in_order_and_a_pattern_chooses(server: Server) -> None:
    names = [reading["name"] for reading in server.ask("/api/v1/readings").json]
    assert names == sorted(names) and "attic.humidity" in names and len(names) >= 5
    chosen = server.ask("/api/v1/readings?name=*.temperature&name=pump.%73tate").json
    assert [reading["name"] for reading in chosen] == ["attic.temperature", "pump.state"]
    assert chosen[0]["value"] == 21.53 and chosen[0]["unit"] == "°C" and chosen[0]["quality"] == "good"
    assert chosen[0]["time"].endswith("Z") and (chosen[0]["boot"], chosen[1]["value"]) == (3, False)
    assert server.ask("/api/v1/readings?name=cellar.temperature").json == []  # known, but without a value


def test_a_reading_whose_time_is_up_says_so(server: Server) -> None:
    assert [each["quality"] for each in server.ask("/api/v1/readings?name=office.*").json] == ["stale"]
    assert server.ask("/api/v1/readings/office.co2").json["quality"] == "stale"
    co2 = server.ask("/api/v1/devices/office").json["quantities"][0]
    assert co2["reading"]["quality"] == "stale" and co2["reading"]["value"] == 640


def test_one_reading(server: Server) -> None:
    answer = server.ask("/api/v1/readings/attic.temperature")
    assert answer.status == 200 and answer.json["value"] == 21.53
    assert answer.fields["Cache-Control"] == "no-store" and answer.fields["Content-Type"] == "application/json"
    assert server.ask("/api/v1/readings/cellar.temperature").json["value"] is None


def test_a_key_of_manual_needs_no_dot_and_may_hold_a_slash(server: Server) -> None:
    assert server.order("set house/target 20.5").json == {"ok": True, "status": "OK", "rows": []}
    for address in ("house/target", "house%2Ftarget", "manual.house%2Ftarget"):
        assert server.ask(f"/api/v1/readings/{address}").json["value"] == 20.5
    assert [each["value"] for each in server.ask("/api/v1/readings?name=house/target").json] == [20.5]
    server.order("clear")


def test_devices_tell_state_reason_and_errors(server: Server) -> None:
    server.do(lambda: server.hub.fail("cellar", ValueError("no such luck")))
    known = {device["name"]: device for device in server.ask("/api/v1/devices").json}
    assert set(known) >= {*server.devices, "manual"} and known["attic"]["state"] == "running"
    assert (known["cellar"]["state"], known["barn"]["state"]) == ("lost", "refused")
    assert "ttyUSB1" in known["cellar"]["reason"] and known["cellar"]["label"] == "Cellar"
    assert known["cellar"]["errors"] == {"ValueError": {"count": 1, "last": "no such luck"}}
    server.devices["pump"].labels["state"] = "Water"
    pump = server.ask("/api/v1/devices/pump").json
    assert pump["quantities"][0]["label"] == "Water"
    assert [(each["name"], each["kind"], each["writable"]) for each in pump["quantities"]] == [
        ("pump.state", "flag", True)
    ]
    assert pump["quantities"][0]["reading"]["value"] is False and pump["where"] == "gpio:GPIO17"
    assert pump["quantities"][0]["rules"]["max_on"] == 600 and pump["quantities"][0]["why"] == ""


def test_a_command_steers_an_output(server: Server) -> None:
    assert server.order("set pump.state on").json["ok"] and server.devices["pump"].written == [True]
    assert server.ask("/api/v1/readings/pump.state").json["value"] is True
    answer = server.order("get attic.* pump.state").json
    assert answer["status"] == "OK 3" and [row["name"] for row in answer["rows"]][-1] == "pump.state"


@pytest.mark.parametrize(
    ("command", "status", "code", "words"),
    [
        ("set gate.state on", 504, "no-answer", "gpio:GPIO27"),
        ("set attic.temperature 3", 403, "denied", "measured"),
        ("set pump.state maybe", 422, "bad-value", "on or off"),
        ("set pmup.state on", 404, "unknown", "pump.state"),
        ("gte *", 400, "unknown-command", "did you mean `get`"),
        ("", 400, "syntax", "empty"),
        ("watch *", 403, "denied", "pushed"),
    ],
)
def test_a_refused_command_says_why(server: Server, command: str, status: int, code: str, words: str) -> None:
    answer = server.order(command)
    assert (answer.status, answer.json["ok"], answer.json["code"]) == (status, False, code)
    assert words in answer.json["error"] and answer.json["status"].startswith(f"ERR {code} ")


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"command": 3}', b'{"command": "help", "x": 1}', b"\xff",
                                  b'{"command": "set a 1\\nset b 2"}'])  # fmt: skip
def test_a_body_that_is_no_command_says_what_would_be(server: Server, body: bytes) -> None:
    answer = server.ask("/api/v1/commands", "POST", body, Content_Type="application/json")
    assert answer.status == 400 and "command" in answer.json["error"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_commands_come_as_json_only(server: Server, kind: str) -> None:
    """A form of a foreign page can send any other of these without asking the browser."""
    body = b'{"command": "set pump.state off"}'
    assert server.ask("/api/v1/commands", "POST", body, Content_Type=kind).status == 415
    assert server.ask("/api/v1/commands", "POST", body, Content_Type="Application/JSON; charset=utf-8").json["ok"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/v1/reading", "/api/v1/readings"),
        ("/api/v1/devices/", "/api/v1/devices"),
        ("/page.jss", "/page.js"),
        ("/api/v1/devices/atic", "`attic`"),
        ("/api/v1/readings/attic.temprature", "attic.temperature"),
        ("/api/v1/readings?name=attic.temprature", "attic.temperature"),
        ("/api/v1/readings/attic.*", "name=PATTERN"),
        ("/api/v1/readings/a%20b", "name=PATTERN"),
        ("/../../etc/passwd", "nothing here"),
    ],
)
def test_what_is_not_there_names_what_is(server: Server, path: str, hint: str) -> None:
    answer = server.ask(path)
    assert answer.status == 404 and hint in answer.json["error"]


@pytest.mark.parametrize("query", ["names=x", "name=%ff", "&".join(["name=x"] * 101)])
def test_a_query_that_cannot_be_meant_is_refused(server: Server, query: str) -> None:
    assert server.ask(f"/api/v1/readings?{query}").status == 400


def test_methods(server: Server) -> None:
    answer = server.ask("/api/v1/readings", "DELETE")
    assert (answer.status, answer.fields["Allow"]) == (405, "GET, HEAD") and "DELETE" in answer.json["error"]
    assert server.ask("/api/v1/commands").fields["Allow"] == "POST"
    for path in ("/", "/healthz", "/api/v1/readings", "/api/v1/readings/attic.humidity"):
        head, got = server.ask(path, "HEAD"), server.ask(path)
        assert head.body == b"" and got.body
        assert head.fields["Content-Length"] == got.fields["Content-Length"] == str(len(got.body))
    assert server.ask("/api/v1/events", "HEAD").fields["Content-Type"] == "text/event-stream"


def test_a_bug_is_told_and_the_next_request_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.hub, "latest", None)
    monkeypatch.setattr("gateway.commands.Session.readings", lambda *_: 1 / 0)
    answer = server.ask("/api/v1/readings")
    assert answer.status == 500 and "ZeroDivisionError" in answer.json["error"]
    monkeypatch.undo()
    assert server.ask("/api/v1/readings").status == 200


# Hosts and origins


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.:80", "127.0.0.1", "192.168.7.9:8080", "[::1]:8080", "[fe80::1]", "gateway.example", OWN],
)
def test_names_of_the_gateway(server: Server, host: str) -> None:
    assert server.ask("/healthz", Host=host).body == b"ok\n"
    assert server.ask("/healthz", Host=host, Origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "[evil]", "a b", "127.0.0.1@evil", "gateway.example.org"]
)
def test_a_foreign_name_is_misdirected(server: Server, host: str) -> None:
    answer = server.ask("/api/v1/readings", Host=host)
    assert answer.status == 421 and "hosts" in answer.json["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://localhost.evil", ""])
def test_a_foreign_page_gets_nothing(server: Server, origin: str) -> None:
    for path, method in (("/api/v1/readings", "GET"), ("/api/v1/events", "GET"), ("/api/v1/commands", "POST")):
        assert server.ask(path, method, Host="localhost", Origin=origin).status == 403


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: localhost\r\n"])
def test_host_must_stand_there_once(server: Server, hosts: bytes) -> None:
    assert server.raw(GET).startswith(b"HTTP/1.1 200 ")
    answer = server.raw(b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"RFC 9112" in answer


def test_the_old_version_needs_no_host_and_a_target_may_bring_its_own(server: Server) -> None:
    old = server.raw(b"GET /healthz HTTP/1.0\r\n\r\n", ends=False)
    assert old.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in old and old.endswith(b"\r\n\r\nok\n")
    assert b" 200 " in server.raw(b"GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b" 421 " in server.raw(b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")


# Bounds


def test_a_client_that_stops_sending_gets_every_answer(server: Server) -> None:
    answers = server.raw(GET * 3)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert b'"status":"OK 2"' in server.raw(POST)


def test_an_answer_that_takes_time_still_reaches_a_client_that_stopped_sending(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        server.devices["attic"], "read", lambda whole: deferLater(server.reactor, 0.2, lambda: None), raising=False
    )
    assert b'"status":"OK 2"' in server.raw(POST)


def test_a_client_that_leaves_before_the_answer_harms_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        server.devices["attic"], "read", lambda whole: deferLater(server.reactor, 0.2, lambda: None), raising=False
    )
    before = server.commands.sessions
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(POST)
        time.sleep(0.1)
    wait(lambda: server.commands.sessions == before)
    assert server.ask("/healthz").status == 200


@pytest.mark.parametrize(
    ("said", "words"),
    [(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no TLS"), (b"status\n", "CRLF"),
     (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", "CRLF")],
)  # fmt: skip
def test_who_speaks_otherwise_is_told_at_once(server: Server, said: bytes, words: str) -> None:
    answer = server.raw(said, ends=False)
    assert answer.startswith(b"HTTP/1.1 400 ") and words.encode() in answer


def test_a_large_body_is_refused_and_the_refusal_can_be_read(server: Server) -> None:
    fits = b'{"command": "get *"}'.ljust(BODY)
    assert server.ask("/api/v1/commands", "POST", fits, Content_Type="application/json").json["ok"]
    answer = server.ask("/api/v1/commands", "POST", fits + b" ", Content_Type="application/json")
    assert answer.status == 413 and str(BODY) in answer.json["error"]
    chunked = b"POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert server.raw(chunked + b"8000\r\n" + b"x" * 0x8000 + b"\r\n" + b"ffff\r\n" + b"x" * 0xFFFF).startswith(
        b"HTTP/1.1 413 "
    )


@pytest.mark.parametrize(
    "request_", [b"hello gateway\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
)
def test_what_is_no_http_is_told_what_would_be(server: Server, request_: bytes) -> None:
    answer = server.raw(request_, ends=False)
    assert answer.startswith(b"HTTP/1.1 400 ") and json.loads(answer.partition(b"\r\n\r\n")[2])["error"].endswith(
        "readings"
    )


def test_a_refusal_is_no_bug(server: Server) -> None:
    seen = list[LogEvent]()
    observer = cast(ILogObserver, seen.append)
    globalLogPublisher.addObserver(observer)
    try:
        server.raw(b"nonsense\r\nHost: localhost\r\n\r\n", ends=False)
        assert server.ask("/healthz").status == 200
    finally:
        globalLogPublisher.removeObserver(observer)
    assert not [event for event in seen if "log_failure" in event]


def test_an_endless_line_is_refused(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"GET /" + b"x" * 1_000_000)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 431 ") and server.ask("/healthz").status == 200


def test_one_connection_too_many_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    wait(lambda: not server.site.connections)  # of the tests before
    monkeypatch.setattr(module, "CONNECTIONS", 2)
    with server.connect() as one, server.connect() as two:
        for each in (one, two):
            each.sendall(GET)
            assert each.recv(4096).startswith(b"HTTP/1.1 200 ")
        answer = server.raw(b"", ends=False)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 5" in answer
    wait(lambda: not server.site.connections)
    assert server.ask("/healthz").status == 200


def test_a_silent_connection_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 1.0)
    with server.connect() as client:
        client.sendall(GET + b"GET /healthz HTT")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert client.recv(4096) == b""


def test_sessions_end_with_their_requests(server: Server) -> None:
    before = server.commands.sessions
    for path in ("/healthz", "/nothing", "/api/v1/readings"):
        server.ask(path)
    server.raw(b"nonsense\r\n\r\n")
    server.raw(b"GET / HTTP/1.1\r\nHost: loc")
    wait(lambda: server.commands.sessions == before)


# Dates, files, clients


def test_the_date_is_told_once_it_is_known(server: Server) -> None:
    assert re.fullmatch(r"\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT", server.ask("/healthz").fields["Date"])
    unsynced = Server(synced=False)
    try:
        unsynced.publish("attic", 1.0, 2.0)
        assert "Date" not in unsynced.ask("/healthz").fields
        reading = unsynced.ask("/api/v1/readings/attic.temperature").json
        assert reading["time"] is None and reading["quality"] == "unsynced" and reading["monotonic"] >= 0
    finally:
        unsynced.close()


def test_files_of_the_page(server: Server) -> None:
    assert {b"/", b"/page.js", b"/page.css", b"/icon.svg", b"/uPlot.js", b"/uPlot.css", b"/uPlot.txt"} <= set(files())
    for address, file in files().items():
        plain = server.ask(address.decode())
        assert plain.body == file.plain and plain.fields["Content-Type"] == file.kind.decode()
        packed = server.ask(address.decode(), Accept_Encoding="br, gzip")
        assert packed.fields["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == file.plain
        again = server.ask(address.decode(), If_None_Match=packed.fields["ETag"])
        assert again.status == 304 and again.body == b""
        assert server.ask(address.decode(), If_None_Match='W/"other"').status == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("GZIP;q=0.5", True), ("*", True), ("br, *;q=0.1", True), ("gzip;q=0", False),
     ("identity, gzip; q=0.000", False), ("*;q=0", False), ("x-gzip", True), ("bogzip", False)],
)  # fmt: skip
def test_a_file_is_packed_for_who_takes_it(server: Server, accepted: str, packed: bool) -> None:
    """RFC 9110 12.5.3."""
    answer = server.ask("/page.js", Accept_Encoding=accepted)
    assert (answer.fields["Content-Encoding"] == "gzip") == packed


def test_a_tag_is_compared_weakly_and_a_star_is_any(server: Server) -> None:
    """RFC 9110 13.1.2."""
    tag = server.ask("/page.js").fields["ETag"]
    for wanted in "*", tag.removeprefix("W/"), f'"other", {tag}':
        assert server.ask("/page.js", If_None_Match=wanted).status == 304, wanted


def test_every_answer_tells_the_browser_to_be_careful(server: Server) -> None:
    for path in ("/", "/page.js", "/api/v1/readings", "/nothing", "/healthz"):
        fields = server.ask(path).fields
        assert "default-src 'self'" in fields["Content-Security-Policy"]
        assert fields["X-Content-Type-Options"] == "nosniff" and fields["Referrer-Policy"] == "no-referrer"


def test_the_page_names_nothing_off_the_board() -> None:
    for address, file in files().items():
        code = re.sub(rb"(?m)(^|\s)//.*$|^\s*\*.*$", b"", file.plain)  # comments of uPlot say where its ideas come from
        for found in re.findall(rb"(?:https?:)?//[\w.-]+\.\w+", code):
            known = address == b"/uPlot.txt" or found == b"http://www.w3.org"  # a licence; the name space of SVG
            assert known, f"{address!r} names {found!r}"


def test_curl(server: Server) -> None:
    base = f"http://localhost:{server.port}/api/v1"
    run = ["curl", "-sS", "--max-time", "5", "-w", " %{http_code}"]
    got = subprocess.run(
        [*run, f"{base}/readings/attic.temperature"], capture_output=True, text=True, check=True
    ).stdout
    assert '"value":21.53' in got and got.endswith(" 200")
    send = [*run, "-H", "Content-Type: application/json", "-d", '{"command": "count"}', f"{base}/commands"]
    assert '"ok":true' in subprocess.run(send, capture_output=True, text=True, check=True).stdout
    large = [*run, "-H", "Content-Type: application/json", "--data-binary", "@-", f"{base}/commands"]
    refused = subprocess.run(large, input="x" * 5_000_000, capture_output=True, text=True).stdout
    assert refused.endswith(" 413")
