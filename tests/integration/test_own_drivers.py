"""Drivers of the user's own in a running gateway: tables and programs, changed under it and read again by a reload."""

from __future__ import annotations

import inspect
from pathlib import Path

from drivers import lm75
from gateway import catalog
from tests.integration.daemon import config, running

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
