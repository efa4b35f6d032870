"""``twistd gateway``: the same gateway under Twisted's own daemon, on whatever reactor that has chosen.

There timers run on the reactor's clock: with a stock reactor, setting the wall clock moves them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from gateway import cli, demo
from gateway.app import make_service, next_boot, state_folder
from gateway.config import Config, ConfigError


class Options(usage.Options):  # twistd shows them
    optParameters = [["config", "c", str(cli.CONFIG), "the configuration file"]]
    optFlags = [
        ["emulate", None, "your configuration, with every device emulated"],
        ["demo", None, "as `gateway demo`"],
    ]


def makeService(options: Any) -> IService:
    """What the plugin hands to twistd.  Raises usage.UsageError with the configuration's mistakes."""
    from twisted.internet import reactor  # twistd has made it by now

    def load() -> Config:
        return demo.config() if options["demo"] else cli.load(Path(options["config"]))

    try:
        config = load()
    except ConfigError as error:
        raise usage.UsageError(str(error)) from error
    made = make_service(
        reactor,
        config,
        time.monotonic,
        boot=next_boot(state_folder()),
        emulate=bool(options["emulate"] or options["demo"]),
        load=load,
    )
    if options["demo"]:
        reactor.callWhenRunning(demo.play, reactor, made, demo.Ports())
    return made
