"""Tables of binary devices, units, instruments and chips: what goes over the wire, what is refused, and what a mistake
in a table is told as."""

from __future__ import annotations

import copy
import importlib
import tomllib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drivers.family
from drivers.api import (
    Ask,
    BadFrame,
    BadValue,
    DeviceError,
    Driver,
    Modbus,
    NoAnswer,
    Operation,
    Request,
    Transfer,
    Value,
    WrongDevice,
)
from drivers.codec.checksums import CHECKSUMS
from drivers.codec.modbus import RTU
from drivers.family import BadTable
from drivers.family.proof import talked
from drivers.family.unit import answered
from gateway import catalog
from gateway.config_output import switches
from tests.drivers.talk import follow, meet

FOLDER = Path(drivers.family.__file__).parents[1] / "tables"
SHIPPED = sorted(FOLDER.glob("*.toml"))


def said(name: str) -> str:
    return (FOLDER / f"{name}.toml").read_text()


def made(text: str) -> Driver[Any]:
    table = tomllib.loads(text)
    row: Driver[Any] = importlib.import_module(catalog.FAMILIES[table["family"]]).driver("x", table)
    return row


def opened(row: Driver[Any]) -> Any:
    return row.device(row.settings())


def device(name: str) -> Any:
    return opened(catalog.find(name))


def named(sample: Any) -> dict[str, Value]:
    return {quantity.name: value for quantity, value in sample.items()}


def quantity(name: str, which: str) -> Any:
    return next(each for each in catalog.find(name).quantities if each.name == which)


def wrong(name: str, *changes: tuple[str, str]) -> list[str]:
    """The mistakes found in a good table once it is changed."""
    text = said(name)
    made(text)  # or the rest proves nothing
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(BadTable) as caught:
        made(text)
    return [f"{key}: {reason}" for key, reason in caught.value.problems]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
class TestShipped:
    def test_has_vectors_good_and_bad_or_set(self, path: Path) -> None:
        vectors = tomllib.loads(path.read_text())["vector"]
        assert any(vector.get("gives") for vector in vectors) and len(vectors) > 1

    def test_a_vector_that_is_wrong_is_noticed(self, path: Path) -> None:
        table = tomllib.loads(path.read_text())
        for at, vector in enumerate(table["vector"]):
            spoilt = copy.deepcopy(table)
            spoilt["vector"][at]["gives" if not vector.get("set") else "ask"] = (
                {"x": 1} if not vector.get("set") else "00"
            )
            if vector.get("set") and table["family"] == "registers":
                spoilt["vector"][at] = vector | {"writes": "00"}
            if vector.get("error") and not vector.get("gives"):
                spoilt["vector"][at]["error"] = ""
            with pytest.raises(BadTable):
                importlib.import_module(catalog.FAMILIES[table["family"]]).driver("x", spoilt)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.data())
    def test_no_table_is_a_bug(self, path: Path, data: st.DataObject) -> None:
        """Whatever stands where a value was, it is taken or refused."""
        table: Any = tomllib.loads(path.read_text())
        node = table
        while isinstance(node, dict | list) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            parent, node = node, node[key]
        anything = (
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
        )
        parent[key] = data.draw(
            anything | st.just({"a": 1}) | st.sampled_from(["uint16", "AA BB", "a + b", "0x05", "7:0"])
        )
        family = table.get("family")
        try:
            importlib.import_module(catalog.FAMILIES[family if family in catalog.FAMILIES else "line"]).driver(
                "x", table
            )
        except BadTable as error:
            assert error.problems
        except TypeError as error:  # an unhashable family is the catalogue's to refuse
            assert "unhashable" in str(error) and not isinstance(family, str)


# modbus


def test_a_meter_is_read_in_few_requests_and_all_it_has() -> None:
    meter = device("sdm120")
    assert [(each.function, each.address, each.count) for each in meter.requests] == [
        (4, 0x00, 32), (4, 0x46, 26), (4, 0x102, 8), (4, 0x156, 4),
    ]  # fmt: skip
    blocks = [bytearray(2 * each.count) for each in meter.requests]
    blocks[0][:4], blocks[1][:4] = bytes.fromhex("43663334"), bytes.fromhex("42480000")
    sample = named(follow(meter.measure(), list(zip(meter.requests, map(bytes, blocks), strict=True))))
    assert sample["voltage"] == pytest.approx(230.2) and sample["frequency"] == 50 and len(sample) == 21


def test_a_relay_is_set_as_its_maker_shows() -> None:
    board = device("modbusrelay8")
    on = next(board.write(quantity("modbusrelay8", "state_1"), True))
    assert RTU().begin(1, on).hex(" ") == "01 05 00 00 ff 00 8c 3a"
    assert named(follow(board.measure(), [(Request(1, 0, 8), b"\x05")])) == {
        f"state_{at}": at in (1, 3) for at in range(1, 9)
    }
    with pytest.raises(BadValue):
        next(board.write(quantity("sdm120", "voltage"), 1.0))


SET = """
family = "modbus"
title = "x"
documentation = "x"
period = 1
[modbus]
write = 16
[[init]]
holding = 9
value = 1
[quantity]
temperature_wanted = { holding = 0, type = "int16", scale = 0.1, low = 5, high = 30, writable = true }
mode_of_day = { holding = 1, bits = "5:4", values = { 0 = "night", 2 = "day" }, writable = true }
energy = { holding = 2, type = "uint32", order = "CDAB", writable = true, scale = 0.01, high = 1e6 }
[[vector]]
holding = { 0 = "00D7 0020" }
gives = { temperature_wanted = 21.5, mode_of_day = "day" }
"""


def test_registers_are_set_and_other_bits_stay() -> None:
    row = made(SET)
    unit: Any = row.device(row.settings())
    wanted, mode, energy = row.quantities
    assert follow(unit.start(), [(Request(16, 9, values=(1,)), b"")]) == ""
    assert follow(unit.write(wanted, 7.5), [(Request(16, 0, values=(75,)), b"")]) == {wanted: 7.5}
    script = [(Request(3, 1), b"\xff\xff"), (Request(16, 1, values=(0xFFCF,)), b"")]
    assert follow(unit.write(mode, "night"), script) == {mode: "night"}
    assert follow(unit.write(energy, 700.0), [(Request(16, 2, values=(0x1170, 1)), b"")]) == {energy: 700.0}
    emulator: Any = row.emulator()
    for each, value in ((wanted, 30), (mode, "night"), (mode, "day"), (energy, 12.34)):
        meet(unit.write(each, value), emulator)
        assert meet(unit.measure(), emulator)[each] == value
    single = made(SET.replace("write = 16", "write = 6"))
    assert next(opened(single).write(single.quantities[0], 7.5)) == Request(6, 0, values=(75,))
    assert next(opened(single).start()) == Request(6, 9, values=(1,))


VARIANT = """
family = "modbus"
title = "x"
documentation = "x"
period = 1
[quantity]
voltage = { input = 0, scale = 0.1 }
current = { input = 1, optional = true }
temperature = { input = 7, type = "int16", optional = true }
power = { value = "voltage * current" }
[[vector]]
input = { 0 = "08FC 0002" }
gives = { voltage = 230, current = 2, power = 460 }
"""


def test_what_not_all_units_have_is_asked_apart_and_may_be_refused() -> None:
    unit = opened(made(VARIANT))
    volts, amperes, degrees = Request(4, 0), Request(4, 1), Request(4, 7)
    nothing = BadValue("unit 1 has nothing at address 1 to 1 (exception 2)")
    script: list[Any] = [(volts, b"\x08\xfc"), (amperes, nothing), (degrees, b"\xff\xff")]
    assert named(follow(unit.measure(), script)) == {"voltage": 230, "temperature": -1}
    for _ in range(20):
        assert named(follow(unit.measure(), [VOLTS, DEGREES])) == {"voltage": 230, "temperature": -1}
    script[1] = (amperes, b"\0\2")
    assert named(follow(unit.measure(), script)) == {"voltage": 230, "current": 2, "temperature": -1, "power": 460}
    with pytest.raises(BadValue):
        follow(unit.measure(), [(volts, nothing)])
    spanned = opened(made(VARIANT.replace("[quantity]", "[modbus]\ngap = 9\n[quantity]\npower_factor = { input = 9 }")))
    assert [each.count for each in spanned.requests] == [10], "it is read along anyway"


def test_of_a_block_that_is_refused_the_unit_may_have_some() -> None:
    unit = opened(made(VARIANT.replace("current = {", "frequency = { input = 2, optional = true }\ncurrent = {")))
    nothing = BadValue("unit 1 has nothing there (exception 2)")
    script: list[Any] = [
        (Request(4, 0), b"\x08\xfc"),
        (Request(4, 1, 2), nothing),
        (Request(4, 1), b"\0\2"),
        (Request(4, 2), nothing),
        (Request(4, 7), nothing),
    ]
    assert named(follow(unit.measure(), script)) == {"voltage": 230, "current": 2, "power": 460}


SILENCE = NoAnswer("unit 1 does not answer")
GARBAGE = BadFrame("unit 1: 5 bytes came, but none is its answer")
VOLTS, AMPERES, DEGREES = (Request(4, 0), b"\x08\xfc"), (Request(4, 1), b"\0\2"), (Request(4, 7), b"\xff\xff")


def test_silence_of_what_not_all_units_have_costs_nothing_else() -> None:
    unit = opened(made(VARIANT))
    mute = (AMPERES[0], SILENCE)
    assert named(follow(unit.measure(), [VOLTS, mute, VOLTS, DEGREES])) == {"voltage": 230, "temperature": -1}
    everything = {"voltage": 230, "current": 2, "temperature": -1, "power": 460}
    assert named(follow(unit.measure(), [VOLTS, AMPERES, DEGREES])) == everything, "once may be a disturbance"
    for pause in (20, 40, 80, 160, 320, 640, 640):
        for _ in range(2 if pause == 20 else 1):
            follow(unit.measure(), [VOLTS, mute, VOLTS, DEGREES])
        for _ in range(pause):
            assert named(follow(unit.measure(), [VOLTS, DEGREES])) == {"voltage": 230, "temperature": -1}
    assert named(follow(unit.measure(), [VOLTS, AMPERES, DEGREES])) == everything


def test_a_unit_that_is_gone_is_not_asked_for_the_rest() -> None:
    unit = opened(made(VARIANT))
    with pytest.raises(NoAnswer):
        follow(unit.measure(), [VOLTS, (AMPERES[0], SILENCE), (VOLTS[0], SILENCE)])
    with pytest.raises(BadFrame):
        follow(unit.measure(), [VOLTS, (AMPERES[0], GARBAGE)])
    with pytest.raises(NoAnswer):
        follow(unit.measure(), [(VOLTS[0], SILENCE)])
    for _ in range(3):
        with pytest.raises(NoAnswer):
            follow(unit.measure(), [VOLTS, (AMPERES[0], SILENCE), (VOLTS[0], SILENCE)])


def test_of_a_block_that_meets_silence_the_unit_may_have_some() -> None:
    unit = opened(made(VARIANT.replace("current = {", "frequency = { input = 2, optional = true }\ncurrent = {")))
    block, hertz = (Request(4, 1, 2), SILENCE), (Request(4, 2), SILENCE)
    for _ in range(2):
        script: list[Any] = [VOLTS, block, VOLTS, AMPERES, hertz, VOLTS, DEGREES]
        assert named(follow(unit.measure(), script))["current"] == 2
    assert named(follow(unit.measure(), [VOLTS, AMPERES, DEGREES]))["current"] == 2, "and it is known"


def test_where_nothing_is_sure_silence_at_first_is_silence() -> None:
    unit = opened(made(VARIANT.replace("scale = 0.1 }", "scale = 0.1, optional = true }")))
    whole = Request(4, 0, 2)
    with pytest.raises(NoAnswer):
        follow(unit.measure(), [(whole, SILENCE)])
    assert named(follow(unit.measure(), [(whole, b"\x08\xfc\0\2"), (DEGREES[0], SILENCE), (whole, b"\0\0\0\0")]))


SELDOM = """
family = "modbus"
title = "x"
documentation = "x"
period = 10
[field]
factor = { holding = 9, every = 3 }
[quantity]
voltage = { input = 0, scale = 0.1 }
power = { value = "voltage * factor" }
limit = { holding = 10, unit = "", low = 0, high = 100, digits = 0, writable = true, every = 3 }
level = { value = "limit" }
current = { input = 20, optional = true, every = 2 }
[[vector]]
holding = { 9 = "0002 0005" }
gives = { limit = 5, level = 5 }
"""


def test_what_changes_seldom_is_asked_for_seldom_and_is_not_fresh_in_between() -> None:
    row = made(SELDOM)
    assert {each.name: each.every for each in row.quantities} == {
        "voltage": 1, "power": 1, "limit": 3, "level": 3, "current": 2,
    }  # fmt: skip
    unit = opened(row)
    settings, amperes = (Request(3, 9, 2), b"\0\2\0\5"), (Request(4, 20), b"\0\7")
    both = {"voltage": 230, "power": 460}
    rare = {"limit": 5, "level": 5}
    assert named(follow(unit.measure(), [VOLTS, settings, amperes])) == both | rare | {"current": 7}
    asked = list[tuple[Any, ...]]()
    for _ in range(6):
        talk, samples = unit.measure(), dict[str, Value]()
        requests = list[Request]()
        try:
            request = next(talk)
            while True:
                requests.append(request)
                request = talk.send(dict([VOLTS, settings, amperes])[request])
        except StopIteration as done:
            samples = named(done.value)
        assert samples == both | (rare if settings[0] in requests else {}) | (
            {"current": 7} if amperes[0] in requests else {}
        )
        asked.append((settings[0] in requests, amperes[0] in requests))
    assert [each for each, _ in asked].count(True) == 2 and [each for _, each in asked].count(True) == 3


def test_what_was_set_is_asked_for_next_time_and_so_is_all_where_somebody_reads() -> None:
    row = made(SELDOM)
    unit = opened(row)
    settings, amperes = (Request(3, 9, 2), b"\0\2\0\5"), (Request(4, 20), b"\0\7")
    follow(unit.measure(), [VOLTS, settings, amperes])
    setting = next(each for each in row.quantities if each.name == "limit")
    assert follow(unit.write(setting, 6.0), [(Request(6, 10, values=(6,)), b"")]) == {setting: 6}
    assert "limit" in named(follow(unit.measure(), [VOLTS, settings, amperes]))
    unit.whole = True
    assert "limit" in named(follow(unit.measure(), [VOLTS, settings, amperes]))


def test_a_measurement_that_fails_has_asked_for_nothing() -> None:
    unit = opened(made(SELDOM))
    settings, amperes = (Request(3, 9, 2), b"\0\2\0\5"), (Request(4, 20), b"\0\7")
    with pytest.raises(BadValue):
        follow(unit.measure(), [VOLTS, (settings[0], b"\0\2\0\xff"), amperes])
    assert "limit" in named(follow(unit.measure(), [VOLTS, settings, amperes])), "it asks for all again"


def test_a_charge_controller_is_not_asked_for_its_settings_each_time() -> None:
    unit, row = device("epever"), catalog.find("epever")
    emulator = row.emulator()
    counts = list[int]()
    for _ in range(41):
        asked = list[Operation]()

        def answer(wanted: Operation, asked: list[Operation] = asked) -> bytes:
            asked.append(wanted)
            return answered(cast(Any, emulator), wanted)

        talked(unit.measure(), answer)
        counts.append(len(asked))
    assert counts[0] == 25 and max(counts[1:]) <= 14


def test_energy_is_set_to_zero_and_to_nothing_else() -> None:
    for name in ("pzem004t", "pzem017"):
        meter, energy, emulator = device(name), quantity(name, "energy"), catalog.find(name).emulator()
        with pytest.raises(BadValue, match="set to 0, and to nothing else"):
            follow(meter.write(energy, 1.0), [])
        assert follow(meter.write(energy, 0.0), [(Request(0x42, 0), b"")]) == {energy: 0}
        refused = BadValue("unit 1 does not know function 66 (exception 1)")
        with pytest.raises(BadValue, match="function 66"):
            follow(meter.write(energy, 0.0), [(Request(0x42, 0), refused)])

        def told(meter: Any = meter, emulator: Any = emulator) -> Any:
            return named(talked(meter.measure(), partial(answered, emulator)))["energy"]

        emulator.tick(3600.0)
        assert told() > 1
        talked(meter.write(energy, 0.0), partial(answered, cast(Any, emulator)))
        assert told() == 0
        emulator.tick(3600.0)
        assert 0 < told() < 1, "and it counts on"


def test_a_sensor_alone_on_its_line_is_a_unit_beyond_247() -> None:
    row = catalog.find("s8")
    assert isinstance(row.link, Modbus) and row.link.unit == 254
    sensor = device("s8")
    asked = next(sensor.measure())
    assert RTU().begin(254, asked).hex(" ") == "fe 04 00 00 00 04 e5 c6"
    assert all(each.count <= 8 for each in sensor.requests), "more it refuses"
    nothing = BadValue("unit 254 has nothing there (exception 2)")
    plain: list[Any] = [(asked, bytes.fromhex("0000 0000 0000 0190"))]
    fields = [Request(3, 0, 2), Request(3, 0), Request(3, 1), Request(4, 0x15), Request(3, 31), Request(4, 0x19, 6)]
    fields += [Request(4, 0x19, 2), Request(4, 0x1B), Request(4, 0x1C), Request(4, 0x1D, 2)]
    sample = named(follow(sensor.measure(), plain + [(each, nothing) for each in fields]))
    assert (sample["co2"], sample["alarm"], sample["error"]) == (400, False, 0), "an old one has no more"
    period = quantity("s8", "duration_abc")
    assert follow(sensor.write(period, 0.0), [(Request(6, 0x1F, values=(0,)), b"")]) == {period: 0}


def test_a_load_is_switched_by_people_and_by_no_rule_of_outputs() -> None:
    """Whoever only watches a charge controller shall not find the load off because the gateway started."""
    row = catalog.find("epever")
    able = {each.name for each in row.quantities if each.writable}
    assert able == {"setting_load", "setting_control", "setting_mode"}
    assert not switches(row.quantities)
    load = quantity("epever", "setting_load")
    assert follow(device("epever").write(load, "off"), [(Request(5, 2, values=(0,)), b"")]) == {load: "off"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("voltage = { input", "voltage = { optional = 1, input"), "quantity.voltage.optional: 1 is no true or false"),
        (("voltage = { input", "voltage = { every = 1, input"), "quantity.voltage.every: 1 is not in 2..100000"),
        (
            ("voltage = { input", "voltage = { zero = '06', input"),
            "quantity.voltage.zero: is no request of its maker's",
        ),
        (("voltage = { input", "voltage = { zero = 'x', input"), "quantity.voltage.zero: 'x' are no bytes"),
        (("71 CB", "71 CC"), "vector.0.ask: is no frame: its last two bytes should be the checksum 71 cb"),
        (('answer = "01 04 04 43', 'answer = "01 04 06 43'), "vector.0.answer: is no frame"),
        (
            ("gives = { voltage =", "gives = { voltgae ="),
            "vector.0.gives.voltgae: is no quantity of this table; did you mean 'vol",
        ),
        (("{ voltage = 230.2", "{ voltage = 230.3"), "vector.0: gives {'voltage': 230.2"),
        (("voltage = { input", "voltage = { inptu"), "quantity.voltage.inptu: unknown key; did you mean 'input'?"),
        (
            ("voltage = { input", "voltage = { coil = 1, input"),
            "quantity.voltage: needs one of coil, discrete, holding",
        ),
        (("voltage = { input", "voltage = { writable = true, input"), "quantity.voltage.writable: coils and holding"),
        (
            ("voltage = { input = 0x0000", 'voltage = { input = 0, type = "uint24"'),
            "quantity.voltage.type: fills no whole",
        ),
        (('type = "float32"', 'type = "flaot32"'), "did you mean 'float32'?"),
        (
            ("voltage = 230.2\n", "voltage = 230.2\nvoltge = 1\n"),
            "emulator.start.voltge: is no quantity of this table; did",
        ),
        (("voltage = 230.2\n", "voltage = 999\n"), "emulator.start.voltage: voltage 999 V not in 0..300"),
        (("period = 10", "period = 0"), "period: 0 is not in 0.01..86400"),  # nobody would ever ask it
        (("period = 10", 'period = "2 min"'), "period: '2 min' is no number: write 120, without quotes, in seconds"),
        (("period = 10", 'period = "0x10s"'), "period: '0x10s' is no number"),
        (("baud = 2400", "baud = 2"), "modbus.baud: 2 is not in 50..4000000"),
        (("0x001E = ", "zz = "), "vector.1.input.zz: is no address, such as 0x0010"),
        (("3F00 0000", "3F00 00"), "vector.1: gives"),
        (("3F00 0000", "3F00 000"), "are no bytes in hexadecimal"),
        (('"3F00 0000"', "2026-01-01"), "are no bytes in hexadecimal"),
    ],
)
def test_a_mistake_about_a_unit_is_told(change: tuple[str, str], told: str) -> None:
    assert any(told in line for line in wrong("sdm120", change)), wrong("sdm120", change)


def test_what_does_not_fit_into_its_bytes_is_told() -> None:
    start = wrong("pzem004t", ("code_unit = 1", "code_unit = 65536"))
    assert start == ["emulator.start.code_unit: 65536 is not in 0..65535"]
    above = (("high = 30000,", "high = 1000000,"), ("set = { power_alarm = 2300 }", "set = { power_alarm = 100000 }"))
    assert wrong("pzem004t", *above) == ["vector.4.set.power_alarm: 100000 is not in 0..65535"]
    worded = wrong("mcp9808", ("[quantity.temperature]", "[quantity.message]\nregister = 1\n[quantity.temperature]"))
    assert worded == ["emulator: BadValue: 'x' is not in 0..255"]
    level = "[quantity.level]\nregister = 1\nscale = 0.1\nwritable = true\n[[vector]]\nset = { level = 50 }\n[[vector]]"
    assert wrong("mcp9808", ("[[vector]]", level)) == ["vector.0.set.level: 500.0 is not in 0..255"]


def test_the_bytes_are_drawn_against_the_fields() -> None:
    (told,) = wrong("sdm120", ("voltage = 230.2 }", "voltage = 231 }"))
    assert told == (
        "vector.0: gives {'voltage': 230.2}, not {'voltage': 231}\n"
        "     0x0: 43 66 33 34\n"
        "          ^^^^^^^^^^^ voltage float32 = 230.2 V"
    )


# frame


def heard(name: str, *chunks: str) -> list[Any]:
    own = device(name)
    events = [event for chunk in chunks for event in own.feed(bytes.fromhex(chunk))]
    return [type(event).__name__ if isinstance(event, DeviceError) else named(event) for event in events]


DUST = "AA C0 D4 04 3A 0A A1 60 1D AB"


def test_frames_are_found_in_whatever_comes() -> None:
    good = {"pm2_5": 123.6, "pm10": 261.8}
    assert heard("sds011", DUST) == [good]
    assert heard("sds011", "00 AB " + DUST, "AA", "C0 D4 04 3A 0A A1 60 1D", "AB") == [good, good]
    assert heard("sds011", "AA C0 01 02 03 " + DUST) == ["BadFrame", good], "the good one behind a torn one"
    assert heard("sds011", "AA C5 02 01 01 00 58 D9 35 AB", DUST) == [good], "behind the answer to a command"
    assert heard("sds011", DUST.replace("1D", "1E"), DUST) == ["BadFrame", good]
    assert heard("sds011", "AA C0 10 27 3A 0A A1 60 7C AB", DUST) == ["BadValue", good], (
        "1000.0 is more than it can tell"
    )


def test_bytes_may_be_written_as_programs_have_them() -> None:
    text = said("sds011").replace(DUST, ", ".join(f"0x{int(byte, 16):x}" for byte in DUST.split()))
    assert "0xa, 0xa1" in text and made(text).quantities


def test_noise_is_bounded() -> None:
    own = device("sds011")
    for _ in range(100):
        assert list(own.feed(bytes(1000))) == [] and len(own.buffer) < 2


COUNTED = """
family = "frame"
title = "x"
documentation = "x"
period = 1
[frame]
start = "7E"
length = { at = 1, plus = 3 }
check = { kind = "crc16-x25", from = 1 }
[quantity.a]
at = 2
unit = ""
low = 0
high = 255
[quantity.b]
at = 3
unit = ""
low = 0
high = 255
[[vector]]
hex = "HEX"
gives = { a = 1, b = 2 }
"""


BATTERY = """
family = "frame"
title = "x"
documentation = "x"
period = 5
[frame]
ask = "DD A5 03 00 FF FD 77"
start = "DD 03 00"
end = "77"
length = { at = 3, plus = 7 }
check = { kind = "negated16", from = 2 }
[quantity]
voltage = { at = 4, type = "uint16", scale = 0.01 }
level = { at = 23 }
temperature = { at = 27, type = "uint16", scale = 0.1, offset = -273.1 }
[[vector]]
hex = "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82 FB FF 77"
gives = { voltage = 58.88, level = 72, temperature = 20.3 }
"""


@pytest.mark.parametrize(
    "other", ['"sum16"', '{ kind = "crc16-modbus", from = 3 }', '{ kind = "negated16", order = "little" }']
)
def test_which_checksum_it_is_is_told(other: str) -> None:
    """Jiabaida "Communication protocol" V4: the example of command 03."""
    made(BATTERY)
    with pytest.raises(BadTable) as caught:
        made(BATTERY.replace('{ kind = "negated16", from = 2 }', other))
    assert '^^ checksum, as of kind = "negated16", from = ' in str(caught.value)


TWICE = (
    BATTERY.replace('ask = "DD A5 03 00 FF FD 77"', 'ask = ["DD A5 03 00 FF FD 77", "DD A5 04 00 FF FC 77"]')
    .replace('start = "DD 03 00"', 'start = "DD"')
    .replace("[quantity]", "[field]\nkind = { at = 1 }\n[quantity]")
)
for name in ("voltage = { at = 4", "level = { at = 23", "temperature = { at = 27"):
    TWICE = TWICE.replace(name, f"{name}, when = 'kind == 3'")
TWICE = (
    TWICE.replace(
        "[[vector]]\nhex",
        """voltage_cell_1 = { at = 4, when = 'kind == 4', type = 'uint16', scale = 0.001 }
[[vector]]
ask = "DD A5 03 00 FF FD 77"
hex""",
    )
    + """
[[vector]]
ask = "DD A5 04 00 FF FC 77"
hex = "DD 04 00 04 10 39 10 3A FF 69 77"
gives = { voltage_cell_1 = 4.153 }
"""
)


def test_a_device_may_be_asked_for_several_frames() -> None:
    row = made(TWICE)
    battery, emulator = opened(row), cast(Any, row.emulator())
    first = named(meet(battery.measure(), emulator))
    assert first == pytest.approx({"voltage": 58.88, "level": 72, "temperature": 20.3, "voltage_cell_1": 4.153})
    emulator.tick(15)
    assert named(meet(battery.measure(), emulator)).keys() == first.keys()
    status, cells = battery.asks
    with pytest.raises(NoAnswer):
        follow(battery.measure(), [(status, emulator.frame(status.write)), (cells, NoAnswer("silence"))])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('ask = "DD A5 04 00 FF FC 77"\nhex', "hex"), "vector: none has the answer to dd a5 04 00 ff fc 77"),
        (('ask = "DD A5 04 00 FF FC 77"\nhex', 'ask = "DD"\nhex'), "vector.1.ask: is none of [frame] ask: dd a5 03"),
        (('"DD A5 04 00 FF FC 77"]', "7]"), "frame.ask: is no list of texts"),
    ],
)
def test_a_mistake_about_several_frames_is_told(change: tuple[str, str], told: str) -> None:
    made(TWICE)
    assert change[0] in TWICE
    with pytest.raises(BadTable) as caught:
        made(TWICE.replace(*change))
    assert told in "\n".join(f"{key}: {reason}" for key, reason in caught.value.problems)


def test_a_frame_may_say_its_length() -> None:
    def sealed(data: str) -> bytes:
        body = bytes.fromhex(data)
        return body + CHECKSUMS["crc16-x25"].bytes_of(body[1:])

    text = COUNTED.replace("plus = 3", "plus = 4").replace("HEX", sealed("7E 02 01 02").hex())
    own: Any = made(text).device(None)
    events = list(own.feed(sealed("7E 01 09") + sealed("7E 03 01 02 05") + sealed("7E 00")[:2] + sealed("7E 02 05 06")))
    assert [type(event).__name__ if isinstance(event, DeviceError) else named(event) for event in events] == [
        {"a": 9}, {"a": 1, "b": 2}, "BadFrame", {"a": 5, "b": 6},
    ]  # fmt: skip


def test_a_meter_that_is_asked() -> None:
    meter = device("jsymk194")
    ask = next(meter.measure())
    assert isinstance(ask, Ask) and ask.write.hex(" ") == "01 03 00 48 00 0e 44 18"
    shown = tomllib.loads(said("jsymk194"))["vector"][0]
    answer = bytes.fromhex(shown["hex"])
    assert ask.frame(answer[:60]) == 0 and ask.frame(answer + b"x") == 61
    assert named(follow(meter.measure(), [(ask, answer)])) == pytest.approx(shown["gives"])
    with pytest.raises(BadFrame):
        ask.frame(b"\x01\x83\x02")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('start = "AA C0"', 'start = ""'), "frame.start: is empty"),
        (('start = "AA C0"', 'start = "AA C"'), "frame.start: 'AA C' are no bytes in hexadecimal"),
        (("length = 10", "length = 2"), "frame.length: 2 is not above start and end"),
        (("length = 10", "length = 5"), "quantity.pm10.at: ends at byte 6, and the frame has 5"),
        (("length = 10", 'length = { at = 2, type = "int8" }'), "frame.length.type: 'int8' is no length"),
        (('"sum8"', '"sum9"'), "frame.check.kind: 'sum9' is none of sum8"),
        (('"sum8"', '"xor8"'), "vector.0: gives BadFrame: checksum 1d in place of"),
        (('{ kind = "sum8", from = 2 }', '"sum8"'), "vector.0: gives BadFrame: checksum 1d in place of"),
        (('{ kind = "sum8", from = 2 }', '"sum"'), "frame.check.kind: 'sum' is none of sum8"),
        (("[frame]", '[[init]]\nwrite = "00"\nwait = "50ms"\n[frame]'), "wait: '50ms' is no number: write 0.05, w"),
        (
            ("gives = { pm2_5 =", "gives = { pm25 ="),
            "vector.0.gives.pm25: is no quantity of this table; did you mean 'pm2_5'?",
        ),
        (("from = 2", "frm = 2"), "frame.check.frm: unknown key; did you mean 'from'?"),
        (('end = "AB"', 'end = "AC"'), "vector.0: gives BadFrame: no end ac"),
        (("at = 4", ""), "quantity.pm10.at: is missing"),
        (("at = 4", 'at = "4"'), "quantity.pm10.at: '4' is no whole number: write 4, without quotes"),
        (('hex = "AA C0 D4', 'hex = "AA C1 D4'), "vector.0: gives BadFrame: no start aa c0"),
    ],
)
def test_a_mistake_about_a_frame_is_told(change: tuple[str, str], told: str) -> None:
    assert any(told in line for line in wrong("sds011", change)), wrong("sds011", change)


def test_what_has_to_be_asked_has_a_period() -> None:
    assert any("period: is 0, but it says nothing" in line for line in wrong("jsymk194", ("period = 5", "period = 0")))
    talks = said("sds011").replace("period = 1", "period = 0")
    assert made(talks).period == 0, "what talks may do so when it likes"


FAN = """
family = "frame"
title = "A fan that talks"
documentation = "x"
period = 1
[frame]
start = "A5 01"
end = "5A"
length = 8
check = { kind = "sum8", from = 1 }
[quantity.turns_wanted]
at = 2
type = "uint16"
order = "little"
unit = "1/min"
low = 0
high = 3000
set = "A5 02 {value} 00 {check} 5A"
done = "A5 82 00"
[quantity.fault]
at = 4
values = { 0 = "none", 1 = "stuck" }
[quantity.state]
at = 5
set = "A5 03 {value}"
[[vector]]
hex = "A5 01 E8 03 00 01 ED 5A"
gives = { turns_wanted = 1000, fault = "none", state = true }
[[vector]]
set = { turns_wanted = 1200 }
ask = "A5 02 B0 04 00 B6 5A"
[[vector]]
set = { state = false }
ask = "A5 03 00"
"""


@pytest.mark.parametrize("asked", [False, True])
def test_a_frame_sets_what_can_be_set(asked: bool) -> None:
    row = made(FAN.replace("[frame]", '[frame]\nask = "A5 00"' if asked else "[frame]"))
    fan, emulator = opened(row), cast(Any, row.emulator())
    speed, fault, state = row.quantities
    assert (speed.writable, fault.writable, state.writable) == (True, False, True)
    assert meet(fan.write(speed, 1200), emulator) == {speed: 1200}
    if asked:  # that is only silent then; one that talks has its bytes heard meanwhile
        assert meet(fan.write(state, False), emulator) == {state: False}
        assert meet(fan.measure(), emulator) == {speed: 1200, fault: "none", state: False}
    else:
        with pytest.raises(BadFrame):
            next(fan.write(state, False)).frame(b"\xa5")
        emulator.receive(b"\xa5\x03\0")
        (sample,) = fan.feed(emulator.tick(1.0))
        assert sample == {speed: 1200, fault: "none", state: False}
    talk = fan.write(speed, 1)
    with pytest.raises(BadFrame):
        next(talk).frame(b"\xa5\x83")
    for wrong, value in ((fault, "stuck"), (speed, 70_000)):
        with pytest.raises(BadValue):
            next(fan.write(wrong, value))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("A5 02 B0 04 00 B6 5A", "A5 02 B0 04 00 B7 5A"),
            "vector.1.ask: setting turns_wanted sends a5 02 b0 04 00 b6 5a",
        ),
        (('"A5 03 {value}"', '"A5 03"'), "quantity.state.set: holds {value} once, and behind it {check} or not"),
        (('"A5 03 {value}"', '"A5 03 {check} {value}"'), "quantity.state.set: holds {value} once"),
        (('"A5 03 {value}"', '"A5 0x {value}"'), "quantity.state.set: 'A5 0x ' are no bytes in hexadecimal"),
        (('"A5 03 {value}"', '"{value}"'), "quantity.state.set: has nothing before {value}"),
        (('set = "A5 02 {value} 00 {check} 5A"\n', ""), "quantity.turns_wanted.done: belongs to `set`"),
        (("check = {", "# check = {"), "quantity.turns_wanted.set: has a {check}, and [frame] says none"),
        (("set = { state = false }", "set = { fault = 'none' }"), "vector.2.set.fault: cannot be set"),
        (("set = { state = false }", ""), "vector.2.hex: is missing"),
        (("[quantity.fault]", "[field.fault]\nset = 'A5 {value}'"), "field.fault.set: is for quantities"),
    ],
)
def test_a_mistake_about_setting_by_a_frame_is_told(change: tuple[str, str], told: str) -> None:
    made(FAN)  # or the rest proves nothing
    assert change[0] in FAN
    with pytest.raises(BadTable) as caught:
        made(FAN.replace(*change, 1))
    assert told in str(caught.value)


# registers


def test_a_chip_is_identified_configured_and_read() -> None:
    chip = device("mcp9808")
    script = [
        (Transfer(b"\x06", 2), b"\x00\x54"),
        (Transfer(b"\x07", 2), b"\x04\x01"),
        (Transfer(b"\x01\x00\x00"), b""),
    ]
    with pytest.raises(AssertionError, match="beyond the script: Sleep"):
        follow(chip.start(), script)
    assert named(follow(chip.measure(), [(Transfer(b"\x05", 2), b"\xc1\x94")])) == {"temperature": 25.25}


@pytest.mark.parametrize(
    ("answer", "error"), [(b"\x01\x17", WrongDevice), (b"\xff\xff", BadFrame), (b"\0\0", BadFrame)]
)
def test_another_chip_is_told_from_a_held_line(answer: bytes, error: type[DeviceError]) -> None:
    talk = device("mcp9808").start()
    next(talk)
    with pytest.raises(error):
        talk.send(answer)


def test_an_input_that_is_pulled_down_is_not_switched_off() -> None:
    chip = device("pcf8574")
    assert named(follow(chip.measure(), [(Transfer(b"", 1), b"\x7f")]))["state_7"] is False
    assert follow(chip.write(quantity("pcf8574", "state_0"), False), [(Transfer(b"\xfe"), b"")])
    assert follow(chip.write(quantity("pcf8574", "state_1"), False), [(Transfer(b"\xfc"), b"")])
    assert follow(chip.write(quantity("pcf8574", "state_0"), True), [(Transfer(b"\xfd"), b"")])


WORDS = """
family = "registers"
title = "x"
documentation = "x"
period = 5
[i2c]
addresses = [0x44]
check = { kind = "crc8-sensirion", each = 2 }
[[measure]]
write = "24 00"
wait = 0.02
[quantity.temperature]
register = ""
type = "uint16"
scale = 0.0026703288
offset = -45
[quantity.humidity]
register = ""
at = 3
type = "uint16"
scale = 0.00152590219
[[vector]]
registers = { "" = "BEEF 92 8000 A2" }
gives = { temperature = 85.5230014, humidity = 50.000763 }
"""


def test_words_with_their_checksums() -> None:
    row = made(WORDS)
    chip: Any = row.device(row.settings())
    talk = chip.measure()
    assert next(talk) == Transfer(b"\x24\x00")
    talk.send(b"")
    assert talk.send(b"") == Transfer(b"", 6)
    with pytest.raises(BadFrame, match="checksum"):
        talk.send(bytes.fromhex("BEEF928001A2"))
    assert len(meet(chip.measure(), row.emulator())) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("addresses = [0x18,", "addresses = [0x99,"), "i2c.addresses: is a list of addresses from 0x03 to 0x77"),
        (
            ("addresses = [0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F]", "addresses = 0x99"),
            "i2c.addresses: is a list",
        ),
        (("{ temperature = 25.25", "{ temp = 25.25"), "vector.0.gives.temp: is no quantity of this table"),
        (("register = 0x05", "register = 0x105"), "quantity.temperature.register: 261 is more than a byte"),
        (("register = 0x05", "rgister = 0x05"), "quantity.temperature.rgister: unknown key; did you mean 'register'?"),
        (('expect = "00 54"', ""), "init.0: `read` needs `expect`"),
        (('write = "01 00 00"', ""), "init.2: needs `write`, or `read` and `expect`"),
        (("{ 0x05 = ", "{ 0x06 = "), "vector.0.registers.0x06: no quantity is read from there"),
        (
            ("temperature = 25.25", "temperature = 25.5"),
            "vector.0: gives {'temperature': 25.25}, not {'temperature': 25.5}",
        ),
        (('"C1 94"', '"C1"'), "vector.0: gives BadFrame: register 05: 1 bytes in place of 2"),
    ],
)
def test_a_mistake_about_a_chip_is_told(change: tuple[str, str], told: str) -> None:
    assert any(told in line for line in wrong("mcp9808", change)), wrong("mcp9808", change)


# ask


def test_an_instrument_is_asked() -> None:
    meter = device("scpimeter")
    ask = next(meter.measure())
    assert isinstance(ask, Ask) and ask.write == b"MEAS:VOLT:DC?\n" and ask.frame(b"+1.5E+00\r\n") == 10
    assert named(follow(meter.measure(), [(ask, b"+1.5E+00\r\n")])) == {"voltage": 1.5}
    for bad in (b"ERROR\n", b"+1.5E+00", b"+1.5\n+1.6\n", b"\xff\n"):
        with pytest.raises(BadFrame):
            follow(meter.measure(), [(ask, bad)])


def test_what_has_to_be_sent_at_first_may_stay_without_answer() -> None:
    talk = device("scpimeter").start()
    opening = next(talk)
    assert isinstance(opening, Ask) and opening.write == b"SYST:REM\n"
    with pytest.raises(StopIteration):
        talk.throw(NoAnswer("silence"))


SUPPLY = r"""
family = "ask"
title = "A supply"
documentation = "x"
period = 1
[serial]
bits = 7
[line]
end = "\r"
[[init]]
send = "REMOTE"
answer = "OK"
[quantity.voltage]
low = 0
high = 30
scale = 0.01
set = "V{value:04d}"
done = "OK"
[quantity.current]
low = 0
high = 5
[quantity.state]
values = { RUN = "on", STOP = "off" }
set = "{value}"
[quantity.power]
value = "voltage * current"
[[ask]]
send = "V?"
match = '(?P<voltage>[0-9]+)'
[[ask]]
send = "I?"
match = 'I=(?P<current>[0-9.]+)A (?P<state>RUN|STOP)'
[[vector]]
ask = "V?"
answer = "1250"
gives = { voltage = 12.5 }
[[vector]]
ask = "I?"
answer = "I=0.40A RUN"
gives = { current = 0.4, state = true }
[[vector]]
set = { voltage = 5 }
ask = "V0500"
"""


def test_a_supply_is_set_and_its_power_derived() -> None:
    row = made(SUPPLY)
    supply, emulator = opened(row), row.emulator()
    voltage, _, state, power = row.quantities
    assert row.link.bits == 7  # type: ignore[union-attr]
    assert [each.writable for each in row.quantities] == [True, False, True, False], "or nobody may set them"
    assert meet(supply.start(), emulator) == ""
    assert meet(supply.measure(), emulator)[power] == pytest.approx(5)
    assert next(supply.write(voltage, 13.5)).write == b"V1350\r"
    assert meet(supply.write(voltage, 13.5), emulator) == {voltage: 13.5}
    for on in (False, True):
        assert meet(supply.write(state, on), emulator) == {state: on}
        assert meet(supply.measure(), emulator)[state] is on
    assert meet(supply.measure(), emulator)[voltage] == 13.5
    talk = supply.write(voltage, 1.0)
    assert next(talk).write == b"V0100\r"
    with pytest.raises(BadFrame):
        talk.send(b"NO\r")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('ask = "V0500"', 'ask = "V500"'), "vector.2.ask: setting voltage sends b'V0500\\r'"),
        (("{ voltage = 5 }", "{ current = 5 }"), "vector.2.set.current: cannot be set"),
        (('set = "{value}"', 'set = "RUN"'), "quantity.state.set: holds no {value}"),
        (
            ('value = "voltage * current"', 'value = "voltage * current"\nset = "P{value}"'),
            "quantity.power.set: is derived",
        ),
        (('answer = "1250"', ""), "vector.0.answer: is missing"),
    ],
)
def test_a_mistake_about_setting_is_told(change: tuple[str, str], told: str) -> None:
    made(SUPPLY)  # or the rest proves nothing
    assert change[0] in SUPPLY
    with pytest.raises(BadTable) as caught:
        made(SUPPLY.replace(*change, 1))
    assert told in str(caught.value)


def test_an_answer_to_what_is_sent_at_first_ends_as_answers_do() -> None:
    row = made(SUPPLY.replace('end = "\\r"', 'end = "\\n"\nanswer_end = ";"'))
    talk = opened(row).start()
    assert next(talk).frame(b"OK;") == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("(?P<weight>", "(?P<wieght>"), "ask.0.match: group 'wieght' is no quantity; did you mean 'weight'?"),
        (('send = "SI"', 'send = "S"'), "vector.0.ask: 'SI' is not asked"),
        (('send = "SI"', 'snd = "SI"'), "ask.0.snd: unknown key; did you mean 'send'?"),
        (("weight = 0.1,", "weight = 0.2,"), "vector.0: gives {'stable': True, 'weight': 0.1}, not {'weight': 0.2"),
        (("match = 'S (", "match = 'S (".replace("(", "((")), "ask.0.match: no regular expression"),
        (
            ("{ weight = 0.1,", "{ wieght = 0.1,"),
            "vector.0.gives.wieght: is no quantity of this table; did you mean 'weight'?",
        ),
        (('S = "on"', 'S = ""'), "quantity.stable.values: '' is no word"),
    ],
)
def test_a_mistake_about_an_instrument_is_told(change: tuple[str, str], told: str) -> None:
    lines = wrong("mtsics", change)
    assert any(told in line for line in lines), lines


@pytest.mark.parametrize("text", [SET, VARIANT, FAN, SUPPLY], ids=["registers", "variant", "frames", "text"])
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_what_is_set_is_set_or_refused(text: str, data: st.DataObject) -> None:
    """Whatever stands where a value was: the table is refused, or its quantities are set, or it is said why not."""
    table: Any = tomllib.loads(text)
    node = table
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        parent, node = node, node[key]
    parent[key] = data.draw(
        st.sampled_from(
            ["", "{value}", "A5 {value} {check}", "{value:05d}", "0x", "a", 0, -1, 0.5, True, {"1": "on"}, []]
        )
    )
    family = table["family"]
    try:
        row = importlib.import_module(catalog.FAMILIES.get(family, catalog.FAMILIES["line"])).driver("x", table)
    except (BadTable, TypeError) as error:
        assert isinstance(error, BadTable) or not isinstance(family, str)
        return
    device, emulator = opened(row), row.emulator()
    for own in (each for each in row.quantities if each.writable):
        values = {"flag": st.booleans(), "choice": st.sampled_from(own.choices or ("",)), "text": st.text()}
        value = data.draw(values.get(own.kind, st.sampled_from([own.low, own.high])))
        with suppress(DeviceError):
            meet(device.write(own, value), emulator)


def test_a_word_that_the_wire_has_not_is_refused() -> None:
    only = SUPPLY.replace('RUN = "on", STOP = "off"', 'RUN = "on"')
    row = made(only)
    state = row.quantities[2]
    with pytest.raises(BadValue, match="state 'off' is none of on"):
        next(opened(row).write(state, False))
