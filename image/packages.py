#!/usr/bin/env python3
"""Ends the making of the SD card's Debian, as a hook of mmdebstrap: notes what it was made of, with the hash of each
package as Debian's signed lists have it, and names Debian's public mirrors as apt's own example does.

image/packages.py TREE
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def lines(*command: str) -> list[str]:
    environment = os.environ | {"APT_CONFIG": os.environ["MMDEBSTRAP_APT_CONFIG"]}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()


def available() -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    for line in [*lines("apt-cache", "dumpavail"), ""]:
        if not line and stanza:
            yield stanza
            stanza = {}
        elif line[:1] not in ("", " "):
            key, _, value = line.partition(": ")
            stanza[key] = value


def main(tree: Path) -> None:
    shown = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}"
    installed = lines("dpkg-query", f"--admindir={tree}/var/lib/dpkg", "--show", f"--showformat={shown}\n")
    hashes = {(one["Package"], one["Version"], one["Architecture"]): one["SHA256"] for one in available()}
    rows = []
    for line in installed:
        package, version, kind, *_ = line.split("\t")
        rows.append(f"{line}\t{hashes[package, version, kind]}\n")
    listed = tree / "usr/share/device-gateway/packages.tsv"
    listed.parent.mkdir(parents=True)
    listed.write_text("".join(sorted(rows)))

    example = (tree / "usr/share/doc/apt/examples/debian.sources").read_text().splitlines()
    wanted = [line for line in example if not line.startswith("#")]
    wanted = ["Components: main non-free-firmware" if line.startswith("Components:") else line for line in wanted]
    (tree / "etc/apt/sources.list").unlink()
    (tree / "etc/apt/sources.list.d/debian.sources").write_text("\n".join(wanted).strip() + "\n")


main(Path(sys.argv[1]))
