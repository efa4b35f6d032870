"""A Debian 13 of this machine's own architecture, booted by systemd-nspawn, without a network: where the package is
installed, upgraded and removed as it is on a board.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tests.emulated import disk


class Container:
    def __init__(self, folder: Path) -> None:
        self.root = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        disk.run("cp", "-a", disk.tree("system"), folder)
        self.console = (folder.parent / f"{folder.name}.log").open("wb")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--private-network", "--directory", folder],
            env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=self.console,
            stderr=self.console,
        )
        self.wait("systemctl is-system-running | grep -E 'running|degraded'", timeout=60)

    @property
    def leader(self) -> str:
        """Its process 1, as this machine counts."""
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]

    def try_run(self, command: str) -> subprocess.CompletedProcess[str]:
        shell = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "sh",
            "-ec",
        ]
        return subprocess.run(
            ["nsenter", "--target", self.leader, "--all", "--wdns=/", *shell, command], capture_output=True, text=True
        )

    def run(self, command: str) -> str:
        """What *command* prints; an error when it fails."""
        done = self.try_run(command)
        assert done.returncode == 0, f"{command}: status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def install(self, package: Path) -> None:
        shutil.copy(package, self.root / "root")
        self.run(f"apt-get install --yes /root/{package.name}")

    def wait(self, command: str, timeout: float = 20) -> str:
        """Run *command* until it succeeds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                done = self.try_run(command)
                if done.returncode == 0:
                    return done.stdout.strip()
                problem = done.stdout + done.stderr
            except (IndexError, OSError) as error:
                problem = str(error)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{command}: {problem}")
            time.sleep(0.2)

    def close(self) -> None:
        subprocess.run(["kill", "-s", "RTMIN+4", self.leader], check=False)  # systemd: power off
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.console.close()
        shutil.rmtree(self.root, ignore_errors=True)
