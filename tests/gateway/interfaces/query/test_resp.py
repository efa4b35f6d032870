"""The query port as Redis clients know it: keys, channels, transactions, and what a client says of itself."""

from __future__ import annotations

import time

import pytest

from gateway.commands.watching import PATTERNS
from gateway.interfaces.query.resp import dialect
from gateway.interfaces.query.resp.dialect import Resp
from gateway.interfaces.query.resp.names import glob, matching
from gateway.interfaces.query.resp.wire import Parser
from tests.gateway.commands.house import House, logged
from tests.gateway.interfaces.query.talk import Talk, Told, Wrong, said

NOW = "2026-11-20T17:00:00.000Z"
TEMPERATURE = f"attic.temperature 21.53 °C {NOW} good"
BOTH = pytest.mark.parametrize("version", [2, 3])


def parser_of(talk: Talk) -> Parser:
    assert isinstance(talk.port.dialect, Resp)
    return talk.port.dialect.parser


# Keys


@BOTH
def test_a_reading_is_a_key_with_its_bare_value(version: int) -> None:
    talk = Talk(version=version)
    assert talk.line("GET attic.temperature") == "21.53"
    assert talk.line("get attic.temperature") == "21.53"  # the short way
    assert talk.line("MGET attic.humidity pump.state nobody.knows") == ["40.0", None, None]
    assert talk.line("EXISTS attic.humidity attic.humidity pump.state") == 2
    assert talk.line("TYPE attic.humidity") == "string" and talk.line("TYPE pump.state") == "none"
    assert talk.line("STRLEN attic.temperature") == 5 and talk.line("STRLEN pump.state") == 0
    assert talk.line("KEYS *") == ["attic.humidity", "attic.temperature"] and talk.line("DBSIZE") == 2
    assert talk.ask(b"GET", b"\xff\xfe") is None


def test_what_is_stale_is_not_there() -> None:
    talk = Talk()
    assert talk.line("TTL attic.temperature") == 32 and talk.line("PTTL attic.temperature") == 32_000
    assert talk.line("GET attic.temperature") == "21.53"
    talk.house.time.advance(32.1)
    for command, answer in (("GET", None), ("EXISTS", 0), ("TTL", -2), ("PTTL", -2), ("TYPE", "none"), ("STRLEN", 0)):
        assert talk.ask(command, "attic.temperature") == answer
    assert talk.line("KEYS *") == [] and talk.line("SCAN 0") == ["0", []] and talk.line("DBSIZE") == 0


@pytest.mark.parametrize(
    "text",
    ["5", "-5", "21.50", "-0.5", "0", "on", "off", "true", "false", "+5", "-0", "-0.0", "007", "1e3", "", " x ", '"',
     '"x"', "a\r\nb", "größe µ\u2028", "\x1b[2J", "5 m", "1234567890123456789", "123456789012345.125", "\0",
     "x" * 4096],
)  # fmt: skip
def test_what_you_set_you_get(text: str) -> None:
    talk = Talk()
    assert talk.ask("SET", "key", text) == "OK"
    assert talk.ask("GET", "key") == talk.ask("GET", "manual.key") == text
    assert talk.line("TTL key") == -1 and talk.line("DEL key key nobody") == 1 and talk.line("UNLINK key") == 0


def test_what_set_does_not_know_is_told() -> None:
    talk = Talk()
    told = talk.line("SET key 1 EX 10")
    assert isinstance(told, Wrong) and told.args[0].startswith("ERR syntax error: SET takes no options here")
    assert talk.line("GET key") is None


@pytest.mark.parametrize("container", ["CLIENT", "COMMAND", "CONFIG"])
def test_a_container_says_what_it_has(container: str) -> None:
    talk = Talk()
    refused = talk.ask(container, "nonsense")
    assert refused == Wrong(f"ERR unknown subcommand 'nonsense'. Try {container} HELP.")
    first, *rest = talk.ask(container, "help")
    assert first == f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:" and "HELP" in rest
    for each in rest[::2]:
        assert not isinstance(talk.ask("COMMAND", "INFO", f"{container}|{each.split()[0]}")[0], Wrong), each


def test_a_number_stays_a_number_for_everybody_else() -> None:
    talk = Talk()
    talk.line("SET target 21.50")
    assert talk.house.hub.latest["manual.target"].value == 21.5
    talk.line("SET light on")
    assert talk.house.hub.latest["manual.light"].value is True


def test_flushdb_clears_what_was_set_by_hand_only() -> None:
    talk = Talk()
    talk.line("SET a 1")
    assert talk.line("FLUSHDB") == "OK" and talk.line("GET a") is None and talk.line("DBSIZE") == 2
    assert talk.line("FLUSHDB ASYNC") == "OK" and talk.line("FLUSHDB now") == Wrong("ERR syntax error")


def test_an_output_is_set_when_the_device_has_done_it_and_answers_keep_their_order() -> None:
    talk = Talk()
    talk.send(said("SET", "pump.state", "on") + said("PING") + said("GET", "attic.temperature"))
    assert talk.heard() == []
    (quantity, value, done) = talk.house.pump.told[0]
    assert (quantity.name, value) == ("state", True)
    done.callback(None)
    talk.turn()
    assert talk.heard() == ["OK", "PONG", "21.53"]
    assert talk.line("SET pump.state maybe") == Wrong("ERR bad-value state takes on or off, not maybe")
    assert talk.line("SET attic.temperature 20") == Wrong("NOPERM attic.temperature is measured, not set")
    assert talk.line("DEL attic.temperature") == Wrong("NOPERM attic.temperature: only keys of `manual` can be deleted")
    assert str(talk.line("SET nobody.knows 1")).startswith("ERR unknown nobody.knows: no such name")


def test_a_viewer_looks_and_does_not_touch() -> None:
    talk = Talk(peer="192.0.2.7")
    assert talk.line("GET nothing") is None and talk.line("PING") == "PONG"
    for line in ("SET k 1", "DEL k", "UNLINK k", "FLUSHDB"):
        answer = talk.line(line)
        assert isinstance(answer, Wrong) and str(answer).startswith("NOPERM "), line
        assert str(answer).endswith("takes the role operator; you are viewer")
    assert not talk.house.manual.keys


def test_a_name_cannot_bring_a_command_of_its_own() -> None:
    talk = Talk()
    for name in ("pump.state on", "pump.state\non", "", "*", "a b"):
        assert isinstance(talk.ask("SET", name, "off"), Wrong) and talk.ask("DEL", name) == 0
    assert not talk.house.pump.told and not talk.house.manual.keys
    talk.line("SET keep 1")
    assert talk.ask("DEL", "k*") == 0 and talk.line("GET keep") == "1"  # in Redis a name is no pattern


def test_a_scan_gives_every_name_once_and_the_lasting_ones_while_others_come_and_go() -> None:
    talk = Talk()
    for at in range(300):
        talk.ask("SET", f"stays{at}", "1")
        talk.ask("SET", f"goes{at}", "1")
    cursor, found, turns = "0", [], 0
    while turns == 0 or cursor != "0":
        cursor, names = talk.ask("SCAN", cursor, "MATCH", "manual.stays*", "COUNT", "20")
        found += names
        talk.ask("DEL", f"goes{turns}")
        talk.ask("SET", f"comes{turns}", "1")
        turns += 1
    assert sorted(found) == sorted(f"manual.stays{at}" for at in range(300)) and turns > 10
    assert talk.line("SCAN 0 COUNT 2000 TYPE string")[1] and talk.line("SCAN 0 COUNT 2000 TYPE hash") == ["0", []]


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("attic.*", "attic.temperature", "cellar.temperature"),
        ("a?tic.*", "attic.x", "atic.x"),
        ("[ac]*", "cellar.x", "hall.x"),
        ("[^a]*", "cellar.x", "attic.x"),
        ("[!a]*", "cellar.x", "attic.x"),
        (r"a\*", "a*", "ab"),
        (r"a\[b", "a[b", "ab"),
        (r"[\]]x", "]x", "ax"),
    ],
)
def test_patterns_are_those_of_redis(pattern: str, fits: str, fails: str) -> None:
    match = matching(pattern.encode())
    assert match(fits) and not match(fails), glob(pattern.encode())


# Channels


@BOTH
def test_a_channel_is_a_name_and_its_payload_the_line_of_text(version: int) -> None:
    talk = Talk(version=version)
    talk.send(said("SUBSCRIBE", "attic.temperature", "target") + said("PSUBSCRIBE", "attic.*"))
    kind = Told if version == 3 else list
    assert talk.heard() == [
        kind(["subscribe", "attic.temperature", 1]),
        kind(["subscribe", "target", 2]),
        kind(["psubscribe", "attic.*", 3]),
    ]
    talk.house.measure()
    talk.turn()
    assert talk.heard() == [
        kind(["message", "attic.temperature", TEMPERATURE]),
        kind(["pmessage", "attic.*", "attic.temperature", TEMPERATURE]),
        kind(["pmessage", "attic.*", "attic.humidity", f"attic.humidity 40.0 % {NOW} good"]),
    ]
    other = Talk(talk.house)
    other.line("SET target 5")
    talk.turn()
    assert talk.heard() == [kind(["message", "target", f"manual.target 5 - {NOW} good"])]


def test_in_resp2_a_subscriber_may_say_little_else() -> None:
    talk = Talk()
    assert talk.line("GET attic.temperature") == "21.53"
    talk.line("SUBSCRIBE attic.temperature")
    allowed = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    assert talk.line("GET attic.temperature") == Wrong(f"ERR Can't execute 'get': only {allowed}")
    assert talk.line("PING") == ["pong", ""] and talk.line("PING x") == ["pong", "x"]
    talk.line("UNSUBSCRIBE")
    assert talk.line("GET attic.temperature") == "21.53"
    three = Talk(version=3)
    three.line("SUBSCRIBE attic.temperature")
    assert three.line("GET attic.temperature") == "21.53"


def test_after_unsubscribing_nothing_more_comes() -> None:
    talk = Talk()
    talk.send(said("SUBSCRIBE", "a.x", "attic.humidity") + said("PSUBSCRIBE", "attic.temp*"))
    talk.heard()
    talk.house.measure()
    talk.send(said("UNSUBSCRIBE") + said("PUNSUBSCRIBE"))
    assert talk.heard() == [
        ["unsubscribe", "a.x", 2],
        ["unsubscribe", "attic.humidity", 1],
        ["punsubscribe", "attic.temp*", 0],
    ]
    talk.house.measure()
    talk.turn()
    assert talk.heard() == [] and not talk.port.session.watched
    assert talk.line("UNSUBSCRIBE") == ["unsubscribe", None, 0]


def test_subscriptions_have_a_bound() -> None:
    talk = Talk()
    assert len([talk.ask("SUBSCRIBE", f"a.x{at}") for at in range(PATTERNS)]) == PATTERNS
    talk.ask("SUBSCRIBE", "a.x0")  # again is not more
    limit = Wrong(f"ERR limit {PATTERNS} channels and patterns at most; one such as attic.* fits many names")
    assert talk.ask("PSUBSCRIBE", "*") == talk.ask("SUBSCRIBE", "b.x") == limit
    long = Talk().ask("PSUBSCRIBE", "*" * 257)
    assert long == Wrong("ERR limit a name or pattern has at most 256 bytes")


def test_reset_begins_anew() -> None:
    talk = Talk(version=3)
    for line in ("CLIENT SETNAME me", "SUBSCRIBE attic.humidity", "MULTI", "GET x"):
        talk.line(line)
    assert talk.line("RESET") == "RESET" and talk.line("CLIENT GETNAME") is None
    talk.house.measure()
    talk.turn()
    assert talk.heard() == [] and talk.line("GET x") is None and talk.line("EXEC") == Wrong("ERR EXEC without MULTI")


# Transactions


@BOTH
def test_a_transaction_is_one_answer_whatever_waits_and_nothing_is_pushed_into_it(version: int) -> None:
    talk = Talk(version=version)
    if version == 3:
        talk.line("SUBSCRIBE attic.humidity")
    commands = [("MULTI",), ("GET", "attic.temperature"), ("SET", "pump.state", "on"), ("SET", "attic.humidity", "1"),
                ("EXEC",), ("PING",)]  # fmt: skip
    talk.send(b"".join(said(*words) for words in commands))
    talk.house.measure()
    talk.house.measure()
    talk.turn()
    before = talk.transport.value()
    assert before.endswith(b"+QUEUED\r\n*3\r\n$5\r\n21.53\r\n")
    talk.house.pump.told[0][2].callback(None)
    talk.turn()
    answers = talk.heard()
    assert answers[:4] == ["OK", "QUEUED", "QUEUED", "QUEUED"]
    assert answers[4] == ["21.53", "OK", Wrong("NOPERM attic.humidity is measured, not set")] and answers[5] == "PONG"
    newest = [Told(["message", "attic.humidity", f"attic.humidity 40.0 % {NOW} good"])] if version == 3 else []
    assert answers[6:] == newest and talk.house.commands.dropped == len(newest)


def test_a_mistake_spoils_a_transaction() -> None:
    talk = Talk()
    for line in ("MULTI", "SET k 1", "FLURBLE", "SET k 2"):
        talk.line(line)
    assert talk.line("EXEC") == Wrong("EXECABORT Transaction discarded because of previous errors.")
    assert not talk.house.manual.keys
    talk.line("MULTI")
    assert talk.line("SUBSCRIBE x") == Wrong("ERR Command not allowed inside a transaction")
    assert str(talk.line("EXEC")).startswith("EXECABORT")
    talk.line("MULTI")
    assert talk.line("DISCARD") == "OK" and talk.line("GET attic.humidity") == "40.0"
    talk.line("MULTI")
    assert talk.line("EXEC") == []


def test_a_transaction_has_a_bound() -> None:
    talk = Talk()
    talk.line("MULTI")
    answers = [talk.ask("SET", "k", "x" * 10_000) for _ in range(110)]
    assert answers[:101] == ["QUEUED"] * 101 and answers[-1] == Wrong("ERR limit too much between MULTI and EXEC")
    assert talk.port.dialect.block == [] and str(talk.line("EXEC")).startswith("EXECABORT")  # type: ignore[attr-defined]


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "ANSWER", 10_000)
    talk = Talk()
    talk.ask("SET", "k", "x" * 4000)
    assert len(talk.line("MGET k k")) == 2
    assert talk.line("MGET k k k") == Wrong("ERR limit the answer has over 10000 bytes; ask for less at once")


def test_a_bug_is_one_error_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    assert talk.line("TIME") == ["1795194000", "0"]
    monkeypatch.setattr(talk.port.session, "now", lambda: 1 // 0)
    with logged() as events:
        assert talk.line("TIME") == Wrong("ERR internal ZeroDivisionError; the log has more")
    assert any("log_failure" in event for event in events) and talk.line("PING") == "PONG"


# What a client says of itself


def test_hello_chooses_the_version_and_back() -> None:
    talk = Talk()
    assert talk.line("CONFIG GET databases") == ["databases", "1"] and talk.line("GET x") is None
    hello = talk.line("HELLO 3 AUTH default secret SETNAME me")
    assert hello == {"server": "redis", "version": "7.0.0", "proto": 3, "id": 1, "mode": "standalone", "role": "master",
                     "modules": []}  # fmt: skip
    assert talk.line("CONFIG GET data*") == {"databases": "1"} and talk.line("CLIENT GETNAME") == "me"
    assert talk.line("HELLO") == hello and talk.line("HELLO 2")[:2] == ["server", "redis"]
    assert talk.line("HELLO 4") == Wrong("NOPROTO unsupported protocol version")
    assert talk.line("HELLO 3 AUTH me x") == Wrong("WRONGPASS invalid username-password pair or user is disabled.")
    assert talk.line("HELLO 2")[5] == 2


def test_who_is_there() -> None:
    talk = Talk()
    assert talk.line("CLIENT SETINFO LIB-NAME mine") == "OK" and talk.line("CLIENT ID") == 1
    talk.house.time.advance(90)
    assert (
        talk.line("CLIENT INFO")
        == talk.line("CLIENT LIST")
        == (
            "id=1 addr=127.0.0.1:40000 name= age=90 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 qbuf=0 qbuf-free=0 "
            "argv-mem=0 obl=0 oll=0 omem=0 tot-mem=0 resp=2 user=default lib-name=mine lib-ver=\n"
        )
    )


def test_the_list_of_clients_may_be_asked_for_some() -> None:
    talk = Talk()
    mine = talk.line("CLIENT INFO")
    assert talk.line("CLIENT LIST TYPE normal") == talk.line("CLIENT LIST ID 7 1") == mine
    assert talk.line("CLIENT LIST TYPE pubsub") == talk.line("CLIENT LIST ID 7") == ""
    assert talk.line("CLIENT LIST x") == Wrong("ERR syntax error")


def test_info_has_what_clients_look_for() -> None:
    talk = Talk()
    talk.line("SET k 1")
    rows = dict(line.split(":", 1) for line in talk.line("INFO").splitlines() if ":" in line)
    assert rows["redis_version"] == "7.0.0" and rows["loading"] == "0" and rows["connected_clients"] == "1"
    assert rows["total_commands_processed"] == "2" and rows["db0"] == "keys=3,expires=0,avg_ttl=0"
    assert int(rows["used_memory"]) > 10**6 and rows["device_gateway_version"] and rows["synced"] == "True"
    assert talk.line("INFO clients") == "# Clients\r\nconnected_clients:1\r\nblocked_clients:0\r\n"
    assert talk.line("INFO nothing") == ""


def test_commands_tell_about_themselves() -> None:
    talk = Talk(version=3)
    every = talk.line("COMMAND LIST")
    assert len(every) == talk.line("COMMAND COUNT") == len(talk.line("COMMAND")) == len(talk.line("COMMAND DOCS"))
    assert talk.line("COMMAND INFO get nothing") == [["get", 2, {"readonly"}, 1, 1, 1, set(), [], [], []], None]
    assert talk.line("COMMAND DOCS get")["get"]["arguments"] == [{"name": "name", "type": "string"}]


def test_the_time_is_told_when_it_is_known() -> None:
    talk = Talk(House(None))
    assert talk.line("TIME") == Wrong("ERR unsynced the gateway does not know what time it is")
    talk.house.clock.set(1_795_194_000.25)
    assert talk.line("TIME") == ["1795194000", "250000"]


def test_quit_answers_and_closes() -> None:
    talk = Talk()
    talk.send(said("PING") + said("QUIT") + said("SET", "k", "1"))
    assert talk.heard() == ["PONG", "OK"] and talk.closed and not talk.house.manual.keys


# Trouble


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"*1000000000\r\n", "invalid multibulk length: 1000000000 items, and at most 1000 in a request"),
        (b"*1001\r\n", "invalid multibulk length: 1001 items, and at most 1000 in a request"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*1\r\n$1000000000\r\n", "invalid bulk length: 1000000000 bytes, and at most 16384 in an item"),
        (b"*1\r\n$16385\r\n", "invalid bulk length: 16385 bytes, and at most 16384 in an item"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*5\r\n" + b"$16384\r\n" + b"x" * 16384 + b"\r\n", None),
        (b"*5\r\n" + (b"$16384\r\n" + b"x" * 16384 + b"\r\n") * 4 + b"$1\r\n", "a request has at most 65536 bytes"),
        (b"*1\r\n" * 1000, "expected '$', got '*'"),
        (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*" + b"1" * 10**6, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 10**6, "too big bulk count string"),
        (b"*1\r\n$4\r\nPINGPONG\r\n", "a bulk string is longer than it says"),
        (b"*0\r\n*-1\r\nPING\r\n", "expected '*', got 'P'"),
        (b"*1 / HTTP/1.1\r\nHost: x\r\n\r\n", "invalid multibulk length"),
        (b"*\x00\xff\x16\x03" * 50, "too big mbulk count string"),
    ],
    ids=range(18),
)
@pytest.mark.parametrize("cut", [1, 7, 10**7])
def test_what_cannot_be_a_request_is_told_so_before_there_is_room_for_it(
    said: bytes, answer: str | None, cut: int
) -> None:
    talk = Talk()
    for at in range(0, min(len(said), 200_000), cut):
        talk.port.dataReceived(said[at : at + cut])
        parser = parser_of(talk)
        held = len(parser.tail) + sum(len(item) for item in parser.items)
        assert held <= 65536 + 16384
    talk.turn()
    if answer is None:
        assert talk.heard() == [] and not talk.closed
    else:
        assert talk.heard() == [Wrong(f"ERR Protocol error: {answer}")] and talk.closed


def test_an_empty_line_between_requests_says_nothing() -> None:
    talk = Talk()
    for part in (said("PING"), b"\r", b"\n", b"\r\n\r\n" + said("PING")):
        talk.send(part)
    assert talk.heard() == ["PONG", "PONG"]


def test_what_was_whole_before_a_mistake_is_answered() -> None:
    talk = Talk()
    talk.send(said("SET", "k", "1") + said("GET", "k") + b"*x\r\n" + said("SET", "k", "2"))
    assert talk.heard() == ["OK", "1", Wrong("ERR Protocol error: invalid multibulk length")] and talk.closed
    talk.port.dataReceived(said("SET", "k", "3"))
    assert talk.house.hub.latest["manual.k"].value == 1


def test_a_request_in_single_bytes_costs_no_more_than_its_length() -> None:
    talk = Talk()
    request = said("MGET", *[b"x" * 60] * 999)
    began = time.process_time()
    for at in range(len(request)):
        talk.port.dataReceived(request[at : at + 1])
    assert talk.heard() == [[None] * 999] and time.process_time() - began < 5


def test_a_chunk_that_was_heard_before_means_something_else_inside_a_request() -> None:
    """A remembered chunk is a request only where one begins."""
    talk = Talk()
    get = said("GET", "attic.humidity")
    talk.send(get)
    talk.send(get)
    talk.send(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % len(get))
    talk.send(get)
    talk.send(b"\r\n")
    assert talk.heard() == ["40.0", "40.0", get.decode()]
