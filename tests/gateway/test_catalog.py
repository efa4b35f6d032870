"""The catalog: every shipped driver by name, and only that one; users' tables, good and broken side by side."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import drivers
from drivers.api import Driver, Feeds
from drivers.family import known
from gateway import catalog

ROOT = Path(__file__).parents[2]
FLOW = """\
family = "line"
title = "A flow meter"
documentation = "Says how much flows."
format = "pairs"
period = 1

[quantity.flow]
unit = "l/s"
low = 0
high = 100

[[vector]]
text = "flow=1.5"
gives = { flow = 1.5 }
"""


def told(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in catalog.load(folder)[1]]


def test_names_are_those_of_the_drivers_there_are() -> None:
    there = {path.stem: "drivers.tables" for path in catalog.TABLES.glob("*.toml")}
    for module in pkgutil.iter_modules(drivers.__path__, "drivers."):
        rows = [] if module.ispkg else getattr(importlib.import_module(module.name), "DRIVER", [])
        there |= {row.name: module.name for row in ([rows] if isinstance(rows, Driver) else rows)}
    assert there == catalog.NAMES


def test_every_shipped_driver_is_found_by_its_name() -> None:
    assert [row.name for row in catalog.shipped().values()] == list(catalog.NAMES)


def test_names_and_units_of_shipped_drivers_are_the_registry_s() -> None:
    for row in catalog.shipped().values():
        for quantity in row.quantities:
            registered = known(quantity.name)
            assert registered and quantity.unit == registered.unit, f"{row.name}: {quantity.name}"


@pytest.mark.parametrize(("name", "module"), [("gps", "drivers.gps"), ("keyvalue", "drivers.family.line")])
def test_finding_one_driver_imports_no_other(name: str, module: str) -> None:
    code = f"import sys; from gateway import catalog; catalog.find({name!r}); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert module in loaded
    assert not (loaded & {*catalog.NAMES.values(), *catalog.FAMILIES.values()}) - {module}
    assert not any(name.split(".")[0] == "twisted" for name in loaded)


def test_a_user_s_table_is_a_driver(tmp_path: Path) -> None:
    (tmp_path / "weir.toml").write_text(FLOW)
    row = catalog.find("weir", tmp_path)
    assert (row.name, row.title, row.quantities[0].unit) == ("weir", "A flow meter", "l/s")
    assert isinstance(row.device(row.settings()), Feeds)
    assert catalog.names(tmp_path) == sorted([*catalog.NAMES, "weir"])


def test_the_table_in_the_docs_is_good(tmp_path: Path) -> None:
    blocks = re.findall(
        r"```toml\n(# /etc/gateway/drivers/(\w+)\.toml\n.*?)```", (ROOT / "docs/tables.md").read_text(), re.DOTALL
    )
    assert len(blocks) >= 2
    for text, name in blocks:
        (tmp_path / f"{name}.toml").write_text(text)
    rows, problems = catalog.load(tmp_path)
    assert problems == [] and len(rows) == len(blocks)


def test_an_unchanged_table_gives_the_very_same_driver(tmp_path: Path) -> None:
    path = tmp_path / "weir.toml"
    path.write_text(FLOW)
    first = catalog.find("weir", tmp_path)
    assert catalog.find("weir", tmp_path) is first
    path.write_text(FLOW.replace("high = 100", "high = 200"))
    assert catalog.find("weir", tmp_path).quantities[0].high == 200


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert catalog.load(tmp_path / "none") == ({}, [])
    assert catalog.names(tmp_path / "none") == sorted(catalog.NAMES)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rows, (problem,) = catalog.load(tmp_path / "file")
    assert (rows, str(problem)) == ({}, f"{tmp_path}/file: Not a directory")
    assert catalog.names(tmp_path / "file") == sorted(catalog.NAMES)


def test_a_name_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        catalog.find("bme28", tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("a.toml", FLOW.replace("low =", "lwo ="), "a.toml:9: quantity.flow.lwo: unknown key; did you mean 'low'?"),
        ("a.toml", FLOW.replace("1.5 }", "2.5 }"), "a.toml:12: vector.0: gives {'flow': 1.5}"),
        (
            "a.toml",
            FLOW.replace('"line"', '"lines"'),
            "a.toml:1: family: 'lines' is none of line, ask, frame, modbus, registers; did you mean `line`?",
        ),
        (
            "a.toml",
            FLOW.replace('"line"', "[1]"),
            "a.toml:1: family: [1] is none of line, ask, frame, modbus, registers",
        ),
        (
            "a.toml",
            FLOW.replace("flow", "power"),
            "a.toml:8: quantity.power.unit: 'l/s', but power is in 'W' everywhere",
        ),
        ("a.toml", "family = line", "a.toml:1: not TOML: Invalid value"),
        ("a.toml", "", "a.toml:1: family: is missing"),
        ("a.toml", b"\xff", "a.toml: not UTF-8 text"),
        ("a.toml", "a = " + "[" * 2_000, "a.toml: not TOML that can be read: nested too deep"),
        (
            "a.toml",
            FLOW.replace("high = ", f"high = {10**400} # "),
            "quantity.flow.high: is beyond the numbers of 64 bits",
        ),
        ("a.toml", None, "a.toml: Is a directory"),
        ("gps.toml", FLOW, "gps.toml: `gps` comes with the gateway"),
        ("my-flow.toml", FLOW, "my-flow.toml: a driver has its name from its file"),
        (
            "z.toml",
            FLOW.replace("l/s", "m³/h"),
            "z.toml: quantity.flow.unit: is 'm³/h' here and 'l/s' in weir.toml",
        ),
    ],
)
def test_a_broken_table_is_told_and_stops_no_other(
    tmp_path: Path, file: str, text: str | bytes | None, problem: str
) -> None:
    (tmp_path / "weir.toml").write_text(FLOW)
    if text is None:
        (tmp_path / file).mkdir()
    else:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert list(catalog.load(tmp_path)[0]) == ["weir"]
    assert any(problem in line for line in told(tmp_path)), told(tmp_path)
    assert catalog.find("weir", tmp_path).name == "weir"
    name = file.removesuffix(".toml")
    if name in catalog.NAMES:
        assert catalog.find(name, tmp_path) is not catalog.load(tmp_path)[0].get(name)
    else:
        with pytest.raises(catalog.BrokenTable, match=f"driver `{name}` is broken: .*{re.escape(file)}"):
            catalog.find(name, tmp_path)


def test_a_refused_table_takes_no_unit_from_others(tmp_path: Path) -> None:
    rain = '[quantity.gust]\nunit = "mm"\nlow = 0\nhigh = 9\n[[vector]]'
    both = FLOW.replace("[[vector]]", rain).replace("=1.5", "=1.5 gust=1").replace("1.5 }", "1.5, gust = 1 }")
    (tmp_path / "a.toml").write_text(FLOW)
    (tmp_path / "b.toml").write_text(both.replace("l/s", "m³/h"))
    (tmp_path / "c.toml").write_text(both.replace('"mm"', '"in"'))
    assert list(catalog.load(tmp_path)[0]) == ["a", "c"]


def test_editors_leave_files_that_are_no_tables(tmp_path: Path) -> None:
    for name in ("weir.toml~", ".weir.toml", "README"):
        (tmp_path / name).write_text("x")
    assert catalog.load(tmp_path) == ({}, [])
