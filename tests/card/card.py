"""The SD card image in an emulated board: written to a card as a user would, and started as the firmware would, with
kernel, first file system, device tree, overlays and command line taken from the card's own first partition."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.emulated import disk
from tests.emulated.ask import until
from tests.emulated.board import RASPI3B, Board

SIZE = 4 << 30  # of a card; QEMU wants a power of two
FAT = 4  # MiB from the card's start to its first partition
PORTS = {"ssh": 22, "http": 80, "tcp": 7600, "irc": 6667}


def image() -> Path:
    """What `make image` built last."""
    built = sorted((disk.SOURCE / "dist").glob("*_arm64.img"), key=lambda path: path.stat().st_mtime)
    assert built, "there is no image in dist/: run `make image`"
    return built[-1]


def key(folder: Path) -> Path:
    """A laptop's SSH key."""
    path = folder / "id_ed25519"
    disk.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f", path)
    return path


def flash(card: Path, files: Mapping[str, str]) -> Path:
    """A card with the image on it, into whose first partition a laptop has written *files*."""
    disk.run("cp", "--sparse=always", image(), card)
    with card.open("r+b") as written:
        written.truncate(SIZE)
    for name, text in files.items():
        put(card, name, text)
    return card


def put(card: Path, name: str, text: str) -> None:
    source = card.with_name(f"{card.name}.{name}")
    source.write_text(text)
    disk.run("mcopy", "-o", "-i", f"{card}@@{FAT}M", source, f"::{name}")
    source.unlink()


def get(card: Path, name: str) -> str:
    """A file of the first partition, as a laptop reads it."""
    return disk.run("mcopy", "-n", "-i", f"{card}@@{FAT}M", f"::{name}", "-")


@dataclass
class CardBoard(Board):
    """A board with a card in it.  *key* is that of who may log in."""

    key: Path = Path()
    more: str = ""  # on the kernel's command line
    offers: Mapping[str, int] = field(default_factory=lambda: PORTS)
    up: str = r"[a-z0-9-]+ login: "
    patience: float = 600.0

    def boot(self) -> None:
        """As of any board; and its network is there.  Where QEMU's Raspberry Pi does not find its USB, it never is."""
        super().boot()
        until(self.greeted, 240)

    def greeted(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.ports["ssh"]), 10) as line:
            return line.recv(8) == b"SSH-2.0-"

    def command(self) -> list[str]:
        config = get(self.image, "config.txt")
        kernel, initrd = (self.taken(match[1]) for match in re.finditer(r"^(?:kernel=|initramfs )(\S+)$", config, re.M))
        console = "ttyS1,115200" if self.machine is RASPI3B else "ttyAMA0"
        append = f"{get(self.image, 'cmdline.txt').strip()} console={console} {self.more}"
        words = {"build": disk.BUILD, "folder": self.folder, "drive": f"file={self.image},format=raw"}
        tree = ("-dtb", str(self.device_tree(config))) if self.machine is RASPI3B else ()
        arguments = tuple(word for word in self.machine.arguments if word not in ("-dtb", "{build}/raspi3b.dtb"))
        network = ",".join(f"hostfwd=tcp:127.0.0.1:0-:{port}" for port in self.offers.values())
        return [
            *("nice", "qemu-system-aarch64", "-nodefaults", "-display", "none"),
            *("-kernel", str(kernel), "-initrd", str(initrd), *tree, "-append", append),
            *("-chardev", "stdio,id=console,signal=off"),
            *("-chardev", f"socket,id=pl011,path={self.folder}/pl011,server=on,wait=off"),
            *("-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"),
            *("-netdev", f"user,id=net,{network}"),
            *(word.format(**words) for word in arguments + self.machine.drive + self.machine.serial),
            *(word.format(**words) for word in self.machine.network + self.devices),
        ]

    def taken(self, name: str) -> Path:
        """A file of the card's first partition, for QEMU, which does not read cards."""
        path = self.folder / name.replace("/", "-")
        disk.run("mcopy", "-n", "-o", "-i", f"{self.image}@@{FAT}M", f"::{name}", path)
        return path

    def device_tree(self, config: str) -> Path:
        """The Raspberry Pi 3's, with the overlays that config.txt names.  The console, which a Pi has on HDMI, is the
        other serial port here: it is switched on again, without pins."""
        overlays = [self.taken(f"overlays/{name}.dtbo") for name in re.findall(r"^dtoverlay=(\S+)$", config, re.M)]
        tree = self.folder / "tree.dtb"
        disk.run("fdtoverlay", "-i", self.taken("bcm2837-rpi-3-b.dtb"), "-o", tree, *overlays)
        disk.run("fdtput", "-t", "s", tree, "/soc/serial@7e215040", "status", "okay")
        disk.run("fdtput", "-d", tree, "/soc/serial@7e215040", "pinctrl-0")
        disk.run("fdtput", "-d", tree, "/soc/serial@7e215040", "pinctrl-names")
        return tree

    def ssh(self, command: str, given: bytes = b"", timeout: float = 120.0) -> bytes:
        """What *command* prints, run by whoever has the key."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=30")
        reached = ["ssh", "-i", str(self.key), "-p", str(self.ports["ssh"]), *(f"-o{option}" for option in options)]
        done = subprocess.run(
            [*reached, "admin@127.0.0.1", command],
            input=given,
            capture_output=True,
            timeout=timeout,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout

    def run(self, command: str, timeout: float = 120.0) -> str:
        return self.ssh(command, timeout=timeout).decode().strip()

    def off(self) -> None:
        """Shut down in order."""
        until(lambda: self.process.poll() is not None or self.run("sudo systemctl poweroff && echo off"), 240)
        self.process.wait(300)

    def close(self) -> None:
        if self.process.poll() is None:
            self.cut()
        shutil.rmtree(self.folder)
