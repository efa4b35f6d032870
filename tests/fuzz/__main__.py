"""``python -m tests.fuzz --seconds N``: half of the time for each dialect.  Bytes that lead to new places are kept in
``build/fuzz``; with ``--keep`` those that it takes go into the corpus."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.fuzz import CORPUS, DIALECTS, PLENTY

FOUND = Path("build/fuzz")


def fuzz(dialect: str, arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["gateway.interfaces.query", "gateway.commands"]):
        target = import_module("tests.fuzz.target").Target()
    again = f"{sys.executable} -m tests.fuzz --dialect {dialect} --"  # how it starts itself anew, to merge
    atheris.Setup([again, *arguments], lambda data: target(dialect, data))
    atheris.Fuzz()


def run(dialect: str, *arguments: str) -> int:
    command = [sys.executable, "-m", "tests.fuzz", "--dialect", dialect, "--", *arguments]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="add what was found to the corpus")
    parser.add_argument("--dialect", choices=DIALECTS, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.dialect:
        fuzz(given.dialect, given.arguments)
    for dialect in DIALECTS:
        found = FOUND / dialect
        found.mkdir(parents=True, exist_ok=True)
        limits = [f"-max_total_time={given.seconds // len(DIALECTS)}", f"-max_len={PLENTY}", "-timeout=10",
                  "-rss_limit_mb=1000", f"-artifact_prefix={FOUND}/{dialect}-", "-print_final_stats=1"]  # fmt: skip
        if status := run(dialect, *limits, str(found), str(CORPUS / dialect)):
            print(f"{dialect}: it fell; the bytes lie in {FOUND}", file=sys.stderr)
            return status
        if given.keep:
            run(dialect, "-merge=1", str(CORPUS / dialect), str(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
