"""An emulated board: QEMU as a process, with the board's console, its serial lines, QEMU's monitor (QMP) for what
is outside the board, and the gateway's ports forwarded to this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.emulated import disk

PORTS = {"tcp": 7600, "http": 8080, "irc": 6667}
BOOT = 180.0  # seconds; 30 on an idle machine
UP = r"BOARD UP \S+\n"  # what init says


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of board: QEMU's arguments, its serial lines beside the console, and the kernel's words for them."""

    name: str
    arguments: tuple[str, ...]
    drive: tuple[str, ...]
    serial: tuple[str, ...]
    network: tuple[str, ...]
    append: str


RASPI3B = Machine(
    name="raspi3b",
    arguments=("-M", "raspi3b", "-accel", "tcg,thread=single", "-dtb", "{build}/raspi3b.dtb"),
    drive=("-drive", "if=sd,{drive}"),
    serial=("-serial", "chardev:pl011", "-serial", "chardev:console"),
    network=("-device", "usb-net,netdev=net"),
    append="console=ttyS1,115200 root=/dev/mmcblk0",
)
VIRT = Machine(
    name="virt",
    arguments=("-M", "virt,gic-version=2", "-cpu", "cortex-a53", "-smp", "2", "-m", "512")
    + ("-device", "qemu-xhci", "-device", "i6300esb", "-action", "watchdog=reset"),
    drive=("-drive", "if=none,id=disk,{drive}", "-device", "virtio-blk-pci,drive=disk"),
    serial=("-serial", "chardev:console"),
    network=("-device", "virtio-net-pci,netdev=net,romfile="),
    append="console=ttyAMA0 root=/dev/vda",
)


@dataclass
class Board:
    """One board.  *devices* are QEMU's own words for what is fitted; *lines* names sockets to them, in ``folder``."""

    machine: Machine
    image: Path
    devices: tuple[str, ...] = ()
    config: str = ""  # the gateway's, a file on the disk
    lasting: bool = False  # whether what is written to the disk stays there
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="board-")))
    offers: Mapping[str, int] = field(default_factory=lambda: PORTS)  # by the guest, forwarded to ...
    ports: dict[str, int] = field(default_factory=dict)  # ... these of ours
    up: str = UP
    patience: float = BOOT
    booted: float = 0.0  # seconds from power to init's word

    def start(self) -> None:
        """Power on, and wait for init.  QEMU's boards fail to find their USB devices about one time in twelve."""
        try:
            self.boot()
        except (TimeoutError, EOFError) as problem:
            print(f"{self.machine.name}: the first boot failed, and is tried again: {problem}")
            self.cut()
            self.boot()

    def boot(self) -> None:
        started = time.monotonic()
        self.heard, self.changed = "", threading.Condition()
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        # An unread console stalls the board.
        threading.Thread(target=self.drain, daemon=True).start()
        self.monitor = self.connect("qmp").makefile("rw")
        self.monitor.readline()
        self.qmp("qmp_capabilities")
        self.ports = self.forwarded()
        self.expect(self.up, self.patience)
        self.booted = time.monotonic() - started

    def command(self) -> list[str]:
        machine, folder = self.machine, self.folder
        image = f"file={self.image},format={'qcow2' if self.lasting else 'raw'}"
        words = {
            "build": disk.BUILD,
            "folder": folder,
            "drive": image + (",cache=none" if self.lasting else ",snapshot=on"),
        }
        network = ",".join(f"hostfwd=tcp:127.0.0.1:0-:{port}" for port in self.offers.values())
        append = f"{machine.append} rw net.ifnames=0 audit=0 iomem=relaxed quiet loglevel=3"
        return [
            *("nice", "qemu-system-aarch64", "-nodefaults", "-display", "none"),
            *("-kernel", str(disk.tree("kernel") / "boot/vmlinuz"), "-initrd", str(disk.BUILD / "initrd")),
            *("-append", f"{append} gateway={self.config}" if self.config else append),
            *("-chardev", "stdio,id=console,signal=off"),
            *("-chardev", f"socket,id=pl011,path={folder}/pl011,server=on,wait=off"),
            *("-qmp", f"unix:{folder}/qmp,server=on,wait=off"),
            *("-qtest", f"unix:{folder}/qtest,server=on,wait=off", "-qtest-log", "none"),
            *("-netdev", f"user,id=net,{network}"),
            *(word.format(**words) for word in machine.arguments + machine.drive + machine.serial + machine.network),
            *(word.format(**words) for word in self.devices),
        ]

    # The console.

    def drain(self) -> None:
        assert self.process.stdout
        while data := os.read(self.process.stdout.fileno(), 65536):
            with self.changed:
                self.heard += data.decode("utf-8", "replace").replace("\r", "")
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def expect(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait for *pattern* on the console, and take all up to it."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not (match := re.search(pattern, self.heard, re.DOTALL)):
                if self.process.poll() is not None or "end Kernel panic" in self.heard:
                    raise EOFError(f"the board is off: {self.heard[-2000:]}")
                if not self.changed.wait(min(1.0, deadline - time.monotonic())) and time.monotonic() > deadline:
                    raise TimeoutError(f"no {pattern!r} in {timeout:g} s: {self.heard[-800:]}")
            self.heard = self.heard[match.end() :]
            return match

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What *command* prints in the board's root shell; an error when it fails."""
        mark = f"done-{time.monotonic_ns()}"
        assert self.process.stdin
        self.process.stdin.write(f"{command}\necho {mark[:5]}''{mark[5:]} $?\n".encode())
        self.process.stdin.flush()
        match = self.expect(rf"(.*?){mark} (\d+)\n", timeout)
        assert match[2] == "0", f"{command}: status {match[2]}: {match[1]}"
        return match[1].strip()

    # Outside of the board.

    def connect(self, name: str) -> socket.socket:
        """QEMU's side of the socket *name*, which is there soon after its start."""
        line = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                line.connect(str(self.folder / name))
                return line
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise EOFError(f"QEMU did not open {name}: {self.heard}") from None
                time.sleep(0.05)

    def qmp(self, command: str, **arguments: Any) -> Any:
        words = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.monitor.write(json.dumps({"execute": command, "arguments": words}) + "\n")
        self.monitor.flush()
        while True:
            answer = json.loads(self.monitor.readline())
            if "error" in answer:
                raise ValueError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def forwarded(self) -> dict[str, int]:
        """Where this machine reaches the board's ports."""
        table = self.qmp("human-monitor-command", command_line="info usernet")
        found = {
            int(inner): int(outer)
            for outer, inner in re.findall(r"HOST_FORWARD.*?127\.0\.0\.1 +(\d+) +\S+ +(\d+)", table)
        }
        return {name: found[port] for name, port in self.offers.items()}

    def word(self, address: int) -> int:
        """The 32 bits at a physical *address*, where registers are."""
        answer = self.qmp("human-monitor-command", command_line=f"xp /1xw {address:#x}")
        return int(answer.split(":")[1], 16)

    def qtest(self, line: str) -> str:
        """QEMU's test protocol: drives the board's inputs."""
        with self.connect("qtest") as qtest, qtest.makefile("rw") as text:
            text.write(line + "\n")
            text.flush()
            return text.readline().strip()

    def cut(self) -> None:
        """The power fails."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.cut()
        shutil.rmtree(self.folder)
