"""The card in an emulated Raspberry Pi 3, from its first power-on.  Each test goes on from the last."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.card import card
from tests.card.card import CardBoard
from tests.emulated.ask import Chat, curl, nc, until, value
from tests.emulated.board import RASPI3B
from tests.emulated.chips import FTDI
from tests.emulated.figures import note
from tests.emulated.wire import Wire

# What is QEMU's and no Raspberry Pi's: a watchdog that resets the board at once, and is tried on the other board; a
# line of 1-Wire that is low, like devices without end; a network adapter that a driver for others may take first.
MORE = "systemd.watchdog_sec=0 wire.search_count=0 modprobe.blacklist=cdc_subset"
TMP105 = ("-device", "tmp105,id=attic,bus=i2c-bus.1,address=0x48")
DEVICES = """
[device.attic]
driver = "tmp105"
bus = "i2c:1"
address = 0x48
period = "1s"

[device.street]
driver = "pms5003"
port = "usb:0403:6001"

[device.pump]
driver = "relay"
line = "gpio:GPIO17"
start = "off"
"""
BOARD = 'hostname = "attic"\ntimezone = "Europe/Berlin"\nssh_keys = ["{key}"]\n'


def shipped() -> str:
    return card.get(card.image(), "gateway.toml")


@pytest.fixture(scope="module")
def pi(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CardBoard]:
    public = key.with_suffix(".pub").read_text().strip()
    files = {"board.toml": BOARD.format(key=public), "gateway.toml": shipped() + DEVICES}
    written = card.flash(tmp_path_factory.mktemp("card") / "card.img", files)
    made = CardBoard(RASPI3B, written, devices=(*TMP105, *FTDI), key=key, more=MORE)
    made.start()
    yield made
    made.close()


def test_it_is_found_and_reads(pi: CardBoard) -> None:
    """Power, and then readings, as the files on the first partition say."""
    pi.qmp("qom-set", path="/machine/peripheral/attic", property="temperature", value=21500)
    assert float(until(lambda: value(pi.ports["tcp"], "attic.temperature"), 300)) == 21.5
    Wire(pi.connect("ftdi"), "pms5003")  # and never pulled: QEMU's Raspberry Pi would end with it
    assert 0 < float(until(lambda: value(pi.ports["tcp"], "street.pm2_5"), 120)) < 100
    names = {reading["name"] for reading in curl(pi.ports["http"], "/api/v1/readings")}
    assert {"attic.temperature", "street.pm2_5", "pump.state"} <= names
    chat = Chat(pi.ports["irc"])
    chat.say("PRIVMSG #readings :!get attic.temperature")
    assert "21.5" in chat.hear("attic.temperature ")
    chat.close()
    assert pi.run("hostname") == "attic" and pi.run("date +%Z") in ("CET", "CEST")


def test_how_long_each_stage_took(pi: CardBoard) -> None:
    """On an emulated processor: what it tells is which stage is long, not how long it is on a real one."""
    until(lambda: "Startup finished" in pi.run("systemd-analyze time || true"), 300)
    note("card, raspi3b: start", pi.run("systemd-analyze time").splitlines()[0].removeprefix("Startup finished in "))
    for unit in ("gateway-data", "gateway-card", "systemd-networkd", "gateway"):
        began, ended = (
            int(pi.run(f"systemctl show --value --property={name} {unit}.service")) / 1e6
            for name in ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        )
        assert 0 < began < ended
        note(f"card, raspi3b: {unit}", f"{began:.0f} to {ended:.0f} s")


def test_who_is_not_in_the_board_only_reads(pi: CardBoard) -> None:
    assert nc(pi.ports["tcp"], "set pump.state on")[-1].startswith("ERR denied")
    pi.run("gateway set pump.state on")
    assert value(pi.ports["tcp"], "pump.state") == "on"
    assert "set pump.state" not in pi.run("gateway jobs") and "pump.state" in pi.run("gateway audit 5")


def test_all_of_it_is_well(pi: CardBoard) -> None:
    until(lambda: pi.run("systemctl is-system-running || true") == "running", 180)
    assert pi.run("systemctl --failed --no-legend") == ""
    services = "_TRANSPORT=stdout + _TRANSPORT=syslog + _TRANSPORT=journal"  # the kernel misses what QEMU does not have
    errors = pi.run(f"sudo journalctl --boot --priority=err --no-pager --quiet --output=cat {services}").splitlines()
    ours = "kex_exchange_identification"  # who looks whether it is there, and goes
    assert [line for line in errors if ours not in line] == []


def test_the_root_is_only_read_and_the_data_have_the_rest_of_the_card(pi: CardBoard) -> None:
    options = pi.run("findmnt --noheadings --output=OPTIONS /").split(",")
    assert "ro" in options
    size = int(pi.run("df --output=size --block-size=1M /data").split()[-1])
    assert size > (card.SIZE >> 20) - 2400 - 150
    assert len(pi.run("cat /proc/swaps").splitlines()) == 1  # the heading
    assert pi.run("findmnt --noheadings --output=FSTYPE /etc/gateway") == "ext4"
    assert "/data" in pi.run("sudo fstrim --listed-in /proc/self/mountinfo --dry-run --verbose 2>&1 || true")
    assert pi.run("ls -d /var/log/journal 2>/dev/null || true") == ""  # in memory
    assert pi.run("systemctl is-enabled fstrim.timer") == "enabled"


def test_what_the_pins_carry_is_switched_on(pi: CardBoard) -> None:
    for device in ("/dev/i2c-1", "/dev/ttyAMA0", "/dev/gpiochip0"):
        pi.run(f"test -e {device}")
    assert pi.run("ls /sys/bus/w1/devices") == "w1_bus_master1"
    assert pi.run("ls /dev/spidev0.* | tr '\\n' ' '").split() == ["/dev/spidev0.0", "/dev/spidev0.1"]
    assert set(pi.run("id -nG gateway").split()) == {"gateway", "dialout", "i2c", "gpio", "spi"}
    found = pi.run("gateway scan")
    assert "/dev/ttyAMA0" in found and "GPIO17" in found and "0x48" in found


def test_the_history_and_settings_come_back_after_a_power_cut(pi: CardBoard) -> None:
    pi.run("gateway set manual.note kept")
    boot = int(pi.run("sudo cat /var/lib/gateway/boot"))
    key = pi.run("sudo cat /data/ssh/ssh_host_ed25519_key.pub")
    pi.cut()
    pi.start()
    until(lambda: value(pi.ports["tcp"], "attic.temperature"), 300)
    assert int(pi.run("sudo cat /var/lib/gateway/boot")) == boot + 1
    assert '"kept"' in pi.run("gateway export manual.note --json")
    assert pi.run("sudo cat /data/ssh/ssh_host_ed25519_key.pub") == key and pi.run("hostname") == "attic"


def test_what_was_changed_on_the_board_counts_until_the_first_partition_changes(pi: CardBoard) -> None:
    pi.run('sudo sed -i \'s/period = "1s"/period = "2s"/\' /etc/gateway/gateway.toml && sudo gateway reload')
    pi.run("sudo systemctl restart gateway-card")
    assert 'period = "2s"' in pi.run("cat /etc/gateway/gateway.toml")


def test_back_up_and_restore(pi: CardBoard) -> None:
    archive = pi.ssh("sudo gateway-backup")
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        names = set(opened.getnames())
    assert {"etc/gateway.toml", "board/hostname", "ssh/authorized_keys", "gateway/history.db"} <= names
    pi.run("gateway set manual.note later && sudo sh -c 'echo cellar >/data/board/hostname'")
    pi.ssh("sudo gateway-restore", archive, timeout=300)
    until(lambda: value(pi.ports["tcp"], "attic.temperature"), 300)
    notes = pi.run("gateway export manual.note --json")
    assert '"kept"' in notes and '"later"' not in notes
    assert pi.run("hostname") == "attic" and 'period = "2s"' in pi.run("cat /etc/gateway/gateway.toml")
    assert "history.db" in pi.run("sudo ls /data/before/gateway")


def test_wrong_files_are_told_everywhere_and_the_board_comes_up(pi: CardBoard) -> None:
    pi.off()
    card.put(pi.image, "gateway.toml", shipped() + DEVICES.replace("[device.attic]", "[devices.attic]"))
    card.put(pi.image, "board.toml", "hostnam = 'x'\n")
    pi.start()
    until(lambda: value(pi.ports["tcp"], "attic.temperature"), 300)  # the board's own copy rules
    notice = next(line for line in nc(pi.ports["tcp"], "status") if line.startswith("notice "))
    assert "board.toml:1: hostnam: unknown key" in notice and "devices" in notice
    status = curl(pi.ports["http"], "/api/v1/readings")
    assert status
    assert "hostnam" in pi.run("cat /run/issue.d/board.issue")
    assert pi.run("hostname") == "attic"
    pi.off()
    report = card.get(pi.image, "gateway-problems.txt")
    assert "board.toml:1: hostnam" in report and "gateway.toml:" in report
