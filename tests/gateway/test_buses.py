"""The buses that devices share: opened once, closed after the last, and the switch of their power."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from drivers.api import NoAnswer, Operation, Read, SetLines, Transfer
from gateway import catalog, config
from gateway.buses import Buses
from gateway.hardware import Hardware
from gateway.transports.gpio import Wish

HEADER = '[device.door]\ndriver = "button"\nline = "gpio:GPIO17"\n'
POWER = '[bus."i2c:1"]\npower = "gpio:GPIO22"\noff = "2s"\n'
TEXT = """\
[device.attic]
driver = "sht31"
bus = "i2c:1"
[device.kiln]
driver = "max31855"
bus = "spi:0.1"
[device.tank]
driver = "ds18b20"
id = "28-0316a2795bff"
"""


def parsed(text: str = TEXT) -> config.Config:
    return config.parse(text, "gateway.toml", catalog.find, catalog.names())


class Lines:
    """GPIO lines; *trouble* is why they cannot be set."""

    def __init__(self, wish: Wish) -> None:
        self.wish, self.levels, self.open, self.trouble = wish, [dict(wish.initial or {})], True, ""

    def perform(self, operation: Operation) -> Deferred[bytes]:
        assert isinstance(operation, SetLines)
        if self.trouble:
            return fail(NoAnswer(self.trouble))
        self.levels.append(dict(operation.levels))
        return succeed(b"")

    def close(self) -> None:
        self.open = False


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.callFromThread = lambda call, *what: None  # type: ignore[attr-defined]
        self.facts, self.opened = dict[str, Any](), list[Lines]()
        self.buses = Buses(self.clock, self.facts, self.lines)

    def lines(self, wish: Wish) -> Lines:
        self.opened.append(Lines(wish))
        return self.opened[-1]

    def cycle(self) -> list[Any]:
        ended, cycle = list[Any](), self.buses.cycle(1)
        assert cycle is not None
        cycle().addBoth(ended.append)
        return ended


@pytest.fixture
def world() -> World:
    return World()


def test_each_bus_is_opened_once_and_closed_after_its_last_device(world: World) -> None:
    both = parsed(TEXT + '[device.cellar]\ndriver = "sht31"\nbus = "i2c:1"\naddress = 0x45\n')
    for device in both.devices:
        world.buses.at(device, None)
    i2c = world.buses.open["i2c", 1]
    assert sorted(world.buses.open) == [("i2c", 1), ("spi", 0), ("sysfs", 0)]
    world.buses.keep([device for device in both.devices if device.name == "cellar"])
    assert world.buses.open == {("i2c", 1): i2c}
    world.buses.close()
    assert not world.buses.open and i2c.closed is not None


def test_emulators_stand_for_all_of_them(world: World) -> None:
    operations = {"attic": Transfer(read=0), "kiln": Transfer(read=4)}
    for device in parsed().devices:
        way = world.buses.at(device, device.driver.emulator)
        if device.name in operations:
            answers = list[Any]()
            way.perform(operations[device.name]).addBoth(answers.append)
            assert isinstance(answers[0], bytes)
    tree = world.buses.open["sysfs", 0]
    assert tree.root != "/sys"
    tree.at(parsed().devices[2].driver.link, "28-0316a2795bff").perform(Read("w1_slave"))
    assert world.buses.owed() == {tree.running}
    world.buses.release("tank")
    world.buses.close()


def test_what_is_configured_of_sysfs_is_used(world: World) -> None:
    world.buses.configure(parsed('[gateway]\nsysfs = "/nowhere"\n' + TEXT), emulate=False)
    device = parsed().devices[2]
    failures = list[Any]()
    world.buses.at(device, None).perform(Read("w1_slave")).addErrback(failures.append)
    assert world.buses.open["sysfs", 0].root == "/nowhere" and "not there" in str(failures[0].value)


def test_the_power_is_on_from_the_start_and_goes_off_and_on(world: World) -> None:
    world.buses.configure(parsed(POWER + TEXT), emulate=False)
    (lines,) = world.opened
    assert (lines.wish.lines, lines.wish.direction, lines.levels) == (
        {"power": "gpio:GPIO22"},
        "out",
        [{"power": True}],
    )
    ended = world.cycle()
    assert lines.levels[-1] == {"power": False}
    world.clock.advance(1.9)
    assert len(lines.levels) == 2
    world.clock.advance(0.1)
    assert lines.levels[-1] == {"power": True} and not ended
    world.clock.advance(0.1)
    assert ended


def test_a_switch_that_is_on_when_low(world: World) -> None:
    world.buses.configure(parsed(POWER + 'active = "low"\n' + TEXT), emulate=False)
    world.cycle()
    world.clock.advance(3)
    assert [levels["power"] for levels in world.opened[0].levels] == [False, True, False]


def test_the_power_comes_back_on_whatever_fails(world: World) -> None:
    world.buses.configure(parsed(POWER + TEXT), emulate=False)
    lines = world.opened[0]
    lines.trouble = "gone"
    ended = world.cycle()
    assert ended[0].check(NoAnswer) and lines.levels == [{"power": True}]


def test_a_switch_that_cannot_be_had_is_told(world: World) -> None:
    def none(wish: Wish) -> Any:
        raise NoAnswer("no line GPIO22")

    world.buses.lines = none
    world.buses.configure(parsed(POWER + TEXT), emulate=False)
    assert world.facts == {"i2c:1": "its power cannot be switched: no line GPIO22"}
    assert world.buses.cycle(1) is None


def test_a_reload_gives_a_running_bus_its_switch_and_takes_it(world: World) -> None:
    world.buses.configure(parsed(), emulate=False)
    world.buses.at(parsed().devices[0], None)
    ladder = world.buses.open["i2c", 1].ladder
    assert ladder.power is None and not world.opened
    for _ in range(2):
        world.buses.configure(parsed(POWER + TEXT), emulate=False)
    assert ladder.power is not None and len(world.opened) == 1
    world.buses.configure(parsed(), emulate=False)
    assert ladder.power is None and not world.opened[0].open


def test_nothing_is_switched_for_emulated_devices(world: World) -> None:
    world.buses.configure(parsed(POWER + TEXT), emulate=True)
    assert not world.opened and not world.facts


def test_what_a_bus_says_of_itself_is_a_fact_until_it_works(world: World) -> None:
    world.buses.at(parsed().devices[0], None)
    world.buses.open["i2c", 1].ladder.tell("3 transfers failed; the adapter is opened anew")
    assert world.facts == {"i2c:1": "3 transfers failed; the adapter is opened anew"}
    world.buses.open["i2c", 1].ladder.told("")
    assert world.facts == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[bus."i2c:1"]\n', '1: bus."i2c:1": `power` is missing, for example `power = "gpio:GPIO22"`'),
        ('[bus."i2c-1"]\npower = "gpio:GPIO22"\n', "1: bus.i2c-1: 'i2c-1' is no bus; write \"i2c:1\""),
        ('[bus."i2c:1/0x70/3"]\npower = "gpio:GPIO22"\n', "has no channel of a multiplexer in its name"),
        (POWER + "on = 1\n", '4: bus."i2c:1".on: unknown key; '),
        (
            POWER + '[device.pump]\ndriver = "relay"\nline = "gpio:GPIO22"\n',
            "gpio:GPIO22 is used by something else, too",
        ),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    with pytest.raises(config.ConfigError) as refused:
        parsed(text)
    assert any(told in str(problem) for problem in refused.value.problems), refused.value


def test_what_comes_with_each_device_is_watched() -> None:
    """Buses, too: an I2C adapter may hang on USB."""
    watched = list[tuple[str, Any]]()
    hardware: Any = Hardware(Clock(), False)
    hardware.hotplug = SimpleNamespace(watch=lambda path, appeared: watched.append((path, appeared)))
    port = '[device.office]\ndriver = "mhz19"\nport = "usb:1a86:7523"\n'
    for device in parsed(TEXT + HEADER + port).devices:
        hardware.watch(device, device.name)
    assert watched == [
        ("/dev/i2c-1", "attic"),
        ("/dev/spidev0.1", "kiln"),
        ("gpio:GPIO17", "door"),
        ("usb:1a86:7523", "office"),
    ]
