"""``twistd gateway``: the same gateway under Twisted's own daemon, on whatever reactor that has chosen.

There timers run on the reactor's clock: with a stock reactor, setting the wall clock moves them.
"""

from __future__ import annotations

import time
from pathlib import Path

from twisted.application.service import IService
from twisted.python import usage

from gateway import demo
from gateway.app import make_service
from gateway.cli.configured import load
from gateway.cli.options import CONFIG
from gateway.config import Config, ConfigError
from gateway.state import next_boot, state_folder


class Options(usage.Options):  # twistd shows them
    optParameters = [["config", "c", str(CONFIG), "the configuration file"]]
    optFlags = [
        ["emulate", None, "your configuration, with every device emulated"],
        ["demo", None, "as `gateway demo`"],
    ]

    def load(self) -> Config:
        return demo.config() if self["demo"] else load(Path(self["config"]))

    def postOptions(self) -> None:
        """Raises UsageError with the configuration's mistakes, for twistd to tell."""
        try:
            self.config = self.load()
        except ConfigError as error:
            raise usage.UsageError(str(error)) from error


def makeService(options: Options) -> IService:
    """What the plugin hands to twistd."""
    from twisted.internet import reactor  # twistd has made it by now

    folder = state_folder()
    made = make_service(
        reactor,
        options.config,
        time.monotonic,
        boot=next_boot(folder),
        emulate=bool(options["emulate"] or options["demo"]),
        load=options.load,
        folder=folder,
    )
    if options["demo"]:
        reactor.callWhenRunning(demo.play, reactor, made, demo.Ports())
    return made
