"""The bot: command lines in, answers out, in a channel or in private."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from gateway.commands import Answer
from gateway.interfaces.irc.channels import READINGS, Channel
from gateway.interfaces.irc.message import line, wrap

if TYPE_CHECKING:
    from gateway.interfaces.irc.connection import Connection

MARK = "!"  # what a command begins with in a channel
IN_CHANNEL, IN_PRIVATE = 20, 200  # lines of an answer, at most
ELSEWHERE = {
    "watch": f"join a channel instead: /join {READINGS}, or the one of a device, /join #DEVICE",
    "unwatch": "leave the channel instead: /part",
    "quit": "say /quit to leave",
}


def command(text: str) -> str:
    """The command line in what somebody said in a channel, or nothing; "!!!" is none."""
    return text[1:] if text.startswith(MARK) and text[1:2].isalpha() else ""


def ask(me: Connection, text: str, channel: Channel | None = None) -> None:
    """Carry out one command line; the answer goes to *channel*, or to the asker."""
    word = text.split(None, 1)[0].lower() if text.strip() else ""
    if (way := ELSEWHERE.get(word)) is not None:
        tell(me, text, channel, Answer(status=f"ERR denied no `{word}` here; {way}"))
        return
    answer = me.session.perform(text)
    if isinstance(answer, Deferred):
        me.wait(answer.addCallback(partial(tell, me, text, channel)))
    else:
        tell(me, text, channel, answer)


def tell(me: Connection, text: str, channel: Channel | None, answer: Answer) -> Answer:
    """Say the rows of *answer*, and its status where that is all, or an error."""
    most = IN_PRIVATE if channel is None else IN_CHANNEL
    json = me.session.json
    said = (piece for row in answer.rows for piece in wrap(row.json.decode() if json else row.text))
    lines = list(islice(said, most))
    if more := sum(1 for _ in said):
        way = "ask for fewer" if channel is None else f"ask in private: /msg {me.server.bot} {text}"
        lines.append(f"... and {more} more lines; {way}")
    if not answer.ok or not answer.rows:
        lines += wrap(answer.status)
    for each in lines:
        if channel is None:
            me.put(line(me.server.source, "PRIVMSG", me.nick, each))
        else:
            channel.say(me.server.source, each)
    return answer


def ctcp(me: Connection, text: str) -> None:
    """Answer a client-to-client request, as clients expect of each other."""
    word, _, rest = text.strip("\x01").partition(" ")
    if word == "PING":
        me.put(line(me.server.source, "NOTICE", me.nick, f"\x01PING {rest}\x01"))
    elif word == "VERSION":
        me.put(line(me.server.source, "NOTICE", me.nick, "\x01VERSION device-gateway\x01"))
