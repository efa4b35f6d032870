"""What the bot says unasked, and how often."""

from __future__ import annotations

import pytest

from drivers.api import Quantity, Value
from gateway.clock import Clock
from gateway.handle import Status
from gateway.interfaces.irc.channels import Speech, moved, phrase
from gateway.reading import Reading
from tests.gateway.interfaces.irc.house import HUMIDITY, PRESSURE, STATE, TEMPERATURE, TIME, Client, Fake, House

CLOCK = Clock(1, lambda: 0.0)
CO2, COUNT = Quantity("co2", "ppm", high=5000), Quantity("count", kind="int", high=100)
VOLTAGE, LATITUDE = Quantity("voltage_l1", "V", high=400, digits=1), Quantity("latitude", "°", high=90, digits=7)
MODE = Quantity("mode", kind="choice", choices=("2d", "3d"))


def reading(quantity: Quantity, value: Value, name: str = "x") -> Reading:
    return Reading(f"{name}.{quantity.name}", quantity, value, 1, 1, 0.0, CLOCK)


@pytest.mark.parametrize(
    ("quantity", "old", "small", "big"),
    [
        (TEMPERATURE, 21.50, 21.65, 21.75),
        (TEMPERATURE, 0.0, -0.15, -0.25),
        (HUMIDITY, 40.0, 40.3, 40.5),
        (HUMIDITY, 1.0, 1.1, 0.7),  # one percent of it would be less than two of the last digit
        (PRESSURE, 1013.25, 1013.70, 1013.80),
        (CO2, 640.0, 646.0, 647.0),
        (COUNT, 7, 8, 9),
        (Quantity("temperature", "°C", high=99, digits=1), 21.5, 21.6, 21.7),
        (VOLTAGE, 230.0, 232.2, 232.4),
        (LATITUDE, 51.4784, 51.4788, 51.4790),
    ],
)
def test_a_small_change_is_no_news(quantity: Quantity, old: float, small: float, big: float) -> None:
    said = reading(quantity, old)
    assert (moved(said, reading(quantity, small)), moved(said, reading(quantity, big))) == (False, True)
    assert moved(None, said)


def test_words_and_switches_are_news_when_they_are_others() -> None:
    for quantity, old, new in ((STATE, False, True), (MODE, "2d", "3d")):
        assert not moved(reading(quantity, old), reading(quantity, old))
        assert moved(reading(quantity, old), reading(quantity, new))
    assert not moved(None, reading(TIME, "12:00")) and not moved(reading(TIME, "12:00"), reading(TIME, "12:01"))
    assert moved(reading(Quantity("key", kind="int"), 3), reading(Quantity("key", kind="text"), "three"))


def test_a_reading_in_words() -> None:
    assert phrase(reading(TEMPERATURE, 21.534)) == "temperature 21.53 °C"
    assert phrase(reading(STATE, True)) == "state on"
    assert phrase(reading(TIME, "x" * 500)) == 'time "' + "x" * 59 + "..."
    suspect = Reading("x.co2", CO2, 640.0, 1, 1, 0.0, CLOCK, "suspect")
    assert phrase(suspect) == "co2 640 ppm (suspect)"


def listener(house: House, channel: str = "#readings") -> Client:
    client = Client(house, "amy")
    client.say(f"JOIN {channel}")
    return client


def test_what_changed_of_a_device_is_one_line_at_most_once_in_the_interval() -> None:
    house = House()
    amy = listener(house)
    said = []
    for second in range(60):  # it changes all the time
        house.hub.publish("attic", {TEMPERATURE: 20.0 + second, HUMIDITY: 40.0 + second / 100})
        house.pass_(1)
        said += amy.said("#readings")
    assert said == [
        "attic: humidity 40.0 %, temperature 20.00 °C",
        "attic: temperature 30.00 °C",
        "attic: temperature 40.00 °C",
        "attic: temperature 50.00 °C",
        "attic: humidity 40.4 %, temperature 60.00 °C",
        "attic: temperature 70.00 °C",
    ]


def test_a_device_at_rest_says_nothing_more() -> None:
    house = House()
    amy = listener(house)
    for second in range(60):
        house.hub.publish("attic", {TEMPERATURE: 21.5 + (0.15 if second % 2 else 0)})
        house.pass_(1)
    assert amy.said("#readings") == ["attic: temperature 21.50 °C"]


def test_what_came_back_before_it_was_said_is_no_news() -> None:
    house = House()
    amy = listener(house)
    house.hub.publish("attic", {TEMPERATURE: 20.0})
    house.pass_(2)
    house.hub.publish("attic", {TEMPERATURE: 25.0})
    house.pass_(2)
    house.hub.publish("attic", {TEMPERATURE: 20.0})
    house.pass_(20)
    assert amy.said("#readings") == ["attic: temperature 20.00 °C"] and house.irc.speech.news == {}


def test_all_devices_together_say_one_line_a_second_and_all_have_their_turn() -> None:
    house = House(min_interval=1.0)
    for at in range(20):
        house.hub.devices[f"d{at:02}"] = Fake(house.hub, f"d{at:02}", (TEMPERATURE,))
    amy = listener(house)
    said = []
    for second in range(60):
        for at in range(20):
            house.hub.publish(f"d{at:02}", {TEMPERATURE: float(second)})
        house.pass_(1)
        now = amy.said("#readings")
        assert len(now) <= 1
        said += now
    assert len(said) >= 59
    assert [line[:3] for line in said[:40]] == [f"d{at:02}" for at in range(20)] * 2
    assert said[-1].endswith("temperature 58.00 °C") or said[-1].endswith("temperature 59.00 °C")  # the newest only


def test_a_switch_speaks_at_once_but_not_all_the_time() -> None:
    house = House()
    amy = listener(house)
    house.hub.publish("pump", {STATE: False, COUNT: 0})
    house.pass_(12)
    house.hub.publish("pump", {STATE: False, COUNT: 5})
    house.pass_(2)
    house.hub.publish("pump", {STATE: True, COUNT: 50})
    house.pass_(2)
    assert amy.said("#readings") == ["pump: count 0, state off", "pump: count 5", "pump: state on"]
    for second in range(20):
        house.hub.publish("pump", {STATE: second % 2 == 0})
        house.pass_(1)
    assert len(amy.said("#readings")) <= 3


def test_its_own_channel_has_every_sample_but_one_line_a_second() -> None:
    house = House()
    amy = listener(house, "#attic")
    for at in range(40):
        house.hub.publish("attic", {TEMPERATURE: 20.0 + at / 100} | ({HUMIDITY: 40.0} if at == 1 else {}))
        house.pass_(0.5)
    said = amy.said("#attic")
    assert len(said) == 20 and said[:2] == ["temperature 20.01 °C, humidity 40.0 %", "temperature 20.03 °C"]
    house.hub.publish("attic", {TEMPERATURE: 20.39})
    house.pass_(3)
    assert amy.said("#attic") == ["temperature 20.39 °C"] and amy.said("#readings") == []


def test_who_comes_first_hears_the_newest_of_all() -> None:
    house = House()
    house.hub.publish("pump", {STATE: True})
    house.hub.publish("board7.shed", {TEMPERATURE: 5.0}, keeps=-1)  # stale
    amy = listener(house)
    house.pass_(3)
    assert amy.said("#readings") == ["pump: state on"]
    amy.say("PART #readings")
    house.pass_(60)
    amy.say("JOIN #readings")
    house.pass_(3)
    assert amy.said("#readings") == ["pump: state on"]


def test_a_lost_device_says_why_and_its_old_values_are_not_said_any_more() -> None:
    house = House()
    amy, bob = listener(house), Client(house, "bob")
    bob.say("JOIN #attic,#pump")
    house.hub.publish("attic", {TEMPERATURE: 21.5})
    house.attic.tell("lost", "unplugged")
    house.hub.forget("attic")
    house.attic.tell("opening", "unplugged")
    house.pass_(2)
    who = ":gateway!gateway@board"
    told = [f"{who} PRIVMSG #attic :attic: lost: unplugged",
            f"{who} TOPIC #attic :attic: lost: unplugged | Attic | fake at nowhere"]  # fmt: skip
    assert bob.heard() == told
    assert amy.heard() == [
        f"{who} PRIVMSG #readings :attic: lost: unplugged",
        f"{who} TOPIC #readings :4 devices: 3 running, 1 lost (attic) | say !help",
    ]
    for state in ("opening", "identifying", "lost", "opening"):  # attempts are no news
        house.attic.tell(state, "still unplugged")
        house.pass_(2)
    assert bob.heard() == amy.heard() == []
    house.attic.tell("running")
    house.hub.publish("attic", {TEMPERATURE: 21.5})
    house.pass_(3)
    assert amy.said("#readings") == ["attic: running", "attic: temperature 21.50 °C"]


def test_a_key_that_is_deleted_is_not_said_any_more() -> None:
    house = House()
    amy = Client(house, "amy")
    amy.say("JOIN #readings,#manual")
    house.pass_(2)
    amy.heard()
    for line in "!set first 1", "!set key 1", "!set other 1", "!delete key":
        amy.say(f"PRIVMSG #readings :{line}")
    amy.heard()
    house.pass_(20)
    heard = " ".join(amy.heard())
    assert "first 1, other 1" in heard and "key" not in heard
    amy.say("PRIVMSG #readings :!set key 1")
    house.pass_(20)
    assert "manual: key 1" in amy.said("#readings")


def test_of_several_reasons_in_a_second_the_first_is_told() -> None:
    house = House()
    amy = listener(house)
    for state, reason in (("lost", "unplugged"), ("opening", "unplugged"), ("lost", "no such port")):
        house.attic.tell(state, reason)
    house.pass_(1)
    assert amy.said("#readings") == ["attic: lost: unplugged"]


def test_many_lives_at_once_are_told_one_a_second() -> None:
    house = House()
    amy = listener(house)
    house.attic.tell("lost", "hub unplugged")
    house.shed.tell("lost", "hub unplugged")
    house.pass_(1)
    assert amy.said("#readings") == ["attic: lost: hub unplugged"]
    house.shed.tell("running")  # back before anybody was told
    house.pass_(2)
    assert amy.said("#readings") == []


def test_a_topic_is_told_once() -> None:
    house = House()
    amy = listener(house)
    for device in (house.attic, house.shed):
        device.tell("lost", "hub unplugged")
    house.pass_(2)
    assert [line.split(" ")[1] for line in amy.heard()] == ["PRIVMSG", "TOPIC", "PRIVMSG"]


def test_devices_come_and_go() -> None:
    house = House()
    amy = listener(house, "#attic")
    house.hub.devices["cellar"] = Fake(house.hub, "cellar", (TEMPERATURE,))
    del house.hub.devices["attic"]
    house.pass_(1)
    assert "366" in " ".join(amy.say("JOIN #cellar"))
    assert amy.say("TOPIC #attic") == [":board 332 amy #attic :attic is not in the configuration any more"]
    amy.say("PART #attic")
    house.pass_(1)
    assert " 403 " in amy.say("JOIN #attic")[0]


def test_what_waits_is_bounded_by_the_number_of_names() -> None:
    speech = Speech(10.0)
    for at in range(10_000):
        speech.take((reading(TEMPERATURE, float(at)), reading(HUMIDITY, at % 100)))
        speech.hear("x", Status(state="running" if at % 2 else "lost"))
    by_name = len(speech.said) + len(speech.when)
    assert by_name + len(speech.fresh) + len(speech.news) + len(speech.spoke) + len(speech.lives) <= 4
