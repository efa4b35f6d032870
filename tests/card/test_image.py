"""The image as it lies there, before any board starts from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from tests.card import card
from tests.emulated import disk

ROOT = disk.SOURCE / "build/card/root"
BOARDS = ("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-3-a-plus", "bcm2837-rpi-zero-2-w", "bcm2711-rpi-4-b",
          "bcm2711-rpi-400")  # fmt: skip
OVERLAYS = ("gateway-i2c", "gateway-spi", "gateway-uart", "gateway-w1")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def modules() -> set[str]:
    """The drivers that are there before the root is: built into the kernel, or in the first file system."""
    folder = next((ROOT / "usr/lib/modules").iterdir())
    built_in = {Path(line).stem for line in (folder / "modules.builtin").read_text().split()}
    configured = (ROOT / "etc/tiny-initramfs/tiny-initramfs.conf").read_text()
    listed = re.search(r"^INCLUDE_MODULES=(.*)$", configured, re.M)
    assert listed
    always = re.findall(r"^(CONFIG_\w+)=y$", next((ROOT / "boot").glob("config-*")).read_text(), re.M)
    return {name.replace("-", "_") for name in {*built_in, *listed[1].split(","), *always}}


def test_the_same_sources_give_the_same_bytes() -> None:
    image = card.image()
    first = {
        path.name: digest(path) for path in (image, image.with_suffix(".packages"), image.with_suffix(".cdx.json"))
    }
    disk.run("env", "FAST=1", disk.SOURCE / "image/card.sh")
    assert first == {name: digest(image.with_name(name)) for name in first}


@pytest.mark.parametrize("board", BOARDS)
def test_the_overlays_fit_every_board(board: str, tmp_path: Path) -> None:
    for name in (f"{board}.dtb", *(f"{overlay}.dtbo" for overlay in OVERLAYS)):
        folder = "overlays/" if name.endswith("o") else ""
        disk.run("mcopy", "-n", "-i", f"{card.image()}@@{card.FAT}M", f"::{folder}{name}", tmp_path / name)
    fitted = tmp_path / "fitted.dtb"
    overlays = [tmp_path / f"{overlay}.dtbo" for overlay in OVERLAYS]
    disk.run("fdtoverlay", "-i", tmp_path / f"{board}.dtb", "-o", fitted, *overlays)

    def says(node: str, name: str) -> str:
        return disk.run("fdtget", fitted, node, name).strip()

    assert says("/soc/serial@7e201000", "status") == "okay" and says("/soc/serial@7e215040", "status") == "disabled"
    assert says("/soc/serial@7e201000/bluetooth", "status") == "disabled"
    assert says("/soc/i2c@7e804000", "status") == "okay" and says("/soc/spi@7e204000/chip@1", "reg") == "1"
    assert says("/onewire", "compatible") == "w1-gpio"
    config = card.get(card.image(), "config.txt")
    assert re.findall(r"^dtoverlay=(\S+)$", config, re.M) == list(OVERLAYS)


DRIVERS = {  # by the device tree's word: what the card's controller needs before there is a root
    "brcm,bcm2835-sdhost": "bcm2835", "brcm,bcm2711-emmc2": "sdhci_iproc", "regulator-fixed": "fixed",
    "regulator-gpio": "gpio_regulator", "raspberrypi,firmware-gpio": "gpio_raspberrypi_exp",
    "brcm,bcm2835-dma": "CONFIG_DMA_BCM2835",
    "brcm,bcm2835-cprman": "CONFIG_CLK_BCM2835", "brcm,bcm2711-cprman": "CONFIG_CLK_BCM2835",
    "brcm,bcm2835-gpio": "pinctrl_bcm2835", "brcm,bcm2711-gpio": "pinctrl_bcm2835",
    "raspberrypi,bcm2835-firmware": "raspberrypi", "brcm,bcm2835-mbox": "bcm2835_mailbox",
}  # fmt: skip
NONE = {"fixed-clock", "simple-bus"}  # the kernel's own


@pytest.mark.parametrize(("board", "controller"), [(board, "mmc@7e202000") for board in BOARDS[:4]]
                         + [(board, "mmc@7e340000") for board in BOARDS[4:]])  # fmt: skip
def test_the_first_file_system_has_what_finds_the_card(board: str, controller: str, tmp_path: Path) -> None:
    """No Raspberry Pi 4 can be emulated so far: its device tree is followed, from the controller to all it leans on."""
    tree = tmp_path / "tree.dts"
    disk.run("mcopy", "-n", "-i", f"{card.image()}@@{card.FAT}M", f"::{board}.dtb", tmp_path / "tree.dtb")
    disk.run("dtc", "-q", "-I", "dtb", "-O", "dts", "-o", tree, tmp_path / "tree.dtb")
    there, nodes = modules(), parsed(tree.read_text())
    wanted = [path for path in nodes if path.endswith(f"/{controller}")]
    assert len(wanted) == 1
    seen: set[str] = set()
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        seen.add(path)
        properties = nodes[path]
        names = re.findall(r'"([^"]*)"', properties.get("compatible", "").replace("\\0", '" "'))
        if names and not NONE.intersection(names):
            drivers = {DRIVERS[name] for name in names if name in DRIVERS}
            assert drivers, f"{path}: {names}: which driver is that?"
            assert drivers & there, f"{path} needs one of {drivers}"
        for name, value in properties.items():
            if re.fullmatch(r"clocks|dmas|pinctrl-0|\w+-supply|gpios?|\w+-gpios?|mboxes|firmware|power-domains", name):
                numbers = re.findall(r"0x[0-9a-f]+", value)
                wanted += [other for other, its in nodes.items() if its.get("phandle", "").strip("<> ") in numbers[:1]]
        above = path.rsplit("/", 1)[0]
        wanted += [above] if above and "compatible" in nodes.get(above, {}) else []
    assert len(seen) > 2


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The nodes of a device tree by their paths, with their properties as they are written."""
    nodes: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.endswith("{"):
            path.append(line[:-1].strip().strip("/"))
            nodes["/".join(path)] = {}
        elif line == "};":
            path.pop()
        elif " = " in line:
            name, _, value = line.rstrip(";").partition(" = ")
            nodes["/".join(path)][name] = value
    return nodes


def test_no_two_cards_share_a_secret() -> None:
    assert list((ROOT / "etc/ssh").glob("ssh_host_*")) == []
    assert (ROOT / "etc/machine-id").read_bytes() == b"" and (ROOT / "var/lib/dbus/machine-id").is_symlink()
    assert list((ROOT / "var/lib/systemd").iterdir()) == []
    passwords = [line.split(":")[1] for line in (ROOT / "etc/shadow").read_text().splitlines()]
    assert passwords and all(password[:1] in "!*" for password in passwords)
    assert "no" in re.findall(
        r"^PasswordAuthentication (\w+)$", (ROOT / "etc/ssh/sshd_config.d/card.conf").read_text(), re.M
    )


def test_what_it_is_made_of_is_written_down() -> None:
    lines = card.image().with_suffix(".packages").read_text().splitlines()
    assert all(re.fullmatch(r"\S+ \S+ (arm64|all) sha256:[0-9a-f]{64}", line) for line in lines)
    named = {line.split()[0] for line in lines}
    assert {"device-gateway", "device-gateway-card", "python3-twisted", "systemd"} <= named
    stanzas = (ROOT / "var/lib/dpkg/status").read_text().split("\n\n")
    installed = [part.split(maxsplit=2)[1] for part in stanzas if "\nStatus: install ok installed\n" in part]
    assert named == set(installed)
    bill = json.loads(card.image().with_suffix(".cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX" and {part["name"] for part in bill["components"]} == named
    sources = (ROOT / "etc/apt/sources.list.d/debian.sources").read_text()
    assert "trixie-security" in sources and "localhost" not in sources and not (ROOT / "etc/apt/sources.list").exists()


def test_nothing_wants_to_write_to_the_root() -> None:
    assert re.search(r"^UUID=\S+ / ext4 ro,", (ROOT / "etc/fstab").read_text(), re.M)
    command = card.get(card.image(), "cmdline.txt").split()
    assert command.index("ro") > command.index("rw")  # the last of them counts
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"):
        assert os.readlink(ROOT / "etc/systemd/system" / timer) == "/dev/null"
