#!/usr/bin/python3
"""Takes over what the user wrote on the card's first partition, which any laptop can write: ``board.toml``, which says
what the board is called, where it is, how it gets into the network and who may log in, and ``gateway.toml``.

A file with mistakes changes nothing.  They are told in ``gateway-problems.txt`` beside it, and by whoever asks for
``DATA/board/problems``: the console, and the gateway's page.

    take.py FAT DATA SEEN
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.table import ConfigError, Page

ZONES = Path("/usr/share/zoneinfo")
REPORT = "gateway-problems.txt"
KEPT = 64 * 1024  # bytes of a file, at most


@dataclass(frozen=True, slots=True)
class WiFi:
    ssid: str
    password: str | None  # None: an open network
    country: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Board:
    hostname: str = "gateway"
    timezone: str = "UTC"
    ssh_keys: tuple[str, ...] = ()
    wifi: WiFi | None = None


def main(fat: Path, data: Path, seen: str) -> None:
    problems = [*attempt(fat / "board.toml", take_board, data), *attempt(fat / "gateway.toml", take_gateway, data)]
    (data / "board").mkdir(parents=True, exist_ok=True)
    write(data / "board/problems", "".join(f"{line}\n" for line in problems))
    report(fat, problems)
    write(data / "board/seen", seen)  # last: after a power cut all is done again


def attempt(path: Path, take: Callable[[Path, Path], None], data: Path) -> list[str]:
    """What is wrong with the file at *path*; nothing once it is taken over, and nothing where there is none."""
    try:
        if path.exists():
            take(path, data)
    except (ConfigError, Refused) as error:
        return str(error).splitlines()
    except UnicodeDecodeError:
        return [f"{path.name}: not UTF-8 text"]
    except OSError as error:
        return [f"{path.name}: {error.strerror}"]
    return []


class Refused(Exception):
    """The gateway does not like its configuration, and says why."""


def take_board(path: Path, data: Path) -> None:
    board = parse(path.read_bytes()[:KEPT].decode("utf-8-sig"), path.name)
    folder = data / "board"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "hostname", board.hostname)
    write(folder / "timezone", board.timezone)
    write(data / "ssh/authorized_keys", "".join(f"{key}\n" for key in board.ssh_keys))
    if board.wifi:
        write(folder / "wpa.conf", supplicant(board.wifi), 0o600)
    else:
        (folder / "wpa.conf").unlink(missing_ok=True)


def parse(text: str, file: str) -> Board:
    """What ``board.toml`` says.  Raises ConfigError with all its mistakes."""
    page = Page(text, file)
    top, default = page.table, Board()
    board = Board(
        top.take("hostname", hostname, default.hostname),
        top.take("timezone", timezone, default.timezone),
        top.each("ssh_keys", ssh_key),
    )
    wifi = top.table("wifi")
    if wifi:
        ssid = wifi.need("ssid", network, '"the name of the network"')
        country = wifi.need("country", land, '"DE"')
        secret = wifi.take("password", password, None)
        hidden = wifi.take("hidden", yes_or_no, False)
        wifi.close()
        if ssid and country:
            board = Board(board.hostname, board.timezone, board.ssh_keys, WiFi(ssid, secret, country, hidden))
    top.close()
    page.finish()
    return board


def text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise ValueError('must be a text in quotes, as in "..."')
    return value


def hostname(value: object) -> str:
    """A label of RFC 1123, 2.1."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text(value)):
        raise ValueError("must be lower-case letters, digits and - between them, 63 at most")
    return text(value)


def timezone(value: object) -> str:
    name = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name) or not (ZONES / name).is_file():
        raise ValueError('no such time zone; they are called "Europe/Berlin" or "America/New_York"')
    return name


def ssh_key(value: object) -> str:
    """A line of ``authorized_keys``, as ssh-keygen reads it."""
    key = text(value)
    if key.startswith("-----BEGIN") or "PRIVATE KEY" in key:
        raise ValueError("this is a private key, which never leaves your computer; the file that ends in .pub is meant")
    checked = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=key, capture_output=True, text=True)
    if checked.returncode:
        raise ValueError('no public key; ~/.ssh/id_ed25519.pub has one: "ssh-ed25519 AAAA... you@laptop"')
    return key


def network(value: object) -> str:
    name = text(value)
    if not 1 <= len(name.encode()) <= 32:
        raise ValueError("has 1 to 32 bytes")
    return name


def password(value: object) -> str:
    """A passphrase, or the key itself in hexadecimal (IEEE 802.11, annex J.4)."""
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]{8,63}|[0-9A-Fa-f]{64}", value):
        raise ValueError("has 8 to 63 letters, digits or signs, none of them accented, or 64 hexadecimal digits")
    return value


def land(value: object) -> str:
    if not re.fullmatch(r"[A-Z]{2}", text(value)):
        raise ValueError('must be the two letters of your country (ISO 3166), as in "DE": radio rules differ')
    return text(value)


def yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def supplicant(wifi: WiFi) -> str:
    """The configuration of wpa_supplicant; the name in hexadecimal, which takes any byte."""
    lines = [f"ssid={wifi.ssid.encode().hex()}", f"scan_ssid={int(wifi.hidden)}"]
    if wifi.password is None:
        lines.append("key_mgmt=NONE")
    elif len(wifi.password) == 64:
        lines += ["key_mgmt=WPA-PSK", f"psk={wifi.password}"]
    else:
        lines += ["key_mgmt=WPA-PSK SAE", "ieee80211w=1", f'psk="{wifi.password}"']
    network = "".join(f"    {line}\n" for line in lines)
    return f"ctrl_interface=/run/wpa_supplicant\ncountry={wifi.country}\nnetwork={{\n{network}}}\n"


def take_gateway(path: Path, data: Path) -> None:
    """The gateway itself says whether it likes it.  The one before stays beside it."""
    checked = subprocess.run(
        ["gateway", "check", "--config", path.name], cwd=path.parent, capture_output=True, text=True
    )
    if checked.returncode:
        raise Refused(checked.stderr.strip() or checked.stdout.strip())
    current = data / "etc/gateway.toml"
    if current.exists():
        shutil.copy2(current, current.with_name("gateway.toml.before"))
    write(current, path.read_text(encoding="utf-8-sig"), 0o644)


def write(path: Path, content: str, mode: int = 0o644) -> None:
    """All of it or nothing, also when the power fails."""
    fresh = path.with_name(f"{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def report(fat: Path, problems: list[str]) -> None:
    """On the partition itself, for who takes the card out again."""
    told = fat / REPORT
    if not problems and not told.exists():
        return
    if os.path.ismount(fat):
        subprocess.run(["mount", "-o", "remount,rw", str(fat)])
    try:
        if problems:
            lines = ["These mistakes were found at the last start; a file with mistakes was not taken over.", ""]
            lines += [*problems, "", "Mend the file, save it here, and start the board again."]
            told.write_text("\n".join(lines) + "\n", newline="\r\n")
        else:
            told.unlink()
        os.sync()
    except OSError as error:
        print(f"{told}: {error}", file=sys.stderr)
    if os.path.ismount(fat):
        subprocess.run(["mount", "-o", "remount,ro", str(fat)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
