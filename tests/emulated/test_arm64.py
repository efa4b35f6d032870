"""The installed package under an emulated arm64 processor, without a board."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.emulated import disk

IMPORT_ALL = """
import importlib, pkgutil, platform
import drivers, gateway
assert platform.machine() == "aarch64"
for package in (drivers, gateway):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(drivers.__file__)
"""


def python(*arguments: str | Path) -> str:
    root = disk.BUILD / "root"
    done = subprocess.run(
        ["qemu-aarch64-static", "-L", root, root / "usr/bin/python3", *arguments],
        cwd=disk.SOURCE,
        env=os.environ | {"PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_module_imports(image: Path) -> None:
    assert python("-c", IMPORT_ALL).strip() == f"{disk.BUILD}/root/usr/lib/python3/dist-packages/drivers/__init__.py"


def test_the_drivers_pass_their_tests(image: Path) -> None:
    """Those of each by itself.  What holds all of them to one contract would take ten minutes here, and asks the same
    of the same code."""
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-o", "pythonpath="]
    options += [f"--ignore=tests/drivers/test_{name}.py" for name in ("contract", "faults", "families", "gps_oracle")]
    print(python("-m", "pytest", *options, "tests/drivers").splitlines()[-1])
