"""Fields of binary tables: each type, order and cut, there and back; words, conditions, and what means nothing."""

from __future__ import annotations

import tomllib
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import BadValue
from drivers.family import Problems, scaled
from drivers.family.fields import TYPES, read_layout
from drivers.family.frame import AT, locate
from drivers.family.layout import Coding
from drivers.family.proof import named

KINDS = [f"{name}{size}" for name in ("int", "uint") for size in (8, 16, 24, 32, 40, 48, 56, 64)]


def coding(kind: str, order: str = "ABCD", bits: tuple[int, int] | None = None) -> Coding:
    found = TYPES.fullmatch(kind)
    assert found
    name, size = (part for part in found.groups() if part)
    return Coding(name, int(size) // {"text": 1, "bcd": 2}.get(name, 8), order, bits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "order", "raw", "value"),
    [
        ("uint8", "ABCD", "fe", 254),
        ("int8", "ABCD", "fe", -2),
        ("uint16", "ABCD", "0102", 0x102),
        ("uint16", "DCBA", "0102", 0x201),
        ("int24", "ABCD", "fffffe", -2),
        ("uint24", "DCBA", "010203", 0x030201),
        ("uint32", "ABCD", "01020304", 0x01020304),
        ("uint32", "CDAB", "03040102", 0x01020304),
        ("uint32", "BADC", "02010403", 0x01020304),
        ("uint32", "DCBA", "04030201", 0x01020304),
        ("uint48", "CDAB", "050603040102", 0x010203040506),
        ("int64", "ABCD", "fffffffffffffffe", -2),
        ("float32", "ABCD", "43663334", 230.2),
        ("float32", "CDAB", "33344366", 230.2),
        ("float64", "DCBA", "000000000000f03f", 1.0),
        ("bcd4", "ABCD", "1234", 1234),
        ("bcd6", "DCBA", "563412", 123456),
        ("text5", "ABCD", "2041422000", "AB"),
    ],
)
def test_reads(kind: str, order: str, raw: str, value: Any) -> None:
    came = coding(kind, order).read(bytes.fromhex(raw))
    assert came == value or (isinstance(came, float) and isclose(came, value, rel_tol=1e-6))


def test_bits_are_cut_and_signed() -> None:
    word = bytes.fromhex("c194")  # an MCP9808's 25.25 °C
    assert coding("int16", bits=(12, 0)).read(word) == 404
    assert coding("int16", bits=(12, 0)).read(bytes.fromhex("1ffc")) == -4
    assert coding("uint16", bits=(15, 14)).read(word) == 3
    assert coding("uint8", bits=(0, 0)).read(b"\xfe") == 0
    assert coding("uint16", "DCBA", (15, 12)).read(bytes.fromhex("34f2")) == 15


@given(st.sampled_from(KINDS), st.sampled_from(["ABCD", "DCBA"]), st.data())
def test_what_is_written_is_read(kind: str, order: str, data: st.DataObject) -> None:
    size = coding(kind).size * 8
    high = data.draw(st.integers(0, size - 1))
    low = data.draw(st.integers(0, high))
    field = coding(kind, order, data.draw(st.sampled_from([None, (high, low)])))
    least, most = map(int, field.span())
    value, old = data.draw(st.integers(least, most)), data.draw(st.binary(min_size=field.size, max_size=field.size))
    raw = field.write(value, old)
    assert field.read(raw) == value
    before = field.read(old)
    assert field.write(before, raw) == (old if field.bits else field.write(before, old)), "other bits are as they were"
    for wrong in (least - 1, most + 1):
        with pytest.raises(BadValue):
            field.write(wrong, old)


@given(st.integers(0, 999999))
def test_decimal_digits_are_written_and_read(value: int) -> None:
    assert coding("bcd6", "DCBA").read(coding("bcd6", "DCBA").write(value, b"")) == value


def test_digits_that_are_none() -> None:
    with pytest.raises(BadValue):
        coding("bcd4").read(bytes.fromhex("12a4"))


@given(st.integers(-(2**31), 2**31), st.sampled_from([(0.1, 1), (0.01, 2), (0.001, 3), (0.5, 1)]))
def test_tenths_are_the_nearest_numbers_there_are(raw: int, scale: tuple[float, int]) -> None:
    assert scaled(raw, scale[0], 0) == float(f"{raw * round(1000 * scale[0])}e-3")


def given_by(fields: str, frame: str) -> dict[str, Any]:
    """The values that these *fields* find in *frame*."""
    problems: Problems = []
    layout = read_layout({"field": {}, **tomllib.loads(fields)}, AT, locate, problems)
    assert not problems
    raw = bytes.fromhex(frame)
    return dict(named(layout.sample({field: raw[field.at : field.end] for field in layout.read})))


A = '[quantity.a]\nat = 1\nunit = ""\nlow = -100\nhigh = 255\n'
B = '[quantity.b]\nunit = ""\nlow = 0\nhigh = 99\n'


@pytest.mark.parametrize(
    ("fields", "frame", "given"),
    [
        (A, "AA 07", {"a": 7}),
        (A + 'type = "int8"\nscale = 0.5\noffset = 1\n', "AA FE", {"a": 0}),
        (A + B + 'at = 2\nwhen = "a == 1"\n', "AA 01 05", {"a": 1, "b": 5}),
        (A + B + 'at = 2\nwhen = "a == 1"\n', "AA 02 05", {"a": 2}),
        (A + B + "at = 2\nabsent = [255]\n", "AA 02 FF", {"a": 2}),
        (A + B + 'value = "a * 2"\n', "AA 02", {"a": 2, "b": 4}),
        (A + "absent = [2]\n" + B + 'value = "a * 2"\n', "AA 02", {}),
        (A + "[field.c]\nat = 2\n" + B + 'value = "c + 1"\n', "AA 02 03", {"a": 2, "b": 4}),
        (A + B + 'value = "1 / a"\nwhen = "a != 0"\n', "AA 00", {"a": 0}),
        ("[quantity.state]\nat = 1\nbits = 3\n", "AA F7", {"state": False}),
        ("[quantity.w]\nat = 1\nvalues = { 0 = 'idle', 0x10 = 'busy' }\n", "AA 10", {"w": "busy"}),
        ("[quantity.w]\nat = 1\nvalues = { 0 = 'off', 255 = 'on' }\n", "AA FF", {"w": True}),
        ("[quantity.t]\nat = 1\ntype = 'text3'\nkind = 'text'\n", "AA 4F 4B 20", {"t": "OK"}),
        (B + "at = 1\ntype = 'text4'\nscale = 0.1\n", "AA 20 31 32 35", {"b": 12.5}),
        (A + "type = 'text2'\n" + B + "value = 'a + 1 if a > 5 else 0'\n", "AA 31 32", {"a": 12, "b": 13}),
        ("[quantity.count]\nat = 1\nscale = 0.5\n", "AA 04", {"count": 2}),
    ],
)
def test_a_frame_gives(fields: str, frame: str, given: dict[str, Any]) -> None:
    came = given_by(fields, frame)
    assert came == given and [type(value) is bool for value in came.values()] == [
        type(value) is bool for value in given.values()
    ]


@pytest.mark.parametrize(
    ("fields", "frame"),
    [
        ("[quantity.state]\nat = 1\n", "AA 02"),
        ("[quantity.w]\nat = 1\nvalues = { 0 = 'idle', 0x10 = 'busy' }\n", "AA 11"),
        (B + "at = 1\ntype = 'text4'\n", "AA 20 31 3F 35"),
        ("[quantity.t]\nat = 1\ntype = 'text3'\nkind = 'text'\n", "AA 4F 1B 20"),
        ("[quantity.t]\nat = 1\ntype = 'text3'\nkind = 'text'\n", "AA 4F E9 20"),
        ("[quantity.count]\nat = 1\nscale = 0.5\n", "AA 03"),
        (A + B + 'value = "1 / a"\n', "AA 00"),
        (B + "at = 1\n", "AA 64"),
        (B + "at = 1\ntype = 'float32'\n", "AA 7FC00000"),
        (B + "at = 1\ntype = 'bcd2'\n", "AA 1A"),
    ],
)
def test_what_no_device_could_mean_is_a_bad_value(fields: str, frame: str) -> None:
    with pytest.raises(BadValue):
        given_by(fields, frame)


def test_nan_may_mean_nothing() -> None:
    assert given_by(B + "at = 1\ntype = 'float32'\nabsent = [nan]\n", "AA 7FC00000") == {}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("type = 'unit16'", "quantity.b.type: 'unit16' is no type, such as uint8, int8, uint16"),
        ("type = 'unit16'", "did you mean 'uint16'?"),
        ("type = 'uint24'\norder = 'CDAB'", "quantity.b.order: CDAB is of 16-bit words, and uint24 has none"),
        ("bits = '9:8'", "quantity.b.bits: '9:8' are no bits of uint8"),
        ("bits = '0:3'", "'0:3' are no bits"),
        ("values = { x = 'on' }", "quantity.b.values: 'x' is no number"),
        ("values = { 1 = '' }", "quantity.b.values: '' is no word"),
        ("kind = 'float'\nvalues = { 1 = 'a' }", "quantity.b.values: are words, and a float has none"),
        ("when = 'c == 1'", "quantity.b.when: `c` is no field"),
        ("when = 'a =='", "quantity.b.when: no formula: "),
        ("value = 'a'", "quantity.b.at: has no place: it is derived"),
        ("scale = 0", "quantity.b.scale: 0 would make every value the same"),
        ("absent = ['x']", "quantity.b.absent: is no list of numbers"),
    ],
)
def test_a_mistake_is_told(fields: str, told: str) -> None:
    problems: Problems = []
    read_layout({"field": {}, **tomllib.loads(A + B + "at = 2\n" + fields)}, AT, locate, problems)
    assert any(told in f"{key}: {reason}" for key, reason in problems), problems


def test_a_formula_has_no_texts() -> None:
    problems: Problems = []
    text = "[field.t]\nat = 1\ntype = 'text2'\n"  # times a billion it would fill the memory
    read_layout({"field": {}, **tomllib.loads(text + B + "value = 't * 1000000000'\n")}, AT, locate, problems)
    assert problems == [("quantity.b.value", "`t` is a text, and formulas have numbers only")]


def test_what_is_derived_stands_behind_what_it_is_derived_from() -> None:
    problems: Problems = []
    read_layout({"field": {}, **tomllib.loads(B + "value = 'a'\n" + A)}, AT, locate, problems)
    assert problems == [("quantity.b.value", "`a` stands further down; put it before")]


def test_a_scale_beyond_any_sense_makes_no_number_but_no_bug_either() -> None:
    """What is left of it is for the range to refuse; its inverse is no number."""
    assert scaled(1250.5, 2.2e-311, 0) == pytest.approx(0, abs=1e-300) and scaled(1250.5, -5e-324, 1) == 1
