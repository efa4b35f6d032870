"""The user's own drivers in Python: only where that is allowed, the same row until the file changes, what is wrong."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from drivers import lm75
from gateway import catalog
from gateway.cli import main
from gateway.config import own_drivers

OWN = inspect.getsource(lm75).replace('"lm75', '"own75').replace('"tmp', '"owntmp')


def told(folder: Path, python: bool = True) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in catalog.load(folder, python)[1]]


def test_a_driver_in_python_is_left_alone_unless_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "own75.py").write_text(OWN)
    assert catalog.load(tmp_path)[0] == {}
    assert (
        "own75.py: is a program and was left alone: `python_drivers = true` under [gateway]" in told(tmp_path, False)[0]
    )
    with pytest.raises(catalog.BrokenTable, match="was left alone"):
        catalog.find("own75", tmp_path)
    rows, problems = catalog.load(tmp_path, python=True)
    assert problems == [] and set(rows) == {"own75", "own75b", "owntmp75", "owntmp105", "owntmp102"}
    assert catalog.find("owntmp105", tmp_path, python=True).title == "TI TMP105 temperature"
    assert "own75" in catalog.names(tmp_path)


def test_an_unchanged_file_gives_the_very_same_rows(tmp_path: Path) -> None:
    file = tmp_path / "own75.py"
    file.write_text(OWN)
    first = catalog.find("own75", tmp_path, python=True)
    assert catalog.find("own75", tmp_path, python=True) is first
    file.write_text(OWN.replace("period=10.0", "period=20.0"))
    assert catalog.find("own75", tmp_path, python=True).period == 20


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("own75", "x = 1\nraise OSError('no')\n", "own75.py:2: OSError: no"),
        ("own75", "import sys\nsys.exit(3)\n", "own75.py:2: SystemExit: 3"),
        ("own75", "import nothing_like_it\n", "own75.py:1: ModuleNotFoundError: "),
        ("own75", "def f(:\n", "own75.py:1: SyntaxError: "),
        ("own75", "x = 1\n", "own75.py: ValueError: its last statement must be `DRIVER = Driver(...)`"),
        ("own75", "DRIVER = ()\n", "own75.py: ValueError: its last statement must be"),
        ("own75", "\0", "own75.py: "),
        ("other", OWN, "other.py: its first driver is `own75`: call the file own75.py"),
        ("own75", OWN.replace('"own75b"', '"Own-75"'), "own75.py: `Own-75`: a driver's name has small letters"),
        ("own75", OWN.replace('"own75b"', '"bme280"'), "own75.py: `bme280` comes with the gateway"),
        (
            "own75",
            OWN.replace("quantities=(CELSIUS[chip.bits],)", "quantities=(CELSIUS[chip.bits])"),
            "own75.py: its driver's `quantities` is Q",
        ),
        ("own75", OWN.replace("link=I2C(addresses=chip.addresses)", "link=72"), "own75.py: its driver's `link` is 72"),
        (
            "own75",
            OWN.replace("settings=Settings", "settings=dict"),
            "own75.py: its driver's `settings` is <class 'dict'>",
        ),
        ("own75", OWN.replace("def measure", "def measured"), "own75.py: ValueError: its device has none of measure"),
        ("gps", OWN, "gps.py: `gps` comes with the gateway: give the file another name"),
    ],
)
def test_what_is_wrong_is_told_and_stops_no_other(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "weir.toml").write_text((catalog.TABLES / "sds011.toml").read_text())
    assert any(line.startswith(problem) for line in told(tmp_path)), told(tmp_path)
    assert "weir" in catalog.load(tmp_path, python=True)[0]


def test_a_table_and_a_program_cannot_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "own75.py").write_text(OWN)
    (tmp_path / "own75.toml").write_text((catalog.TABLES / "sds011.toml").read_text())
    assert told(tmp_path) == ["own75.toml: `own75` is there already"]


def test_it_is_off_unless_the_configuration_says_so(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    for text, on in (
        ("", False),
        ("[gateway]\npython_drivers = true\n", True),
        ("[gateway]\npython_drivers = 1\n", False),
        ("a = " + "[" * 100_000, False),
    ):
        file.write_text(text)
        assert own_drivers(file) == (None, on)
    assert own_drivers(tmp_path / "none.toml") == (None, False)


def check(*words: str) -> int:
    return main(["check", *words], lambda wanted: None)


def test_check_proves_a_driver_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "dust.toml"
    table.write_text((catalog.TABLES / "sds011.toml").read_text())
    assert check(str(table)) == 0
    assert capsys.readouterr().out == f"{table}: good; driver `dust`, 2 quantities\n"
    table.write_text(
        table.read_text().replace("pm10 = 261.8", "pm10 = 26.18").replace("length = 10", "length = 10\nlenght = 1")
    )
    assert check(str(table)) == 1
    err = capsys.readouterr().err
    assert f"{table}:26: frame.lenght: unknown key; did you mean 'length'?" in err and err.endswith("1 mistake\n")
    table.write_text(table.read_text().replace("lenght = 1", ""))
    assert check(str(table)) == 1
    assert "^^^^^ pm10 uint16 little = 261.8 µg/m³" in capsys.readouterr().err
    program = tmp_path / "own75.py"
    program.write_text(OWN)
    assert check(str(program)) == 0
    assert f"{program}: good; driver `owntmp102`, 1 quantity" in capsys.readouterr().out
    table.write_text("family = 1\n")
    assert check(str(table), str(program)) == 1
    told = capsys.readouterr()
    assert told.err.endswith("dust.toml: 1 mistake\n") and "own75.py: good" in told.out, "all that were asked for"


def test_check_of_a_configuration_stays_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[device.a]\n")
    for words in ((str(file),), ("--config", str(file))):
        assert check(*words) == 1
        assert f"{file}: 1 mistake" in capsys.readouterr().err
    file.write_text("# nothing to do\n")
    assert check(str(file)) == 0
