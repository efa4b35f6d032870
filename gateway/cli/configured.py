"""The configuration, and a driver, as commands are given them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.options import CONFIG
from gateway.client import GatewayError

if TYPE_CHECKING:
    from drivers.api import Driver
    from gateway.config import Config


def load(path: Path) -> Config:
    """The configuration in the file *path*.  Raises ConfigError."""
    from gateway import catalog, config

    folder, python = config.own_drivers(path)
    return config.load(path, partial(catalog.find, folder=folder, python=python), catalog.names(folder))


def load_or_exit(path: Path) -> Config:
    """The same, for a command that is nothing without: mistakes end the program, and are the last it says."""
    from gateway.config import ConfigError

    try:
        return load(path)
    except ConfigError as error:
        raise SystemExit(str(error)) from None


def driver(name: str, path: Path = CONFIG) -> Driver[Any]:
    """The driver *name*; of one's own, the configuration at *path* names the folder.  Raises GatewayError."""
    from gateway import catalog, config
    from gateway.notation import nearest

    folder, python = config.own_drivers(path)
    try:
        return catalog.find(name, folder, python)
    except KeyError:
        near = nearest(name, catalog.names(folder))
        raise GatewayError(f"{name}: no such driver{near}; see `gateway drivers`") from None
    except ValueError as error:  # the user's own, with a mistake
        raise GatewayError(str(error)) from None
