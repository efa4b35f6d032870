"""``make bench``: measure, print, and write docs/benchmarks.md.  With ``--only PART``
nothing is written but a table of which all was measured."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import measures, modbus, query, report
from tests.bench.decoding import decoding
from tests.bench.history import history
from tests.bench.servers import CORES

TABLES = {
    "": (
        query.gets,
        query.crowd,
        query.deliveries,
        query.delays,
        measures.sentences,
        modbus.requests,
        measures.starting,
    ),
    "history": (history,),
    "drivers": (decoding,),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [part.__name__ for parts in TABLES.values() for part in parts]
    parser.add_argument("--only", choices=names, action="append")
    chosen = parser.parse_args().only
    began = time.monotonic()
    os.sched_setaffinity(0, CORES[1:] or CORES)

    def tell(step: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{time.monotonic() - began:4.0f} s  {step}", end="", file=sys.stderr, flush=True)
        else:
            print(step, file=sys.stderr, flush=True)

    for table, parts in TABLES.items():
        figures = []
        wanted = [part for part in parts if chosen is None or part.__name__ in chosen]
        for part in wanted:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                os.chmod(folder, 0o755)  # a server may become another user
                figures += part(Path(folder), tell)
        if wanted:
            print(file=sys.stderr)
            print(report.table(figures))
        if len(wanted) == len(parts):
            report.write(figures, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
