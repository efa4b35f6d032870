"""Something goes wrong by command, where devices are emulated."""

from __future__ import annotations

from drivers import sht31
from gateway.transports.faults import Faults
from tests.gateway.commands.house import House, lines


def say(house: House, line: str, role: int = 0) -> list[str]:
    return lines(house.open(role).perform(line))


def emulated() -> tuple[House, Faults]:
    house = House()
    house.commands.faults = faults = Faults(house.time)
    faults.around("attic", sht31.DRIVER.link, sht31.DRIVER.emulator)
    return house, faults


def test_nothing_goes_wrong_where_nothing_is_emulated() -> None:
    (status,) = say(House(), "fault attic nack")
    assert status.startswith("ERR denied nothing is emulated here")


def test_faults_begin_end_and_are_told() -> None:
    house, faults = emulated()
    assert say(house, "fault") == ["OK 0"]
    assert say(house, "fault attic NACK 20s") == ["OK"]
    assert say(house, "fault") == ["attic nack", "OK 1"] and faults.now() == {"attic": "nack"}
    house.time.advance(20)
    assert say(house, "fault") == ["OK 0"]
    assert say(house, "fault attic unplug") == ["OK"]
    house.time.advance(1e6)
    assert say(house, "fault") == ["attic unplug", "OK 1"]
    assert say(house, "fault attic off") == ["OK"] and faults.now() == {}


def test_what_can_go_wrong() -> None:
    house, _ = emulated()
    rows = say(house, "fault attic")
    assert rows[-1] == "OK 8" and "nack: nobody answers" in rows


def test_slips_are_told() -> None:
    house, faults = emulated()
    assert say(house, "fault attick nack")[0].startswith("ERR unknown attick: no such device; did you mean `attic`?")
    assert say(house, "fault attic fire")[0].startswith("ERR syntax fire: no such fault; there are drop, ")
    assert say(house, "fault attic nack soon")[0].startswith("ERR syntax soon is no duration")
    assert say(house, "fault pump stuck") == ["ERR syntax pump is not emulated, or not enabled"]
    assert say(house, "fault pump")[0].startswith("ERR syntax") and faults.now() == {}


def test_it_takes_an_operator() -> None:
    house, faults = emulated()
    assert say(house, "fault attic nack", role=1)[0].startswith("ERR denied") and faults.now() == {}
