"""The examples of docs/commands.md, replayed on the query port."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drivers.quantities import state
from gateway import jobs, manual, reactor
from gateway.commands import Who, watching, wire
from gateway.commands.usage import COMMANDS
from gateway.interfaces.query import Query, port, text
from tests.gateway.commands.house import SPEED, Device, House
from tests.gateway.interfaces.query.talk import Wire

PAGE = (Path(__file__).parents[3] / "docs/commands.md").read_text()
BLOCKS = re.findall(r"^```\n(> .*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Talk:
    """One connection to a house whose devices do at once what they are asked."""

    def __init__(self) -> None:
        self.house = House()
        self.house.pump = Device(
            self.house.hub, "pump", state(writable=True), SPEED, where="gpio:GPIO17", driver="relay"
        )
        self.house.measure()
        self.house.attic.ring.note(">", b"\x24\x00")
        self.house.attic.ring.note("<", b"\x66\x43\xfa\x66\x66\x93")
        self.port = Query(self.house.commands, self.house.time).buildProtocol(None)
        self.transport: Any = Wire()
        self.port.makeConnection(self.transport)
        self.port.session.who = Who("anonymous", "operator", "127.0.0.1:40312", "tcp")

    def say(self, line: str, pushed: bool) -> list[str]:
        self.port.dataReceived(line.encode() + b"\n")
        for done in self.house.attic.asked:
            self.house.measure(21.54)
            done.callback(None)
        for quantity, value, done in self.house.pump.told:
            self.house.hub.publish("pump", {quantity: value})
            done.callback(None)
        self.house.attic.asked.clear()
        self.house.pump.told.clear()
        if pushed and line.startswith("watch"):
            self.house.measure(21.6)
        self.house.time.advance(0)
        said: list[str] = self.transport.value().decode().splitlines()
        self.transport.clear()
        return said


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example(block: str) -> None:
    talk = Talk()
    for part in re.split("^> ", block, flags=re.MULTILINE)[1:]:
        line, *expected = part.splitlines()
        said = talk.say(line, any(each.startswith("* ") for each in expected))
        if "..." in expected:
            at = expected.index("...")
            said[at : len(said) - len(expected) + at + 1] = ["..."]
        assert said == expected, line


def test_the_page_has_examples_and_names_every_command() -> None:
    assert len(BLOCKS) >= 12
    assert [word for word in COMMANDS if f"`{word}" not in PAGE and f"> {word}" not in PAGE] == []


def test_every_error_is_on_the_page() -> None:
    """Looked for in the source, where a code is the first word of an ERR or the first argument of a CommandError."""
    root = Path(__file__).parents[3] / "gateway"
    files = [*root.glob("commands/*.py"), *root.glob("interfaces/query/*.py")]
    source = "".join(path.read_text() for path in files)
    codes = set(re.findall(r'(?<!-)ERR ([a-z-]+) |CommandError\(\s*"([a-z-]+)"', source))
    words = {word for pair in codes for word in pair if word} | {"no-answer", "bad-frame", "bad-value", "wrong-device"}
    listed = set(re.findall(r"`([a-z-]+)`", PAGE.rpartition("| ERR |")[2]))
    assert len(words) > 10 and words | {"device", "locked"} == listed


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    bounds = PAGE.partition("### Bounds")[2].partition("### Errors")[0]
    assert (port.LARGE, text.ROWS, reactor.READ) == (65536, 100, 16384)
    for number in (
        text.LINE,
        watching.PATTERNS,
        wire.FOLLOWED,
        manual.KEYS,
        manual.LENGTH,
        jobs.JOBS,
        port.CONNECTIONS,
    ):
        assert f" {number:,}".replace(",", " " if number > 9999 else "") in bounds, number
