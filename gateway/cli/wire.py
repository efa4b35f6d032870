"""``emulate``, ``record`` and ``replay``: a device's wire without the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.configured import driver
from gateway.cli.options import Add, Install
from gateway.client import Client, GatewayError


def commands(add: Add) -> None:
    emulate = add("emulate", "open a terminal that behaves like a device", do_emulate)
    emulate.add_argument("driver")
    options.config(emulate, "names the folder of your own")
    record = add("record", "write what went over a device's wire into a file", do_record)
    record.add_argument("device")
    which = record.add_mutually_exclusive_group()
    which.add_argument(
        "--minutes", type=options.above_zero, metavar="N", help="only the last N; default: all it remembers"
    )
    which.add_argument("--live", action="store_true", help="what follows, too, until Ctrl-C")
    record.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of printing it")
    options.reach(record)
    replay = add("replay", "play a recording, or a capture, into its driver, and show what it makes of it", do_replay)
    replay.add_argument("file", type=Path)
    replay.add_argument("driver", nargs="?", help="of a capture; a recording names its own")
    replay.add_argument(
        "--speed", type=options.above_zero, default=1.0, help="times as fast as it was, or inf; default 1"
    )
    replay.add_argument("--json", action="store_true")
    replay.add_argument("--chk", action="store_true", help="write what comes of it to FILE.chk: a test compares")


def do_emulate(chosen: Any, install: Install) -> int:
    reactor = install(False)
    from gateway import play

    return play.emulate(reactor, driver(chosen.driver, chosen.config))


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
    row = driver(name)
    if not chosen.chk:
        return replay.replay(row, recording, chosen.speed, chosen.json)
    file = chosen.file.with_name(chosen.file.name + ".chk")
    try:
        file.write_text("\n".join(replay.expected(row, recording)) + "\n")
    except OSError as error:
        raise GatewayError(f"{file}: {error.strerror}") from error
    print(f"{file}: written; look whether it is right")
    return 0
