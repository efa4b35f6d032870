"""The same card in QEMU's own ARM machine, which has what its Raspberry Pi lacks: a watchdog that counts.  Each test
goes on from the last."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.card import card
from tests.card.card import CardBoard
from tests.emulated import disk
from tests.emulated.ask import curl, nc, until, value
from tests.emulated.board import VIRT

# Two radios that hear each other, in the place of a Raspberry Pi's one and of somebody's access point.
MORE = "modules_load=mac80211_hwsim mac80211_hwsim.radios=2"
BOARD = """
ssh_keys = ["{key}"]
[wifi]
country = "DE"
ssid = "Zum Löwen"
password = "at least eight characters"
"""
POINT = """
country=DE
network={{
    ssid={ssid}
    mode=2
    frequency=2437
    proto=RSN
    {how}
    psk="at least eight characters"
}}
"""
WPA2, WPA3 = "key_mgmt=WPA-PSK", "key_mgmt=SAE\n    ieee80211w=2"
FILL = "for size in 1M 1k; do sudo dd if=/dev/zero of=/data/ballast-$size bs=$size 2>/dev/null; done; true"


@pytest.fixture(scope="module")
def board(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CardBoard]:
    public = key.with_suffix(".pub").read_text().strip()
    files = {"board.toml": BOARD.format(key=public), "gateway.toml": "[tpc]\n"}
    written = card.flash(tmp_path_factory.mktemp("card") / "card.img", files)
    made = CardBoard(VIRT, written, key=key, more=MORE)
    made.start()
    yield made
    made.close()


def answering(board: CardBoard) -> None:
    until(lambda: nc(board.ports["tcp"], "version"), 240)


def fact(board: CardBoard, name: str) -> str:
    return next(line.split(" ", 1)[1] for line in nc(board.ports["tcp"], "status") if line.startswith(f"{name} "))


def test_a_first_configuration_with_mistakes_leaves_the_one_it_came_with(board: CardBoard) -> None:
    answering(board)
    assert "gateway.toml:1: tpc: unknown table" in fact(board, "notice")
    assert "anonymous" in board.run("cat /etc/gateway/gateway.toml")
    assert curl(board.ports["http"], "/api/v1/devices")


@pytest.mark.parametrize("how", [WPA2, WPA3])
def test_it_joins_the_wireless_network_of_its_file(board: CardBoard, how: str) -> None:
    board.ssh("cat >/tmp/point.conf", POINT.format(ssid="Zum Löwen".encode().hex(), how=how).encode())
    board.run("sudo systemctl stop wpa_supplicant@wlan1")
    board.run("sudo systemd-run --collect --unit=point wpa_supplicant -i wlan1 -c /tmp/point.conf")
    until(lambda: "wpa_state=COMPLETED" in board.run("sudo wpa_cli -i wlan0 status"), 180)
    assert "50-card.network" in board.run("networkctl status --no-pager wlan0")
    board.run("sudo systemctl stop point")
    until(lambda: "wpa_state=COMPLETED" not in board.run("sudo wpa_cli -i wlan0 status"), 60)


def test_a_full_disk_stops_nothing(board: CardBoard) -> None:
    board.run("gateway set manual.note before")
    board.run(FILL)
    board.run("gateway set manual.more 1 || true")
    until(lambda: "the disk is full" in fact(board, "history"), 120)
    assert value(board.ports["tcp"], "manual.note") == '"before"'
    board.run("sudo rm /data/ballast-*")
    until(lambda: fact(board, "history") == "on /var/lib/gateway/history.db", 120)
    board.run("gateway set manual.note after")


def test_a_gateway_that_hangs_is_started_anew(board: CardBoard) -> None:
    before = board.run("systemctl show --value -p MainPID gateway")
    board.run(f"sudo kill -STOP {before}")
    until(lambda: board.run("systemctl show --value -p MainPID gateway") not in (before, "0"), 180)
    answering(board)
    assert '"after"' in board.run("gateway export manual.note --json")


def test_the_last_known_time_is_kept_over_a_power_cut(board: CardBoard) -> None:
    """It is 2031 when the power fails, and the machine's clock says that it is not.  The file is touched as timesyncd
    touches it every ten minutes, once it follows a server: there is none here."""
    board.run("sudo systemctl stop systemd-timesyncd && sudo date -s 2031-05-06T07:08:09Z")
    board.run("sudo touch /var/lib/systemd/timesync/clock && sync")
    board.run("sudo systemctl restart gateway")
    answering(board)
    board.run("sudo sync")
    board.cut()
    board.start()
    answering(board)
    assert board.run("date +%Y") >= "2031"


def test_a_board_that_hangs_is_started_anew_by_its_watchdog(board: CardBoard) -> None:
    boot = int(board.run("sudo cat /var/lib/gateway/boot"))
    assert "i6300ESB" in board.run("sudo wdctl 2>/dev/null || true")
    with suppress(subprocess.SubprocessError):  # whatever becomes of this connection
        board.ssh("sudo sh -c 'echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger'", timeout=20)
    board.expect("end Kernel panic", 60)
    board.expect(board.up, board.patience)
    answering(board)
    assert int(board.run("sudo cat /var/lib/gateway/boot")) > boot


def test_an_upgrade_by_apt_leaves_the_root_only_read(board: CardBoard) -> None:
    """As the page has it: both packages are brought over, and apt alone may write."""
    disk.run(disk.SOURCE / "image/deb.sh", "99.0")
    for package in ("device-gateway_99.0_all.deb", "device-gateway-card_99.0_all.deb"):
        board.ssh(f"cat >/tmp/{package}", (disk.SOURCE / "dist" / package).read_bytes())
    before = board.run("systemctl show --value -p MainPID gateway")
    board.run("sudo apt-get install --yes /tmp/device-gateway*.deb", timeout=600)
    until(lambda: "ro" in board.run("findmnt --noheadings --output=OPTIONS /").split(","), 120)
    assert board.run("dpkg-query -W -f '${Version} ' device-gateway device-gateway-card") == "99.0 99.0"
    answering(board)
    assert board.run("systemctl show --value -p MainPID gateway") not in (before, "0")
    assert "anonymous" in board.run("cat /etc/gateway/gateway.toml")


def test_a_new_kernel_is_what_it_starts_from(board: CardBoard) -> None:
    """No second kernel is at hand: this one is given another name, and goes the way of a package's."""
    there = board.run("uname -r")
    other = there.replace("-arm64", "0-arm64")
    board.run(
        "sudo DEB_MAINT_PARAMS=configure sh -ec 'mount -o remount,rw /; mount -o remount,rw /boot/firmware; "
        f"cp -al /usr/lib/modules/{there} /usr/lib/modules/{other}; "
        f"cp -al /usr/lib/linux-image-{there} /usr/lib/linux-image-{other}; "
        f"for part in vmlinuz config System.map; do cp /boot/$part-{there} /boot/$part-{other}; done; "
        f"run-parts --exit-on-error --arg={other} --arg=/boot/vmlinuz-{other} /etc/kernel/postinst.d; sync'",
        timeout=600,
    )
    assert other in card.get(board.image, "config.txt")
    board.off()
    board.start()
    answering(board)


def test_a_card_whose_data_partition_is_spoiled_comes_up_and_says_so(board: CardBoard) -> None:
    board.off()
    with board.image.open("r+b") as written:
        written.seek((4 + 252 + 2 * 1024) << 20)
        written.write(b"\xa5" * (1 << 20))
    board.start()
    answering(board)
    assert "nothing is kept beyond a reboot" in fact(board, "notice")
    assert fact(board, "history").startswith("on /var/lib/gateway")  # which is in memory now
