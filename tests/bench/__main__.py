"""``make bench``: measure, print, and write docs/benchmarks.md.  With ``--only PART`` nothing is written."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import measures, modbus, query, report
from tests.bench.servers import CORES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parts = {
        part.__name__: part
        for part in (
            query.gets,
            query.crowd,
            query.deliveries,
            query.delays,
            measures.sentences,
            modbus.requests,
            measures.starting,
        )
    }
    parser.add_argument("--only", choices=parts, action="append")
    chosen = parser.parse_args().only
    began = time.monotonic()
    os.sched_setaffinity(0, CORES[1:] or CORES)

    def tell(step: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{time.monotonic() - began:4.0f} s  {step}", end="", file=sys.stderr, flush=True)
        else:
            print(step, file=sys.stderr, flush=True)

    figures = []
    for name, part in parts.items():
        if chosen is None or name in chosen:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                os.chmod(folder, 0o755)  # a server may become another user
                figures += part(Path(folder), tell)
    print(file=sys.stderr)
    print(report.table(figures))
    if chosen is None:
        report.write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
