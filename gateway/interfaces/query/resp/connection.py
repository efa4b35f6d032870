"""Commands about the connection itself."""

from __future__ import annotations

from typing import Any, Literal, cast

from gateway.interfaces.query.dialect import Last
from gateway.interfaces.query.resp.command import Client, Command, shown, whole, word
from gateway.interfaces.query.resp.wire import Encoded, Refused, Simple

REDIS = "7.0.0"  # whose commands these are: some clients ask before they dare
OK = Simple("OK")


def ping(client: Client, message: bytes | None = None, *more: bytes) -> Any:
    if more:
        raise Refused("ERR wrong number of arguments for 'ping' command")
    if client.version == 2 and client.subscribed:
        return [b"pong", message or b""]
    return Simple("PONG") if message is None else message


def echo(client: Client, message: bytes) -> bytes:
    return message


def auth(client: Client, *words: bytes) -> Simple:
    """As a Redis without passwords.  It gives nobody a role: that comes with the address."""
    if len(words) == 1:
        raise Refused("ERR AUTH <password> called without any password configured for the default user. "
                      "Are you sure your configuration is correct?")  # fmt: skip
    if len(words) > 2:
        raise Refused("ERR syntax error")
    if words[0] != b"default":
        raise Refused("WRONGPASS invalid username-password pair or user is disabled.")
    return OK


def hello(client: Client, version: bytes = b"", *options: bytes) -> dict[str, Any]:
    try:
        wanted = cast(Literal[2, 3], whole(version, 2, 3)) if version else client.version
    except Refused:
        raise Refused("NOPROTO unsupported protocol version" if version.isdigit() else
                      "ERR Protocol version is not an integer or out of range") from None  # fmt: skip
    label, rest = None, list(options)
    while rest:
        match word(rest[0]), len(rest):
            case ("auth", n) if n > 2:
                auth(client, rest[1], rest[2])
                del rest[:3]
            case ("setname", n) if n > 1:
                label = named(rest[1])
                del rest[:2]
            case _:
                raise Refused(f"ERR Syntax error in HELLO option '{shown(rest[0])}'")
    client.version, client.label = wanted, client.label if label is None else label
    return {"server": "redis", "version": REDIS, "proto": wanted, "id": client.number, "mode": "standalone",
            "role": "master", "modules": []}  # fmt: skip


def select(client: Client, index: bytes) -> Simple:
    if whole(index, -(2**31)):
        raise Refused("ERR DB index is out of range")
    return OK


def named(label: bytes) -> str:
    if len(label) > 100 or any(not 33 <= byte <= 126 for byte in label):
        raise Refused("ERR Client names cannot contain spaces, newlines or special characters.")
    return label.decode()


def set_name(client: Client, label: bytes) -> Simple:
    client.label = named(label)
    return OK


def set_info(client: Client, what: bytes, value: bytes) -> Simple:
    if word(what) not in ("lib-name", "lib-ver"):
        raise Refused(f"ERR Unrecognized option '{shown(what)}'")
    client.library[word(what)] = named(value)
    return OK


def client_info(client: Client) -> str:
    """Libraries read some fields as numbers that mean nothing here; what is asked by the client itself is not idle."""
    block = -1 if client.block is None else len(client.block)
    age = int(client.session.commands.time.seconds() - client.since)
    return (
        f"id={client.number} addr={client.session.who.origin} name={client.label} age={age} idle=0 flags=N db=0 "
        f"sub={len(client.channels)} psub={len(client.patterns)} multi={block} qbuf=0 qbuf-free=0 argv-mem=0 "
        f"obl=0 oll=0 omem=0 tot-mem=0 resp={client.version} user=default "
        f"lib-name={client.library.get('lib-name', '')} lib-ver={client.library.get('lib-ver', '')}\n"
    )


def client_list(client: Client, *options: bytes) -> str:
    """Itself, where it belongs to those that are asked for."""
    match [word(each) for each in options]:
        case []:
            seen = True
        case ["type", kind]:
            seen = kind == ("pubsub" if client.subscribed else "normal")
        case ["id", _, *_] as wanted:
            seen = str(client.number) in wanted
        case _:
            raise Refused("ERR syntax error")
    return client_info(client) if seen else ""


def client_id(client: Client) -> int:
    return client.number


def get_name(client: Client) -> str | None:
    return client.label or None


def no_matter(client: Client, which: bytes) -> Simple:
    if word(which) not in ("on", "off"):
        raise Refused("ERR syntax error")
    return OK


def multi(client: Client) -> Simple:
    client.begin()
    return OK


def exec_(client: Client) -> Encoded:
    if client.block is None:
        raise Refused("ERR EXEC without MULTI")
    return client.execute()


def discard(client: Client) -> Simple:
    if client.block is None:
        raise Refused("ERR DISCARD without MULTI")
    client.discard()
    return OK


def reset(client: Client) -> Simple:
    client.reset()
    return Simple("RESET")


def quit_(client: Client, *words: bytes) -> Last:
    return Last(b"+OK\r\n")


COMMANDS = {
    "ping": Command(ping, -1, "[message]", "are you there?"),
    "echo": Command(echo, 2, "message", "say it back"),
    "hello": Command(hello, -1, "[protover [AUTH username password] [SETNAME name]]", "speak RESP2 or RESP3"),
    "auth": Command(auth, -2, "[username] password", "tolerated: no password is set"),
    "select": Command(select, 2, "index", "there is one database: 0"),
    "multi": Command(multi, 1, "", "queue what comes"),
    "exec": Command(exec_, 1, "", "carry out what was queued"),
    "discard": Command(discard, 1, "", "forget what was queued"),
    "reset": Command(reset, 1, "", "begin anew"),
    "quit": Command(quit_, -1, "", "say goodbye"),
    "client|id": Command(client_id, 2, "", "the number of this connection"),
    "client|getname": Command(get_name, 2, "", "the name of this connection"),
    "client|setname": Command(set_name, 3, "name", "name this connection"),
    "client|setinfo": Command(set_info, 4, "LIB-NAME | LIB-VER value", "which library is used"),
    "client|info": Command(client_info, 2, "", "about this connection"),
    "client|list": Command(client_list, -2, "[TYPE type] [ID id ...]", "this connection: you see no others"),
    "client|no-evict": Command(no_matter, 3, "ON | OFF", "tolerated"),
    "client|no-touch": Command(no_matter, 3, "ON | OFF", "tolerated"),
}
