"""The package's life on Debian 13: installed, started, upgraded, removed, purged.  Each test goes on from the last."""

from __future__ import annotations

from pathlib import Path

from tests.emulated.container import Container
from tests.emulated.figures import note

PLUGINS = "/usr/lib/python3/dist-packages/twisted/plugins"


def answers(container: Container) -> None:
    container.wait("systemctl is-active gateway && gateway devices")


def test_installing_starts_it(container: Container, package: Path) -> None:
    container.install(package)
    answers(container)
    assert container.run("systemctl is-enabled gateway") == "enabled"
    assert container.run("stat -c %U /proc/$(systemctl show --value -p MainPID gateway)") == "gateway"
    assert set(container.run("id -nG gateway").split()) == {"gateway", "dialout", "i2c", "gpio", "spi"}
    page = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').read(15).decode())"
    assert container.run(f'python3 -c "{page}"').lower() == "<!doctype html>"


def test_all_of_it_is_compiled_and_known_to_twistd(container: Container) -> None:
    container.run("test -f /usr/lib/python3/dist-packages/gateway/__pycache__/app.cpython-313.pyc")
    container.run(f"grep -q gateway_plugin {PLUGINS}/dropin.cache")
    assert "gateway" in container.run("twistd3 --help")


def test_the_daemon_is_small_and_free_of_openssl(container: Container) -> None:
    process = container.run("systemctl show --value -p MainPID gateway")
    size = int(container.run(f"sed -n 's/VmRSS:\\s*\\(.*\\) kB/\\1/p' /proc/{process}/status")) / 1024
    note("installed daemon, x86-64, no devices: RSS", f"{size:.1f} MB")
    container.run("python3 -c 'import OpenSSL'")  # it is there
    assert "cryptography" not in container.run(f"cat /proc/{process}/maps")
    assert size < 45


def test_manual_and_completion_come_along(container: Container) -> None:
    assert "gateway replay" in container.run("man gateway | cat")
    completed = "COMP_WORDS=(gateway re) COMP_CWORD=1; _gateway; echo ${COMPREPLY[*]}"
    found = container.run(f"bash -c '. /usr/share/bash-completion/completions/gateway; {completed}'")
    assert sorted(found.split()) == ["read", "record", "reload", "replay"]


def test_a_mistake_in_the_configuration_is_told(container: Container) -> None:
    container.run("cp -a /etc/gateway/gateway.toml /root/ && echo '[tpc]' >>/etc/gateway/gateway.toml")
    assert container.try_run("systemctl restart gateway").returncode != 0
    assert "tpc" in container.run("journalctl --unit=gateway --no-pager")
    container.run("cp -a /root/gateway.toml /etc/gateway/")
    answers(container)


BOARD = """
import contextlib, socket
from drivers.codec.modbus_slave import Units
from gateway import catalog
board = catalog.find("modbusrelay8").emulator()
units, server = Units({1: board}), socket.create_server(("127.0.0.1", 5020))
while True:
    line, _ = server.accept()
    with line, contextlib.suppress(ConnectionError):
        while data := line.recv(256):
            line.sendall(units.receive(data))
            open("/run/relays", "w").write(f"{board.answer(bytes((1, 0, 0, 0, 8)))[-1]:08b}")
"""
RELAYS = """
[history]
[device.relays]
driver = "modbusrelay8"
port = "tcp:127.0.0.1:5020"
start = "hands-off"
stop = "off"
"""


def test_a_service_that_is_killed_leaves_no_output_on(container: Container) -> None:
    """Eight relays behind a serial server; only the stop policy wants them off."""
    container.run(f"cat >/run/board.py <<'END'\n{BOARD}END\nsystemd-run --unit=board python3 /run/board.py")
    container.run(f"cat >>/etc/gateway/gateway.toml <<'END'\n{RELAYS}END\nsystemctl restart gateway")
    container.wait("gateway devices | grep 'relays running'")
    container.run("gateway set relays.state_3 on && gateway set relays.state_8 on")
    assert container.run("cat /run/relays") == "10000100"
    container.run("systemctl kill --signal=KILL --kill-whom=main gateway")
    container.wait("grep 00000000 /run/relays")
    container.wait("gateway devices | grep 'relays running'")  # systemd has started it again
    audited = container.run("gateway audit 20 | grep rule:stop")
    assert "relays.state_3 " in audited and "gateway safe rule:stop OK" in audited
    assert "relays.state_3 off" in container.run("journalctl --unit=gateway --no-pager")
    container.run("gateway set relays.state_3 on && systemctl stop gateway")  # a clean end needs nobody's help
    assert container.run("cat /run/relays") == "00000000"
    assert "code=exited, status=0/SUCCESS" in container.run("systemctl status gateway || true")
    container.run("systemctl stop board && cp -a /root/gateway.toml /etc/gateway/ && systemctl start gateway")
    answers(container)


def test_an_upgrade_keeps_the_configuration(container: Container, newer_package: Path) -> None:
    container.run("echo '# mine' >>/etc/gateway/gateway.toml")
    before = container.run("systemctl show --value -p MainPID gateway")
    container.install(newer_package)
    answers(container)
    assert container.run("dpkg-query -W -f '${Version}' device-gateway") == "99.0"
    assert container.run("tail -n 1 /etc/gateway/gateway.toml") == "# mine"
    assert container.run("systemctl show --value -p MainPID gateway") != before


def test_removing_leaves_what_the_user_made(container: Container) -> None:
    container.run("apt-get remove --yes device-gateway")
    assert container.try_run("systemctl is-active gateway").returncode != 0
    assert container.run("tail -n 1 /etc/gateway/gateway.toml") == "# mine"
    container.run("test -d /var/lib/gateway && ! test -e /usr/bin/gateway")
    assert container.run(f"ls {PLUGINS} | grep gateway || true") == ""
    assert "Gateway" not in container.run("twistd3 --help")


def test_purging_leaves_nothing(container: Container) -> None:
    container.run("apt-get purge --yes device-gateway")
    container.run("! test -e /etc/gateway && ! test -e /var/lib/gateway")
    left = "find / -xdev -path '*gateway*' -not -path '/root/*' -not -path '/var/log/*' -not -path '/var/cache/*'"
    assert container.run(left) == ""
