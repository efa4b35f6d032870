"""How a client comes in: CAP, NICK, USER, and the welcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.interfaces.irc.message import NICK, Message, fold, line, rows

if TYPE_CHECKING:
    from gateway.interfaces.irc.connection import Connection

CAPS = ("message-tags", "server-time")
NICK_LENGTH, USER_LENGTH, NAME_LENGTH = 30, 18, 100
VERSION = "device-gateway"


def cap(me: Connection, message: Message) -> None:
    """Capabilities (IRCv3 capability-negotiation); registration waits from LS or REQ to END."""
    what, words = message.parameters[0].upper(), " ".join(message.parameters[1:]).split()
    if what in ("LS", "REQ") and not me.registered:
        me.negotiating = True
    match what:
        case "LS":
            reply(me, "LS", " ".join(CAPS))
        case "LIST":
            reply(me, "LIST", " ".join(sorted(me.caps)))
        case "REQ":
            wanted = {word for word in words if not word.startswith("-")}
            unwanted = {word[1:] for word in words if word.startswith("-")}
            if wanted | unwanted <= set(CAPS):  # all of them, or none
                me.caps = (me.caps | wanted) - unwanted
                reply(me, "ACK", " ".join(words))
            else:
                reply(me, "NAK", " ".join(words))
        case "END":
            me.negotiating = False
            welcome(me)
        case _:
            me.numeric("410", message.parameters[0], "Invalid CAP command")


def reply(me: Connection, what: str, text: str) -> None:
    me.put(line(me.server.name, "CAP", me.nick or "*", what, text))


def nick(me: Connection, message: Message) -> None:
    """Take a nick, or another one."""
    server = me.server
    new = message.parameters[0] if message.parameters else ""
    owner = server.people.get(fold(new))
    if not new:
        me.numeric("431", "No nickname given")
    elif not NICK.fullmatch(new):
        me.numeric("432", new[:NICK_LENGTH], "Erroneous nickname: letters, digits and -_[]\\`^{|}")
    elif fold(new) == fold(server.bot) or (owner is not None and owner is not me):
        me.numeric("433", new, "Nickname is already in use")
    elif new != me.nick:
        server.people.pop(fold(me.nick), None)
        server.people[fold(new)] = me
        if me.registered:
            rename(me, new)
        me.call_me(new)
        welcome(me)


def rename(me: Connection, new: str) -> None:
    told = line(me.source, "NICK", new)
    me.put(told)
    for person in me.server.neighbours(me):
        person.put(told)
    for channel in me.channels.values():
        del channel.people[fold(me.nick)]
        channel.people[fold(new)] = me


def user(me: Connection, message: Message) -> None:
    if me.registered:
        me.numeric("462", "You may not reregister")
        return
    name, *_, realname = message.parameters
    kept = "".join(each for each in name if each.isalnum() or each in "-_.")
    me.user, me.realname = kept[:USER_LENGTH] or "user", realname[:NAME_LENGTH]
    welcome(me)


def password(me: Connection, message: Message) -> None:
    """There are no passwords yet; clients that send one are welcome."""
    if me.registered:
        me.numeric("462", "You may not reregister")


def welcome(me: Connection) -> None:
    """Let the client in, once it has said all that is needed."""
    if me.registered or me.negotiating or not me.nick or not me.user:
        return
    me.registered = True
    name = me.server.name
    me.numeric("001", f"Welcome to the Device Gateway, {me.source}")
    me.numeric("002", f"Your host is {name}, running {VERSION}")
    me.numeric("003", "This server speaks for the devices of one board")
    me.numeric("004", name, VERSION, "o", "nt")
    supported(me)
    users(me)
    motd(me)


def supported(me: Connection) -> None:
    """RPL_ISUPPORT: what clients may count on."""
    tokens = ("CASEMAPPING=ascii", "CHANTYPES=#", "CHANMODES=b,,,nt", "PREFIX=(o)@", f"NICKLEN={NICK_LENGTH}",
              f"USERLEN={USER_LENGTH}", "CHANNELLEN=200", "TOPICLEN=400", "TARGMAX=PRIVMSG:4,NOTICE:4", "UTF8ONLY",
              f"NETWORK={me.server.name}")  # fmt: skip
    me.numeric("005", *tokens, "are supported by this server")


def users(me: Connection) -> None:
    """LUSERS."""
    server = me.server
    there = sum(person.registered for person in server.people.values())
    me.numeric("251", f"There are {there + 1} users and 0 invisible on 1 server")
    me.numeric("254", str(len(server.channels)), "channels formed")
    me.numeric("255", f"I have {there} clients and 0 servers")
    me.numeric("265", str(there), str(there), f"Current local users {there}, max {there}")


def motd(me: Connection) -> None:
    """What to do here."""
    server = me.server
    me.numeric("375", f"- {server.name} Message of the day -")
    for text in (
        "This is a device gateway: its devices say here what they measure.",
        "  /join #readings         what has changed, of all devices",
        "  !get attic.temperature  said in a channel, answers there; !help lists the commands",
        f"  /msg {server.bot} get *      the same, in private",
        "Every device has a channel of its own; /list shows them:",
    ):
        me.numeric("372", f"- {text}")
    for text in rows((channel.name for channel in server.channels.values()), 70):
        me.numeric("372", f"-   {text}")
    me.numeric("376", "End of /MOTD command.")
