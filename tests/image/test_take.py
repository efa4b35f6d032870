"""What a laptop writes on the card's first partition, as the board takes it over at its start."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gateway.table import ConfigError

SOURCE = Path(__file__).resolve().parents[2] / "image/card/root/usr/lib/device-gateway-card/take.py"
GATEWAY = '[tcp]\nlisten = "tcp:7600:interface=127.0.0.1"\n'
BOARD = """
hostname = "attic"
timezone = "Europe/Berlin"
ssh_keys = ["{key}"]
[wifi]
country = "DE"
ssid = "Zur schönen Aussicht"
password = "correct horse"
"""


@pytest.fixture(scope="module")
def take() -> ModuleType:
    found = importlib.util.spec_from_file_location("take", SOURCE)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules["take"] = module  # dataclasses look there
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@laptop", "-f", path], check=True)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture
def fat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first partition.  Beside it: the data partition, and a `gateway` that is ours."""
    for name in ("fat", "data/etc", "data/ssh", "bin"):
        (tmp_path / name).mkdir(parents=True)
    command = tmp_path / "bin/gateway"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    import gateway

    monkeypatch.setenv("PYTHONPATH", str(Path(gateway.__file__).parents[1]))
    return tmp_path / "fat"


def taken(take: ModuleType, fat: Path, seen: str = "1") -> Path:
    data = fat.parent / "data"
    take.main(fat, data, seen)
    assert (data / "board/seen").read_text() == seen
    return data


def test_all_of_it_is_put_to_use(take: ModuleType, fat: Path, key: str) -> None:
    (fat / "board.toml").write_bytes(b"\xef\xbb\xbf" + BOARD.format(key=key).replace("\n", "\r\n").encode())
    (fat / "gateway.toml").write_text(GATEWAY)
    data = taken(take, fat)
    assert (data / "board/hostname").read_text() == "attic"
    assert (data / "board/timezone").read_text() == "Europe/Berlin"
    assert (data / "ssh/authorized_keys").read_text() == f"{key}\n"
    assert (data / "etc/gateway.toml").read_text() == GATEWAY
    wifi = data / "board/wpa.conf"
    assert wifi.stat().st_mode & 0o777 == 0o600
    assert f"ssid={'Zur schönen Aussicht'.encode().hex()}" in wifi.read_text()
    assert 'psk="correct horse"' in wifi.read_text() and "country=DE" in wifi.read_text()
    assert (data / "board/problems").read_text() == "" and not (fat / take.REPORT).exists()


def test_what_is_left_out_is_as_it_comes(take: ModuleType, fat: Path, key: str) -> None:
    (fat / "board.toml").write_text(BOARD.format(key=key))
    data = taken(take, fat)
    assert (data / "board/wpa.conf").exists()
    (fat / "board.toml").write_text("# nothing\n")
    taken(take, fat, "2")
    assert (data / "board/hostname").read_text() == "gateway" and (data / "board/timezone").read_text() == "UTC"
    assert (data / "ssh/authorized_keys").read_text() == "" and not (data / "board/wpa.conf").exists()


def test_files_with_mistakes_change_nothing_and_say_so_where_the_user_is(take: ModuleType, fat: Path, key: str) -> None:
    (fat / "board.toml").write_text(BOARD.format(key=key))
    (fat / "gateway.toml").write_text(GATEWAY)
    data = taken(take, fat)
    (fat / "board.toml").write_text('hostnam = "shed"\ntimezone = "Berlin"\n')
    (fat / "gateway.toml").write_text("[tpc]\n" + GATEWAY)
    taken(take, fat, "2")
    assert (data / "board/hostname").read_text() == "attic" and (data / "etc/gateway.toml").read_text() == GATEWAY
    problems = (data / "board/problems").read_text().splitlines()
    assert problems[:2] == [
        "board.toml:1: hostnam: unknown key; did you mean `hostname`?",
        'board.toml:2: timezone: no such time zone; they are called "Europe/Berlin" or "America/New_York"',
    ]
    assert problems[2].startswith("gateway.toml:1: tpc: unknown table")
    report = (fat / take.REPORT).read_bytes()
    assert report.count(b"\r\n") == report.count(b"\n") > 4 and problems[2].encode() in report

    (fat / "board.toml").write_text('hostname = "shed"\n')
    (fat / "gateway.toml").write_text(GATEWAY + "# mended\n")
    taken(take, fat, "3")
    assert (data / "board/hostname").read_text() == "shed" and "mended" in (data / "etc/gateway.toml").read_text()
    assert (data / "etc/gateway.toml.before").read_text() == GATEWAY
    assert (data / "board/problems").read_text() == "" and not (fat / take.REPORT).exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('hostname = "My Pi"', "lower-case letters"),
        ('hostname = "-pi"', "lower-case letters"),
        ("hostname = 7", "a text in quotes"),
        ('timezone = "../../etc/passwd"', "no such time zone"),
        ('timezone = "Europe"', "no such time zone"),
        ('ssh_keys = "ssh-ed25519 nonsense"', "no public key"),
        ('ssh_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]', "never leaves your computer"),
        ('[wifi]\nssid = "home"\npassword = "12345678"', "`country` is missing"),
        ('[wifi]\nssid = "home"\ncountry = "Germany"', "two letters"),
        ('[wifi]\nssid = "home"\ncountry = "DE"\npassword = "short"', "8 to 63"),
        ('[wifi]\nssid = "home"\ncountry = "DE"\npassword = "with\\nlines in it"', "8 to 63"),
        (f'[wifi]\nssid = "{"x" * 33}"\ncountry = "DE"', "1 to 32 bytes"),
        ('[wifi]\nssid = "home"\ncountry = "DE"\nhidden = "yes"', "true or false"),
        ("wifi = 1", "must be a table"),
        ("hostname =", "not TOML"),
    ],
)
def test_mistakes_are_named(take: ModuleType, line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"^board.toml:\d+: ") as raised:
        take.parse(line, "board.toml")
    assert told in str(raised.value)


def test_a_file_that_is_no_text_is_told(take: ModuleType, fat: Path) -> None:
    (fat / "board.toml").write_bytes('hostname = "attic"'.encode("utf-16"))
    data = taken(take, fat)
    assert (data / "board/problems").read_text() == "board.toml: not UTF-8 text\n"
    assert not (data / "board/hostname").exists()


def test_networks_of_all_kinds(take: ModuleType) -> None:
    open_net = take.supplicant(take.WiFi("café", None, "FR", True))
    assert "key_mgmt=NONE" in open_net and "scan_ssid=1" in open_net and "psk" not in open_net
    assert f"psk={'a' * 64}\n" in take.supplicant(take.WiFi("home", "a" * 64, "FR", False))
    assert "key_mgmt=WPA-PSK SAE" in take.supplicant(take.WiFi("home", 'quo"ted pass', "FR", False))


def test_the_files_on_a_new_card_have_no_mistakes(take: ModuleType, fat: Path) -> None:
    card = SOURCE.parents[4]
    template = (card / "fat/board.toml").read_text()
    assert take.parse(template, "board.toml") == take.Board()
    used = template.replace("#hostname", "hostname").replace("#timezone", "timezone")
    assert take.parse(used, "board.toml") == take.Board("gateway", "Europe/Berlin")
    shipped = SOURCE.parents[2] / "share/device-gateway-card/gateway.toml"
    switched_on = re.sub(r"^#(?=\[|[a-z_]+ = )", "", shipped.read_text(), flags=re.M)
    assert "\n[device.pump]\ndriver" in switched_on
    (fat / "gateway.toml").write_text(switched_on)
    data = taken(take, fat)
    assert (data / "board/problems").read_text() == ""
