"""What a checkout promises: the wheel, its extras, the page's links, the unit; and that the right code is tested."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import drivers
import gateway

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "image/README.md", *(ROOT / "docs").rglob("*.md")]
EXTRAS = {"tls", "ssh", "gpio", "spi", "rpi-gpio", "rpi-lgpio", "test", "dev"}
TWISTED = ("twisted", "zope", "attr", "attrs", "automat", "constantly", "hyperlink", "idna", "incremental", "pip")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy: setuptools writes beside the sources."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("drivers", "gateway"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", "built", "."]
    subprocess.run(build, cwd=tree, check=True)
    return zipfile.ZipFile(next((tree / "built").glob("device_gateway-*.whl")))


def test_the_tested_code_is_the_installed_one_unless_a_path_leads_into_the_tree(pytestconfig: pytest.Config) -> None:
    for package in (gateway, drivers):
        installed = "site-packages" in str(package.__file__)
        assert installed == (pytestconfig.getini("pythonpath") == []), package.__file__


def test_the_wheel_holds_every_file_once(wheel: zipfile.ZipFile) -> None:
    wanted = set()
    for path in (path for top in ("drivers", "gateway") for path in (ROOT / top).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".cache", ".md"):
            name = path.relative_to(ROOT).as_posix()
            wanted.add(name.replace("gateway/plugins/", "twisted/plugins/"))
    held = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert "twisted/plugins/gateway_plugin.py" in wanted and "drivers/py.typed" in wanted
    assert sorted(held) == sorted(wanted)


def test_the_wheel_brings_no_package_file_into_twisted(wheel: zipfile.ZipFile) -> None:
    ours = [name for name in wheel.namelist() if name.startswith("twisted/")]
    assert ours and all(re.fullmatch(r"twisted/plugins/gateway_\w+\.py", name) for name in ours)


def test_extras_command_and_oldest_python(wheel: zipfile.ZipFile) -> None:
    info = {name.split(".dist-info/")[1]: wheel.read(name) for name in wheel.namelist() if ".dist-info/" in name}
    metadata = message_from_bytes(info["METADATA"])
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    assert (metadata["Name"], metadata["Requires-Python"]) == ("device-gateway", ">=3.11")
    commands = configparser.ConfigParser()
    commands.read_string(info["entry_points.txt"].decode())
    assert dict(commands["console_scripts"]) == {"gateway": "gateway.__main__:main"}


def test_twistd_finds_the_plugin_and_twisted_survives_its_removal(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """In an environment of its own, with a copy of Twisted."""
    assert wheel.filename
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there, here = (
        Path(subprocess.run([which, "-Ic", where], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        for which in (str(python), sys.executable)
    )
    for name in TWISTED:
        shutil.copytree(here / name, there / name, ignore=shutil.ignore_patterns("gateway_*", "*.cache"))
    shutil.copy(here / "typing_extensions.py", there)
    twisted = set((there / "twisted/plugins").glob("*.py"))

    def pip(*words: str) -> None:
        subprocess.run([str(python), "-Im", "pip", "-qq", *words], check=True, cwd=tmp_path)

    def plugins() -> str:
        command = [str(python), "-Im", "twisted", "--help"]
        asked: subprocess.CompletedProcess[str] = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return asked.stdout

    pip("install", "--no-deps", "--no-index", "--force-reinstall", wheel.filename)
    assert re.search(r"^ +gateway +Serial", plugins(), re.MULTILINE)
    pip("uninstall", "-y", "device-gateway")
    assert set((there / "twisted/plugins").glob("*.py")) == twisted
    assert "gateway" not in plugins()


def test_the_lower_bounds_are_debian_13s_versions() -> None:
    lines = (ROOT / "tests/debian13.txt").read_text().splitlines()
    debian = dict(line.split(";")[0].split("==") for line in lines if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    for wish in [*project["dependencies"], *optional["tls"], *optional["ssh"], *optional["gpio"], *optional["spi"]]:
        name, bound = wish.lower().split(">=")
        assert (debian[name] + ".").startswith(bound + "."), wish


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith(("http://", "https://")) or (page.parent / target).exists(), target


def test_the_quick_start_is_two_commands() -> None:
    """``make fresh`` runs them as they stand there."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == ["make demo", "make test"]


def test_the_index_lists_every_page() -> None:
    listed = set(re.findall(r"\]\(([^)#/]+\.md)\)", (ROOT / "docs/README.md").read_text()))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_readmes_configuration_is_good(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block
    file = tmp_path / "gateway.toml"
    file.write_text(block[1])
    check = [sys.executable, "-m", "gateway", "check", "--config", str(file)]
    assert subprocess.run(check, cwd=ROOT).returncode == 0
    file.write_text(block[1].replace("period", "perod"))
    assert subprocess.run(check, cwd=ROOT).returncode == 1
