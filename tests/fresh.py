"""The README's quick start on a bare Debian 13, as a stranger would run it: ``make fresh``, as root.

The tree has what a new machine has and the README asks for, and a user with sudo.  Mirrors, proxies, pip's settings
and CA certificates are this host's.  Every mount lives in a mount namespace that ends with its last process, so
nothing of the host can be under the tree when it is taken away.  The network is the host's.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "device-gateway"
SUITES = ("trixie", "trixie-updates", "trixie-security")
PACKAGES = "ca-certificates,git,make,sudo"
USER = "stranger"
HOME = f"home/{USER}"
KEEP_DAYS = 7  # a base tree older than this is made anew
DEMO_WAIT = 900  # seconds: packages and wheels come over the network
PORTS = (7600, 8080, 6667)
PASSED_ON = re.compile(r"PIP_\w+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|\w+_proxy", re.IGNORECASE)
ENVIRONMENT = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def apt_settings() -> str:
    """The host's way to its mirrors: proxies, and what is said of their certificates."""
    lines = [line for line in output("apt-config", "dump").splitlines() if re.match(r"Acquire::https?::", line)]
    for scheme in ("http", "https"):
        if proxy := ENVIRONMENT.get(f"{scheme}_proxy"):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "".join(line + "\n" for line in lines)


def pip_settings() -> dict[str, str]:
    """``section.key`` to value, out of the host's files; the environment is passed on as it is."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True)
    pairs = (line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
    return {key: ast.literal_eval(value) for key, value in pairs if not key.startswith(":env:")}


def base() -> Path:
    """A tar of the bare tree, kept outside of the checkout."""
    tar = CACHE / f"trixie-{output('dpkg', '--print-architecture').strip()}.tar"
    if not tar.exists() or time.time() - tar.stat().st_mtime > KEEP_DAYS * 86400:
        print(f"Making {tar}", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        sources, options, part = CACHE / "sources.list", CACHE / "apt.conf", tar.with_suffix(".part.tar")
        sources.write_text(output(str(ROOT / "image/sources.sh"), *SUITES))
        options.write_text(apt_settings())
        build = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", f"--aptopt={options}"]
        subprocess.run([*build, SUITES[0], part, sources], check=True)
        part.rename(tar)
    return tar


def furnish(tree: Path) -> list[Path]:
    """Lay what belongs to the host's network and the checkout into *tree*; gives the folders to mount there."""
    for name in ("etc/resolv.conf", "etc/hosts"):
        shutil.copy(Path("/") / name, tree / name)
    for certificate in Path("/usr/local/share/ca-certificates").glob("**/*.crt"):
        shutil.copy(certificate, tree / "usr/local/share/ca-certificates")
    settings = pip_settings()
    sections: dict[str, list[str]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append(f"{name} = {value}\n")
    text = "".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items())
    (tree / "etc/pip.conf").write_text(text.replace("\n\n", "\n"))
    folders = []
    for word in " ".join([*settings.values(), *ENVIRONMENT.values()]).split():
        path = Path(word.removeprefix("file://"))
        path = path.parent if path.name == "simple" else path  # an index has its files beside it
        if path.is_absolute() and path.is_dir() and not (tree / path.relative_to("/")).exists():
            folders.append(path)
        elif path.is_absolute() and path.is_file() and not path.is_relative_to("/etc/ssl"):  # those are made below
            (tree / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tree / path.relative_to("/"))
    (tree / f"etc/sudoers.d/{USER}").write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    output("chroot", str(tree), "update-ca-certificates")
    subprocess.run(["chroot", tree, "useradd", "--create-home", "--shell", "/bin/bash", USER], check=True)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, tree / HOME / "device-gateway"], check=True)
    subprocess.run(["chroot", tree, "chown", "-R", f"{USER}:", f"/{HOME}"], check=True)
    return folders


def inside(tree: Path, folders: list[Path], line: str) -> list[str]:
    """The command that runs the shell *line* in *tree*, as the user, in the checkout, with mounts of its own."""
    here = shlex.quote(str(tree))
    mounts = [
        f"mount -t proc proc {here}/proc",
        f"mount -t sysfs -o ro sysfs {here}/sys",
        f"mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts {here}/dev/pts",
        f"mount -t tmpfs -o mode=1777 tmpfs {here}/dev/shm",
    ]
    for folder in folders:
        there = shlex.quote(f"{tree}{folder}")
        mounts += [f"mkdir -p {there}", f"mount --bind -o ro {shlex.quote(str(folder))} {there}"]
    given = {
        "HOME": f"/{HOME}",
        "USER": USER,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }
    words = [f"{name}={value}" for name, value in (ENVIRONMENT | given).items()]
    user = ["runuser", "-u", USER, "--", "env", "-i", *words, "sh", "-c", f"cd ~/device-gateway && {line}"]
    mounts.append("exec " + shlex.join(["chroot", str(tree), *user]))
    alone = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    return [*alone, "sh", "-ec", "\n".join(mounts)]


def quick_start() -> tuple[list[str], str]:
    """The README's commands, and its line that asks the running demo."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [line.split("#")[0].strip() for line in blocks[0].splitlines()]
    return commands, next(block.strip() for block in blocks if "| nc " in block)


def run(tree: Path, folders: list[Path], line: str) -> None:
    if status := subprocess.run(inside(tree, folders, line)).returncode:
        raise SystemExit(f"fresh: {line} failed with status {status}")


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def demo(tree: Path, folders: list[Path], line: str, ask: str) -> None:
    """Run the demo until the README's question gets readings, then press Ctrl-C."""
    running = subprocess.Popen(inside(tree, folders, line), start_new_session=True)
    try:
        deadline, answer = time.monotonic() + DEMO_WAIT, ""
        while not re.search(r" good$", answer, re.MULTILINE):
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"fresh: no reading from `{line}`; the last answer was {answer!r}")
            time.sleep(1)
            if all(taken(port) for port in PORTS):
                asked = subprocess.run(inside(tree, folders, ask), stdout=subprocess.PIPE, text=True, timeout=30)
                answer = asked.stdout
        print(answer, flush=True)
        os.killpg(running.pid, signal.SIGINT)
        running.wait(10)
        if any(taken(port) for port in PORTS):
            raise SystemExit("fresh: the demo still listens after Ctrl-C")
    finally:
        if running.poll() is None:
            running.kill()


def main() -> None:
    if os.getuid() != 0:
        raise SystemExit("fresh: a bare tree takes root: sudo make fresh")
    if busy := [port for port in PORTS if taken(port)]:
        raise SystemExit(f"fresh: the demo needs port {busy[0]}, and something listens there")
    if output("git", "-C", str(ROOT), "status", "--porcelain"):
        print("fresh: what is not committed stays outside", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("fresh: stopped"))
    commands, ask = quick_start()
    tar = base()
    tree = Path(tempfile.mkdtemp(prefix="gateway-fresh-", dir="/var/tmp"))
    try:
        subprocess.run(["tar", "-C", tree, "-xf", tar], check=True)
        folders = furnish(tree)
        for command in commands:
            print(f"fresh: {command}", flush=True)
            started = time.monotonic()
            if command == "make demo":
                demo(tree, folders, command, ask)
            else:
                run(tree, folders, command)
            print(f"fresh: {command} passed, {time.monotonic() - started:.0f} s", flush=True)
    finally:
        assert str(tree) not in Path("/proc/self/mountinfo").read_text(), f"{tree} holds mounts, I leave it"
        shutil.rmtree(tree)


if __name__ == "__main__":
    main()
