"""Drivers of the user's own in a running gateway: tables and programs, changed under it and read again by a reload."""

from __future__ import annotations

import inspect
from pathlib import Path

from drivers import lm75
from gateway import catalog
from tests.drivers.test_families import FAN, SUPPLY
from tests.drivers.test_line import VALVE
from tests.integration.daemon import Daemon, config, running

SDS011 = (catalog.TABLES / "sds011.toml").read_text()
DUSTIER = SDS011.replace("pm2_5 = 12.4", "pm2_5 = 99")
CHIP = inspect.getsource(lm75).replace('"lm75', '"own75').replace('"tmp', '"owntmp')


def test_a_table_is_changed_and_a_program_added(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "dust.toml").write_text(SDS011)
    (own / "own75.py").write_text(CHIP)
    text = f'[gateway]\ndrivers = "{own}"\npython_drivers = false\n' + config(
        street={"driver": "dust", "port": tmp_path / "street"}, near={"driver": "sds011", "port": tmp_path / "near"}
    )
    with running(tmp_path, text, "--emulate") as daemon:
        daemon.until(lambda: daemon.value("street.pm2_5") in ("12.4", "12.5"))
        began = daemon.text().count("near: running")
        (own / "dust.toml").write_text(DUSTIER)
        chip = config(attic={"driver": "owntmp102", "bus": "i2c:1"})
        daemon.configure(text.replace("python_drivers = false", "python_drivers = true") + chip)
        daemon.reload()
        daemon.until(lambda: daemon.value("street.pm2_5").startswith(("99", "100", "101")))
        daemon.until(lambda: daemon.value("attic.temperature").startswith("21."))
        assert daemon.text().count("near: running") == began, "its driver did not change"


def test_what_a_table_lets_be_set_is_set_and_a_broken_table_changes_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name, table in (("supply", SUPPLY), ("fan", FAN), ("valve", VALVE)):
        (own / f"{name}.toml").write_text(table)
    text = f'[gateway]\ndrivers = "{own}"\n' + config(
        **{name: {"driver": name, "port": tmp_path / name} for name in ("supply", "fan", "valve")}
    )
    with running(tmp_path, text, "--emulate") as daemon:
        shows(daemon, "supply.voltage", "12.500", then="5.000")
        shows(daemon, "fan.turns_wanted", "1000.00", then="1200.00")
        shows(daemon, "valve.valve", "20", then="75")
        (own / "fan.toml").write_text(FAN.replace("length = 8", "lenght = 8"))
        daemon.reload()
        daemon.until(lambda: "frame.lenght: unknown key; did you mean 'length'?" in daemon.text())
        assert daemon.value("fan.turns_wanted") == "1200.00"


def shows(daemon: Daemon, name: str, value: str, then: str) -> None:
    """Wait until *name* has that *value*, and, once it is set, the other."""
    daemon.until(lambda: daemon.value(name) == value)
    daemon.ask(f"set {name} {then}")
    daemon.until(lambda: daemon.value(name) == then)
