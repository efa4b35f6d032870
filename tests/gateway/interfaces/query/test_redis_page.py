"""docs/redis.md: its terminal session, typed into a real redis-cli; its tables, beside the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from gateway.commands.watching import PATTERNS
from gateway.interfaces.query.resp import dialect, names, series, wire
from tests.gateway.interfaces.query.conftest import Served

PAGE = (Path(__file__).parents[4] / "docs/redis.md").read_text()
PROMPT = "127.0.0.1:7600> "


def test_the_session_at_a_terminal(served: Served) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = block.splitlines()[1:]
    typed = "\n".join(line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)) + "\n"
    command = ["redis-cli", "--no-raw", "-p", str(served.address[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(typed)
        client.stdin.close()

        def ended() -> bool:
            for _, _, done in served.house.pump.told:
                if not done.called:
                    done.callback(None)
            return client.poll() is not None

        served.turn(ended)
        shown = [line.rstrip() for line in client.stdout.read().splitlines() if line]
    assert shown == [line for line in lines if not line.startswith(PROMPT)]


def test_every_command_is_on_the_page() -> None:
    there = {command.replace("|", " ").upper() for command in dialect.COMMANDS}
    first = {command.split()[0] for command in there} | {"CONFIG GET"}
    table = PAGE.partition("## What there is")[2].partition("## Time series")[0]
    listed = {word for cell in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) for word in cell.split()}
    assert listed == {word for command in first for word in command.split()}


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    bounds = PAGE.partition("## Bounds")[2]
    for number in (wire.ITEMS, wire.BULK, wire.WHOLE, series.POINTS, PATTERNS, names.PATTERN):
        assert f" {number:,}".replace(",", " " if number > 9999 else "") in bounds, number
    assert dialect.BLOCK == 1 << 20 and "1 MiB, with 100 bytes more" in bounds
    assert dialect.ANSWER == 4 << 20 and "| an answer | 4 MiB |" in bounds
