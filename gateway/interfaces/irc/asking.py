"""What clients ask of the server: channels and people.  The bot is in every channel, as its operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.interfaces.irc import registration
from gateway.interfaces.irc.channels import Channel
from gateway.interfaces.irc.message import Message, fold, rows

if TYPE_CHECKING:
    from gateway.interfaces.irc.connection import Connection

SHOWN = 50  # answers to one question about people


def first(message: Message) -> str:
    return message.parameters[0] if message.parameters else ""


# Channels


def topic(me: Connection, message: Message) -> None:
    name = first(message)
    if (channel := me.server.channel(name)) is None:
        me.numeric("403", name, "No such channel")
    elif len(message.parameters) > 1:
        me.numeric("482", channel.name, "The topic is the state of things; nobody sets it")
    else:
        tell_topic(me, channel)


def tell_topic(me: Connection, channel: Channel) -> None:
    me.numeric("332", channel.name, channel.topic)


def names(me: Connection, message: Message) -> None:
    wanted = first(message).split(",") if first(message) else list(me.channels)
    for name in wanted:
        if (channel := me.server.channel(name)) is not None:
            tell_names(me, channel)
        else:
            me.numeric("366", name, "End of /NAMES list")


def tell_names(me: Connection, channel: Channel) -> None:
    for row in rows([f"@{me.server.bot}", *(person.nick for person in channel.people.values())]):
        me.numeric("353", "=", channel.name, row)
    me.numeric("366", channel.name, "End of /NAMES list")


def listing(me: Connection, message: Message) -> None:
    """LIST, of all channels or of those named."""
    wanted = {fold(name) for name in first(message).split(",") if name.startswith("#")}
    me.numeric("321", "Channel", "Users  Topic")
    for name, channel in me.server.channels.items():
        if not wanted or name in wanted:
            me.numeric("322", channel.name, str(len(channel.people) + 1), channel.topic)
    me.numeric("323", "End of /LIST")


def mode(me: Connection, message: Message) -> None:
    """Modes are as they are; clients ask for them, and for lists that are empty."""
    name, change = first(message), (*message.parameters[1:], "")[0].lstrip("+")
    if not name.startswith("#"):
        if fold(name) == fold(me.nick):
            me.numeric("221", "+")
        else:
            me.numeric("502", "You can only see your own modes")
    elif (channel := me.server.channel(name)) is None:
        me.numeric("403", name, "No such channel")
    elif not change:
        me.numeric("324", channel.name, "+nt")
    elif change == "b" and len(message.parameters) == 2:
        me.numeric("368", channel.name, "End of channel ban list")
    else:
        me.numeric("482", channel.name, f"Only {me.server.bot} is operator here")


# People


def registered(me: Connection, nick: str) -> Connection | None:
    person = me.server.people.get(fold(nick))
    return person if person is not None and person.registered else None


def who(me: Connection, message: Message) -> None:
    mask, server = first(message) or "*", me.server
    channel = server.channel(mask) if mask.startswith("#") else None
    people = [registered(me, mask)]
    if channel is not None:
        people = list(channel.people.values())
    elif mask in ("*", "0"):
        people = [person for person in server.people.values() if person.registered]
    where = channel.name if channel is not None else "*"
    if channel is not None or fold(mask) in ("*", "0", fold(server.bot)):
        state = "H@" if channel is not None else "H"
        me.numeric("352", where, server.bot, server.name, server.name, server.bot, state, "0 Device Gateway")
    for person in filter(None, people[:SHOWN]):
        state = "G" if person.away else "H"
        me.numeric("352", where, person.user, person.host, server.name, person.nick, state, f"0 {person.realname}")
    me.numeric("315", mask, "End of /WHO list")


def whois(me: Connection, message: Message) -> None:
    nick, server = message.parameters[-1].split(",")[0], me.server
    if fold(nick) == fold(server.bot):
        me.numeric("311", server.bot, server.bot, server.name, "*", "Device Gateway")
        me.numeric("312", server.bot, server.name, f"answers commands: /msg {server.bot} help")
    elif (person := registered(me, nick)) is not None:
        nick = person.nick
        me.numeric("311", nick, person.user, person.host, "*", person.realname)
        for row in rows(channel.name for channel in person.channels.values()):
            me.numeric("319", nick, row)
        me.numeric("312", nick, server.name, "Device Gateway")
        if person.away:
            me.numeric("301", nick, person.away)
    else:
        me.numeric("401", nick, "No such nick")
    me.numeric("318", nick, "End of /WHOIS list")


def whowas(me: Connection, message: Message) -> None:
    me.numeric("406", first(message), "There was no such nickname")
    me.numeric("369", first(message), "End of WHOWAS")


def userhost(me: Connection, message: Message) -> None:
    people = filter(None, (registered(me, nick) for nick in message.parameters[:5]))
    answers = (f"{each.nick}={'-' if each.away else '+'}{each.user}@{each.host}" for each in people)
    me.numeric("302", " ".join(answers))


def ison(me: Connection, message: Message) -> None:
    bot = me.server.bot
    wanted = [nick for parameter in message.parameters for nick in parameter.split()][:SHOWN]
    people = (bot if fold(nick) == fold(bot) else getattr(registered(me, nick), "nick", "") for nick in wanted)
    me.numeric("303", " ".join(filter(None, people)))


# The server


def version(me: Connection, message: Message) -> None:
    me.numeric("351", registration.VERSION, me.server.name, "the command `version` says more")
    registration.supported(me)


def time(me: Connection, message: Message) -> None:
    now = me.session.now()
    text = "nobody has told yet" if now is None else datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    me.numeric("391", me.server.name, text)
