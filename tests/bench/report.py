"""The figures as a table and as a drawing, and both in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

from tests.bench.measures import OURS, Figure

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- written by make bench{} -->\n", "<!-- end of what make bench writes{} -->\n"
WIDE, LEFT, BAR, ROW = 800, 110, 560, 20  # of the drawing, in pixels


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def table(figures: Sequence[Figure]) -> str:
    rows = ["| what | gateway | peers | target |", "|---|---|---|---|"]
    for figure in figures:
        peers = ", ".join(f"{name} {number(value)}" for name, value in figure.values.items() if name != OURS)
        limits = "; ".join(f"at most {words}" + (f" = {number(limit)}" if "×" in words else "")
                           for words, limit in figure.limits())  # fmt: skip
        verdict = f"{limits}: {'met' if figure.met() else '**missed**'}" if limits else "-"
        rows.append(f"| {figure.title} | {number(figure.values[OURS])} {figure.unit} | {peers} | {verdict} |")
    return "\n".join(rows) + "\n"


def drawing(figures: Sequence[Figure]) -> str:
    """Bars, longest full width in each figure; a line where ours may end."""
    parts, y = list[str](), 10
    for figure in figures:
        longest = max([*figure.values.values(), *(limit for _, limit in figure.limits())])
        parts.append(f'<text x="8" y="{y + 15}" class="title">{escape(figure.title)}</text>')
        y += 24
        for _, limit in figure.limits():
            x, end = LEFT + BAR * limit / longest, y + ROW * len(figure.values)
            parts.append(f'<path d="M{x:.0f} {y}V{end}" class="limit"/>')
        for name, value in figure.values.items():
            kind = "ours" if name == OURS else "peer"
            parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{max(1, BAR * value / longest):.0f}" '
                         f'height="{ROW - 6}" class="{kind}"/>')  # fmt: skip
            parts.append(f'<text x="{LEFT + BAR * value / longest + 6:.0f}" y="{y + 14}">'
                         f"{number(value)} {figure.unit}</text>")  # fmt: skip
            y += ROW
        y += 16
    style = (
        "text{font:12px sans-serif;fill:#222;paint-order:stroke;stroke:#fff;stroke-width:3px}"
        ".title{font-weight:bold;font-size:13px}"
        ".ours{fill:#0b6e8a}.peer{fill:#b5bfc6}.limit{stroke:#c0392b;stroke-width:2;stroke-dasharray:4 3}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {y}" width="{WIDE}" height="{y}">'
        f'<style>{style}</style><rect width="{WIDE}" height="{y}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def machine() -> str:
    cpu = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith(("model name", "Model"))), platform.machine(),
    )  # fmt: skip
    return (
        f"Measured on {time.strftime('%Y-%m-%d')}: {cpu}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, Twisted {version('twisted')}.\n"
    )


def write(figures: Sequence[Figure], name: str) -> None:
    """Put all between the two marks of the page that have this *name*, and the drawing beside it."""
    page, picture = DOCS / "benchmarks.md", f"benchmarks{name and '-'}{name}.svg"
    begin, end = (mark.format(name and f": {name}") for mark in (BEGIN, END))
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise RuntimeError(f"{page} has no {begin}")
    shown = f"![The same as bars]({picture})\n"
    page.write_text("\n".join([before + begin + machine(), table(figures), shown, end.rstrip("\n")]) + "\n" + after)
    (DOCS / picture).write_text(drawing(figures))
