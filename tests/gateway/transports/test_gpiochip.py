"""GPIO lines through the kernel's own interface: what is asked of gpiod, and what becomes of the kernel's bytes.  The
kernel itself is in tests/emulated."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gpiod
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from drivers.api import Edge, NoAnswer, SetLines
from gateway.reactor import Reactor as Real
from gateway.transports import gpio, gpiochip
from gateway.transports.gpio import LOOK, SURE, Board, Lines, Wish
from gateway.transports.gpiochip import EVENT, GPIOChips
from tests.gateway.transports.kernel import Kernel
from tests.gateway.transports.turning import reactor, turn

__all__ = ["reactor"]  # a fixture
HEADER = ("ID_SDA", "ID_SCL", "SDA1", "SCL1", "GPIO_GCLK", "GPIO5", "GPIO6")


class Reactor(Clock):
    """A clock, and the files that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers = list[Any]()
        self.advance(100)

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def turn(self) -> None:
        for reader in list(self.readers):
            reader.doRead()
        self.advance(0)


class World:
    def __init__(self, dev: Path) -> None:
        self.kernel, self.reactor = Kernel(dev), Reactor()
        self.header = self.kernel.plug("gpiochip0", "pinctrl-bcm2835", *HEADER)
        self.chips = GPIOChips(self.reactor, self.reactor.seconds, str(dev), self.kernel)
        self.told, self.lost = list[Edge](), list[Any]()
        self.opened = list[Lines]()

    def open(self, line: str = "gpio:GPIO5", direction: Any = "in", **wished: Any) -> Lines:
        lines = wished.pop("lines", {"line": line})
        wish = Wish(lines=lines, direction=direction, fed=self.told.extend, lost=self.lost.append, **wished)
        self.opened.append(self.chips.open(wish))
        return self.opened[-1]

    def edge(self, *what: Any, **more: Any) -> None:
        assert self.header.request
        self.header.request.edge(*what, **more)

    def heard(self) -> list[tuple[bool, float]]:
        self.reactor.turn()
        told, self.told[:] = [(edge.level, edge.at) for edge in self.told], []
        return told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for lines in made.opened:
        lines.close()
    made.reactor.advance(0)
    assert not made.reactor.readers and not made.header.consumers and not made.reactor.getDelayedCalls()


# Which line is meant


@pytest.mark.parametrize(
    ("spec", "offset"),
    [
        ("gpio:GPIO5", 5),
        ("gpio:pinctrl-bcm2835/2", 2),
        ("gpio:GPIO4", 4),  # Debian's device tree calls it GPIO_GCLK
        ("gpio:gpio6", 6),
    ],
)
def test_finds_lines_by_name_and_by_label(world: World, spec: str, offset: int) -> None:
    world.kernel.plug("gpiochip1", "raspberrypi-exp-gpio", "BT_ON", "WL_ON")
    assert world.chips.find(spec) == (str(world.kernel.dev / "gpiochip0"), offset)


def test_a_chip_s_number_may_be_another_the_next_time(world: World) -> None:
    world.kernel.plug("gpiochip7", "expander", "", "", "PUMP")
    path = str(world.kernel.dev / "gpiochip7")
    assert world.chips.find("gpio:PUMP") == world.chips.find("gpio:expander/2") == (path, 2)


def test_a_name_may_look_like_a_label_and_a_number(world: World) -> None:
    world.kernel.plug("gpiochip1", "x", "", "P8/3")
    assert world.chips.find("gpio:P8/3")[1] == 1


def test_links_for_old_programs_are_no_second_chip(world: World) -> None:
    (world.kernel.dev / "gpiochip4").symlink_to("gpiochip0")
    assert world.chips.find("gpio:GPIO5") == (str(world.kernel.dev / "gpiochip0"), 5)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("gpio:LAMP", r"no line is called LAMP, on gpiochip0 \(pinctrl-bcm2835\), gpiochip1 \(b\), gpiochip2 \(b\)"),
        ("gpio:pinctrl-bcm2835/7", "no line is called"),
        ("gpio:TWICE", r"TWICE is on gpiochip1 \(b\) and gpiochip2 \(b\); write gpio:LABEL/OFFSET"),
        ("gpio:b/0", r"b/0 is on gpiochip1 \(b\) and gpiochip2 \(b\)$"),
    ],
)
def test_what_is_not_one_line_is_refused_and_names_the_chips(world: World, spec: str, why: str) -> None:
    for name in ("gpiochip1", "gpiochip2"):
        world.kernel.plug(name, "b", "TWICE")
    with pytest.raises(NoAnswer, match=why):
        world.chips.find(spec)


def test_a_number_alone_is_no_line(world: World) -> None:
    with pytest.raises(ValueError, match="write gpio:NAME, or gpio:LABEL/5"):
        world.open("gpio:5")


def test_no_right_to_a_chip(world: World) -> None:
    world.header.trouble = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(NoAnswer, match="gpiochip0: permission denied"):
        world.open()
    world.kernel.plug("gpiochip1", "expander", "PUMP")
    assert world.chips.find("gpio:PUMP")[1] == 0  # another that may be opened serves


# Inputs


def test_an_input_tells_its_level_and_then_each_edge_with_the_kernel_s_time(world: World) -> None:
    world.open(pull="up", debounce=0.03)
    ((call, config),) = world.header.calls
    assert (config[5].direction, config[5].edge_detection) == (gpiod.line.Direction.INPUT, gpiod.line.Edge.BOTH)
    assert config[5].bias == gpiod.line.Bias.PULL_UP and config[5].debounce_period.total_seconds() == 0.03
    assert config[5].event_clock == gpiod.line.Clock.MONOTONIC
    assert world.told == []  # in a later turn
    assert world.heard() == [(False, 100.0)]
    world.edge(5, True, time.monotonic() - 0.75)  # it waited so long for us
    ((level, at),) = world.heard()
    assert level and at == pytest.approx(99.25, abs=0.1)


def test_edges_of_one_turn_come_together_in_their_order(world: World) -> None:
    heard = list[Any]()
    lines = world.chips.open(Wish(lines={"line": "gpio:GPIO5"}, direction="in", fed=heard.append))
    world.opened.append(lines)
    world.reactor.turn()
    for step in range(1, 41):
        world.edge(5, bool(step % 2), time.monotonic())
    world.reactor.turn()
    assert [len(edges) for edges in heard] == [1, 40] and lines.dropped == 0
    assert [edge.level for edge in heard[1][:4]] == [True, False, True, False]


def test_edges_that_the_kernel_dropped_are_counted(world: World) -> None:
    failed = list[str]()
    lines = world.open(failed=lambda error: failed.append(str(error)))
    world.edge(5, True, time.monotonic(), lost=3)
    world.heard()
    assert lines.dropped == 3 and failed == ["3 changes of the line came faster than they could be taken"]
    world.edge(5, False, time.monotonic())
    world.heard()
    assert lines.dropped == 3 and len(failed) == 1


def test_an_edge_before_the_first_turn_is_told_behind_the_level(world: World) -> None:
    world.open()
    world.edge(5, True, time.monotonic())
    assert [level for level, _ in world.heard()] == [False, True]


def test_a_change_that_was_not_told_is_found_out(world: World) -> None:
    failed = list[str]()
    world.open(failed=lambda error: failed.append(str(error)))
    assert [level for level, _ in world.heard()] == [False]
    world.header.levels[5] = True
    world.reactor.advance(LOOK)
    assert world.heard() == [] and not failed
    world.reactor.advance(SURE)
    assert [level for level, _ in world.heard()] == [True]
    assert failed == ["gpio:GPIO5: a change of the line was not told"]


def test_levels_are_told_again_where_that_is_wished(world: World) -> None:
    world.open(every=10.0)
    world.heard()
    world.edge(5, True, time.monotonic())  # nobody has read that yet
    world.reactor.advance(10)
    assert [level for level, _ in world.heard()] == [True, True]
    world.reactor.advance(10)
    assert world.heard() == [(True, 120.0)]


def test_nothing_is_told_of_a_chip_that_is_found_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*what: object) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    lines = world.open(every=10.0)
    assert world.heard()
    monkeypatch.setattr("os.read", gone)
    world.reactor.advance(10)
    assert len(world.lost) == 1 and world.told == [] and not lines.open


def test_lines_on_two_chips(world: World) -> None:
    other = world.kernel.plug("gpiochip1", "expander", "", "DOWN")
    lines = world.open(lines={"up": "gpio:GPIO6", "down": "gpio:DOWN"}, direction="out",
                       initial={"up": True, "down": False})  # fmt: skip
    assert world.header.levels[6] and not other.levels[1]
    lines.perform(SetLines((("up", False), ("down", True))))
    assert not world.header.levels[6] and other.levels[1]


def test_the_reactor_reads_the_request_s_own_file(world: World, reactor: Real) -> None:
    told = list[Edge]()
    chips = GPIOChips(reactor, time.monotonic, str(world.kernel.dev), world.kernel)
    lines = chips.open(Wish(lines={"line": "gpio:GPIO5"}, direction="in", fed=told.extend))
    at = time.monotonic()
    world.edge(5, True, at)
    turn(reactor, lambda: len(told) == 2)
    assert [edge.level for edge in told] == [False, True] and told[1].at == pytest.approx(at, abs=1e-3)
    lines.close()
    assert not any(reader.logPrefix() == "GPIO" for reader in reactor.getReaders())


# Outputs


def test_an_output_gets_its_level_in_the_request_itself(world: World) -> None:
    lines = world.open(direction="out", initial={"line": True})
    ((call, config),) = world.header.calls
    assert call == "request" and config[5].output_value == gpiod.line.Value.ACTIVE
    assert config[5].direction == gpiod.line.Direction.OUTPUT
    assert world.heard() == [(True, 100.0)]
    got = list[Any]()
    lines.perform(SetLines((("line", False),))).addCallback(got.append)
    assert got == [b""] and world.header.levels[5] is False


def test_what_was_driven_at_once_is_not_told_as_it_was_before(world: World) -> None:
    lines = world.open(direction="out", initial={"line": True})
    lines.perform(SetLines((("line", False),)))
    assert world.heard() == []


@pytest.mark.parametrize("level", [True, False])
def test_hands_off_keeps_the_level(world: World, level: bool) -> None:
    world.header.levels[5] = level
    world.open(direction="out", initial=None)
    (_, asis), (_, config) = world.header.calls
    assert asis[5].direction == gpiod.line.Direction.AS_IS
    assert config[5].output_value == gpiod.line.Value(int(level)) and world.heard() == [(level, 100.0)]


def test_an_output_that_cannot_be_set(world: World) -> None:
    lines = world.open(direction="out", initial={"line": False})
    assert world.header.request
    world.header.request.trouble = OSError(errno.EIO, "Input/output error")
    assert "gpio:GPIO5: Input/output error" in problem(lines.perform(SetLines((("line", True),))))
    lines.close()
    assert "closed" in problem(lines.perform(SetLines((("line", True),))))


def problem(done: Deferred[bytes]) -> str:
    got = list[Any]()
    done.addErrback(got.append)
    assert got[0].check(NoAnswer)
    return str(got[0].value)


# Trouble


def test_a_held_line_says_by_whom(world: World) -> None:
    world.open(who="door")
    assert world.header.consumers == {5: "gateway door"}
    with pytest.raises(NoAnswer, match="gpio:GPIO5 is held by 'gateway door'"):
        world.open(who="window")
    world.header.consumers[6] = ""
    with pytest.raises(NoAnswer, match="gpio:GPIO6 is held by 'the kernel'"):
        world.open("gpio:GPIO6")
    del world.header.consumers[6]


def test_lines_that_could_not_all_be_had_are_free_again(world: World) -> None:
    other = world.kernel.plug("gpiochip1", "expander", "DOWN")
    other.consumers[0] = "gpiomon"
    with pytest.raises(NoAnswer, match="gpio:DOWN is held by 'gpiomon'"):
        world.open(lines={"up": "gpio:GPIO6", "down": "gpio:DOWN"})
    assert world.header.consumers == {}
    with pytest.raises(NoAnswer, match="twice"):
        world.open(lines={"up": "gpio:GPIO6", "down": "gpio:pinctrl-bcm2835/6"})


def test_a_chip_that_is_pulled_out(world: World) -> None:
    lines = world.open()
    (reader,) = world.reactor.readers
    reader.connectionLost(None)
    assert not lines.open and [str(reason.value) for reason in world.lost] == ["gpio:GPIO5: the chip is gone"]
    reader.connectionLost(None)
    assert len(world.lost) == 1


def test_the_kernel_s_bytes_are_as_its_header_has_them() -> None:
    """struct gpio_v2_line_event: 48 bytes."""
    assert EVENT.size == 48
    assert EVENT.unpack(bytes(range(24)) + bytes(24))[:2] == (
        int.from_bytes(bytes(range(8)), "little"),
        int.from_bytes(bytes(range(8, 12)), "little"),
    )


# The choice


class Chosen(Board):
    """Where ``there`` says what there is."""

    there: tuple[str, ...] = ()

    def way(self, name: str) -> Any:
        class Way:
            def about(self) -> str:
                if name not in Chosen.there:
                    raise NoAnswer(f"no {name}")
                return name

            def open(self, wish: Wish) -> Any:
                return name

        return Way()

    def gpiod(self) -> Any:
        return self.way("gpiod")

    def rpi(self) -> Any:
        return self.way("rpi")


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        (("gpiod", "rpi"), "auto", "gpiod"),
        (("rpi",), "auto", "rpi"),
        (("gpiod", "rpi"), "rpi", "rpi"),
        (("rpi",), "gpiod", "no gpiod"),
        ((), "auto", "no gpiod; no rpi"),
    ],
)
def test_the_way_is_chosen_and_told(
    there: tuple[str, ...], wanted: gpio.Way, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chosen, "there", there)
    told = list[str]()
    board = Chosen(Reactor(), wanted=wanted, told=told.append)
    wish = Wish(lines={"line": "gpio:GPIO17"}, direction="in")
    if chosen in there:
        assert board.open(wish) == chosen  # type: ignore[comparison-overlap]  # what stands in for lines
    else:
        with pytest.raises(NoAnswer, match=chosen):
            board.open(wish)
        monkeypatch.setattr(Chosen, "there", ("gpiod",))  # a chip that comes later
        assert board.open(wish) == "gpiod"  # type: ignore[comparison-overlap]
    assert told[0] == chosen


def test_what_gpiod_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoAnswer, match="no GPIO chip"):
        GPIOChips(Reactor(), dev=str(tmp_path)).about()
    (tmp_path / "gpiochip0").write_text("")
    assert GPIOChips(Reactor(), dev=str(tmp_path)).about().startswith("gpiod 2.")
    monkeypatch.delattr(gpiod, "LineSettings")
    with pytest.raises(NoAnswer, match="version 2"):
        GPIOChips(Reactor(), dev=str(tmp_path)).about()
    monkeypatch.setitem(__import__("sys").modules, "gpiod", None)
    with pytest.raises(NoAnswer, match=r"install device-gateway\[gpio\]"):
        GPIOChips(Reactor(), dev=str(tmp_path)).about()
    assert gpiochip.CONSUMER == 31
