"""Commands about the gateway, and about the commands."""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gateway.commands import Answer
from gateway.interfaces.query.resp.command import CONTAINERS, Client, Command, Table, word
from gateway.interfaces.query.resp.connection import REDIS
from gateway.interfaces.query.resp.keys import dbsize
from gateway.interfaces.query.resp.names import matching
from gateway.interfaces.query.resp.wire import BULK, Refused, Simple

CONFIG = {"databases": "1", "save": "", "appendonly": "no", "maxmemory": "0", "timeout": "0",
          "proto-max-bulk-len": str(BULK)}  # fmt: skip


def time(client: Client) -> list[str]:
    if (now := client.session.now()) is None:
        raise Refused("ERR unsynced the gateway does not know what time it is")
    return [str(int(now)), str(int(now % 1 * 1e6))]


def config_get(client: Client, *patterns: bytes) -> dict[str, str]:
    match = [matching(pattern.lower()) for pattern in patterns]
    return {key: value for key, value in CONFIG.items() if any(fits(key) for fits in match)}


def info(client: Client, *sections: bytes) -> str:
    """In the form of Redis; `redis-cli --stat` and ready checks of clients look for some of its lines."""
    wanted = set(map(word, sections)) - {"all", "everything", "default"}
    parts: dict[str, Callable[[Client], dict[str, Any]]] = {
        "Server": about,
        "Clients": lambda client: {"connected_clients": client.tally.open, "blocked_clients": 0},
        "Memory": memory,
        "Persistence": lambda client: {"loading": 0, "rdb_bgsave_in_progress": 0, "aof_rewrite_in_progress": 0},
        "Stats": lambda client: {"total_connections_received": client.tally.ever,
                                 "total_commands_processed": client.tally.requests},
        "Replication": lambda client: {"role": "master", "connected_slaves": 0},
        "Keyspace": lambda client: {"db0": f"keys={dbsize(client)},expires=0,avg_ttl=0"},
        "Gateway": lambda client: facts(client, "status"),
    }  # fmt: skip
    return "\r\n".join(
        f"# {title}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in rows(client).items())
        for title, rows in parts.items()
        if not wanted or title.lower() in wanted
    )


def about(client: Client) -> dict[str, Any]:
    uptime = facts(client, "status").get("uptime", 0)
    versions = {f"{name.replace('-', '_')}_version": number for name, number in facts(client, "version").items()}
    return {"redis_version": REDIS, "redis_mode": "standalone", **versions, "uptime_in_seconds": int(uptime)}


def memory(client: Client) -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"used_memory": pages * resource.getpagesize(),
            "used_memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}  # fmt: skip


def facts(client: Client, line: str) -> dict[str, Any]:
    """The rows of `status` or `version`."""
    answer = client.session.perform(line)
    return answer.facts if isinstance(answer, Answer) else {}


def commands(table: Table) -> dict[str, Command]:
    """Those that tell about *table*, which they belong to themselves."""

    def entry(name: str) -> list[Any] | None:
        if (command := table.get(name)) is None:
            return None
        first = int(command.arguments.startswith(("name", "key")))
        last = first and (-1 if command.arity < 0 else 1)
        return [name, command.arity, {Simple(command.flags)}, first, last, first, set(), [], [], []]

    def doc(name: str) -> dict[str, Any]:
        command = table[name]
        words = [{"name": command.arguments, "type": "string"}] if command.arguments else []
        return {"summary": command.about, "since": REDIS, "group": "generic", "arguments": words}

    def docs(client: Client, *names: bytes) -> dict[str, Any]:
        return {name: doc(name) for name in (map(word, names) if names else table) if name in table}

    def helped(client: Client, container: str) -> list[Simple]:
        lines = [f"{container.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
        for name, command in table.items():
            if name.startswith(f"{container}|"):
                lines += [f"{name.partition('|')[2].upper()} {command.arguments}".rstrip(), f"    {command.about}"]
        return list(map(Simple, lines))

    return {
        **{f"{each}|help": Command(partial(helped, container=each), 2, "", "this list") for each in sorted(CONTAINERS)},
        "command": Command(lambda client: list(map(entry, table)), 1, "", "all commands there are"),
        "command|count": Command(lambda client: len(table), 2, "", "how many there are"),
        "command|list": Command(lambda client: list(table), 2, "", "their names"),
        "command|info": Command(
            lambda client, *names: [entry(word(name)) for name in names], -2, "[name ...]", "about some"
        ),
        "command|docs": Command(docs, -2, "[name ...]", "what they do"),
    }


COMMANDS = {
    "info": Command(info, -1, "[section [section ...]]", "how the gateway is"),
    "time": Command(time, 1, "", "Unix time, and microseconds"),
    "config|get": Command(config_get, -3, "pattern [pattern ...]", "what a client may want to know"),
}
