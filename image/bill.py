#!/usr/bin/env python3
"""Say what an image is made of: NAME.packages, a line for each Debian package with its version and the hash of the
.deb, and NAME.cdx.json, the same as a bill of materials (CycloneDX 1.5).

image/bill.py ROOT VERSION NAME
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from os import environ
from pathlib import Path


def main(root: Path, version: str, name: str) -> None:
    rows = [line.split("\t") for line in (root / "usr/share/device-gateway/packages.tsv").read_text().splitlines()]
    for ours in ("device-gateway", "device-gateway-card"):
        package = Path(name).parent / f"{ours}_{version}_all.deb"
        rows.append([ours, version, "all", ours, version, hashlib.sha256(package.read_bytes()).hexdigest()])
    rows.sort()
    Path(f"{name}.packages").write_text("".join(f"{row[0]} {row[1]} {row[2]} sha256:{row[5]}\n" for row in rows))
    made = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), UTC).isoformat().replace("+00:00", "Z")
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made,
            "component": {"type": "operating-system", "name": Path(name).name, "version": version},
        },
        "components": [component(*row) for row in rows],
    }
    Path(f"{name}.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")


def component(name: str, version: str, kind: str, source: str, source_version: str, digest: str) -> dict[str, object]:
    origin = "" if name.startswith("device-gateway") else "debian/"
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/{origin}{name}@{version}?arch={kind}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "properties": [{"name": "source", "value": f"{source} {source_version}"}],
    }


main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
