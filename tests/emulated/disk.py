"""The emulated boards' kernel, first file system and disk, made in seconds and without booting anything: Debian's
arm64 packages unpacked, Debian's kernel modules, the package under test and an init of our own, in one ext4 file
system that both boards boot from.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = SOURCE / "build" / "emulated"
GUEST = SOURCE / "tests/emulated/guest"
SIZE = 1 << 30  # QEMU's SD card wants a power of two
# What it takes to see the disk of either board; the drivers of the other find nothing and do no harm.
BOOT_MODULES = ("virtio_blk", "bcm2835", "sdhci-iproc", "crc32c_generic", "ext4")
GUEST_MODULES = (
    *("i2c-bcm2835", "dwc2", "rndis_host", "cdc_ether", "i2c-mux-pca954x"),  # raspi3b
    *("virtio_net", "xhci-pci", "i6300esb", "i2c-stub", "gpio-sim"),  # virt
    *("i2c-dev", "ftdi_sio", "configfs"),
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


@cache
def tree(name: str) -> Path:
    """One of the cached Debian 13 trees of image/tree.sh."""
    return Path(run(SOURCE / "image" / "tree.sh", name).strip())


def disk(package: Path, configurations: Mapping[str, str]) -> Path:
    """A disk with *package* installed, and the gateway's *configurations* in /etc/gateway."""
    root, image = BUILD / "root", BUILD / "disk.img"
    shutil.rmtree(root, ignore_errors=True)
    BUILD.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", tree("arm64"), root)
    folder = module_folder()
    names = (*BOOT_MODULES, *GUEST_MODULES)
    for path in ["modules.builtin", "modules.builtin.modinfo", "modules.order", *module_paths(names)]:
        copy = root / "usr/lib/modules" / folder.name / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / path, copy)
    run("depmod", "-b", root, folder.name)
    run("dpkg-deb", "-x", package, root)
    run("cp", "-a", f"{GUEST}/.", root)
    for name, text in configurations.items():
        (root / "etc/gateway" / name).write_text(text)
    finish(root)
    image.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-d", root, "-E", "lazy_itable_init=0", image, f"{SIZE >> 20}M")
    return image


def finish(root: Path) -> None:
    """What the packages' installation scripts would do, done by this machine's own programs."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    run("systemd-sysusers", f"--root={root}")
    for folder in ("run", "var/lib/gateway", "var/log"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost board\n")
    # Twisted looks for libc in the cache of libraries, which only an arm64 program makes of arm64 libraries.
    (root / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    run("qemu-aarch64-static", "-L", root, root / "sbin/ldconfig", "-r", root)
    # Python's version is that of our own architecture's tree, which compiles much faster than an emulated one.
    compiling = 'mount --bind "$1" "$2/mnt"; shift; exec chroot "$@"'
    python = ("/usr/bin/python3", "-m", "compileall", "-q", "-j2", "-s", "/mnt", "-p", "/")
    run("unshare", "--mount", "sh", "-ec", compiling, "sh", root, tree("build"), *python, "/mnt/usr/lib")


def module_folder() -> Path:
    return next((tree("kernel") / "usr/lib/modules").iterdir())


def module_paths(names: tuple[str, ...]) -> list[str]:
    """Kernel modules *names* and all they need, in loading order."""
    needs = {}
    for line in (module_folder() / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    paths = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    order: dict[str, None] = {}

    def add(path: str) -> None:
        for other in reversed(needs[path]):
            add(other)
        order.setdefault(path)

    for name in names:
        add(paths[name.replace("-", "_")])
    return list(order)


class Cpio:
    """An archive in the "newc" format, as the kernel unpacks it (Documentation/driver-api/early-userspace)."""

    def __init__(self) -> None:
        self.archive = io.BytesIO()

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        inode = self.archive.tell()
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        self.archive.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        self.pad()
        self.archive.write(content)
        self.pad()

    def pad(self) -> None:
        self.archive.write(bytes(-self.archive.tell() % 4))


INIT = """#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t devtmpfs dev /dev
for module in {modules}; do $busybox insmod /$module; done
for word in $($busybox cat /proc/cmdline); do case $word in root=*) root=${{word#root=}} ;; esac; done
while [ ! -b "$root" ]; do $busybox usleep 50000; done
$busybox mount -t ext4 -o noatime "$root" /root
$busybox mount -o move /dev /root/dev
$busybox umount /proc
exec $busybox switch_root /root /init
"""


def initrd() -> Path:
    """The first file system: busybox, and the modules it takes to mount the disk."""
    cpio = Cpio()
    for folder in ("bin", "dev", "proc", "root"):
        cpio.add(folder, 0o40755)
    cpio.add("dev/console", 0o20600, device=(5, 1))
    cpio.add("bin/busybox", 0o100755, (tree("arm64") / "usr/bin/busybox").read_bytes())
    loaded = []
    for path in module_paths(BOOT_MODULES):
        loaded.append(Path(path).stem)
        cpio.add(loaded[-1], 0o100644, lzma.decompress((module_folder() / path).read_bytes()))
    cpio.add("init", 0o100755, INIT.format(modules=" ".join(loaded)).encode())
    cpio.add("TRAILER!!!", 0)
    made = BUILD / "initrd"
    made.write_bytes(gzip.compress(cpio.archive.getvalue(), 1))
    return made


def device_tree() -> Path:
    """Debian's device tree of the Raspberry Pi 3, its PL011 freed from the Bluetooth chip."""
    path = BUILD / "raspi3b.dtb"
    shutil.copy(tree("kernel") / "boot/dtb/broadcom/bcm2837-rpi-3-b.dtb", path)
    run("fdtput", "-r", path, "/soc/serial@7e201000/bluetooth")
    run("fdtput", "-p", "-t", "x", path, "/system", "linux,revision", "a02082")  # the firmware's word for RPi.GPIO
    return path
