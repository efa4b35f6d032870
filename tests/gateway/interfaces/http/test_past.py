"""The past over HTTP: pages that fit together, CSV that streams, refusals that help, and clients that leave."""

from __future__ import annotations

import csv
import io
import re
import shlex
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet.defer import Deferred, fail

from drivers.api import NoAnswer, Quantity
from gateway.export import COLUMNS
from gateway.handle import Status
from gateway.history import offline
from gateway.history.question import HistoryError, Page, Question
from gateway.history.store import Store
from gateway.interfaces.http import parts
from gateway.interfaces.http.past import WHOLE
from tests.gateway.interfaces.http.program import HUMIDITY, MODE, TEMPERATURE
from tests.gateway.interfaces.http.server import Server, wait

ROOT = Path(__file__).parents[4]
PAST = "/api/v1/history?name="


def fill(server: Server, device: str = "attic", count: int = 2500, every: float = 1.0) -> None:
    """Readings of the last *count* times *every* seconds."""

    def publish() -> None:
        now = server.hub.clock.monotonic()
        for at in range(count):
            sample = {TEMPERATURE: 20 + at % 100 / 10, HUMIDITY: float(at % 7)}
            server.hub.publish(device, sample, 5.0, at=now - (count - at) * every)

    server.do(publish)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(age=10_000.0)
    fill(server)
    server.publish("pump", False)
    server.publish("pump", True)
    server.do(lambda: server.hub.publish("roof", {MODE: "2d"}))
    server.do(lambda: server.hub.publish("roof", {MODE: "3d"}))
    yield server
    server.close()


def ago(server: Server, since: float, to: float) -> str:
    """From *since* to *to* seconds before the filling: two questions with these terms are about the same time."""
    (last,) = server.ask(f"{PAST}attic.humidity&order=newest&limit=1").json["series"][0]["points"]
    end = datetime.fromisoformat(last[0]).timestamp() + 1.0
    return f"from={end - since:.3f}&to={end - to:.3f}"


def all_pages(server: Server, address: str) -> list[Any]:
    """Name and point of each, through all pages."""
    found: list[Any] = []
    following: str | None = address
    while following:
        answer = server.ask(following)
        assert answer.status == 200, answer.body
        told = answer.json
        found += [(series["name"], *point) for series in told["series"] for point in series["points"]]
        following = told["next"]
    return found


def test_readings_as_they_came(server: Server) -> None:
    told = server.ask(f"{PAST}attic.temperature&from=-10m").json
    (series,) = told["series"]
    assert {key: series[key] for key in ("name", "unit", "kind", "digits", "step", "aggregate")} == {
        "name": "attic.temperature", "unit": "°C", "kind": "float", "digits": 2, "step": None, "aggregate": None
    }  # fmt: skip
    assert [value for _, value in series["points"]][-1] == 29.9 and told["next"] is None
    assert all(re.fullmatch(r"20\d\d-.*\.\d{3}Z", when) for when, _ in series["points"])


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [7, 1000, 1001, 2500, 5000])
def test_pages_fit_together(server: Server, limit: int, order: str) -> None:
    """Whatever the limit, all pages are all readings, each once."""
    terms = f"attic.*&from=-1h&order={order}"
    if limit == 7:
        terms = f"attic.*&{ago(server, 30, 2)}&order={order}"
    whole = all_pages(server, f"{PAST}{terms}&limit=100000")
    assert len(whole) > 50
    assert all_pages(server, f"{PAST}{terms}&limit={limit}") == whole
    times = [when for name, when, _ in whole if name == "attic.humidity"]
    assert times == sorted(times, reverse=order == "newest") and {name for name, *_ in whole} == {
        "attic.temperature", "attic.humidity"
    }  # fmt: skip


@pytest.mark.parametrize("aggregate", ["mean", "extremes", "last"])
def test_buckets_fit_together(server: Server, aggregate: str) -> None:
    terms = f"attic.*&{ago(server, 2400, 60)}&step=20s&aggregate={aggregate}"
    whole = all_pages(server, f"{PAST}{terms}")
    assert len(whole) >= 230 and all_pages(server, f"{PAST}{terms}&limit=13") == whole


def test_extremes_are_what_the_readings_say(server: Server) -> None:
    terms = ago(server, 2000, 100)
    raw = server.ask(f"{PAST}attic.temperature&{terms}&limit=5000").json["series"][0]["points"]
    drawn = server.ask(f"{PAST}attic.temperature&{terms}&step=5m&aggregate=extremes").json["series"][0]
    assert (drawn["step"], drawn["aggregate"]) == (300, "extremes")
    values = [value for _, value in drawn["points"]]
    assert (min(values), max(values)) == (min(v for _, v in raw), max(v for _, v in raw)) == (20.0, 29.9)


def test_words_and_flags_have_their_last_in_a_bucket(server: Server) -> None:
    told = server.ask(f"{PAST}roof.mode&name=pump.state&from=-1h&step=1h").json["series"]
    assert {each["name"]: (each["aggregate"], each["kind"], each["points"][-1][1]) for each in told} == {
        "pump.state": ("last", "flag", True), "roof.mode": ("last", "choice", "3d")
    }  # fmt: skip


def test_a_text_that_is_gone_does_not_cut_the_others_off(server: Server) -> None:
    server.do(lambda: server.hub.publish("gone", {Quantity("note", kind="text"): "hello"}))
    server.ask(f"{PAST}pump.state")  # the history has it all now
    query = f"{PAST}gone.note&name=pump.state&from=-1h&step=1h"
    told = server.ask(query).json["series"]
    assert [(each["name"], each["aggregate"], each["points"][-1][1]) for each in told] == [
        ("gone.note", "last", "hello"), ("pump.state", "last", True)
    ]  # fmt: skip
    counted = server.ask(f"{query}&aggregate=max").json["series"]
    assert [(each["name"], len(each["points"])) for each in counted] == [("gone.note", 0), ("pump.state", 1)]
    chosen = server.ask(f"{PAST}gone.*&from=-1h&step=1h&aggregate=max")
    assert [len(each["points"]) for each in chosen.json["series"]] == [0], "as long as others fit, too"
    alone = server.ask(f"{PAST}gone.note&from=-1h&step=1h&aggregate=max")
    assert (alone.status, alone.json["code"]) == (400, "syntax") and "is text" in alone.json["error"]


def test_a_name_without_a_reading_has_no_points(server: Server) -> None:
    (series,) = server.ask(f"{PAST}barn.pressure").json["series"]
    assert (series["points"], series["unit"]) == ([], "hPa")
    assert server.ask(f"{PAST}nothing.*").json == {"series": [], "next": None}


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "which name?"),
        ("?name=attic.temprature", 404, "attic.temperature"),
        ("?name=attic.temperature&from=yesterday", 400, "write -1h, now, 2026-11-20"),
        ("?name=attic.temperature&from=-1h&to=-2h", 400, "later than the end"),
        ("?name=attic.temperature&step=ten", 400, "write 500ms, 10s"),
        ("?name=attic.temperature&aggregate=mean", 400, "Write a STEP before it"),
        ("?name=attic.temperature&step=1m&aggregate=median", 400, "there are mean"),
        ("?name=roof.mode&step=1m&aggregate=mean", 400, "first, last and count"),
        ("?name=attic.temperature&format=xml", 400, "json or jsonl or csv"),
        ("?name=attic.temperature&order=random", 400, "oldest or newest"),
        ("?name=attic.temperature&limit=0", 400, "from 1 to"),
        ("?name=attic.temperature&after=here", 400, "what `next` said"),
        ("?name=attic.temperature&after=attic.temperature@1-2", 400, "what `next` said"),
        (f"?name=attic.temperature&after=attic.temperature@1-{'9' * 20}-1", 400, "what `next` said"),
        ("?name=attic.temperature&step=1m&after=attic.temperature@running-0-1-0", 400, "the clock was set"),
        ("?names=attic.temperature", 400, "did you mean `name`"),
    ],
)
def test_a_question_that_cannot_be_meant_says_what_can(server: Server, query: str, status: int, words: str) -> None:
    answer = server.ask(f"/api/v1/history{query}")
    assert answer.status == status and words in answer.json["error"], answer.body


def test_a_plus_may_be_forgotten_to_be_escaped(server: Server) -> None:
    now = server.ask(f"{PAST}attic.temperature&from=-10m").json["series"][0]["points"]
    first = now[0][0].removesuffix("Z")
    for since in (f"{first}+00:00", f"{first} 00:00".replace(" ", "%20"), quote(f"{first}+00:00")):
        assert server.ask(f"{PAST}attic.temperature&from={since}").json["series"][0]["points"][0] == now[0]
    assert server.ask(f"{PAST}attic.temperature&from=+9990&limit=2").json["series"][0]["points"]


# CSV


def test_csv_is_what_export_writes(server: Server) -> None:
    assert WHOLE == COLUMNS
    answer = server.ask(f"{PAST}attic.*&name=pump.state&from=-1h&format=csv")
    assert answer.fields["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == 5002 and {row["name"] for row in rows} == {"attic.humidity", "attic.temperature", "pump.state"}
    assert rows[-1]["value"] == "True" and rows[0]["unit"] == "%" and rows[0]["boot"] == "3"
    step = server.ask(f"{PAST}attic.*&from=-1h&step=10m&format=csv").body.decode().splitlines()
    assert step[0] == "name,time,value,unit" and step[1].startswith("attic.humidity,20")
    assert server.ask(f"{PAST}nothing.*&format=csv").body == (",".join(COLUMNS) + "\r\n").encode()
    assert len(server.ask(f"{PAST}attic.*&format=csv&limit=3").body.splitlines()) == 4


def test_a_text_with_any_line_end_is_quoted(server: Server) -> None:
    """RFC 4180; Python 3.11's csv would leave a lone carriage return as it is where lines end with LF."""
    for text in "back\rto the beginning", "two\nlines", 'a "quote"', "a, comma":
        server.do(partial(server.hub.publish, "said", {Quantity("note", kind="text"): text}))
    server.ask(f"{PAST}pump.state")  # the history has it all now
    rows = server.ask(f"{PAST}said.note&format=csv").body
    for quoted in b'"back\rto the beginning"', b'"two\nlines"', b'"a ""quote"""', b'"a, comma"':
        assert b"Z," + quoted + b"," in rows and rows.endswith(b",text,0\r\n")


def test_json_lines_can_be_imported(server: Server, tmp_path: Path) -> None:
    answer = server.ask(f"{PAST}attic.*&name=roof.mode&from=-1h&format=jsonl")
    assert answer.fields["Content-Type"] == "application/x-ndjson"
    (tmp_path / "past.jsonl").write_bytes(answer.body)
    rows = list(offline.lines(tmp_path / "past.jsonl"))
    assert len(rows) == 5002 and {name for (name, *_), _ in rows} == {
        "attic.humidity",
        "attic.temperature",
        "roof.mode",
    }
    store = Store()
    store.begin(1, 0)
    assert offline.add(store, rows, lambda _: None) == 5002
    assert server.ask(f"{PAST}nothing.*&format=jsonl").body == b""


def test_csv_for_the_old_version_and_for_who_stops_sending(server: Server) -> None:
    request = f"GET {PAST}attic.temperature&format=csv&from=-1h HTTP/1.".encode()
    old = server.raw(request + b"0\r\n\r\n")
    assert b"Connection: close" in old and b"Transfer-Encoding" not in old and old.count(b"attic.temperature") == 2500
    new = server.raw(request + b"1\r\nHost: localhost\r\n\r\n")
    assert new.endswith(b"\r\n0\r\n\r\n") and new.count(b"attic.temperature") == 2500


def test_a_client_that_reads_slowly_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read from the history than the client takes."""
    asked: list[Question] = []
    ask = server.history.ask

    def noted(question: Question) -> Deferred[Page]:
        asked.append(question)
        return ask(question)

    monkeypatch.setattr(server.history, "ask", noted)
    fill(server, "cellar", 60_000, 0.1)
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        client.sendall(f"GET {PAST}cellar.*&format=csv&from=-3h HTTP/1.0\r\n\r\n".encode())
        before = 0
        while len(asked) > before or not asked:  # until all buffers on the way are full
            before = len(asked)
            time.sleep(0.5)
        assert len(asked) < 100, "it reads on although nobody takes it"
        got = b"".join(iter(lambda: client.recv(1 << 20), b""))
    assert got.count(b"\ncellar.") == 120_000 and len(asked) >= 120


def test_a_client_that_leaves_ends_its_question(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[Any] = []
    waiting: Deferred[Any] = Deferred(cancelled.append)
    monkeypatch.setattr(server.history, "ask", lambda question: waiting)
    before = server.commands.sessions
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(f"GET {PAST}attic.temperature HTTP/1.0\r\n\r\n".encode())
        wait(lambda: server.commands.sessions == before + 1)
        time.sleep(0.1)
    wait(lambda: cancelled == [waiting] and server.commands.sessions == before)
    assert not server.hub.errors


def test_a_client_that_takes_nothing_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "STUCK", 1.0)
    fill(server, "barn", 60_000, 0.1)
    before = server.commands.sessions
    with server.connect() as client:
        client.sendall(f"GET {PAST}barn.*&format=csv&from=-3h HTTP/1.0\r\n\r\n".encode())
        wait(lambda: server.commands.sessions == before + 1)
        wait(lambda: server.commands.sessions == before)


def test_a_history_that_fails_is_told_before_the_answer_begins_and_cut_behind(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, count = server.history.ask, iter(range(100))
    broken = HistoryError("the disk is full")
    monkeypatch.setattr(server.history, "ask", lambda question: fail(broken))
    answer = server.ask(f"{PAST}attic.temperature")
    assert (answer.status, answer.json["error"]) == (503, "the disk is full")
    monkeypatch.setattr(server.history, "ask", lambda question: ask(question) if next(count) < 1 else fail(broken))
    command = ["curl", "-sS", "--max-time", "60", f"http://localhost:{server.port}{PAST}attic.*&from=-1h&format=csv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and 900 < done.stdout.count("\n") < 1100


# Without the time


def test_a_board_that_does_not_know_the_time_tells_seconds_since_its_start() -> None:
    server = Server(synced=False, age=10_000.0)
    try:
        fill(server, count=50)
        points = server.ask(f"{PAST}attic.temperature&from=-45s").json["series"][0]["points"]
        assert 1 <= len(points) <= 46 and all(re.fullmatch(r"\+99\d\d\.\d{3}", when) for when, _, _ in points)
        assert {quality for _, _, quality in points} == {"unsynced"}
        for more in ("", "&step=3s&aggregate=last"):
            whole = all_pages(server, f"{PAST}attic.*&from=%2B9940{more}")
            assert len(whole) > 30 and all_pages(server, f"{PAST}attic.*&from=%2B9940{more}&limit=7") == whole
        answer = server.ask(f"{PAST}attic.temperature&from=2026-11-20")
        assert answer.status == 200 and answer.json["series"][0]["points"] == []
    finally:
        server.close()


# What happened


def test_happenings(server: Server) -> None:
    def happen() -> None:
        server.hub.tell("cellar", Status(state="lost", reason="no answer"))
        server.hub.tell("cellar", Status(state="running"))
        server.hub.tell("attic", Status(state="lost", reason="unplugged"))

    server.do(happen)
    told = server.ask("/api/v1/happenings?device=cellar&from=-10m").json
    assert [(each["device"], each["what"], each["text"]) for each in told] == [
        ("cellar", "lost", "no answer"), ("cellar", "running", "")
    ]  # fmt: skip
    assert told[0]["time"].endswith("Z") and told[0]["boot"] == 3 and told[0]["count"] == 1
    every = server.ask("/api/v1/happenings").json
    assert {each["device"] for each in every} >= {"cellar", "attic", "gateway"} or len(every) >= 3
    assert [each["what"] for each in server.ask("/api/v1/happenings?limit=1").json] == ["lost"]
    wrong = server.ask("/api/v1/happenings?device=atic")
    assert wrong.status == 404 and "`attic`" in wrong.json["error"]
    assert server.ask("/api/v1/happenings?from=never").status == 400


def test_errors_are_happenings(server: Server) -> None:
    server.do(lambda: server.history.note("office", "NoAnswer", str(NoAnswer("no answer")), 4))
    (told,) = server.ask("/api/v1/happenings?device=office").json
    assert (told["what"], told["count"]) == ("NoAnswer", 4)


# As the page for users says


def examples() -> list[str]:
    text = (ROOT / "docs/http.md").read_text()
    return re.findall(r"^\$ (curl .*)$", text, re.MULTILINE)


@pytest.mark.parametrize("command", examples())
def test_what_the_page_for_users_shows_works(server: Server, command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("localhost:8080", f"localhost:{server.port}"))
    if words[1] == "-N":  # goes on for ever
        words[1:1] = ["--max-time", "5"]
    done = subprocess.run([*words, "-sSf"], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == (28 if "-N" in words else 0), done.stderr
    told = done.stdout or (tmp_path / "attic.csv").read_text()
    assert told and '"error":' not in told.replace('"ok":true', "")
