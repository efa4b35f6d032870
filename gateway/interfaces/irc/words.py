"""What clients may say, and what it does: coming and going, talking.  Questions are in ``asking``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.interfaces.irc import asking, bot, registration
from gateway.interfaces.irc.channels import Channel, phrases
from gateway.interfaces.irc.message import Message, cut, fold, line, rows, written

if TYPE_CHECKING:
    from gateway.interfaces.irc.connection import Connection

TARGETS = 4  # of one message


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the protocol: what it does, how many parameters it takes at least, and whether a client that has
    not registered may say it."""

    do: Callable[[Connection, Message], None]
    least: int = 0
    free: bool = False


def ping(me: Connection, message: Message) -> None:
    me.put(line(me.server.name, "PONG", me.server.name, message.parameters[0]))


def quit(me: Connection, message: Message) -> None:
    me.end(f"Quit: {message.parameters[0]}" if message.parameters else "Quit")


def ignore(me: Connection, message: Message) -> None:
    """Having heard it is enough."""


# Coming and going


def join(me: Connection, message: Message) -> None:
    if message.parameters[0] == "0":
        for left in tuple(me.channels.values()):
            leave(me, left, "")
        return
    for name in message.parameters[0].split(","):
        if (channel := me.server.channel(name)) is not None:
            if fold(name) not in me.channels:
                enter(me, channel)
        elif name:
            there = next(rows((each.name for each in me.server.channels.values()), 300))
            me.numeric("403", name, f"No such channel; there are {there}")


def enter(me: Connection, channel: Channel) -> None:
    me.server.join(me, channel)
    channel.put(line(me.source, "JOIN", channel.name))
    asking.tell_topic(me, channel)
    asking.tell_names(me, channel)
    if text := phrases(reading for reading in me.session.readings(f"{channel.device}.*")
                       if reading.name.rpartition(".")[0] == channel.device and not reading.stale()):  # fmt: skip
        me.put(line(me.server.source, "PRIVMSG", channel.name, text))


def part(me: Connection, message: Message) -> None:
    for name in message.parameters[0].split(","):
        if (channel := me.channels.get(fold(name))) is not None:
            leave(me, channel, message.parameters[1] if len(message.parameters) > 1 else "")
        elif me.server.channel(name) is not None:
            me.numeric("442", name, "You are not on that channel")
        else:
            me.numeric("403", name, "No such channel")


def leave(me: Connection, channel: Channel, reason: str) -> None:
    channel.put(line(me.source, "PART", channel.name, *filter(None, [reason])))
    me.server.part(me, channel)


# Talking


def say(me: Connection, message: Message) -> None:
    """PRIVMSG, NOTICE and TAGMSG.  Of tags only those between clients are passed on.  A notice is never answered."""
    quiet = message.command != "PRIVMSG"
    targets = list(dict.fromkeys(message.parameters[0].split(","))) if message.parameters else []
    text = message.parameters[1] if len(message.parameters) > 1 else ""
    tags = written((name, value) for name, value in message.tags.items() if name.startswith("+"))
    if not any(targets):
        refuse(me, quiet, "411", f"No recipient given ({message.command})")
    elif not text and message.command != "TAGMSG":
        refuse(me, quiet, "412", "No text to send")
    elif len(targets) > TARGETS:
        refuse(me, quiet, "407", targets[TARGETS], f"Too many recipients, {TARGETS} at most")
    else:
        for target in targets:
            say_to(me, message.command, target, text, tags)


def say_to(me: Connection, word: str, target: str, text: str, tags: str) -> None:
    quiet, server = word != "PRIVMSG", me.server
    if fold(target) == fold(server.bot):
        if not quiet:
            bot.ctcp(me, text) if text.startswith("\x01") else bot.ask(me, text.removeprefix(bot.MARK))
    elif target.startswith("#"):
        if (channel := me.channels.get(fold(target))) is not None:
            relay(me, word, channel.name, text, tags, [each for each in channel.people.values() if each is not me])
            if not quiet and (asked := bot.command(text)):
                bot.ask(me, asked, channel)
        elif server.channel(target) is not None:
            refuse(me, quiet, "404", target, f"Join it first: /join {target}")
        else:
            refuse(me, quiet, "403", target, "No such channel")
    elif (other := server.people.get(fold(target))) is not None and other.registered:
        relay(me, word, other.nick, text, tags, [other])
        if not quiet and other.away:
            me.numeric("301", other.nick, other.away)
    else:
        refuse(me, quiet, "401", target, "No such nick")


def relay(me: Connection, word: str, target: str, text: str, tags: str, people: list[Connection]) -> None:
    if word == "TAGMSG":
        if tags:
            data = line(me.source, word, target)
            for person in people:
                if "message-tags" in person.caps:
                    person.put(data, tags)
        return
    data = line(me.source, word, target, text)
    for person in people:
        person.put(data, tags)


def refuse(me: Connection, quiet: bool, *parameters: str) -> None:
    if not quiet:
        me.numeric(*parameters)


def away(me: Connection, message: Message) -> None:
    me.away = cut("".join(message.parameters[:1]).encode(), 200).decode()
    if me.away:
        me.numeric("306", "You have been marked as being away")
    else:
        me.numeric("305", "You are no longer marked as being away")


def kick(me: Connection, message: Message) -> None:
    me.numeric("482", message.parameters[0], f"Only {me.server.bot} is operator here")


def oper(me: Connection, message: Message) -> None:
    me.numeric("491", "There are no operators of this server")


WORDS = {
    "CAP": Word(registration.cap, 1, True),
    "NICK": Word(registration.nick, 0, True),
    "USER": Word(registration.user, 4, True),
    "PASS": Word(registration.password, 1, True),
    "PING": Word(ping, 1, True),
    "PONG": Word(ignore, 0, True),
    "QUIT": Word(quit, 0, True),
    "ERROR": Word(ignore, 0, True),
    "JOIN": Word(join, 1),
    "PART": Word(part, 1),
    "PRIVMSG": Word(say),
    "NOTICE": Word(say),
    "TAGMSG": Word(say),
    "AWAY": Word(away),
    "KICK": Word(kick, 1),
    "INVITE": Word(kick, 1),
    "OPER": Word(oper, 2),
    "TOPIC": Word(asking.topic, 1),
    "NAMES": Word(asking.names),
    "LIST": Word(asking.listing),
    "MODE": Word(asking.mode, 1),
    "WHO": Word(asking.who),
    "WHOIS": Word(asking.whois, 1),
    "WHOWAS": Word(asking.whowas, 1),
    "USERHOST": Word(asking.userhost, 1),
    "ISON": Word(asking.ison, 1),
    "MOTD": Word(lambda me, message: registration.motd(me)),
    "LUSERS": Word(lambda me, message: registration.users(me)),
    "VERSION": Word(asking.version),
    "TIME": Word(asking.time),
}
