"""``run``, ``demo`` and ``safe``: the gateway itself.  They have the reactor made once it is known whether with TLS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import options
from gateway.cli.configured import load, load_or_exit
from gateway.cli.options import Add, Install
from gateway.client import PORT, GatewayError

if TYPE_CHECKING:
    from gateway.config import Config


def commands(add: Add) -> None:
    run = add("run", "run the gateway", do_run)
    options.config(run)
    run.add_argument("--emulate", action="store_true", help="your configuration, with every device emulated")
    run.add_argument("--faults", type=Path, metavar="FILE", help="what goes wrong with them, and when")
    run.add_argument("--notice", type=Path, metavar="FILE", help="a text to be shown by `status` and on the page")
    demo = add("demo", "run with emulated devices; needs neither configuration nor hardware", do_demo)
    for name, port in ("tcp", PORT), ("http", 8080), ("irc", 6667):
        demo.add_argument(f"--{name}", type=int, default=port, metavar="PORT", help=f"instead of {port}")
    demo.add_argument("--faults", type=Path, metavar="FILE", help="what else goes wrong, and when")
    safe = add("safe", "put outputs where `stop` wants them, after a gateway that was killed", do_safe)
    options.config(safe)


def do_run(chosen: Any, install: Install) -> int:
    config = load_or_exit(chosen.config)
    if chosen.faults and not chosen.emulate:
        raise GatewayError("--faults is for emulated devices: --emulate --faults FILE")
    from gateway.config import secured

    reactor = install(secured(config))
    from gateway import daemon

    play = scripted(chosen.faults, config)
    again = partial(load, chosen.config)
    return daemon.run(reactor, config, again, emulate=chosen.emulate, play=play, notice=chosen.notice)


def do_demo(chosen: Any, install: Install) -> int:
    from gateway import demo
    from gateway.config import ConfigError

    ports = demo.Ports(chosen.tcp, chosen.http, chosen.irc)
    try:
        config = demo.config(ports)
    except ConfigError as error:  # a number that is no port, or one for two
        raise SystemExit(str(error)) from None
    reactor = install(False)
    from gateway import daemon

    script = scripted(chosen.faults, config)

    def play(reactor: Any, gateway: Any) -> None:
        demo.play(reactor, gateway, ports)
        script(reactor, gateway)

    return daemon.run(reactor, config, lambda: config, emulate=True, play=play)


def do_safe(chosen: Any, install: Install) -> int:
    if environ.get("SERVICE_RESULT") == "success":  # systemd says that the gateway ended as it should
        return 0
    config = load_or_exit(chosen.config)
    from gateway.config import secured

    reactor = install(secured(config.devices))
    from gateway import safe
    from gateway.state import state_folder

    return safe.run(reactor, config, state_folder())


def scripted(faults: Path | None, config: Config) -> Callable[[Any, Any], None]:
    """Has what the file *faults* says happen to the devices of *config*."""
    if faults is None:
        return lambda reactor, gateway: None
    from gateway import mishaps

    links = {device.name: device.driver.link for device in config.devices}
    return partial(mishaps.play, script=mishaps.read(faults, links))
