"""``make soak-daemon``: what years do to a daemon, in a quarter of an hour.
``--scale 0.1`` takes a tenth, ``--only PART`` does one part."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from gateway.client import GatewayError
from tests.soak.bus import bus
from tests.soak.clients import clients
from tests.soak.kill import kill
from tests.soak.many import costs, many
from tests.soak.past import past
from tests.soak.reload import reload
from tests.soak.replug import replug
from tests.soak.share import share

ROUNDS = {replug: 500, kill: 300, past: 200, clients: 5000, reload: 500, bus: 10_000, share: 120, many: 100, costs: 100}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how much longer or shorter; default 1")
    parser.add_argument("--only", choices=[part.__name__ for part in ROUNDS], action="append")
    chosen = parser.parse_args()
    began, broken, live = time.monotonic(), list[str](), sys.stderr.isatty()

    def tell(step: str) -> None:
        text = f"{time.monotonic() - began:4.0f} s  {step}"
        if step.startswith(" ") or not live:  # figures stay
            print(f"\r\033[K{text}" if live else text, file=sys.stderr, flush=True)
        else:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    for part, rounds in ROUNDS.items():
        if chosen.only and part.__name__ not in chosen.only:
            continue
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            tell(f"  {part.__name__}: {part.__doc__}")
            try:
                print(f"{part.__name__}: {part(Path(folder), max(30, round(rounds * chosen.scale)), tell)}", flush=True)
            except (AssertionError, GatewayError) as error:
                broken.append(part.__name__)
                print(f"{part.__name__}: BROKEN: {error}", flush=True)
    print(f"broken: {', '.join(broken)}" if broken else "all held", f"in {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
