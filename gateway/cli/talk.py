"""What a running gateway is asked over its query port: most commands are passed on as they are."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.local import check
from gateway.cli.options import Add, Install
from gateway.client import PORT, Client, GatewayError

COMMANDS = {
    "devices": "list devices: name, state, driver, place, reason",
    "items": "list every name, also those without a value",
    "get": "newest readings",
    "count": "how many names have a value",
    "set": "set a quantity: NAME VALUE",
    "read": "measure now, and show the readings",
    "delete": "delete values set by hand: KEY...",
    "clear": "delete all of them",
    "watch": "show readings as they come: [PATTERN...] [changed] [every 10s] [band 0.5]",
    "range": "readings of the past: NAME FROM [TO] [STEP] [AGGREGATE]",
    "log": "the last bytes on a device's wire: DEVICE [N], or DEVICE live",
    "after": "do something later: DURATION COMMAND, as in after 10s set pump.state off",
    "jobs": "what is to be done later",
    "cancel": "cancel a job: its number",
    "audit": "who set what: the last writes, or the last N",
    "backup": "copy the history to a file beside it, while the gateway goes on",
    "fault": "have something go wrong with an emulated device: [DEVICE [KIND|off [DURATION]]]",
    "status": "how the gateway is",
}
COUNTS = ("count", "delete", "clear", "after")  # whose answer is in their status


def commands(add: Add) -> None:
    for name, about in COMMANDS.items():
        talk = add(name, about, do_talk)
        talk.add_argument("words", nargs="*", metavar="WORD", help="names, patterns such as 'attic.*', or a value")
        options.reach(talk)
        talk.add_argument("--json", action="store_true", help="JSON objects, one a line")
    export = add("export", "write readings of the past into a file", do_export)
    export.add_argument("pattern", nargs="?", default="*.*", help="names such as 'attic.*'; default: all")
    export.add_argument(
        "--from", dest="start", default="1970-01-01", metavar="TIME", help="such as 2026-11-20; --from=-7d"
    )
    export.add_argument("--to", dest="end", default="now", metavar="TIME", help="default: now")
    export.add_argument("--json", action="store_true", help="JSON lines, for `gateway history import`; default: CSV")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of printing it")
    export.add_argument("--resume", action="store_true", help="go on where FILE ends")
    options.reach(export)
    reload = add("reload", "have a running gateway read its configuration again", do_reload)
    reload.add_argument("--config", type=Path, default=None, metavar="FILE", help="check this file first")
    reload.add_argument("--port", type=int, default=PORT, help=f"its query port on this machine; default {PORT}")


def shielded(word: str) -> str:
    """A time such as -1h is no option; argparse takes what begins with a blank for a word."""
    return f" {word}" if word[:1] == "-" and word[1:2].isdecimal() else word


def do_talk(chosen: Any, install: Install) -> int:
    with Client(chosen.host, chosen.port) as client:
        if chosen.json:
            client.ask("json on")
        words = [word.strip() for word in chosen.words] or (["*"] if chosen.command in ("get", "watch") else [])
        line = " ".join((chosen.command, *words))
        endless = chosen.command == "watch" or (chosen.command == "log" and words[1:] == ["live"])
        for each in client.follow(line) if endless else client.say(line):
            print(each, flush=endless)
        if chosen.command in COUNTS:
            print(client.status.removeprefix("OK "))
    return 0


def do_export(chosen: Any, install: Install) -> int:
    from gateway.export import export

    form = "json" if chosen.json else "csv"
    with Client(chosen.host, chosen.port, timeout=60) as client:
        count = export(client, chosen.pattern, chosen.start, chosen.end, form, chosen.output, chosen.resume)
    if chosen.output is not None:
        print(f"{chosen.output}: {count} readings written")
    return 0


def do_reload(chosen: Any, install: Install) -> int:
    if chosen.config is not None and (status := check(chosen.config)):
        return status
    with Client(port=chosen.port) as client:
        client.ask("json on")
        before = facts(client)
        try:
            os.kill(before["pid"], signal.SIGHUP)
        except OSError as error:
            raise GatewayError(
                f"process {before['pid']}: {error.strerror}; try sudo, or systemctl reload gateway"
            ) from error
        for _ in range(100):
            now = facts(client)
            if now["loads"] != before["loads"] and now["config"]:
                raise GatewayError(f"it runs on as before:\n{now['config']}")
            if now["loads"] != before["loads"]:
                print("reloaded")
                return 0
            time.sleep(0.1)
    raise GatewayError("asked to reload, but it has not done so in 10 s; see its log")


def facts(client: Client) -> dict[str, Any]:
    """What `status` says, to a client that asked for JSON."""
    return {key: fact for line in client.ask("status") for key, fact in json.loads(line).items()}
