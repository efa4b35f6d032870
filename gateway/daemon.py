"""Runs the gateway until it is told to stop: log, signals, and the reactor."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
    formatEvent,
    formatEventAsClassicLogText,
    globalLogBeginner,
)

from gateway.app import Gateway, make_service
from gateway.config import Config
from gateway.state import next_boot, state_folder


def run(
    reactor: Any,
    config: Config,
    load: Callable[[], Config],
    *,
    emulate: bool,
    play: Callable[[Any, Gateway], None] | None = None,
    notice: Path | None = None,
) -> int:
    """Run until SIGTERM or SIGINT.  *play* is called when all is started; what the file *notice* says is passed on."""
    log_to(sys.stderr)
    open_many()
    folder = state_folder()
    options = {"boot": next_boot(folder), "emulate": emulate, "load": load, "folder": folder, "notice": notice}
    service = make_service(reactor, config, time.monotonic, **options)
    reactor.callWhenRunning(service.startService)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    if play is not None:
        reactor.callWhenRunning(play, reactor, service)
    reactor.run()
    return 0


def open_many() -> None:
    """Have as many files open as this process may at all: each connection is one, and by custom a shell allows 1024
    until somebody asks for more."""
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))


def log_to(stream: Any) -> None:
    """Our own log in full, Twisted's from warnings on; without times where the journal adds its own."""
    journal = "JOURNAL_STREAM" in os.environ

    def write(event: LogEvent) -> None:
        text = formatEvent(event) if journal and "log_failure" not in event else formatEventAsClassicLogText(event)
        if text:
            stream.write(text.rstrip("\n") + "\n")
            stream.flush()

    levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    levels.setLogLevelForNamespace("twisted", LogLevel.warn)

    def predicate(event: LogEvent) -> Any:
        # Unhandled errors and warnings come from everywhere; what ClientService says of each attempt, we say better.
        if event.get("log_namespace") == "log_legacy" and not event.get("isError"):
            return PredicateResult.no
        return levels(event)

    observer = FilteringLogObserver(write, [predicate])  # type: ignore[arg-type,list-item]  # zope interfaces
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
