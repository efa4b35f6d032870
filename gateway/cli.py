"""The command line: what may be said, and who does it.

``run``, ``demo``, ``emulate`` and ``safe`` need the reactor and get it from ``__main__``; all others are light.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.client import PORT, Client, GatewayError

CONFIG = Path("/etc/gateway/gateway.toml")
TALK = {
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
Install = Callable[[bool], Any]


def main(arguments: list[str], install: Install) -> int:
    """Do what *arguments* say; the exit status is 0, 1 when refused, 2 when they make no sense."""
    if arguments and arguments[0] in TALK:
        arguments = list(map(shielded, arguments))
    chosen = parser().parse_args(arguments)
    try:
        status: int = chosen.do(chosen, install)
        sys.stdout.flush()  # here, where a broken pipe can be met
        return status
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # our reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def shielded(word: str) -> str:
    """A time such as -1h is no option; argparse takes what begins with a blank for a word."""
    return f" {word}" if word[:1] == "-" and word[1:2].isdecimal() else word


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="gateway", description="Device Gateway: serial, I2C and GPIO devices on the net."
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, about: str, do: Callable[[Any, Install], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(do=do, command=name)
        return command

    run = add("run", "run the gateway", do_run)
    run.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}")
    run.add_argument("--emulate", action="store_true", help="your configuration, with every device emulated")
    run.add_argument("--faults", type=Path, metavar="FILE", help="what goes wrong with them, and when")
    run.add_argument("--notice", type=Path, metavar="FILE", help="a text to be shown by `status` and on the page")
    demo = add("demo", "run with emulated devices; needs neither configuration nor hardware", do_demo)
    for name, port in ("tcp", PORT), ("http", 8080), ("irc", 6667):
        demo.add_argument(f"--{name}", type=int, default=port, metavar="PORT", help=f"instead of {port}")
    demo.add_argument("--faults", type=Path, metavar="FILE", help="what else goes wrong, and when")
    check = add("check", "check a configuration; needs no hardware", do_check)
    check.add_argument("file", type=Path, nargs="*", help="a configuration, or drivers of your own; default: --config")
    check.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}")
    safe = add("safe", "put outputs where `stop` wants them, after a gateway that was killed", do_safe)
    safe.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}")
    drivers = add("drivers", "list the drivers, or explain one", do_drivers)
    drivers.add_argument("name", nargs="?")
    drivers.add_argument("--json", action="store_true")
    drivers.add_argument("--pages", type=Path, metavar="FOLDER", help="write a page of each, and a list of them, there")
    drivers.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="names the folder of your own")
    scan = add("scan", "list buses, chips, ports and lines, with what the configuration says of each", do_scan)
    scan.add_argument("--all", action="store_true", help="also on the I2C buses of monitors and memory modules")
    scan.add_argument("--json", action="store_true")
    for name, about in TALK.items():
        talk = add(name, about, do_talk)
        talk.add_argument("words", nargs="*", metavar="WORD", help="names, patterns such as 'attic.*', or a value")
        reach(talk)
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
    reach(export)
    past = add("history", "look after the history's database while the gateway does not run", do_history)
    about = "check it, add readings that `export --json` wrote, or add what can be read of a damaged one"
    past.add_argument("what", choices=("check", "import", "repair"), help=about)
    past.add_argument("file", type=Path, nargs="?", help="to import; or a damaged database, if not all beside it")
    past.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}")
    reload = add("reload", "have a running gateway read its configuration again", do_reload)
    reload.add_argument("--config", type=Path, default=None, metavar="FILE", help="check this file first")
    reload.add_argument("--port", type=int, default=PORT, help=f"its query port on this machine; default {PORT}")
    emulate = add("emulate", "open a terminal that behaves like a device", do_emulate)
    emulate.add_argument("driver")
    emulate.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="names the folder of your own")
    record = add("record", "write what went over a device's wire into a file", do_record)
    record.add_argument("device")
    which = record.add_mutually_exclusive_group()
    which.add_argument("--minutes", type=float, metavar="N", help="only the last N; default: all it remembers")
    which.add_argument("--live", action="store_true", help="what follows, too, until Ctrl-C")
    record.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of printing it")
    reach(record)
    replay = add("replay", "play a recording, or a capture, into its driver, and show what it makes of it", do_replay)
    replay.add_argument("file", type=Path)
    replay.add_argument("driver", nargs="?", help="of a capture; a recording names its own")
    replay.add_argument("--speed", type=float, default=1.0, help="times as fast as it was, or inf; default 1")
    replay.add_argument("--json", action="store_true")
    replay.add_argument("--chk", action="store_true", help="write what comes of it to FILE.chk: a test compares")
    add("version", "say which version this is", do_version)
    return top


def reach(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", help="where the gateway is; default 127.0.0.1")
    command.add_argument("--port", type=int, default=PORT, help=f"its query port; default {PORT}")


# The gateway itself


def do_run(chosen: Any, install: Install) -> int:
    from gateway.config import ConfigError

    try:
        config = load(chosen.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if chosen.faults and not chosen.emulate:
        raise GatewayError("--faults is for emulated devices: --emulate --faults FILE")
    listen = [part for part in (config.tcp, config.http, config.irc) if part is not None]
    reactor = install(secured(config, [point for part in listen for point in part.endpoints]))
    from gateway import daemon

    play = scripted(chosen.faults, config)
    return daemon.run(
        reactor, config, lambda: load(chosen.config), emulate=chosen.emulate, play=play, notice=chosen.notice
    )


def secured(config: Any, points: list[str]) -> bool:
    """Whether any of *points*, or a way to a device, takes TLS."""
    points = points + [getattr(device.where, "description", "") for device in config.devices]
    return any(point.startswith(("ssl:", "tls:")) for point in points)


def scripted(faults: Path | None, config: Any) -> Callable[[Any, Any], None]:
    """Has what the file *faults* says happen to the devices of *config*."""
    if faults is None:
        return lambda reactor, gateway: None
    from functools import partial

    from gateway import mishaps

    links = {device.name: device.driver.link for device in config.devices}
    return partial(mishaps.play, script=mishaps.read(faults, links))


def do_demo(chosen: Any, install: Install) -> int:
    from gateway import demo
    from gateway.config import ConfigError

    ports = demo.Ports(chosen.tcp, chosen.http, chosen.irc)
    try:
        config = demo.config(ports)
    except ConfigError as error:  # a number that is no port, or one for two
        print(error, file=sys.stderr)
        return 1
    reactor = install(False)
    from gateway import daemon

    script = scripted(chosen.faults, config)

    def play(reactor: Any, gateway: Any) -> None:
        demo.play(reactor, gateway, ports)
        script(reactor, gateway)

    return daemon.run(reactor, config, lambda: config, emulate=True, play=play)


def load(path: Path) -> Any:
    """The configuration in the file *path*.  Raises ConfigError."""
    from functools import partial

    from gateway import catalog, config

    folder, python = config.drivers_folder(path), config.python_drivers(path)
    return config.load(path, partial(catalog.find, folder=folder, python=python), catalog.names(folder))


def do_check(chosen: Any, install: Install) -> int:
    return max(map(check_file, getattr(chosen, "file", None) or [chosen.config]))


def check_file(file: Path) -> int:
    from gateway.config import ConfigError

    try:
        if is_driver(file):
            return check_driver(file)
        config = load(file)
    except ConfigError as error:
        print(error, file=sys.stderr)
        count = len(error.problems)
        print(f"{file}: {count} mistake{'s' * (count != 1)}", file=sys.stderr)
        return 1
    from gateway import catalog, kept

    for warning in (*config.warnings, *catalog.load(config.drivers_folder, config.python_drivers)[1]):
        print(warning, file=sys.stderr)
    for told in kept.warnings(config):
        print(f"{file}: {told}", file=sys.stderr)
    print(f"{file}: good; {len(config.devices)} devices")
    return 0


def is_driver(file: Path) -> bool:
    """Whether *file* is a driver of the user's own: a program, or a table that names its family."""
    from gateway import catalog

    return file.suffix == ".py" or catalog.is_table(file)


def check_driver(file: Path) -> int:
    """Prove it: its vectors must come out, and it must understand its own emulator.  Raises ConfigError."""
    from gateway import catalog

    for row in catalog.read(file):
        count = len(row.quantities)
        print(f"{file}: good; driver `{row.name}`, {count} quantit{'y' if count == 1 else 'ies'}")
    return 0


def do_safe(chosen: Any, install: Install) -> int:
    from gateway.config import ConfigError

    if os.environ.get("SERVICE_RESULT") == "success":  # systemd says that the gateway ended as it should
        return 0
    try:
        config = load(chosen.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    reactor = install(secured(config, []))
    from gateway import app, safe

    return safe.run(reactor, config, app.state_folder())


def do_drivers(chosen: Any, install: Install) -> int:
    from gateway import catalog, config, driver_page

    own, problems = catalog.load(config.drivers_folder(chosen.config), config.python_drivers(chosen.config))
    for problem in problems:
        print(problem, file=sys.stderr)
    rows = {**catalog.shipped(), **own}
    if chosen.name is not None and chosen.name not in rows:
        from gateway.notation import nearest

        print(f"gateway: {chosen.name}: no such driver{nearest(chosen.name, rows)}", file=sys.stderr)
        return 1
    picked = [row for name, row in sorted(rows.items()) if chosen.name in (None, name)]
    if chosen.pages is not None:
        print(f"{driver_page.write(chosen.pages, picked)} pages and README.md in {chosen.pages}")
    elif chosen.json:
        print(json.dumps([described(row) for row in picked], indent=1, ensure_ascii=False))
    elif chosen.name is not None:
        print(*driver_page.page(picked[0]), sep="\n")
    else:
        wide = max(len(row.name) for row in picked)
        for row in picked:
            print(f"{row.name:{wide}}  {type(row.link).__name__:6}  {row.title}")
    return 0


def described(row: Any) -> dict[str, Any]:
    quantities = [
        {"name": each.name, "unit": each.unit, "kind": each.kind, "low": each.low, "high": each.high,
         "digits": each.digits, "choices": each.choices, "writable": each.writable}
        for each in row.quantities
    ]  # fmt: skip
    return {"name": row.name, "title": row.title, "link": type(row.link).__name__.lower(), "period": row.period,
            "quantities": quantities}  # fmt: skip


def do_scan(chosen: Any, install: Install) -> int:
    from dataclasses import asdict

    from gateway import scan

    found = scan.scan(scan.Roots(), chosen.all)
    if chosen.json:
        print(json.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False))
        return 0
    names: dict[str, int] = {}
    for each in found:
        print("\n".join(scan.text(each, names)), flush=True)
    return 0


def do_version(chosen: Any, install: Install) -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"device-gateway {version('device-gateway')}")
    except PackageNotFoundError:
        print("device-gateway, from its source")
    return 0


# Clients of a running gateway


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


def do_history(chosen: Any, install: Install) -> int:
    from gateway.config import ConfigError

    try:
        config = load(chosen.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    from gateway.app import database, state_folder
    from gateway.history import upkeep
    from gateway.history.question import HistoryError

    path = database(config.history, state_folder())
    if path is None:
        raise GatewayError(f"{chosen.config} has no [history], so there is none on the disk")
    try:
        return upkeep.do(chosen.what, path, chosen.file)
    except (HistoryError, OSError) as error:
        raise GatewayError(str(error)) from None


def do_reload(chosen: Any, install: Install) -> int:
    if chosen.config is not None and (status := do_check(chosen, install)):
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


# Emulated devices


def do_emulate(chosen: Any, install: Install) -> int:
    reactor = install(False)
    from gateway import play

    return play.emulate(reactor, row(chosen.driver, chosen.config))


def do_record(chosen: Any, install: Install) -> int:
    from gateway.record import record

    with Client(chosen.host, chosen.port) as client:
        return record(client, chosen.device, chosen.minutes, chosen.live, chosen.output)


def do_replay(chosen: Any, install: Install) -> int:
    from gateway import replay

    recording = replay.load(chosen.file)
    name = chosen.driver or recording.about.get("driver")
    if not name:
        raise GatewayError(f"{chosen.file} does not say whose it is: gateway replay {chosen.file} DRIVER")
    driver = row(name)
    if not chosen.chk:
        return replay.replay(driver, recording, chosen.speed, chosen.json)
    file = chosen.file.with_name(chosen.file.name + ".chk")
    try:
        file.write_text("\n".join(replay.expected(driver, recording)) + "\n")
    except OSError as error:
        raise GatewayError(f"{file}: {error.strerror}") from error
    print(f"{file}: written; look whether it is right")
    return 0


def row(name: str, path: Path = CONFIG) -> Any:
    """The driver *name*; of one's own, the configuration at *path* names the folder."""
    from gateway import catalog, config
    from gateway.notation import nearest

    folder = config.drivers_folder(path)
    try:
        return catalog.find(name, folder, config.python_drivers(path))
    except KeyError:
        near = nearest(name, catalog.names(folder))
        raise GatewayError(f"{name}: no such driver{near}; see `gateway drivers`") from None
    except ValueError as error:  # the user's own, with a mistake
        raise GatewayError(str(error)) from None
