"""The gateway as a part of a Twisted application of your own:  twistd --nodaemon --python gateway.tac

The configuration is the file $GATEWAY_CONFIG, or the usual one. For the gateway alone, `twistd --nodaemon gateway
--config FILE` does the same. Under twistd timers run on the wall clock: a step of it moves them.
"""

import os
import time
from pathlib import Path

from twisted.application.service import Application
from twisted.internet import reactor

from gateway.app import make_service, next_boot, state_folder
from gateway.cli import load

path = Path(os.environ.get("GATEWAY_CONFIG", "/etc/gateway/gateway.toml"))

folder = state_folder()
application = Application("gateway")
service = make_service(
    reactor,
    load(path),
    time.monotonic,
    boot=next_boot(folder),
    load=lambda: load(path),
    folder=folder,
)
service.setServiceParent(application)
