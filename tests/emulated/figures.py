"""What was measured on the way, for docs/benchmarks.md: build/emulated/figures.txt, a line each."""

from __future__ import annotations

from tests.emulated import disk


def note(what: str, figure: str) -> None:
    path = disk.BUILD / "figures.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in before if not line.startswith(f"{what}: ")]
    path.write_text("\n".join([*kept, f"{what}: {figure}"]) + "\n")
