"""The life of a device is what its page draws: every arrow there works, and no other does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from automat import NoTransition

from gateway.clock import Clock
from gateway.handle import Status
from gateway.hub import Hub
from gateway.life import Life, Told, make_life

PAGE = Path(__file__).parents[2] / "docs" / "device-life.md"
ARROWS = {
    (at, word): to for at, to, word in re.findall(r"^    (\w+) --> (\w+): (\w+)$", PAGE.read_text(), re.MULTILINE)
}
WAYS = {
    "absent": (),
    "opening": ("open",),
    "identifying": ("open", "opened"),
    "running": ("open", "opened", "identified"),
    "lost": ("open", "opened", "identified", "failed"),
    "reopening": ("open", "opened", "identified", "failed", "open"),
    "reidentifying": ("open", "opened", "identified", "failed", "open", "opened"),
    "refused": ("open", "opened", "refuse"),
    "rechecking": ("open", "opened", "refuse", "open"),
}
ARGUMENTS = {"failed": ("unplugged",), "refuse": ("found 0x58",), "identified": ("serial 7",)}
SHOWN = {"reopening": "opening", "reidentifying": "identifying", "rechecking": "refused"}


def led(*words: str) -> tuple[Life, Told]:
    told = Told("x", Hub(Clock(1, lambda: 0.0)), Status(state="absent"))
    life = make_life(told)
    for word in words:
        getattr(life, word)(*ARGUMENTS.get(word, ()))
    return life, told


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("word", ["open", "opened", "identified"])
def test_only_the_arrows_that_are_drawn(state: str, word: str) -> None:
    life, told = led(*WAYS[state])
    assert told.status.state == SHOWN.get(state, state)
    if (to := ARROWS.get((state, word))) is None:
        with pytest.raises(NoTransition):
            getattr(life, word)(*ARGUMENTS.get(word, ()))
    else:
        getattr(life, word)(*ARGUMENTS.get(word, ()))
        assert told.status.state == SHOWN.get(to, to)


@pytest.mark.parametrize(("state", "word"), [arrow for arrow in ARROWS if arrow[1] in ("failed", "refuse")])
def test_what_goes_wrong_leads_where_it_is_drawn_and_says_why(state: str, word: str) -> None:
    life, told = led(*WAYS[state])
    getattr(life, word)(*ARGUMENTS[word])
    assert (told.status.state, told.status.reason) == (ARROWS[state, word], ARGUMENTS[word][0])


@pytest.mark.parametrize("state", WAYS)
def test_a_stop_leads_from_everywhere_to_absent(state: str) -> None:
    life, told = led(*WAYS[state])
    life.stop()
    assert told.status.state == "absent"
    life.open()  # a device that was stopped may be started again
    assert told.status.state == "opening"


def test_a_second_look_at_the_wrong_device_tells_only_what_is_new() -> None:
    life, told = led("open", "opened", "refuse")
    seen = list[str]()
    told.hub.listen(lambda name, status: seen.append(f"{status.state} {status.reason}"))
    for reason in ("found 0x58", "found 0x58", "found 0x61"):
        life.open()
        life.opened()
        life.refuse(reason)
    life.open()
    life.opened()
    life.identified("serial 7")
    assert seen == ["refused found 0x61", "running "]
