"""``twistd gateway``: the same gateway under Twisted's own daemon, on whatever reactor that has chosen.

There timers run on the reactor's clock: with a stock reactor, setting the wall clock moves them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from gateway import cli
from gateway.app import make_service, next_boot, state_folder
from gateway.config import ConfigError


class Options(usage.Options):  # twistd shows them
    optParameters = [["config", "c", str(cli.CONFIG), "the configuration file"]]
    optFlags = [
        ["emulate", None, "your configuration, with every device emulated"],
        ["demo", None, "as `gateway demo`"],
    ]


def makeService(options: Any) -> IService:
    """What the plugin hands to twistd.  Raises usage.UsageError with the configuration's mistakes."""
    from twisted.internet import reactor  # twistd has made it by now

    path = None if options["demo"] else Path(options["config"])
    try:
        config = cli.load(path)
    except ConfigError as error:
        raise usage.UsageError(str(error)) from error
    made: IService = make_service(
        reactor,
        config,
        time.monotonic,
        boot=next_boot(state_folder()),
        emulate=bool(options["emulate"] or options["demo"]),
        load=lambda: cli.load(path),
    )
    return made
