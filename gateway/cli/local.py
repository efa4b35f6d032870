"""``check``, ``drivers``, ``scan``, ``history`` and ``version``: what is looked at where it lies, with no gateway."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import options
from gateway.cli.configured import load, load_or_exit
from gateway.cli.options import Add, Install
from gateway.client import GatewayError

if TYPE_CHECKING:
    from drivers.api import Driver


def commands(add: Add) -> None:
    check = add("check", "check a configuration; needs no hardware", do_check)
    check.add_argument("file", type=Path, nargs="*", help="a configuration, or drivers of your own; default: --config")
    options.config(check)
    drivers = add("drivers", "list the drivers, or explain one", do_drivers)
    drivers.add_argument("name", nargs="?")
    drivers.add_argument("--json", action="store_true")
    drivers.add_argument("--pages", type=Path, metavar="FOLDER", help="write a page of each, and a list of them, there")
    options.config(drivers, "names the folder of your own")
    scan = add("scan", "list buses, chips, ports and lines, with what the configuration says of each", do_scan)
    scan.add_argument("--all", action="store_true", help="also on the I2C buses of monitors and memory modules")
    scan.add_argument("--json", action="store_true")
    past = add("history", "look after the history's database while the gateway does not run", do_history)
    about = "check it, add readings that `export --json` wrote, or add what can be read of a damaged one"
    past.add_argument("what", choices=("check", "import", "repair"), help=about)
    past.add_argument("file", type=Path, nargs="?", help="to import; or a damaged database, if not all beside it")
    options.config(past)
    add("version", "say which version this is", do_version)


def do_check(chosen: Any, install: Install) -> int:
    return max(map(check, chosen.file or [chosen.config]))


def check(file: Path) -> int:
    """Say what is wrong with a configuration, or with a driver of the user's own; the exit status."""
    from gateway import catalog, kept
    from gateway.config import ConfigError

    try:
        if file.suffix == ".py" or catalog.is_table(file):
            for row in catalog.read(file):  # its vectors must come out, and it must understand its own emulator
                count = len(row.quantities)
                print(f"{file}: good; driver `{row.name}`, {count} quantit{'y' if count == 1 else 'ies'}")
            return 0
        config = load(file)
    except ConfigError as error:
        print(error, file=sys.stderr)
        count = len(error.problems)
        print(f"{file}: {count} mistake{'s' * (count != 1)}", file=sys.stderr)
        return 1
    for warning in (*config.warnings, *catalog.load(config.drivers_folder, config.python_drivers)[1]):
        print(warning, file=sys.stderr)
    for told in kept.warnings(config):
        print(f"{file}: {told}", file=sys.stderr)
    print(f"{file}: good; {len(config.devices)} devices")
    return 0


def do_drivers(chosen: Any, install: Install) -> int:
    from gateway import catalog, config, driver_page

    own, problems = catalog.load(*config.own_drivers(chosen.config))
    for problem in problems:
        print(problem, file=sys.stderr)
    rows = {**catalog.shipped(), **own}
    if chosen.name is not None and chosen.name not in rows:
        from gateway.notation import nearest

        raise GatewayError(f"{chosen.name}: no such driver{nearest(chosen.name, rows)}")
    picked = [row for name, row in sorted(rows.items()) if chosen.name in (None, name)]
    if chosen.pages is not None:
        print(f"{driver_page.write(chosen.pages, picked)} pages and README.md in {chosen.pages}")
    elif chosen.json:
        print(json.dumps([described(row) for row in picked], indent=1, ensure_ascii=False))
    elif chosen.name is not None:
        print(*driver_page.page(picked[0]), sep="\n")
    else:
        wide = max(len(row.name) for row in picked)
        for row in picked:
            print(f"{row.name:{wide}}  {type(row.link).__name__:6}  {row.title}")
    return 0


def described(row: Driver[Any]) -> dict[str, Any]:
    told = "name", "unit", "kind", "low", "high", "digits", "choices", "writable", "every"
    quantities = [{key: getattr(quantity, key) for key in told} for quantity in row.quantities]
    return {"name": row.name, "title": row.title, "link": type(row.link).__name__.lower(), "period": row.period,
            "quantities": quantities}  # fmt: skip


def do_scan(chosen: Any, install: Install) -> int:
    from dataclasses import asdict

    from gateway import scan

    found = scan.scan(scan.Roots(), chosen.all)
    if chosen.json:
        print(json.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False))
        return 0
    names: dict[str, int] = {}
    for each in found:
        print("\n".join(scan.text(each, names)), flush=True)
    return 0


def do_history(chosen: Any, install: Install) -> int:
    config = load_or_exit(chosen.config)
    from gateway.history import upkeep
    from gateway.history.question import HistoryError
    from gateway.state import database, state_folder

    path = database(config.history, state_folder())
    if path is None:
        raise GatewayError(f"{chosen.config} has no [history], so there is none on the disk")
    try:
        return upkeep.do(chosen.what, path, chosen.file)
    except (HistoryError, OSError) as error:
        raise GatewayError(str(error)) from None


def do_version(chosen: Any, install: Install) -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"device-gateway {version('device-gateway')}")
    except PackageNotFoundError:
        print("device-gateway, from its source")
    return 0
