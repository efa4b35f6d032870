"""Tables of talking text devices: what a line gives, what is refused, and what a table must not say."""

from __future__ import annotations

import ast
import copy
import inspect
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers.family
from drivers import quantities
from drivers.api import BadFrame, BadValue, DeviceError, Driver, Feeds, Serial, Value
from drivers.family import KNOWN, BadTable, Settings, line
from drivers.family.text import LONGEST
from tests.drivers.talk import meet

FOLDER = Path(drivers.family.__file__).parents[1] / "tables"
SHIPPED = {name: tomllib.loads((FOLDER / f"{name}.toml").read_text()) for name in ("csvlines", "jsonlines", "keyvalue")}

SCALE = r"""
family = "line"
title = "A scale"
documentation = "Says how heavy, and what it thinks of it."
format = "pattern"
period = 0.5
[serial]
baud = 4800
parity = "E"
[quantity.weight]
aliases = ["grams"]
scale = 0.001
[quantity.verdict]
kind = "choice"
choices = ["stable", "moving"]
[[pattern]]
match = '(?P<verdict>\w+) +(?P<grams>[-+.\w]+) g'
[[pattern]]
match = 'TARE( (?P<weight>\d+))?'
[[vector]]
text = "stable  +1250.5 g"
gives = { weight = 1.2505, verdict = "stable" }
[[vector]]
text = "moving 1 g"
gives = { weight = 0.001, verdict = "moving" }
"""


def table(text: str = SCALE) -> Driver[Any]:
    return line.driver("scale", tomllib.loads(text))


@cache
def shipped(name: str) -> Driver[Any]:
    return line.driver(name, SHIPPED[name])


def heard(driver: Driver[Any], *chunks: bytes) -> list[Mapping[str, Value] | str]:
    """What a device gives, from a line end on: samples by name, and errors by class."""
    device = driver.device(driver.settings())
    assert isinstance(device, Feeds)
    assert list(device.feed(b"\n")) == []
    events = [event for chunk in chunks for event in device.feed(chunk)]
    return [
        type(event).__name__ if isinstance(event, DeviceError) else {q.name: v for q, v in event.items()}
        for event in events
    ]


# What a line gives


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_any_line_end_and_any_chunks(end: bytes) -> None:
    said = b"temperature=21.5 humidity=40" + end
    for cut in range(len(said)):
        assert heard(shipped("keyvalue"), said[:cut], said[cut:] + said) == [{"temperature": 21.5, "humidity": 40}] * 2


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ("temperature=21.5;humidity:40,CO2 = 612", {"temperature": 21.5, "humidity": 40, "co2": 612}),
        ("Temp: -3.25 °C Hum: 4e1 %", {"temperature": -3.25, "humidity": 40}),
        ("temperature=21.5C", {"temperature": 21.5}),
        ("pm1=1 ug/m3, pm2.5=2 \u00b5g/m³, pm10=3 \u03bcg/m3", {"pm1": 1, "pm2_5": 2, "pm10": 3}),
        ("\x1b[0;36m[sensor] temperature=21.5\x1b[0m", {"temperature": 21.5}),
        ("\x1b[1;32mtemperature\x1b[0m: 21.5 °C\x1b[K", {"temperature": 21.5}),
        ("boot ok temperature=.5 uptime=12:30:45", {"temperature": 0.5}),
        (
            "Humidity: 45.20%  Temperature: 23.40°C 74.12°F  Heat index: 23.10°C",
            {"humidity": 45.2, "temperature": 23.4},
        ),
        ("Humidity: 45.20 %\tTemperature: 23.40 *C 74.12 *F", {"humidity": 45.2, "temperature": 23.4}),
        ("Temp: 21.5 deg C | RH: 40 %RH | Light: 320 lux", {"temperature": 21.5, "humidity": 40, "illuminance": 320}),
        (
            "Humidity (%): 45.2 Temperature(Celsius)=21.5 CO2 (ppm): 612",
            {"humidity": 45.2, "temperature": 21.5, "co2": 612},
        ),
        ("x=1 x=2 count=3", {"count": 3}),
        ("temperature= -  3.25 C", {"temperature": -3.25}),  # digits below digits
        ("state=OFF count=117", {"state": False, "count": 117}),
    ],
)
def test_pairs(text: str, sample: Mapping[str, Value]) -> None:
    assert heard(shipped("keyvalue"), text.encode() + b"\n") == [sample]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("temperature=21,5", "BadFrame"),  # 21 would be a false reading
        ("temperature=75F", "BadValue"),
        ("temperature=75 F", "BadValue"),
        ("temperature=75 F 23.9 C", "BadValue"),
        ("Temperature (F): 75", "BadValue"),
        ("temperature=21.5 Heat", "BadValue"),  # who knows what that is a unit of
        ("Inside temperature: 21.5 Outside temperature: 4.5", "BadValue"),  # which one is it?
        ("temperature=21.5C temperature=4.5C", "BadValue"),
        ("pm10=3 mg/m3", "BadValue"),
        ("temperature=", "BadValue"),
        ("temperature=nan", "BadValue"),
        ("temperature=-inf", "BadValue"),
        ("temperature=1_0", "BadValue"),
        ("temperature=" + "9" * 400, "BadValue"),
        ("temperature=٣", "BadValue"),  # a digit to float(), but to no device
        ("temperature=-127", "BadValue"),  # what a DS18B20 library says when the sensor is gone
        ("count=1.5", "BadValue"),
        ("count=1e400", "BadValue"),
        ("state=maybe", "BadValue"),
        ("tempreature=21.5", "BadFrame"),
        ("21.5", "BadFrame"),
    ],
)
def test_pairs_refused(text: str, error: str) -> None:
    assert heard(shipped("keyvalue"), text.encode() + b"\nhumidity=40\n") == [error, {"humidity": 40}]


def test_good_values_beside_a_bad_one_are_given() -> None:
    assert heard(shipped("keyvalue"), b"temperature=x humidity=40\n") == ["BadValue", {"humidity": 40}]


def test_empty_lines_and_comments_are_passed_over() -> None:
    assert heard(shipped("keyvalue"), b"\r\n \n# temperature=1\n\t# x\nhumidity=40\n") == [{"humidity": 40}]


def test_half_a_line_at_the_beginning_is_no_reading() -> None:
    for name, torn, whole in (
        ("keyvalue", b"temperature=21\n", b"humidity=40\n"),  # it may have been outside_temperature
        ("jsonlines", b'"temperature": 21}\n', b'{"humidity": 40}\n'),
    ):
        device = shipped(name).device(Settings())
        assert isinstance(device, Feeds)
        assert [e for e in device.feed(torn) if not isinstance(e, BadFrame)] == []
        assert len([e for e in device.feed(whole) if not isinstance(e, DeviceError)]) == 1


def test_invalid_utf_8_is_a_bad_frame() -> None:
    assert heard(shipped("keyvalue"), b"temperature=21.5\xff humidity=40\nhumidity=41\n") == [
        "BadFrame",
        {"humidity": 41},
    ]


@pytest.mark.parametrize("size", [1, 7, 1000, 1_000_000])
def test_a_line_without_end_is_one_bad_frame_and_holds_no_memory(size: int) -> None:
    device = shipped("keyvalue").device(Settings())
    assert isinstance(device, Feeds)
    said, events = b"\n" + b"temperature=1 " * 300 + b"\nhumidity=40\n", list[object]()
    for at in range(0, len(said), size):
        events += device.feed(said[at : at + size])
        assert len(vars(device)["tail"]) <= LONGEST
    bad, good = events
    assert isinstance(bad, BadFrame) and isinstance(good, dict) and list(good.values()) == [40]


def test_the_longest_line_is_a_line() -> None:
    fits = b"humidity=40 ".ljust(LONGEST)
    assert heard(shipped("keyvalue"), fits + b"\n" + b" " + fits + b"\n") == [{"humidity": 40}, "BadFrame"]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ('{"temperature": 21.5, "x": {"humidity": 1}, "HUMIDITY": 40}', [{"temperature": 21.5, "humidity": 40}]),
        ('{"state": true, "count": 9007199254740992}', [{"state": True, "count": 2**53}]),
        ('{"count": 9007199254740994, "state": 1}', ["BadValue", {"state": True}]),
        ('{"temperature": true, "humidity": 40}', ["BadValue", {"humidity": 40}]),
        ('{"temperature": null}', ["BadValue"]),
        ('{"temperature": "' + r"\ud800" + '"}', ["BadValue"]),
        ('{"temperature": ' + "1" * 900 + "}", ["BadValue"]),
        ('{"temperature": Infinity}', ["BadValue"]),
        ("[21.5]", ["BadFrame"]),
        ("21.5", ["BadFrame"]),
        ('{"temperature": 21.5', ["BadFrame"]),
        ("[" * 1000, ["BadFrame"]),
        ('{"a":' * 200, ["BadFrame"]),
        ("[" * 500 + "]" * 500, ["BadFrame"]),
        ('{"a":' * 150 + "1" + "}" * 150, ["BadFrame"]),
        ("{}", ["BadFrame"]),
        ('\x1b[32m{"temperature": 21.5}\x1b[0m', [{"temperature": 21.5}]),
    ],
)
def test_json(text: str, events: list[object]) -> None:
    assert heard(shipped("jsonlines"), text.encode() + b"\n") == events


def test_json_too_deep_for_the_stack_we_are_on_is_a_bad_frame() -> None:
    def deeper(depth: int) -> list[Mapping[str, Value] | str]:
        return deeper(depth - 1) if depth else heard(shipped("jsonlines"), b'{"a":' + b"[" * 900 + b"\n")

    assert deeper(700 - len(inspect.stack())) == ["BadFrame"]


def test_json_inner_keys_are_joined_by_dots() -> None:
    driver = table("""
        family = "line"
        title = "A bridge"
        documentation = "JSON with inner objects."
        format = "json"
        period = 60
        [quantity.temperature_inside]
        aliases = ["BME280.Temperature", "rooms.0"]
        [quantity.battery_name]
        kind = "text"
        [[vector]]
        text = '{"bme280": {"temperature": 21.5}, "battery_name": "AA"}'
        gives = { temperature_inside = 21.5, battery_name = "AA" }
    """)
    assert heard(driver, b'{"rooms": [20, 21]}\n{"battery_name": "a\\nb"}\n{"battery_name": null}\n') == [
        {"temperature_inside": 20},
        "BadValue",  # a line end would forge lines wherever this text goes
        "BadValue",
    ]
    assert driver.quantities[0].unit == "°C"


def test_patterns_fit_the_whole_line_and_scale() -> None:
    driver = table()
    assert driver.link == Serial(4800, "E") and driver.period == 0.5
    assert heard(driver, b"stable 2000 g\nstable 2000 g x\nTARE 1000\nTARE\nmoving 1e9x g\n") == [
        {"verdict": "stable", "weight": 2.0},
        "BadFrame",
        {"weight": 1.0},
        "BadFrame",
        "BadValue",
        {"verdict": "moving"},
    ]


def test_without_an_emulator_of_its_own_it_says_its_vectors() -> None:
    assert table().emulator().tick(1.0) == b"stable  +1250.5 g\r\nmoving 1 g\r\n" * 2


def test_emulated_values_wander_the_same_way_each_time_and_stay_good() -> None:
    for name in SHIPPED:
        driver = shipped(name)
        said = driver.emulator().tick(70 * driver.period)
        assert said == b"".join(each.tick(driver.period) for each in [driver.emulator()] for _ in range(70))
        events = heard(driver, said)
        temperatures = {event["temperature"] for event in events if "temperature" in event and event != "BadValue"}  # type: ignore[index]
        assert "BadValue" not in events and len(temperatures) > 5


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"temperature=", b"21.5", b"\n", b'{"temperature":', b"}"])))
def test_nothing_but_samples_and_errors_comes_out_however_it_is_cut(chunks: list[bytes]) -> None:
    for name in SHIPPED:
        whole = heard(shipped(name), b"".join(chunks))
        assert heard(shipped(name), *chunks) == whole
        assert heard(shipped(name), *(bytes([byte]) for byte in b"".join(chunks))) == whole


# What a table says


def test_shipped_tables_take_names_and_units_from_the_registry() -> None:
    for name, said in SHIPPED.items():
        assert not any("unit" in spec for spec in said["quantity"].values())
        for quantity in shipped(name).quantities:
            assert quantity.unit == KNOWN[quantity.name].unit


def test_the_shipped_tables_know_the_same() -> None:
    assert SHIPPED["keyvalue"]["quantity"] == SHIPPED["jsonlines"]["quantity"] == SHIPPED["csvlines"]["quantity"]


def test_each_quantity_of_the_registry_is_known_to_tables() -> None:
    there = {
        name
        for name, made in inspect.getmembers(quantities, inspect.isfunction)
        if made.__module__ == quantities.__name__ and name != "instance"  # which is of another
    }
    tree = ast.parse(inspect.getsource(drivers.family))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "q"
    }
    assert used == there


def changed(change: str) -> str:
    """The mistakes found in a good table with *change* in it: ``old -> new``, the old text being left out for more."""
    old, _, new = change.partition(" -> ")
    assert old in SCALE
    with pytest.raises(BadTable) as caught:
        table(SCALE.replace(old, new, 1))
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('title = "A scale" -> titel = "A scale"', "titel: unknown key; did you mean 'title'?; title: is missing"),
        ('family = "line" -> family = "lien"', "family: 'lien' is none of line; did you mean 'line'?"),
        ("period = 0.5 -> period = -1", "period: -1 is not in 0..86400"),
        ('period = 0.5 -> period = "1s"', "period: '1s' is no number: write 1, without quotes, in seconds"),
        ("period = 0.5 -> period = nan", "period: nan is no number"),
        ("baud = 4800 -> baud = 0", "serial.baud: 0 is not in 50..4000000"),
        ('parity = "E" -> parity = "even"', "serial.parity: 'even' is none of N, E, O"),
        ('["grams"] -> [1]', "quantity.weight.aliases: is no list of texts"),
        ('["grams"] -> ["verdict", "grams"]', "'verdict' already stands for weight"),
        ("scale = 0.001 -> unit = 'g'", "quantity.weight.unit: 'g', but weight is in 'kg' everywhere: use scale"),
        ("scale = 0.001 -> kind = 'text'", "quantity.weight.kind: 'text', but weight is 'float' everywhere"),
        ("scale = 0.001 -> unit = 'kg'", "vector.0: gives"),
        ("scale = 0.001 -> scale = 0", "quantity.weight.scale: 0 would make every value the same"),
        ("scale = 0.001 -> low = 5\nhigh = 1", "quantity.weight: low 5 is not below high 1"),
        ("quantity.weight -> quantity.mass", "quantity.mass.unit: is missing"),
        ("quantity.weight -> quantity.Weight", "quantity.Weight: a name is made of a-z"),
        ('["stable", "moving"] -> []', "quantity.verdict.choices: belong to kind choice"),
        ('kind = "choice" -> kind = "chioce"', "did you mean 'choice'?"),
        ("(?P<grams> -> (?P<gramms>", "pattern.0.match: group 'gramms' is no quantity; did you mean 'grams'?"),
        ("(?P<verdict>\\w+) -> (", "pattern.0.match: no regular expression: "),
        ('format = "pattern" -> format = "pairs"', 'pattern: and format = "pattern" need each other'),
        (
            "weight = 1.2505 -> wieght = 1.2505",
            "vector.0.gives.wieght: is no quantity of this table; did you mean 'weight'?",
        ),
        ("weight = 1.2505 -> weight = 1.25", "vector.0: gives {'verdict': 'stable', 'weight': 1.2505}"),
        ('text = "moving 1 g" -> text = "MOVING 1 g"', "BadValue: verdict 'MOVING' is none of stable, moving"),
        ("[[vector]] -> [emulator]\nsay = 'stable {grams} g'\n[[vector]]", "emulator.say: {grams} has no start"),
        ("[[vector]] -> [emulator.start]\ngrams = 7\n[[vector]]", "emulator.start.grams: is not said"),
        ("[[vector]] -> [emulator]\nsay = 'TARE 7'\n[[vector]]", "emulator: never says verdict"),
        ("[[vector]] -> [emulator]\nsay = 'hello'\n[[vector]]", "emulator: BadFrame: no pattern fits"),
    ],
)
def test_a_mistake_is_told(change: str, told: str) -> None:
    table()  # or the rest proves nothing
    assert told in changed(change)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadTable) as caught:
        line.driver(
            "x", {"quantity": {"temperature": {"lo": 1}, "flow": {"unit": "l/s"}}, "vector": [{}], "serial": {"bd": 1}}
        )
    assert {key for key, _ in caught.value.problems} >= {
        *("family", "title", "documentation", "format", "period", "serial.bd"),
        *("quantity.temperature.lo", "quantity.flow", "vector.0.text"),
    }


@given(st.data())
def test_no_table_is_a_bug(data: st.DataObject) -> None:
    """Whatever stands where a value was, it is taken or refused."""
    said: Any = copy.deepcopy(tomllib.loads(SCALE))
    node = said
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        parent, node = node, node[key]
    parent[key] = data.draw(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text() | st.integers())
        | st.just({"a": 1})
    )
    try:
        line.driver("x", said)
    except BadTable as error:
        assert error.problems


def test_own_names_have_own_units_and_ranges() -> None:
    said = copy.deepcopy(SHIPPED["keyvalue"]) | {"emulator": {}}
    said["quantity"] = {"flow": {"unit": "l/s", "low": 0, "high": 9, "digits": 1}}
    said["vector"] = [{"text": "flow=1.25 l/s", "gives": {"flow": 1.25}}, {"text": "flow=9.1", "error": "BadValue"}]
    (flow,) = line.driver("x", said).quantities
    assert (flow.name, flow.unit, flow.low, flow.high, flow.digits) == ("flow", "l/s", 0, 9, 1)


def test_what_means_nothing_is_left_out() -> None:
    row = table("""
        family = "line"
        title = "x"
        documentation = "x"
        format = "pairs"
        period = 1
        [quantity]
        a = { unit = "", low = 0, high = 9, absent = [-999] }
        b = { unit = "", low = 0, high = 9, absent = ["---", "Err"] }
        [[vector]]
        text = "a=5 b=7"
        gives = { a = 5, b = 7 }
        [[vector]]
        text = "a=-999 b=ERR"
    """)
    assert heard(row, b"a=5 b=---\na=-999.0 b=7\na=- 999\na=-99 b=7\n") == [{"a": 5}, {"b": 7}, "BadValue", {"b": 7}]
    assert "quantity.weight.absent: is no list of texts and numbers" in changed("scale = 0.001 -> absent = [true]")


# What a talking device is told

VALVE = """
family = "line"
title = "A valve that talks"
documentation = "x"
format = "pairs"
period = 1
[line]
end = "\\n"
[[init]]
send = "TALK ON"
answer = "READY"
[[init]]
send = "UNIT C"
[quantity.valve]
unit = "%"
low = 0
high = 100
digits = 0
set = "VALVE {value:03d}"
done = "OK"
[quantity.state]
aliases = ["PUMP"]
values = { RUN = "on", STOP = "off" }
set = "PUMP {value}"
[quantity.note]
kind = "text"
set = "NOTE {value}"
[emulator]
say = "VALVE={valve} PUMP={pump} NOTE={note}"
start = { valve = 20, pump = "STOP", note = "none" }
[[vector]]
text = "VALVE=20 PUMP=RUN NOTE=none"
gives = { valve = 20, state = true, note = "none" }
[[vector]]
set = { valve = 7 }
ask = "VALVE 007"
[[vector]]
set = { state = true }
ask = "PUMP RUN"
"""


def valve(change: tuple[str, str] = ("", "")) -> Driver[Settings]:
    return line.driver("x", tomllib.loads(VALVE.replace(*change, 1)))


def test_a_talking_device_is_told_what_it_needs_and_set() -> None:
    row = valve()
    device: Any = row.device(Settings())
    emulator: Any = row.emulator()
    opening, state, note = row.quantities
    assert opening.writable and state.writable
    assert meet(device.start(), emulator) == ""
    assert meet(device.write(opening, 75.0), emulator) == {opening: 75.0}
    assert meet(device.write(state, True), emulator) == {state: True}
    assert meet(device.write(note, "two words"), emulator) == {note: "two words"}
    assert emulator.tick(1.0) == b"VALVE=075 PUMP=RUN NOTE=two words\r\n"
    assert heard(row, emulator.tick(1.0)) == [{"valve": 75, "state": True, "note": "two words"}]
    for bad in ("a\nVALVE 100", "\r", ""):
        with pytest.raises(BadValue):
            next(device.write(note, bad))


def test_what_it_says_meanwhile_is_no_answer() -> None:
    row = valve()
    device: Any = row.device(Settings())
    opening, state, _ = row.quantities
    asked = next(device.write(opening, 5.0))
    assert asked.write == b"VALVE 005\n" and asked.frame(b"OK") == 0 and asked.frame(b"OK\r\n") == 3
    for other in (b"VALVE=5", b"OKAY\r"):
        with pytest.raises(BadFrame):
            asked.frame(other)
    quiet = next(device.write(state, False))
    with pytest.raises(BadFrame):  # nothing answers it: whatever comes goes to feed
        quiet.frame(b"V")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("VALVE {value:03d}", "VALVE", "quantity.valve.set: holds no {value}, such as"),
        ("VALVE {value:03d}", "VALVE {value:x}", "quantity.valve.set: holds no {value}, such as"),
        ("VALVE {value:03d}", "VALVE {value}", "vector.1.ask: setting valve sends b'VALVE 7\\n'"),
        ("PUMP {value}", "PUMP {value:d}", "quantity.state.set: has a number's form, and this is no number"),
        ('set = "VALVE {value:03d}"', "", "quantity.valve.done: belongs to `set`"),
        ("set = { valve = 7 }", "set = { vlave = 7 }", "vector.1.set.vlave: cannot be set; did you mean 'valve'?"),
        ("set = { valve = 7 }", "set = { valve = 700 }", "vector.1.set.valve: valve 700 % not in 0..100"),
        ("set = { valve = 7 }", "", "vector.1.text: is missing"),
        ('end = "\\n"', 'end = ""', "line.end: is empty: nothing would tell where a command ends"),
        ('"UNIT C"', "1", "init.1.send: 1 is no text"),
    ],
)
def test_a_mistake_about_what_it_is_told_is_told(old: str, new: str, told: str) -> None:
    valve()  # or the rest proves nothing
    assert old in VALVE
    with pytest.raises(BadTable) as caught:
        valve((old, new))
    assert told in str(caught.value)
