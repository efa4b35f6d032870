"""The server as its clients meet it: coming in, talking, asking, and every limit."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.interfaces.irc import connection as limits
from gateway.interfaces.irc.server import CONNECTIONS
from tests.gateway.interfaces.irc.house import STATE, TEMPERATURE, TIME, Client, Fake, House, numerics

WELCOME = ["001", "002", "003", "004", "005", "251", "254", "255", "265", "375"]


def channel_pair() -> tuple[House, Client, Client]:
    """amy and bob, both in #attic, with nothing left to hear."""
    house = House()
    amy, bob = Client(house, "amy"), Client(house, "bob")
    amy.say("JOIN #attic")
    bob.say("JOIN #attic")
    amy.heard()
    return house, amy, bob


# Coming in


def test_nick_and_user_bring_the_welcome() -> None:
    client = Client(House())
    assert client.say("NICK amy") == []
    assert numerics(client.say("USER amy 0 * :Amy"))[:10] == WELCOME
    assert client.say("USER amy 0 * :Amy") == [":board 462 amy :You may not reregister"]


def test_capabilities_hold_the_welcome_back_until_their_end() -> None:
    client = Client(House())
    assert client.say("CAP LS 302", "NICK amy", "USER amy 0 * :Amy") == [":board CAP * LS :message-tags server-time"]
    assert client.say("CAP REQ :sasl server-time") == [":board CAP amy NAK :sasl server-time"]
    assert client.say("CAP LIST") == [":board CAP amy LIST :"]
    acknowledged, listed = client.say("CAP REQ :server-time", "CAP LIST")
    assert acknowledged.endswith(":board CAP amy ACK :server-time") and listed.endswith("LIST :server-time")
    welcome = client.say("CAP END")
    assert welcome[0].startswith("@time=2026-11-18T") and " :board 001 amy :" in welcome[0]
    assert client.say("CAP REQ :-server-time") == [":board CAP amy ACK :-server-time"]
    assert client.say("CAP FLY") == [":board 410 amy FLY :Invalid CAP command"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("NICK", ":board 431 * :No nickname given"),
        ("NICK 1st", ":board 432 * 1st :Erroneous nickname: letters, digits and -_[]\\`^{|}"),
        ("NICK :a b", ":board 432 * a_b :Erroneous nickname: letters, digits and -_[]\\`^{|}"),
        ("NICK AMY", ":board 433 * AMY :Nickname is already in use"),
        ("NICK Gateway", ":board 433 * Gateway :Nickname is already in use"),
        ("USER x", ":board 461 * USER :Not enough parameters"),
        ("JOIN #attic", ":board 451 * :You have not registered"),
        ("NONSENSE", ":board 451 * :You have not registered"),
    ],
)
def test_a_wrong_step_at_the_door_is_told(line: str, answer: str) -> None:
    house = House()
    Client(house, "amy")
    assert Client(house).say(line) == [answer]


def test_a_nick_is_free_again_when_its_owner_has_gone_or_taken_another() -> None:
    house, amy, bob = channel_pair()
    assert amy.say("NICK ann") == [":amy!amy@127.0.0.1 NICK :ann"] == bob.heard()
    assert bob.say("NICK amy") == [":bob!bob@127.0.0.1 NICK :amy"] == amy.heard()
    amy.lose()
    assert bob.heard() == [":ann!amy@127.0.0.1 QUIT :Connection closed"]
    assert bob.say("NICK ann") == [":amy!bob@127.0.0.1 NICK :ann"]
    assert bob.say("NAMES #attic")[0] == ":board 353 ann = #attic :@gateway ann"


def test_a_browser_and_a_tls_client_are_sent_away() -> None:
    for data, word in ((b"POST / HTTP/1.1\r\nHost: x\r\n\r\nNICK me\r\n", "web page"), (b"\x16\x03\x01\0", "not TLS")):
        client = Client(House())
        client.protocol.dataReceived(data)
        (line,) = client.heard()
        assert line.startswith("ERROR :Closing Link") and word in line and client.transport.disconnecting


def test_who_does_not_say_a_name_is_sent_away() -> None:
    house = House()
    client, amy = Client(house), Client(house, "amy")
    amy.heard()
    house.pass_(limits.WELCOME + 2)
    assert client.heard() == ["ERROR :Closing Link: 127.0.0.1 (Registration timed out)"] and amy.heard() == []


# Channels and people


def test_joining_tells_topic_names_and_the_newest_readings() -> None:
    house = House()
    house.hub.publish("attic", {TEMPERATURE: 21.534})
    house.hub.publish("attic", {TIME: "now"}, keeps=-1)  # stale
    client = Client(house, "amy")
    client.heard()
    assert client.say("JOIN #Attic") == [
        ":amy!amy@127.0.0.1 JOIN :#attic",
        ":board 332 amy #attic :attic: running | Attic | fake at nowhere",
        ":board 353 amy = #attic :@gateway amy",
        ":board 366 amy #attic :End of /NAMES list",
        ":gateway!gateway@board PRIVMSG #attic :temperature 21.53 °C",
    ]
    assert client.say("JOIN #attic") == []


def test_there_are_only_the_gateways_channels() -> None:
    client = Client(House(), "amy")
    client.heard()
    there = "#readings #alerts #attic #board7.shed #manual #pump"
    assert client.say("JOIN #cats") == [f":board 403 amy #cats :No such channel; there are {there}"]
    assert [line.split()[1] for line in client.say("JOIN #readings,#alerts,#board7.shed")].count("JOIN") == 3
    assert client.say("JOIN 0") == [f":amy!amy@127.0.0.1 PART :{name}" for name in there.split()[:2] + ["#board7.shed"]]


def test_a_device_that_is_called_like_a_channel_gets_another_one() -> None:
    house = House()
    house.hub.devices["readings"] = Fake(house.hub, "readings", (TEMPERATURE,))
    client = Client(house, "amy")
    client.say("JOIN #readings_")
    house.hub.publish("readings", {TEMPERATURE: 3.0})
    house.pass_(1.5)
    assert client.said("#readings_") == ["temperature 3.00 °C"]


def test_people_in_a_channel_hear_each_other() -> None:
    house, amy, bob = channel_pair()
    assert amy.say("PRIVMSG #attic :warm today", "NOTICE #attic :!get x") == []
    assert bob.heard() == [":amy!amy@127.0.0.1 PRIVMSG #attic :warm today", ":amy!amy@127.0.0.1 NOTICE #attic :!get x"]
    assert bob.say("PART #attic :tea") == [":bob!bob@127.0.0.1 PART #attic :tea"] == amy.heard()
    assert amy.say("PRIVMSG #attic :gone?") == bob.heard() == []
    assert bob.say("PRIVMSG #attic :hi") == [":board 404 bob #attic :Join it first: /join #attic"]


def test_people_talk_in_private_and_are_told_who_is_away() -> None:
    _, amy, bob = channel_pair()
    assert bob.say("AWAY :tea") == [":board 306 bob :You have been marked as being away"]
    assert amy.say("PRIVMSG BOB :hello") == [":board 301 amy bob :tea"]
    assert bob.heard() == [":amy!amy@127.0.0.1 PRIVMSG bob :hello"]
    assert amy.say("NOTICE bob :psst", "NOTICE nobody :x") == [] and len(bob.heard()) == 1
    assert amy.say("PRIVMSG nobody :x") == [":board 401 amy nobody :No such nick"]
    assert numerics(amy.say("PRIVMSG", "PRIVMSG bob", "PRIVMSG a,b,c,d,e :x")) == ["411", "412", "407"]


def test_tags_between_clients_reach_those_who_asked_for_tags() -> None:
    _, amy, bob = channel_pair()
    amy.say("CAP REQ :message-tags")
    bob.say("@+typing=active;x=y TAGMSG #attic", r"@+a=b\sc;+d PRIVMSG #attic :hi")
    assert amy.heard() == ["@+typing=active :bob!bob@127.0.0.1 TAGMSG :#attic",
                           r"@+a=b\sc;+d :bob!bob@127.0.0.1 PRIVMSG #attic :hi"]  # fmt: skip
    amy.say("@+typing=done TAGMSG #attic", "@+typing=done PRIVMSG #attic :hi")
    assert bob.heard() == [":amy!amy@127.0.0.1 PRIVMSG #attic :hi"]


def test_quit_is_answered_and_told() -> None:
    _, amy, bob = channel_pair()
    assert amy.say("QUIT :tea") == ["ERROR :Closing Link: 127.0.0.1 (Quit: tea)"] and amy.transport.disconnecting
    assert bob.heard() == [":amy!amy@127.0.0.1 QUIT :Quit: tea"]


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("PING :x y", []),
        ("TOPIC #attic", ["332"]),
        ("TOPIC #attic :mine", ["482"]),
        ("TOPIC #cats", ["403"]),
        ("NAMES", ["353", "366"]),
        ("NAMES #cats", ["366"]),
        ("LIST", ["321", *["322"] * 6, "323"]),
        ("LIST #pump", ["321", "322", "323"]),
        ("MODE #attic", ["324"]),
        ("MODE #attic b", ["368"]),
        ("MODE #attic +b", ["368"]),
        ("MODE #attic +o amy", ["482"]),
        ("MODE amy +i", ["221"]),
        ("MODE bob", ["502"]),
        ("WHO #attic", ["352", "352", "352", "315"]),
        ("WHO bob", ["352", "315"]),
        ("WHO gateway", ["352", "315"]),
        ("WHOIS bob", ["311", "319", "312", "318"]),
        ("WHOIS gateway gateway", ["311", "312", "318"]),
        ("WHOIS nobody", ["401", "318"]),
        ("WHOWAS bob", ["406", "369"]),
        ("USERHOST bob nobody", ["302"]),
        ("ISON bob gateway nobody", ["303"]),
        ("LUSERS", ["251", "254", "255", "265"]),
        ("MOTD", ["375", *["372"] * 6, "376"]),
        ("VERSION", ["351", "005"]),
        ("TIME", ["391"]),
        ("KICK #attic bob", ["482"]),
        ("OPER root hunter2", ["491"]),
        ("PASS secret", ["462"]),
        ("JOIN", ["461"]),
        ("PART #pump", ["442"]),
        ("PART #cats", ["403"]),
        ("SUMMON bob", ["421"]),
    ],
)
def test_questions_have_the_answers_that_clients_wait_for(line: str, codes: list[str]) -> None:
    _, amy, _ = channel_pair()
    heard = amy.say(line)
    assert numerics(heard) == codes
    if line.startswith("PING"):
        assert heard == [":board PONG board :x y"]


def test_the_words_of_two_answers() -> None:
    _, amy, _ = channel_pair()
    assert amy.say("ISON bob gateway nobody") == [":board 303 amy :bob gateway"]
    assert amy.say("USERHOST bob") == [":board 302 amy :bob=+bob@127.0.0.1"]


def test_an_ipv6_host_is_no_last_parameter() -> None:
    house = House()
    amy = Client(house, "amy", "::1")
    assert ":board 352 amy * amy 0::1 board amy H :0 Amy" in amy.say("WHO amy")


# Commands


def test_a_command_in_a_channel_is_answered_there() -> None:
    house, amy, bob = channel_pair()
    house.hub.publish("attic", {TEMPERATURE: 21.534})
    answer = ":gateway!gateway@board PRIVMSG #attic :attic.temperature 21.53 °C 2026-11-18T11:06:40.000Z good"
    assert amy.say("PRIVMSG #attic :!get attic.temperature") == [answer]
    assert bob.heard() == [":amy!amy@127.0.0.1 PRIVMSG #attic :!get attic.temperature", answer]
    assert amy.say("PRIVMSG #attic :!!!", "PRIVMSG #attic :!", "PRIVMSG #attic :get x") == []


def test_a_message_to_the_bot_is_a_command_line() -> None:
    _, amy, bob = channel_pair()
    start = ":gateway!gateway@board PRIVMSG amy :"
    assert amy.say("PRIVMSG gateway :set target 20.5", "PRIVMSG Gateway :!count") == [start + "OK", start + "OK 1"]
    assert amy.say("PRIVMSG gateway :get attic.temprature") == [
        start + "ERR unknown attic.temprature: no such name; did you mean `attic.temperature`?"
    ]
    assert amy.say("PRIVMSG gateway :json on", "PRIVMSG gateway :get target")[1].startswith(start + '{"name":"manual.')
    assert amy.say("NOTICE gateway :help") == [] and bob.heard() == []


def test_what_makes_no_sense_here_is_refused_with_the_way_out() -> None:
    _, amy, _ = channel_pair()
    for command, way in (("watch *", "/join #readings"), ("unwatch", "/part"), ("QUIT", "/quit")):
        (line,) = amy.say(f"PRIVMSG gateway :{command}")
        assert "PRIVMSG amy :ERR denied" in line and way in line
    assert not amy.transport.disconnecting


def test_a_long_answer_is_cut_in_a_channel_and_whole_in_private() -> None:
    house, amy, _ = channel_pair()
    for at in range(30):
        house.commands.manual.set(f"key{at:02}", str(at))
    heard = amy.say("PRIVMSG #attic :!get manual.*")
    assert len(heard) == 21
    assert heard[-1].endswith(":... and 10 more lines; ask in private: /msg gateway get manual.*")
    assert len(amy.say("PRIVMSG gateway :get manual.*")) == 30


def test_a_long_value_takes_several_lines() -> None:
    house, amy, _ = channel_pair()
    house.commands.manual.set("note", "°" * 1000)
    lines = amy.say("PRIVMSG gateway :get note")
    assert len(lines) > 4 and "".join(lines).count("°") == 1000 and all(len(line.encode()) <= 510 for line in lines)


def test_a_viewer_may_not_set() -> None:
    amy = Client(House(), "amy", "192.0.2.7")
    amy.heard()
    (line,) = amy.say("PRIVMSG gateway :set target 1")
    assert line.endswith(":ERR denied `set` takes the role operator; you are viewer")


def test_an_answer_that_waits_for_a_device_keeps_the_order_and_others_go_on() -> None:
    house, amy, bob = channel_pair()
    assert amy.say("PRIVMSG #attic :!set pump.state on", "PRIVMSG gateway :count", "PING x") == []
    assert amy.transport.producerState == "paused"
    assert len(bob.say("PING y")) == 2  # amy's question, and the pong
    house.pump.slow[0].callback(None)
    assert [line.split(" ", 2)[1:] for line in amy.heard()] == [
        ["PRIVMSG", "#attic :OK"], ["PRIVMSG", "amy :OK 0"], ["PONG", "board :x"]]  # fmt: skip
    assert amy.transport.producerState == "producing"


def test_an_asker_who_has_gone_is_not_answered() -> None:
    house, amy, bob = channel_pair()
    amy.say("PRIVMSG gateway :set pump.state on", "PING x")
    amy.lose()
    house.pump.slow[0].callback(None)
    assert amy.heard() == [] and bob.heard() == [":amy!amy@127.0.0.1 QUIT :Connection closed"]


def test_clients_ask_each_other_for_their_version() -> None:
    _, amy, _ = channel_pair()
    start = ":gateway!gateway@board NOTICE amy :"
    assert amy.say("PRIVMSG gateway :\x01VERSION\x01") == [start + "\x01VERSION device-gateway\x01"]
    assert amy.say("PRIVMSG gateway :\x01PING 1 2\x01", "PRIVMSG gateway :\x01DCC x\x01") == [
        start + "\x01PING 1 2\x01"
    ]


# Bytes, and limits


def test_lines_may_come_in_any_pieces_and_with_any_end() -> None:
    for end in (b"\r\n", b"\n", b"\r"):
        client = Client(House())
        for byte in b"NICK amy" + end + b"USER amy 0 * :\xc3\x84my" + end + b"PRIVMSG amy :\xc2\xb0C" + end:
            client.protocol.dataReceived(bytes([byte]))
        assert client.heard()[-1] == ":amy!amy@127.0.0.1 PRIVMSG amy :°C"


def test_what_is_no_utf8_is_refused_and_named() -> None:
    _, amy, bob = channel_pair()
    assert amy.say(b"PRIVMSG #attic :\xff", b"\xfe", b"@+a=\xff PRIVMSG #attic :x") == [
        f":board FAIL {word} INVALID_UTF8 :Message rejected: your client must speak UTF-8 here"
        for word in ("PRIVMSG", "*", "PRIVMSG")
    ]
    assert bob.heard() == []
    assert len(amy.say("PING x")) == 1


def test_lines_have_a_length() -> None:
    _, amy, bob = channel_pair()
    too_long = [":board 417 amy :Input line was too long"]
    start = "PRIVMSG #attic :"
    assert amy.say(start + "x" * (510 - len(start))) == []
    (heard,) = bob.heard()
    assert heard.endswith("xxx") and len(heard) == 510  # with amy's name in front there was less room
    assert amy.say(start + "x" * (511 - len(start))) == too_long
    assert amy.say(f"@+a={'x' * 4091} PING x") == [":board PONG board :x"]
    assert amy.say(f"@+a={'x' * 4092} PING x") == too_long
    assert amy.say("@" + "x" * 4095) == [] and amy.say("@" + "x" * 4096) == too_long
    assert bob.heard() == []


def test_a_megabyte_without_an_end_is_one_mistake() -> None:
    _, amy, _ = channel_pair()
    for _ in range(16):
        amy.protocol.dataReceived(b"x" * 65536)
        assert len(amy.protocol.tail) <= 4606
    assert amy.say("", "PING x") == [":board 417 amy :Input line was too long", ":board PONG board :x"]


def test_nobody_sends_lines_in_the_name_of_others() -> None:
    _, amy, bob = channel_pair()
    amy.say("PRIVMSG #attic :one\rPRIVMSG #attic :two\0three")
    assert bob.heard() == [":amy!amy@127.0.0.1 PRIVMSG #attic :one", ":amy!amy@127.0.0.1 PRIVMSG #attic :two three"]


def test_who_talks_too_fast_waits_and_loses_nothing() -> None:
    house, amy, _ = channel_pair()
    house.pass_(20)
    burst = int(limits.BURST / limits.COST) + 1
    assert len(amy.say(*[f"PING {at}" for at in range(100)])) == burst
    assert amy.transport.producerState == "paused"
    house.pass_(10)
    assert len(amy.heard()) == 20
    house.pass_(40)
    assert amy.heard()[-1] == ":board PONG board :99" and amy.transport.producerState == "producing"


def test_all_that_one_turn_brings_is_one_write() -> None:
    house, amy, bob = channel_pair()
    writes: list[bytes] = []
    write = amy.transport.write
    amy.transport.write = lambda data: (writes.append(data), write(data))[1]  # type: ignore[method-assign,func-returns-value]  # counted
    bob.say("PRIVMSG #attic :1", "PRIVMSG #attic :2", "PRIVMSG #attic :!count")
    assert [data.count(b"\r\n") for data in writes] == [4]


def test_a_client_that_does_not_read_is_given_up() -> None:
    house, amy, bob = channel_pair()
    amy.protocol.pauseProducing()
    sent, told = 0, list[str]()
    while not told and sent < limits.SENDQ:
        bob.protocol.lag = 0
        told = bob.say("PRIVMSG #attic :" + "x" * 400)
        sent += 400
    assert told == [":amy!amy@127.0.0.1 QUIT :SendQ exceeded"] and sent > limits.SENDQ * 0.9
    assert amy.transport.disconnected and amy.transport.value() == b"" and amy.protocol.size < limits.SENDQ + 512
    assert bob.say("NAMES #attic")[0].endswith(":@gateway bob")


def test_a_client_that_stops_reading_for_a_while_gets_what_it_missed_and_its_questions_wait() -> None:
    house, amy, bob = channel_pair()
    amy.protocol.pauseProducing()
    bob.say("PRIVMSG #attic :one", "PRIVMSG #attic :two")
    assert amy.say("PING x") == []
    amy.protocol.resumeProducing()
    assert [line.rpartition(":")[2] for line in amy.heard()] == ["one", "two", "x"]


def test_big_answers_to_one_who_reads_are_no_reason_to_give_up() -> None:
    house, amy, _ = channel_pair()
    for at in range(200):
        house.commands.manual.set(f"key{at:03}", "x" * 300)
    amy.protocol.lag = -100
    lines = amy.say(*["PRIVMSG gateway :get manual.*"] * 10)
    assert len(lines) == 2000 and not amy.transport.disconnecting


def test_who_says_nothing_is_asked_and_then_given_up() -> None:
    house, amy, bob = channel_pair()
    house.pass_(limits.IDLE + 2)
    assert amy.heard() == bob.heard() == [":board PING :board"]
    bob.say("PONG board")
    house.pass_(limits.PATIENCE)
    assert amy.heard() == ["ERROR :Closing Link: 127.0.0.1 (Ping timeout)"] and amy.transport.disconnecting
    assert bob.heard() == [":amy!amy@127.0.0.1 QUIT :Ping timeout"] and not bob.transport.disconnecting


def test_who_neither_reads_nor_talks_is_cut_off() -> None:
    house, amy, _ = channel_pair()
    amy.protocol.pauseProducing()
    house.pass_(limits.IDLE + limits.PATIENCE + 2)
    assert amy.transport.disconnected and amy.transport.value() == b""


def test_connections_are_bounded() -> None:
    house = House()
    clients = [Client(house) for _ in range(CONNECTIONS + 1)]
    assert [client.transport.disconnecting for client in clients] == [False] * CONNECTIONS + [True]
    assert clients[-1].heard() == [f"ERROR :Closing Link: 127.0.0.1 ({CONNECTIONS} connections are open already)"]
    clients[0].lose()
    assert not Client(house).transport.disconnecting


def test_a_bug_is_one_clients_trouble_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _, amy, bob = channel_pair()

    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(amy.protocol.session, "readings", broken)
    assert numerics(amy.say("JOIN #pump", "PING x"))[-1] == "400"
    assert len(bob.say("PING x")) == 1


def test_stopping_says_so_and_leaves_no_timer() -> None:
    house, amy, _ = channel_pair()
    house.irc.stopFactory()
    assert amy.heard() == ["ERROR :Closing Link: 127.0.0.1 (the gateway is stopping)"]
    amy.lose()
    house.pass_(limits.GRACE + 1)
    assert house.turns.getDelayedCalls() == [] and house.hub.subscriptions == {} and house.hub.listeners == {}


def test_nothing_is_followed_while_nobody_is_there() -> None:
    house = House()
    amy = Client(house, "amy")
    assert house.hub.subscriptions == {}
    amy.say("JOIN #attic")
    assert len(house.hub.subscriptions) == 1
    amy.say("PART #attic")
    assert house.hub.subscriptions == {} and house.commands.sessions == 2
    amy.lose()
    assert house.commands.sessions == 0 and house.turns.getDelayedCalls() == []


def test_a_flag_set_over_irc_is_written() -> None:
    house, amy, _ = channel_pair()
    amy.say("PRIVMSG gateway :set pump.state on")
    house.hub.publish("pump", {STATE: True})
    house.pump.slow[0].callback(None)
    assert amy.heard() == [":gateway!gateway@board PRIVMSG amy :OK"]


# Time


def test_people_are_told_when_the_time_is_known_and_when_it_was_set() -> None:
    house = House(synced=False)
    amy, bob = Client(house, "amy"), Client(house, "bob")
    amy.say("JOIN #readings,#attic")
    house.clock.set(1_795_194_000.0)
    assert amy.heard() == [
        ":gateway!gateway@board NOTICE #readings "
        ":it is 2026-11-20T17:00:00.000Z; all that was said before has its time now"
    ]
    house.clock.set(1_795_190_400.0)
    (notice,) = amy.heard()
    assert notice.endswith(":it is 2026-11-20T16:00:00.000Z: the clock was set by -3600.000 s")
    assert not [line for line in bob.heard() if "NOTICE" in line]
    amy.lose()
    assert house.clock.listeners  # bob is there
    bob.lose()
    assert not house.clock.listeners
